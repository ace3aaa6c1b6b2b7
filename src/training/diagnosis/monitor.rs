//! The monitor, which examines a run as it goes on.

use crate::compute::vector;
use crate::data::Normalisation;
use crate::net::Tensor;
use crate::net::activation::Activation;
use crate::step::workspace::Workspace;
use crate::training::config::Batch;
use crate::training::diagnosis::finding::{Finding, ln};
use crate::training::diagnosis::indicators::{Indicators, first, total_length};
use crate::training::gradcheck::{Comparison, TOLERANCE, check_net};
use crate::training::observer::TrainingState;
use crate::training::rate::choose_rate;
use crate::training::report::EpochReport;
use alloc::{vec, vec::Vec};
use core::fmt;
use core::mem::discriminant;

/// The number of images, and of parameters of each tensor, of the check against central
/// differences: as few as find a wrong derivative, since each parameter takes two losses
/// in double precision.
const CHECKED_IMAGES: usize = 16;
const CHECKED_PARAMS: usize = 4;

/// A share of saturated or dead units above [`MOST`] is a finding while the loss is above
/// [`UNLEARNT`] times the loss of guessing: a net that has learnt may have as many.
const MOST: f64 = 0.9;
const UNLEARNT: f64 = 0.5;

/// A loss above [`NO_BETTER`] times the loss of guessing after [`PATIENCE`] epochs, or
/// after [`MANY`] steps, is a finding.
const NO_BETTER: f64 = 0.95;
const PATIENCE: usize = 10;
const MANY: usize = 2000;

/// Steps after which the loss of a net that learns is below [`UNLEARNT`] times that of
/// guessing.
const SOME: usize = 100;

/// A loss that many times that of guessing is that of steps which overshoot, even after a
/// few of them.
const WORSE: f64 = 2.0;

/// A rate above so many times the advised one is a cause of a run that does not learn, and
/// one below so small a part of it as well.
const TOO_HIGH: f64 = 2.5;
const TOO_LOW: f64 = 0.1;

/// A weight decay from here on is a cause of a run that does not learn.
const STRONG_DECAY: f32 = 0.01;

/// A gradient of the first weights below this share of that of the last ones vanishes.
const VANISHING: f64 = 1e-3;

/// Label smoothing from here on leaves a loss that looks like guessing.
const SMOOTH: f32 = 0.5;

/// Weights whose norm falls below this share in an epoch shrink.
const KEPT: f64 = 0.95;

/// Weights that move by less than this share of their norm in an epoch stand still.
const MOVED: f64 = 1e-5;

/// The measurements after an epoch, and the finding that is reported with them.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Observation {
    /// The measurements.
    pub indicators: Indicators,
    /// The finding that is reported after this epoch: at most one, and each once a run.
    pub finding: Option<Finding>,
}

/// Examines a training run. An [`Observer`] calls [`Monitor::start`] and
/// [`Monitor::observe`].
///
/// [`Observer`]: crate::training::Observer
#[derive(Clone)]
pub struct Monitor {
    pub(super) workspace: Workspace,
    /// The parameters at the last measurement.
    pub(super) before: Vec<f32>,
    /// The norm of all weights then.
    pub(super) length: f64,
    /// All findings, and how many of them have been reported.
    pub(super) found: Vec<Finding>,
    pub(super) reported: usize,
    pub(super) observations: Vec<Observation>,
    /// `None` before the start, and in runs that an older version began.
    pub(super) start: Option<Start>,
}

/// What is seen before the first step, and may explain later what went wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Start {
    /// The learning rate of [`choose_rate`].
    pub(super) advised: f64,
    /// The root mean square of the gradient of the first weights, relative to that of the
    /// last weights.
    pub(super) reach: f64,
    /// The normalisation that the pixels need.
    pub(super) needed: Normalisation,
}

impl fmt::Debug for Monitor {
    /// The findings, without the parameters that are compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("workspace", &self.workspace)
            .field("findings", &self.found)
            .field("observations", &self.observations.len())
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor that computes in `workspace`: one of its own, for nets of the run's
    /// widths. One thread is enough.
    pub fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            before: vec![],
            length: 0.0,
            found: vec![],
            reported: 0,
            observations: vec![],
            start: None,
        }
    }

    /// The observations so far, one for each epoch.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The findings so far, reported or not.
    pub fn findings(&self) -> &[Finding] {
        &self.found
    }

    /// The learning rate that [`choose_rate`] would have taken; `None` before the start,
    /// and in runs that an older version began.
    pub fn advised_rate(&self) -> Option<f64> {
        self.start.map(|start| start.advised)
    }

    /// Examines a run before its first step: checks the gradient and the initial weights.
    /// Does nothing if it has done so, or if its memory was restored.
    pub fn start(&mut self, now: &TrainingState<'_>) {
        if !self.before.is_empty() {
            return;
        }
        self.before = now.net.params().to_vec();
        self.check_gradient(now);
        let indicators = Indicators::measure(&mut self.workspace, now, &self.before);
        self.length = total_length(&indicators.layers);
        self.find_stuck(now.net.activation(), &indicators);
        let reach = reach(now.net.widths(), self.workspace.gradient());
        let advised = choose_rate(now.net, now.train, now.config, &mut self.workspace).rate;
        self.start = Some(Start {
            advised,
            reach,
            needed: Normalisation::of(now.train.dataset()),
        });
        let (widths, depth) = (now.net.widths(), now.net.depth());
        let (narrowest, classes) = (widths[1..depth].iter().min(), widths[depth]);
        // Fewer binary units than that have no pattern for each class.
        let fewest = classes.next_power_of_two().trailing_zeros() as usize;
        if let Some(&units) = narrowest.filter(|&&units| units < fewest) {
            self.find(Finding::Narrow { units, classes });
        }
    }

    /// Examines a run after an epoch.
    ///
    /// # Panics
    /// Panics if neither [`Monitor::start`] nor [`Monitor::restore`] was called before, or
    /// if nets and images do not fit its workspace.
    pub fn observe(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> &Observation {
        let indicators = Indicators::measure(&mut self.workspace, now, &self.before);
        self.find_in_progress(epoch, now, &indicators);
        // Right after an epoch that is not the best, the best is another net.
        if !epoch.is_best
            && now.best.params() == now.net.params()
            && now.net.params() != self.before
        {
            self.find(Finding::AliasedBest { epoch: epoch.epoch });
        }
        self.before.copy_from_slice(now.net.params());
        let finding = self.found.get(self.reported).copied();
        self.reported += usize::from(finding.is_some());
        self.observations.push(Observation {
            indicators,
            finding,
        });
        &self.observations[self.observations.len() - 1]
    }

    /// Adds a finding, unless there is one of its kind.
    fn find(&mut self, finding: Finding) {
        let is_known = |known: &Finding| discriminant(known) == discriminant(&finding);
        if !self.found.iter().any(is_known) {
            self.found.push(finding);
        }
    }

    /// Compares a few derivatives with central differences.
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

    fn find_stuck(&mut self, activation: Activation, indicators: &Indicators) {
        let &Indicators {
            saturated, dead, ..
        } = indicators;
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
        indicators: &Indicators,
    ) {
        let (images, classes) = (now.train.len(), now.net.widths()[now.net.depth()]);
        // Scaled to the mean loss, so that sum and mean can be compared.
        let loss = epoch.train_loss / (now.config.reduction.scale(images) * images as f64);
        let guess = ln(classes);
        let (batch, steps) = match now.config.batch {
            Batch::Full => (images, 1),
            Batch::Mini(batch) => (batch.min(images), images.div_ceil(batch)),
        };
        let excess = loss - guess - ln(batch);
        if epoch.epoch == 1 && batch > classes && excess.abs() < 0.5 * guess {
            self.find(Finding::WholeMatrixSoftmax { loss, classes });
        }

        let made = epoch.epoch * steps;
        if loss > WORSE * guess || (made >= SOME && loss > UNLEARNT * guess) {
            self.find_settings(now);
        }
        if self.is_explained() {
            self.length = total_length(&indicators.layers);
            return;
        }
        if loss > UNLEARNT * guess {
            self.find_stuck(now.net.activation(), indicators);
        }
        self.find_shrinking(now, indicators, steps);
        if loss > NO_BETTER * guess {
            let long = epoch.epoch >= PATIENCE || made >= MANY;
            self.find_standstill(now, indicators, long.then_some((loss, epoch.epoch)));
        }
    }

    /// Finds settings that keep any net from learning: of pixels, rate and decay. To be
    /// called of a run that does not learn.
    fn find_settings(&mut self, now: &TrainingState<'_>) {
        let Some(Start {
            advised, needed, ..
        }) = self.start
        else {
            return;
        };
        let (rate, rule) = (now.config.learning_rate.peak, now.config.optimizer);
        if needed != Normalisation::RAW {
            self.find(Finding::Pixels { needed });
        }
        if rate > TOO_HIGH * advised {
            self.find(Finding::RateTooHigh { rate, advised });
        }
        if rule.weight_decay >= STRONG_DECAY {
            let weight_decay = rule.weight_decay;
            self.find(Finding::Decay { weight_decay });
        }
    }

    /// Whether settings explain that the run does not learn, so that no other cause needs
    /// to be looked for.
    fn is_explained(&self) -> bool {
        let is_setting = |found: &Finding| {
            matches!(
                found,
                Finding::Pixels { .. } | Finding::RateTooHigh { .. } | Finding::Decay { .. }
            )
        };
        self.found.iter().any(is_setting)
    }

    /// Finds weights that shrink faster than weight decay explains.
    fn find_shrinking(&mut self, now: &TrainingState<'_>, indicators: &Indicators, steps: usize) {
        // A step with weight decay λ takes a share η·λ of each weight, which the
        // velocity repeats 1 / (1 − μ) times.
        let (rate, rule) = (now.config.learning_rate.peak, now.config.optimizer);
        let decay = rate * f64::from(rule.weight_decay / (1.0 - rule.momentum));
        let length = total_length(&indicators.layers);
        let kept = length / self.length;
        if kept < KEPT * (-decay * steps as f64).exp() {
            self.find(Finding::Shrinking { lost: 1.0 - kept });
        }
        self.length = length;
    }

    /// Finds why the loss is no better than guessing: weights that hardly move, and after
    /// a long time, of which loss and number of epochs are given, whatever else it may be.
    fn find_standstill(
        &mut self,
        now: &TrainingState<'_>,
        indicators: &Indicators,
        long: Option<(f64, usize)>,
    ) {
        let moved = indicators
            .layers
            .iter()
            .map(|layer| layer.moved)
            .fold(0.0, f64::max);
        if moved < MOVED {
            self.find(Finding::Standing { moved });
        }
        let Some((loss, epochs)) = long else { return };
        let rate = now.config.learning_rate.peak;
        match self.start {
            Some(Start { reach, .. }) if reach < VANISHING => {
                self.find(Finding::Vanishing { share: reach });
            }
            Some(Start { advised, .. }) if rate < TOO_LOW * advised => {
                self.find(Finding::RateTooLow { rate, advised });
            }
            _ if now.config.label_smoothing >= SMOOTH => {}
            _ => {
                let classes = now.net.widths()[now.net.depth()];
                self.find(Finding::Guessing {
                    loss,
                    epochs,
                    classes,
                });
            }
        }
    }
}

/// The root mean square of the gradient of the first weights, relative to that of the last
/// weights; 1 where both are 0.
fn reach(widths: &[usize], gradient: &[f32]) -> f64 {
    let tensors = Tensor::parameters(widths);
    let weights = tensors.filter(|(tensor, _)| matches!(tensor, Tensor::Weights(_)));
    let mut sizes = weights.map(|(_, range)| {
        let count = range.len() as f64;
        let squares = gradient[range].iter().map(|&g| f64::from(g) * f64::from(g));
        vector::sqrt(squares.sum::<f64>() / count)
    });
    let first = sizes.next().unwrap_or(0.0);
    let last = sizes.last().unwrap_or(first);
    if last > 0.0 { first / last } else { 1.0 }
}

/// The finding of a gradient that has been checked: `biases` is the gradient by the last
/// biases, and `raw` what that would be without the softmax.
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
}
