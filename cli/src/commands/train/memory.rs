//! Refuses nets for which there is not enough memory.

use crate::failure::Failure;
use crate::output::report::{dashed, grouped};
use handwritten::net::params_len;
use std::hint;

/// Numbers that a training holds for each parameter, while it saves itself.
///
/// Measured as peak memory it is one to three more: activations and buffers that grow
/// are not counted.
fn numbers_per_parameter(widths: &[usize], threads: usize) -> usize {
    // Net, velocity, best net.
    let run = 3;
    // A gradient in each of two workspaces; the weights of the last epoch.
    let (workspaces, diagnosis) = (2, 1);
    // Parameters, velocities and gradients of each strategy that keeps the net in
    // shards: one for one thread, two more for several.
    let strategies = match (widths.len(), threads) {
        (3, 1) => 1,
        (3, _) => 3,
        _ => 0,
    };
    // A copy of run and diagnosis, and the bytes of the file: those of the diagnosis
    // once more, because the file is put together of two parts.
    let saving = (run + diagnosis) + (run + 2 * diagnosis);
    run + workspaces + diagnosis + 3 * strategies + saving
}

/// Refuses a net whose training would be aborted later for lack of memory.
pub(super) fn refuse_without(widths: &[usize], threads: usize) -> Result<(), Failure> {
    let numbers = params_len(widths).saturating_mul(numbers_per_parameter(widths, threads));
    let bytes = numbers.saturating_mul(size_of::<f32>());
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(bytes);
    // Without this the compiler may remove the allocation.
    hint::black_box(&all);
    reserved.map_err(|_| {
        Failure::new(format!(
            "there is not enough memory to train a net {}: it takes at least {} MiB",
            dashed(widths),
            grouped((bytes >> 20) as u64)
        ))
    })
}
