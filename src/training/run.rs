//! The loop of a run: epochs of mini-batches, validation after each.

use crate::compute::thread_team::Team;
use crate::data::{ImageSource, Subset};
use crate::net::Net;
use crate::net::defects::Defect;
use crate::net::dropout::Dropout;
use crate::net::optimizer::Update;
use crate::step::autotune::Autotuner;
use crate::step::workspace::Workspace;
use crate::training::checkpoint::Checkpoint;
use crate::training::images::EpochImages;
use crate::training::observer::{Control, Observer, TrainingState};
use crate::training::order::Order;
use crate::training::outcome::{NonFiniteError, TrainError};
use crate::training::report::{EpochReport, StepReport};
use core::ops::ControlFlow;

/// Makes the steps of a run that are left, in mini-batches of `batch` examples.
///
/// # Errors
/// A pinned strategy that cannot make them, and a loss that is not finite.
pub(super) fn go_on(
    run: &mut Checkpoint,
    images: &mut dyn EpochImages,
    (train, val): (&Subset<'_>, &Subset<'_>),
    batch: usize,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<(), TrainError> {
    let steps = train.len().div_ceil(batch);
    workspace.with_team(workspace.threads(), |workspace, team| {
        let (activation, defects) = (run.net.activation(), run.config.defects);
        let tuner = Autotuner::new(workspace, activation, batch, defects)?;
        let mut training = Training {
            team,
            tuner,
            workspace,
            run,
            images,
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
    images: &'a mut dyn EpochImages,
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
            self.images.start_epoch(self.epoch());
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
        let dropout = self.dropout();
        let data: &dyn ImageSource = self.images;
        let kept = (&mut self.run.net, &mut self.run.velocity[..]);
        let (team, workspace) = (&mut *self.team, &mut *self.workspace);
        let rules = (&update, dropout);
        let sum = self
            .tuner
            .step(team, workspace, kept, data, (batch, next), rules);
        if !sum.is_finite() {
            self.take_back();
            // Shards leave no activations in the workspace; this pass does.
            let net = self.run.net.view();
            self.workspace
                .compute_gradient(net, self.images, batch, config.objective());
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
        let scaled = self.dropout().map(|dropout| {
            let mut net = self.run.validated().clone();
            let widths = net.widths().to_vec();
            dropout.scale(&widths, net.params_mut());
            net
        });
        let validated = scaled.as_ref().unwrap_or(self.run.validated());
        let (net, objective) = (validated.view(), config.objective());
        let validation = self
            .workspace
            .evaluate_with(self.team, net, self.val, objective);
        if !validation.loss.is_finite() {
            return Err(self.overflow(self.steps, validated));
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
            run.best.copy_from(scaled.as_ref().unwrap_or(net));
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

    /// The hidden units that are left out in this epoch.
    fn dropout(&self) -> Option<Dropout> {
        let config = &self.run.config;
        Dropout::new(config.dropout, config.seed, self.epoch())
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
