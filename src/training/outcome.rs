//! How a run ends.

use crate::net::{Net, Tensor};
use crate::training::report::EpochReport;
use alloc::vec::Vec;
use core::fmt;

/// What a training run leaves, besides the net of its last step.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// A copy of the net as it was when the validation loss was lowest.
    pub best: Net,
    /// The epoch after which that was, counted from 1; 0 if an observer has
    /// stopped the run in its first epoch.
    pub best_epoch: usize,
    /// All epochs.
    pub history: Vec<EpochReport>,
}

/// The loss stopped being finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NonFiniteError {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Where in the computation it shows first.
    pub tensor: Tensor,
}

impl fmt::Display for NonFiniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the loss stopped being finite in epoch {}, step {}: {} overflowed first; a lower learning rate may help",
            self.epoch, self.step, self.tensor
        )
    }
}

impl core::error::Error for NonFiniteError {}
