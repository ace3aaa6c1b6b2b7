//! The tile that every micro-kernel computes, written once.
//!
//! A tile is `R` rows of C and `V` vectors of its columns, all in registers.
//! For each step of k it loads `V` vectors of B, and for each row splats one
//! element of A and makes `V` multiply-adds: a rank-1 update. Every element is
//! one chain over k in ascending order. The element of A is read where it
//! lies, at any strides, so A need not be packed.

/// Addresses and distances, in elements, of one tile's operands.
///
/// The element of A in row `i` and step `p` is at `a + i·a_row + p·a_step`,
/// the row of B of step `p` at `b + p·b_step`, row `i` of C at `c + i·c_row`.
/// The chains start from row `i` at `start + i·start_row`, or from zero where
/// `start` is null. Of the last vector only `last` lanes, at least one, are
/// inside the matrices.
#[derive(Clone, Copy)]
pub(super) struct RawTile {
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    pub(super) b: *const f32,
    pub(super) b_step: usize,
    pub(super) start: *const f32,
    pub(super) start_row: usize,
    pub(super) c: *mut f32,
    pub(super) c_row: usize,
    pub(super) last: usize,
    /// Rows of A that the tiles after this one will read: `ahead_rows` of
    /// them, the first at `ahead`, `a_row` apart. They are fetched into the
    /// cache meanwhile.
    pub(super) ahead: *const f32,
    pub(super) ahead_rows: usize,
}

/// Steps of k whose elements of a row of A share a cache line, if the row is
/// contiguous.
pub(super) const LINE: usize = 16;

/// Defines `tile` out of what the invoking file defines for its registers:
/// `Vector`, `LANES`, `Mask`, `zero`, `splat`, `mul_add`, `mask`, `load`,
/// `store`, `load_part`, `load_last`, `store_part`, `prefetch`.
macro_rules! define_tile {
    ($(#[$attribute:meta])*) => {
        /// Computes a tile of `R` rows and `V` vectors.
        ///
        /// # Safety
        /// All that [`RawTile`] describes must lie inside live allocations,
        /// C must not overlap the others, and where `load_last` reads whole
        /// vectors so must the last one of each row of B.
        $(#[$attribute])*
        unsafe fn tile<const R: usize, const V: usize>(tile: &RawTile) {
            let mask = mask(tile.last);
            let mut acc = [[zero(); V]; R];
            if !tile.start.is_null() {
                for (i, acc) in acc.iter_mut().enumerate() {
                    for (v, acc) in acc.iter_mut().enumerate() {
                        // SAFETY: row `i` of the start, by the caller's word.
                        *acc = unsafe {
                            let from = tile.start.add(i * tile.start_row + v * LANES);
                            if v + 1 < V { load(from) } else { load_part(from, mask) }
                        };
                    }
                }
            }
            let (mut a, mut b, mut ahead) = (tile.a, tile.b, tile.ahead);
            let mut left = tile.k;
            while left > 0 {
                let steps = left.min(LINE);
                for i in 0..tile.ahead_rows {
                    prefetch(ahead.wrapping_add(i * tile.a_row));
                }
                ahead = ahead.wrapping_add(LINE);
                for _ in 0..steps {
                    let mut row = [zero(); V];
                    for (v, row) in row.iter_mut().enumerate() {
                        // SAFETY: the row of B of this step.
                        *row = unsafe {
                            let from = b.add(v * LANES);
                            if v + 1 < V { load(from) } else { load_last(from, mask) }
                        };
                    }
                    for (i, acc) in acc.iter_mut().enumerate() {
                        // SAFETY: row `i` of A in this step.
                        let a = splat(unsafe { *a.add(i * tile.a_row) });
                        for (acc, b) in acc.iter_mut().zip(row) {
                            *acc = mul_add(a, b, *acc);
                        }
                    }
                    // Past the last step these point nowhere, and are not used.
                    a = a.wrapping_add(tile.a_step);
                    b = b.wrapping_add(tile.b_step);
                }
                left -= steps;
            }
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    // SAFETY: row `i` of C.
                    unsafe {
                        let to = tile.c.add(i * tile.c_row + v * LANES);
                        if v + 1 < V { store(to, *acc) } else { store_part(to, mask, *acc) }
                    }
                }
            }
        }
    };
}

/// The table of an arm's tiles: for each number of rows from 1 on, those of
/// 1, 2, … vectors.
macro_rules! tiles {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(tile::<$rows, $vectors> as unsafe fn(&RawTile)),+]),+]
    };
}

pub(super) use {define_tile, tiles};
