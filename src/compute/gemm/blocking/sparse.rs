//! Loop order *sparse k*: some k-indices only, and nothing packed.

use super::Task;
use crate::compute::gemm::SparseK;
use crate::compute::gemm::kernel::{MicroKernel, SparseTiles, Strided};
use crate::compute::matrix::MatMut;

impl Task<'_> {
    /// Computes the terms of the product whose k-indices are in `lists` into `c`.
    #[inline(always)]
    pub(in crate::compute::gemm) fn sparse_k(
        &self,
        lists: SparseK<'_>,
        mut c: MatMut<'_>,
        kernel: MicroKernel,
    ) {
        let (a, b) = (self.a, self.b);
        let product = SparseTiles {
            rows: a.rows(),
            columns: b.cols(),
            k: a.cols(),
            lists,
            a: Strided {
                data: a.tail(0, 0),
                row_stride: a.row_stride(),
                k_stride: a.col_stride(),
            },
            b: b.tail(0, 0),
            b_stride: b.row_stride(),
            start: self.start,
        };
        let c_row = c.row_stride();
        kernel.sparse_k(&product, c.tail_mut(0, 0), c_row);
        self.finish(&mut c, 0..a.rows(), 0..b.cols());
    }
}
