//! Block sizes, in elements, and the caches that they fit.
//!
//! No choice here changes a bit of any product; only its speed depends on it.

use crate::compute::aligned::CACHE_LINE;

/// A block of B, packed or where it lies, 512 KiB: it stays in L2 while all
/// groups of rows of a block of A pass over it.
pub(super) const BLOCK_B: usize = 1 << 17;

/// A block of A, 2 MiB: it comes from L3 once for every block of B.
pub(super) const BLOCK_A: usize = 1 << 19;

/// Memory for a packed block of B, whose rows may be longer than its columns,
/// and which may begin with a cache line.
pub(super) const PACKED_B: usize = BLOCK_B + 64 * KC_WHOLE + CACHE_LINE;

/// The bytes of a cache line.
pub(super) const LINE_BYTES: usize = CACHE_LINE * size_of::<f32>();

/// Steps of k in a block, where k is cut: fourteen rows of A (29 KiB) stay in
/// L1 while B passes.
pub(super) const KC: usize = 528;

/// Up to so many steps k is not cut, so that C passes through the caches once:
/// the 784 pixels of a digit are one block.
pub(super) const KC_WHOLE: usize = 800;

/// Steps of k in a block where the columns of A are contiguous and A is long:
/// a row of 784 pixels for each step, all of them in L2 (400 KiB).
pub(super) const KC_COLUMNS: usize = 128;

/// From so many multiply-adds on operands are packed that lie badly in the
/// caches. Below, packing costs more than it brings.
pub(super) const LARGE: usize = 1 << 27;

/// Steps of k whose panels are packed together, so that C is still in the caches
/// when the next of these panels comes.
pub(super) const KC_GROUP: usize = 1024;

/// Panels that are packed together, 256 KiB.
pub(super) const PANELS: usize = 1 << 16;

/// A B of no more elements than this (16 KiB) stays in L1 as it is.
pub(super) const PANEL_B: usize = 1 << 12;

/// A block of A that stays in L2 while panels of B pass by, 64 KiB: what else
/// runs on the core takes its part.
pub(super) const PASSING_A: usize = 1 << 14;

/// A multiple of this between the rows of an operand, and many of them share a
/// few sets of L1 (4 KiB from one address to the next of the same set).
pub(super) const ALIASING: usize = 512;

/// A matrix of more elements than this (16 MiB) comes from memory.
pub(super) const FROM_MEMORY: usize = 1 << 22;

/// With no more steps of k than this, C takes as much time as its sums: one that
/// comes from memory is fetched ahead too, and none is worth being transposed.
pub(super) const KC_SHORT: usize = 64;

/// A B of more elements than this (256 KiB) leaves L1 between one tile of listed
/// steps and the next, and is fetched ahead.
pub(super) const LONG_B: usize = 1 << 16;

/// An A of more elements than this does not stay in L2, and is fetched ahead.
pub(super) const LONG_A: usize = 1 << 17;

/// Rows of C with few columns that stay in L1 until the epilogue has them.
pub(super) const NARROW_ROWS: usize = 64;

/// Fewer multiply-adds than this are not worth a second thread: a product of
/// half a million takes some four microseconds, and handing half of them over
/// costs one or more. One row takes four times as long for as many, since it
/// reads all of B for itself; half of this is worth a thread then.
#[cfg(feature = "rayon")]
pub(super) const SERIAL_BELOW: usize = 1 << 19;
