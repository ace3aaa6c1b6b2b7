//! Loop order *in place*: vectors along the rows of C, and A and B read where they
//! lie.
//!
//! B is cut into blocks that stay in L2 while all rows of A pass over them. An
//! operand is packed only where it would lie badly in the caches.

use super::{Piece, Task};
use crate::compute::gemm::kernel::{Ahead, MicroKernel, Strided, Tiles};
use crate::compute::gemm::packing;
use crate::compute::gemm::params::*;
use crate::compute::gemm::ranges::Even;
use crate::compute::matrix::MatMut;

/// Choices common to all blocks of a product.
struct Plan {
    /// Columns of a tile.
    width: usize,
    pack_a: bool,
    pack_b: bool,
    /// Whether later parts of A are fetched ahead.
    fetch_a: bool,
    /// Whether later parts of C are fetched ahead.
    fetch_c: bool,
}

impl Task<'_> {
    /// Computes the product into `c`, a block of rows, k-indices and columns after
    /// another.
    #[inline(never)]
    pub(super) fn in_place(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (a, b) = (self.a, self.b);
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        let width = kernel.max_columns(Even::new(m, kernel.max_rows()).largest());
        let columns_of_a = a.col_stride() != 1;
        let is_large = self.multiply_adds() >= LARGE;
        let pack_b = b.col_stride() != 1
            || is_large && b.row_stride() % ALIASING == 0
            || kernel.wants_whole_vectors() && n % kernel.lanes() != 0;
        let pack_a = is_large && !columns_of_a && a.row_stride() % ALIASING == 0;
        let k_blocks = if columns_of_a && m * k > LONG_A {
            Even::new(k, KC_COLUMNS)
        } else if k > KC_WHOLE {
            Even::new(k, KC)
        } else {
            Even::new(k, KC_WHOLE)
        };
        let columns = Even::of_multiples(n, BLOCK_B / k_blocks.largest().max(1), width);
        let rows = if columns_of_a {
            m
        } else {
            BLOCK_A / packing::apart(k_blocks.largest())
        };
        let plan = Plan {
            width,
            pack_a,
            pack_b,
            fetch_a: !pack_a && m * k > LONG_A,
            // With a short k most of the time goes to C, which is only written.
            fetch_c: k <= KC_SHORT && m * n > FROM_MEMORY,
        };
        let (packed_a, packed_b) = packing.split_at_mut(BLOCK_A);
        for (ic, mc) in Even::new(m, rows) {
            for (pc, kc) in k_blocks {
                if pack_a {
                    packing::rows(a.block(ic..ic + mc, pc..pc + kc), packed_a);
                }
                for (jc, nc) in columns {
                    let b_row = if pack_b {
                        self.pack_b((pc, kc), (jc, nc), width, kernel, packed_b)
                    } else {
                        Some(b.row_stride())
                    };
                    let block = ((ic, mc), (pc, kc), (jc, nc));
                    self.block(&plan, block, packed_a, (packed_b, b_row), c, kernel);
                }
            }
        }
    }

    /// Packs a block of B. Returns the row stride of the packed block, or `None` if
    /// it lies in panels.
    fn pack_b(
        &self,
        (pc, kc): Piece,
        (jc, nc): Piece,
        width: usize,
        kernel: MicroKernel,
        packed: &mut [f32],
    ) -> Option<usize> {
        let block = self.b.block(pc..pc + kc, jc..jc + nc);
        if block.col_stride() != 1 {
            packing::panels(kernel, block, width, packed);
            return None;
        }
        Some(packing::rows(block, packed))
    }

    /// Computes the block of the product in some rows, k-indices and columns.
    #[inline]
    fn block(
        &self,
        plan: &Plan,
        ((ic, mc), (pc, kc), (jc, nc)): (Piece, Piece, Piece),
        packed_a: &[f32],
        (packed_b, b_row): (&[f32], Option<usize>),
        c: &mut MatMut<'_>,
        kernel: MicroKernel,
    ) {
        let (a, b) = (self.a, self.b);
        let start = self.start_at(pc, jc);
        for (ir, mr) in Even::new(mc, kernel.max_rows()) {
            let i = ic + ir;
            let lhs = if plan.pack_a {
                let row = packing::apart(kc);
                Strided {
                    data: &packed_a[ir * row..],
                    row_stride: row,
                    k_stride: 1,
                }
            } else {
                Strided {
                    data: a.tail(i, pc),
                    row_stride: a.row_stride(),
                    k_stride: a.col_stride(),
                }
            };
            let tiles = Tiles {
                rows: mr,
                columns: nc,
                width: plan.width,
                k: kc,
                a: lhs,
                b: if plan.pack_b {
                    packed_b
                } else {
                    b.tail(pc, jc)
                },
                b_stride: b_row,
                start,
                ahead: self.ahead(plan, (i, mr), (pc, kc), (jc, nc), c),
            };
            let c_row = c.row_stride();
            kernel.tiles(&tiles, c.tail_mut(i, jc), c_row);
            if pc + kc == a.cols() {
                self.finish(c, i..i + mr, jc..jc + nc);
            }
        }
    }

    /// The block to prefetch while a row of tiles is computed.
    #[inline(always)]
    fn ahead(
        &self,
        plan: &Plan,
        (i, mr): Piece,
        (pc, kc): Piece,
        (jc, nc): Piece,
        c: &mut MatMut<'_>,
    ) -> Ahead {
        let (a, m) = (self.a, self.a.rows());
        if plan.fetch_c {
            // The next rows of tiles would arrive too late.
            let c_row = c.row_stride();
            Ahead::new(c.tail_mut(i + 2 * mr, jc), mr, nc, c_row)
        } else if !plan.fetch_a {
            Ahead::NONE
        } else if a.col_stride() != 1 {
            // The share of these rows in the columns of A of the next block.
            let (first, end) = (kc * i / m, kc * (i + mr) / m);
            Ahead::new(a.tail(0, pc + kc + first), end - first, m, a.col_stride())
        } else {
            Ahead::new(a.tail(i + mr, pc), mr, kc, a.row_stride())
        }
    }
}
