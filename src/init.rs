//! Everything random: generators, shuffles and the first weights.

use crate::vector;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What random numbers are drawn for. Each purpose has a stream of its own, so
/// drawing more for one changes nothing of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

/// How the first weights are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Init {
    /// Weights uniform within ±√(6 / (inputs + outputs)), biases 0 (Glorot and
    /// Bengio, *Understanding the difficulty of training deep feedforward
    /// neural networks*, 2010, eq. 16). For sigmoid and tanh.
    Glorot,
    /// Weights normal with variance 2 / inputs, biases 0 (He et al., *Delving
    /// Deep into Rectifiers*, 2015, eq. 10). For relu.
    He,
    /// Weights normal with variance 1 / inputs, biases 0 (LeCun et al., *Efficient
    /// BackProp*, 1998, section 4.6).
    LeCun,
    /// Weights and biases normal with mean −0.1 and deviation 0.02, as in the
    /// question that this crate answers. With 784 inputs it saturates every
    /// sigmoid; it is here to show that.
    Question,
}

impl Init {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Glorot, Self::He, Self::LeCun, Self::Question];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Glorot => "glorot",
            Self::He => "he",
            Self::LeCun => "lecun",
            Self::Question => "question",
        }
    }

    /// Draws the weights (inputs×outputs) and biases (outputs) of one layer.
    pub fn fill<R: Rng + ?Sized>(
        self,
        weights: &mut [f32],
        biases: &mut [f32],
        (inputs, outputs): (usize, usize),
        rng: &mut R,
    ) {
        match self {
            Self::Glorot => {
                let limit = vector::sqrt(6.0 / (inputs + outputs) as f64) as f32;
                weights.fill_with(|| limit * (2.0 * uniform(rng) - 1.0));
                biases.fill(0.0);
            }
            Self::He => {
                fill_normal(weights, 0.0, vector::sqrt(2.0 / inputs as f64) as f32, rng);
                biases.fill(0.0);
            }
            Self::LeCun => {
                fill_normal(weights, 0.0, vector::sqrt(1.0 / inputs as f64) as f32, rng);
                biases.fill(0.0);
            }
            Self::Question => {
                fill_normal(weights, -0.1, 0.02, rng);
                fill_normal(biases, -0.1, 0.02, rng);
            }
        }
    }
}

/// Uniform on [0, 1), a multiple of 2⁻²⁴.
fn uniform<R: Rng + ?Sized>(rng: &mut R) -> f32 {
    (rng.next_u32() >> 8) as f32 / 16_777_216.0
}

/// Fills a slice with normal numbers, two at a time by Marsaglia's polar
/// method.
fn fill_normal<R: Rng + ?Sized>(xs: &mut [f32], mean: f32, deviation: f32, rng: &mut R) {
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

    fn moments(xs: &[f32]) -> (f64, f64) {
        let n = xs.len() as f64;
        let mean = xs.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = xs
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / n;
        (mean, variance.sqrt())
    }

    #[test]
    fn weights_have_the_moments_that_their_names_promise() {
        let shape = (784, 128);
        for (init, mean, deviation) in [
            (Init::Glorot, 0.0, (2.0_f64 / 912.0).sqrt()),
            (Init::He, 0.0, (2.0_f64 / 784.0).sqrt()),
            (Init::LeCun, 0.0, (1.0_f64 / 784.0).sqrt()),
            (Init::Question, -0.1, 0.02),
        ] {
            let mut weights = vec![f32::NAN; 784 * 128];
            let mut biases = vec![f32::NAN; 128];
            init.fill(
                &mut weights,
                &mut biases,
                shape,
                &mut generator(1, Stream::Weights),
            );
            let (m, d) = moments(&weights);
            assert!(
                (m - mean).abs() < 5.0 * deviation / 316.0,
                "{init:?}: mean {m}"
            );
            assert!(
                (d / deviation - 1.0).abs() < 0.01,
                "{init:?}: deviation {d}"
            );
            let biased = init == Init::Question;
            assert!(
                biases
                    .iter()
                    .all(|&b| (b < 0.0) == biased && (b == 0.0) != biased)
            );
        }
    }

    #[test]
    fn glorot_stays_within_its_limit() {
        let mut weights = [0.0; 1000];
        let mut rng = generator(3, Stream::Weights);
        Init::Glorot.fill(&mut weights, &mut [], (2, 4), &mut rng);
        assert!(weights.iter().all(|w| w.abs() <= 1.0));
        assert!(vector::max(&weights) > 0.98);
    }

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
