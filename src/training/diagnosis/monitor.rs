//! The monitor, which examines a run as it goes on.

use crate::data::Normalisation;
use crate::net::Tensor;
use crate::step::workspace::Workspace;
use crate::training::diagnosis::finding::Finding;
use crate::training::diagnosis::indicators::{Indicators, first, reach, total_length};
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
    /// The learning rate of [`choose_rate`] for the run, if it is known before the start.
    chosen: Option<f64>,
    /// `None` before the start, and in runs that an older version began.
    pub(super) start: Option<Start>,
}

/// Measurements before the first step, which may explain later why a net did not learn.
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
            chosen: None,
            start: None,
        }
    }

    /// Tells the learning rate of [`choose_rate`] for the run, which the start otherwise
    /// measures itself.
    #[must_use]
    pub fn with_chosen_rate(self, rate: Option<f64>) -> Self {
        Self {
            chosen: rate,
            ..self
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
        let advised = self.chosen.unwrap_or_else(|| {
            choose_rate(now.net, now.train, now.config, &mut self.workspace).rate
        });
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
        self.length = total_length(&indicators.layers);
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
    pub(super) fn find(&mut self, finding: Finding) {
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
