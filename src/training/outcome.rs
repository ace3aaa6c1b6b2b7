//! Results and errors of training runs.

use crate::compute::memory::OutOfMemoryError;
use crate::net::{Net, Tensor};
use crate::step::StrategyError;
use crate::training::config::ConfigError;
use crate::training::report::EpochReport;
use alloc::vec::Vec;
use core::fmt;

/// The result of a training run, besides the net of its last step.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The net of the epoch that [`Config::keep`] chooses: by default that of the lowest
    /// validation loss.
    ///
    /// [`Config::keep`]: crate::Config::keep
    pub best: Net,
    /// That epoch, counted from 1; 0 if an observer stopped
    /// the run in its first epoch.
    pub best_epoch: usize,
    /// The reports of all epochs.
    pub history: Vec<EpochReport>,
}

/// The error of a run whose loss is infinite or NaN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NonFiniteError {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// The first tensor, in the order of the computation, that is not finite.
    pub tensor: Tensor,
}

impl fmt::Display for NonFiniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the loss stopped being finite in epoch {}, step {}: {} overflowed first",
            self.epoch, self.step, self.tensor
        )
    }
}

impl core::error::Error for NonFiniteError {}

/// The error of a run that ends early, or does not begin.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration makes no sense.
    Config(ConfigError),
    /// The training or the validation examples are empty.
    NoExamples,
    /// A checkpoint has made more steps of its epoch than an epoch of these examples has.
    StepBeyondEpoch {
        /// The number of steps that the run has made of its epoch.
        step: usize,
        /// The number of steps of an epoch.
        steps: usize,
    },
    /// The strategy that is pinned cannot make the steps of this training.
    Strategy(StrategyError),
    /// There is not enough memory for the run.
    OutOfMemory(OutOfMemoryError),
    /// The loss is infinite or NaN.
    NonFinite(NonFiniteError),
}

impl TrainError {
    /// The error of a loss that is not finite, if this is one.
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

impl From<StrategyError> for TrainError {
    fn from(error: StrategyError) -> Self {
        Self::Strategy(error)
    }
}

impl From<OutOfMemoryError> for TrainError {
    fn from(error: OutOfMemoryError) -> Self {
        Self::OutOfMemory(error)
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
            Self::Strategy(error) => error.fmt(f),
            Self::OutOfMemory(error) => error.fmt(f),
            Self::NonFinite(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Strategy(error) => error.source(),
            Self::OutOfMemory(error) => error.source(),
            Self::NonFinite(error) => error.source(),
            Self::NoExamples | Self::StepBeyondEpoch { .. } => None,
        }
    }
}
