//! Tiles as their loops see them: rows of vectors and columns of A in place of pointers
//! and strides.
//!
//! Each view is made from pointers once, by who knows that they lie inside their slices,
//! and gives out nothing beyond them. All is inlined: rows of `V` vectors and columns of
//! `R` elements have lengths that the compiler knows.

use super::operands::RawTiles;
use core::marker::PhantomData;
use core::slice;

/// A row of `V` vectors, all but the last whole.
// A pointer and not slices: a null pointer would stand for `None` in an option of a
// reference, and each step would compare it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a, const V: usize, const LANES: usize> {
    first: *const f32,
    /// Lanes of the last vector that are inside the matrix.
    lanes: usize,
    elements: PhantomData<&'a [f32]>,
}

impl<'a, const V: usize, const LANES: usize> Row<'a, V, LANES> {
    /// A row whose last vector has `lanes` lanes.
    ///
    /// # Safety
    /// `first` is followed by `(V − 1) · LANES + lanes` elements of an allocation that lives
    /// and is not written for `'a`.
    #[inline(always)]
    pub(super) unsafe fn new(first: *const f32, lanes: usize) -> Self {
        Self {
            first,
            lanes,
            elements: PhantomData,
        }
    }

    /// All vectors but the last, and those lanes of the last that are inside the matrix.
    #[inline(always)]
    pub(super) fn vectors(self) -> (&'a [[f32; LANES]], &'a [f32]) {
        // SAFETY: `Row::new` places `V − 1` vectors and `lanes` elements after `first`.
        unsafe {
            let last = self.first.add((V - 1) * LANES);
            (
                slice::from_raw_parts(self.first.cast(), V - 1),
                slice::from_raw_parts(last, self.lanes),
            )
        }
    }
}

/// `R` elements of A at one k-index. They are read one by one as they are used: an array
/// of them would take the registers of the sums.
#[derive(Clone, Copy)]
pub(super) struct Column<'a, const R: usize> {
    first: *const f32,
    row_stride: usize,
    elements: PhantomData<&'a [f32]>,
}

impl<const R: usize> Column<'_, R> {
    /// Elements `row_stride` apart.
    ///
    /// # Safety
    /// Elements `i · row_stride` from `first` on lie inside a live allocation for `i < R`,
    /// and nothing writes to them meanwhile.
    #[inline(always)]
    pub(super) unsafe fn new(first: *const f32, row_stride: usize) -> Self {
        Self {
            first,
            row_stride,
            elements: PhantomData,
        }
    }

    /// The element in row `i`.
    ///
    /// # Panics
    /// Panics if there are not so many rows.
    #[inline(always)]
    pub(super) fn at(self, i: usize) -> f32 {
        assert!(i < R, "row {i} of {R}");
        // SAFETY: `i < R`, and `Column::new` places `R` such elements in an allocation.
        unsafe { *self.first.add(i * self.row_stride) }
    }
}

/// A tile of `R` rows and `V` vectors, for as long as it is computed.
// Two fields, which are passed in registers: out of memory they would be loaded together,
// and wait for all stores before them.
pub(super) struct Tile<'t, const R: usize, const V: usize, const LANES: usize> {
    raw: &'t RawTiles,
    /// Its place among the tiles.
    at: usize,
    /// C is borrowed exclusively.
    c: PhantomData<&'t mut [f32]>,
}

impl<'t, const R: usize, const V: usize, const LANES: usize> Tile<'t, R, V, LANES> {
    /// Tile `at`.
    ///
    /// # Safety
    /// C and a start that is not null have `R` rows of `V` vectors in this tile, the last of
    /// them as many lanes as `raw` says, inside live allocations, and nothing else refers to
    /// C while the tile lives.
    #[inline(always)]
    pub(super) unsafe fn new(raw: &'t RawTiles, at: usize) -> Self {
        let c = PhantomData;
        Self { raw, at, c }
    }

    /// Lanes of the last vector that are inside the matrices.
    #[inline(always)]
    pub(super) fn lanes(&self) -> usize {
        match self.at + 1 >= self.raw.count {
            true => self.raw.last_lanes,
            false => self.raw.lanes,
        }
    }

    /// The `R` rows of the start; `None` if the chains start from 0.
    #[inline(always)]
    pub(super) fn start(&self) -> Option<impl Iterator<Item = Row<'_, V, LANES>>> {
        let (raw, lanes) = (self.raw, self.lanes());
        // SAFETY: `Tile::new` places `R > i` such rows in an allocation, and C, which they
        // may be, is not written while `self` is borrowed.
        let row = move |i| unsafe {
            let first = raw.start.add(i * raw.start_row_stride);
            Row::new(first.add(self.at * raw.start_tile_stride), lanes)
        };
        (!raw.start.is_null()).then(|| (0..R).map(row))
    }

    /// Row `i` of C: all vectors but the last, and `lanes` lanes of the last.
    ///
    /// # Panics
    /// Panics if there are not so many rows or lanes.
    #[inline(always)]
    pub(super) fn c_row(&mut self, i: usize, lanes: usize) -> (&mut [[f32; LANES]], &mut [f32]) {
        assert!(i < R && lanes <= self.lanes(), "row {i}, {lanes} lanes");
        let raw = self.raw;
        // SAFETY: `Tile::new` places `R > i` rows of `V` vectors in an allocation, which
        // nothing else refers to, and `self` is borrowed exclusively.
        unsafe {
            let first = raw.c.add(i * raw.c_row_stride);
            let first = first.add(self.at * raw.c_tile_stride);
            let last = first.add((V - 1) * LANES);
            (
                slice::from_raw_parts_mut(first.cast(), V - 1),
                slice::from_raw_parts_mut(last, lanes),
            )
        }
    }
}

/// The k-indices of a tile one after another, in runs: for each a column of A and a row of
/// B.
pub(super) struct Steps<'t, const R: usize, const V: usize, const LANES: usize> {
    /// k-indices to the end of the run.
    left: usize,
    /// k-indices of the runs after that.
    later: usize,
    a: *const f32,
    a_row_stride: usize,
    a_k_stride: usize,
    b: *const f32,
    b_k_stride: usize,
    /// Lanes of the last vector of a row of B.
    lanes: usize,
    operands: PhantomData<&'t [f32]>,
}

impl<'t, const R: usize, const V: usize, const LANES: usize> Steps<'t, R, V, LANES> {
    /// The k-indices of tile `at`, whose rows of B end with `lanes` lanes. No run has begun.
    ///
    /// # Safety
    /// For each k-index below `raw.k` A has `R` rows in this tile, and B a row of `V`
    /// vectors, the last of them `lanes` lanes, inside allocations that live and are not
    /// written for `'t`.
    #[inline(always)]
    pub(super) unsafe fn new(raw: &'t RawTiles, at: usize, lanes: usize) -> Self {
        Self {
            left: 0,
            later: raw.k,
            a: raw.a.wrapping_add(at * raw.a_tile_stride),
            a_row_stride: raw.a_row_stride,
            a_k_stride: raw.a_k_stride,
            b: raw.b.wrapping_add(at * raw.b_tile_stride),
            b_k_stride: raw.b_k_stride,
            lanes,
            operands: PhantomData,
        }
    }

    /// Begins a run of at most `len` k-indices, once the last has ended. Whether there are
    /// any.
    #[inline(always)]
    pub(super) fn begin(&mut self, len: usize) -> bool {
        let len = self.later.min(len);
        self.left = len;
        self.later -= len;
        len > 0
    }

    /// The column of A and the row of B of the next k-index of this run.
    #[inline(always)]
    pub(super) fn step(&mut self) -> Option<(Column<'t, R>, Row<'t, V, LANES>)> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        // SAFETY: `Steps::new` places these of each k-index below `raw.k` in allocations,
        // and `left` and `later` count as many.
        let step = unsafe {
            let row = Row::new(self.b, self.lanes);
            (Column::new(self.a, self.a_row_stride), row)
        };
        // Past the last k-index these point nowhere, and are not used.
        self.a = self.a.wrapping_add(self.a_k_stride);
        self.b = self.b.wrapping_add(self.b_k_stride);
        Some(step)
    }
}

/// The k-indices of a tile one after another, each with a row of a panel to pack its row of
/// B into.
pub(super) struct PackingSteps<'t, const R: usize, const V: usize, const LANES: usize> {
    steps: Steps<'t, R, V, LANES>,
    /// The next row of the panel, of `V` whole vectors.
    to: *mut f32,
    panel: PhantomData<&'t mut [f32]>,
}

impl<'t, const R: usize, const V: usize, const LANES: usize> PackingSteps<'t, R, V, LANES> {
    /// All of the k-indices that are left, in one run.
    ///
    /// # Panics
    /// Panics if the panel has fewer rows.
    #[inline(always)]
    pub(super) fn new(mut steps: Steps<'t, R, V, LANES>, panel: &'t mut [f32]) -> Self {
        steps.begin(usize::MAX);
        let (rows, columns) = (steps.left, V * LANES);
        assert!(
            panel.len() / columns >= rows,
            "{rows} rows of {columns} into a panel of {}",
            panel.len()
        );
        Self {
            steps,
            to: panel.as_mut_ptr(),
            panel: PhantomData,
        }
    }

    /// The column of A and the row of B of the next k-index, and the panel's row for it.
    #[inline(always)]
    pub(super) fn step(
        &mut self,
    ) -> Option<(Column<'t, R>, Row<'t, V, LANES>, PanelRow<'t, V, LANES>)> {
        let (column, row) = self.steps.step()?;
        let to = self.to;
        // Past the last k-index this points nowhere, and is not used.
        self.to = to.wrapping_add(V * LANES);
        let panel = self.panel;
        Some((column, row, PanelRow { to, panel }))
    }
}

/// A row of a panel, of `V` whole vectors.
// A pointer, as for `Row`.
pub(super) struct PanelRow<'t, const V: usize, const LANES: usize> {
    to: *mut f32,
    panel: PhantomData<&'t mut [f32]>,
}

impl<'t, const V: usize, const LANES: usize> PanelRow<'t, V, LANES> {
    /// All vectors.
    #[inline(always)]
    pub(super) fn vectors(self) -> &'t mut [[f32; LANES]; V] {
        // SAFETY: `PackingSteps::new` asserts that the panel, which it borrows exclusively,
        // has a row for each step, and no row is given out twice.
        unsafe { &mut *self.to.cast() }
    }
}
