//! Following a run while it trains.

use crate::data::Subset;
use crate::net::NetRef;
use crate::training::checkpoint::Checkpoint;
use crate::training::config::Config;
use crate::training::report::{EpochReport, StepReport};

/// A run between two of its steps, as an observer sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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
#[non_exhaustive]
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

impl<O: Observer + ?Sized> Observer for &mut O {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        (**self).on_start(now);
    }

    fn on_step(&mut self, step: &StepReport) -> Control {
        (**self).on_step(step)
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        (**self).on_epoch(epoch, now)
    }

    fn on_save(&mut self, run: &Checkpoint) {
        (**self).on_save(run);
    }
}
