//! The learning rate of a run that names none.
//!
//! All constants are fitted to validation accuracies on MNIST (docs/defaults.md; `cargo run
//! --release --example learning_rates`), of batches of 1 to 60 000 and nets of no to eight
//! hidden layers; the ones of the ink to Fashion-MNIST and 8×8 digits as well.

use crate::compute::vector;
use crate::data::Subset;
use crate::net::NetRef;
use crate::net::activation::Activation;
use crate::net::schedule::Schedule;
use crate::step::workspace::Workspace;
use crate::training::config::{Batch, Config};
use crate::training::curvature::{largest_curvature, largest_stable_rate};
use crate::training::rehearsal::Rehearsal;
use core::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
use core::fmt;

/// Momentum, mini-batch and mean of the schedule that the rates of [`best_rate`] are for.
const MOMENTUM: f64 = 0.9;
const BATCH: f64 = 64.0;
const MEAN_OF_COSINE: f64 = 0.5;

/// The mean of ‖x‖² over MNIST's images, and the number of images it is measured on. The
/// gradients of the first layer grow with it, and their noise too.
const SQUARED_LENGTH: f64 = 88.0;
const MEASURED: usize = 512;

/// The number of images in a mini-batch above which a larger one allows no higher rate: with
/// 256 here 784-16-10 with relu falls from 93.8 to 92.3 % in batches of 256.
const LARGE_BATCH: f64 = 192.0;

/// The number of images that a run takes, epochs times images, and the number of steps,
/// below which it gains by a higher rate: one epoch of MNIST is best at 1.5 times the rate.
const MANY_IMAGES: f64 = 275_000.0;
const MANY_STEPS: f64 = 1000.0;

/// The share of the largest stable rate that a net with one hidden layer takes at most.
const STABLE_SHARE: f64 = 0.85;

/// The number of hidden layers above which the rate falls with their number: eight layers of
/// 64 with relu are best at 0.03 in batches of 64, up to three at 0.1.
const DEEP: f64 = 3.0;

/// The best peak of the learning rate for mini-batches of 64 MNIST images, momentum 0.9
/// and the cosine schedule, over 16 to 1000 hidden units in one to three layers
/// (docs/defaults.md).
fn best_rate(net: NetRef<'_>) -> f64 {
    match net.activation() {
        Activation::Sigmoid if net.depth() > 1 => 0.6,
        _ => 0.1,
    }
}

/// The learning rate that [`choose_rate`] chose.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct ChosenRate {
    /// The peak of the learning rate, rounded to two significant digits.
    pub rate: f64,
    /// The bound or rehearsal that decided it.
    pub bound: RateBound,
    /// The peak above which the first steps overshoot ([`largest_stable_rate`]), for the
    /// reduction of the run.
    pub stable: f64,
}

/// The reason for a learning rate: a bound from above, or a rehearsal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RateBound {
    /// The noise of the gradients of mini-batches of up to 192 images.
    Noise,
    /// The limit of larger batches and of full batches: the rate that suits 192 images.
    LargeBatch,
    /// The curvature of the loss at the initial weights.
    Curvature,
    /// A rehearsal of the run or its start at several rates, which may be above the other
    /// bounds.
    Rehearsal,
}

impl fmt::Display for RateBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Noise => "the noise of the mini-batches",
            Self::LargeBatch => "the limit for large batches",
            Self::Curvature => "the curvature of the loss",
            Self::Rehearsal => "a rehearsal on a few hundred images",
        })
    }
}

/// Chooses the peak of the learning rate for a net with its initial weights, which is to
/// be trained on the examples of `train` as `config` says; the peak of `config` does not
/// count.
///
/// With momentum μ and B examples in a mini-batch it is the lower one of two bounds
/// (docs/defaults.md has the measurements behind them):
///
/// * the noise of the gradients: a constant of the activation, times B up to 192, times
///   1 − μ, for the mean over the schedule. Beyond three hidden layers it falls as their
///   number grows. Images with more ink than MNIST's take down to half as much, with less
///   ink up to twice as much unless the net is of sigmoids, in steps of √2. Runs of fewer
///   than 275 000 images or 1000 steps take more, by the fourth root of what they lack;
/// * the largest curvature λ of the loss at the initial weights ([`largest_curvature`]):
///   0.85 of the largest stable rate 2·(1 + μ)/λ, divided by the square root of the number
///   of hidden layers, because the curvature of deep nets grows most as they learn.
///
/// Runs of more than 192 images in a batch are rehearsed on the first training images, at
/// multiples of the lower bound; the one that ends with the lowest training loss is taken, but
/// 1 unless another one gains a hundredth:
///
/// * full batches of 8192 images or more from the first step to the last, on 512 images, at ½,
///   1, 1.5, 2 and 3 times the rate;
/// * others in 12 steps at the peak of the rate, on 200 images, at ½, 0.7, 1, 1.4 and 2 times
///   the rate, if that is at most a twentieth of the images of the run; the mean loss of the
///   last three steps counts. Full batches take no higher rate, mini-batches at most the fourth
///   root of B/192 times the bound of the noise, without hidden layers B/192 times.
///
/// Nets of relu with more than three hidden layers take no higher rate, and multiples above one
/// whose loss overflows are not tried.
///
/// The number of threads changes no bit of it.
///
/// # Panics
/// Panics where [`Workspace::compute_gradient`] does.
pub fn choose_rate(
    net: NetRef<'_>,
    train: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
) -> ChosenRate {
    let (images, batch) = (train.len(), config.batch.len_of(train.len()));
    let hidden = hidden_layers(net);
    let by_noise = noise_bound(net, train, config);
    let curvature = largest_curvature(net, train, config.objective(), workspace);
    let stable = largest_stable_rate(curvature, config.optimizer.momentum);

    let by_curvature = STABLE_SHARE * stable / vector::sqrt(hidden);
    // A loss that overflows has no curvature, and a rate of 0 would be none.
    let mut decided = match by_curvature > 0.0 && by_curvature < by_noise {
        true => (by_curvature, RateBound::Curvature),
        false if config.batch == Batch::Full || batch as f64 > LARGE_BATCH => {
            (by_noise, RateBound::LargeBatch)
        }
        false => (by_noise, RateBound::Noise),
    };
    if batch as f64 > LARGE_BATCH
        && let Some(rehearsal) = Rehearsal::of(images, config)
    {
        let rates = (decided.0, most_rehearsed(net, batch, decided.0, by_noise));
        let best = rehearsal.best_multiple(net, train, config, rates, workspace);
        decided = best.map_or(decided, |multiple| {
            (decided.0 * multiple, RateBound::Rehearsal)
        });
    }
    let (rate, bound) = decided;
    // Both are for the gradient of the mean of the loss.
    let to_mean = config.reduction.to_mean(batch);
    ChosenRate {
        rate: rounded(rate * to_mean),
        bound,
        stable: stable * to_mean,
    }
}

/// The number of hidden layers, at least 1.
fn hidden_layers(net: NetRef<'_>) -> f64 {
    (net.depth() - 1).max(1) as f64
}

/// The bound of the noise of mini-batches, for the gradient of the mean of the loss.
fn noise_bound(net: NetRef<'_>, train: &Subset<'_>, config: &Config) -> f64 {
    let (images, epochs) = (train.len(), config.epochs as f64);
    let (batch, steps) = (config.batch.len_of(images), config.batch.steps(images));
    let momentum = f64::from(config.optimizer.momentum);
    let taken = (epochs * images as f64 / MANY_IMAGES).min(epochs * steps as f64 / MANY_STEPS);
    let mean = match config.learning_rate.schedule {
        Schedule::Constant | Schedule::Step { .. } => 1.0,
        Schedule::Cosine => MEAN_OF_COSINE,
        Schedule::Linear { hold } => 0.5 * (1.0 + hold),
    };
    // Sigmoids that are pushed further saturate.
    let most = match net.activation() {
        Activation::Sigmoid => 1.0,
        _ => f64::INFINITY,
    };
    best_rate(net)
        * ((batch as f64).min(LARGE_BATCH) / BATCH)
        * ((1.0 - momentum) / (1.0 - MOMENTUM))
        * (MEAN_OF_COSINE / mean)
        * (DEEP / hidden_layers(net)).min(1.0)
        * darkness(train).min(most)
        * vector::sqrt(vector::sqrt((1.0 / taken).max(1.0)))
}

/// The highest rate that a rehearsal may take, where the bounds leave `rate`.
///
/// A rehearsal has no noise of mini-batches. Theirs allows nets with hidden layers a little
/// more than the bound: 16 units lose up to a point in batches of 512 at twice the rate. Many
/// layers of relu overflow in full batches at rates that are well for a few images.
fn most_rehearsed(net: NetRef<'_>, batch: usize, rate: f64, by_noise: f64) -> f64 {
    let larger = (batch as f64 / LARGE_BATCH).max(1.0);
    match net.activation() {
        _ if net.depth() == 1 => by_noise * larger,
        Activation::Relu if hidden_layers(net) > DEEP => rate,
        _ => by_noise * vector::sqrt(vector::sqrt(larger)),
    }
}

/// How much darker images are than MNIST's: the quotient of the mean squared lengths, from ½
/// to 2 in steps of √2, so that a few images more or less do not move the rate.
fn darkness(train: &Subset<'_>) -> f64 {
    let images = train.indices().iter().take(MEASURED);
    let (mut sum, mut count) = (0, 0);
    for &i in images {
        let pixels = train.dataset().image(i as usize).iter();
        sum += pixels.map(|&pixel| u64::from(pixel).pow(2)).sum::<u64>();
        count += 1;
    }
    let length = sum as f64 / (f64::from(count) * 255.0 * 255.0);
    let squared = (SQUARED_LENGTH / length) * (SQUARED_LENGTH / length);
    // Half way between the powers of √2, by their squares.
    let steps = [
        (SQRT_2 / 4.0, 0.5),
        (FRAC_1_SQRT_2, FRAC_1_SQRT_2),
        (SQRT_2, 1.0),
        (2.0 * SQRT_2, SQRT_2),
    ];
    let step = steps.iter().find(|(below, _)| squared < *below);
    step.map_or(2.0, |&(_, factor)| factor)
}

/// A positive finite number, rounded to two significant digits.
fn rounded(x: f64) -> f64 {
    let (mut power, mut digits) = (0, x);
    while digits >= 100.0 {
        (power, digits) = (power + 1, digits / 10.0);
    }
    while digits < 10.0 {
        (power, digits) = (power - 1, digits * 10.0);
    }
    let digits = f64::from((digits + 0.5) as u32);
    // Powers of ten are exact up to 10²², so 6 / 100 is the number that 0.06 stands for.
    let scale = (0..i32::abs(power)).fold(1.0, |scale, _| 10.0 * scale);
    match power < 0 {
        true => digits / scale,
        false => digits * scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits() {
        let rates = [
            0.6,
            0.1,
            0.012_51,
            0.099_7,
            0.000_345_6,
            1.04,
            99.6,
            1234.0,
            0.0625,
        ];
        let expected = [0.6, 0.1, 0.013, 0.1, 0.000_35, 1.0, 100.0, 1200.0, 0.063];
        assert_eq!(rates.map(rounded), expected);
    }
}
