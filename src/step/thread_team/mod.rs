//! A team of threads that stays together from step to step.
//!
//! A training step hands out work two or three times, some ten microseconds of it each
//! time, which is as long as it takes to wake a thread. So the threads of a team wait
//! awake for a while, then they let others run, and after some milliseconds without
//! work they sleep. Nothing depends on them: the thread that hands out work takes
//! pieces of it too, and all of them where no other thread gets to run, be it that the
//! machine is busy or that it has one core. While they belong to the team, the threads
//! do nothing else that the rayon pool is asked for.

#[cfg(not(feature = "rayon"))]
mod single_thread;
#[cfg(all(test, feature = "rayon"))]
mod tests;
#[cfg(feature = "rayon")]
mod threads;

#[cfg(not(feature = "rayon"))]
pub(crate) use single_thread::Team;
#[cfg(all(test, feature = "rayon"))]
pub(crate) use tests::in_pool;
#[cfg(feature = "rayon")]
pub(crate) use threads::{MAX_PIECES, Team, locked};
