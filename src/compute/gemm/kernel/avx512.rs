//! 14×32 micro-kernel for AVX-512.
//!
//! Twenty-eight of 32 ZMM registers hold the tile, two a row of B and one an
//! element of A. Its rows may be fewer, down to one; the fewer, the more
//! vectors, since two FMA units of latency 4 want eight chains or more. Masks
//! make the last vector as short as the matrix, at no cost.

use super::tile::{CACHE_LINE, FAR, RawTiles, define_tiles, listed, tiles};
use super::{Kernel, SparseK, narrow, transpose};
use core::arch::x86_64::*;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: true,
    tiles: tiles! {
        1: 1 2 3 4 5 6 7 8;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2;
        5: 1 2;
        6: 1 2;
        7: 1 2;
        8: 1 2;
        9: 1 2;
        10: 1 2;
        11: 1 2;
        12: 1 2;
        13: 1 2;
        14: 1 2;
    },
    panels: &[],
    listed: listed! {
        1: 1 2 3 4;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2 3 4;
        5: 1 2 3 4;
        6: 1 2 3 4;
    },
    images_per_list: 6,
    transpose: transpose_block,
    narrow: &[
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
    ],
    mul_add: scalar_mul_add,
};

type Vector = __m512;
type Mask = __mmask16;
const LANES: usize = 16;

define_tiles! {
    #[target_feature(enable = "avx512f")]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> Vector {
    _mm512_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: f32) -> Vector {
    _mm512_set1_ps(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_fmadd_ps(a, b, c)
}

/// The first `lanes` of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn mask(lanes: usize) -> Mask {
    !(!0 << lanes) as Mask
}

#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(p: *const f32) {
    _mm_prefetch::<_MM_HINT_T0>(p.cast());
}

/// # Safety
/// `p` is followed by a whole vector.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: the caller's word.
    unsafe { _mm512_loadu_ps(p) }
}

/// # Safety
/// `p` is followed by a whole vector that nothing else refers to.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { _mm512_storeu_ps(p, x) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_part(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: the caller's word; lanes outside the mask are not touched.
    unsafe { _mm512_maskz_loadu_ps(mask, p) }
}

/// The last vector of a row of B.
///
/// # Safety
/// `p` is followed by the lanes that `mask` names.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_last(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load_part(p, mask) }
}

/// Whether the last vector of a row is loaded and stored as the others are:
/// here with a mask that costs nothing.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_direct(_: Mask) -> bool {
    true
}

/// # Safety
/// `p` is followed by the lanes that `mask` names; the mask is direct.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_direct(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load_part(p, mask) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them; the mask is direct.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_direct(p: *mut f32, mask: Mask, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { store_part(p, mask, x) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_part(p: *mut f32, mask: Mask, x: Vector) {
    // SAFETY: the caller's word; lanes outside the mask are not touched.
    unsafe { _mm512_mask_storeu_ps(p, mask, x) }
}

/// See [`Kernel::mul_add`].
#[target_feature(enable = "fma")]
fn scalar_mul_add(a: f32, b: f32, c: f32) -> f32 {
    let [a, b, c] = [_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)];
    _mm_cvtss_f32(_mm_fmadd_ss(a, b, c))
}

/// See [`Kernel::transpose`].
///
/// # Safety
/// As [`transpose::Block`] says.
#[target_feature(enable = "avx512f")]
unsafe fn transpose_block(block: &transpose::Block) {
    let (columns, rows) = (mask(block.columns), mask(block.rows));
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if i < block.rows {
            // SAFETY: row `i` has `columns` elements.
            *x = unsafe { load_part(block.from.add(i * block.from_row), columns) };
        }
    }
    for (j, x) in transposed(x).into_iter().enumerate() {
        if j < block.columns {
            // SAFETY: row `j` of the transpose has `rows` elements.
            unsafe { store_part(block.to.add(j * block.to_row), rows, x) };
        }
    }
}

/// Sixteen rows as columns: first within quarters of vectors, then these.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(mut x: [Vector; LANES]) -> [Vector; LANES] {
    let mut y = [zero(); LANES];
    for i in 0..4 {
        let quarters = transposed_quarters([x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]]);
        x[4 * i..][..4].copy_from_slice(&quarters);
    }
    // x[4i + j] holds in quarter q the columns 4q + j of rows 4i to 4i + 3.
    for j in 0..4 {
        y[j] = _mm512_shuffle_f32x4::<0x44>(x[j], x[4 + j]);
        y[4 + j] = _mm512_shuffle_f32x4::<0xee>(x[j], x[4 + j]);
        y[8 + j] = _mm512_shuffle_f32x4::<0x44>(x[8 + j], x[12 + j]);
        y[12 + j] = _mm512_shuffle_f32x4::<0xee>(x[8 + j], x[12 + j]);
    }
    for j in 0..4 {
        x[j] = _mm512_shuffle_f32x4::<0x88>(y[j], y[8 + j]);
        x[4 + j] = _mm512_shuffle_f32x4::<0xdd>(y[j], y[8 + j]);
        x[8 + j] = _mm512_shuffle_f32x4::<0x88>(y[4 + j], y[12 + j]);
        x[12 + j] = _mm512_shuffle_f32x4::<0xdd>(y[4 + j], y[12 + j]);
    }
    x
}

/// See [`Kernel::narrow`]: two vectors along the rows of C, for each of its `N`
/// columns. Four steps of A at a time are transposed in registers, while the
/// multiply-adds of the four before are under way.
///
/// # Safety
/// As [`narrow::Rows`] says.
#[target_feature(enable = "avx512f")]
unsafe fn narrow_rows<const N: usize>(rows: &narrow::Rows) {
    for first in (0..rows.rows).step_by(2 * LANES) {
        // In place of rows that are not there the last one is read; what comes
        // of it is not stored.
        let mut a = [rows.a; 2 * LANES];
        for (i, a) in a.iter_mut().enumerate() {
            *a = a.wrapping_add((first + i).min(rows.rows - 1) * rows.a_row);
        }
        let (above, below) = a.split_at(LANES);
        let (mut acc, mut acc_below) = ([zero(); N], [zero(); N]);
        if !rows.start.is_null() {
            // SAFETY: the rows of the start.
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
            // SAFETY: four elements of each row of A, four rows of B.
            unsafe {
                let (x, y) = (four_steps(above, p), four_steps(below, p));
                narrow_rank_1(&mut acc, &mut acc_below, b, x[0], y[0]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(rows.b_row), x[1], y[1]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(2 * rows.b_row), x[2], y[2]);
                narrow_rank_1(&mut acc, &mut acc_below, b.add(3 * rows.b_row), x[3], y[3]);
            }
            p += 4;
            b = b.wrapping_add(4 * rows.b_row);
        }
        while p < rows.k {
            // SAFETY: an element of each row of A, a row of B.
            unsafe {
                let column = a.map(|a| *a.add(p));
                let (x, y) = (load(column.as_ptr()), load(column[LANES..].as_ptr()));
                narrow_rank_1(&mut acc, &mut acc_below, b, x, y);
            }
            p += 1;
            b = b.wrapping_add(rows.b_row);
        }
        // SAFETY: the rows of C.
        unsafe {
            narrow_end(rows, first, acc);
            narrow_end(rows, first + LANES, acc_below);
        }
    }
}

/// The columns of up to sixteen rows that chains start from.
///
/// # Safety
/// As [`narrow::Rows`] says.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_start<const N: usize>(rows: &narrow::Rows, first: usize) -> [Vector; N] {
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if first + i < rows.rows {
            // SAFETY: the caller's word.
            *x = unsafe { load_part(rows.start.add((first + i) * rows.start_row), mask(N)) };
        }
    }
    let mut columns = [zero(); N];
    columns.copy_from_slice(&transposed(x)[..N]);
    columns
}

/// Stores the columns of up to sixteen rows of C.
///
/// # Safety
/// As [`narrow::Rows`] says.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_end<const N: usize>(rows: &narrow::Rows, first: usize, columns: [Vector; N]) {
    let mut x = [zero(); LANES];
    x[..N].copy_from_slice(&columns);
    for (i, x) in transposed(x).into_iter().enumerate() {
        if first + i < rows.rows {
            // SAFETY: the caller's word.
            unsafe { store_part(rows.c.add((first + i) * rows.c_row), mask(N), x) };
        }
    }
}

/// Four columns of sixteen rows, from column `p` on.
///
/// # Safety
/// `rows` are sixteen, and each has these elements.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four_steps(rows: &[*const f32], p: usize) -> [Vector; 4] {
    let mut y = [zero(); 4];
    for (j, y) in y.iter_mut().enumerate() {
        // Quarter q holds row 4q + j. SAFETY: the caller's word.
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
        // SAFETY: the caller's word.
        let b = splat(unsafe { *b.add(j) });
        *above = mul_add(b, x, *above);
        *below = mul_add(b, y, *below);
    }
}

/// Transposes the 4×4 blocks in the quarters of four vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed_quarters([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
    let ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
    let cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
    let ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
    let cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    [
        _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
        _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
        _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
        _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
    ]
}
