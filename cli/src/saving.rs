//! Runs on disk: written in the background while they train, and read back.

use super::Failure;
use super::report::history_csv;
use super::settings::{Flags, Settings};
use handwritten::Checkpoint;
use handwritten::files;
use handwritten::training::codec::{Reader, Writer};
use handwritten::training::diagnosis::{Monitor, Observation};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

/// The file of a run that has not ended.
pub(super) const CHECKPOINT: &str = "last.ckpt";
/// The file that ends a run.
pub(super) const MODEL: &str = "model.safetensors";
/// The rows of the epochs so far.
pub(super) const HISTORY: &str = "history.csv";

/// What decides a run besides its checkpoint: whoever goes on with it must have
/// the same.
#[derive(Clone)]
pub(super) struct Identity {
    /// The resolved settings, as config.toml has them.
    pub(super) settings: String,
    /// The SHA-256 of the data set.
    pub(super) data_sha256: String,
    /// Whether multiply-adds are fused.
    pub(super) is_fused: bool,
}

/// A run as it was saved.
pub(super) struct Saved {
    pub(super) run: Checkpoint,
    pub(super) identity: Identity,
    /// What the diagnosis remembers.
    watch: Vec<u8>,
}

impl Saved {
    /// Reads the checkpoint in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(CHECKPOINT);
        let bytes = fs::read(&path).map_err(|error| {
            let (is_missing, folder) = (error.kind() == ErrorKind::NotFound, folder.display());
            Failure::new(match (is_missing, path.with_file_name(MODEL).is_file()) {
                (true, true) => format!("the run in {folder} is complete"),
                (true, false) => format!("no run has been saved in {folder}: begin it anew"),
                (false, _) => format!("cannot read {}: {error}", path.display()),
            })
        })?;
        let broken =
            |why: &str| Failure::new(format!("{} is no checkpoint: {why}", path.display()));
        let (run, attachment) =
            Checkpoint::from_bytes(&bytes).map_err(|error| broken(&error.to_string()))?;
        let (identity, watch) =
            read_attachment(&attachment).ok_or_else(|| broken("it is none of this program"))?;
        Ok(Self {
            run,
            identity,
            watch,
        })
    }

    /// Its settings, unless `flags` say otherwise.
    pub(super) fn settings(&self, flags: &Flags) -> Result<Settings, Failure> {
        let saved = Flags::parse(&self.identity.settings).map_err(Failure::new)?;
        let settings = saved.clone().resolve()?;
        let asked = flags.clone().or(saved).resolve()?;
        match settings.first_difference(&asked)? {
            // The data may have moved.
            None => Ok(asked),
            Some((name, own, other)) => Err(Failure::usage(format!(
                "{name} is {own} in the run to be resumed, not {other}"
            ))),
        }
    }

    /// Refuses to go on with other data, or with other roundings.
    pub(super) fn refuse_other(&self, identity: &Identity) -> Result<(), Failure> {
        if self.identity.data_sha256 != identity.data_sha256 {
            return Err(Failure::new(format!(
                "the run to be resumed was begun with another data set, whose SHA-256 is {}",
                self.identity.data_sha256
            )));
        }
        if self.identity.is_fused != identity.is_fused {
            return Err(Failure::new(format!(
                "the run to be resumed was begun {} fused multiply-adds, so it would not have the \
                 same bits here",
                if self.identity.is_fused {
                    "with"
                } else {
                    "without"
                }
            )));
        }
        Ok(())
    }

    /// Has the diagnosis go on.
    pub(super) fn restore(&self, watch: &mut Monitor) -> Result<(), Failure> {
        let restored = watch.restore(&self.watch);
        restored.ok_or_else(|| Failure::new("the checkpoint's diagnosis makes no sense"))
    }
}

fn attachment(identity: &Identity, watch: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.bytes(identity.settings.as_bytes());
    w.bytes(identity.data_sha256.as_bytes());
    w.u8(identity.is_fused.into());
    w.bytes(watch);
    w.0
}

fn read_attachment(bytes: &[u8]) -> Option<(Identity, Vec<u8>)> {
    let mut r = Reader(bytes);
    let text = |r: &mut Reader<'_>| String::from_utf8(r.bytes()?.to_vec()).ok();
    let identity = Identity {
        settings: text(&mut r)?,
        data_sha256: text(&mut r)?,
        is_fused: r.bool()?,
    };
    let watch = r.bytes()?.to_vec();
    r.0.is_empty().then_some((identity, watch))
}

/// Writes checkpoints and histories into a run's folder, on a thread of its own:
/// a disk may take longer than an epoch.
pub(super) struct Saver {
    jobs: Option<SyncSender<Job>>,
    is_busy: Arc<AtomicBool>,
    /// Why the last save failed.
    failure: Arc<RwLock<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// For the run in this folder, which is saved as it is before this returns:
    /// from now on there is something to go on with, and a folder that takes no
    /// files is found before anything is trained.
    pub(super) fn start(
        folder: PathBuf,
        identity: Identity,
        run: &Checkpoint,
        watch: &Monitor,
    ) -> Result<Self, Failure> {
        let first = Job::new(run, watch).save(&folder, &identity);
        first.map_err(Failure::new)?;
        let (jobs, work) = sync_channel::<Job>(1);
        let is_busy = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(RwLock::new(None));
        let (busy, failed) = (is_busy.clone(), failure.clone());
        let save = move || {
            for job in work {
                let saved = job.save(&folder, &identity);
                let saved: Option<String> = saved.err().map(|error| error.to_string());
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

    /// Saves a run as it is now, some time soon; not at all if the save before
    /// is not done, unless it must.
    pub(super) fn save(&mut self, run: &Checkpoint, watch: &Monitor, must: bool) {
        if let Some(jobs) = &self.jobs
            && (must || !self.is_busy.swap(true, Ordering::Acquire))
        {
            // Only a thread that has panicked takes no job.
            let _ = jobs.send(Job::new(run, watch));
        }
    }

    /// Why the last save failed, if it has.
    pub(super) fn failure(&self) -> Option<String> {
        let failure = self.failure.read().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }

    /// Waits until all is saved.
    pub(super) fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A run as it is to be saved.
struct Job {
    run: Checkpoint,
    watch: Vec<u8>,
    looks: Vec<Observation>,
}

impl Job {
    fn new(run: &Checkpoint, watch: &Monitor) -> Self {
        Self {
            run: run.clone(),
            watch: watch.to_bytes(),
            looks: watch.observations().to_vec(),
        }
    }

    fn save(&self, folder: &Path, identity: &Identity) -> Result<(), files::IoError> {
        let bytes = self.run.to_bytes(&attachment(identity, &self.watch));
        files::write_atomic(&folder.join(CHECKPOINT), &bytes)?;
        if self.looks.is_empty() {
            return Ok(());
        }
        let history = history_csv(&self.run.history, &self.looks);
        files::write_atomic(&folder.join(HISTORY), history.as_bytes())
    }
}
