//! What is said at the end of a run that did not learn.

use super::Job;
use handwritten::files::KnownDataset;
use handwritten::training::diagnosis::Finding;
use handwritten::{Batch, Checkpoint, Reduction};

/// A lowest validation loss above this share of the loss of guessing is no better.
const NO_BETTER: f64 = 0.95;

/// A net with a higher validation accuracy has learnt something, whatever its loss.
const LEARNT: f64 = 0.5;

/// A weight decay from here on may be why a run went badly.
const STRONG_DECAY: f32 = 0.01;

/// Steps up to which a run is too short to judge anything else by.
const FEW: usize = 200;

/// A rate below this share of the advised one, or above so many times that rate, may be
/// why a run went badly.
const TOO_LOW: f64 = 0.2;
const TOO_HIGH: f64 = 2.5;

impl Job<'_> {
    /// The sentence about a complete run that did not learn, or learnt much less than a
    /// net without hidden layers does on the same images: what it reached, and what to
    /// try. None about other runs.
    pub(super) fn verdict(
        &self,
        run: &Checkpoint,
        findings: &[Finding],
        advised: Option<f64>,
    ) -> Option<String> {
        let best = &run.history[run.best_epoch - 1];
        let val = &self.setup.splits.val;
        let reduction = self.settings().training.reduction;
        let loss = best.val_loss * Reduction::Mean.scale(val.len()) / reduction.scale(val.len());
        let classes = self.classes.len();
        let guess = (classes as f64).ln();
        // A loss on a wrong scale says nothing, but the accuracy does.
        let said = if loss > NO_BETTER * guess && best.val_accuracy < LEARNT {
            format!(
                "the net did not learn: its lowest validation loss of {loss:.3} is no better than \
                 guessing, ln {classes} = {guess:.3}"
            )
        } else {
            let linear = linear_accuracy(self.source)?;
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
        Some(match self.advice(run, findings, advised) {
            Some(advice) => format!("{said}; {advice}"),
            None => said,
        })
    }

    /// What to try instead.
    fn advice(
        &self,
        run: &Checkpoint,
        findings: &[Finding],
        advised: Option<f64>,
    ) -> Option<String> {
        // The first is the nearest to the cause; that of guessing names none.
        let is_cause = |finding: &&Finding| !matches!(finding, Finding::Guessing { .. });
        if let Some(finding) = findings.iter().find(is_cause) {
            return Some(finding.to_string());
        }
        let (images, rate) = (self.setup.splits.train.len(), run.config.learning_rate.peak);
        let steps = match run.config.batch {
            Batch::Full => 1,
            Batch::Mini(batch) => images.div_ceil(batch),
        };
        let made = steps * run.history.len();
        let advised = advised.unwrap_or(rate);
        if rate > TOO_HIGH * advised {
            return Some(Finding::RateTooHigh { rate, advised }.to_string());
        }
        if rate < TOO_LOW * advised {
            return Some(Finding::RateTooLow { rate, advised }.to_string());
        }
        let weight_decay = run.config.optimizer.weight_decay;
        if weight_decay >= STRONG_DECAY {
            return Some(Finding::Decay { weight_decay }.to_string());
        }
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
