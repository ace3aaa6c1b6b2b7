//! Loop order *narrow*: vectors along the columns of C, and nothing packed.
//!
//! For C with few columns and row-major operands, where the instruction set has
//! registers to transpose A in.

use super::Task;
use crate::compute::gemm::kernel::MicroKernel;
use crate::compute::gemm::params::{LONG_A, NARROW_ROWS};
use crate::compute::gemm::ranges::Fixed;
use crate::compute::matrix::MatMut;

impl Task<'_> {
    /// Computes the product into `c`, some rows after another.
    #[inline(never)]
    pub(super) fn narrow(&self, c: &mut MatMut<'_>, kernel: MicroKernel) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        let most = match self.epilogue {
            Some(_) => NARROW_ROWS,
            None => m,
        };
        for (i, rows) in Fixed::new(m, most) {
            let a = self.a.block(i..i + rows, 0..k);
            let mut part = c.block(i..i + rows, 0..n);
            kernel.narrow(a, self.b, self.start, &mut part, m * k > LONG_A);
            self.finish(c, i..i + rows, 0..n);
        }
    }
}
