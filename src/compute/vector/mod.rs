//! Elementwise functions and sums over slices.
//!
//! The functions are polynomials of our own, made of IEEE additions, multiplications and
//! divisions only, none of them fused and none behind a branch. They give the same bits on
//! every target, with every instruction set and in every build, and the value of an element
//! does not depend on where it stands. Each loop is written once, on plain numbers, and
//! compiled for the vectors of each instruction set.
//!
//! ```
//! use handwritten::Isa;
//! use handwritten::compute::vector;
//!
//! let mut xs = [-1.0, 0.0, 1.0];
//! vector::relu(Isa::detect(), &mut xs);
//! assert_eq!(xs, [0.0, 0.0, 1.0]);
//! assert_eq!(vector::argmax(&xs), 2);
//! ```

mod functions;
#[cfg(test)]
mod tests;

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
pub use functions::ln;
pub(crate) use functions::{cos_pi, exp_of, ln_of, sqrt};
use functions::{sigmoid_of, tanh_of};

/// Factors of 1/255: the product of a byte and the first is exact, and the second is so close
/// to 1/(255·341), to 2⁻⁴⁰ of it, that the last product rounds as the quotient does.
const PER_BYTE: [f32; 2] = [341.0, 1.0 / 86_955.0];

for_each_arm! {
    /// Replaces each element x by eˣ, within 2 units in the last place; subnormal results,
    /// infinities and NaN are those of IEEE arithmetic.
    ///
    /// The polynomial is that of Cephes' `expf` (S. L. Moshier, netlib.org/cephes).
    pub fn exp(xs: &mut [f32]) {
        for x in xs {
            *x = exp_of(*x);
        }
    }
}

for_each_arm! {
    /// Replaces each element x by the logistic function 1 / (1 + e⁻ˣ), within 3 units in the
    /// last place.
    pub fn sigmoid(xs: &mut [f32]) {
        for x in xs {
            *x = sigmoid_of(*x);
        }
    }
}

for_each_arm! {
    /// Replaces each element by its hyperbolic tangent, within 3 units in the last place.
    ///
    /// Near zero the polynomial is that of Cephes' `tanhf` (S. L. Moshier,
    /// netlib.org/cephes).
    pub fn tanh(xs: &mut [f32]) {
        for x in xs {
            *x = tanh_of(*x);
        }
    }
}

for_each_arm! {
    /// Replaces each element x by `max(x, 0)`. NaN stays NaN, so that a broken weight shows.
    pub fn relu(xs: &mut [f32]) {
        for x in xs {
            // The sum keeps the compiler from storing the zeros only, by masked stores: with
            // AVX2 that takes a dozen times as long as storing whole vectors.
            *x = if *x < 0.0 { 0.0 } else { *x + 0.0 };
        }
    }
}

for_each_arm! {
    /// Writes each byte divided by 255, rounded to the nearest `f32`, to the element of `xs`
    /// at its place.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn scale_bytes(bytes: &[u8], xs: &mut [f32]) {
        assert_eq!(bytes.len(), xs.len(), "bytes and their quotients");
        scale(bytes, xs);
    }
}

for_each_arm! {
    /// Writes some columns of a matrix of bytes, divided by 255 as [`scale_bytes`] does, to
    /// `xs`.
    ///
    /// Shapes: `bytes` is rows × `row`, of which the `columns` columns from `first` on are
    /// taken; `xs` is rows × `columns`.
    ///
    /// # Panics
    /// Panics if there are no columns, if the rows are not whole or have no such columns, or
    /// if `xs` has another shape.
    #[cfg(feature = "alloc")]
    pub(crate) fn scale_columns(
        bytes: &[u8],
        row: usize,
        first: usize,
        columns: usize,
        xs: &mut [f32],
    ) {
        assert!(
            (1..=row).contains(&(first + columns))
                && columns > 0
                && bytes.len().is_multiple_of(row)
                && bytes.len() / row * columns == xs.len(),
            "columns of bytes and their quotients"
        );
        for (bytes, xs) in bytes.chunks_exact(row).zip(xs.chunks_exact_mut(columns)) {
            // Of a length that is known at compile time, a block is no loop.
            let (blocks, rest) = bytes[first..][..columns].as_chunks::<64>();
            let (to, to_rest) = xs.as_chunks_mut::<64>();
            for (block, to) in blocks.iter().zip(to) {
                scale(block, to);
            }
            scale(rest, to_rest);
        }
    }
}

for_each_arm! {
    /// Adds each element of `ys` to the element of `xs` at its place.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn add(xs: &mut [f32], ys: &[f32]) {
        assert_eq!(xs.len(), ys.len(), "sum of slices of different lengths");
        for (x, y) in xs.iter_mut().zip(ys) {
            *x += y;
        }
    }
}

for_each_arm! {
    /// Adds each row of `ys` to `xs`, in order.
    ///
    /// Shapes: `ys` is any number of rows × the length of `xs`.
    ///
    /// # Panics
    /// Panics if `ys` does not hold whole rows as long as `xs`.
    pub fn add_rows(xs: &mut [f32], ys: &[f32]) {
        let rows = ys.chunks_exact(xs.len().max(1));
        assert!(rows.remainder().is_empty(), "rows of another length");
        for row in rows {
            for (x, y) in xs.iter_mut().zip(row) {
                *x += y;
            }
        }
    }
}

/// Divides bytes by 255, as many as both slices have.
#[inline(always)]
fn scale(bytes: &[u8], xs: &mut [f32]) {
    for (x, &byte) in xs.iter_mut().zip(bytes) {
        *x = scaled(byte);
    }
}

/// A byte divided by 255, rounded to the nearest `f32`.
#[inline(always)]
pub(crate) fn scaled(byte: u8) -> f32 {
    // A product with 1/255 itself is off in the last bit for 126 of the 256
    // values; a division takes several times as long.
    f32::from(byte) * PER_BYTE[0] * PER_BYTE[1]
}

/// The largest element, −∞ if there is none. NaN is passed over.
pub fn max(xs: &[f32]) -> f32 {
    let larger = |max, &x| if x > max { x } else { max };
    xs.iter().fold(f32::NEG_INFINITY, larger)
}

/// The sum of the elements in ascending order of index, 0 if there is none.
pub fn sum(xs: &[f32]) -> f32 {
    xs.iter().sum()
}

/// The Euclidean norm of a vector, in double precision.
#[cfg(feature = "alloc")]
pub(crate) fn norm(xs: impl Iterator<Item = f32>) -> f64 {
    let squares = xs.map(|x| f64::from(x) * f64::from(x));
    sqrt(squares.sum())
}

/// The index of the largest element, the first of several equal ones; 0 if there is none. NaN
/// is passed over.
pub fn argmax(xs: &[f32]) -> usize {
    let max = max(xs);
    xs.iter().position(|&x| x == max).unwrap_or(0)
}

for_each_arm! {
    /// Whether no element is infinite or NaN.
    pub fn all_finite(xs: &[f32]) -> bool {
        // Without an early end the loop is vectorised.
        xs.iter().fold(true, |all, x| all & x.is_finite())
    }
}
