//! Transposing a block of at most as many rows and columns as a vector has lanes.

/// A block and its transpose, as [`Kernel::transpose`](super::Kernel::transpose) takes
/// them: pointers, and strides in elements.
///
/// Row `i` of the block is at `from + i·from_row` and has `columns` elements; row `j` of its
/// transpose is at `to + j·to_row` and has `rows` elements.
///
/// The functions that take a block are sound if all of these rows lie inside live
/// allocations, nothing else refers to those of the transpose, and `rows` and `columns` are
/// from 1 to the lanes of a vector.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) from: *const f32,
    pub(super) from_row: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) to: *mut f32,
    pub(super) to_row: usize,
}

/// Transposes a block element by element, for instruction sets without a function of their
/// own.
///
/// # Safety
/// The block is as [`Block`] says.
pub(super) unsafe fn plain(block: &Block) {
    for j in 0..block.columns {
        for i in 0..block.rows {
            // SAFETY: row `i < rows` of the block has `columns > j` elements, row `j` of the
            // transpose has `rows > i`, and nothing else refers to the transpose.
            unsafe { *block.to.add(j * block.to_row + i) = *block.from.add(i * block.from_row + j) }
        }
    }
}
