//! The tiles of every micro-kernel, written once.
//!
//! For each k-index a tile loads V vectors of B, and for each of its R rows it splats one
//! element of A and makes V multiply-adds: a rank-1 update. The macros here define these
//! functions out of what the invoking file defines for its registers; the
//! [contract](super) lists that. Each macro takes the attribute of all of them,
//! `#[target_feature(enable = "…")]`, so that they inline into each other.

/// Defines the functions that all tiles are made of: `load_row`, `rank_1`, `load_start`,
/// `store_tile`.
macro_rules! define_parts {
    ($(#[$attribute:meta])*) => {
        /// Whether a last vector of so many lanes is direct: loaded and stored as fast as
        /// the others.
        #[inline(always)]
        fn is_direct(lanes: usize) -> bool {
            FREE_MASKS || lanes >= LANES
        }

        /// Loads a row of `V` vectors; `DIRECT` if the last one is direct.
        #[inline]
        $(#[$attribute])*
        fn load_row<const V: usize, const DIRECT: bool>(row: Row<'_, V, LANES>) -> [Vector; V] {
            let (whole, last) = row.vectors();
            let mut vectors = [zero(); V];
            for (v, vector) in vectors[..V - 1].iter_mut().enumerate() {
                *vector = load(&whole[v]);
            }
            vectors[V - 1] = match last.first_chunk() {
                Some(last) if DIRECT && !FREE_MASKS => load(last),
                _ => load_part(last),
            };
            vectors
        }

        /// Adds the outer product of a column of A and vector `v` of a row of B.
        #[inline]
        $(#[$attribute])*
        fn add_vector<const R: usize, const V: usize>(
            acc: &mut [[Vector; V]; R],
            column: [Vector; R],
            v: usize,
            b: Vector,
        ) {
            for (acc, a) in acc.iter_mut().zip(column) {
                acc[v] = mul_add(a, b, acc[v]);
            }
        }

        /// Adds the outer product of a column of A and a row of B.
        #[inline]
        $(#[$attribute])*
        fn rank_1<const R: usize, const V: usize>(
            acc: &mut [[Vector; V]; R],
            column: Column<'_, R>,
            row: [Vector; V],
        ) {
            // Only the operand of fewer vectors is in registers as a whole, or too few of
            // them would be left for the sums.
            if R < V {
                let column: [Vector; R] = core::array::from_fn(|i| splat(column.at(i)));
                for (v, b) in row.into_iter().enumerate() {
                    add_vector(acc, column, v, b);
                }
            } else {
                for (i, acc) in acc.iter_mut().enumerate() {
                    let a = splat(column.at(i));
                    for (acc, b) in acc.iter_mut().zip(row) {
                        *acc = mul_add(a, b, *acc);
                    }
                }
            }
        }

        /// Adds the products of a run of k-indices; `DIRECT` if the last vectors of the
        /// rows of B are direct.
        #[inline]
        $(#[$attribute])*
        fn add_products<const R: usize, const V: usize, const DIRECT: bool>(
            acc: &mut [[Vector; V]; R],
            steps: &mut Steps<'_, R, V, LANES>,
        ) {
            while let Some((column, row)) = steps.step() {
                rank_1(acc, column, load_row::<V, DIRECT>(row));
            }
        }

        /// Loads the start values of a tile's chains.
        #[inline]
        $(#[$attribute])*
        fn load_start<const R: usize, const V: usize>(
            tile: &Tile<'_, R, V, LANES>,
        ) -> [[Vector; V]; R] {
            let mut acc = [[zero(); V]; R];
            if let Some(rows) = tile.start() {
                for (acc, row) in acc.iter_mut().zip(rows) {
                    *acc = load_row::<V, false>(row);
                }
            }
            acc
        }

        /// Stores a tile into C. Each caller has a function of its own by `CALLER`: what is
        /// called once is inlined, however large, and the sums stay in registers.
        #[inline]
        $(#[$attribute])*
        fn store_tile<const R: usize, const V: usize, const CALLER: u8>(
            tile: Tile<'_, R, V, LANES>,
            acc: [[Vector; V]; R],
        ) {
            match is_direct(tile.lanes()) {
                true => store_tile_direct::<R, V, CALLER>(tile, acc),
                false => store_tile_part::<R, V, CALLER>(tile, acc),
            }
        }

        /// Stores a tile whose last vectors are direct.
        #[inline]
        $(#[$attribute])*
        fn store_tile_direct<const R: usize, const V: usize, const CALLER: u8>(
            mut tile: Tile<'_, R, V, LANES>,
            acc: [[Vector; V]; R],
        ) {
            let lanes = if FREE_MASKS { tile.lanes() } else { LANES };
            for (i, acc) in acc.iter().enumerate() {
                let (whole, last) = tile.c_row(i, lanes);
                for (v, to) in whole.iter_mut().enumerate() {
                    store(to, acc[v]);
                }
                match last.first_chunk_mut() {
                    Some(last) if !FREE_MASKS => store(last, acc[V - 1]),
                    _ => store_part(last, acc[V - 1]),
                }
            }
        }

        /// Stores a tile whose last vectors are not direct.
        #[inline]
        $(#[$attribute])*
        fn store_tile_part<const R: usize, const V: usize, const CALLER: u8>(
            mut tile: Tile<'_, R, V, LANES>,
            acc: [[Vector; V]; R],
        ) {
            // A bound that the compiler knows: no vector is whole.
            let lanes = tile.lanes().min(LANES - 1);
            for (i, acc) in acc.iter().enumerate() {
                let (whole, last) = tile.c_row(i, lanes);
                for (v, to) in whole.iter_mut().enumerate() {
                    store(to, acc[v]);
                }
                store_part(last, acc[V - 1]);
            }
        }
    };
}

/// Defines `load_part` and `store_part` by copying elements, for registers without masks.
macro_rules! define_parts_by_copy {
    ($(#[$attribute:meta])*) => {
        /// Loads the first lanes of a vector; the others are zero.
        #[inline]
        $(#[$attribute])*
        fn load_part(from: &[f32]) -> Vector {
            if let Some(whole) = from.first_chunk() {
                return load(whole);
            }
            let mut whole = [0.0; LANES];
            whole[..from.len()].copy_from_slice(from);
            load(&whole)
        }

        /// Stores the first lanes of a vector.
        #[inline]
        $(#[$attribute])*
        fn store_part(to: &mut [f32], x: Vector) {
            if let Some(whole) = to.first_chunk_mut() {
                return store(whole, x);
            }
            let mut whole = [0.0; LANES];
            store(&mut whole, x);
            to.copy_from_slice(&whole[..to.len()]);
        }
    };
}

/// Defines `tile_row`, for [`Kernel::tiles`](super::Kernel::tiles).
macro_rules! define_tiles {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors that lie side by side.
        $(#[$attribute])*
        fn tile_row<const R: usize, const V: usize>(tiles: DenseTiles<'_>) {
            let mut tiles = tiles.of_size::<R, V, LANES, { !PARTIAL_LOADS }>();
            let raw = tiles.raw();
            let (mut ahead, mut ahead_left) = (raw.ahead, raw.ahead_row_lines);
            while let Some((tile, mut steps)) = tiles.next_tile() {
                let mut acc = load_start(&tile);
                // A loop of its own for direct vectors, without a branch at each k-index.
                let is_direct = !PARTIAL_LOADS || is_direct(tile.lanes());
                while steps.begin(CACHE_LINE) {
                    if raw.ahead_gap == 0 {
                        for _ in 0..raw.ahead_lines {
                            prefetch(ahead);
                            ahead = ahead.wrapping_add(CACHE_LINE);
                        }
                    } else {
                        for _ in 0..raw.ahead_lines {
                            prefetch(ahead);
                            ahead = ahead.wrapping_add(CACHE_LINE);
                            ahead_left -= 1;
                            if ahead_left == 0 {
                                ahead = ahead.wrapping_add(raw.ahead_gap);
                                ahead_left = raw.ahead_row_lines;
                            }
                        }
                    }
                    match is_direct {
                        true => add_products::<R, V, true>(&mut acc, &mut steps),
                        false => add_products::<R, V, false>(&mut acc, &mut steps),
                    }
                }
                store_tile::<R, V, 0>(tile, acc);
            }
        }
    };
}

/// The table [`Kernel::tiles`](super::Kernel::tiles): `rows: vectors …;` for each number
/// of rows.
macro_rules! tiles {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(tile_row::<$rows, $vectors> as unsafe fn(DenseTiles<'_>)),+]),+]
    };
}

pub(super) use {define_parts, define_parts_by_copy, define_tiles, tiles};
