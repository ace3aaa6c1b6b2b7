//! Which epoch's net a run keeps.

use crate::compute::names::named;
use crate::training::report::EpochReport;

/// The rule that chooses the epoch whose net is kept ([`Checkpoint::best`]).
///
/// [`Checkpoint::best`]: crate::Checkpoint::best
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Keep {
    /// The epoch of the lowest validation loss, the first of equal ones.
    #[default]
    LowestLoss,
    /// The epoch of the highest validation accuracy; of equal ones that of the lowest
    /// validation loss, and then the first.
    HighestAccuracy,
    /// The last epoch, whatever its validation says.
    Last,
}

named! {
    Keep, "rule to keep an epoch":
    LowestLoss = "lowest-loss",
    HighestAccuracy = "highest-accuracy",
    Last = "last",
}

impl Keep {
    /// Whether the net after `epoch` is kept instead of that after `kept`, an earlier one.
    pub(super) fn prefers(self, epoch: &EpochReport, kept: &EpochReport) -> bool {
        let is_lower = epoch.val_loss < kept.val_loss;
        match self {
            Self::LowestLoss => is_lower,
            Self::HighestAccuracy => {
                let (accuracy, before) = (epoch.val_accuracy, kept.val_accuracy);
                accuracy > before || (accuracy == before && is_lower)
            }
            Self::Last => true,
        }
    }

    /// The rule of patience: that of a run that keeps the last epoch is the lowest loss.
    pub(super) fn of_patience(self) -> Self {
        match self {
            Self::Last => Self::LowestLoss,
            rule => rule,
        }
    }
}
