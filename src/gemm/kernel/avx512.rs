//! 14×32 micro-kernel for AVX-512.
//!
//! Twenty-eight of 32 ZMM registers hold the tile, two a row of B and one an
//! element of A. Its rows may be fewer, down to one; the fewer, the more
//! vectors, since two FMA units of latency 4 want eight chains or more. Masks
//! make the last vector as short as the matrix, at no cost.

use super::tile::{LINE, RawTiles, define_tiles, tiles};
use super::{Kernel, pixels, transpose};
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
    transpose: transpose_block,
    pixels: pack_pixels,
    mul_add: scalar_mul_add,
};

type Vector = __m512;
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
fn mask(lanes: usize) -> __mmask16 {
    !(!0 << lanes) as __mmask16
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
unsafe fn load_part(p: *const f32, mask: __mmask16) -> Vector {
    // SAFETY: the caller's word; lanes outside the mask are not touched.
    unsafe { _mm512_maskz_loadu_ps(mask, p) }
}

/// The last vector of a row of B.
///
/// # Safety
/// `p` is followed by the lanes that `mask` names.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_last(p: *const f32, mask: __mmask16) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load_part(p, mask) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_part(p: *mut f32, mask: __mmask16, x: Vector) {
    // SAFETY: the caller's word; lanes outside the mask are not touched.
    unsafe { _mm512_mask_storeu_ps(p, mask, x) }
}

/// See [`Kernel::mul_add`].
#[target_feature(enable = "fma")]
fn scalar_mul_add(a: f32, b: f32, c: f32) -> f32 {
    let [a, b, c] = [_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)];
    _mm_cvtss_f32(_mm_fmadd_ss(a, b, c))
}

/// Packs pixels: sixteen are widened, divided and compressed in registers.
///
/// # Safety
/// As [`pixels::Group`] says.
#[target_feature(enable = "avx512f")]
unsafe fn pack_pixels(group: &pixels::Group<'_>) {
    let wanted = group.mask;
    let kept = mask(wanted.count_ones() as usize);
    let (divisor, reciprocal) = (splat(255.0), splat(1.0 / 255.0));
    for (i, image) in group.images.iter().enumerate() {
        let mut part = [0; LANES];
        let pixels = match image[group.first..].first_chunk() {
            Some(whole) => whole,
            None => {
                part[..group.columns].copy_from_slice(&image[group.first..][..group.columns]);
                &part
            }
        };
        // SAFETY: sixteen bytes.
        let bytes = unsafe { _mm_loadu_si128(pixels.as_ptr().cast()) };
        let x = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        // One step of Newton's method makes the quotient exact; a test holds
        // it for all 256 values.
        let quotient = _mm512_mul_ps(x, reciprocal);
        let error = _mm512_fnmadd_ps(quotient, divisor, x);
        let quotient = mul_add(error, reciprocal, quotient);
        let quotient = _mm512_maskz_compress_ps(wanted, quotient);
        // SAFETY: the row has as many elements as the mask has bits.
        unsafe { store_part(group.to.add(i * group.to_row), kept, quotient) };
    }
}

/// See [`Kernel::transpose`]: sixteen rows in registers, exchanged in pairs,
/// fours, eights and sixteens of lanes.
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
    let mut y = [zero(); LANES];
    for i in 0..8 {
        y[2 * i] = _mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]);
    }
    for i in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| _mm512_castps_pd(y[4 * i + j]));
        x[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        x[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        x[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        x[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
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
    for (j, x) in x.iter().enumerate() {
        if j < block.columns {
            // SAFETY: row `j` of the transpose has `rows` elements.
            unsafe { store_part(block.to.add(j * block.to_row), rows, *x) };
        }
    }
}
