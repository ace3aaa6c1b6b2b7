//! The warning at the end of a run that did not learn.

use super::Job;
use handwritten::files::KnownDataset;
use handwritten::training::diagnosis::{Monitor, is_guessing};
use handwritten::{Checkpoint, Reduction};

/// Steps up to which a run is too short to judge anything else by.
const FEW: usize = 200;

impl Job<'_> {
    /// The sentence about a complete run that did not learn, or learnt much less than a
    /// net without hidden layers does on the same images: what it reached, and what to
    /// try. None about other runs.
    pub(super) fn verdict(&self, run: &Checkpoint, monitor: &Monitor) -> Option<String> {
        let best = &run.history[run.best_epoch - 1];
        let val = &self.setup.splits.val;
        let reduction = self.settings().training.reduction;
        let loss = best.val_loss * Reduction::Mean.scale(val.len()) / reduction.scale(val.len());
        let classes = self.classes.len();
        let said = if is_guessing(loss, classes, best.val_accuracy) {
            let guess = (classes as f64).ln();
            format!(
                "the net did not learn: its validation loss of {loss:.3} is no better than \
                 guessing, ln {classes} = {guess:.3}"
            )
        } else {
            let linear = linear_accuracy(self.corpus.source)?;
            if best.val_accuracy >= linear {
                return None;
            }
            format!(
                "the net learnt little: it classifies {:.1} % of the validation images, and a net \
                 without hidden layers more than {:.0} %",
                100.0 * best.val_accuracy,
                100.0 * linear
            )
        };
        Some(match self.advice(run, monitor) {
            Some(advice) => format!("{said}; {advice}"),
            None => said,
        })
    }

    /// A setting to try instead.
    fn advice(&self, run: &Checkpoint, monitor: &Monitor) -> Option<String> {
        if let Some(cause) = monitor.likely_cause(&run.config) {
            return Some(cause.to_string());
        }
        let images = self.setup.splits.train.len();
        let made = run.config.batch.steps(images) * run.history.len();
        (made < FEW).then(|| {
            format!("{made} steps are few: train for more epochs, or take smaller mini-batches")
        })
    }
}

/// The share of the validation images that a net without hidden layers exceeds with ease,
/// on the data sets for which it is known.
fn linear_accuracy(source: KnownDataset) -> Option<f64> {
    match source {
        KnownDataset::Mnist => Some(0.88),
        KnownDataset::FashionMnist => Some(0.78),
        _ => None,
    }
}
