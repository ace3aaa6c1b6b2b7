//! The tiles of every micro-kernel, written once.
//!
//! For each k-index a tile loads V vectors of B, and for each of its R rows it splats one
//! element of A and makes V multiply-adds: a rank-1 update. The macros here define these
//! functions out of what the invoking file defines for its registers; the
//! [contract](super) lists that. Each macro takes the attribute of all of them,
//! `#[target_feature(enable = "…")]`, so that they inline into each other.

/// Defines the functions that all tiles are made of: `rank_1`, `load_start`,
/// `store_tile`.
macro_rules! define_parts {
    ($(#[$attribute:meta])*) => {
        /// Adds the outer product of a column of A and a row of B.
        ///
        /// # Safety
        /// `R` elements of A, `a_row_stride` apart from `a` on, lie inside a live
        /// allocation.
        #[inline]
        $(#[$attribute])*
        unsafe fn rank_1<const R: usize, const V: usize>(
            acc: &mut [[Vector; V]; R],
            a: *const f32,
            a_row_stride: usize,
            row: [Vector; V],
        ) {
            // SAFETY: `i < R`, and `# Safety` places `R` such elements in an allocation.
            let column = |i: usize| splat(unsafe { *a.add(i * a_row_stride) });
            // Only the operand of fewer vectors is in registers as a whole, or too few of
            // them would be left for the sums.
            if R < V {
                let column: [Vector; R] = core::array::from_fn(column);
                for (v, b) in row.into_iter().enumerate() {
                    for (acc, a) in acc.iter_mut().zip(column) {
                        acc[v] = mul_add(a, b, acc[v]);
                    }
                }
            } else {
                for (i, acc) in acc.iter_mut().enumerate() {
                    let a = column(i);
                    for (acc, b) in acc.iter_mut().zip(row) {
                        *acc = mul_add(a, b, *acc);
                    }
                }
            }
        }

        /// Loads the start values of a tile's chains.
        ///
        /// # Safety
        /// As for `tile_row`, with `R` rows of `V` vectors.
        #[inline]
        $(#[$attribute])*
        unsafe fn load_start<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
        ) -> [[Vector; V]; R] {
            let mut acc = [[zero(); V]; R];
            if !tiles.start.is_null() {
                for (i, acc) in acc.iter_mut().enumerate() {
                    for (v, acc) in acc.iter_mut().enumerate() {
                        // SAFETY: row `i < R` of a start that is not null has `V` vectors
                        // in each tile, the last of them the lanes of the mask.
                        *acc = unsafe {
                            let row = tiles.start.add(i * tiles.start_row_stride);
                            let from = row.add(tile * tiles.start_tile_stride + v * LANES);
                            if v + 1 < V { load(from) } else { load_part(from, mask) }
                        };
                    }
                }
            }
            acc
        }

        /// Stores a tile into C.
        ///
        /// # Safety
        /// As for `tile_row`, with `R` rows of `V` vectors.
        #[inline]
        $(#[$attribute])*
        unsafe fn store_tile<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            // SAFETY: C has `R` rows of `V` vectors in tile `tile`, the last of them the
            // lanes of `mask`, nothing else refers to C, and `is_direct` selects the
            // function for the mask.
            unsafe {
                match is_direct(mask) {
                    true => store_tile_direct(tiles, tile, mask, acc),
                    false => store_tile_part(tiles, tile, mask, acc),
                }
            }
        }

        /// Stores a tile whose last vectors are direct.
        ///
        /// # Safety
        /// As for `tile_row`, with `R` rows of `V` vectors; the mask is direct.
        #[inline]
        $(#[$attribute])*
        unsafe fn store_tile_direct<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    // SAFETY: row `i < R` of C has `V` vectors in each tile, the last of
                    // them the lanes of the mask, and nothing else refers to C.
                    unsafe {
                        let row = tiles.c.add(i * tiles.c_row_stride);
                        let to = row.add(tile * tiles.c_tile_stride + v * LANES);
                        if v + 1 < V { store(to, *acc) } else { store_direct(to, mask, *acc) }
                    }
                }
            }
        }

        /// Stores a tile whose last vectors are not direct. Kept out of line: so large
        /// that it is inlined into no tile, it would keep `store_tile` from being so.
        ///
        /// # Safety
        /// As for `tile_row`, with `R` rows of `V` vectors.
        #[inline(never)]
        $(#[$attribute])*
        unsafe fn store_tile_part<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    // SAFETY: row `i < R` of C has `V` vectors in each tile, the last of
                    // them the lanes of the mask, and nothing else refers to C.
                    unsafe {
                        let row = tiles.c.add(i * tiles.c_row_stride);
                        let to = row.add(tile * tiles.c_tile_stride + v * LANES);
                        if v + 1 < V { store(to, *acc) } else { store_part(to, mask, *acc) }
                    }
                }
            }
        }
    };
}

/// Defines `tile_row`, for [`Kernel::tiles`](super::Kernel::tiles).
macro_rules! define_tiles {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors that lie side by side.
        ///
        /// # Safety
        /// As for `ComputeTiles`, with `R` rows of `V` vectors in each tile.
        $(#[$attribute])*
        unsafe fn tile_row<const R: usize, const V: usize>(tiles: &RawTiles) {
            let (mut ahead, mut ahead_left) = (tiles.ahead, tiles.ahead_row_lines);
            for tile in 0..tiles.count {
                let is_last = tile + 1 >= tiles.count;
                let mask = mask(if is_last { tiles.last_lanes } else { tiles.lanes });
                // SAFETY: a start that is not null has `R` rows of `V` vectors in
                // tile `tile`, the last of them the lanes of `mask`.
                let mut acc = unsafe { load_start::<R, V>(tiles, tile, mask) };
                let mut a = tiles.a.wrapping_add(tile * tiles.a_tile_stride);
                let mut b = tiles.b.wrapping_add(tile * tiles.b_tile_stride);
                let mut left = tiles.k;
                while left > 0 {
                    let steps = left.min(CACHE_LINE);
                    if tiles.ahead_gap == 0 {
                        for _ in 0..tiles.ahead_lines {
                            prefetch(ahead);
                            ahead = ahead.wrapping_add(CACHE_LINE);
                        }
                    } else {
                        for _ in 0..tiles.ahead_lines {
                            prefetch(ahead);
                            ahead = ahead.wrapping_add(CACHE_LINE);
                            ahead_left -= 1;
                            if ahead_left == 0 {
                                ahead = ahead.wrapping_add(tiles.ahead_gap);
                                ahead_left = tiles.ahead_row_lines;
                            }
                        }
                    }
                    for _ in 0..steps {
                        let mut row = [zero(); V];
                        for (v, row) in row.iter_mut().enumerate() {
                            // SAFETY: the row of B of each k-index below `tiles.k` has `V`
                            // vectors, the last of them what `load_last` reads.
                            *row = unsafe {
                                let from = b.add(v * LANES);
                                if v + 1 < V { load(from) } else { load_last(from, mask) }
                            };
                        }
                        // SAFETY: A has `R` rows at each k-index below `tiles.k`.
                        unsafe { rank_1(&mut acc, a, tiles.a_row_stride, row) };
                        // Past the last k-index these point nowhere, and are not used.
                        a = a.wrapping_add(tiles.a_k_stride);
                        b = b.wrapping_add(tiles.b_k_stride);
                    }
                    left -= steps;
                }
                // SAFETY: C has `R` rows of `V` vectors in tile `tile`, the last of
                // them the lanes of `mask`, and nothing else refers to C.
                unsafe { store_tile(tiles, tile, mask, acc) };
            }
        }
    };
}

/// The table [`Kernel::tiles`](super::Kernel::tiles): `rows: vectors …;` for each number
/// of rows.
macro_rules! tiles {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(tile_row::<$rows, $vectors> as unsafe fn(&RawTiles)),+]),+]
    };
}

pub(super) use {define_parts, define_tiles, tiles};
