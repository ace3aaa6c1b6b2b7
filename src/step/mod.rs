//! One training step, as fast as the threads and caches of the machine allow.
//!
//! With B examples, D inputs, H hidden units and C classes, a step of a net with one
//! hidden layer is
//!
//! ```text
//! forward                               backward
//!   A  = σ(Z1), Z1 = b1 + X·W1   B×H      dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1)             B×H
//!   Z2 = b2 + A·W2               B×C      dW2 = Aᵀ·dZ2    db2 = Σ rows dZ2   H×C, C
//!   dZ2 = (softmax(Z2) − Y) / B  B×C      dW1 = Xᵀ·dZ1    db1 = Σ rows dZ1   D×H, H
//!                                       update, of each parameter w of gradient g
//!                                         v ← μ·v − η·g,  w ← w + v
//! ```
//!
//! A [`Strategy`] says how threads share it out. None changes a bit of any result,
//! because every element of a product is one chain of sums in a fixed order, whoever
//! computes it. Which strategy is the fastest depends on the net, on the batch, and on
//! how long a cache line takes from core to core: a factor of ten between machines, and
//! on a virtual machine from minute to minute. So training tries some strategies now and
//! then, and uses the fastest. The first row that fits says which ones it tries:
//!
//! | hidden layers | lines of units | pixels | batch | threads | tried strategies |
//! |---|---|---|---|---|---|
//! | any | any | any | any | 1 | `single-thread` |
//! | any | any | any | > 256 | any | `data-parallel` |
//! | ≠ 1 | any | any | any | any | `single-thread`, `data-parallel` |
//! | 1 | ≥ 2 | ≥ 128 | ≥ 12 | 2 | `single-thread`, `column-parallel`, `row-parallel` |
//! | 1 | 1 | ≥ 128 | ≥ 12 | 2 | `single-thread`, `row-parallel` |
//! | 1 | ≥ threads | any | any | any | `single-thread`, `column-parallel` |
//! | 1 | ≥ 2 | any | any | any | `single-thread`, `data-parallel`, `column-parallel` |
//! | 1 | 1 | any | any | any | `single-thread`, `data-parallel` |
//!
//! A line of units is a cache line, 16 hidden units. *Threads* are those that there are,
//! and no more than one for each 131 072 multiply-adds of a dense step. A net that makes
//! mistakes on purpose counts as one with other than one hidden layer.
//!
//! The single-threaded strategy keeps a net with one hidden layer as one shard
//! (`sharded`) where batches are at most 256 examples; otherwise it passes all examples,
//! then all parameters ([`Workspace::step`]).
//!
//! [`Workspace::step`]: workspace::Workspace::step

pub(crate) mod autotune;
mod batch;
mod column_parallel;
mod data_parallel;
mod evaluation;
mod examination;
mod gradients;
mod inference;
mod loss_sum;
mod mean_probabilities;
mod memory;
mod pass;
#[cfg(feature = "rayon")]
mod row_parallel;
mod scratch;
mod shard;
mod sharded;
mod strategy;
mod targets;
pub mod workspace;

pub use examination::Examination;
pub use mean_probabilities::MeanProbabilities;
pub use strategy::{Strategy, StrategyError};
