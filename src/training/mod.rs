//! The training loop: epochs of mini-batches, validation after each, and a
//! copy of the best network.

pub mod checkpoint;
#[doc(hidden)]
pub mod codec;
#[cfg(feature = "std")]
pub mod diagnosis;
#[cfg(feature = "std")]
pub mod gradcheck;

use crate::compute::rng::{Stream, generator, shuffle};
use crate::data::{Dataset, Subset};
use crate::net::defects::{Defect, Defects, Objective};
use crate::net::loss::Reduction;
use crate::net::optimizer::{Momentum, Update};
use crate::net::schedule::{LearningRate, Schedule};
use crate::net::{Net, NetRef, Tensor};
use crate::step::autotune::Autotuner;
use crate::step::thread_team::Team;
use crate::step::workspace::Workspace;
use alloc::{vec, vec::Vec};
use core::fmt;
use rand_xoshiro::Xoshiro256PlusPlus;

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

/// What a step did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StepReport {
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
pub struct EpochReport {
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

/// A run between two of its steps: everything that the next one depends on.
///
/// [`resume`] goes on from it, and what comes of that has the bits of a run that
/// was never interrupted. [`Checkpoint::to_bytes`] makes a file of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// How the net is trained.
    pub config: Config,
    /// The net as it is.
    pub net: Net,
    /// The velocity of each of its parameters.
    pub velocity: Vec<f32>,
    /// The net that is kept: that of the lowest validation loss so far, and
    /// before the first epoch ends the net that training began with.
    pub best: Net,
    /// The epoch after which that was; 0 for none yet.
    pub best_epoch: usize,
    /// The epochs that are over. With the seed of the configuration their
    /// number says where the generator of the shuffles is.
    pub history: Vec<EpochReport>,
    /// The steps that have been made of the epoch after these: the place in its
    /// order of the examples.
    pub step: usize,
    /// The sum of their losses.
    pub loss: f64,
}

impl Checkpoint {
    /// A run of `net` that has not begun.
    pub fn new(net: Net, config: Config) -> Self {
        Self {
            config,
            velocity: vec![0.0; net.view().params().len()],
            best: net.clone(),
            net,
            best_epoch: 0,
            history: vec![],
            step: 0,
            loss: 0.0,
        }
    }

    /// Whether nothing is left to do: all epochs are over, or there has been no
    /// better one for as long as the configuration waits.
    pub fn is_complete(&self) -> bool {
        let epochs = self.history.len();
        let since = epochs - self.best_epoch.min(epochs);
        let waited = self
            .config
            .patience
            .is_some_and(|patience| since >= patience);
        epochs > 0 && (epochs >= self.config.epochs || waited)
    }

    /// The lowest validation loss so far.
    fn lowest(&self) -> f64 {
        let best = self.best_epoch.checked_sub(1);
        best.map_or(f64::INFINITY, |best| self.history[best].val_loss)
    }
}

/// A run between two of its steps, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct TrainingState<'a> {
    /// The net as it is.
    pub net: NetRef<'a>,
    /// The net that is kept ([`Checkpoint::best`]).
    pub best: NetRef<'a>,
    /// The examples that it learns from.
    pub train: &'a Subset<'a>,
    /// How it is trained.
    pub config: &'a Config,
}

/// What an observer wants to happen before the next step.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Control {
    /// The next step.
    #[default]
    Continue,
    /// A call of [`Observer::on_save`].
    Save,
    /// The same, and no more steps.
    SaveAndStop,
}

/// Watches a training run, on the thread that holds it. The other threads of the
/// run keep their places in the rayon pool meanwhile, so what an observer asks of
/// that pool is done by few threads, if not by its own alone.
pub trait Observer {
    /// Called before the first step.
    fn on_start(&mut self, _now: &TrainingState<'_>) {}
    /// Called after each step.
    fn on_step(&mut self, _step: &StepReport) -> Control {
        Control::Continue
    }
    /// Called after each epoch.
    fn on_epoch(&mut self, _epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        Control::Continue
    }
    /// Called where one of the others has asked for it.
    fn on_save(&mut self, _run: &Checkpoint) {}
}

/// Watches nothing.
impl Observer for () {}

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

/// Trains `net` on the examples of `train` and returns the net that had the
/// lowest loss on those of `val`. `workspace` must have been made for nets of
/// its widths.
///
/// # Errors
/// Ends within the step whose loss is infinite or NaN.
///
/// # Panics
/// Panics if the configuration makes no sense (a number is not in the range that
/// [`Config`] and [`LearningRate`] give it), if there are no examples, or where
/// [`Workspace::compute_gradient`] does.
pub fn train(
    net: &mut Net,
    train: &Subset<'_>,
    val: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<Outcome, NonFiniteError> {
    let mut run = Checkpoint::new(net.clone(), *config);
    let result = resume(&mut run, train, val, workspace, observer);
    net.copy_from(&run.net);
    result.map(|()| Outcome {
        best: run.best,
        best_epoch: run.best_epoch,
        history: run.history,
    })
}

/// Goes on with a run from where it is, until it is complete or an observer
/// stops it. Examples and `workspace` must be those that it began with, up to
/// the number of threads; then the result has the same bits as if the run had
/// never been interrupted.
///
/// # Errors
/// Ends within the step whose loss is infinite or NaN.
///
/// # Panics
/// Panics where [`train`] does, or if the run has made more steps of its epoch
/// than there are.
pub fn resume(
    run: &mut Checkpoint,
    train: &Subset<'_>,
    val: &Subset<'_>,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<(), NonFiniteError> {
    Team::with(workspace.threads(), |team| {
        resume_with(team, run, (train, val), workspace, observer)
    })
}

/// The same with a team that stays together for the whole run.
fn resume_with(
    team: &mut Team<'_>,
    run: &mut Checkpoint,
    (train, val): (&Subset<'_>, &Subset<'_>),
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<(), NonFiniteError> {
    let config = run.config;
    if let Some(nonsense) = config.nonsense() {
        panic!("{nonsense}");
    }
    assert!(
        !train.is_empty() && !val.is_empty(),
        "training on no examples"
    );
    let rate = config.learning_rate;
    let batch = match config.batch {
        Batch::Full => train.len(),
        Batch::Mini(batch) => batch,
    };
    let steps = train.len().div_ceil(batch);
    assert!(run.step <= steps, "step {} of {steps}", run.step);

    let mut order = Order::new(train, &config);
    order.skip(run.history.len());
    let mut autotuner = Autotuner::new(
        workspace,
        run.net.view(),
        team.threads(),
        batch,
        config.defects,
    );
    observer.on_start(&state(run, train));

    while !run.is_complete() {
        let epoch = run.history.len() + 1;
        let rate_of = |step| rate.at((epoch - 1) * steps + step - 1, steps, config.epochs);
        let order = order.next_epoch(batch);
        let batches = (1..).zip(order.chunks(batch));
        let mut batches = batches.skip(run.step).peekable();
        while let Some((step, batch)) = batches.next() {
            let data = train.dataset();
            let update = Update {
                rule: config.optimizer,
                learning_rate: rate_of(step) as f32,
                reduction: config.reduction,
                label_smoothing: config.label_smoothing,
            };
            let next = batches.peek().map_or(&[][..], |&(_, next)| next);
            let kept = (&mut run.net, &mut run.velocity[..]);
            let sum = autotuner.step(team, workspace, kept, data, (batch, next), &update);
            if !sum.is_finite() {
                autotuner.store(&mut run.net, &mut run.velocity);
                // Shards leave nothing in the workspace.
                workspace.compute_gradient(run.net.view(), data, batch, config.objective());
                let tensor = workspace.first_not_finite(run.net.view());
                return Err(NonFiniteError {
                    epoch,
                    step,
                    tensor,
                });
            }
            run.loss += sum;
            run.step = step;
            let then = observer.on_step(&StepReport {
                epoch,
                step,
                steps,
                examples: batch.len(),
                loss: sum * config.reduction.scale(batch.len()),
            });
            if then != Control::Continue {
                autotuner.store(&mut run.net, &mut run.velocity);
                observer.on_save(run);
            }
            if then == Control::SaveAndStop {
                return Ok(());
            }
        }

        autotuner.store(&mut run.net, &mut run.velocity);
        let net = run.net.view();
        let validation = workspace.evaluate_with(team, net, val, config.objective());
        if !validation.loss.is_finite() {
            let tensor = workspace.first_not_finite(net);
            return Err(NonFiniteError {
                epoch,
                step: steps,
                tensor,
            });
        }
        let is_best = validation.loss < run.lowest();
        if is_best || config.defects.has(Defect::AliasedBest) {
            run.best.copy_from(&run.net);
        }
        if is_best {
            run.best_epoch = epoch;
        }
        let row = EpochReport {
            epoch,
            train_loss: run.loss * config.reduction.scale(train.len()),
            val_loss: validation.loss,
            val_accuracy: validation.confusion.accuracy(),
            learning_rate: rate_of(steps),
            is_best,
        };
        run.history.push(row);
        (run.step, run.loss) = (0, 0.0);
        let then = observer.on_epoch(&row, &state(run, train));
        if then != Control::Continue {
            observer.on_save(run);
        }
        if then == Control::SaveAndStop {
            return Ok(());
        }
    }
    Ok(())
}

fn state<'a>(run: &'a Checkpoint, train: &'a Subset<'a>) -> TrainingState<'a> {
    TrainingState {
        net: run.net.view(),
        best: run.best.view(),
        train,
        config: &run.config,
    }
}

/// In which order an epoch takes the examples.
struct Order<'a> {
    train: &'a Subset<'a>,
    indices: Vec<u32>,
    /// A mini-batch before it is sorted.
    shuffled: Vec<u32>,
    /// None where the order stays.
    rng: Option<Xoshiro256PlusPlus>,
}

impl<'a> Order<'a> {
    /// Before the first epoch.
    fn new(train: &'a Subset<'a>, config: &Config) -> Self {
        Self {
            train,
            indices: train.indices().to_vec(),
            shuffled: vec![],
            rng: match config.batch {
                Batch::Full => None,
                Batch::Mini(_) => Some(generator(config.seed, Stream::Shuffle)),
            },
        }
    }

    /// Takes the generator to where it is after so many epochs: a shuffle draws
    /// the same numbers whatever it shuffles.
    fn skip(&mut self, epochs: usize) {
        if let Some(rng) = &mut self.rng {
            (0..epochs).for_each(|_| shuffle(&mut self.indices, rng));
        }
    }

    /// The order of the next epoch. Shuffled from the same start each time, so
    /// that it depends on nothing but the generator; then each mini-batch is
    /// sorted by label, since images of one class have more zeros in common,
    /// which its products leave out.
    fn next_epoch(&mut self, batch: usize) -> &[u32] {
        if let Some(rng) = &mut self.rng {
            self.indices.copy_from_slice(self.train.indices());
            shuffle(&mut self.indices, rng);
            for batch in self.indices.chunks_mut(batch) {
                self.shuffled.clear();
                self.shuffled.extend_from_slice(batch);
                sort_by_label(self.train.dataset(), &self.shuffled, batch);
            }
        }
        &self.indices
    }
}

/// Writes examples in the order of their labels, and of one label in the order
/// in which they come.
fn sort_by_label(data: &Dataset, examples: &[u32], sorted: &mut [u32]) {
    let label = |&i: &u32| usize::from(data.label(i as usize));
    let mut places = [0; 256];
    for i in examples {
        places[label(i)] += 1;
    }
    let mut first = 0;
    for place in &mut places {
        first += core::mem::replace(place, first);
    }
    for i in examples {
        let place = &mut places[label(i)];
        sorted[*place] = *i;
        *place += 1;
    }
}
