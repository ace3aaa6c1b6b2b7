//! How a net is trained.

use crate::net::defects::{Defects, Objective};
use crate::net::loss::Reduction;
use crate::net::optimizer::Momentum;
use crate::net::schedule::{LearningRate, Schedule};

/// How many examples make a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Batch {
    /// All of them: one step an epoch.
    Full,
    /// So many, in a new order each epoch; the last mini-batch of an epoch has
    /// what is left.
    Mini(usize),
}

/// How a net is trained. The default trains a sigmoid net of 128 hidden units
/// on MNIST to more than 98 %.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Passes over the training examples, at least 1.
    pub epochs: usize,
    /// Examples a step.
    pub batch: Batch,
    /// The learning rate's course.
    pub learning_rate: LearningRate,
    /// The optimiser.
    pub optimizer: Momentum,
    /// Mean or sum over the examples of a step; reported losses follow it.
    pub reduction: Reduction,
    /// The smoothing ε of the labels that training pulls towards
    /// ([`LossTarget`](crate::net::loss::LossTarget)), from 0 to below 1. Reported losses are
    /// without it, as they are without weight decay.
    pub label_smoothing: f32,
    /// Mistakes to make on purpose; none but for a demonstration.
    pub defects: Defects,
    /// Stop after so many epochs without a lower validation loss, at least 1.
    pub patience: Option<usize>,
    /// Where the order of the examples comes from ([`Stream::Shuffle`]).
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
            defects: Defects::NONE,
            patience: None,
            seed: 1,
        }
    }
}

impl Config {
    /// The loss that training reports and descends along.
    pub fn objective(&self) -> Objective {
        Objective {
            reduction: self.reduction,
            defects: self.defects,
        }
    }

    /// What makes no sense in it, if anything does.
    pub(crate) fn nonsense(&self) -> Option<&'static str> {
        let LearningRate { peak, schedule, .. } = self.learning_rate;
        let has_course = match schedule {
            Schedule::Constant | Schedule::Cosine => true,
            Schedule::Step { epochs, .. } => epochs > 0,
            Schedule::Linear { hold } => (0.0..1.0).contains(&hold),
        };
        let is_rate = peak.is_finite() && peak > 0.0;
        let is_smoothing = (0.0..1.0).contains(&self.label_smoothing);
        let demands = [
            (self.epochs > 0, "training for no epochs"),
            (self.batch != Batch::Mini(0), "mini-batches of no examples"),
            (is_rate, "a learning rate that is no number above 0"),
            (has_course, "a learning rate that has no course"),
            (is_smoothing, "labels smoothed by 1 or more, or below 0"),
            (self.patience != Some(0), "patience for no epochs"),
        ];
        let broken = demands.into_iter().find(|(is_met, _)| !is_met);
        broken.map(|(_, nonsense)| nonsense)
    }
}
