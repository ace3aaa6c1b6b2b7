//! A run as its checkpoint has it, and whether it can be resumed here.

use super::{CHECKPOINT, MODEL};
use crate::failure::Failure;
use crate::memory;
use crate::settings::{Flags, Settings};
use handwritten::Checkpoint;
use handwritten::training::codec::{Reader, Writer};
use handwritten::training::diagnosis::Monitor;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Everything besides the checkpoint that decides the bits of a run. A run is resumed
/// only where all of it is equal.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The settings, as config.toml has them.
    pub(crate) settings: String,
    /// The SHA-256 of the data set.
    pub(crate) data_sha256: String,
    /// Whether multiply-adds are fused.
    pub(crate) is_fused: bool,
}

/// The content of a checkpoint file.
pub(crate) struct Saved {
    pub(crate) run: Checkpoint,
    pub(crate) identity: Identity,
    /// The state of the diagnosis, for [`Monitor::restore`].
    monitor: Vec<u8>,
}

impl Saved {
    /// Reads the checkpoint in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(CHECKPOINT);
        let bytes = fs::read(&path).map_err(|error| {
            let (is_missing, folder) = (error.kind() == ErrorKind::NotFound, folder.display());
            Failure::new(match (is_missing, path.with_file_name(MODEL).is_file()) {
                (true, true) => format!("the run in {folder} is complete"),
                (true, false) => format!("no run has been saved in {folder}: start it again"),
                (false, _) => format!("cannot read {}: {error}", path.display()),
            })
        })?;
        // Decoded, the file is a run and what is attached to it, and these are nets.
        let decoded = bytes.len().saturating_mul(2);
        memory::require(decoded, format_args!("read {}", path.display()))?;
        let broken = |why: &str| {
            Failure::new(format!(
                "{} is not a usable checkpoint: {why}",
                path.display()
            ))
        };
        let (run, attachment) =
            Checkpoint::from_bytes(&bytes).map_err(|error| broken(&error.to_string()))?;
        let (identity, monitor) =
            read_attachment(&attachment).ok_or_else(|| broken("another program wrote it"))?;
        Ok(Self {
            run,
            identity,
            monitor,
        })
    }

    /// The settings of the run. Refuses `flags` that differ from them.
    pub(crate) fn settings(&self, flags: &Flags) -> Result<Settings, Failure> {
        let saved = Flags::of_saved_run(&self.identity.settings).map_err(Failure::new)?;
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

    /// Refuses to resume the run with other data, or with other rounding.
    pub(crate) fn refuse_other(&self, identity: &Identity) -> Result<(), Failure> {
        if self.identity.data_sha256 != identity.data_sha256 {
            return Err(Failure::new(format!(
                "the run to be resumed was started with another data set, whose SHA-256 is {}",
                self.identity.data_sha256
            )));
        }
        if self.identity.is_fused != identity.is_fused {
            return Err(Failure::new(format!(
                "the run to be resumed was started {} fused multiply-adds, so it would not have the \
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

    /// Restores the state of the diagnosis.
    pub(crate) fn restore(&self, monitor: &mut Monitor) -> Result<(), Failure> {
        let restored = monitor.restore(&self.monitor);
        restored.ok_or_else(|| {
            Failure::new(format!(
                "{CHECKPOINT}: the state of the diagnosis makes no sense"
            ))
        })
    }

    /// The run itself, to be resumed with its settings.
    pub(crate) fn into_run(self, settings: &Settings) -> Checkpoint {
        let mut run = self.run;
        // Checkpoints up to version 3 do not hold the mistakes made on purpose.
        run.config.defects = settings.training.defects;
        run
    }
}

/// The bytes that the program adds to a checkpoint: the identity of the run, and the
/// state of the diagnosis.
pub(super) fn attachment(identity: &Identity, monitor: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.bytes(identity.settings.as_bytes());
    w.bytes(identity.data_sha256.as_bytes());
    w.u8(identity.is_fused.into());
    w.bytes(monitor);
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
    let monitor = r.bytes()?.to_vec();
    r.0.is_empty().then_some((identity, monitor))
}
