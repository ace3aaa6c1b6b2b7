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
            // SAFETY: by `# Safety` of this function the operands have `R` rows for each list
            // and `V` vectors in each tile, and the `match` makes `DIRECT` what
            // `is_direct(last_lanes)` is.
            unsafe {
                match (is_direct(tiles.last_lanes), tiles.ahead_lines > 0) {
                    (true, true) => sparse_tiles::<R, V, true, true>(tiles, lists),
                    (true, false) => sparse_tiles::<R, V, true, false>(tiles, lists),
                    (false, true) => sparse_tiles::<R, V, false, true>(tiles, lists),
                    (false, false) => sparse_tiles::<R, V, false, false>(tiles, lists),
                }
            }
        }

        /// Computes the tiles of `sparse_rows`. Kept out of line so that register
        /// allocation is not shared with the caller.
        ///
        /// # Safety
        /// As for `sparse_rows`; the last vector is direct if `DIRECT`.
        #[inline(never)]
        $(#[$attribute])*
        unsafe fn sparse_tiles<const R: usize, const V: usize, const DIRECT: bool, const FETCH: bool>(
            tiles: &RawTiles,
            lists: SparseK<'_>,
        ) {
            let mut tiles = *tiles;
            // Bounds that the compiler knows spare the loop a branch at each k-index.
            let lanes = match (DIRECT, FREE_MASKS) {
                (true, true) => tiles.last_lanes,
                (true, false) => LANES,
                (false, _) => tiles.last_lanes.min(LANES - 1),
            };
            for list in lists.iter() {
                for tile in 0..tiles.count {
                    let b = tiles.b.wrapping_add(tile * tiles.b_tile_stride);
                    // SAFETY: by `# Safety` of this function C and a start that is not null have
                    // `R` rows of `V` vectors for each list, and nothing else refers to C; each
                    // list before this one has moved them on by `R` rows, and `tile < count`.
                    let tile = unsafe { Tile::<R, V, LANES>::new(&tiles, tile) };
                    let mut acc = load_start(&tile);
                    for (at, &p) in list.iter().enumerate() {
                        if FETCH && let Some(&later) = list.get(at + PREFETCH_DISTANCE) {
                            for line in (0..V * LANES).step_by(CACHE_LINE) {
                                prefetch(b.wrapping_add(later as usize * tiles.b_k_stride + line));
                            }
                        }
                        let a = tiles.a.wrapping_add(p as usize * tiles.a_k_stride);
                        let b = b.wrapping_add(p as usize * tiles.b_k_stride);
                        // SAFETY: by `# Safety` of this function A has the `R` rows of this list
                        // at each listed k-index, of which `p` is one.
                        let column = unsafe { Column::new(a, tiles.a_row_stride) };
                        // SAFETY: by `# Safety` of this function B has a row of `V` vectors at
                        // each listed k-index, the last of `last_lanes` lanes; `lanes` is not
                        // larger, since `last_lanes` is `LANES` where masks are not free and
                        // `DIRECT` holds.
                        let row = unsafe { Row::new(b, lanes) };
                        rank_1(&mut acc, column, load_row::<V, DIRECT>(row));
                    }
                    match (DIRECT, FETCH) {
                        (true, true) => store_tile_direct::<R, V, 3>(tile, acc),
                        (true, false) => store_tile_direct::<R, V, 4>(tile, acc),
                        (false, true) => store_tile_part::<R, V, 3>(tile, acc),
                        (false, false) => store_tile_part::<R, V, 4>(tile, acc),
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
