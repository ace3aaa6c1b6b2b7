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
        $(#[$attribute])*
        fn panel_column<const R: usize, const V: usize>(tiles: DenseTiles<'_>) {
            let mut tiles = tiles.of_size::<R, V, LANES, true>();
            while let Some((tile, mut steps)) = tiles.next_tile() {
                let mut acc = load_start(&tile);
                steps.begin(usize::MAX);
                add_products::<R, V, true>(&mut acc, &mut steps);
                store_tile::<R, V, 1>(tile, acc);
            }
        }

        /// Computes the first tile out of B as it lies, and copies the rows that it reads
        /// to the panel, each filled up with zeros to whole vectors.
        ///
        /// Meanwhile it fetches what lies as far from `ahead` as these rows from the first
        /// one: the next panel is a cache line in each row, which no processor guesses.
        $(#[$attribute])*
        fn packing_tile<const R: usize, const V: usize>(
            (tiles, panel): (DenseTiles<'_>, &mut [f32]),
        ) {
            let mut tiles = tiles.of_size::<R, V, LANES, false>();
            let raw = tiles.raw();
            // The panel before has fetched the cache line in which a row begins.
            let (mut ahead, b_k_stride) = (raw.ahead.wrapping_add(V * LANES - 1), raw.b_k_stride);
            let Some((tile, steps)) = tiles.next_tile() else {
                return;
            };
            let mut steps = PackingSteps::new(steps, panel);
            let mut acc = load_start(&tile);
            while let Some((column, row, to)) = steps.step() {
                prefetch(ahead);
                let to = to.vectors();
                if R < V {
                    // A vector at a time, or too few registers would be left for the sums.
                    let column: [Vector; R] = core::array::from_fn(|i| splat(column.at(i)));
                    let (whole, last) = row.vectors();
                    for (v, to) in to.iter_mut().enumerate() {
                        let b = if v + 1 < V { load(&whole[v]) } else { load_part(last) };
                        store(to, b);
                        add_vector(&mut acc, column, v, b);
                    }
                } else {
                    let row = load_row::<V, false>(row);
                    for (v, to) in to.iter_mut().enumerate() {
                        store(to, row[v]);
                    }
                    rank_1(&mut acc, column, row);
                }
                ahead = ahead.wrapping_add(b_k_stride);
            }
            store_tile::<R, V, 2>(tile, acc);
        }
    };
}

/// The table [`Kernel::panels`](super::Kernel::panels), written as `tiles!` is.
macro_rules! panels {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$((
            panel_column::<$rows, $vectors> as unsafe fn(DenseTiles<'_>),
            packing_tile::<$rows, $vectors> as unsafe fn((DenseTiles<'_>, &mut [f32])),
        )),+]),+]
    };
}

pub(super) use {define_panels, panels};
