//! Loop order *transposed*: `Cᵀ = Bᵀ·Aᵀ`, with vectors along the columns of C.
//!
//! For C with few columns. Tiles are computed in a buffer and transposed on their way
//! from and to C.

use super::{Piece, Task};
use crate::compute::gemm::kernel::{Ahead, MAX_ROWS, MicroKernel, Strided, Tiles};
use crate::compute::gemm::params::*;
use crate::compute::gemm::ranges::{Even, Fixed};
use crate::compute::gemm::{Start, packing};
use crate::compute::matrix::{MatMut, MatRef};

/// Maximum number of columns of a tile in the buffer.
const BUFFER_WIDTH: usize = 32;

/// Elements of the buffer.
const BUFFER: usize = MAX_ROWS * BUFFER_WIDTH;

impl Task<'_> {
    /// Computes the product into `c`, some rows of C after another.
    #[inline(never)]
    pub(super) fn transposed(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (lhs, rhs) = (self.b.t(), self.a.t());
        let (n, k, m) = (lhs.rows(), lhs.cols(), rhs.cols());
        let groups = Even::new(n, kernel.max_rows());
        let width = kernel.max_columns(groups.largest()).min(BUFFER_WIDTH);
        let pack = rhs.col_stride() != 1 || kernel.wants_whole_vectors() && m % kernel.lanes() != 0;
        let k_blocks = if !pack && m * k > LONG_A {
            Even::new(k, (LONG_A / m).clamp(KC_COLUMNS, KC_WHOLE))
        } else {
            Even::new(k, KC_WHOLE)
        };
        let mut buffer = [0.0; BUFFER];
        for (pc, kc) in k_blocks {
            let start = if pc == 0 { self.start } else { Start::C };
            for (j, columns) in Fixed::new(m, width) {
                let row = columns.next_multiple_of(kernel.lanes());
                let (b, b_row) = match pack {
                    true => {
                        let block = rhs.block(pc..pc + kc, j..j + columns);
                        pack_panel(block, width, kernel, packing)
                    }
                    false => (rhs.tail(pc, j), Some(rhs.row_stride())),
                };
                let ahead = self.ahead_transposed((pc, kc), (j, columns), pack);
                for (i, mr) in groups {
                    let tile = ((j, columns), (i, mr));
                    fill(&mut buffer[..], row, start, c, tile, kernel);
                    let tiles = Tiles {
                        rows: mr,
                        columns,
                        width,
                        k: kc,
                        a: Strided {
                            data: lhs.tail(i, pc),
                            row_stride: lhs.row_stride(),
                            k_stride: lhs.col_stride(),
                        },
                        b,
                        b_stride: b_row,
                        start: match start {
                            Start::Zero => Start::Zero,
                            Start::C | Start::Row(_) => Start::C,
                        },
                        ahead: if i == 0 { ahead } else { Ahead::NONE },
                    };
                    kernel.tiles(&tiles, &mut buffer, row);
                    let c_row = c.row_stride();
                    let tile = MatRef::with_row_stride(&buffer, mr, columns, row);
                    packing::transpose(kernel, tile, c.tail_mut(j, i), c_row);
                }
                if pc + kc == k {
                    self.finish(c, j..j + columns, 0..n);
                }
            }
        }
    }

    /// The block to prefetch while the tiles of `columns` rows of C, from `j` on, are
    /// computed.
    #[inline(always)]
    fn ahead_transposed(&self, (pc, kc): Piece, (j, columns): Piece, pack: bool) -> Ahead {
        let (m, k) = (self.a.rows(), self.a.cols());
        if m * k <= LONG_A {
            Ahead::NONE
        } else if pack {
            let next = self.a.tail(j + columns, pc);
            Ahead::new(next, columns, kc, self.a.row_stride())
        } else {
            // The share of these rows in the columns of A of the next block.
            let (first, end) = (kc * j / m, kc * (j + columns) / m);
            let next = self.a.tail(0, pc + kc + first);
            Ahead::new(next, end - first, m, self.a.col_stride())
        }
    }
}

/// Packs some columns of Aᵀ, and returns them with their row stride, or with `None` if they are
/// a panel.
#[inline(always)]
fn pack_panel<'p>(
    block: MatRef<'_>,
    width: usize,
    kernel: MicroKernel,
    packed: &'p mut [f32],
) -> (&'p [f32], Option<usize>) {
    if block.col_stride() == 1 {
        let row = packing::rows(block, packed);
        return (packed, Some(row));
    }
    packing::panels(kernel, block, width, packed);
    (packed, None)
}

/// Fills the buffer, whose rows are `row` apart, with what the chains of a tile start
/// from: some rows and columns of C transposed, or a row for all of them.
#[inline(always)]
fn fill(
    buffer: &mut [f32],
    row: usize,
    start: Start<'_>,
    c: &MatMut<'_>,
    ((j, columns), (i, mr)): (Piece, Piece),
    kernel: MicroKernel,
) {
    match start {
        Start::Zero => {}
        Start::C => {
            let source = c.as_ref().block(j..j + columns, i..i + mr);
            packing::transpose(kernel, source, buffer, row);
        }
        Start::Row(start) => {
            for (buffer, &x) in buffer.chunks_exact_mut(row).zip(&start[i..i + mr]) {
                buffer.fill(x);
            }
        }
    }
}
