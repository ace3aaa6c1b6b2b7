//! Random numbers: generators, shuffles, uniform and normal draws.

use super::vector;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What random numbers are drawn for. Each purpose has a stream of its own, so
/// drawing more for one changes nothing of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stream {
    /// The first weights.
    Weights,
    /// Cutting data into parts for validation and test.
    Split,
    /// The order of the examples in each epoch.
    Shuffle,
}

/// The generator of one stream of a seed: xoshiro256++ (Blackman and Vigna,
/// *Scrambled Linear Pseudorandom Number Generators*, 2021), streams 2¹²⁸
/// numbers apart.
pub fn generator(seed: u64, stream: Stream) -> Xoshiro256PlusPlus {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..stream as usize {
        rng.jump();
    }
    rng
}

/// Uniform on [0, 1), a multiple of 2⁻²⁴.
pub(crate) fn uniform<R: Rng + ?Sized>(rng: &mut R) -> f32 {
    (rng.next_u32() >> 8) as f32 / 16_777_216.0
}

/// Fills a slice with normal numbers, two at a time by Marsaglia's polar
/// method.
pub(crate) fn fill_normal<R: Rng + ?Sized>(xs: &mut [f32], mean: f32, deviation: f32, rng: &mut R) {
    for pair in xs.chunks_mut(2) {
        let (u, v, square) = loop {
            let u = 2.0 * uniform(rng) - 1.0;
            let v = 2.0 * uniform(rng) - 1.0;
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                break (u, v, square);
            }
        };
        let radius = vector::sqrt(f64::from(-2.0 * vector::ln(square) / square)) as f32;
        for (x, direction) in pair.iter_mut().zip([u, v]) {
            *x = mean + deviation * (direction * radius);
        }
    }
}

/// Puts the elements in an order drawn uniformly from all orders (Fisher and
/// Yates).
///
/// # Panics
/// Panics if there are 2³² elements or more.
pub fn shuffle<R: Rng + ?Sized>(indices: &mut [u32], rng: &mut R) {
    for last in (1..indices.len()).rev() {
        let bound = u32::try_from(last + 1).expect("fewer than 2³² elements");
        indices.swap(last, below(bound, rng) as usize);
    }
}

/// Uniform on 0, 1, …, `bound` − 1, without bias (Lemire, *Fast Random Integer
/// Generation in an Interval*, 2019).
fn below<R: Rng + ?Sized>(bound: u32, rng: &mut R) -> u32 {
    let mut product = u64::from(rng.next_u32()) * u64::from(bound);
    if (product as u32) < bound {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(bound);
        }
    }
    (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn all_orders_of_four_are_equally_likely() {
        let mut rng = generator(7, Stream::Shuffle);
        let mut counts = [0_u32; 256];
        for _ in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            shuffle(&mut order, &mut rng);
            counts[order.iter().fold(0, |code, &i| code * 4 + i) as usize] += 1;
        }
        let seen: vec::Vec<u32> = counts.into_iter().filter(|&n| n > 0).collect();
        assert_eq!(seen.len(), 24);
        // Six deviations of a count whose mean is 1 000.
        assert!(seen.iter().all(|n| n.abs_diff(1000) < 186), "{seen:?}");
    }

    #[test]
    fn streams_and_seeds_differ_and_repeat() {
        let first = |seed, stream| generator(seed, stream).next_u64();
        assert_eq!(first(1, Stream::Split), first(1, Stream::Split));
        assert_ne!(first(1, Stream::Split), first(1, Stream::Shuffle));
        assert_ne!(first(1, Stream::Weights), first(2, Stream::Weights));
    }
}
