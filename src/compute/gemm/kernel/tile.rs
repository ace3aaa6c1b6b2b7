//! The tiles that every micro-kernel computes, written once.
//!
//! A tile is `R` rows of C and `V` vectors of its columns, all in registers.
//! For each step of k it loads `V` vectors of B, and for each row splats one
//! element of A and makes `V` multiply-adds: a rank-1 update. Every element is
//! one chain over k in ascending order. The element of A is read where it
//! lies, at any strides, so A need not be packed.

/// Addresses and distances, in elements, of the operands of tiles that lie
/// side by side, or one below the other.
///
/// For the first tile, the element of A in row `i` and step `p` is at
/// `a + i·a_row + p·a_step`, the row of B of step `p` at `b + p·b_step` and row
/// `i` of C at `c + i·c_row`; its chains start from row `i` at
/// `start + i·start_row`, or from zero where `start` is null. For each further
/// tile they are `a_tile`, `b_tile`, `c_tile` and `start_tile` on. Of the last
/// vector of a tile only `lanes`, of the last tile's `last`, at least one, are
/// inside the matrices.
///
/// All fields are as wide as a register and are read one by one: a load that
/// spans several fresh stores would wait until those before them, among them
/// all of the last tile's, have left for the cache.
#[derive(Clone, Copy)]
pub(super) struct RawTiles {
    pub(super) count: usize,
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    pub(super) a_tile: usize,
    pub(super) b: *const f32,
    pub(super) b_step: usize,
    pub(super) b_tile: usize,
    pub(super) start: *const f32,
    pub(super) start_row: usize,
    pub(super) start_tile: usize,
    pub(super) c: *mut f32,
    pub(super) c_row: usize,
    pub(super) c_tile: usize,
    pub(super) lanes: usize,
    pub(super) last: usize,
    /// What later tiles will touch, to be fetched into the cache meanwhile:
    /// so many cache lines for every [`CACHE_LINE`] steps, from `ahead` on and in
    /// rows of `ahead_row` lines with `ahead_gap` elements between them. Of
    /// listed steps, whether rows of B are fetched ahead.
    pub(super) ahead: *const f32,
    pub(super) ahead_lines: usize,
    pub(super) ahead_row: usize,
    pub(super) ahead_gap: usize,
}

/// How many listed steps a row of B is fetched ahead: no processor guesses where
/// the next one lies.
pub(super) const FAR: usize = 8;

pub(super) use crate::compute::aligned::CACHE_LINE;

/// Defines `tile_row` and `listed_rows` out of what the invoking file defines for
/// its registers: `Vector`, `Mask`, `LANES`, `zero`, `splat`, `mul_add`, `mask`,
/// `load`, `store`, `load_part`, `load_last`, `is_direct`, `load_direct`,
/// `store_direct`, `store_part`, `prefetch`.
macro_rules! define_tiles {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors.
        ///
        /// # Safety
        /// All that [`RawTiles`] describes must lie inside live allocations,
        /// C must not overlap the others, and where `load_last` reads whole
        /// vectors so must the last one of each row of B.
        $(#[$attribute])*
        unsafe fn tile_row<const R: usize, const V: usize>(tiles: &RawTiles) {
            let (mut ahead, mut ahead_left) = (tiles.ahead, tiles.ahead_row);
            for tile in 0..tiles.count {
                let mask = mask(if tile + 1 < tiles.count { tiles.lanes } else { tiles.last });
                // SAFETY: the caller's word.
                let mut acc = unsafe { begin::<R, V>(tiles, tile, mask) };
                let mut a = tiles.a.wrapping_add(tile * tiles.a_tile);
                let mut b = tiles.b.wrapping_add(tile * tiles.b_tile);
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
                                ahead_left = tiles.ahead_row;
                            }
                        }
                    }
                    for _ in 0..steps {
                        let mut row = [zero(); V];
                        for (v, row) in row.iter_mut().enumerate() {
                            // SAFETY: the row of B of this step.
                            *row = unsafe {
                                let from = b.add(v * LANES);
                                if v + 1 < V { load(from) } else { load_last(from, mask) }
                            };
                        }
                        // SAFETY: the rows of A in this step.
                        unsafe { rank_1(&mut acc, a, tiles.a_row, row) };
                        // Past the last step these point nowhere, and are not used.
                        a = a.wrapping_add(tiles.a_step);
                        b = b.wrapping_add(tiles.b_step);
                    }
                    left -= steps;
                }
                // SAFETY: the caller's word.
                unsafe { end(tiles, tile, mask, acc) };
            }
        }

        /// The same of those steps only that `steps` lists, for rows of tiles one
        /// below the other, a list each: step `p` is at `p·a_step` in A and at
        /// `p·b_step` in B. All of these tiles are as wide as the last.
        ///
        /// # Safety
        /// As for `tile_row`, of the steps in the lists.
        $(#[$attribute])*
        unsafe fn listed_rows<const R: usize, const V: usize>(tiles: &RawTiles, steps: SparseK<'_>) {
            let mask = mask(tiles.last);
            // SAFETY: the caller's word, and what `is_direct` says.
            unsafe {
                match (is_direct(mask), tiles.ahead_lines > 0) {
                    (true, true) => listed_tiles::<R, V, true, true>(tiles, steps, mask),
                    (true, false) => listed_tiles::<R, V, true, false>(tiles, steps, mask),
                    (false, true) => listed_tiles::<R, V, false, true>(tiles, steps, mask),
                    (false, false) => listed_tiles::<R, V, false, false>(tiles, steps, mask),
                }
            }
        }

        /// These tiles. On its own, where no other has a claim to the registers.
        ///
        /// # Safety
        /// As for `listed_rows`; the mask is direct where `DIRECT` says so.
        #[inline(never)]
        $(#[$attribute])*
        unsafe fn listed_tiles<const R: usize, const V: usize, const DIRECT: bool, const FETCH: bool>(
            tiles: &RawTiles,
            steps: SparseK<'_>,
            mask: Mask,
        ) {
            let mut tiles = *tiles;
            for list in steps.iter() {
                for tile in 0..tiles.count {
                    // SAFETY: the caller's word.
                    let mut acc = unsafe { begin::<R, V>(&tiles, tile, mask) };
                    let b = tiles.b.wrapping_add(tile * tiles.b_tile);
                    for (at, &step) in list.iter().enumerate() {
                        if FETCH && let Some(&far) = list.get(at + FAR) {
                            for line in (0..V * LANES).step_by(CACHE_LINE) {
                                prefetch(b.wrapping_add(far as usize * tiles.b_step + line));
                            }
                        }
                        let a = tiles.a.wrapping_add(step as usize * tiles.a_step);
                        let b = b.wrapping_add(step as usize * tiles.b_step);
                        let mut row = [zero(); V];
                        for (v, row) in row.iter_mut().enumerate() {
                            // SAFETY: the row of B of this step.
                            *row = unsafe {
                                let from = b.add(v * LANES);
                                match (v + 1 < V, DIRECT) {
                                    (true, _) => load(from),
                                    (false, true) => load_direct(from, mask),
                                    (false, false) => load_part(from, mask),
                                }
                            };
                        }
                        // SAFETY: the rows of A in this step.
                        unsafe { rank_1(&mut acc, a, tiles.a_row, row) };
                    }
                    // SAFETY: the caller's word.
                    unsafe {
                        match DIRECT {
                            true => end_direct(&tiles, tile, mask, acc),
                            false => end_aside(&tiles, tile, mask, acc),
                        }
                    }
                }
                // Past the last rows these point nowhere, and are not used.
                tiles.a = tiles.a.wrapping_add(R * tiles.a_row);
                tiles.start = tiles.start.wrapping_add(R * tiles.start_row);
                tiles.c = tiles.c.wrapping_add(R * tiles.c_row);
            }
        }

        /// Adds the outer product of a column of A and a row of B.
        ///
        /// # Safety
        /// The elements of A, `a_row` apart from `a` on, lie inside a live
        /// allocation.
        #[inline]
        $(#[$attribute])*
        unsafe fn rank_1<const R: usize, const V: usize>(
            acc: &mut [[Vector; V]; R],
            a: *const f32,
            a_row: usize,
            row: [Vector; V],
        ) {
            // SAFETY: row `i` of A.
            let column = |i: usize| splat(unsafe { *a.add(i * a_row) });
            // Only of the fewer operands all are in registers at the same time,
            // or there would be too few of them for the sums.
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

        /// What the chains of a tile start from.
        ///
        /// # Safety
        /// As for `tile_row`.
        #[inline]
        $(#[$attribute])*
        unsafe fn begin<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
        ) -> [[Vector; V]; R] {
            let mut acc = [[zero(); V]; R];
            if !tiles.start.is_null() {
                for (i, acc) in acc.iter_mut().enumerate() {
                    for (v, acc) in acc.iter_mut().enumerate() {
                        // SAFETY: row `i` of the start, by the caller's word.
                        *acc = unsafe {
                            let row = tiles.start.add(i * tiles.start_row);
                            let from = row.add(tile * tiles.start_tile + v * LANES);
                            if v + 1 < V { load(from) } else { load_part(from, mask) }
                        };
                    }
                }
            }
            acc
        }

        /// Stores a tile.
        ///
        /// # Safety
        /// As for `tile_row`.
        #[inline]
        $(#[$attribute])*
        unsafe fn end<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            // SAFETY: the caller's word, and what `is_direct` says.
            unsafe {
                match is_direct(mask) {
                    true => end_direct(tiles, tile, mask, acc),
                    false => end_aside(tiles, tile, mask, acc),
                }
            }
        }

        /// The same where the last vectors are direct.
        ///
        /// # Safety
        /// As for `tile_row`; the mask is direct.
        #[inline]
        $(#[$attribute])*
        unsafe fn end_direct<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    // SAFETY: row `i` of C.
                    unsafe {
                        let row = tiles.c.add(i * tiles.c_row);
                        let to = row.add(tile * tiles.c_tile + v * LANES);
                        if v + 1 < V { store(to, *acc) } else { store_direct(to, mask, *acc) }
                    }
                }
            }
        }

        /// The same where the last vectors are not direct. It would be inlined
        /// into no tile, and then none of their ends would.
        ///
        /// # Safety
        /// As for `tile_row`.
        #[inline(never)]
        $(#[$attribute])*
        unsafe fn end_aside<const R: usize, const V: usize>(
            tiles: &RawTiles,
            tile: usize,
            mask: Mask,
            acc: [[Vector; V]; R],
        ) {
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    // SAFETY: row `i` of C.
                    unsafe {
                        let row = tiles.c.add(i * tiles.c_row);
                        let to = row.add(tile * tiles.c_tile + v * LANES);
                        if v + 1 < V { store(to, *acc) } else { store_part(to, mask, *acc) }
                    }
                }
            }
        }
    };
}

/// Defines `panel_row` and `packing_tile` beside them.
macro_rules! define_panels {
    ($(#[$attribute:meta])*) => {
        /// Computes tiles of `R` rows and `V` vectors as `tile_row` does, and
        /// nothing else: rows of B are whole vectors, and nothing is fetched
        /// ahead.
        ///
        /// # Safety
        /// As for `tile_row`, with whole vectors in each row of B.
        $(#[$attribute])*
        unsafe fn panel_row<const R: usize, const V: usize>(tiles: &RawTiles) {
            for tile in 0..tiles.count {
                let mask = mask(if tile + 1 < tiles.count { tiles.lanes } else { tiles.last });
                // SAFETY: the caller's word.
                let mut acc = unsafe { begin::<R, V>(tiles, tile, mask) };
                let mut a = tiles.a.wrapping_add(tile * tiles.a_tile);
                let mut b = tiles.b.wrapping_add(tile * tiles.b_tile);
                for _ in 0..tiles.k {
                    let mut row = [zero(); V];
                    for (v, row) in row.iter_mut().enumerate() {
                        // SAFETY: the row of B of this step.
                        *row = unsafe { load(b.add(v * LANES)) };
                    }
                    // SAFETY: the rows of A in this step.
                    unsafe { rank_1(&mut acc, a, tiles.a_row, row) };
                    // Past the last step these point nowhere, and are not used.
                    a = a.wrapping_add(tiles.a_step);
                    b = b.wrapping_add(tiles.b_step);
                }
                // SAFETY: the caller's word.
                unsafe { end(tiles, tile, mask, acc) };
            }
        }

        /// Computes the first of these tiles out of B as it lies, and copies the
        /// rows that it reads to `panel`, one after another, each filled up with
        /// zeros to whole vectors. Meanwhile it fetches what lies as far from
        /// `ahead` as these rows from the first: the panel to come is a cache
        /// line in each row, which no processor guesses.
        ///
        /// # Safety
        /// As for `tile_row`, but rows of B need not be whole vectors. The panel
        /// has room for them and overlaps nothing else.
        $(#[$attribute])*
        unsafe fn packing_tile<const R: usize, const V: usize>(tiles: &RawTiles, panel: *mut f32) {
            let mask = mask(tiles.lanes);
            // SAFETY: the caller's word.
            let mut acc = unsafe { begin::<R, V>(tiles, 0, mask) };
            let (mut a, mut b, mut to) = (tiles.a, tiles.b, panel);
            // Where a row begins within a line, the panel before has fetched that.
            let mut ahead = tiles.ahead.wrapping_add(V * LANES - 1);
            for _ in 0..tiles.k {
                prefetch(ahead);
                let mut row = [zero(); V];
                for (v, row) in row.iter_mut().enumerate() {
                    // SAFETY: the row of B of this step, and its place in the panel.
                    unsafe {
                        let from = b.add(v * LANES);
                        *row = if v + 1 < V { load(from) } else { load_part(from, mask) };
                        store(to.add(v * LANES), *row);
                    }
                }
                // SAFETY: the rows of A in this step.
                unsafe { rank_1(&mut acc, a, tiles.a_row, row) };
                // Past the last step these point nowhere, and are not used.
                a = a.wrapping_add(tiles.a_step);
                b = b.wrapping_add(tiles.b_step);
                ahead = ahead.wrapping_add(tiles.b_step);
                to = to.wrapping_add(V * LANES);
            }
            // SAFETY: the caller's word.
            unsafe { end(tiles, 0, mask, acc) };
        }
    };
}

/// The table of an arm's tiles: for each number of rows from 1 on, those of
/// 1, 2, … vectors.
macro_rules! tiles {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(tile_row::<$rows, $vectors> as unsafe fn(&RawTiles)),+]),+]
    };
}

/// The same of tiles out of panels, and of those that pack them.
macro_rules! panels {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$((
            panel_row::<$rows, $vectors> as unsafe fn(&RawTiles),
            packing_tile::<$rows, $vectors> as unsafe fn(&RawTiles, *mut f32),
        )),+]),+]
    };
}

/// The same of tiles whose steps are listed.
macro_rules! listed {
    ($($rows:literal: $($vectors:literal)+;)+) => {
        &[$(&[$(listed_rows::<$rows, $vectors> as unsafe fn(&RawTiles, SparseK<'_>)),+]),+]
    };
}

pub(super) use {define_panels, define_tiles, listed, panels, tiles};
