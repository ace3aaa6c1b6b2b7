//! The stand-in for a team of threads in builds without them.

use core::marker::PhantomData;

/// No threads beside the calling one.
#[derive(Clone, Default)]
pub(crate) struct Threads;

impl Threads {
    /// The threads of a team that `threads` are asked for: 1.
    pub(crate) fn available(_threads: usize) -> usize {
        1
    }

    /// A team of the calling thread, whatever `threads` is.
    pub(crate) fn team(&mut self, _threads: usize) -> Team<'_> {
        Team(PhantomData)
    }
}

/// A team of the calling thread.
pub(crate) struct Team<'a>(PhantomData<&'a ()>);

impl Team<'_> {
    /// A team of the calling thread.
    pub(crate) fn alone(&mut self) -> Team<'_> {
        Team(PhantomData)
    }

    /// The number of threads: 1.
    pub(crate) fn threads(&self) -> usize {
        1
    }
}
