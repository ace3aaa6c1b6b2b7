//! The loops over the blocks of a product, on one thread: a file for each loop order.
//!
//! [`Task::compute`] chooses the loop order by shape and layout; the page of
//! [`gemm`](super) has the table, and `tests.rs` holds it to the code. The choice changes no
//! bit: in every loop order an element of C is the same chain over k.

mod in_place;
mod narrow;
mod packed_b;
mod sparse;
#[cfg(test)]
mod tests;
mod transposed;

use super::kernel::MicroKernel;
use super::params::KC_SHORT;
use super::{Epilogue, SparseK, Start};
use crate::compute::matrix::{MatMut, MatRef};
use core::ops::Range;

/// A range of rows, k-indices or columns: the first, and how many.
type Piece = (usize, usize);

/// The loop orders of products of all k-indices, each in a file of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LoopOrder {
    Narrow,
    Transposed,
    PackedB,
    InPlace,
}

/// A product, or the rows or columns of it that one thread computes.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// m×k.
    pub(super) a: MatRef<'a>,
    /// k×n.
    pub(super) b: MatRef<'a>,
    /// The k-indices that are taken; all if `None`.
    pub(super) sparse_k: Option<SparseK<'a>>,
    pub(super) start: Start<'a>,
    pub(super) epilogue: Option<&'a Epilogue<'a>>,
    /// The row of the whole C that is row 0 of this task's C.
    pub(super) first_row: usize,
    /// The column of the whole C that is column 0 of this task's C.
    pub(super) first_column: usize,
}

impl Task<'_> {
    /// Computes all k-indices into `c`, m×n. `packing` holds
    /// [`Context::packing_len`](super::Context::packing_len) elements of one thread.
    #[inline]
    pub(super) fn compute(&self, mut c: MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (m, n) = (self.a.rows(), self.b.cols());
        if m == 0 || n == 0 {
            return;
        }
        // Each is kept out of line, so that a small product pays for one stack frame only.
        match self.loop_order(kernel) {
            LoopOrder::Narrow => self.narrow(&mut c, kernel),
            LoopOrder::Transposed => self.transposed(&mut c, kernel, packing),
            LoopOrder::PackedB => self.packed_b(&mut c, kernel, packing),
            LoopOrder::InPlace => self.in_place(&mut c, kernel, packing),
        }
    }

    /// Chooses the loop order of a product of all k-indices.
    #[inline(always)]
    fn loop_order(&self, kernel: MicroKernel) -> LoopOrder {
        let is_row_major = self.a.col_stride() == 1 && self.b.col_stride() == 1;
        if self.is_narrow(kernel) && kernel.has_narrow(self.b.cols()) && is_row_major {
            LoopOrder::Narrow
        } else if self.is_narrow(kernel) {
            LoopOrder::Transposed
        } else if self.is_worth_panels(kernel) {
            LoopOrder::PackedB
        } else {
            LoopOrder::InPlace
        }
    }

    /// Whether the columns of C are so few that they would leave lanes of their
    /// vectors empty, while vectors along the rows of C are full.
    ///
    /// Vectors along the rows need A transposed, which costs short vectors more than
    /// empty lanes do, and C transposed, which counts where k is short.
    pub(super) fn is_narrow(&self, kernel: MicroKernel) -> bool {
        let (m, n, lanes) = (self.a.rows(), self.b.cols(), kernel.lanes());
        let is_short = self.a.col_stride() == 1 || self.a.cols() <= KC_SHORT;
        let is_too_dear = kernel.has_panels() && is_short;
        n < 2 * lanes && 4 * n <= 3 * n.next_multiple_of(lanes) && m >= lanes && !is_too_dear
    }

    /// The number of multiply-adds, m·k·n, or `usize::MAX` if there are more.
    pub(super) fn multiply_adds(&self) -> usize {
        let of_a = self.a.rows() * self.a.cols();
        of_a.saturating_mul(self.b.cols())
    }

    /// Start of the block at k-index `p` and column `j`.
    #[inline(always)]
    fn start_at(&self, p: usize, j: usize) -> Start<'_> {
        match self.start {
            _ if p > 0 => Start::C,
            Start::Row(row) => Start::Row(&row[j..]),
            start => start,
        }
    }

    /// Passes rows of C whose sums are complete in `columns` to the epilogue, if
    /// there is one.
    #[inline(always)]
    fn finish(&self, c: &mut MatMut<'_>, rows: Range<usize>, columns: Range<usize>) {
        if let Some(epilogue) = self.epilogue {
            for i in rows {
                let part = &mut c.row_mut(i)[columns.clone()];
                epilogue(self.first_row + i, self.first_column + columns.start, part);
            }
        }
    }

    /// Asserts that A, B, the start and `c` have shapes that fit together.
    #[inline]
    pub(super) fn assert_shapes(&self, c: &MatMut<'_>) {
        let Self { a, b, .. } = self;
        assert!(
            a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols(),
            "product of {}×{} and {}×{} into {}×{}",
            a.rows(),
            a.cols(),
            b.rows(),
            b.cols(),
            c.rows(),
            c.cols()
        );
        if let Start::Row(row) = self.start {
            assert!(
                row.len() == c.cols(),
                "{} elements for rows of {}",
                row.len(),
                c.cols()
            );
        }
        if self.sparse_k.is_some() {
            assert!(
                b.col_stride() == 1 || b.cols() <= 1,
                "a sparse product with a transposed B"
            );
        }
    }
}
