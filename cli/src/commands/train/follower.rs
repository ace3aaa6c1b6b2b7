//! The observer of a run: shows it, diagnoses it, saves it, and stops it at a signal.

use crate::failure::Failure;
use crate::output::progress::Progress;
use crate::run_folder::Saver;
use crate::signals::Signals;
use handwritten::Checkpoint;
use handwritten::training::diagnosis::Monitor;
use handwritten::training::{Control, EpochReport, Observer, StepReport, TrainingState};
use std::time::{Duration, Instant};

/// The observer of a run.
pub(super) struct Follower {
    progress: Progress,
    monitor: Monitor,
    saver: Saver,
    /// The failure of a save that the user has been warned of.
    warned: Option<String>,
    signals: Signals,
    interval: Duration,
    last_save: Instant,
    has_saved: bool,
    /// Whether the end of the run is saved in any case.
    saves_end: bool,
}

impl Follower {
    /// Follows a run that is saved each `interval` and after each epoch.
    /// `is_resumed` tells whether the folder holds more than the start of the run.
    pub(super) fn new(
        progress: Progress,
        monitor: Monitor,
        saver: Saver,
        signals: Signals,
        interval: Duration,
        is_resumed: bool,
    ) -> Self {
        Self {
            progress,
            monitor,
            saver,
            warned: None,
            signals,
            interval,
            last_save: Instant::now(),
            has_saved: is_resumed,
            saves_end: false,
        }
    }

    /// Saves the run at its end too: its files are written later.
    pub(super) fn saving_end(mut self, saves_end: bool) -> Self {
        self.saves_end = saves_end;
        self
    }

    /// Ends the display and waits until all saves are written. Fails if a result
    /// could not be printed.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let printed = self.progress.finish();
        self.saver.finish();
        printed
    }

    /// Whether the folder holds more than the start of the run.
    pub(super) fn has_saved(&self) -> bool {
        self.has_saved
    }

    /// Why the last save failed, if it did.
    pub(super) fn save_failure(&self) -> Option<String> {
        self.saver.failure()
    }

    /// The diagnosis of the run.
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Seconds that the steps of each epoch took, without validation.
    pub(super) fn epoch_seconds(&self) -> Vec<f64> {
        self.progress.seconds.clone()
    }

    /// Warns that saves fail, once for each reason, while there may be time to remove the cause.
    pub(super) fn warn_of_failed_saves(&mut self) {
        let failure = self.saver.failure();
        if let Some(failure) = failure.as_ref().filter(|_| failure != self.warned) {
            self.progress.warn(failure);
        }
        self.warned = failure;
    }

    fn control(&self, is_time_to_save: bool) -> Control {
        match (self.signals.caught(), is_time_to_save) {
            (Some(_), _) => Control::SaveAndStop,
            (None, true) => Control::Save,
            (None, false) => Control::Continue,
        }
    }
}

impl Observer for Follower {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.monitor.start(now);
        self.progress.start();
    }

    fn on_step(&mut self, step: &StepReport) -> Control {
        self.progress.step(step);
        let since = self.progress.step_ended() - self.last_save;
        self.control(since >= self.interval)
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        let observation = self.monitor.observe(epoch, now);
        self.progress.epoch(epoch, observation);
        self.warn_of_failed_saves();
        self.control(true)
    }

    fn on_save(&mut self, run: &Checkpoint) {
        let is_required = self.signals.caught().is_some() || (self.saves_end && run.is_complete());
        self.saver.save(run, &self.monitor, is_required);
        self.has_saved = true;
        self.last_save = Instant::now();
    }
}
