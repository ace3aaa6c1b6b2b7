//! Signals that ask the program to end.

use super::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(unix)]
use std::time::Duration;

/// Signals within this time are one wish to end: `timeout` sends its own twice,
/// to the process and to the group that it is in.
#[cfg(unix)]
const ONE_WISH: Duration = Duration::from_secs(1);

/// The last signal that came, if one has: the training ends in order then.
#[derive(Clone)]
pub(super) struct Signals(Arc<AtomicUsize>);

/// A signal that has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Signal(usize);

impl Signals {
    /// Listens for SIGINT and SIGTERM. One that comes later than the first ends
    /// the process at once, which harms no file either.
    pub(super) fn listen() -> Result<Self, Failure> {
        let last = Arc::new(AtomicUsize::new(0));
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM};
            use signal_hook::iterator::Signals;
            use signal_hook::{flag, low_level};
            use std::thread;
            use std::time::Instant;

            let failed = |error| Failure::new(format!("cannot handle signals: {error}"));
            let both = [SIGINT, SIGTERM];
            for signal in both {
                flag::register_usize(signal, last.clone(), signal as usize).map_err(failed)?;
            }
            let mut signals = Signals::new(both).map_err(failed)?;
            let end_at_the_second = move || {
                let mut first = None;
                for signal in signals.forever() {
                    if first.get_or_insert_with(Instant::now).elapsed() >= ONE_WISH {
                        low_level::exit(128 + signal);
                    }
                }
            };
            let thread = thread::Builder::new().name("signals".to_string());
            thread.spawn(end_at_the_second).map_err(failed)?;
        }
        Ok(Self(last))
    }

    /// The signal that came.
    pub(super) fn caught(&self) -> Option<Signal> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(Signal(number)),
        }
    }
}

impl Signal {
    /// The exit code of a process that it ended, as shells report it.
    pub(super) fn exit_code(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(1)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self.0 {
            2 => "SIGINT",
            15 => "SIGTERM",
            _ => "a signal",
        }
    }
}
