//! Micro-kernels: one register tile of C, the innermost part of every product.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod narrow;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
mod portable;
mod tile;
mod transpose;

use super::params::LONG_B;
use super::ranges::Even;
use super::{SparseK, Start};
use crate::compute::isa::{InstructionSet, Isa};
use crate::compute::matrix::{MatMut, MatRef};
use tile::{CACHE_LINE, RawTiles};

/// The most rows that a tile of any arm has.
pub(super) const MAX_ROWS: usize = 14;

/// Computes rows of tiles, each of the steps of a list.
type ListedTiles = unsafe fn(&RawTiles, SparseK<'_>);

/// Computes tiles out of a packed panel of B.
type PanelTiles = unsafe fn(&RawTiles);

/// Computes a tile and packs the panel of B that it reads.
type PackingTile = unsafe fn(&RawTiles, *mut f32);

/// What an arm computes with.
pub(super) struct Kernel {
    /// The elements of a vector: a power of two.
    lanes: usize,
    /// Whether a partial vector of B costs no more to load than a whole one.
    /// Where it does, the last vector of a row of B must be readable whole.
    partial_loads: bool,
    /// For each number of rows from 1 on, the tiles of 1, 2, … vectors.
    tiles: &'static [&'static [unsafe fn(&RawTiles)]],
    /// The same of tiles out of packed panels; none where B is not cut into
    /// panels that stay in L1.
    panels: &'static [&'static [(PanelTiles, PackingTile)]],
    /// The same of tiles whose steps are listed, for fewer rows.
    listed: &'static [&'static [ListedTiles]],
    /// Images whose zero columns are left out together.
    images_per_list: usize,
    transpose: unsafe fn(&transpose::Block),
    /// For 1, 2, … columns of C, products of contiguous rows whose vectors are
    /// along the rows of C; none where registers are too few for it.
    narrow: &'static [unsafe fn(&narrow::Rows)],
    /// One link of the chain.
    mul_add: unsafe fn(f32, f32, f32) -> f32,
}

/// The micro-kernels of an instruction set that this machine has.
#[derive(Clone, Copy)]
pub(super) struct MicroKernel(&'static Kernel);

/// A matrix in a slice: the element in row `i` and column `j` is at
/// `i · row + j · step`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

impl Start<'_> {
    /// A pointer to what the chains of C's first row start from and the stride from
    /// one row to the next; a null pointer stands for zero. `c` points to the first
    /// row of C and `c_row` is its row stride.
    ///
    /// # Panics
    /// Panics if the start is a row of fewer than `columns` elements.
    #[inline]
    fn locate(self, c: *const f32, c_row: usize, columns: usize) -> (*const f32, usize) {
        match self {
            Self::Zero => (core::ptr::null(), 0),
            Self::C => (c, c_row),
            Self::Row(row) => {
                assert!(row.len() >= columns, "a start of {}", row.len());
                (row.as_ptr(), 0)
            }
        }
    }
}

/// The operands of tiles that lie side by side: some rows of C.
pub(super) struct Tiles<'a> {
    /// Rows of A and C: one tile.
    pub(super) rows: usize,
    /// Columns of B and C.
    pub(super) columns: usize,
    /// Columns of a tile, whole vectors; the last tile may have fewer.
    pub(super) width: usize,
    /// Steps of k.
    pub(super) k: usize,
    /// `rows × k`.
    pub(super) a: Strided<'a>,
    /// `k × columns`.
    pub(super) b: &'a [f32],
    /// From a row of B to the next; `None` if B is packed in panels as wide as
    /// a tile, the last one as wide as its whole vectors.
    pub(super) b_row: Option<usize>,
    pub(super) start: Start<'a>,
    pub(super) ahead: Ahead,
}

/// The operands of tiles one below the other: some columns of C.
pub(super) struct Column<'a> {
    /// How many tiles.
    pub(super) count: usize,
    /// Rows of a tile.
    pub(super) rows: usize,
    /// Columns of B and C, no more than a tile has.
    pub(super) columns: usize,
    /// Steps of k.
    pub(super) k: usize,
    /// `count · rows × k`.
    pub(super) a: Strided<'a>,
    /// `k × columns`.
    pub(super) b: &'a [f32],
    /// From a row of B to the next.
    pub(super) b_row: usize,
    pub(super) start: Start<'a>,
}

/// What B is to tiles one below the other.
pub(super) enum Panel<'a> {
    /// Whole vectors, where they stay in L1.
    Packed,
    /// To be packed into `panel` on the way, `k` rows of whole vectors one after
    /// another, while the rows of B from `next` on are fetched into the cache.
    Pack {
        panel: &'a mut [f32],
        next: &'a [f32],
    },
}

/// The operands of a product of some steps of k only.
pub(super) struct Listed<'a> {
    /// Rows of A and C.
    pub(super) rows: usize,
    /// Columns of B and C.
    pub(super) columns: usize,
    /// Steps of k, and those that are taken.
    pub(super) k: usize,
    pub(super) steps: SparseK<'a>,
    pub(super) a: Strided<'a>,
    pub(super) b: &'a [f32],
    /// From a row of B to the next.
    pub(super) b_row: usize,
    pub(super) start: Start<'a>,
}

/// A block of memory that later tiles will touch, to be fetched into the cache
/// meanwhile.
///
/// Only a hint: it need not be anybody's memory, so it borrows nothing.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    first: *const f32,
    rows: usize,
    /// Cache lines of a row, at least one.
    row: usize,
    /// Elements from the last of these lines to the next row.
    gap: usize,
}

impl Ahead {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        first: core::ptr::null(),
        rows: 0,
        row: 1,
        gap: 0,
    };

    /// So many rows of `columns` elements, `row_stride` apart, from the
    /// beginning of `data` on.
    pub(super) fn new(data: &[f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        if data.is_empty() || rows == 0 {
            return Self::NONE;
        }
        let row = columns.div_ceil(CACHE_LINE).max(1);
        if row_stride > row * CACHE_LINE {
            let gap = row_stride - row * CACHE_LINE;
            let first = data.as_ptr();
            return Self {
                first,
                rows,
                row,
                gap,
            };
        }
        // Rows that leave out no line are one.
        Self {
            first: data.as_ptr(),
            rows: 1,
            row: (rows * row_stride).div_ceil(CACHE_LINE).max(1),
            gap: 0,
        }
    }
}

impl MicroKernel {
    /// The micro-kernels of an instruction set.
    pub(super) fn of(isa: Isa) -> Self {
        Self(match isa.instruction_set() {
            InstructionSet::Portable => &portable::KERNEL,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => &avx2::KERNEL,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => &avx512::KERNEL,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            InstructionSet::Neon => &neon::KERNEL,
            arm => unreachable!("{arm} on another architecture"),
        })
    }

    /// The elements of a vector.
    pub(super) fn lanes(self) -> usize {
        self.0.lanes
    }

    /// The most rows that a tile has.
    pub(super) fn max_rows(self) -> usize {
        self.0.tiles.len()
    }

    /// The most columns that a tile of so many rows has.
    pub(super) fn max_columns(self, rows: usize) -> usize {
        self.0.tiles[rows - 1].len() * self.0.lanes
    }

    /// How many images leave out their zero columns together.
    pub(super) fn images_per_list(self) -> usize {
        self.0.images_per_list
    }

    /// Columns of a panel of B; 0 if there are none.
    pub(super) fn panel_columns(self) -> usize {
        self.0.panels.first().map_or(0, |tiles| tiles.len()) * self.0.lanes
    }

    /// The most rows that a tile out of a panel of so many columns has.
    pub(super) fn panel_rows(self, columns: usize) -> usize {
        let vectors = columns.div_ceil(self.0.lanes);
        let has_tiles = |tiles: &&&[_]| tiles.len() >= vectors;
        self.0.panels.iter().take_while(has_tiles).count()
    }

    /// Whether there are tiles out of packed panels of B.
    pub(super) fn has_panels(self) -> bool {
        !self.0.panels.is_empty()
    }

    /// Whether B must be readable up to a whole number of vectors.
    pub(super) fn wants_whole_vectors(self) -> bool {
        !self.0.partial_loads
    }

    /// `a · b + c` as the arm computes it: one link of the chain of which
    /// every element of a product consists.
    pub(super) fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        // SAFETY: an `Isa` proves that the machine has the arm's instructions.
        unsafe { (self.0.mul_add)(a, b, c) }
    }

    /// Computes rows of C, `c_row` apart.
    ///
    /// # Panics
    /// Panics if the arm has no tile of that size, or if an operand reaches
    /// outside its slice.
    #[inline]
    pub(super) fn tiles(self, tiles: &Tiles<'_>, c: &mut [f32], c_row: usize) {
        let (lanes, bits) = (self.0.lanes, self.0.lanes.trailing_zeros());
        let functions = self.0.tiles[tiles.rows - 1];
        let vectors = tiles.width >> bits;
        let whole = (tiles.columns as u32 / tiles.width as u32) as usize;
        let rest = tiles.columns - whole * tiles.width;
        let rest_vectors = (rest + lanes - 1) >> bits;
        let b_row = tiles.b_row.unwrap_or(tiles.width);
        let b_tile = match tiles.b_row {
            Some(_) => tiles.width,
            None => tiles.width * tiles.k,
        };
        // A last tile as wide as the others but for some lanes is one of them.
        let count = whole + usize::from(rest_vectors == vectors);
        let after = (rest_vectors != vectors)
            .then_some(rest)
            .filter(|&rest| rest > 0);
        let last = match after {
            None if rest > 0 => rest - ((vectors - 1) << bits),
            _ => lanes,
        };
        let mut raw = RawTiles {
            count,
            k: tiles.k,
            a: tiles.a.data.as_ptr(),
            a_row: tiles.a.row,
            a_step: tiles.a.step,
            a_tile: 0,
            b: tiles.b.as_ptr(),
            b_step: b_row,
            b_tile,
            start: core::ptr::null(),
            start_row: c_row,
            start_tile: tiles.width,
            c: c.as_mut_ptr(),
            c_row,
            c_tile: tiles.width,
            lanes,
            last,
            ahead: tiles.ahead.first,
            ahead_lines: if tiles.ahead.rows == 0 || tiles.k == 0 {
                0
            } else {
                let times = count.max(1) * tiles.k.div_ceil(CACHE_LINE);
                (tiles.ahead.rows * tiles.ahead.row).div_ceil(times)
            },
            ahead_row: tiles.ahead.row,
            ahead_gap: tiles.ahead.gap,
        };
        (raw.start, raw.start_row) = tiles.start.locate(raw.c, raw.c_row, tiles.columns);
        // Of the last tile, whose rows may be shorter than those before it.
        let (after_row, after_at) = match tiles.b_row {
            Some(row) => (row, whole * b_tile),
            None => (rest_vectors << bits, whole * b_tile),
        };
        if tiles.k > 0 {
            let steps = tiles.k - 1;
            let read = |columns: usize| match self.0.partial_loads {
                true => columns,
                false => (columns + lanes - 1) & !(lanes - 1),
            };
            let in_a = (tiles.rows - 1) * tiles.a.row + steps * tiles.a.step;
            let in_b = match (count, after) {
                (_, Some(rest)) => after_at + steps * after_row + read(rest),
                (0, None) => 0,
                (count, None) => {
                    let columns = ((vectors - 1) << bits) + last;
                    (count - 1) * b_tile + steps * b_row + read(columns)
                }
            };
            assert!(
                tiles.a.data.len() > in_a && tiles.b.len() >= in_b,
                "{}×{}×{} beyond A or B",
                tiles.rows,
                tiles.k,
                tiles.columns
            );
        }
        assert!(
            c.len() >= (tiles.rows - 1) * c_row + tiles.columns,
            "{}×{} beyond C",
            tiles.rows,
            tiles.columns
        );
        // SAFETY: an `Isa` proves that the machine has the arm's instructions;
        // the assertions hold the last element of each operand inside its
        // slice, and C is borrowed for this call alone. (The start may be C
        // itself: a tile reads its start before it writes.)
        unsafe {
            if count > 0 {
                functions[vectors - 1](&raw);
            }
            if let Some(rest) = after {
                let at = whole * tiles.width;
                raw.count = 1;
                raw.b = raw.b.wrapping_add(after_at);
                raw.b_step = after_row;
                raw.c = raw.c.add(at);
                if !raw.start.is_null() {
                    raw.start = raw.start.add(at);
                }
                raw.last = rest - ((rest_vectors - 1) << bits);
                raw.ahead_lines = 0;
                functions[rest_vectors - 1](&raw);
            }
        }
    }

    /// Computes some columns of C, whose rows are `c_row` apart.
    ///
    /// # Panics
    /// Panics if the arm has no panels, no tile of that size, or if an operand
    /// reaches outside its slice.
    pub(super) fn column(self, tiles: &Column<'_>, panel: Panel<'_>, c: &mut [f32], c_row: usize) {
        let Column {
            rows, columns, k, ..
        } = *tiles;
        let vectors = columns.div_ceil(self.0.lanes);
        let (compute, pack) = self.0.panels[rows - 1][vectors - 1];
        let (last_row, whole) = (tiles.count * rows - 1, vectors * self.0.lanes);
        let is_inside = match &panel {
            Panel::Packed => k == 0 || tiles.b.len() >= (k - 1) * tiles.b_row + whole,
            Panel::Pack { panel, .. } => {
                panel.len() >= k * whole
                    && (k == 0 || tiles.b.len() >= (k - 1) * tiles.b_row + columns)
            }
        };
        assert!(
            is_inside
                && c.len() >= last_row * c_row + columns
                && (k == 0 || tiles.a.data.len() > last_row * tiles.a.row + (k - 1) * tiles.a.step),
            "{} times {rows}×{k}×{columns} beyond an operand",
            tiles.count
        );
        let c = c.as_mut_ptr();
        let (start, start_row) = tiles.start.locate(c, c_row, columns);
        let lanes = columns - (vectors - 1) * self.0.lanes;
        let mut raw = RawTiles {
            count: tiles.count,
            k,
            a: tiles.a.data.as_ptr(),
            a_row: tiles.a.row,
            a_step: tiles.a.step,
            a_tile: rows * tiles.a.row,
            b: tiles.b.as_ptr(),
            b_step: tiles.b_row,
            b_tile: 0,
            start,
            start_row,
            start_tile: rows * start_row,
            c,
            c_row,
            c_tile: rows * c_row,
            lanes,
            last: lanes,
            ahead: core::ptr::null(),
            ahead_lines: 0,
            ahead_row: 0,
            ahead_gap: 0,
        };
        // SAFETY: an `Isa` proves that the machine has the arm's instructions;
        // the assertions hold the last element of each operand inside its
        // slice, and the panel and C are borrowed for this call alone. (The
        // start may be C itself: a tile reads its start before it writes.) With
        // more tiles than one, those below the first lie inside A and C too.
        unsafe {
            if let Panel::Pack { panel, next } = panel {
                raw.ahead = next.as_ptr();
                pack(&raw, panel.as_mut_ptr());
                raw.count -= 1;
                if raw.count == 0 {
                    return;
                }
                raw.a = raw.a.wrapping_add(raw.a_tile);
                raw.b = panel.as_ptr();
                raw.b_step = whole;
                raw.c = raw.c.add(raw.c_tile);
                raw.start = raw.start.wrapping_add(raw.start_tile);
            }
            compute(&raw);
        }
    }

    /// Computes rows of C, `c_row` apart, of listed steps.
    ///
    /// # Panics
    /// Panics if an operand reaches outside its slice, if a step may be beyond
    /// k, or if there are lists for more or fewer rows.
    #[inline]
    pub(super) fn listed(self, product: &Listed<'_>, c: &mut [f32], c_row: usize) {
        let Listed {
            rows, columns, k, ..
        } = *product;
        let (a, b, steps) = (product.a, product.b, product.steps);
        let (Some(last_row), Some(last)) = (rows.checked_sub(1), columns.checked_sub(1)) else {
            return;
        };
        assert!(
            c.len() > last_row * c_row + last,
            "{rows}×{columns} beyond C"
        );
        assert!(steps.k() <= k, "steps below {} of {k}", steps.k());
        let lists = rows.div_ceil(steps.rows());
        assert!(
            steps.len() == lists,
            "{} lists of steps for {lists}",
            steps.len()
        );
        if !steps.is_empty() {
            assert!(
                a.data.len() > last_row * a.row + (k - 1) * a.step
                    && b.len() > (k - 1) * product.b_row + last,
                "{rows}×{k}×{columns} beyond A or B"
            );
        }
        let c = c.as_mut_ptr();
        let (start, start_row) = product.start.locate(c, c_row, columns);
        // Where B comes from L2, and L2 is slow enough for that to count.
        let is_far = self.has_panels() && k * product.b_row > LONG_B;
        let lanes = self.0.lanes;
        let mut raw = RawTiles {
            count: 0,
            k: 0,
            a: a.data.as_ptr(),
            a_row: a.row,
            a_step: a.step,
            a_tile: 0,
            b: b.as_ptr(),
            b_step: product.b_row,
            b_tile: 0,
            start,
            start_row,
            start_tile: 0,
            c,
            c_row,
            c_tile: 0,
            lanes,
            last: lanes,
            ahead: core::ptr::null(),
            ahead_lines: usize::from(is_far),
            ahead_row: 0,
            ahead_gap: 0,
        };
        // Lists of as many rows as a tile has are taken together.
        let together = match steps.rows() <= self.0.listed.len() {
            true => rows / steps.rows(),
            false => 0,
        };
        let mut tiles = |rows: usize, lists: SparseK<'_>| {
            let functions = self.0.listed[rows - 1];
            let width = functions.len() * lanes;
            let (whole, rest) = (columns / width, columns % width);
            (raw.b_tile, raw.start_tile, raw.c_tile) = (width, width, width);
            // SAFETY: an `Isa` proves that the machine has the arm's
            // instructions; the assertions hold the last element of each
            // operand inside its slice, and C is borrowed for this call
            // alone. (The start may be C itself: a tile reads its start
            // before it writes.)
            unsafe {
                if whole > 0 {
                    raw.count = whole;
                    functions[functions.len() - 1](&raw, lists);
                }
                if rest > 0 {
                    let (at, vectors) = (whole * width, rest.div_ceil(lanes));
                    let mut raw = RawTiles { count: 1, ..raw };
                    raw.b = raw.b.wrapping_add(at);
                    raw.c = raw.c.add(at);
                    if !raw.start.is_null() {
                        raw.start = raw.start.add(at);
                    }
                    raw.last = rest - (vectors - 1) * lanes;
                    functions[vectors - 1](&raw, lists);
                }
            }
            // Past the last rows these point nowhere, and are not used.
            let rows = rows * lists.len();
            raw.a = raw.a.wrapping_add(rows * a.row);
            raw.start = raw.start.wrapping_add(rows * start_row);
            raw.c = raw.c.wrapping_add(rows * c_row);
        };
        if together > 0 {
            tiles(steps.rows(), steps.lists(0..together));
        }
        for list in together..lists {
            let group = steps.rows().min(rows - list * steps.rows());
            for (_, rows) in Even::new(group, self.0.listed.len()) {
                tiles(rows, steps.lists(list..list + 1));
            }
        }
    }

    /// Whether [`MicroKernel::narrow`] knows products with so many columns.
    pub(super) fn has_narrow(self, columns: usize) -> bool {
        columns <= self.0.narrow.len()
    }

    /// Computes a product with few columns, of an A and a B whose rows are
    /// contiguous. `fetch` fetches later rows of A into the cache meanwhile.
    ///
    /// # Panics
    /// Panics if [`MicroKernel::has_narrow`] says no, if the shapes differ, or
    /// if rows are not contiguous.
    pub(super) fn narrow(
        self,
        a: MatRef<'_>,
        b: MatRef<'_>,
        start: Start<'_>,
        c: &mut MatMut<'_>,
        fetch: bool,
    ) {
        let (rows, k, n) = (a.rows(), a.cols(), b.cols());
        assert!(
            a.col_stride() == 1 && b.col_stride() == 1 && b.rows() == k,
            "rows that are not contiguous"
        );
        assert!(c.rows() == rows && c.cols() == n, "another shape of C");
        let c_row = c.row_stride();
        let to = c.tail_mut(0, 0).as_mut_ptr();
        let (start, start_row) = start.locate(to, c_row, n);
        let function = self.0.narrow[n - 1];
        let rows = narrow::Rows {
            rows,
            k,
            a: a.tail(0, 0).as_ptr(),
            a_row: a.row_stride(),
            b: b.tail(0, 0).as_ptr(),
            b_row: b.row_stride(),
            start,
            start_row,
            c: to,
            c_row,
            fetch,
        };
        // SAFETY: an `Isa` proves that the machine has the arm's instructions;
        // matrices hold all their elements, their shapes fit together, and C
        // is borrowed for this call alone. (The start may be C itself: a row
        // is read before it is written.)
        unsafe { function(&rows) }
    }

    /// Transposes a block of `rows × columns`, neither more than the arm's
    /// lanes, whose rows are `from_row` apart, into rows `to_row` apart.
    ///
    /// # Panics
    /// Panics if the block is larger or reaches outside a slice.
    #[inline]
    pub(super) fn transpose(
        self,
        (rows, columns): (usize, usize),
        (from, from_row): (&[f32], usize),
        (to, to_row): (&mut [f32], usize),
    ) {
        assert!(
            (1..=self.0.lanes).contains(&rows)
                && (1..=self.0.lanes).contains(&columns)
                && from.len() >= (rows - 1) * from_row + columns
                && to.len() >= (columns - 1) * to_row + rows,
            "transposed block of {rows}×{columns}"
        );
        let block = transpose::Block {
            from: from.as_ptr(),
            from_row,
            rows,
            columns,
            to: to.as_mut_ptr(),
            to_row,
        };
        // SAFETY: an `Isa` proves that the machine has the arm's instructions,
        // and the assertion holds both blocks inside their slices.
        unsafe { (self.0.transpose)(&block) }
    }
}

#[cfg(test)]
mod tests;
