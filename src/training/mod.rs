//! The training loop: epochs of mini-batches, validation after each, and a copy
//! of the best net.
//!
//! [`train`] makes a run from a net, and [`resume`] goes on with one from a
//! [`Checkpoint`]. A [`Config`] says how, an [`Observer`] follows.

mod average;
pub mod checkpoint;
#[doc(hidden)]
pub mod codec;
mod config;
mod crc32;
mod curvature;
#[cfg(feature = "std")]
pub mod diagnosis;
#[cfg(feature = "std")]
pub mod gradcheck;
mod keep;
pub mod memory;
mod observer;
mod order;
mod outcome;
mod rate;
mod rehearsal;
mod report;
mod stored_config;

use crate::compute::memory::check_available;
use crate::compute::thread_team::Team;
use crate::data::Subset;
use crate::net::Net;
use crate::net::defects::Defect;
use crate::net::optimizer::Update;
use crate::step::autotune::Autotuner;
use crate::step::workspace::Workspace;
pub use average::{Average, ParseAverageError};
pub use checkpoint::Checkpoint;
pub use config::{Batch, Config, ConfigError};
use core::ops::ControlFlow;
pub use curvature::{largest_curvature, largest_stable_rate};
pub use keep::Keep;
pub use observer::{Control, Observer, TrainingState};
use order::Order;
pub use outcome::{NonFiniteError, Outcome, TrainError};
pub use rate::{ChosenRate, RateBound, choose_rate};
pub use report::{EpochReport, StepReport};

/// Trains `net` on the examples of `train` and returns the net that had the lowest loss
/// on the examples of `val`, or that of another epoch as [`Config::keep`] says. `workspace` must have been made for nets of its widths.
///
/// The steps are made on the calling thread and on those of `workspace`, on none of a pool
/// of rayon; see [`resume`].
///
/// ```
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::data::{Dataset, Subset};
/// use handwritten::{Activation, Config, Init, Net, Workspace, train};
///
/// // Two images of two pixels, ink at the left and at the right.
/// let data = Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1])?;
/// let all = Subset::all(&data);
/// let mut rng = generator(1, Stream::Weights);
/// let mut net = Net::random(&[2, 4, 2], Activation::Tanh, Init::Glorot, &mut rng);
/// let mut workspace = Workspace::new(net.widths(), 1);
///
/// let config = Config::default().with_epochs(50);
/// let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ())?;
/// assert_eq!((outcome.best.classify(&[200, 0]), outcome.best.classify(&[0, 200])), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Before the first step: a configuration that [`Config::validate`] refuses, a subset
/// without examples, a pinned strategy that cannot make the steps, and fewer bytes of memory
/// than [`memory::bytes_to_train`] says. Within the step that shows it: a loss that is
/// infinite or NaN; `net` is left as the last step made it.
///
/// # Panics
/// Panics where [`Workspace::compute_gradient`] does: if widths, images or labels do
/// not fit one another.
pub fn train(
    net: &mut Net,
    train: &Subset<'_>,
    val: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<Outcome, TrainError> {
    check_available(memory::bytes_to_train(workspace, train.len(), config))?;
    let mut run = Checkpoint::new(net.clone(), *config);
    let result = resume(&mut run, train, val, workspace, observer);
    net.copy_from(&run.net);
    result.map(|()| Outcome {
        best: run.best,
        best_epoch: run.best_epoch,
        history: run.history,
    })
}

/// Continues a run until it is complete or an observer ends it.
///
/// Examples and `workspace` must be those that the run began with, up to the number
/// of threads; then the result has the same bits as if the run had never been
/// interrupted.
///
/// # Threads
/// The steps are made on the calling thread and on those of `workspace`
/// ([`Workspace::new`]). The observer is called on the calling thread, while the others
/// wait for work: awake for some milliseconds, then asleep. A run neither uses nor holds
/// a thread of any rayon pool, so an observer may use the pool that it is called in, or
/// another one, as any code may. A run called in a pool has the threads of its workspace
/// besides those of the pool; where many runs share a pool, make their workspaces for one
/// thread each. Without the feature `rayon` there is one thread.
///
/// # Errors
/// Returns the errors of [`train`], with the memory that [`memory::bytes_to_resume`] says, and
/// [`TrainError::StepBeyondEpoch`] if the run was saved in the middle of a longer epoch than
/// these examples make.
///
/// # Panics
/// Panics where [`train`] does, and if the parts of `run` do not fit one another or its
/// configuration.
pub fn resume(
    run: &mut Checkpoint,
    train: &Subset<'_>,
    val: &Subset<'_>,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<(), TrainError> {
    run.config.validate()?;
    let has_average = (run.average.is_some(), run.config.average.is_some());
    assert_eq!(has_average.0, has_average.1, "an average and its rule");
    if train.is_empty() || val.is_empty() {
        return Err(TrainError::NoExamples);
    }
    let batch = match run.config.batch {
        Batch::Full => train.len(),
        Batch::Mini(batch) => batch,
    };
    let steps = train.len().div_ceil(batch);
    if run.step > steps {
        let step = run.step;
        return Err(TrainError::StepBeyondEpoch { step, steps });
    }
    check_available(memory::bytes_to_resume(workspace, train.len(), &run.config))?;
    workspace.with_team(workspace.threads(), |workspace, team| {
        let (activation, defects) = (run.net.activation(), run.config.defects);
        let tuner = Autotuner::new(workspace, activation, batch, defects)?;
        let mut training = Training {
            team,
            tuner,
            workspace,
            run,
            train,
            val,
            batch,
            steps,
        };
        training.run(observer)
    })
}

/// A run in progress, and all that its steps need.
struct Training<'a, 'team> {
    /// The threads, which stay together for the whole run.
    team: &'a mut Team<'team>,
    tuner: Autotuner,
    workspace: &'a mut Workspace,
    run: &'a mut Checkpoint,
    train: &'a Subset<'a>,
    val: &'a Subset<'a>,
    /// Examples of a mini-batch; the last one of an epoch may have fewer.
    batch: usize,
    /// Mini-batches of an epoch.
    steps: usize,
}

impl Training<'_, '_> {
    /// Makes the remaining epochs.
    fn run(&mut self, observer: &mut (impl Observer + ?Sized)) -> Result<(), TrainError> {
        let mut order = Order::new(self.train, &self.run.config);
        order.skip(self.run.history.len());
        observer.on_start(&self.state());
        while !self.run.is_complete() {
            let order = order.next_epoch(self.batch);
            if self.steps(order, observer)?.is_break() {
                break;
            }
            let row = self.end_epoch()?;
            let control = observer.on_epoch(&row, &self.state());
            if self.obey(control, observer).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Makes the remaining steps of an epoch, which takes the examples in this order.
    fn steps(
        &mut self,
        order: &[u32],
        observer: &mut (impl Observer + ?Sized),
    ) -> Result<ControlFlow<()>, NonFiniteError> {
        let batches = (1..).zip(order.chunks(self.batch));
        let mut batches = batches.skip(self.run.step).peekable();
        while let Some((step, batch)) = batches.next() {
            let next = batches.peek().map_or(&[][..], |&(_, next)| next);
            let report = self.step(step, batch, next)?;
            let control = observer.on_step(&report);
            if control != Control::Continue {
                self.take_back();
            }
            if self.obey(control, observer).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Makes step `step` of the epoch, counted from 1, with the examples `batch`;
    /// those of `next` come after them.
    fn step(
        &mut self,
        step: usize,
        batch: &[u32],
        next: &[u32],
    ) -> Result<StepReport, NonFiniteError> {
        let config = self.run.config;
        let update = Update {
            rule: config.optimizer,
            learning_rate: self.learning_rate(step) as f32,
            reduction: config.reduction,
            label_smoothing: config.label_smoothing,
        };
        let data = self.train.dataset();
        let kept = (&mut self.run.net, &mut self.run.velocity[..]);
        let (team, workspace) = (&mut *self.team, &mut *self.workspace);
        let sum = self
            .tuner
            .step(team, workspace, kept, data, (batch, next), &update);
        if !sum.is_finite() {
            self.take_back();
            // Shards leave no activations in the workspace; this pass does.
            let net = self.run.net.view();
            self.workspace
                .compute_gradient(net, data, batch, config.objective());
            return Err(self.overflow(step, &self.run.net));
        }
        self.run.loss += sum;
        self.run.step = step;
        Ok(StepReport {
            epoch: self.epoch(),
            step,
            steps: self.steps,
            examples: batch.len(),
            loss: sum * config.reduction.scale(batch.len()),
        })
    }

    /// Validates after the last step of an epoch, keeps the net if it is the best so
    /// far, and adds the epoch to the history.
    fn end_epoch(&mut self) -> Result<EpochReport, NonFiniteError> {
        self.take_back();
        self.run.add_to_average();
        let config = self.run.config;
        let (net, objective) = (self.run.validated().view(), config.objective());
        let validation = self
            .workspace
            .evaluate_with(self.team, net, self.val, objective);
        if !validation.loss.is_finite() {
            return Err(self.overflow(self.steps, self.run.validated()));
        }
        let epoch = self.epoch();
        let mut row = EpochReport {
            epoch,
            train_loss: self.run.loss * config.reduction.scale(self.train.len()),
            val_loss: validation.loss,
            val_accuracy: validation.confusion.accuracy(),
            learning_rate: self.learning_rate(self.steps),
            is_best: true,
        };
        let run = &mut *self.run;
        row.is_best = run
            .kept()
            .is_none_or(|kept| config.keep.prefers(&row, kept));
        if row.is_best || config.defects.has(Defect::AliasedBest) {
            let net = run.average.as_ref().unwrap_or(&run.net);
            run.best.copy_from(net);
        }
        if row.is_best {
            run.best_epoch = epoch;
        }
        run.history.push(row);
        (run.step, run.loss) = (0, 0.0);
        Ok(row)
    }

    /// Saves and ends the run if an observer asks for it.
    fn obey(&self, control: Control, observer: &mut (impl Observer + ?Sized)) -> ControlFlow<()> {
        if control != Control::Continue {
            observer.on_save(self.run);
        }
        match control {
            Control::Continue | Control::Save => ControlFlow::Continue(()),
            Control::SaveAndStop => ControlFlow::Break(()),
        }
    }

    /// Copies parameters and velocities into the run, if the steps keep them elsewhere.
    fn take_back(&mut self) {
        self.tuner.store(&mut self.run.net, &mut self.run.velocity);
    }

    /// The epoch that is being made, counted from 1.
    fn epoch(&self) -> usize {
        self.run.history.len() + 1
    }

    /// The learning rate of a step of this epoch, counted from 1.
    fn learning_rate(&self, step: usize) -> f64 {
        let config = &self.run.config;
        let before = (self.epoch() - 1) * self.steps;
        let rate = config.learning_rate;
        rate.at(before + step - 1, self.steps, config.epochs)
    }

    /// The error of a pass of `net` that has just been made, in this step of the epoch.
    fn overflow(&self, step: usize, net: &Net) -> NonFiniteError {
        NonFiniteError {
            epoch: self.epoch(),
            step,
            tensor: self.workspace.first_not_finite(net.view()),
        }
    }

    fn state(&self) -> TrainingState<'_> {
        TrainingState {
            net: self.run.net.view(),
            best: self.run.best.view(),
            train: self.train,
            config: &self.run.config,
        }
    }
}
