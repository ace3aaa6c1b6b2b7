//! Tiles of listed k-indices: the loop over a list, written once for every micro-kernel.
//!
//! See `tile.rs` for how the macros are used.

/// The number of listed k-indices that a row of B is fetched ahead: no processor guesses
/// where the next one lies.
pub(super) const PREFETCH_DISTANCE: usize = 8;

/// Defines `sparse_rows`, for [`Kernel::sparse`](super::Kernel::sparse).
macro_rules! define_sparse {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors at listed k-indices: a row of tiles
        /// for each list, one below the other.
        ///
        /// # Safety
        /// As for `ComputeSparse`, with `R` rows for each list and `V` vectors in each
        /// tile.
        $(#[$attribute])*
        unsafe fn sparse_rows<const R: usize, const V: usize>(tiles: &RawTiles, lists: SparseK<'_>) {
            let mask = mask(tiles.last_lanes);
            // SAFETY: for each list A, C and a start that is not null have `R` rows in each
            // tile, B has a row at each listed k-index, nothing else refers to C, and `DIRECT`
            // equals `is_direct(mask)`.
            unsafe {
                match (is_direct(mask), tiles.ahead_lines > 0) {
                    (true, true) => sparse_tiles::<R, V, true, true>(tiles, lists, mask),
                    (true, false) => sparse_tiles::<R, V, true, false>(tiles, lists, mask),
                    (false, true) => sparse_tiles::<R, V, false, true>(tiles, lists, mask),
                    (false, false) => sparse_tiles::<R, V, false, false>(tiles, lists, mask),
                }
            }
        }

        /// Computes the tiles of `sparse_rows`. Kept out of line so that register
        /// allocation is not shared with the caller.
        ///
        /// # Safety
        /// As for `sparse_rows`; the mask is direct if `DIRECT`.
        #[inline(never)]
        $(#[$attribute])*
        unsafe fn sparse_tiles<const R: usize, const V: usize, const DIRECT: bool, const FETCH: bool>(
            tiles: &RawTiles,
            lists: SparseK<'_>,
            mask: Mask,
        ) {
            let mut tiles = *tiles;
            for list in lists.iter() {
                for tile in 0..tiles.count {
                    // SAFETY: a start that is not null has `R` rows for this list, of `V`
                    // vectors in tile `tile`, the last of them the lanes of `mask`.
                    let mut acc = unsafe { load_start::<R, V>(&tiles, tile, mask) };
                    let b = tiles.b.wrapping_add(tile * tiles.b_tile_stride);
                    for (at, &p) in list.iter().enumerate() {
                        if FETCH && let Some(&later) = list.get(at + PREFETCH_DISTANCE) {
                            for line in (0..V * LANES).step_by(CACHE_LINE) {
                                prefetch(b.wrapping_add(later as usize * tiles.b_k_stride + line));
                            }
                        }
                        let a = tiles.a.wrapping_add(p as usize * tiles.a_k_stride);
                        let b = b.wrapping_add(p as usize * tiles.b_k_stride);
                        let mut row = [zero(); V];
                        for (v, row) in row.iter_mut().enumerate() {
                            // SAFETY: the row of B of each listed k-index has `V` vectors,
                            // the last of them the lanes of the mask.
                            *row = unsafe {
                                let from = b.add(v * LANES);
                                match (v + 1 < V, DIRECT) {
                                    (true, _) => load(from),
                                    (false, true) => load_direct(from, mask),
                                    (false, false) => load_part(from, mask),
                                }
                            };
                        }
                        // SAFETY: A has `R` rows at each listed k-index.
                        unsafe { rank_1(&mut acc, a, tiles.a_row_stride, row) };
                    }
                    // SAFETY: C has `R` rows for this list, of `V` vectors in tile `tile`, the
                    // last of them the lanes of `mask`; nothing else refers to C, and `DIRECT`
                    // selects the function for the mask.
                    unsafe {
                        match DIRECT {
                            true => store_tile_direct(&tiles, tile, mask, acc),
                            false => store_tile_part(&tiles, tile, mask, acc),
                        }
                    }
                }
                // Past the last rows these point nowhere, and are not used.
                tiles.skip_rows(R);
            }
        }
    };
}

/// The table [`Kernel::sparse`](super::Kernel::sparse), written as `tiles!` is.
macro_rules! sparse {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(sparse_rows::<$rows, $vectors> as unsafe fn(&RawTiles, SparseK<'_>)),+]),+]
    };
}

pub(super) use {define_sparse, sparse};
