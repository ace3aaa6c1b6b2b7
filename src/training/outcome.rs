//! How a run ends.

use crate::net::{Net, Tensor};
use crate::training::config::ConfigError;
use crate::training::report::EpochReport;
use alloc::vec::Vec;
use core::fmt;

/// What a training run leaves, besides the net of its last step.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
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
#[non_exhaustive]
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

/// Why a run ends early, or does not begin.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration makes no sense.
    Config(ConfigError),
    /// There is no example to train or to validate on.
    NoExamples,
    /// A run goes on from the middle of an epoch that has fewer steps with these
    /// examples.
    StepBeyondEpoch {
        /// The steps that the run has made of its epoch.
        step: usize,
        /// The steps of an epoch.
        steps: usize,
    },
    /// The loss stopped being finite.
    NonFinite(NonFiniteError),
}

impl TrainError {
    /// Where the loss stopped being finite, if that is the error.
    pub fn non_finite(&self) -> Option<NonFiniteError> {
        match self {
            Self::NonFinite(error) => Some(*error),
            _ => None,
        }
    }
}

impl From<ConfigError> for TrainError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NonFiniteError> for TrainError {
    fn from(error: NonFiniteError) -> Self {
        Self::NonFinite(error)
    }
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::NoExamples => f.write_str("training on no examples"),
            Self::StepBeyondEpoch { step, steps } => {
                write!(
                    f,
                    "step {step} of {steps}: the run began with other examples"
                )
            }
            Self::NonFinite(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::NonFinite(error) => Some(error),
            Self::NoExamples | Self::StepBeyondEpoch { .. } => None,
        }
    }
}
