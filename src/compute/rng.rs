//! Random numbers: generators, shuffles, uniform and normal draws.

use crate::compute::names::named;
use crate::compute::vector;
use core::convert::Infallible;
use rand_core::{Rng, SeedableRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The purpose that random numbers are drawn for. Each has a stream of its own, so
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
    /// Taking test images out of a data set that has none.
    TestPart,
    /// The distortions of each epoch.
    Distortion,
}

named! { Stream, "stream":
    Weights = "weights",
    Split = "split",
    Shuffle = "shuffle",
    TestPart = "test part",
    Distortion = "distortion",
}

/// A generator of random numbers: xoshiro256++ (Blackman and Vigna, *Scrambled Linear
/// Pseudorandom Number Generators*, 2021). [`generator`] makes one.
///
/// A generator implements [`rand_core::Rng`] and gives the same numbers on every target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generator(Xoshiro256PlusPlus);

impl TryRng for Generator {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// The generator of one stream of a seed. Streams of one seed lie 2¹²⁸ numbers apart.
///
/// ```
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::rand_core::Rng;
///
/// let mut rng = generator(1, Stream::Weights);
/// let first = rng.next_u64();
/// assert_eq!(generator(1, Stream::Weights).next_u64(), first);
/// assert_ne!(generator(1, Stream::Shuffle).next_u64(), first);
/// ```
pub fn generator(seed: u64, stream: Stream) -> Generator {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..stream as usize {
        rng.jump();
    }
    Generator(rng)
}

/// Random numbers of one thing among many: SplitMix64 (Steele, Lea and Flood, *Fast Splittable
/// Pseudorandom Number Generators*, 2014), which can begin anywhere at no cost.
#[cfg(feature = "alloc")]
pub(crate) struct SplitMix(pub(crate) u64);

#[cfg(feature = "alloc")]
impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        // 2⁶⁴ divided by the golden ratio, to odd.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number uniform on [−1, 1).
    pub(crate) fn symmetric(&mut self) -> f64 {
        (self.next() >> 40) as f64 / 8_388_608.0 - 1.0
    }
}

/// The output function of SplitMix64: a permutation of all numbers, each bit of whose result
/// depends on all bits.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Draws a number uniform on [0, 1), a multiple of 2⁻²⁴.
pub(crate) fn uniform<R: Rng + ?Sized>(rng: &mut R) -> f32 {
    (rng.next_u32() >> 8) as f32 / 16_777_216.0
}

/// Fills a slice with normal numbers, two at a time (Marsaglia and Bray, *A Convenient
/// Method for Generating Normal Variables*, 1964).
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

/// Shuffles a slice: every order is equally likely (Fisher and Yates; Knuth, *The Art of
/// Computer Programming*, volume 2, algorithm P).
///
/// # Panics
/// Panics if there are 2³² elements or more.
pub fn shuffle<R: Rng + ?Sized>(indices: &mut [u32], rng: &mut R) {
    for last in (1..indices.len()).rev() {
        let bound = u32::try_from(last + 1).expect("fewer than 2³² elements");
        indices.swap(last, below(bound, rng) as usize);
    }
}

/// Draws an integer uniform on 0, 1, …, `bound` − 1, without bias (Lemire, *Fast Random Integer
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
