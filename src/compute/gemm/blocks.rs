//! The loops over blocks of a product, on one thread.

use super::kernel::{Ahead, Column, Listed, MAX_ROWS, MicroKernel, Panel, Strided, Tiles};
use super::packing;
use super::params::*;
use super::ranges::{Even, Fixed};
use super::{Epilogue, SparseK, Start};
use crate::compute::matrix::{MatMut, MatRef};
use core::ops::Range;

/// A product, or the part of one that a thread computes.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) a: MatRef<'a>,
    pub(super) b: MatRef<'a>,
    /// The steps of k that are taken; all if `None`.
    pub(super) steps: Option<SparseK<'a>>,
    pub(super) start: Start<'a>,
    pub(super) epilogue: Option<&'a Epilogue<'a>>,
    /// The row and the column of the whole C that are the first here.
    pub(super) first_row: usize,
    pub(super) first_column: usize,
}

/// How the blocks of a product are computed.
struct Plan {
    /// Columns of a tile.
    width: usize,
    pack_a: bool,
    pack_b: bool,
    /// Whether later parts of A, or of C, are fetched ahead.
    fetch_a: bool,
    fetch_c: bool,
}

/// What the panels of a block of B are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Panels {
    /// None: B stays in L1 as it is.
    None,
    /// Packed already.
    Packed,
    /// To be packed by the tiles that read them first.
    ToPack,
}

/// The most columns of a tile that is not computed in place.
const ASIDE_WIDTH: usize = 32;

/// The elements of such a tile.
const ASIDE: usize = MAX_ROWS * ASIDE_WIDTH;

impl Part<'_> {
    /// Computes it into `c`.
    #[inline]
    pub(super) fn compute(&self, mut c: MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (m, n) = (self.a.rows(), self.b.cols());
        if m == 0 || n == 0 {
            return;
        }
        if self.is_narrow(kernel)
            && kernel.has_narrow(n)
            && self.a.col_stride() == 1
            && self.b.col_stride() == 1
        {
            self.narrow(&mut c, kernel);
        } else if self.is_narrow(kernel) {
            self.swapped(&mut c, kernel, packing);
        } else if self.is_worth_panels(kernel) {
            self.by_panels(&mut c, kernel, packing);
        } else {
            self.straight(&mut c, kernel, packing);
        }
    }

    /// What the chains of the block from k-index `p` and column `j` on start from.
    #[inline(always)]
    fn start_at(&self, p: usize, j: usize) -> Start<'_> {
        match self.start {
            _ if p > 0 => Start::C,
            Start::Row(row) => Start::Row(&row[j..]),
            start => start,
        }
    }

    /// Calls the epilogue, if there is one, with a part of some rows, whose sums are
    /// complete.
    #[inline(always)]
    fn finish(&self, c: &mut MatMut<'_>, rows: Range<usize>, columns: Range<usize>) {
        if let Some(epilogue) = self.epilogue {
            for i in rows {
                let part = &mut c.row_mut(i)[columns.clone()];
                epilogue(self.first_row + i, self.first_column + columns.start, part);
            }
        }
    }

    /// Whether panels of B are worth it for so many rows of A: not where a long A
    /// only streams by once or twice, which is better fetched ahead.
    fn is_worth_panels(&self, kernel: MicroKernel) -> bool {
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

    /// Vectors along the rows of C, panel by panel: a packed panel of B is read
    /// from one end to the other by each tile of a block of A, and that block
    /// stays in L2 while all panels pass by. Where vectors are short and L2 is
    /// small, this is the better way.
    fn by_panels(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (a, b) = (self.a, self.b);
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        let columns_of_a = a.col_stride() != 1;
        let width = kernel.panel_columns();
        let long_columns = columns_of_a && m * k > LONG_A;
        let pack_a = long_columns && n > 2 * width;
        let pack_b = !self.has_small_b(kernel);
        let groups = Even::new(k, if long_columns { KC_COLUMNS } else { KC_GROUP });
        let longest = groups.largest().min(KC_WHOLE);
        let columns = Even::of_multiples(n, PANELS / groups.largest(), width);
        let rows = Even::of_multiples(m, PASSING_A / longest, kernel.max_rows());
        let (packed_a, packed_b) = packing.split_at_mut(BLOCK_A);
        let packed_b = aligned(packed_b);
        for (jc, nc) in columns {
            let across = nc.next_multiple_of(kernel.lanes());
            for (gc, gk) in groups {
                let steps = Even::new(gk, KC_WHOLE);
                // Rows are packed on the way, columns beforehand.
                for (pc, kc) in steps.filter(|_| pack_b && b.col_stride() != 1) {
                    let block = b.block(gc + pc..gc + pc + kc, jc..jc + nc);
                    packing::panels(kernel, block, width, &mut packed_b[pc * across..]);
                }
                for (ic, mc) in rows {
                    let state = match pack_b {
                        false => Panels::None,
                        true if ic > 0 || b.col_stride() != 1 => Panels::Packed,
                        true => Panels::ToPack,
                    };
                    for (pc, kc) in steps {
                        let block = ((ic, mc), (gc + pc, kc), (jc, nc));
                        let lhs = if pack_a {
                            let block = a.block(ic..ic + mc, gc + pc..gc + pc + kc);
                            Strided {
                                row: 1,
                                step: packing::rows(block.t(), packed_a),
                                data: packed_a,
                            }
                        } else {
                            Strided {
                                data: a.tail(ic, gc + pc),
                                row: a.row_stride(),
                                step: a.col_stride(),
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

    /// A block of rows, steps and columns of the product, out of panels.
    fn block_of_panels(
        &self,
        ((ic, mc), (pc, kc), (jc, nc)): ((usize, usize), (usize, usize), (usize, usize)),
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
                let tiles = Column {
                    count,
                    rows,
                    columns,
                    k: kc,
                    a: Strided {
                        data: &a.data[ir * a.row..],
                        ..a
                    },
                    b,
                    b_row,
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

    /// The rows of B that are packed after those of the panel from column `jr` of
    /// a block on; the same ones where no others are, or all of B stays in L2.
    fn after(
        &self,
        (pc, kc): (usize, usize),
        (jc, nc): (usize, usize),
        jr: usize,
        width: usize,
    ) -> &[f32] {
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

    /// Whether the columns of C are so few that they would fill a part of their
    /// vectors only, while its rows fill all of theirs. Rows of A would have to be
    /// transposed, which costs short vectors more than they leave empty, and so
    /// does C, which counts where the steps of k are few.
    pub(super) fn is_narrow(&self, kernel: MicroKernel) -> bool {
        let (m, n, lanes) = (self.a.rows(), self.b.cols(), kernel.lanes());
        let is_short = self.a.col_stride() == 1 || self.a.cols() <= KC_SHORT;
        let is_too_dear = kernel.has_panels() && is_short;
        n < 2 * lanes && 4 * n <= 3 * n.next_multiple_of(lanes) && m >= lanes && !is_too_dear
    }

    /// Some steps of k only, and nothing packed.
    #[inline(always)]
    pub(super) fn listed(&self, steps: SparseK<'_>, mut c: MatMut<'_>, kernel: MicroKernel) {
        let (a, b) = (self.a, self.b);
        let product = Listed {
            rows: a.rows(),
            columns: b.cols(),
            k: a.cols(),
            steps,
            a: Strided {
                data: a.tail(0, 0),
                row: a.row_stride(),
                step: a.col_stride(),
            },
            b: b.tail(0, 0),
            b_row: b.row_stride(),
            start: self.start,
        };
        let c_row = c.row_stride();
        kernel.listed(&product, c.tail_mut(0, 0), c_row);
        self.finish(&mut c, 0..a.rows(), 0..b.cols());
    }

    /// Vectors along the rows of C.
    fn straight(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (a, b) = (self.a, self.b);
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        let width = kernel.max_columns(Even::new(m, kernel.max_rows()).largest());
        let columns_of_a = a.col_stride() != 1;
        let is_large = self.multiply_adds() >= LARGE;
        let pack_b = b.col_stride() != 1
            || is_large && b.row_stride() % ALIASING == 0
            || kernel.wants_whole_vectors() && n % kernel.lanes() != 0;
        let pack_a = is_large && !columns_of_a && a.row_stride() % ALIASING == 0;
        let steps = if columns_of_a && m * k > LONG_A {
            Even::new(k, KC_COLUMNS)
        } else if k > KC_WHOLE {
            Even::new(k, KC)
        } else {
            Even::new(k, KC_WHOLE)
        };
        let columns = Even::of_multiples(n, BLOCK_B / steps.largest().max(1), width);
        let rows = if columns_of_a {
            m
        } else {
            BLOCK_A / packing::apart(steps.largest())
        };
        let plan = Plan {
            width,
            pack_a,
            pack_b,
            fetch_a: !pack_a && m * k > LONG_A,
            // With few steps C, that is only written, is what the time goes to.
            fetch_c: k <= KC_SHORT && m * n > FROM_MEMORY,
        };
        let (packed_a, packed_b) = packing.split_at_mut(BLOCK_A);
        for (ic, mc) in Even::new(m, rows) {
            for (pc, kc) in steps {
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

    /// Packs a block of B, and returns how far apart its rows are, or `None` if
    /// it lies in panels.
    fn pack_b(
        &self,
        (pc, kc): (usize, usize),
        (jc, nc): (usize, usize),
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

    /// A block of rows, steps and columns of the product.
    #[inline]
    fn block(
        &self,
        plan: &Plan,
        ((ic, mc), (pc, kc), (jc, nc)): ((usize, usize), (usize, usize), (usize, usize)),
        packed_a: &[f32],
        (packed_b, b_row): (&[f32], Option<usize>),
        c: &mut MatMut<'_>,
        kernel: MicroKernel,
    ) {
        let (a, b) = (self.a, self.b);
        let (m, k) = (a.rows(), a.cols());
        let start = self.start_at(pc, jc);
        for (ir, mr) in Even::new(mc, kernel.max_rows()) {
            let i = ic + ir;
            let lhs = if plan.pack_a {
                let row = packing::apart(kc);
                Strided {
                    data: &packed_a[ir * row..],
                    row,
                    step: 1,
                }
            } else {
                Strided {
                    data: a.tail(i, pc),
                    row: a.row_stride(),
                    step: a.col_stride(),
                }
            };
            let ahead = if plan.fetch_c {
                // The next group is too near to arrive in time.
                let c_row = c.row_stride();
                Ahead::new(c.tail_mut(i + 2 * mr, jc), mr, nc, c_row)
            } else if !plan.fetch_a {
                Ahead::NONE
            } else if a.col_stride() != 1 {
                // This group's share of the rows that the next steps read.
                let (first, end) = (kc * i / m, kc * (i + mr) / m);
                Ahead::new(a.tail(0, pc + kc + first), end - first, m, a.col_stride())
            } else {
                Ahead::new(a.tail(i + mr, pc), mr, kc, a.row_stride())
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
                b_row,
                start,
                ahead,
            };
            let c_row = c.row_stride();
            kernel.tiles(&tiles, c.tail_mut(i, jc), c_row);
            if pc + kc == k {
                self.finish(c, i..i + mr, jc..jc + nc);
            }
        }
    }

    /// Vectors along the columns of C, and nothing packed.
    fn narrow(&self, c: &mut MatMut<'_>, kernel: MicroKernel) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        // As many rows at a time as stay in L1 until the epilogue has them.
        for (i, rows) in Fixed::new(m, if self.epilogue.is_some() { 64 } else { m }) {
            let a = self.a.block(i..i + rows, 0..k);
            let mut part = c.block(i..i + rows, 0..n);
            kernel.narrow(a, self.b, self.start, &mut part, m * k > LONG_A);
            self.finish(c, i..i + rows, 0..n);
        }
    }

    /// Vectors along the columns of C: `Cᵀ = Bᵀ·Aᵀ`, each tile transposed on
    /// its way.
    fn swapped(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (lhs, rhs) = (self.b.t(), self.a.t());
        let (n, k, m) = (lhs.rows(), lhs.cols(), rhs.cols());
        let groups = Even::new(n, kernel.max_rows());
        let width = kernel.max_columns(groups.largest()).min(ASIDE_WIDTH);
        let pack = rhs.col_stride() != 1 || kernel.wants_whole_vectors() && m % kernel.lanes() != 0;
        let steps = if !pack && m * k > LONG_A {
            Even::new(k, (LONG_A / m).clamp(KC_COLUMNS, KC_WHOLE))
        } else {
            Even::new(k, KC_WHOLE)
        };
        let fetch = m * k > LONG_A;
        let mut aside = [0.0; ASIDE];
        for (pc, kc) in steps {
            let from = if pc == 0 { self.start } else { Start::C };
            for (j, columns) in Fixed::new(m, width) {
                let row = columns.next_multiple_of(kernel.lanes());
                let (b, b_row) = if pack {
                    let block = rhs.block(pc..pc + kc, j..j + columns);
                    let b_row = if rhs.col_stride() == 1 {
                        Some(packing::rows(block, packing))
                    } else {
                        packing::panels(kernel, block, width, packing);
                        None
                    };
                    (&*packing, b_row)
                } else {
                    (rhs.tail(pc, j), Some(rhs.row_stride()))
                };
                let ahead = if !fetch {
                    Ahead::NONE
                } else if pack {
                    let next = self.a.tail(j + columns, pc);
                    Ahead::new(next, columns, kc, self.a.row_stride())
                } else {
                    let (first, end) = (kc * j / m, kc * (j + columns) / m);
                    let next = rhs.tail(pc + kc + first, 0);
                    Ahead::new(next, end - first, m, rhs.row_stride())
                };
                for (i, mr) in groups {
                    match from {
                        Start::Zero => {}
                        Start::C => {
                            let source = c.as_ref().block(j..j + columns, i..i + mr);
                            packing::transpose(kernel, source, &mut aside, row);
                        }
                        Start::Row(start) => {
                            for (aside, &x) in aside.chunks_exact_mut(row).zip(&start[i..i + mr]) {
                                aside.fill(x);
                            }
                        }
                    }
                    let tiles = Tiles {
                        rows: mr,
                        columns,
                        width,
                        k: kc,
                        a: Strided {
                            data: lhs.tail(i, pc),
                            row: lhs.row_stride(),
                            step: lhs.col_stride(),
                        },
                        b,
                        b_row,
                        start: match from {
                            Start::Zero => Start::Zero,
                            Start::C | Start::Row(_) => Start::C,
                        },
                        ahead: if i == 0 { ahead } else { Ahead::NONE },
                    };
                    kernel.tiles(&tiles, &mut aside, row);
                    let c_row = c.row_stride();
                    let tile = MatRef::with_row_stride(&aside, mr, columns, row);
                    packing::transpose(kernel, tile, c.tail_mut(j, i), c_row);
                }
                if pc + kc == k {
                    self.finish(c, j..j + columns, 0..n);
                }
            }
        }
    }
}

/// The part of a buffer that begins with a cache line.
fn aligned(buffer: &mut [f32]) -> &mut [f32] {
    let skipped = buffer.as_ptr().align_offset(LINE_BYTES).min(buffer.len());
    &mut buffer[skipped..]
}
