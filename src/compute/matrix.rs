//! Row-major matrices of `f32`, shape-checked: one that owns its elements and
//! two that borrow them.

#[cfg(feature = "alloc")]
use crate::compute::aligned::Aligned;
use core::ops::Range;

/// A matrix that borrows its elements; transposing it moves none of them.
#[derive(Clone, Copy, Debug)]
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
            row_stride,
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

    /// From an element to the one below it.
    pub(crate) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// From an element to the one at its right.
    pub(crate) fn col_stride(&self) -> usize {
        self.col_stride
    }

    /// The elements from that in row `i` and column `j` on, with whatever lies
    /// between the rows; none if it is past the end.
    #[inline]
    pub(crate) fn tail(&self, i: usize, j: usize) -> &'a [f32] {
        let first = i * self.row_stride + j * self.col_stride;
        self.data.get(first..).unwrap_or_default()
    }

    /// The transpose, a view of the same elements.
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

    /// Row `i`.
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

    /// The block in the given rows and columns.
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

/// A matrix that borrows its elements to write them; its rows are contiguous.
#[derive(Debug)]
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
            row_stride,
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

    /// A view of the same elements to write them for a while.
    pub fn as_mut(&mut self) -> MatMut<'_> {
        MatMut {
            data: self.data,
            ..*self
        }
    }

    /// Row `i`.
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

    /// All elements: the rows, or one slice where there are no gaps between them.
    #[inline]
    pub(crate) fn runs(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (runs, stride, len) = match self.row_stride == self.cols {
            true => (1, self.rows * self.cols, self.rows * self.cols),
            false => (self.rows, self.row_stride, self.cols),
        };
        let runs = self.data.chunks_mut(stride.max(1)).take(runs);
        runs.map(move |run| &mut run[..len])
    }

    /// From an element to the one below it.
    pub(crate) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// The elements from that in row `i` and column `j` on, with whatever lies
    /// between the rows; none if it is past the end.
    #[inline]
    pub(crate) fn tail_mut(&mut self, i: usize, j: usize) -> &mut [f32] {
        let first = i * self.row_stride + j;
        self.data.get_mut(first..).unwrap_or_default()
    }

    /// The block in the given rows and columns, to write it for a while.
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

    /// The first `above` rows and the others.
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

    /// The first `left` columns of a matrix of one row, and the others.
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

/// A row-major matrix that owns its elements.
///
/// ```
/// use handwritten::{Beta, Context, Matrix, gemm};
///
/// let a = Matrix::from_fn(2, 3, |i, j| (3 * i + j) as f32);
/// let mut square = Matrix::zeros(2, 2);
/// let mut packing = Context::packing(1);
/// let mut ctx = Context::new(1, &mut packing);
/// gemm(a.view(), a.view().t(), Beta::Zero, square.view_mut(), &mut ctx);
/// assert_eq!(square.as_slice(), [5.0, 14.0, 14.0, 50.0]);
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Debug)]
pub struct Matrix {
    data: Aligned,
    rows: usize,
    cols: usize,
}

#[cfg(feature = "alloc")]
impl Matrix {
    /// A `rows × cols` matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self {
            data: Aligned::zeros(rows * cols),
            rows,
            cols,
        }
    }

    /// A `rows × cols` matrix with `element(i, j)` in row `i` and column `j`.
    pub fn from_fn(rows: usize, cols: usize, mut element: impl FnMut(usize, usize) -> f32) -> Self {
        let mut matrix = Self::zeros(rows, cols);
        for i in 0..rows {
            for j in 0..cols {
                matrix.data[i * cols + j] = element(i, j);
            }
        }
        matrix
    }

    /// A view to read it.
    pub fn view(&self) -> MatRef<'_> {
        MatRef::new(&self.data, self.rows, self.cols)
    }

    /// A view to write it.
    pub fn view_mut(&mut self) -> MatMut<'_> {
        MatMut::new(&mut self.data, self.rows, self.cols)
    }

    /// All elements, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }
}

#[inline]
fn assert_block(rows: &Range<usize>, cols: &Range<usize>, height: usize, width: usize) {
    assert!(
        rows.start <= rows.end && rows.end <= height && cols.start <= cols.end && cols.end <= width,
        "block {rows:?} × {cols:?} of a {height}×{width} matrix"
    );
}

#[inline]
fn assert_len(len: usize, rows: usize, cols: usize) {
    assert!(
        rows.checked_mul(cols) == Some(len),
        "{len} elements for a {rows}×{cols} matrix"
    );
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_block_is_the_block_of_the_transpose() {
        let data: [f32; 12] = core::array::from_fn(|i| i as f32);
        let m = MatRef::with_row_stride(&data, 3, 3, 4);
        assert_eq!(m.row(2), [8.0, 9.0, 10.0]);
        assert_eq!(m.block(1..2, 1..3).as_slice(), m.row(1)[1..].to_vec());
        let block = m.block(1..3, 0..2);
        assert_eq!((block.rows(), block.cols()), (2, 2));
        for i in 0..2 {
            for j in 0..2 {
                assert_eq!(block.at(i, j), m.at(1 + i, j));
                assert_eq!(block.t().at(j, i), m.t().block(0..2, 1..3).at(j, i));
            }
        }
    }

    #[test]
    fn the_last_row_may_end_where_the_data_end() {
        let mut data = [0.0; 7];
        let mut m = MatMut::with_row_stride(&mut data, 2, 3, 4);
        (0..2).for_each(|i| m.row_mut(i).copy_from_slice(&[1.0, 2.0, 3.0]));
        let (top, bottom) = m.split_rows(1);
        assert_eq!(top.as_ref().row(0), [1.0, 2.0, 3.0]);
        assert_eq!(bottom.as_ref().row(0), [1.0, 2.0, 3.0]);
        assert_eq!(data[3], 0.0);
    }

    #[test]
    fn empty_matrices_have_their_shapes() {
        let none = MatRef::new(&[], 0, 5);
        assert_eq!((none.t().rows(), none.t().cols()), (5, 0));
        assert_eq!(none.block(0..0, 1..3).cols(), 2);
        let thin = MatRef::new(&[], 3, 0);
        assert!(thin.row(2).is_empty());
        let (top, bottom) = MatMut::new(&mut [], 3, 0).split_rows(2);
        assert_eq!((top.rows(), bottom.rows()), (2, 1));
    }

    #[test]
    #[should_panic(expected = "5 elements for a 2×3 matrix")]
    fn a_wrong_length_is_refused() {
        MatRef::new(&[0.0; 5], 2, 3);
    }

    #[test]
    #[should_panic(expected = "at a row stride of 4")]
    fn a_stride_beyond_the_data_is_refused() {
        MatRef::with_row_stride(&[0.0; 6], 2, 3, 4);
    }

    #[test]
    #[should_panic(expected = "9 elements")]
    fn an_overflowing_shape_is_refused() {
        MatRef::new(&[0.0; 9], usize::MAX, 3);
    }
}
