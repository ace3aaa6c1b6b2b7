//! Refuses nets for which there is not enough memory.

use crate::failure::Failure;
use crate::output::report::{dashed, grouped};
use handwritten::net::params_len;
use std::hint;

const NUMBERS_PER_PARAMETER: usize = 21;

/// Refuses a net whose training would be aborted for lack of memory.
pub(super) fn refuse_without(widths: &[usize]) -> Result<(), Failure> {
    let bytes = params_len(widths).saturating_mul(NUMBERS_PER_PARAMETER * size_of::<f32>());
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(bytes);
    // Without this the compiler may remove the allocation.
    hint::black_box(&all);
    reserved.map_err(|_| {
        Failure::new(format!(
            "there is not enough memory to train a net {}: it takes up to {} MiB",
            dashed(widths),
            grouped((bytes >> 20) as u64)
        ))
    })
}
