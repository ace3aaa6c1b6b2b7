//! Saves a run while it trains, in the background.

use super::saved::{Identity, attachment};
use super::{CHECKPOINT, HISTORY};
use crate::failure::{Failure, chain};
use crate::output::report::history_csv;
use handwritten::Checkpoint;
use handwritten::files;
use handwritten::training::diagnosis::{Monitor, Observation};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

/// Writes checkpoints and histories into a run's folder, on a thread of its own
/// because a disk may take longer than an epoch.
pub(crate) struct Saver {
    jobs: Option<SyncSender<Job>>,
    is_busy: Arc<AtomicBool>,
    /// Why the last save failed.
    failure: Arc<RwLock<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Saves the run as it is, then starts the thread. So the run can be resumed
    /// from its first step on, and a folder that cannot be written to is reported
    /// before anything is trained.
    pub(crate) fn start(
        folder: PathBuf,
        identity: Identity,
        run: &Checkpoint,
        monitor: &Monitor,
    ) -> Result<Self, Failure> {
        let first = Job::new(run, monitor).save(&folder, &identity);
        first.map_err(Failure::caused)?;
        let (jobs, work) = sync_channel::<Job>(1);
        let is_busy = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(RwLock::new(None));
        let (busy, failed) = (is_busy.clone(), failure.clone());
        let save = move || {
            for job in work {
                let saved = job.save(&folder, &identity);
                let saved: Option<String> = saved.err().map(|error| chain(&error));
                busy.store(false, Ordering::Release);
                *failed.write().unwrap_or_else(PoisonError::into_inner) = saved;
            }
        };
        let thread = thread::Builder::new().name("saver".to_string()).spawn(save);
        let thread = thread.map_err(|error| Failure::new(format!("cannot save: {error}")))?;
        Ok(Self {
            jobs: Some(jobs),
            is_busy,
            failure,
            thread: Some(thread),
        })
    }

    /// Queues a save of the run as it is now. While the previous save is still being
    /// written, the call does nothing unless the save is `required`.
    pub(crate) fn save(&mut self, run: &Checkpoint, monitor: &Monitor, required: bool) {
        if let Some(jobs) = &self.jobs
            && (required || !self.is_busy.swap(true, Ordering::Acquire))
        {
            // Fails only if the thread has panicked.
            let _ = jobs.send(Job::new(run, monitor));
        }
    }

    /// Why the last save failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.failure.read().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }

    /// Waits until all is saved.
    pub(crate) fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A copy of a run, to be saved.
struct Job {
    run: Checkpoint,
    monitor: Vec<u8>,
    looks: Vec<Observation>,
}

impl Job {
    fn new(run: &Checkpoint, monitor: &Monitor) -> Self {
        Self {
            run: run.clone(),
            monitor: monitor.to_bytes(),
            looks: monitor.observations().to_vec(),
        }
    }

    fn save(&self, folder: &Path, identity: &Identity) -> Result<(), files::IoError> {
        let bytes = self.run.to_bytes(&attachment(identity, &self.monitor));
        files::write_atomic(&folder.join(CHECKPOINT), &bytes)?;
        if self.looks.is_empty() {
            return Ok(());
        }
        let history = history_csv(&self.run, &self.looks);
        files::write_atomic(&folder.join(HISTORY), history.as_bytes())
    }
}
