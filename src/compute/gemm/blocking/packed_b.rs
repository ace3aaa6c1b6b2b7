//! Loop order *packed B*: vectors along the rows of C, out of packed panels of B.
//!
//! Each tile reads a panel of B from one end to the other, and a block of A stays in
//! L2 while all panels pass by. That pays where vectors are short and L2 is small.

use super::{Piece, Task};
use crate::compute::gemm::kernel::{MicroKernel, Panel, Strided, TileColumn};
use crate::compute::gemm::packing;
use crate::compute::gemm::params::*;
use crate::compute::gemm::ranges::{Even, Fixed};
use crate::compute::matrix::MatMut;

/// The state of the panels of a block of B.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Panels {
    /// No panels: B stays in L1 as it is.
    None,
    /// Panels that are packed already.
    Packed,
    /// Panels to be packed by the tiles that read them first.
    ToPack,
}

impl Task<'_> {
    /// Whether packed panels of B are worth it: not where a long A streams by once or
    /// twice only, which in-place tiles fetch ahead.
    pub(super) fn is_worth_panels(&self, kernel: MicroKernel) -> bool {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        let width = kernel.panel_columns();
        let is_streamed = m * k > FROM_MEMORY && n <= 2 * width;
        kernel.has_panels() && m >= 16 && k >= 8 && !is_streamed
    }

    /// Whether B stays in L1 as it is, and its rows are whole vectors.
    fn has_small_b(&self, kernel: MicroKernel) -> bool {
        let b = self.b;
        let is_whole = b.col_stride() == 1 && b.cols().is_multiple_of(kernel.lanes());
        is_whole && b.rows() * b.row_stride() <= PANEL_B
    }

    /// Computes the product into `c`, panel by panel of B.
    #[inline(never)]
    pub(super) fn packed_b(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (a, b) = (self.a, self.b);
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        let columns_of_a = a.col_stride() != 1;
        let width = kernel.panel_columns();
        let long_columns = columns_of_a && m * k > LONG_A;
        let pack_a = long_columns && n > 2 * width;
        let pack_b = !self.has_small_b(kernel);
        let k_groups = Even::new(k, if long_columns { KC_COLUMNS } else { KC_GROUP });
        let longest = k_groups.largest().min(KC_WHOLE);
        let columns = Even::of_multiples(n, PANELS / k_groups.largest(), width);
        let rows = Even::of_multiples(m, PASSING_A / longest, kernel.max_rows());
        let (packed_a, packed_b) = packing.split_at_mut(BLOCK_A);
        let packed_b = from_cache_line(packed_b);
        for (jc, nc) in columns {
            let across = nc.next_multiple_of(kernel.lanes());
            for (gc, gk) in k_groups {
                let k_blocks = Even::new(gk, KC_WHOLE);
                // A row-major B is packed by the tiles, a transposed one beforehand.
                for (pc, kc) in k_blocks.filter(|_| pack_b && b.col_stride() != 1) {
                    let block = b.block(gc + pc..gc + pc + kc, jc..jc + nc);
                    packing::panels(kernel, block, width, &mut packed_b[pc * across..]);
                }
                for (ic, mc) in rows {
                    let state = match pack_b {
                        false => Panels::None,
                        true if ic > 0 || b.col_stride() != 1 => Panels::Packed,
                        true => Panels::ToPack,
                    };
                    for (pc, kc) in k_blocks {
                        let block = ((ic, mc), (gc + pc, kc), (jc, nc));
                        let lhs = if pack_a {
                            let block = a.block(ic..ic + mc, gc + pc..gc + pc + kc);
                            Strided {
                                row_stride: 1,
                                k_stride: packing::rows(block.t(), packed_a),
                                data: packed_a,
                            }
                        } else {
                            Strided {
                                data: a.tail(ic, gc + pc),
                                row_stride: a.row_stride(),
                                k_stride: a.col_stride(),
                            }
                        };
                        let panels = (state, &mut packed_b[pc * across..]);
                        self.block_of_panels(block, lhs, panels, c, kernel);
                    }
                    if gc + gk == k {
                        self.finish(c, ic..ic + mc, jc..jc + nc);
                    }
                }
            }
        }
    }

    /// Computes the block of the product in some rows, k-indices and columns.
    fn block_of_panels(
        &self,
        ((ic, mc), (pc, kc), (jc, nc)): (Piece, Piece, Piece),
        a: Strided<'_>,
        (state, packed): (Panels, &mut [f32]),
        c: &mut MatMut<'_>,
        kernel: MicroKernel,
    ) {
        let b = self.b;
        let width = kernel.panel_columns();
        for (jr, columns) in Fixed::new(nc, width) {
            let start = self.start_at(pc, jc + jr);
            let mut state = state;
            let most = kernel.panel_rows(columns);
            for (ir, count, rows) in Even::new(mc, most).runs() {
                let whole = columns.next_multiple_of(kernel.lanes());
                let place = jr * kc..jr * kc + whole * kc;
                let in_b = (b.tail(pc, jc + jr), b.row_stride());
                let ((b, b_row), panel) = match state {
                    Panels::None => (in_b, Panel::Packed),
                    Panels::Packed => ((&packed[place], whole), Panel::Packed),
                    Panels::ToPack => {
                        let panel = &mut packed[place];
                        let next = self.after((pc, kc), (jc, nc), jr, width);
                        (in_b, Panel::Pack { panel, next })
                    }
                };
                let tiles = TileColumn {
                    count,
                    rows,
                    columns,
                    k: kc,
                    a: Strided {
                        data: &a.data[ir * a.row_stride..],
                        ..a
                    },
                    b,
                    b_stride: b_row,
                    start,
                };
                let c_row = c.row_stride();
                kernel.column(&tiles, panel, c.tail_mut(ic + ir, jc + jr), c_row);
                if state == Panels::ToPack {
                    state = Panels::Packed;
                }
            }
        }
    }

    /// The rows of B that are packed after the panel from column `jr` of a block on,
    /// or that panel's own rows if it is the last one or all of B stays in L2.
    fn after(&self, (pc, kc): Piece, (jc, nc): Piece, jr: usize, width: usize) -> &[f32] {
        let (k, n) = (self.b.rows(), self.b.cols());
        let is_far = k * self.b.row_stride() > BLOCK_B;
        if is_far && jr + width < nc {
            self.b.tail(pc, jc + jr + width)
        } else if is_far && pc + kc < k {
            self.b.tail(pc + kc, jc)
        } else if is_far && jc + nc < n {
            self.b.tail(0, jc + nc)
        } else {
            self.b.tail(pc, jc + jr)
        }
    }
}

/// The end of a buffer that begins with a cache line.
fn from_cache_line(buffer: &mut [f32]) -> &mut [f32] {
    let skipped = buffer.as_ptr().align_offset(LINE_BYTES).min(buffer.len());
    &mut buffer[skipped..]
}
