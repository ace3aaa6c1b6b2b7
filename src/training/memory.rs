//! The number of bytes that the parts of a run allocate, known before they do.
//!
//! Small things are not counted: the history, a few numbers for each layer, and what a data set
//! and its subsets hold already. A net, its gradient, its velocity: each is a *vector* of
//! as many `f32` as the net has parameters.

use crate::data::Distorter;
use crate::net::checked_params_len;
use crate::step::autotune::Autotuner;
use crate::step::workspace::Workspace;
use crate::training::config::{Batch, Config};

/// The number of bytes of `count` vectors of a net with layers of these widths; `usize::MAX`
/// if a `usize` cannot count them.
pub fn vector_bytes(widths: &[usize], count: usize) -> usize {
    let numbers = checked_params_len(widths).unwrap_or(usize::MAX);
    numbers
        .saturating_mul(count)
        .saturating_mul(size_of::<f32>())
}

/// The number of bytes that [`train`] allocates for a run on `examples` examples, besides
/// `workspace` and the net.
///
/// [`train`]: crate::training::train()
pub fn bytes_to_train(workspace: &Workspace, examples: usize, config: &Config) -> usize {
    // The run's own net, its velocity, the best net, an average (`Checkpoint::new`).
    let vectors = 3 + usize::from(config.average.is_some());
    let run = vector_bytes(workspace.widths(), vectors);
    run.saturating_add(bytes_to_resume(workspace, examples, config))
}

/// The number of bytes that [`resume`] allocates for a run on `examples` examples, besides
/// `workspace` and the run.
///
/// [`resume`]: crate::training::resume()
pub fn bytes_to_resume(workspace: &Workspace, examples: usize, config: &Config) -> usize {
    // An image has at most as many columns as pixels.
    let columns = workspace.widths()[0];
    let distortion = config.distortion.map_or(0, |_| Distorter::bytes(columns));
    let batch = match config.batch {
        Batch::Full => examples,
        Batch::Mini(batch) => batch,
    };
    // The order of the examples, and a mini-batch of it (`Order`).
    let order = 2_usize.saturating_mul(examples);
    let order = order.saturating_mul(size_of::<u32>());
    let shards = Autotuner::bytes(workspace, batch, config.defects);
    // The net with scaled weights, at the end of an epoch.
    let scaled = match config.dropout > 0.0 {
        true => vector_bytes(workspace.widths(), 1),
        false => 0,
    };
    let parts = [order, shards, distortion, scaled];
    parts.into_iter().fold(0, usize::saturating_add)
}

/// The number of bytes that [`choose_rate`] allocates, besides its workspace.
///
/// [`choose_rate`]: crate::training::choose_rate()
pub fn bytes_to_choose_rate(widths: &[usize]) -> usize {
    // `largest_curvature`: parameters that have moved, a direction, the gradients at both of
    // its ends. A rehearsal has fewer.
    vector_bytes(widths, 4)
}

/// The number of bytes that [`check_net`] allocates, besides its workspace.
///
/// [`check_net`]: crate::training::gradcheck::check_net()
#[cfg(feature = "std")]
pub fn bytes_to_check_gradient(widths: &[usize]) -> usize {
    // Parameters in double precision, and the indices of those of one tensor.
    let indices = size_of::<usize>() / size_of::<f32>();
    vector_bytes(widths, 2 + indices)
}

/// The number of bytes that a [`Monitor`] allocates, besides its workspace.
///
/// [`Monitor`]: crate::training::diagnosis::Monitor
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MonitorBytes {
    /// Bytes that the monitor keeps from its start on.
    pub kept: usize,
    /// Bytes that it allocates for its start, besides those that it keeps, and then releases.
    pub start: usize,
}

/// The number of bytes that a [`Monitor`] of a net with layers of these widths allocates,
/// besides its workspace.
///
/// [`Monitor`]: crate::training::diagnosis::Monitor
#[cfg(feature = "std")]
pub fn bytes_to_monitor(widths: &[usize]) -> MonitorBytes {
    MonitorBytes {
        // The parameters at the last measurement.
        kept: vector_bytes(widths, 1),
        start: bytes_to_check_gradient(widths).max(bytes_to_choose_rate(widths)),
    }
}
