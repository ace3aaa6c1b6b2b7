//! What is wrong with a training run, said in a line.
//!
//! A [`Monitor`] looks at a run before its first step and after each epoch: a
//! gradient on a few hundred images, the lengths of the weights and how far
//! they moved, the slopes of the hidden units. That costs some thousandths of
//! an epoch, and changes nothing of the run. Where what it sees is not what a
//! net that learns looks like, it says what and why, each thing once.

mod memory;

use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::{NetRef, Tensor};
use crate::step::workspace::Workspace;
use crate::training::gradcheck::{Comparison, TOLERANCE, check_net};
use crate::training::{Batch, EpochReport, TrainingState};
use alloc::{vec, vec::Vec};
use core::fmt;
use core::mem::discriminant;

/// Images whose gradient and activations are looked at: one chunk.
const PROBE: usize = 256;

/// Images and parameters of each tensor of the check against central
/// differences: as few as find a wrong derivative, since each parameter takes
/// two losses in double precision.
const CHECKED_IMAGES: usize = 16;
const CHECKED_PARAMS: usize = 4;

/// A unit hardly learns from an image at which its slope is below this share of
/// the steepest. For the sigmoid that is below 0.013 and above 0.987.
const FLAT: f32 = 0.05;

/// More hidden units than that which hardly learn are too many, as long as the
/// loss is more than that share of the loss of guessing: a net that has learnt
/// may have as many.
const MOST: f64 = 0.9;
const UNLEARNT: f64 = 0.5;

/// A net that learns has less than this share of the loss of guessing after so
/// many epochs.
const NO_BETTER: f64 = 0.95;
const PATIENCE: usize = 10;

/// Weights that keep less than this of their length in an epoch shrink.
const KEPT: f64 = 0.95;

/// Weights that move by less than this share of their length in an epoch stand.
const MOVED: f64 = 1e-5;

/// What a look at a net shows.
#[derive(Clone, PartialEq, Debug)]
pub struct Indicators {
    /// The length of the gradient of the mean loss of some training images.
    pub gradient_norm: f64,
    /// Of the hidden activations of these images the share in which a sigmoid
    /// or tanh has less than a twentieth of its steepest slope.
    pub saturated: f64,
    /// The share of the hidden relu units that are 0 for each of these images.
    pub dead: f64,
    /// Of each layer.
    pub layers: Vec<LayerIndicators>,
}

/// What a look at a layer's weights shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LayerIndicators {
    /// Their length ‖W‖.
    pub norm: f64,
    /// How far they have moved since the last look, as a share of their length
    /// then.
    pub moved: f64,
}

/// Something that looks wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The gradient is that of a squared error of the logits.
    RawLogitGradient,
    /// The gradient is not that of the loss.
    WrongGradient {
        /// The output-most tensor where that is so: what is behind it is wrong
        /// because it is.
        tensor: Tensor,
        /// How far off it is, as a share of the largest derivative.
        error: f64,
    },
    /// Almost all sigmoids or tanhs are at their ends.
    Saturated {
        /// Which it is.
        activation: Activation,
        /// The share of their activations.
        share: f64,
    },
    /// Almost all relu units are 0 whatever the image.
    Dead {
        /// Their share.
        share: f64,
    },
    /// A hidden layer has too few units for the number of classes.
    Narrow {
        /// The units.
        units: usize,
        /// The classes.
        classes: usize,
    },
    /// The weights lose length that no weight decay takes from them.
    Shrinking {
        /// The share that they lost in an epoch.
        lost: f64,
    },
    /// The loss is normalised over all images at once.
    WholeMatrixSoftmax {
        /// The mean loss of an image.
        loss: f64,
        /// The classes.
        classes: usize,
    },
    /// The best net has changed although this epoch was not the best.
    AliasedBest {
        /// The epoch.
        epoch: usize,
    },
    /// The weights hardly move.
    Standing {
        /// By which share of their length, in an epoch.
        moved: f64,
    },
    /// The loss is no better than that of guessing.
    Guessing {
        /// The mean loss of an image.
        loss: f64,
        /// The epochs so far.
        epochs: usize,
        /// The classes.
        classes: usize,
    },
}

impl Finding {
    /// Its name in histories.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RawLogitGradient => "raw-logit-gradient",
            Self::WrongGradient { .. } => "wrong-gradient",
            Self::Saturated { .. } => "saturated",
            Self::Dead { .. } => "dead",
            Self::Narrow { .. } => "narrow",
            Self::Shrinking { .. } => "shrinking",
            Self::WholeMatrixSoftmax { .. } => "whole-matrix-softmax",
            Self::AliasedBest { .. } => "aliased-best",
            Self::Standing { .. } => "standing",
            Self::Guessing { .. } => "guessing",
        }
    }
}

impl fmt::Display for Finding {
    /// What looks wrong, and what to try.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RawLogitGradient => write!(
                f,
                "the gradient by the logits z is z − t, that of a squared error, while the loss is \
                 a cross-entropy: take softmax(z) − t"
            ),
            Self::WrongGradient { tensor, error } => write!(
                f,
                "the gradient by {tensor} is not that of the loss, central differences say \
                 otherwise by {:.0} %: mend the derivatives, from the loss backwards",
                100.0 * error
            ),
            Self::Saturated { activation, share } => write!(
                f,
                "{:.0} % of the hidden activations are at an end of {}, where it has no slope to \
                 learn by: draw smaller weights around 0 (Glorot's), or take a lower learning rate",
                100.0 * share,
                activation.name()
            ),
            Self::Dead { share } => write!(
                f,
                "{:.0} % of the hidden relu units are 0 for every image, so they learn nothing: \
                 draw weights around 0 (He's), or take a lower learning rate",
                100.0 * share
            ),
            Self::Narrow { units, classes } => write!(
                f,
                "{units} hidden {} too few to tell {classes} classes apart: try {classes} and more",
                if units == 1 { "unit is" } else { "units are" }
            ),
            Self::Shrinking { lost } => write!(
                f,
                "the weights lost {:.0} % of their length in an epoch and no weight decay does \
                 that: let the momentum multiply the velocity, not the weights",
                100.0 * lost
            ),
            Self::WholeMatrixSoftmax { loss, classes } => write!(
                f,
                "guessing costs ln {classes} = {:.2} an image and this loss is {loss:.2}, higher \
                 by the logarithm of the number of images: normalise the softmax over the classes \
                 of each image",
                ln(classes)
            ),
            Self::AliasedBest { epoch } => write!(
                f,
                "the net kept as the best became that of epoch {epoch}, which was not the best: \
                 keep a copy, not a reference"
            ),
            Self::Standing { moved } => write!(
                f,
                "the weights moved by {moved:.0e} of their length in an epoch: take a higher \
                 learning rate"
            ),
            Self::Guessing {
                loss,
                epochs,
                classes,
            } => write!(
                f,
                "after {epochs} epochs the loss of {loss:.3} is no better than guessing, ln \
                 {classes} = {:.3}: try another learning rate, or other first weights",
                ln(classes)
            ),
        }
    }
}

fn ln(classes: usize) -> f64 {
    (classes as f64).ln()
}

/// What a look after an epoch gave.
#[derive(Clone, PartialEq, Debug)]
pub struct Observation {
    /// What it saw.
    pub signals: Indicators,
    /// What is said about it: at most one thing an epoch, and each once.
    pub finding: Option<Finding>,
}

/// Looks at a training run, as its [`Observer`](crate::Observer) does.
#[derive(Clone, Debug)]
pub struct Monitor {
    workspace: Workspace,
    /// The parameters at the last look.
    before: Vec<f32>,
    /// The length of all weights then.
    length: f64,
    /// What has been found, and how much of it has been said.
    found: Vec<Finding>,
    said: usize,
    looks: Vec<Observation>,
}

impl Monitor {
    /// A watch that computes in this workspace, which is not that of the
    /// training but one of the same widths and rules; it needs one thread.
    pub fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            before: vec![],
            length: 0.0,
            found: vec![],
            said: 0,
            looks: vec![],
        }
    }

    /// What it has seen after each epoch.
    pub fn looks(&self) -> &[Observation] {
        &self.looks
    }

    /// Everything found so far, said or not.
    pub fn found(&self) -> &[Finding] {
        &self.found
    }

    /// Looks at a run before its first step; at one that goes on it has done so.
    pub fn start(&mut self, now: &TrainingState<'_>) {
        if !self.before.is_empty() {
            return;
        }
        self.before = now.net.params().to_vec();
        self.check_gradient(now);
        let signals = self.signals(now);
        self.length = total_length(&signals.layers);
        self.find_stuck(now.net.activation(), &signals);
        let (widths, depth) = (now.net.widths(), now.net.depth());
        let (narrowest, classes) = (widths[1..depth].iter().min(), widths[depth]);
        // Fewer units than that, at 0 or 1 each, have no pattern for each class.
        let fewest = classes.next_power_of_two().trailing_zeros() as usize;
        if let Some(&units) = narrowest.filter(|&&units| units < fewest) {
            self.find(Finding::Narrow { units, classes });
        }
    }

    /// Looks at a run after an epoch.
    ///
    /// # Panics
    /// Panics if it has not looked at the start of the run, nor remembers a run, or
    /// if nets and images do not fit its workspace.
    pub fn look(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> &Observation {
        let signals = self.signals(now);
        self.find_in_progress(epoch, now, &signals);
        // Right after an epoch that is not the best, the best is another net.
        if !epoch.is_best
            && now.best.params() == now.net.params()
            && now.net.params() != self.before
        {
            self.find(Finding::AliasedBest { epoch: epoch.epoch });
        }
        self.before.copy_from_slice(now.net.params());
        let finding = self.found.get(self.said).copied();
        self.said += usize::from(finding.is_some());
        self.looks.push(Observation { signals, finding });
        &self.looks[self.looks.len() - 1]
    }

    /// Notes a finding, unless there is one of its kind.
    fn find(&mut self, finding: Finding) {
        let is_known = |known: &Finding| discriminant(known) == discriminant(&finding);
        if !self.found.iter().any(is_known) {
            self.found.push(finding);
        }
    }

    /// Holds a few derivatives to central differences.
    fn check_gradient(&mut self, now: &TrainingState<'_>) {
        let (data, objective) = (now.train.dataset(), now.config.objective());
        let batch = first(now, CHECKED_IMAGES);
        let workspace = &mut self.workspace;
        let checked = check_net(workspace, now.net, data, batch, objective, CHECKED_PARAMS);
        // The gradient by the last biases is the sum of those by the logits.
        let (depth, params) = (now.net.depth(), now.net.params().len());
        let logits = now.net.activation_of(depth - 1, workspace.activations());
        let classes = logits.cols();
        let mut raw = vec![0.0; classes];
        for (i, &example) in batch.iter().enumerate() {
            for (sum, &z) in raw.iter_mut().zip(logits.row(i)) {
                *sum += f64::from(z);
            }
            raw[usize::from(data.label(example as usize))] -= 1.0;
        }
        let scale = objective.reduction.scale(batch.len());
        raw.iter_mut().for_each(|sum| *sum *= scale);
        let biases = &workspace.gradient()[params - classes..];
        if let Some(finding) = judge(&checked, biases, &raw) {
            self.find(finding);
        }
    }

    /// Computes what there is to see.
    fn signals(&mut self, now: &TrainingState<'_>) -> Indicators {
        let batch = first(now, PROBE);
        let (net, data, objective) = (now.net, now.train.dataset(), now.config.objective());
        self.workspace.compute_gradient(net, data, batch, objective);
        // Of the mean, so that it can be compared whatever is trained.
        let to_mean = 1.0 / (objective.reduction.scale(batch.len()) * batch.len() as f64);
        let (mut flat, mut dead, mut activations, mut units) = (0, 0, 0, 0);
        for l in 0..net.depth() - 1 {
            let a = net.activation_of(l, self.workspace.activations());
            activations += a.rows() * a.cols();
            units += a.cols();
            flat += a
                .as_slice()
                .iter()
                .filter(|&&a| is_flat(net.activation(), a))
                .count();
            if net.activation() == Activation::Relu {
                let is_dead = |&j: &usize| (0..a.rows()).all(|i| a.at(i, j) == 0.0);
                dead += (0..a.cols()).filter(is_dead).count();
            }
        }
        Indicators {
            gradient_norm: to_mean * norm(self.workspace.gradient().iter().copied()),
            saturated: share(flat, activations),
            dead: share(dead, units),
            layers: self.layer_signals(net),
        }
    }

    fn layer_signals(&self, net: NetRef<'_>) -> Vec<LayerIndicators> {
        let tensors = Tensor::parameters(net.widths());
        let weights = tensors.filter(|(tensor, _)| matches!(tensor, Tensor::Weights(_)));
        weights
            .map(|(_, range)| {
                let (now, before) = (&net.params()[range.clone()], &self.before[range]);
                let length = norm(before.iter().copied());
                let way = norm(now.iter().zip(before).map(|(now, before)| now - before));
                LayerIndicators {
                    norm: norm(now.iter().copied()),
                    moved: if way > 0.0 { way / length } else { 0.0 },
                }
            })
            .collect()
    }

    fn find_stuck(&mut self, activation: Activation, signals: &Indicators) {
        let &Indicators {
            saturated, dead, ..
        } = signals;
        if saturated > MOST {
            let share = saturated;
            self.find(Finding::Saturated { activation, share });
        }
        if dead > MOST {
            self.find(Finding::Dead { share: dead });
        }
    }

    fn find_in_progress(
        &mut self,
        epoch: &EpochReport,
        now: &TrainingState<'_>,
        signals: &Indicators,
    ) {
        let (images, classes) = (now.train.len(), now.net.widths()[now.net.depth()]);
        // Of the mean, whatever is trained.
        let loss = epoch.train_loss / (now.config.reduction.scale(images) * images as f64);
        let guess = ln(classes);
        if loss > UNLEARNT * guess {
            self.find_stuck(now.net.activation(), signals);
        }
        let (batch, steps) = match now.config.batch {
            Batch::Full => (images, 1),
            Batch::Mini(batch) => (batch.min(images), images.div_ceil(batch)),
        };
        let excess = loss - guess - ln(batch);
        if epoch.epoch == 1 && batch > classes && excess.abs() < 0.5 * guess {
            self.find(Finding::WholeMatrixSoftmax { loss, classes });
        }

        // A step with weight decay λ takes a share η·λ of each weight, which the
        // velocity repeats 1 / (1 − μ) times.
        let (rate, rule) = (now.config.learning_rate.peak, now.config.optimizer);
        let decay = rate * f64::from(rule.weight_decay / (1.0 - rule.momentum));
        let length = total_length(&signals.layers);
        let kept = length / self.length;
        if kept < KEPT * (-decay * steps as f64).exp() {
            self.find(Finding::Shrinking { lost: 1.0 - kept });
        }
        self.length = length;

        let moved = signals
            .layers
            .iter()
            .map(|layer| layer.moved)
            .fold(0.0, f64::max);
        if moved < MOVED && loss > NO_BETTER * guess {
            self.find(Finding::Standing { moved });
        }
        if epoch.epoch >= PATIENCE && loss > NO_BETTER * guess {
            let epochs = epoch.epoch;
            self.find(Finding::Guessing {
                loss,
                epochs,
                classes,
            });
        }
    }
}

/// What a gradient that has been checked shows: `biases` is its part by the
/// last biases, and `raw` what that would be without a softmax.
fn judge(checked: &[(Tensor, Comparison)], biases: &[f32], raw: &[f64]) -> Option<Finding> {
    let mut wrong = checked
        .iter()
        .rev()
        .filter(|(_, found)| found.error > TOLERANCE);
    let &(tensor, Comparison { error, .. }) = wrong.next()?;
    let longest = raw.iter().fold(0.0, |longest: f64, x| longest.max(x.abs()));
    let is_near = |(&db, raw): (&f32, &f64)| (f64::from(db) - raw).abs() <= TOLERANCE * longest;
    if biases.iter().zip(raw).all(is_near) {
        return Some(Finding::RawLogitGradient);
    }
    Some(Finding::WrongGradient { tensor, error })
}

/// The first images that a run learns from.
fn first<'a>(now: &TrainingState<'a>, count: usize) -> &'a [u32] {
    let indices = now.train.indices();
    &indices[..indices.len().min(count)]
}

/// Whether σ has next to no slope where it is `a`. Relu has none at 0, and full
/// slope elsewhere: for an image that is nothing to worry about.
fn is_flat(activation: Activation, a: f32) -> bool {
    match activation {
        // The steepest slopes are 1/4 and 1.
        Activation::Sigmoid => 4.0 * a * (1.0 - a) < FLAT,
        Activation::Tanh => 1.0 - a * a < FLAT,
        Activation::Relu => false,
    }
}

/// The length of the weights of all layers.
fn total_length(layers: &[LayerIndicators]) -> f64 {
    vector::sqrt(layers.iter().map(|layer| layer.norm * layer.norm).sum())
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The Euclidean length of a vector.
fn norm(xs: impl Iterator<Item = f32>) -> f64 {
    let squares = xs.map(|x| f64::from(x) * f64::from(x));
    vector::sqrt(squares.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off_by(error: f64) -> Comparison {
        Comparison {
            checked: 1,
            largest: 1.0,
            error,
            worst: 0,
            analytic: 1.0,
            numeric: 1.0 - error,
        }
    }

    #[test]
    fn a_wrong_gradient_is_named_after_the_tensor_next_to_the_loss() {
        let [weights, biases] = [Tensor::Weights(1), Tensor::Biases(1)];
        let found = |errors: [f64; 2], raw| {
            let checked = [(weights, off_by(errors[0])), (biases, off_by(errors[1]))];
            judge(&checked, &[0.5, -0.5], raw)
        };
        let elsewhere = &[0.1, -0.1];
        assert_eq!(found([1e-5, 1e-5], elsewhere), None);
        let wrong = |tensor, error| Some(Finding::WrongGradient { tensor, error });
        assert_eq!(found([0.3, 1e-5], elsewhere), wrong(weights, 0.3));
        assert_eq!(found([0.3, 0.2], elsewhere), wrong(biases, 0.2));
        assert_eq!(
            found([0.0, f64::INFINITY], elsewhere),
            wrong(biases, f64::INFINITY)
        );
        // That of a squared error, but for rounding.
        assert_eq!(
            found([0.3, 0.2], &[0.501, -0.5]),
            Some(Finding::RawLogitGradient)
        );
        assert_eq!(found([1e-5, 1e-5], &[0.5, -0.5]), None);
    }

    #[test]
    fn flat_is_where_next_to_nothing_of_the_slope_is_left() {
        let flat = |activation, a: &[f32]| a.iter().filter(|&&a| is_flat(activation, a)).count();
        assert_eq!(
            flat(
                Activation::Sigmoid,
                &[0.0, 0.01, 0.02, 0.5, 0.98, 0.99, 1.0]
            ),
            4
        );
        assert_eq!(
            flat(
                Activation::Tanh,
                &[-1.0, -0.98, -0.97, 0.0, 0.97, 0.98, 1.0]
            ),
            4
        );
        assert_eq!(flat(Activation::Relu, &[0.0, 1e9]), 0);
    }
}
