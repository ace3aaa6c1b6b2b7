//! Start values and epilogues of products.

use core::fmt;

/// The β of [`gemm()`](super::gemm()), as in BLAS: whether C is overwritten or added to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beta {
    /// `C = A·B`; what C held does not matter, not even NaN.
    Zero,
    /// `C += A·B`.
    One,
}

/// The first value of each chain of multiply-adds of a [`Product`](super::Product).
#[derive(Clone, Copy, PartialEq)]
pub enum Start<'a> {
    /// Zero: `C = A·B`; what C held does not matter, not even NaN.
    Zero,
    /// The element of C: `C += A·B`.
    C,
    /// An element of one row for all rows of C, as long as they are: the biases of a
    /// layer.
    Row(&'a [f32]),
}

impl fmt::Debug for Start<'_> {
    /// Prints the length of a row, not its elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("Zero"),
            Self::C => f.write_str("C"),
            Self::Row(row) => write!(f, "Row([f32; {}])", row.len()),
        }
    }
}

/// A function that [`Product::compute`](super::Product::compute) applies to parts of rows of C
/// when their sums are complete and still in L1.
///
/// Its arguments are the row, the column of the first element, and the elements.
/// Every element of C is passed exactly once, in an order that is not defined and
/// from any of the threads.
pub type Epilogue<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;
