//! Micro-kernels: one register tile of C, the innermost part of every product.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
mod portable;
mod tile;
mod transpose;

use crate::isa::{Arm, Isa};
use tile::RawTile;

/// The most rows that a tile of any arm has.
pub(super) const MAX_ROWS: usize = 14;

/// What an arm computes with.
pub(super) struct Kernel {
    lanes: usize,
    /// Whether a partial vector of B costs no more to load than a whole one.
    /// Where it does, the last vector of a row of B must be readable whole.
    partial_loads: bool,
    /// For each number of rows from 1 on, the tiles of 1, 2, … vectors.
    tiles: &'static [&'static [unsafe fn(&RawTile)]],
    transpose: unsafe fn(&transpose::Block),
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

/// What the chains of a tile start from.
#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    /// Zero.
    Zero,
    /// What C holds.
    C,
    /// The same row for all rows of C.
    Row(&'a [f32]),
}

/// One tile's operands.
pub(super) struct Tile<'a> {
    /// Rows of A and C.
    pub(super) rows: usize,
    /// Columns of B and C.
    pub(super) columns: usize,
    /// Steps of k.
    pub(super) k: usize,
    /// `rows × k`.
    pub(super) a: Strided<'a>,
    /// `k × columns`, the rows `b_row` apart.
    pub(super) b: &'a [f32],
    pub(super) b_row: usize,
    pub(super) from: From<'a>,
    /// Rows of A that the tiles after this one read, at the strides of `a`.
    pub(super) ahead: &'a [f32],
    pub(super) ahead_rows: usize,
}

impl MicroKernel {
    /// The micro-kernels of an instruction set.
    pub(super) fn of(isa: Isa) -> Self {
        Self(match isa.arm() {
            Arm::Portable => &portable::KERNEL,
            #[cfg(target_arch = "x86_64")]
            Arm::Avx2 => &avx2::KERNEL,
            #[cfg(target_arch = "x86_64")]
            Arm::Avx512 => &avx512::KERNEL,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Arm::Neon => &neon::KERNEL,
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

    /// Computes a tile of C, whose rows are `c_row` apart.
    ///
    /// # Panics
    /// Panics if the arm has no tile of that size, or if an operand reaches
    /// outside its slice.
    #[inline]
    pub(super) fn tile(self, tile: &Tile<'_>, c: &mut [f32], c_row: usize) {
        let (rows, columns, lanes) = (tile.rows, tile.columns, self.0.lanes);
        let vectors = columns.div_ceil(lanes);
        let function = self.0.tiles[rows - 1][vectors - 1];
        let width = if self.0.partial_loads {
            columns
        } else {
            vectors * lanes
        };
        let (start, start_row) = match tile.from {
            From::Zero => (core::ptr::null(), 0),
            From::C => (c.as_ptr(), c_row),
            From::Row(row) => {
                assert!(row.len() >= columns, "a start of {} elements", row.len());
                (row.as_ptr(), 0)
            }
        };
        assert!(
            tile.k == 0
                || (tile.a.data.len() > (rows - 1) * tile.a.row + (tile.k - 1) * tile.a.step
                    && tile.b.len() >= (tile.k - 1) * tile.b_row + width),
            "{rows}×{}×{columns} beyond A or B",
            tile.k
        );
        assert!(
            c.len() >= (rows - 1) * c_row + columns,
            "{rows}×{columns} beyond C"
        );
        let raw = RawTile {
            k: tile.k,
            a: tile.a.data.as_ptr(),
            a_row: tile.a.row,
            a_step: tile.a.step,
            b: tile.b.as_ptr(),
            b_step: tile.b_row,
            start,
            start_row,
            c: c.as_mut_ptr(),
            c_row,
            last: columns - (vectors - 1) * lanes,
            ahead: tile.ahead.as_ptr(),
            ahead_rows: tile.ahead_rows,
        };
        // SAFETY: an `Isa` proves that the machine has the arm's instructions;
        // the assertions hold the last element of each operand inside its
        // slice, and C is borrowed for this call alone. (The start may be C
        // itself: the tile reads it before it writes.)
        unsafe { function(&raw) }
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
