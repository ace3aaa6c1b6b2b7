//! Small transpositions, a block that registers hold.

/// Addresses and distances, in elements, of a block and its transpose.
///
/// Row `i` of the block is at `from + i·from_row`, row `j` of its transpose
/// at `to + j·to_row`. Rows and columns are at most the arm's lanes. For the
/// functions that take a block to be sound, all of it must lie inside live
/// allocations that do not overlap.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) from: *const f32,
    pub(super) from_row: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) to: *mut f32,
    pub(super) to_row: usize,
}

/// The transposition of arms without one of their own.
///
/// # Safety
/// As [`Block`] says.
pub(super) unsafe fn plain(block: &Block) {
    for j in 0..block.columns {
        for i in 0..block.rows {
            // SAFETY: the caller's word.
            unsafe { *block.to.add(j * block.to_row + i) = *block.from.add(i * block.from_row + j) }
        }
    }
}
