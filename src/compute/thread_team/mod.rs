//! A team of threads that stays together from step to step, and from product to product.
//!
//! A training step hands out work two or three times, some ten microseconds of it each
//! time, and to wake a thread takes 20 to 60. So the threads of a team wait
//! awake for a while, then they let others run, and after some milliseconds without
//! work they sleep until there is some. Nothing depends on them: the thread that hands
//! out work takes pieces of it too, and all of them where no other thread gets to run,
//! be it that the machine is busy, that it has one core, or that no thread could be
//! started.
//!
//! The threads are the team's own. A pool's, of rayon for example, would be missing
//! there while they wait: two teams that hold all threads of a pool, each of whose
//! holders waits for a job in that pool, would wait for each other for ever.

#[cfg(not(feature = "rayon"))]
mod single_thread;
#[cfg(feature = "rayon")]
mod team;
#[cfg(all(test, feature = "rayon"))]
mod tests;
#[cfg(feature = "rayon")]
mod threads;
mod work;

#[cfg(not(feature = "rayon"))]
pub(crate) use single_thread::{Team, Threads};
#[cfg(feature = "rayon")]
pub(crate) use team::{MAX_PIECES, Team, locked};
#[cfg(feature = "rayon")]
pub(crate) use threads::Threads;
pub(crate) use work::{Work, share_out, split_fields};

/// Multiply-adds for each thread that must be started or woken first. To wake a thread takes
/// some 50 µs (20 to 60, docs/performance.md), as many multiply-adds 80 µs at 200 GFLOP/s.
pub(crate) const WORK_PER_WOKEN_THREAD: usize = 1 << 23;
