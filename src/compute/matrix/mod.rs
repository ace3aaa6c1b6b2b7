//! Row-major matrices of `f32` whose shapes are checked: one that owns its elements and two
//! that borrow them.

#[cfg(test)]
mod tests;
mod view;

#[cfg(feature = "alloc")]
use crate::compute::aligned::Aligned;
#[cfg(feature = "alloc")]
use core::fmt;
pub use view::{MatMut, MatRef};

/// A row-major matrix of `f32` that owns its elements, which begin with a cache line.
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
#[derive(Clone, PartialEq)]
pub struct Matrix {
    data: Aligned,
    rows: usize,
    cols: usize,
}

#[cfg(feature = "alloc")]
impl Matrix {
    /// A `rows × cols` matrix of zeros.
    ///
    /// # Panics
    /// Panics if `rows · cols` does not fit `usize` or the memory.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let len = rows.checked_mul(cols);
        let len = len.unwrap_or_else(|| panic!("elements of a {rows}×{cols} matrix"));
        Self {
            data: Aligned::zeros(len),
            rows,
            cols,
        }
    }

    /// A `rows × cols` matrix with `element(i, j)` in row `i` and column `j`, called row after
    /// row.
    ///
    /// # Panics
    /// Panics if `rows · cols` does not fit `usize` or the memory.
    pub fn from_fn(rows: usize, cols: usize, mut element: impl FnMut(usize, usize) -> f32) -> Self {
        let mut matrix = Self::zeros(rows, cols);
        for i in 0..rows {
            for j in 0..cols {
                matrix.data[i * cols + j] = element(i, j);
            }
        }
        matrix
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The elements of row `i`.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        self.view().row(i)
    }

    /// The elements of row `i`, to write them.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        &mut self.data[i * self.cols..][..self.cols]
    }

    /// A view to read the matrix.
    pub fn view(&self) -> MatRef<'_> {
        MatRef::new(&self.data, self.rows, self.cols)
    }

    /// A view to write the matrix.
    pub fn view_mut(&mut self) -> MatMut<'_> {
        MatMut::new(&mut self.data, self.rows, self.cols)
    }

    /// All elements, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for Matrix {
    /// Prints the shape, not the elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .finish_non_exhaustive()
    }
}
