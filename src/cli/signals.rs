//! Signals that ask the program to end.

use super::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The last signal that came, if one has: the training ends in order then.
#[derive(Clone)]
pub(super) struct Signals(Arc<AtomicUsize>);

/// A signal that has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Signal(usize);

impl Signals {
    /// Listens for SIGINT and SIGTERM. A second one ends the process at once,
    /// which harms no file either.
    pub(super) fn listen() -> Result<Self, Failure> {
        let last = Arc::new(AtomicUsize::new(0));
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM};
            use signal_hook::flag;
            use std::sync::atomic::AtomicBool;

            let is_second = Arc::new(AtomicBool::new(false));
            for signal in [SIGINT, SIGTERM] {
                let number = signal as usize;
                // Called in this order, so the first signal finds it false.
                flag::register_conditional_shutdown(signal, 128 + signal, is_second.clone())
                    .and_then(|_| flag::register(signal, is_second.clone()))
                    .and_then(|_| flag::register_usize(signal, last.clone(), number))
                    .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
            }
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
