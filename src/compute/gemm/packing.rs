//! Packing: copying a block of an operand into the order in which the micro-kernel reads it.

use super::kernel::MicroKernel;
use crate::compute::matrix::MatRef;

/// Packs a block of B whose columns are contiguous into panels of `width` columns, one after
/// another; the last one is as wide as the columns that are left, rounded up to whole
/// vectors. A panel has its rows one after another, filled up with zeros.
///
/// # Panics
/// Panics if the panels do not fit `packed`.
pub(super) fn panels(kernel: MicroKernel, block: MatRef<'_>, width: usize, packed: &mut [f32]) {
    let (k, n) = (block.rows(), block.cols());
    for j in (0..n).step_by(width) {
        let columns = width.min(n - j);
        let row = columns.next_multiple_of(kernel.lanes());
        let panel = &mut packed[j * k..][..row * k];
        if row > columns {
            panel.fill(0.0);
        }
        transpose(kernel, block.block(0..k, j..j + columns).t(), panel, row);
    }
}

/// Writes the transpose of `block` to `to`, whose rows are `to_row` apart.
///
/// # Panics
/// Panics if the transpose does not fit `to`, or if `block` is a transposed view.
pub(super) fn transpose(kernel: MicroKernel, block: MatRef<'_>, to: &mut [f32], to_row: usize) {
    let lanes = kernel.lanes();
    for i in (0..block.rows()).step_by(lanes) {
        let rows = lanes.min(block.rows() - i);
        for j in (0..block.cols()).step_by(lanes) {
            let columns = lanes.min(block.cols() - j);
            kernel.transpose(
                (rows, columns),
                (block.tail(i, j), block.row_stride()),
                (&mut to[j * to_row + i..], to_row),
            );
        }
    }
}

/// Packs the contiguous rows of `block`, and returns their stride in `packed`.
///
/// # Panics
/// Panics if `block` is a transposed view. Rows that do not fit `packed` are left out.
pub(super) fn rows(block: MatRef<'_>, packed: &mut [f32]) -> usize {
    let apart = apart(block.cols());
    for (i, packed) in (0..block.rows()).zip(packed.chunks_mut(apart)) {
        packed[..block.cols()].copy_from_slice(block.row(i));
    }
    apart
}

/// The stride of packed rows of `columns` elements: one cache line more than an even number
/// of them, so that neighbouring rows lie in different sets of the cache.
pub(super) const fn apart(columns: usize) -> usize {
    columns.next_multiple_of(32) + 16
}
