//! The operands of products with few columns, whose vectors lie along the columns of C.

use crate::compute::aligned::CACHE_LINE;
use crate::compute::gemm::Start;
use crate::compute::matrix::{MatMut, MatRef};
use core::marker::PhantomData;

/// The number of rows of A that a step reads.
pub(super) const ROWS: usize = 32;

/// A product C = A·B whose rows are contiguous, with one row of A or more.
pub(super) struct NarrowOperands<'a> {
    rows: usize,
    k: usize,
    columns: usize,
    a: *const f32,
    a_row: usize,
    b: *const f32,
    b_row: usize,
    /// Null for zero.
    start: *const f32,
    start_row: usize,
    c: *mut f32,
    c_row: usize,
    fetch: bool,
    operands: PhantomData<(&'a [f32], &'a mut [f32])>,
}

impl<'a> NarrowOperands<'a> {
    /// The product `a · b` into `c`. `fetch` says whether A is so long that later rows of it
    /// are worth fetching ahead.
    ///
    /// # Panics
    /// Panics if the shapes differ, if rows are not contiguous, or if there are none.
    pub(super) fn new(
        a: MatRef<'a>,
        b: MatRef<'a>,
        start: Start<'a>,
        c: &'a mut MatMut<'_>,
        fetch: bool,
    ) -> Self {
        let (rows, k, columns) = (a.rows(), a.cols(), b.cols());
        assert!(
            a.col_stride() == 1 && b.col_stride() == 1 && b.rows() == k,
            "rows that are not contiguous"
        );
        assert!(
            c.rows() == rows && c.cols() == columns && rows > 0,
            "another shape of C"
        );
        let c_row = c.row_stride();
        let to = c.tail_mut(0, 0).as_mut_ptr();
        let (start, start_row) = start.locate(to, c_row, columns);
        Self {
            rows,
            k,
            columns,
            a: a.tail(0, 0).as_ptr(),
            a_row: a.row_stride(),
            b: b.tail(0, 0).as_ptr(),
            b_row: b.row_stride(),
            start,
            start_row,
            c: to,
            c_row,
            fetch,
            operands: PhantomData,
        }
    }
}

/// A product. Its C is borrowed exclusively.
// A shared reference to the operands in spite of C: the compiler then takes them for
// constant while C is written.
pub(super) struct NarrowProduct<'t> {
    operands: &'t NarrowOperands<'t>,
    c: PhantomData<&'t mut [f32]>,
}

impl<'t> NarrowProduct<'t> {
    /// The product of operands that stay borrowed.
    #[inline(always)]
    pub(super) fn new(operands: &'t mut NarrowOperands<'_>) -> Self {
        let c = PhantomData;
        Self { operands, c }
    }

    /// The product, for a function of `N` columns.
    ///
    /// # Panics
    /// Panics if it has another number of columns.
    #[inline(always)]
    pub(super) fn of_columns<const N: usize>(self) -> Columns<'t, N> {
        let NarrowOperands { columns, .. } = *self.operands;
        assert!(columns == N, "{columns} columns, not {N}");
        Columns {
            operands: self.operands,
            c: PhantomData,
        }
    }
}

/// A product of `N` columns.
pub(super) struct Columns<'t, const N: usize> {
    operands: &'t NarrowOperands<'t>,
    /// C is borrowed exclusively.
    c: PhantomData<&'t mut [f32]>,
}

impl<'t, const N: usize> Columns<'t, N> {
    /// The number of rows of A and C.
    #[inline(always)]
    pub(super) fn rows(&self) -> usize {
        self.operands.rows
    }

    /// Whether the chains start from other values than 0.
    #[inline(always)]
    pub(super) fn has_start(&self) -> bool {
        !self.operands.start.is_null()
    }

    /// Row `i` of the start, if there is one.
    #[inline(always)]
    pub(super) fn start(&self, i: usize) -> Option<&[f32; N]> {
        let NarrowOperands {
            start, start_row, ..
        } = *self.operands;
        // SAFETY: `NarrowOperands::new` holds `rows` rows of a start that is not null inside its
        // slice, of `N` columns by `of_columns`, and C, which they may be, is not written
        // while `self` is borrowed.
        (self.has_start() && i < self.operands.rows)
            .then(|| unsafe { &*start.add(i * start_row).cast() })
    }

    /// Row `i` of C, if there is one.
    #[inline(always)]
    pub(super) fn c_row(&mut self, i: usize) -> Option<&mut [f32; N]> {
        let NarrowOperands { c, c_row, .. } = *self.operands;
        // SAFETY: `NarrowOperands::new` holds `rows` rows of C inside its slice, of `N` columns by
        // `of_columns`; nothing else refers to C, and `self` is borrowed exclusively.
        (i < self.operands.rows).then(|| unsafe { &mut *c.add(i * c_row).cast() })
    }

    /// The rows of A from row `first` on. In place of rows that are not there it has the
    /// last one.
    #[inline(always)]
    pub(super) fn rows_of_a(&self, first: usize) -> RowsOfA<'t, N> {
        let operands = self.operands;
        let mut rows = [operands.a; ROWS];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = row.wrapping_add((first + i).min(operands.rows - 1) * operands.a_row);
        }
        RowsOfA { rows, operands }
    }
}

/// A few rows of A.
pub(super) struct RowsOfA<'t, const N: usize> {
    /// The first elements.
    rows: [*const f32; ROWS],
    operands: &'t NarrowOperands<'t>,
}

impl<const N: usize> RowsOfA<'_, N> {
    /// The k-indices one after another.
    #[inline(always)]
    pub(super) fn steps(&self) -> NarrowSteps<'_, N> {
        NarrowSteps {
            rows: &self.rows,
            next: 0,
            b: self.operands.b,
            operands: self.operands,
        }
    }
}

/// The k-indices of a few rows of A one after another.
pub(super) struct NarrowSteps<'t, const N: usize> {
    rows: &'t [*const f32; ROWS],
    /// The next k-index.
    next: usize,
    /// Its row of B, if there is one.
    b: *const f32,
    operands: &'t NarrowOperands<'t>,
}

impl<'t, const N: usize> NarrowSteps<'t, N> {
    /// The next `P` k-indices, if there are so many.
    #[inline(always)]
    pub(super) fn step<const P: usize>(&mut self) -> Option<Step<'t, N, P>> {
        let (p, b, operands) = (self.next, self.b, self.operands);
        if p + P > operands.k {
            return None;
        }
        self.next += P;
        // Past the last row this points nowhere, and is not used.
        self.b = b.wrapping_add(P * operands.b_row);
        Some(Step {
            rows: self.rows,
            p,
            b,
            operands,
        })
    }
}

/// `P` k-indices of a few rows.
pub(super) struct Step<'s, const N: usize, const P: usize> {
    rows: &'s [*const f32; ROWS],
    /// The first of the k-indices.
    p: usize,
    /// Its row of B.
    b: *const f32,
    operands: &'s NarrowOperands<'s>,
}

impl<const N: usize, const P: usize> Step<'_, N, P> {
    /// Where later rows of A lie, if they are to be fetched into the caches now.
    #[inline(always)]
    pub(super) fn ahead(&self) -> Option<impl Iterator<Item = *const f32>> {
        let ahead = ROWS * self.operands.a_row + self.p;
        (self.operands.fetch && self.p.is_multiple_of(CACHE_LINE))
            .then(|| self.rows.iter().map(move |row| row.wrapping_add(ahead)))
    }

    /// The elements of row `i` of A.
    ///
    /// # Panics
    /// Panics if `i` is not below [`ROWS`].
    #[inline(always)]
    pub(super) fn of_a(&self, i: usize) -> &[f32; P] {
        // SAFETY: `NarrowSteps::step` makes `p + P ≤ k`, and `NarrowOperands::new` holds `k` elements of
        // each row of A inside its slice.
        unsafe { &*self.rows[i].add(self.p).cast() }
    }

    /// The row of B of k-index `j` of these.
    ///
    /// # Panics
    /// Panics if `j` is not below `P`.
    #[inline(always)]
    pub(super) fn of_b(&self, j: usize) -> &[f32; N] {
        assert!(j < P, "k-index {j} of {P}");
        // SAFETY: `NarrowSteps::step` makes `p + P ≤ k`, `NarrowOperands::new` holds `k` rows of B inside
        // its slice, and `of_columns` makes them `N` long.
        unsafe { &*self.b.add(j * self.operands.b_row).cast() }
    }
}
