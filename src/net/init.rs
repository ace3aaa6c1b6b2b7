//! Initialisation of weights and biases.

use crate::compute::names::named;
use crate::compute::rng::{fill_normal, uniform};
use crate::compute::vector;
use rand_core::Rng;

/// The distribution that the first weights and biases are drawn from.
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
    /// Weights and biases normal with mean −0.1 and deviation 0.02: those of the run
    /// that did not learn (docs/why-it-did-not-learn.md). With 784 inputs they saturate
    /// every sigmoid.
    Question,
}

named! { Init, "initialisation":
    Glorot = "glorot",
    He = "he",
    LeCun = "lecun",
    Question = "question",
}

impl Init {
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::compute::rng::{Stream, generator};
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
}
