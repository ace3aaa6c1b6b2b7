//! Initialisation of weights and biases.

use crate::compute::names::named;
use crate::compute::rng::{fill_normal, uniform};
use crate::compute::vector;
use crate::net::activation::Activation;
use rand_core::Rng;

/// The distribution that the first weights and biases are drawn from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Init {
    /// Weights uniform within ±√(6 / (inputs + outputs)), biases 0 (Glorot and
    /// Bengio, *Understanding the difficulty of training deep feedforward
    /// neural networks*, 2010, eq. 16). For tanh.
    Glorot,
    /// For the sigmoid: hidden weights four times as wide as Glorot's, because the slope
    /// of the sigmoid at 0 is a quarter, and hidden biases of −2; the output layer is
    /// Glorot's.
    ///
    /// With biases of 0 all activations are near ½, and a change that the weights of an
    /// output have in common moves it by half of their number: the largest curvature of
    /// the loss grows with the width, and the largest stable learning rate falls with it.
    /// Biases of −2 turn most units off for most images (docs/defaults.md).
    GlorotSigmoid,
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
    GlorotSigmoid = "glorot-sigmoid",
    He = "he",
    LeCun = "lecun",
    Question = "question",
}

/// The biases of hidden units with [`Init::GlorotSigmoid`].
const SIGMOID_BIAS: f32 = -2.0;

/// The factor between the hidden weights of [`Init::GlorotSigmoid`] and those of
/// [`Init::Glorot`].
const SIGMOID_GAIN: f32 = 4.0;

impl Init {
    /// The initialisation that suits an activation: [`Init::He`] for relu,
    /// [`Init::GlorotSigmoid`] for the sigmoid, [`Init::Glorot`] for tanh.
    pub const fn suited_to(activation: Activation) -> Self {
        match activation {
            Activation::Sigmoid => Self::GlorotSigmoid,
            Activation::Relu => Self::He,
            Activation::Tanh => Self::Glorot,
        }
    }

    /// Draws the weights (inputs×outputs) and biases (outputs) of one layer, the last one
    /// of its net if `is_output`.
    pub fn fill<R: Rng + ?Sized>(
        self,
        weights: &mut [f32],
        biases: &mut [f32],
        (inputs, outputs): (usize, usize),
        is_output: bool,
        rng: &mut R,
    ) {
        biases.fill(0.0);
        match self {
            Self::Glorot => fill_glorot(weights, (inputs, outputs), 1.0, rng),
            Self::GlorotSigmoid if is_output => fill_glorot(weights, (inputs, outputs), 1.0, rng),
            Self::GlorotSigmoid => {
                fill_glorot(weights, (inputs, outputs), SIGMOID_GAIN, rng);
                biases.fill(SIGMOID_BIAS);
            }
            Self::He => fill_normal(weights, 0.0, vector::sqrt(2.0 / inputs as f64) as f32, rng),
            Self::LeCun => fill_normal(weights, 0.0, vector::sqrt(1.0 / inputs as f64) as f32, rng),
            Self::Question => {
                fill_normal(weights, -0.1, 0.02, rng);
                fill_normal(biases, -0.1, 0.02, rng);
            }
        }
    }
}

/// Draws weights uniformly within ±gain·√(6 / (inputs + outputs)).
fn fill_glorot<R: Rng + ?Sized>(
    weights: &mut [f32],
    (inputs, outputs): (usize, usize),
    gain: f32,
    rng: &mut R,
) {
    let limit = gain * vector::sqrt(6.0 / (inputs + outputs) as f64) as f32;
    weights.fill_with(|| limit * (2.0 * uniform(rng) - 1.0));
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
        for (init, mean, deviation, is_output) in [
            (Init::Glorot, 0.0, (2.0_f64 / 912.0).sqrt(), false),
            (
                Init::GlorotSigmoid,
                0.0,
                4.0 * (2.0_f64 / 912.0).sqrt(),
                false,
            ),
            (Init::GlorotSigmoid, 0.0, (2.0_f64 / 912.0).sqrt(), true),
            (Init::He, 0.0, (2.0_f64 / 784.0).sqrt(), false),
            (Init::LeCun, 0.0, (1.0_f64 / 784.0).sqrt(), false),
            (Init::Question, -0.1, 0.02, false),
        ] {
            let mut weights = vec![f32::NAN; 784 * 128];
            let mut biases = vec![f32::NAN; 128];
            init.fill(
                &mut weights,
                &mut biases,
                shape,
                is_output,
                &mut generator(1, Stream::Weights),
            );
            // Within five standard errors; that of a deviation is largest for normal numbers.
            let (n, (m, d)) = (weights.len() as f64, moments(&weights));
            assert!(
                (m - mean).abs() < 5.0 * deviation / n.sqrt(),
                "{init:?}: mean {m}"
            );
            assert!(
                (d / deviation - 1.0).abs() < 5.0 / (2.0 * n).sqrt(),
                "{init:?}: deviation {d}"
            );
            match init {
                Init::Question => assert!(biases.iter().all(|&b| b < 0.0)),
                Init::GlorotSigmoid if !is_output => assert_eq!(biases, [-2.0; 128]),
                _ => assert_eq!(biases, [0.0; 128]),
            }
        }
    }

    #[test]
    fn glorot_stays_within_its_limit() {
        let mut weights = [0.0; 1000];
        let mut rng = generator(3, Stream::Weights);
        Init::Glorot.fill(&mut weights, &mut [], (2, 4), false, &mut rng);
        assert!(weights.iter().all(|w| w.abs() <= 1.0));
        assert!(vector::max(&weights) > 0.98);
    }
}
