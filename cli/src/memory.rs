//! Refuses what there is not enough memory for, before it begins.
//!
//! Most allocations abort the process where they fail, those of other crates too. So each
//! command says beforehand how much it is going to allocate; the sum is reserved and released
//! again, with some room for small things.

use crate::failure::Failure;
use crate::output::report::grouped;
use handwritten::Workspace;
use handwritten::compute::memory::check_available;
use handwritten::training::memory::bytes_to_monitor;
use std::fmt::Display;
use std::fs;
use std::{hint, mem, thread};

/// Bytes that stay available for what is not counted: messages, lines of tables, buffers of
/// decoders and encoders.
const SMALL_THINGS: usize = 8 << 20;

/// Bytes for drawing the results: pixels of a picture, the text of the others, fonts.
pub(crate) const PICTURES: usize = 32 << 20;

/// Bytes of address space of a thread: its stack, 2 MiB by default in Rust's standard library,
/// and the pages around it.
const STACK: usize = (2 << 20) + (1 << 16);

/// Bytes of address space that the allocator of glibc reserves for an instant when a thread
/// allocates for the first time: twice its HEAP_MAX_SIZE, 64 MiB on 64-bit systems, of which
/// it keeps an aligned half. A thread that does not get them asks again with each allocation,
/// and may take what another thread needs at that instant.
const ARENA: usize = if cfg!(target_env = "gnu") {
    128 << 20
} else {
    0
};

/// Free memory that the allocator keeps, in blocks that it does not return to the system.
const BLOCKS: usize = 64;
const BLOCK: usize = 64 << 10;

/// Maximum number of arenas of glibc for each core, its default of M_ARENA_MAX on 64-bit
/// systems; further threads share them.
const ARENAS_PER_CORE: usize = 8;

/// Checks that there is memory for small things, and has the allocator keep some of it. While
/// a thread starts, glibc reserves [`ARENA`] for an instant; with a limit of the address
/// space, another thread that asks for a few bytes then would find none.
///
/// # Errors
/// Says that there is not enough memory.
pub(crate) fn keep_free_blocks() -> Result<(), Failure> {
    require(0, "begin")?;
    let block = || hint::black_box(Vec::<u8>::with_capacity(BLOCK));
    let blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| block()).collect();
    // The last block stays: free memory that nothing lies above is returned to the system.
    mem::forget(block());
    drop(blocks);
    Ok(())
}

/// Checks that `bytes` bytes are available and some more for small things.
///
/// # Errors
/// Says that there is not enough memory to do `what`, such as `read a file`.
pub(crate) fn require(bytes: usize, what: impl Display) -> Result<(), Failure> {
    let bytes = bytes.saturating_add(SMALL_THINGS);
    check_available(bytes).map_err(|_| {
        Failure::new(format!(
            "there is not enough memory to {what}: it takes at least {} MiB",
            grouped((bytes >> 20) as u64)
        ))
    })
}

/// Bytes of a training with its diagnosis besides net and workspace: the `run` as
/// `training::memory` counts it, and the monitor with a workspace for one thread. What
/// the start of the monitor allocates is released before `later` bytes are allocated.
pub(crate) fn of_monitored_training(widths: &[usize], run: usize, later: usize) -> usize {
    let monitor = bytes_to_monitor(widths);
    let most = monitor.start.max(later);
    let all = [run, Workspace::bytes(widths, 1), monitor.kept, most];
    all.into_iter().fold(0, usize::saturating_add)
}

/// Bytes of address space that so many threads take which have not been started.
pub(crate) fn address_space_of_threads(threads: usize) -> usize {
    // Without a limit nobody lacks address space, and there may be less memory.
    let arenas = match has_limit() {
        true => threads.min(ARENAS_PER_CORE * cores()),
        false => 0,
    };
    let stacks = threads.saturating_mul(STACK);
    stacks.saturating_add(arenas.saturating_mul(ARENA))
}

/// Whether the address space of the process is limited (`ulimit -v`), where the system tells.
fn has_limit() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = limits.lines();
    let limit = lines.find_map(|line| line.strip_prefix("Max address space"));
    limit.is_some_and(|limit| !limit.trim_start().starts_with("unlimited"))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Has the allocator reserve what it reserves when a thread allocates for the first time, so
/// that what is found to be available later remains so.
pub(crate) fn reserve_arena() {
    drop(hint::black_box(vec![0_u8; 64]));
}
