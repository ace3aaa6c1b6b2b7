//! Matrices that borrow their elements.

use core::fmt;
use core::ops::Range;

/// A matrix of `f32` that borrows its elements to read them, at any strides.
///
/// [`MatRef::t`] and [`MatRef::block`] are views of the same elements and move none of them.
///
/// ```
/// use handwritten::MatRef;
///
/// let m = MatRef::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3);
/// assert_eq!(m.row(1), [4.0, 5.0, 6.0]);
/// assert_eq!(m.t().at(2, 1), 6.0);
/// assert_eq!(m.block(0..2, 1..3).row(0), [2.0, 3.0]);
/// ```
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> MatRef<'a> {
    /// A `rows × cols` matrix whose rows follow each other without gaps.
    ///
    /// # Panics
    /// Panics if `data` does not hold exactly `rows · cols` elements.
    #[inline]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_len(data.len(), rows, cols);
        Self::with_row_stride(data, rows, cols, cols)
    }

    /// A `rows × cols` matrix whose row `i` starts at element `i · row_stride`.
    ///
    /// # Panics
    /// Panics if `row_stride` is less than `cols`, or if `data` ends before the
    /// last element.
    #[inline]
    pub fn with_row_stride(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert_stride(data.len(), rows, cols, row_stride);
        Self {
            data,
            rows,
            cols,
            row_stride: counted_stride(rows, cols, row_stride),
            col_stride: 1,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The distance from an element to the one below it.
    pub(crate) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// The distance from an element to the one at its right.
    pub(crate) fn col_stride(&self) -> usize {
        self.col_stride
    }

    /// The elements from row `i` and column `j` on, with whatever lies between the rows; none
    /// if that is past the end.
    #[inline]
    pub(crate) fn tail(&self, i: usize, j: usize) -> &'a [f32] {
        let first = i * self.row_stride + j * self.col_stride;
        self.data.get(first..).unwrap_or_default()
    }

    /// The transpose, cols × rows, a view of the same elements.
    #[inline]
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// The element in row `i` and column `j`.
    ///
    /// # Panics
    /// Panics if there is no such element.
    pub fn at(&self, i: usize, j: usize) -> f32 {
        assert!(
            i < self.rows && j < self.cols,
            "element ({i}, {j}) of a {}×{} matrix",
            self.rows,
            self.cols
        );
        self.data[i * self.row_stride + j * self.col_stride]
    }

    /// The elements of row `i`.
    ///
    /// # Panics
    /// Panics if there is no such row, or if this is a transposed view, whose
    /// rows are not contiguous.
    pub fn row(&self, i: usize) -> &'a [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        assert!(
            self.col_stride == 1 || self.cols <= 1,
            "a row of a transposed view"
        );
        if self.cols == 0 {
            return &[];
        }
        &self.data[i * self.row_stride..][..self.cols]
    }

    /// All elements, row after row.
    ///
    /// # Panics
    /// Panics if there are gaps between the rows, or if this is a transposed
    /// view.
    pub fn as_slice(&self) -> &'a [f32] {
        let has_gaps = self.rows > 1 && self.row_stride != self.cols;
        assert!(
            (self.col_stride == 1 || self.cols <= 1) && !has_gaps,
            "rows that do not follow each other as one slice"
        );
        &self.data[..self.rows * self.cols]
    }

    /// The block in the given rows and columns, a view of the same elements.
    ///
    /// # Panics
    /// Panics if the block reaches outside the matrix.
    #[inline]
    pub fn block(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert_block(&rows, &cols, self.rows, self.cols);
        let first = if rows.is_empty() || cols.is_empty() {
            self.data.len()
        } else {
            rows.start * self.row_stride + cols.start * self.col_stride
        };
        Self {
            data: &self.data[first..],
            rows: rows.len(),
            cols: cols.len(),
            ..self
        }
    }
}

/// A matrix of `f32` that borrows its elements to write them; its rows are contiguous.
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a> MatMut<'a> {
    /// A `rows × cols` matrix whose rows follow each other without gaps.
    ///
    /// # Panics
    /// Panics if `data` does not hold exactly `rows · cols` elements.
    #[inline]
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        assert_len(data.len(), rows, cols);
        Self::with_row_stride(data, rows, cols, cols)
    }

    /// A `rows × cols` matrix whose row `i` starts at element `i · row_stride`.
    ///
    /// # Panics
    /// Panics if `row_stride` is less than `cols`, or if `data` ends before the
    /// last element.
    #[inline]
    pub fn with_row_stride(
        data: &'a mut [f32],
        rows: usize,
        cols: usize,
        row_stride: usize,
    ) -> Self {
        assert_stride(data.len(), rows, cols, row_stride);
        Self {
            data,
            rows,
            cols,
            row_stride: counted_stride(rows, cols, row_stride),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// A view of the same elements to read them.
    pub fn as_ref(&self) -> MatRef<'_> {
        MatRef::with_row_stride(self.data, self.rows, self.cols, self.row_stride)
    }

    /// A view of the same elements to write them, borrowed from this one.
    pub fn as_mut(&mut self) -> MatMut<'_> {
        MatMut {
            data: self.data,
            ..*self
        }
    }

    /// The elements of row `i`.
    ///
    /// # Panics
    /// Panics if there is no such row.
    #[inline]
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        if self.cols == 0 {
            return &mut [];
        }
        &mut self.data[i * self.row_stride..][..self.cols]
    }

    /// The rows, or all elements as one slice where there are no gaps between the rows.
    #[inline]
    pub(crate) fn runs(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (runs, stride, len) = match self.row_stride == self.cols {
            true => (1, self.rows * self.cols, self.rows * self.cols),
            false => (self.rows, self.row_stride, self.cols),
        };
        let runs = self.data.chunks_mut(stride.max(1)).take(runs);
        runs.map(move |run| &mut run[..len])
    }

    /// The distance from an element to the one below it.
    pub(crate) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// The elements from row `i` and column `j` on, with whatever lies between the rows; none
    /// if that is past the end.
    #[inline]
    pub(crate) fn tail_mut(&mut self, i: usize, j: usize) -> &mut [f32] {
        let first = i * self.row_stride + j;
        self.data.get_mut(first..).unwrap_or_default()
    }

    /// The block in the given rows and columns, borrowed from this view.
    ///
    /// # Panics
    /// Panics if the block reaches outside the matrix.
    #[inline]
    pub fn block(&mut self, rows: Range<usize>, cols: Range<usize>) -> MatMut<'_> {
        assert_block(&rows, &cols, self.rows, self.cols);
        let first = if rows.is_empty() || cols.is_empty() {
            self.data.len()
        } else {
            rows.start * self.row_stride + cols.start
        };
        MatMut {
            data: &mut self.data[first..],
            rows: rows.len(),
            cols: cols.len(),
            row_stride: self.row_stride,
        }
    }

    /// Splits off the first `above` rows: these and the others.
    ///
    /// # Panics
    /// Panics if there are fewer rows than `above`.
    pub fn split_rows(self, above: usize) -> (Self, Self) {
        assert!(above <= self.rows, "split {} rows at {above}", self.rows);
        let at = (above * self.row_stride).min(self.data.len());
        let (top, bottom) = self.data.split_at_mut(at);
        (
            Self {
                data: top,
                rows: above,
                ..self
            },
            Self {
                data: bottom,
                rows: self.rows - above,
                ..self
            },
        )
    }

    /// Splits off the first `left` columns of a matrix of one row: these and the others.
    ///
    /// # Panics
    /// Panics if there are several rows, or fewer columns than `left`.
    #[cfg(feature = "rayon")]
    pub(crate) fn split_row(self, left: usize) -> (Self, Self) {
        assert!(self.rows == 1, "columns of {} rows", self.rows);
        let (cols, row_stride) = (self.cols, self.row_stride);
        let (left_data, right_data) = self.data.split_at_mut(left);
        let part = |data: &'a mut [f32], cols| MatMut {
            data,
            rows: 1,
            cols,
            row_stride,
        };
        (part(left_data, left), part(right_data, cols - left))
    }
}

impl fmt::Debug for MatRef<'_> {
    /// Prints the shape and the strides, not the elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatRef")
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("row_stride", &self.row_stride)
            .field("col_stride", &self.col_stride)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MatMut<'_> {
    /// Prints the shape and the stride, not the elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatMut")
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("row_stride", &self.row_stride)
            .finish_non_exhaustive()
    }
}

/// Asserts that a block lies inside a `height × width` matrix.
#[inline]
fn assert_block(rows: &Range<usize>, cols: &Range<usize>, height: usize, width: usize) {
    assert!(
        rows.start <= rows.end && rows.end <= height && cols.start <= cols.end && cols.end <= width,
        "block {rows:?} × {cols:?} of a {height}×{width} matrix"
    );
}

/// Asserts that `len` elements are a `rows × cols` matrix without gaps.
#[inline]
fn assert_len(len: usize, rows: usize, cols: usize) {
    assert!(
        rows.checked_mul(cols) == Some(len),
        "{len} elements for a {rows}×{cols} matrix"
    );
}

/// Asserts that `len` elements hold a `rows × cols` matrix of that row stride.
#[inline]
fn assert_stride(len: usize, rows: usize, cols: usize, row_stride: usize) {
    assert!(
        row_stride >= cols,
        "rows of {cols} elements at a stride of {row_stride}"
    );
    let needed = if rows == 0 || cols == 0 {
        Some(0)
    } else {
        (rows - 1)
            .checked_mul(row_stride)
            .and_then(|last| last.checked_add(cols))
    };
    assert!(
        needed.is_some_and(|needed| len >= needed),
        "{len} elements for a {rows}×{cols} matrix at a row stride of {row_stride}"
    );
}

/// The row stride, or the width where no element is that far from another: then the stride
/// may be any number, with which nothing must be multiplied.
#[inline]
fn counted_stride(rows: usize, cols: usize, row_stride: usize) -> usize {
    match rows <= 1 || cols == 0 {
        true => cols,
        false => row_stride,
    }
}
