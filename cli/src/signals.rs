//! Signals that ask the program to end.

use crate::failure::Failure;
#[cfg(unix)]
use crate::memory;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(unix)]
use std::time::Duration;

/// Signals within this time of the first count as one request: `timeout` sends its
/// signal twice, to the process and to its process group.
#[cfg(unix)]
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// The last signal received, if any. Commands that poll it end in order.
#[derive(Clone)]
pub(crate) struct Signals {
    /// Its number, or 0.
    last: Arc<AtomicUsize>,
    removed_at_exit: Arc<Mutex<Vec<PathBuf>>>,
}

/// SIGINT or SIGTERM, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Signal(usize);

/// Lets a write beyond the limit of a file's size (`ulimit -f`) fail with an error that names
/// the file; otherwise the signal that comes with it ends the process without a word.
pub(crate) fn survive_file_limits() -> Result<(), Failure> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    Ok(())
}

impl Signals {
    /// Listens for SIGINT and SIGTERM. A second signal, a second or more after the
    /// first, ends the process at once; files are written atomically, so none is
    /// damaged.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let own = Self {
            last: Arc::default(),
            removed_at_exit: Arc::default(),
        };
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM};
            use signal_hook::iterator::Signals;
            use signal_hook::{flag, low_level};
            use std::sync::mpsc;
            use std::thread;
            use std::time::Instant;

            let failed = |error| Failure::new(format!("cannot handle signals: {error}"));
            let both = [SIGINT, SIGTERM];
            for signal in both {
                flag::register_usize(signal, own.last.clone(), signal as usize).map_err(failed)?;
            }
            let mut signals = Signals::new(both).map_err(failed)?;
            let shared = own.clone();
            memory::require(memory::address_space_of_threads(1), "begin")?;
            let (started, has_started) = mpsc::sync_channel(1);
            let exit_at_second_signal = move || {
                memory::reserve_arena();
                let _ = started.send(());
                let mut first = None;
                for signal in signals.forever() {
                    if first.get_or_insert_with(Instant::now).elapsed() >= ONE_REQUEST {
                        for folder in shared.removed_at_exit().iter() {
                            // Fails if the folder is not empty, and then it stays.
                            let _ = std::fs::remove_dir(folder);
                        }
                        low_level::exit(128 + signal);
                    }
                }
            };
            let thread = thread::Builder::new().name("signals".to_string());
            thread.spawn(exit_at_second_signal).map_err(failed)?;
            let _ = has_started.recv();
        }
        Ok(own)
    }

    /// The folders that are removed, if nothing is in them, before a second signal ends the
    /// process: each before its parent. The process does not end while the guard is held.
    pub(crate) fn removed_at_exit(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        let folders = self.removed_at_exit.lock();
        folders.unwrap_or_else(PoisonError::into_inner)
    }

    /// The last signal received.
    pub(crate) fn caught(&self) -> Option<Signal> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            number => Some(Signal(number)),
        }
    }
}

impl Signal {
    /// The exit code that shells report for a process ended by this signal.
    pub(crate) fn exit_code(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(1)
    }

    /// The name for messages.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            2 => "SIGINT",
            15 => "SIGTERM",
            _ => "a signal",
        }
    }
}
