//! One training step, as fast as the threads and caches of the machine allow.

pub(crate) mod autotune;
mod batch;
mod column_parallel;
#[cfg(feature = "rayon")]
mod row_parallel;
mod shard;
#[cfg_attr(
    not(feature = "rayon"),
    expect(dead_code, reason = "one thread splits nothing")
)]
mod share;
pub(crate) mod thread_team;
pub mod workspace;
