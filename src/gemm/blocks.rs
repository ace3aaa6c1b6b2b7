//! The loops over blocks of a product, on one thread.

use super::kernel::{From, MAX_ROWS, MicroKernel, Strided, Tile};
use super::pack;
use super::params::*;
use super::{Epilogue, Start};
use crate::matrix::{MatMut, MatRef};

/// A product, or the part of one that a thread computes.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) a: MatRef<'a>,
    pub(super) b: MatRef<'a>,
    /// Which rows of B the columns of A meet; all if `None`.
    pub(super) inner: Option<&'a [u32]>,
    /// Which rows of C the rows of A make; all if `None`.
    pub(super) rows: Option<&'a [u32]>,
    pub(super) start: Start<'a>,
    pub(super) epilogue: Option<&'a Epilogue<'a>>,
    /// The row of the whole C that is the first here.
    pub(super) first_row: usize,
}

/// The most elements of a tile that is not computed in place.
const ASIDE: usize = MAX_ROWS * 32;

impl Part<'_> {
    /// Computes it into `c`.
    pub(super) fn compute(&self, mut c: MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (m, n) = (self.a.rows(), self.b.cols());
        if self.rows.is_some() {
            match self.start {
                Start::Zero => (0..c.rows()).for_each(|i| c.row_mut(i).fill(0.0)),
                Start::C => {}
                Start::Row(row) => c.fill_rows(row),
            }
        }
        if m == 0 || n == 0 {
            return;
        }
        // A few columns fill part of a vector only; the rows fill all of it.
        if n <= kernel.lanes() * 3 / 4
            && n <= kernel.max_rows()
            && m >= kernel.lanes()
            && self.rows.is_none()
            && self.inner.is_none()
        {
            self.swapped(&mut c, kernel, packing);
        } else {
            self.straight(&mut c, kernel, packing);
        }
    }

    /// Vectors along the rows of C.
    fn straight(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (a, b) = (self.a, self.b);
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        let groups = Even::new(m, kernel.max_rows());
        let width = kernel.max_columns(groups.largest());
        let width = if self.rows.is_some() {
            width.min(ASIDE / groups.largest())
        } else {
            width
        };
        let pack_b = b.col_stride() != 1
            || self.inner.is_some()
            || kernel.wants_whole_vectors() && n % kernel.lanes() != 0
            || b.rows() * n > DIRECT_B && m >= PACK_FROM_ROWS;
        let columns_of_a = a.row_stride() == 1 && a.col_stride() > 1;
        let pack_a = if columns_of_a {
            m * k >= PACK_A_FROM
        } else {
            pack_b && a.row_stride() % ALIASING == 0 && k > 64
        };
        let fetch = !pack_a && !columns_of_a && m * k >= FETCH_AHEAD;

        let kc = match (pack_a && columns_of_a, pack_b) {
            (true, _) => KC_TRANSPOSED,
            (_, true) => KC,
            _ => (DIRECT_B / n).clamp(KC, KC_DIRECT),
        };
        let steps = Even::new(k, kc);
        let nc = if pack_b {
            (PACKED_B / steps.largest().max(1)).max(width)
        } else {
            n
        };
        let columns = Even::of_multiples(n, nc, width);
        let mc = if pack_a && columns_of_a {
            PACKED_A / steps.largest().max(1) / groups.largest() * groups.largest()
        } else {
            m
        };
        let (packed_a, packed_b) = packing.split_at_mut(PACKED_A);
        for (jc, nc) in columns {
            for (pc, kc) in steps {
                let is_first = pc == 0;
                let is_last = pc + kc == k;
                let from = if is_first { self.start } else { Start::C };
                if pack_b {
                    let inner = self.inner.map(|inner| &inner[pc..pc + kc]);
                    let b = match inner {
                        Some(_) => b.block(0..b.rows(), jc..jc + nc),
                        None => b.block(pc..pc + kc, jc..jc + nc),
                    };
                    pack::vectors(kernel, b, inner, width, packed_b);
                }
                for (ic, mc) in Even::of_multiples(m, mc, groups.largest()) {
                    let block_groups = Even::new(mc, kernel.max_rows());
                    if pack_a && columns_of_a {
                        let a = a.block(ic..ic + mc, pc..pc + kc);
                        pack::groups(a, block_groups, packed_a);
                    }
                    for (ir, mr) in block_groups {
                        let i = ic + ir;
                        let (lhs, ahead) = if !pack_a {
                            let strided = |i: usize| a.tail(i, pc);
                            let next = if fetch && i + mr < m { strided(i + mr) } else { &[] };
                            (
                                Strided {
                                    data: strided(i),
                                    row: a.row_stride(),
                                    step: a.col_stride(),
                                },
                                next,
                            )
                        } else if columns_of_a {
                            (
                                Strided {
                                    data: &packed_a[ir * kc..],
                                    row: 1,
                                    step: mr,
                                },
                                &[][..],
                            )
                        } else {
                            let row = pack::rows(a.block(i..i + mr, pc..pc + kc), packed_a);
                            (
                                Strided {
                                    data: packed_a,
                                    row,
                                    step: 1,
                                },
                                &[][..],
                            )
                        };
                        let next_rows = if ahead.is_empty() { 0 } else { mr.min(m - i - mr) };
                        let panels = nc.div_ceil(width);
                        for (panel, jr) in (0..nc).step_by(width).enumerate() {
                            let j = jc + jr;
                            let columns = width.min(nc - jr);
                            let (b, b_row) = if pack_b {
                                let row = columns.next_multiple_of(kernel.lanes());
                                (&packed_b[jr * kc..], row)
                            } else {
                                (b.tail(pc, j), b.row_stride())
                            };
                            let share =
                                next_rows * panel / panels..next_rows * (panel + 1) / panels;
                            let tile = Tile {
                                rows: mr,
                                columns,
                                k: kc,
                                a: lhs,
                                b,
                                b_row,
                                from: match from {
                                    Start::Zero => From::Zero,
                                    Start::C => From::C,
                                    Start::Row(row) => From::Row(&row[j..]),
                                },
                                ahead: ahead
                                    .get(share.start * lhs.row..)
                                    .unwrap_or_default(),
                                ahead_rows: share.len(),
                            };
                            match self.rows {
                                None => {
                                    let c_row = c.row_stride();
                                    kernel.tile(&tile, c.tail_mut(i, j), c_row);
                                }
                                Some(rows) => {
                                    self.scatter(tile, &rows[i..i + mr], j, c, kernel);
                                }
                            }
                        }
                        if let (true, Some(epilogue)) = (is_last, self.epilogue) {
                            for i in i..i + mr {
                                let row = self.row(i);
                                let columns = &mut c.row_mut(row)[jc..jc + nc];
                                epilogue(self.first_row + row, jc, columns);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The row of C, in this part, that row `i` of A makes.
    fn row(&self, i: usize) -> usize {
        match self.rows {
            Some(rows) => rows[i] as usize - self.first_row,
            None => i,
        }
    }

    /// Computes a tile aside, and its rows go where `rows` says.
    fn scatter(
        &self,
        mut tile: Tile<'_>,
        rows: &[u32],
        j: usize,
        c: &mut MatMut<'_>,
        kernel: MicroKernel,
    ) {
        let mut aside = [0.0; ASIDE];
        let (columns, width) = (tile.columns, tile.columns.next_multiple_of(kernel.lanes()));
        let places = rows.iter().map(|&row| row as usize - self.first_row);
        if matches!(tile.from, From::C) {
            for (place, aside) in places.clone().zip(aside.chunks_exact_mut(width)) {
                aside[..columns].copy_from_slice(&c.row_mut(place)[j..j + columns]);
            }
        }
        tile.columns = columns;
        kernel.tile(&tile, &mut aside, width);
        for (place, aside) in places.zip(aside.chunks_exact(width)) {
            c.row_mut(place)[j..j + columns].copy_from_slice(&aside[..columns]);
        }
    }

    /// Vectors along the columns of C: `Cᵀ = Bᵀ·Aᵀ`, each tile transposed on
    /// its way.
    fn swapped(&self, c: &mut MatMut<'_>, kernel: MicroKernel, packing: &mut [f32]) {
        let (lhs, rhs) = (self.b.t(), self.a.t());
        let (n, k, m) = (lhs.rows(), lhs.cols(), rhs.cols());
        let width = kernel.max_columns(n).min(ASIDE / n / kernel.lanes() * kernel.lanes());
        let pack = rhs.col_stride() != 1 || kernel.wants_whole_vectors() && m % kernel.lanes() != 0;
        let steps = Even::new(k, if pack { KC_DIRECT } else { (DIRECT_B / m).clamp(KC, KC_DIRECT) });
        let mut aside = [0.0; ASIDE];
        for (pc, kc) in steps {
            let from = if pc == 0 { self.start } else { Start::C };
            for j in (0..m).step_by(width) {
                let columns = width.min(m - j);
                let row = columns.next_multiple_of(kernel.lanes());
                let (b, b_row) = if pack {
                    let block = rhs.block(pc..pc + kc, j..j + columns);
                    pack::vectors(kernel, block, None, width, packing);
                    (&*packing, row)
                } else {
                    (rhs.tail(pc, j), rhs.row_stride())
                };
                match from {
                    Start::Zero => {}
                    Start::C => {
                        let source = c.as_ref().block(j..j + columns, 0..n);
                        pack::transpose(kernel, source, &mut aside, row);
                    }
                    Start::Row(start) => {
                        for (aside, &x) in aside.chunks_exact_mut(row).zip(start) {
                            aside.fill(x);
                        }
                    }
                }
                let tile = Tile {
                    rows: n,
                    columns,
                    k: kc,
                    a: Strided {
                        data: lhs.tail(0, pc),
                        row: lhs.row_stride(),
                        step: lhs.col_stride(),
                    },
                    b,
                    b_row,
                    from: if from == Start::Zero { From::Zero } else { From::C },
                    ahead: &[],
                    ahead_rows: 0,
                };
                kernel.tile(&tile, &mut aside, row);
                let c_row = c.row_stride();
                let tile = MatRef::with_row_stride(&aside, n, columns, row);
                pack::transpose(kernel, tile, c.tail_mut(j, 0), c_row);
                if let (true, Some(epilogue)) = (pc + kc == k, self.epilogue) {
                    for i in j..j + columns {
                        epilogue(self.first_row + i, 0, c.row_mut(i));
                    }
                }
            }
        }
    }
}

/// A range cut into pieces of nearly equal length, so that none is a small
/// remainder: their starts and lengths in turn. An empty range is one piece.
#[derive(Clone, Copy)]
pub(super) struct Even {
    len: usize,
    unit: usize,
    pieces: usize,
    next: usize,
}

impl Even {
    /// Pieces of at most `most` elements.
    pub(super) fn new(len: usize, most: usize) -> Self {
        Self::of_multiples(len, most, 1)
    }

    /// Pieces of at most `most` elements, rounded to a multiple of `unit`,
    /// though at least of one; all starts are multiples of `unit`.
    pub(super) fn of_multiples(len: usize, most: usize, unit: usize) -> Self {
        let units = len.div_ceil(unit);
        Self {
            len,
            unit,
            pieces: units.div_ceil((most / unit).max(1)).max(1),
            next: 0,
        }
    }

    /// The length of the longest piece.
    pub(super) fn largest(self) -> usize {
        self.map(|(_, len)| len).max().unwrap_or(0)
    }

    fn start(&self, piece: usize) -> usize {
        let units = self.len.div_ceil(self.unit);
        (units * piece / self.pieces * self.unit).min(self.len)
    }
}

impl Iterator for Even {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        (self.next < self.pieces).then(|| {
            let start = self.start(self.next);
            self.next += 1;
            (start, self.start(self.next) - start)
        })
    }
}
