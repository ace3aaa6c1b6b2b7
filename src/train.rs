//! The training loop: epochs of mini-batches, validation after each, and a
//! copy of the best network.

use crate::data::Subset;
use crate::defects::Defect;
use crate::init::{Stream, generator, shuffle};
use crate::loss::Reduction;
use crate::net::{Net, NetRef};
use crate::optim::Momentum;
use crate::schedule::{LearningRate, Schedule};
use crate::team::Team;
use crate::trial::{Trial, Way};
use crate::workspace::{Tensor, Update, Workspace};
use alloc::{vec, vec::Vec};
use core::fmt;

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
    /// Stop after so many epochs without a lower validation loss.
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
            patience: None,
            seed: 1,
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Examples in the mini-batch.
    pub examples: usize,
    /// The reduced loss of the mini-batch before the step.
    pub loss: f64,
}

/// What an epoch did: a row of the history.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Epoch {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The reduced loss over the training examples, each taken just before the
    /// step that learned from it.
    pub train_loss: f64,
    /// The reduced loss over the validation examples after the epoch.
    pub val_loss: f64,
    /// The share of validation examples classified rightly after the epoch.
    pub val_accuracy: f64,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Whether this epoch's validation loss is the lowest so far.
    pub is_best: bool,
}

/// A run between two of its steps.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The net as it is.
    pub net: NetRef<'a>,
    /// The net that is kept: that of the lowest validation loss so far, and
    /// before the first epoch the net that training begins with.
    pub best: NetRef<'a>,
    /// The examples that it learns from.
    pub train: &'a Subset<'a>,
    /// How it is trained.
    pub config: &'a Config,
}

/// Watches a training run.
pub trait Observer {
    /// Called before the first step.
    fn on_start(&mut self, _now: &Moment<'_>) {}
    /// Called after each step.
    fn on_step(&mut self, _step: &Step) {}
    /// Called after each epoch.
    fn on_epoch(&mut self, _epoch: &Epoch, _now: &Moment<'_>) {}
}

/// Watches nothing.
impl Observer for () {}

/// What a training run leaves, besides the net of its last step.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// A copy of the net as it was when the validation loss was lowest.
    pub best: Net,
    /// The epoch after which that was, counted from 1.
    pub best_epoch: usize,
    /// All epochs.
    pub history: Vec<Epoch>,
}

/// The loss stopped being finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NonFinite {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Where in the computation it shows first.
    pub tensor: Tensor,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the loss stopped being finite in epoch {}, step {}: {} overflowed first; a lower learning rate may help",
            self.epoch, self.step, self.tensor
        )
    }
}

impl core::error::Error for NonFinite {}

/// Trains `net` on the examples of `train` and returns the net that had the
/// lowest loss on those of `val`. `workspace` must have been made for nets of
/// its widths.
///
/// # Errors
/// Ends within the step whose loss is infinite or NaN.
///
/// # Panics
/// Panics if the configuration makes no sense (no epochs, an empty mini-batch,
/// a learning rate that is not positive, no examples) or where
/// [`Workspace::compute_gradient`] does.
pub fn train(
    net: &mut Net,
    train: &Subset<'_>,
    val: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<Outcome, NonFinite> {
    Team::with(workspace.threads(), |team| {
        train_with(team, net, (train, val), config, workspace, observer)
    })
}

/// The same with a team that stays together for the whole run.
fn train_with(
    team: &mut Team<'_>,
    net: &mut Net,
    (train, val): (&Subset<'_>, &Subset<'_>),
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<Outcome, NonFinite> {
    assert!(config.epochs > 0, "training for no epochs");
    assert!(
        !train.is_empty() && !val.is_empty(),
        "training on no examples"
    );
    let rate = config.learning_rate;
    assert!(rate.peak > 0.0, "a learning rate of {}", rate.peak);
    let batch = match config.batch {
        Batch::Full => train.len(),
        Batch::Mini(batch) => batch,
    };
    assert!(batch > 0, "mini-batches of no examples");

    let steps = train.len().div_ceil(batch);
    let mut velocity = vec![0.0; net.view().params().len()];
    let mut rng = generator(config.seed, Stream::Shuffle);
    let mut order = train.indices().to_vec();
    let mut best = net.clone();
    let mut best_epoch = 0;
    let mut lowest = f64::INFINITY;
    let mut history = Vec::new();
    let is_shared = team.threads() > 1 && workspace.is_shared(batch);
    let mut units = match is_shared {
        true => workspace.units(net.view(), batch),
        false => None,
    };
    let mut trial = match (is_shared, &units) {
        (false, _) => Trial::new(&[Way::Alone]),
        (true, _) if workspace.is_large(batch) => Trial::new(&[Way::Examples]),
        (true, None) => Trial::new(&[Way::Alone, Way::Examples]),
        (true, Some(_)) => Trial::new(&[Way::Alone, Way::Examples, Way::Units]),
    };
    // Who has the parameters as they are: the shards, or the net itself.
    let mut now = Way::Alone;
    observer.on_start(&moment(net, &best, train, config));

    for epoch in 1..=config.epochs {
        if config.batch != Batch::Full {
            // From the same start each time, so that an epoch's order depends
            // on nothing but the generator.
            order.copy_from_slice(train.indices());
            shuffle(&mut order, &mut rng);
        }
        let mut total = 0.0;
        let mut learning_rate = 0.0;
        let mut batches = (1..).zip(order.chunks(batch)).peekable();
        while let Some((step, batch)) = batches.next() {
            let data = train.dataset();
            learning_rate = rate.at((epoch - 1) * steps + step - 1, steps, config.epochs);
            let update = Update {
                rule: config.optimizer,
                learning_rate: learning_rate as f32,
                reduction: config.reduction,
            };
            let next = batches.peek().map_or(&[][..], |&(_, next)| next);
            let both = (batch, next);
            let way = trial.way();
            if way != now {
                match &mut units {
                    Some(units) if way == Way::Units => {
                        units.load(net.view().params(), &velocity);
                    }
                    Some(units) if now == Way::Units => {
                        units.store(net.params_mut(), &mut velocity);
                    }
                    _ => {}
                }
                now = way;
            }
            let sum = trial.step(|| match (&mut units, way) {
                (Some(units), Way::Units) => units.step(team, data, both, &update),
                (_, Way::Alone) => {
                    let team = &mut team.alone();
                    workspace.step_with(team, net, &mut velocity, data, both, &update)
                }
                _ => workspace.step_with(team, net, &mut velocity, data, both, &update),
            });
            if !sum.is_finite() {
                if let Some(units) = units.as_ref().filter(|_| now == Way::Units) {
                    units.store(net.params_mut(), &mut velocity);
                    // The workspace has not seen this mini-batch.
                    workspace.compute_gradient(net.view(), data, batch, config.reduction);
                }
                let tensor = workspace.first_not_finite(net.view());
                return Err(NonFinite {
                    epoch,
                    step,
                    tensor,
                });
            }
            total += sum;
            observer.on_step(&Step {
                epoch,
                step,
                steps,
                examples: batch.len(),
                loss: sum * config.reduction.scale(batch.len()),
            });
        }

        if let Some(units) = units.as_ref().filter(|_| now == Way::Units) {
            units.store(net.params_mut(), &mut velocity);
        }
        let validation = workspace.evaluate_with(team, net.view(), val, config.reduction);
        if !validation.loss.is_finite() {
            let tensor = workspace.first_not_finite(net.view());
            return Err(NonFinite {
                epoch,
                step: steps,
                tensor,
            });
        }
        let is_best = validation.loss < lowest;
        if is_best || workspace.defects().has(Defect::AliasedBest) {
            best.copy_from(net);
        }
        if is_best {
            (best_epoch, lowest) = (epoch, validation.loss);
        }
        let row = Epoch {
            epoch,
            train_loss: total * config.reduction.scale(train.len()),
            val_loss: validation.loss,
            val_accuracy: validation.confusion.accuracy(),
            learning_rate,
            is_best,
        };
        observer.on_epoch(&row, &moment(net, &best, train, config));
        history.push(row);
        if config
            .patience
            .is_some_and(|patience| epoch - best_epoch >= patience)
        {
            break;
        }
    }
    Ok(Outcome {
        best,
        best_epoch,
        history,
    })
}

fn moment<'a>(
    net: &'a Net,
    best: &'a Net,
    train: &'a Subset<'a>,
    config: &'a Config,
) -> Moment<'a> {
    Moment {
        net: net.view(),
        best: best.view(),
        train,
        config,
    }
}
