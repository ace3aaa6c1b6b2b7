//! Configurations of training runs.

use crate::data::{Distortion, DistortionError};
use crate::net::defects::{Defects, Objective};
use crate::net::loss::Reduction;
use crate::net::optimizer::Momentum;
use crate::net::schedule::{LearningRate, Schedule};
use crate::training::average::Average;
use crate::training::keep::Keep;
use core::fmt;

/// The number of examples of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Batch {
    /// All examples: one step an epoch.
    Full,
    /// A mini-batch of so many examples, at least 1, drawn in a new order each epoch;
    /// the last one of an epoch has what is left.
    Mini(usize),
}

impl Batch {
    /// The number of examples of a step of a run on `examples` examples.
    pub fn len_of(self, examples: usize) -> usize {
        match self {
            Self::Full => examples,
            Self::Mini(batch) => batch.min(examples),
        }
    }

    /// The number of steps of an epoch of `examples` examples.
    ///
    /// # Panics
    /// Panics if a mini-batch has no example.
    pub fn steps(self, examples: usize) -> usize {
        match self {
            Self::Full => 1,
            Self::Mini(batch) => examples.div_ceil(batch),
        }
    }
}

/// The configuration of a training run.
///
/// The default trains a sigmoid net of 128 hidden units on MNIST to more than 98 %.
///
/// ```
/// use handwritten::{Batch, Config, Schedule};
///
/// let config = Config::default()
///     .with_epochs(5)
///     .with_batch(Batch::Mini(32))
///     .with_learning_rate(0.1, Schedule::Cosine);
/// assert!(config.validate().is_ok());
/// assert!(config.with_epochs(0).validate().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Passes over the training examples, at least 1.
    pub epochs: usize,
    /// The examples of a step.
    pub batch: Batch,
    /// The learning rate of each step.
    pub learning_rate: LearningRate,
    /// The optimiser.
    pub optimizer: Momentum,
    /// The reduction over the examples of a step, of gradients and reported losses.
    pub reduction: Reduction,
    /// The label smoothing ε of training ([`LossTarget`]), from 0 to below 1.
    /// Reported losses are without it, as they are without weight decay.
    ///
    /// [`LossTarget`]: crate::net::loss::LossTarget
    pub label_smoothing: f32,
    /// The probability with which each hidden unit is left out of each example, from 0 to 0.99,
    /// rounded to a multiple of 1/256 ([`Dropout`]). The nets that are validated and kept have
    /// their weights scaled for it.
    ///
    /// [`Dropout`]: crate::net::dropout::Dropout
    pub dropout: f32,
    /// The random distortions of the training images; `None` for the images as they are.
    pub distortion: Option<Distortion>,
    /// Mistakes to make on purpose, to show what they do; none by default.
    pub defects: Defects,
    /// The epoch whose net is kept; by default that of the lowest validation loss.
    pub keep: Keep,
    /// The average of the parameters that is validated and kept instead of the net in
    /// training; none by default.
    pub average: Option<Average>,
    /// The number of epochs after which a run stops that have not been better on the
    /// validation examples, at least 1; `None` for no such stop. Better is a higher accuracy
    /// (or the same with a lower loss) where [`Keep::HighestAccuracy`] keeps the epoch, and a
    /// lower loss otherwise.
    pub patience: Option<usize>,
    /// The seed of the order of the examples ([`Stream::Shuffle`]).
    ///
    /// [`Stream::Shuffle`]: crate::compute::rng::Stream::Shuffle
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: Batch::Mini(64),
            learning_rate: LearningRate {
                peak: 0.4,
                schedule: Schedule::Cosine,
                warmup_epochs: 0,
            },
            optimizer: Momentum {
                momentum: 0.9,
                nesterov: false,
                weight_decay: 3e-5,
            },
            reduction: Reduction::Mean,
            label_smoothing: 0.0,
            dropout: 0.0,
            distortion: None,
            defects: Defects::NONE,
            keep: Keep::LowestLoss,
            average: None,
            patience: None,
            seed: 1,
        }
    }
}

impl Config {
    /// Sets the number of epochs.
    #[must_use]
    pub const fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the number of examples of a step.
    #[must_use]
    pub const fn with_batch(mut self, batch: Batch) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the peak of the learning rate and how it changes from there, without
    /// warm-up.
    #[must_use]
    pub const fn with_learning_rate(mut self, peak: f64, schedule: Schedule) -> Self {
        self.learning_rate = LearningRate::new(peak, schedule);
        self
    }

    /// Sets the momentum μ.
    #[must_use]
    pub const fn with_momentum(mut self, momentum: f32) -> Self {
        self.optimizer.momentum = momentum;
        self
    }

    /// Sets the L2 weight decay λ.
    #[must_use]
    pub const fn with_weight_decay(mut self, weight_decay: f32) -> Self {
        self.optimizer.weight_decay = weight_decay;
        self
    }

    /// Sets the reduction of losses and gradients.
    #[must_use]
    pub const fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Sets the label smoothing ε.
    #[must_use]
    pub const fn with_label_smoothing(mut self, smoothing: f32) -> Self {
        self.label_smoothing = smoothing;
        self
    }

    /// Sets the epoch whose net is kept.
    #[must_use]
    pub const fn with_keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the average that is validated and kept.
    #[must_use]
    pub const fn with_average(mut self, average: Average) -> Self {
        self.average = Some(average);
        self
    }

    /// Sets the probability with which hidden units are left out.
    #[must_use]
    pub const fn with_dropout(mut self, probability: f32) -> Self {
        self.dropout = probability;
        self
    }

    /// Sets the random distortions of the training images.
    #[must_use]
    pub const fn with_distortion(mut self, distortion: Distortion) -> Self {
        self.distortion = Some(distortion);
        self
    }

    /// Sets the number of epochs without a better one after which a run stops.
    #[must_use]
    pub const fn with_patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// Sets the seed of the order of the examples.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the mistakes to make on purpose.
    #[must_use]
    pub const fn with_defects(mut self, defects: Defects) -> Self {
        self.defects = defects;
        self
    }

    /// The rule to keep an epoch that suits the configuration, whatever [`Config::keep`] is:
    /// the lowest loss where no target is smoothed.
    ///
    /// Under label smoothing the lowest loss comes long before the highest accuracy, so it
    /// chooses the wrong epoch: there it is the last one if the learning rate falls to zero
    /// and no patience ends the run before, and else that of the highest accuracy.
    pub fn suited_keep(&self) -> Keep {
        let falls_to_zero = matches!(
            self.learning_rate.schedule,
            Schedule::Cosine | Schedule::Linear { .. }
        );
        match (self.label_smoothing > 0.0, falls_to_zero) {
            (false, _) => Keep::LowestLoss,
            (true, true) if self.patience.is_none() => Keep::Last,
            (true, _) => Keep::HighestAccuracy,
        }
    }

    /// The loss that training minimises and reports.
    pub fn objective(&self) -> Objective {
        Objective {
            reduction: self.reduction,
            defects: self.defects,
        }
    }

    /// Checks that every number is in its range, as [`train`] does.
    ///
    /// # Errors
    /// The first number that is out of range: no epochs, an empty mini-batch, a peak of
    /// the learning rate that is not a finite number above 0, a schedule with steps of no
    /// epochs or without a fall, a label smoothing outside 0 to below 1, an average with a
    /// decay outside 0 to 1 or of no epochs, a patience of no epochs, a dropout, a distortion that
    /// [`Distortion::validate`] refuses.
    ///
    /// [`train`]: crate::training::train()
    pub fn validate(&self) -> Result<(), ConfigError> {
        let LearningRate { peak, schedule, .. } = self.learning_rate;
        let has_course = match schedule {
            Schedule::Constant | Schedule::Cosine => true,
            Schedule::Step { epochs, .. } => epochs > 0,
            Schedule::Linear { hold } => (0.0..1.0).contains(&hold),
        };
        let smoothing = self.label_smoothing;
        let demands = [
            (self.epochs > 0, ConfigError::NoEpochs),
            (self.batch != Batch::Mini(0), ConfigError::EmptyBatch),
            (
                peak.is_finite() && peak > 0.0,
                ConfigError::LearningRate { peak },
            ),
            (has_course, ConfigError::Schedule { schedule }),
            (
                (0.0..1.0).contains(&smoothing),
                ConfigError::LabelSmoothing { smoothing },
            ),
            (self.patience != Some(0), ConfigError::NoPatience),
            (
                (0.0..=0.99).contains(&self.dropout),
                ConfigError::Dropout {
                    probability: self.dropout,
                },
            ),
            (
                self.average.is_none_or(Average::is_valid),
                ConfigError::Average {
                    average: self.average.unwrap_or(Average::LastEpochs(1)),
                },
            ),
        ];
        let broken = demands.into_iter().find(|(is_met, _)| !is_met);
        broken.map_or(Ok(()), |(_, error)| Err(error))?;
        let distortion = self.distortion.unwrap_or(Distortion::NONE);
        distortion.validate().map_err(ConfigError::Distortion)
    }
}

/// The error of a [`Config`]: the first number that is out of range.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// [`Config::epochs`] is 0.
    NoEpochs,
    /// [`Config::batch`] is [`Batch::Mini`] of 0 examples.
    EmptyBatch,
    /// [`LearningRate::peak`] is not a finite number above 0.
    LearningRate {
        /// The peak of the configuration.
        peak: f64,
    },
    /// [`LearningRate::schedule`] has steps of 0 epochs, or holds the rate for a share
    /// that is not from 0 to below 1.
    Schedule {
        /// The schedule of the configuration.
        schedule: Schedule,
    },
    /// [`Config::label_smoothing`] is not from 0 to below 1.
    LabelSmoothing {
        /// The label smoothing of the configuration.
        smoothing: f32,
    },
    /// [`Config::patience`] is 0.
    NoPatience,
    /// [`Config::average`] has a decay that is not above 0 and below 1, or no epochs.
    Average {
        /// The average of the configuration.
        average: Average,
    },
    /// [`Config::dropout`] is not from 0 to 0.99.
    Dropout {
        /// The dropout of the configuration.
        probability: f32,
    },
    /// [`Config::distortion`] has a number out of range.
    Distortion(DistortionError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEpochs => f.write_str("training for no epochs"),
            Self::EmptyBatch => f.write_str("mini-batches of no examples"),
            Self::LearningRate { peak } => {
                write!(f, "a learning rate that is no number above 0: {peak}")
            }
            Self::Schedule { schedule } => {
                write!(f, "a learning rate that has no course: {schedule}")
            }
            Self::LabelSmoothing { smoothing } => {
                write!(f, "labels smoothed by 1 or more, or below 0: {smoothing}")
            }
            Self::NoPatience => f.write_str("patience for no epochs"),
            Self::Average { average } => write!(f, "an average of nothing: {average}"),
            Self::Dropout { probability } => {
                write!(f, "dropout that is not from 0 to 0.99: {probability}")
            }
            Self::Distortion(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}
