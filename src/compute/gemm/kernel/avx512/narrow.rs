//! Products with few columns, two vectors along the columns of C for each of them.
//!
//! Registers, 32 ZMM: of twelve columns the sums take 24, two vectors of A and an element
//! of B three; four vectors transpose the next part of A. Four columns of A at a time are
//! transposed in registers, while the multiply-adds of the four before are under way.

use super::transpose::{transposed, transposed_quarters};
use super::{LANES, Vector, load, load_part, mask, mul_add, prefetch, splat, store_part, zero};
use crate::compute::aligned::CACHE_LINE;
use crate::compute::gemm::kernel::narrow::Rows;
use core::arch::x86_64::*;

/// Functions for products of 1, 2, … columns.
pub(super) static PRODUCTS: [unsafe fn(&Rows); 12] = [
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
///
/// # Safety
/// The machine has AVX-512F, and the operands are as [`Rows`] says, with `N` columns.
#[target_feature(enable = "avx512f")]
unsafe fn narrow_rows<const N: usize>(rows: &Rows) {
    for first in (0..rows.rows).step_by(2 * LANES) {
        // In place of rows that are not there the last one is read, and its sums are not
        // stored.
        let mut a = [rows.a; 2 * LANES];
        for (i, a) in a.iter_mut().enumerate() {
            *a = a.wrapping_add((first + i).min(rows.rows - 1) * rows.a_row);
        }
        let (above, below) = a.split_at(LANES);
        let (mut acc, mut acc_below) = ([zero(); N], [zero(); N]);
        if !rows.start.is_null() {
            // SAFETY: the start is not null and has `rows.rows` rows of `N` elements,
            // `rows.start_row` apart.
            unsafe {
                acc = narrow_start(rows, first);
                acc_below = narrow_start(rows, first + LANES);
            }
        }
        let (mut p, mut b) = (0, rows.b);
        while p + 4 <= rows.k {
            if rows.fetch && p.is_multiple_of(CACHE_LINE) {
                for a in a {
                    prefetch(a.wrapping_add(2 * LANES * rows.a_row + p));
                }
            }
            // SAFETY: rows of A have `k ≥ p + 4` elements, and B has `k` rows of `N`.
            unsafe {
                let (x, y) = (four_columns(above, p), four_columns(below, p));
                narrow_rank_1(&mut acc, &mut acc_below, b, x[0], y[0]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(rows.b_row), x[1], y[1]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(2 * rows.b_row), x[2], y[2]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(3 * rows.b_row), x[3], y[3]);
            }
            p += 4;
            b = b.wrapping_add(4 * rows.b_row);
        }
        while p < rows.k {
            // SAFETY: rows of A have `k > p` elements, B has `k` rows of `N`, and `column` is
            // two vectors.
            unsafe {
                let column = a.map(|a| *a.add(p));
                let (x, y) = (load(column.as_ptr()), load(column[LANES..].as_ptr()));
                narrow_rank_1(&mut acc, &mut acc_below, b, x, y);
            }
            p += 1;
            b = b.wrapping_add(rows.b_row);
        }
        // SAFETY: C has `rows.rows` rows of `N` elements, `rows.c_row` apart, and nothing
        // else refers to them.
        unsafe {
            narrow_end(rows, first, acc);
            narrow_end(rows, first + LANES, acc_below);
        }
    }
}

/// Loads the start values of up to sixteen rows of C, from row `first` on: a vector for
/// each column.
///
/// # Safety
/// The operands are as [`Rows`] says, with `N` columns and a start that is not null.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_start<const N: usize>(rows: &Rows, first: usize) -> [Vector; N] {
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if first + i < rows.rows {
            // SAFETY: row `first + i` of the start has `N` elements.
            *x = unsafe { load_part(rows.start.add((first + i) * rows.start_row), mask(N)) };
        }
    }
    let mut columns = [zero(); N];
    columns.copy_from_slice(&transposed(x)[..N]);
    columns
}

/// Stores up to sixteen rows of C, from row `first` on, out of a vector for each column.
///
/// # Safety
/// The operands are as [`Rows`] says, with `N` columns.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_end<const N: usize>(rows: &Rows, first: usize, columns: [Vector; N]) {
    let mut x = [zero(); LANES];
    x[..N].copy_from_slice(&columns);
    for (i, x) in transposed(x).into_iter().enumerate() {
        if first + i < rows.rows {
            // SAFETY: row `first + i` of C has `N` elements that nothing else refers to.
            unsafe { store_part(rows.c.add((first + i) * rows.c_row), mask(N), x) };
        }
    }
}

/// Four columns of sixteen rows, from column `p` on.
///
/// # Safety
/// There are sixteen `rows`, each with `p + 4` elements or more.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four_columns(rows: &[*const f32], p: usize) -> [Vector; 4] {
    let mut y = [zero(); 4];
    for (j, y) in y.iter_mut().enumerate() {
        // Quarter q holds row 4q + j.
        // SAFETY: `# Safety` gives each row four elements from `p` on.
        unsafe {
            let first = _mm512_castps128_ps512(_mm_loadu_ps(rows[j].add(p)));
            *y = _mm512_insertf32x4::<1>(first, _mm_loadu_ps(rows[4 + j].add(p)));
            *y = _mm512_insertf32x4::<2>(*y, _mm_loadu_ps(rows[8 + j].add(p)));
            *y = _mm512_insertf32x4::<3>(*y, _mm_loadu_ps(rows[12 + j].add(p)));
        }
    }
    transposed_quarters(y)
}

/// Adds the outer product of a row of B and two vectors of a column of A.
///
/// # Safety
/// `b` is followed by `N` elements.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_rank_1<const N: usize>(
    above: &mut [Vector; N],
    below: &mut [Vector; N],
    b: *const f32,
    x: Vector,
    y: Vector,
) {
    for (j, (above, below)) in above.iter_mut().zip(below).enumerate() {
        // SAFETY: `j < N`, and `N` elements follow `b`.
        let b = splat(unsafe { *b.add(j) });
        *above = mul_add(b, x, *above);
        *below = mul_add(b, y, *below);
    }
}
