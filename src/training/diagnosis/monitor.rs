//! Looking at a run as it goes on.

use crate::net::Tensor;
use crate::net::activation::Activation;
use crate::step::workspace::Workspace;
use crate::training::config::Batch;
use crate::training::diagnosis::finding::{Finding, ln};
use crate::training::diagnosis::indicators::{Indicators, first, total_length};
use crate::training::gradcheck::{Comparison, TOLERANCE, check_net};
use crate::training::observer::TrainingState;
use crate::training::report::EpochReport;
use alloc::{vec, vec::Vec};
use core::fmt;
use core::mem::discriminant;

/// Images and parameters of each tensor of the check against central
/// differences: as few as find a wrong derivative, since each parameter takes
/// two losses in double precision.
const CHECKED_IMAGES: usize = 16;
const CHECKED_PARAMS: usize = 4;

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

/// What a look after an epoch gave.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Observation {
    /// What it saw.
    pub indicators: Indicators,
    /// What is said about it: at most one thing an epoch, and each once.
    pub finding: Option<Finding>,
}

/// Looks at a training run, as its [`Observer`](crate::Observer) does.
#[derive(Clone)]
pub struct Monitor {
    pub(super) workspace: Workspace,
    /// The parameters at the last look.
    pub(super) before: Vec<f32>,
    /// The length of all weights then.
    pub(super) length: f64,
    /// What has been found, and how much of it has been said.
    pub(super) found: Vec<Finding>,
    pub(super) said: usize,
    pub(super) observations: Vec<Observation>,
}

impl fmt::Debug for Monitor {
    /// What has been found, without the parameters that are compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("workspace", &self.workspace)
            .field("findings", &self.found)
            .field("observations", &self.observations.len())
            .finish_non_exhaustive()
    }
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
            observations: vec![],
        }
    }

    /// What it has seen after each epoch.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// Everything found so far, said or not.
    pub fn findings(&self) -> &[Finding] {
        &self.found
    }

    /// Looks at a run before its first step; at one that goes on it has done so.
    pub fn start(&mut self, now: &TrainingState<'_>) {
        if !self.before.is_empty() {
            return;
        }
        self.before = now.net.params().to_vec();
        self.check_gradient(now);
        let indicators = Indicators::measure(&mut self.workspace, now, &self.before);
        self.length = total_length(&indicators.layers);
        self.find_stuck(now.net.activation(), &indicators);
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
        let finding = self.found.get(self.said).copied();
        self.said += usize::from(finding.is_some());
        self.observations.push(Observation {
            indicators,
            finding,
        });
        &self.observations[self.observations.len() - 1]
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
        // Of the mean, whatever is trained.
        let loss = epoch.train_loss / (now.config.reduction.scale(images) * images as f64);
        let guess = ln(classes);
        if loss > UNLEARNT * guess {
            self.find_stuck(now.net.activation(), indicators);
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
        let length = total_length(&indicators.layers);
        let kept = length / self.length;
        if kept < KEPT * (-decay * steps as f64).exp() {
            self.find(Finding::Shrinking { lost: 1.0 - kept });
        }
        self.length = length;

        let moved = indicators
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
