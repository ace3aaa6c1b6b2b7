//! The threads that teams are made of: their start, their sleep and their end.

use super::team::{MAX_PIECES, Shared, Team};
use std::string::ToString;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

/// Threads of one owner, which start when it first makes a team of them and end when it
/// is dropped.
#[derive(Default)]
pub(crate) struct Threads {
    shared: Arc<Shared>,
    /// All threads but the owner's.
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// The threads of a team that `threads` are asked for, if all can be started: no more
    /// than a job can have pieces.
    pub(crate) fn available(threads: usize) -> usize {
        threads.min(MAX_PIECES)
    }

    /// A team of `threads` threads, the caller among them, or of as many as can be
    /// started.
    pub(crate) fn team(&mut self, threads: usize) -> Team<'_> {
        let others = Self::available(threads) - 1;
        while self.handles.len() < others {
            let own = self.handles.len() + 1;
            let shared = Arc::clone(&self.shared);
            let builder =
                thread::Builder::new().name("handwritten-".to_string() + &own.to_string());
            match builder.spawn(move || shared.wait(own)) {
                Ok(handle) => self.handles.push(handle),
                Err(_) => break,
            }
        }
        let others = others.min(self.handles.len());
        Team::new(&self.shared, &self.handles[..others])
    }

    /// Whether all threads of a team of `threads` have started and poll for work.
    pub(crate) fn are_awake(&self, threads: usize) -> bool {
        let others = Self::available(threads) - 1;
        others <= self.handles.len() && !self.shared.has_sleepers(others)
    }

    /// A weak reference to what the threads own together with this.
    #[cfg(test)]
    pub(super) fn shared(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.shared)
    }
}

impl Clone for Threads {
    /// The threads of another owner: none is started.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Threads {
    /// Ends the threads and waits until they have ended, some microseconds: no team is
    /// left that could have given them work.
    fn drop(&mut self) {
        self.shared.end();
        for handle in self.handles.drain(..) {
            handle.thread().unpark();
            // A thread holds the panics of its jobs back, so it cannot have panicked.
            let _ = handle.join();
        }
    }
}
