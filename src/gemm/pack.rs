//! Packing: a block of an operand, laid out in the order in which the
//! micro-kernel reads it.

use super::kernel::MicroKernel;
use crate::matrix::MatRef;

/// Copies a block of B into panels of `width` columns, the last one as wide as
/// what is left, rounded up to whole vectors with zeros between.
///
/// A panel has its rows one after another: with `inner` those that it names,
/// else all of the block's.
///
/// # Panics
/// Panics if the panels do not fit `packed`.
pub(super) fn vectors(
    kernel: MicroKernel,
    block: MatRef<'_>,
    inner: Option<&[u32]>,
    width: usize,
    packed: &mut [f32],
) {
    let k = inner.map_or(block.rows(), <[u32]>::len);
    let n = block.cols();
    for j in (0..n).step_by(width) {
        let columns = width.min(n - j);
        let row = columns.next_multiple_of(kernel.lanes());
        let panel = &mut packed[j * k..][..row * k];
        if row > columns {
            panel.fill(0.0);
        }
        let block = block.block(0..block.rows(), j..j + columns);
        if let (None, false) = (inner, block.col_stride() == 1) {
            transpose(kernel, block.t(), panel, row);
            continue;
        }
        for (p, to) in panel.chunks_exact_mut(row).enumerate() {
            let to = &mut to[..columns];
            match inner {
                None => copy(to, block.row(p)),
                Some(inner) => {
                    for (j, to) in to.iter_mut().enumerate() {
                        *to = block.at(inner[p] as usize, j);
                    }
                }
            }
        }
    }
}

/// Writes the transpose of `block`, its rows `to_row` apart.
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

/// Copies contiguous rows of `block`, those that `chosen` names in turn, and
/// returns how far apart they are then.
pub(super) fn rows(
    block: MatRef<'_>,
    chosen: impl Iterator<Item = usize>,
    packed: &mut [f32],
) -> usize {
    let apart = apart(block.cols());
    for (i, packed) in chosen.zip(packed.chunks_mut(apart)) {
        packed[..block.cols()].copy_from_slice(block.row(i));
    }
    apart
}

/// From a packed row to the next: one cache line more than an even number of
/// them, so that neighbouring rows lie in different sets.
pub(super) const fn apart(columns: usize) -> usize {
    columns.next_multiple_of(32) + 16
}

/// A copy of few elements, without the call that a long one is.
#[inline]
fn copy(to: &mut [f32], from: &[f32]) {
    let (to, to_rest) = to.as_chunks_mut::<4>();
    let (from, from_rest) = from.as_chunks::<4>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
