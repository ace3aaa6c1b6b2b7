//! Products with few columns, two vectors along the columns of C for each of them.
//!
//! Registers, 32 ZMM: of twelve columns the sums take 24, two vectors of A and an element
//! of B three; four vectors transpose the next part of A. Four columns of A at a time are
//! transposed in registers, while the multiply-adds of the four before are under way.

use super::transpose::{transposed, transposed_quarters};
use super::{LANES, Vector, load, load_part, mul_add, prefetch, splat, store_part, zero};
use crate::compute::gemm::kernel::narrow::{Columns, NarrowProduct, ROWS, Step};
use core::arch::x86_64::*;

/// Functions for products of 1, 2, … columns.
pub(super) static PRODUCTS: [unsafe fn(NarrowProduct<'_>); 12] = [
    narrow_rows::<1>,
    narrow_rows::<2>,
    narrow_rows::<3>,
    narrow_rows::<4>,
    narrow_rows::<5>,
    narrow_rows::<6>,
    narrow_rows::<7>,
    narrow_rows::<8>,
    narrow_rows::<9>,
    narrow_rows::<10>,
    narrow_rows::<11>,
    narrow_rows::<12>,
];

/// Computes a product of `N` columns; see [`Kernel::narrow`](super::Kernel::narrow).
#[target_feature(enable = "avx512f")]
fn narrow_rows<const N: usize>(product: NarrowProduct<'_>) {
    let mut product = product.of_columns::<N>();
    for first in (0..product.rows()).step_by(ROWS) {
        // The sums of rows that are not there are not stored.
        let (mut acc, mut acc_below) = ([zero(); N], [zero(); N]);
        if product.has_start() {
            acc = narrow_start(&product, first);
            acc_below = narrow_start(&product, first + LANES);
        }
        let rows = product.rows_of_a(first);
        let mut steps = rows.steps();
        while let Some(four) = steps.step::<4>() {
            if let Some(ahead) = four.ahead() {
                for row in ahead {
                    prefetch(row);
                }
            }
            let (x, y) = (four_columns(&four, 0), four_columns(&four, LANES));
            narrow_rank_1(&mut acc, &mut acc_below, four.of_b(0), x[0], y[0]);
            narrow_rank_1(&mut acc, &mut acc_below, four.of_b(1), x[1], y[1]);
            narrow_rank_1(&mut acc, &mut acc_below, four.of_b(2), x[2], y[2]);
            narrow_rank_1(&mut acc, &mut acc_below, four.of_b(3), x[3], y[3]);
        }
        while let Some(one) = steps.step::<1>() {
            let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
            for (i, (x, y)) in x.iter_mut().zip(&mut y).enumerate() {
                (*x, *y) = (one.of_a(i)[0], one.of_a(LANES + i)[0]);
            }
            narrow_rank_1(&mut acc, &mut acc_below, one.of_b(0), load(&x), load(&y));
        }
        narrow_end(&mut product, first, acc);
        narrow_end(&mut product, first + LANES, acc_below);
    }
}

/// Loads the start values of up to sixteen rows of C, from row `first` on: a vector for
/// each column.
#[inline]
#[target_feature(enable = "avx512f")]
fn narrow_start<const N: usize>(product: &Columns<'_, N>, first: usize) -> [Vector; N] {
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if let Some(row) = product.start(first + i) {
            *x = load_part(row);
        }
    }
    let mut columns = [zero(); N];
    columns.copy_from_slice(&transposed(x)[..N]);
    columns
}

/// Stores up to sixteen rows of C, from row `first` on, out of a vector for each column.
#[inline]
#[target_feature(enable = "avx512f")]
fn narrow_end<const N: usize>(product: &mut Columns<'_, N>, first: usize, columns: [Vector; N]) {
    let mut x = [zero(); LANES];
    x[..N].copy_from_slice(&columns);
    for (i, x) in transposed(x).into_iter().enumerate() {
        if let Some(row) = product.c_row(first + i) {
            store_part(row, x);
        }
    }
}

/// Four columns of sixteen rows, from row `first` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn four_columns<const N: usize>(four: &Step<'_, N, 4>, first: usize) -> [Vector; 4] {
    let mut y = [zero(); 4];
    for (j, y) in y.iter_mut().enumerate() {
        // Quarter q holds row 4q + j.
        *y = _mm512_castps128_ps512(load_quarter(four.of_a(first + j)));
        *y = _mm512_insertf32x4::<1>(*y, load_quarter(four.of_a(first + 4 + j)));
        *y = _mm512_insertf32x4::<2>(*y, load_quarter(four.of_a(first + 8 + j)));
        *y = _mm512_insertf32x4::<3>(*y, load_quarter(four.of_a(first + 12 + j)));
    }
    transposed_quarters(y)
}

/// Loads a quarter of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_quarter(from: &[f32; 4]) -> __m128 {
    // SAFETY: `from` is a quarter of a vector, at any address.
    unsafe { _mm_loadu_ps(from.as_ptr()) }
}

/// Adds the outer product of a row of B and two vectors of a column of A.
#[inline]
#[target_feature(enable = "avx512f")]
fn narrow_rank_1<const N: usize>(
    above: &mut [Vector; N],
    below: &mut [Vector; N],
    b: &[f32; N],
    x: Vector,
    y: Vector,
) {
    if N > 10 {
        for ((above, below), &b) in above.iter_mut().zip(below).zip(b) {
            let b = splat(b);
            *above = mul_add(b, x, *above);
            *below = mul_add(b, y, *below);
        }
        return;
    }
    // With indices the compiler keeps more of ten columns in registers, and fewer of twelve.
    for (j, (above, below)) in above.iter_mut().zip(below).enumerate() {
        let b = splat(b[j]);
        *above = mul_add(b, x, *above);
        *below = mul_add(b, y, *below);
    }
}
