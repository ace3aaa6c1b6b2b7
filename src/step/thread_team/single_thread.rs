//! The stand-in for a team of threads in builds without them.

use core::marker::PhantomData;

/// A team of the calling thread.
pub(crate) struct Team<'a>(PhantomData<&'a ()>);

impl Team<'_> {
    /// Calls `body` with a team of one, whatever `threads` is.
    pub(crate) fn with<R>(_threads: usize, body: impl FnOnce(&mut Team<'_>) -> R) -> R {
        body(&mut Team(PhantomData))
    }

    /// The threads of a team that `threads` are asked for: 1.
    pub(crate) fn available(_threads: usize) -> usize {
        1
    }

    /// A team of the calling thread.
    pub(crate) fn alone(&mut self) -> Team<'_> {
        Team(PhantomData)
    }

    /// The number of threads: 1.
    pub(crate) fn threads(&self) -> usize {
        1
    }
}
