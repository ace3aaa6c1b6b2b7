//! Tiles out of packed panels of B, and tiles that pack them, written once for every
//! micro-kernel.
//!
//! See `tile.rs` for how the macros are used.

/// Defines `panel_column` and `packing_tile`, for
/// [`Kernel::panels`](super::Kernel::panels).
macro_rules! define_panels {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors out of rows of B that are whole
        /// vectors, and fetches nothing ahead.
        ///
        /// # Safety
        /// As for `ComputeTiles`, with `R` rows of `V` vectors in each tile and `V` whole
        /// vectors in each row of B.
        $(#[$attribute])*
        unsafe fn panel_column<const R: usize, const V: usize>(tiles: &RawTiles) {
            for tile in 0..tiles.count {
                let is_last = tile + 1 >= tiles.count;
                let mask = mask(if is_last { tiles.last_lanes } else { tiles.lanes });
                // SAFETY: a start that is not null has `R` rows of `V` vectors in
                // tile `tile`, the last of them the lanes of `mask`.
                let mut acc = unsafe { load_start::<R, V>(tiles, tile, mask) };
                let mut a = tiles.a.wrapping_add(tile * tiles.a_tile_stride);
                let mut b = tiles.b.wrapping_add(tile * tiles.b_tile_stride);
                for _ in 0..tiles.k {
                    let mut row = [zero(); V];
                    for (v, row) in row.iter_mut().enumerate() {
                        // SAFETY: the row of B of each k-index below `tiles.k` has `V`
                        // whole vectors.
                        *row = unsafe { load(b.add(v * LANES)) };
                    }
                    // SAFETY: A has `R` rows at each k-index below `tiles.k`.
                    unsafe { rank_1(&mut acc, a, tiles.a_row_stride, row) };
                    // Past the last k-index these point nowhere, and are not used.
                    a = a.wrapping_add(tiles.a_k_stride);
                    b = b.wrapping_add(tiles.b_k_stride);
                }
                // SAFETY: C has `R` rows of `V` vectors in tile `tile`, the last of
                // them the lanes of `mask`, and nothing else refers to C.
                unsafe { store_tile(tiles, tile, mask, acc) };
            }
        }

        /// Computes the first tile out of B as it lies, and copies the rows that it reads
        /// to `panel`, each filled up with zeros to whole vectors.
        ///
        /// Meanwhile it fetches what lies as far from `ahead` as these rows from the first
        /// one: the next panel is a cache line in each row, which no processor guesses.
        ///
        /// # Safety
        /// As for `PackingTile`, with `R` rows of `V` vectors.
        $(#[$attribute])*
        unsafe fn packing_tile<const R: usize, const V: usize>(tiles: &RawTiles, panel: *mut f32) {
            let mask = mask(tiles.lanes);
            // SAFETY: a start that is not null has `R` rows of `V` vectors in tile 0, the
            // last of them the lanes of `mask`.
            let mut acc = unsafe { load_start::<R, V>(tiles, 0, mask) };
            let (mut a, mut b, mut to) = (tiles.a, tiles.b, panel);
            // The panel before has fetched the cache line in which a row begins.
            let mut ahead = tiles.ahead.wrapping_add(V * LANES - 1);
            for _ in 0..tiles.k {
                prefetch(ahead);
                let mut row = [zero(); V];
                for (v, row) in row.iter_mut().enumerate() {
                    // SAFETY: the row of B of each k-index below `tiles.k` has `V` vectors,
                    // the last of them the lanes of the mask, and the panel has room for
                    // `V` whole vectors of each.
                    unsafe {
                        let from = b.add(v * LANES);
                        *row = if v + 1 < V { load(from) } else { load_part(from, mask) };
                        store(to.add(v * LANES), *row);
                    }
                }
                // SAFETY: A has `R` rows at each k-index below `tiles.k`.
                unsafe { rank_1(&mut acc, a, tiles.a_row_stride, row) };
                // Past the last k-index these point nowhere, and are not used.
                a = a.wrapping_add(tiles.a_k_stride);
                b = b.wrapping_add(tiles.b_k_stride);
                ahead = ahead.wrapping_add(tiles.b_k_stride);
                to = to.wrapping_add(V * LANES);
            }
            // SAFETY: C has `R` rows of `V` vectors in tile 0, the last of them the lanes
            // of `mask`, and nothing else refers to C.
            unsafe { store_tile(tiles, 0, mask, acc) };
        }
    };
}

/// The table [`Kernel::panels`](super::Kernel::panels), written as `tiles!` is.
macro_rules! panels {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$((
            panel_column::<$rows, $vectors> as unsafe fn(&RawTiles),
            packing_tile::<$rows, $vectors> as unsafe fn(&RawTiles, *mut f32),
        )),+]),+]
    };
}

pub(super) use {define_panels, panels};
