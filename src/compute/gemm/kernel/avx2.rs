//! 3×32 and 6×16 micro-kernels for AVX2 with FMA.
//!
//! Twelve of sixteen YMM registers hold the tile. Of 3×32, for packed panels of B
//! and listed steps, three hold the elements of A and one a vector of B: seven
//! loads for twelve multiply-adds. Of 6×16, two hold the row of B and one an
//! element of A, as in BLIS (`config/haswell`): eight loads.

use super::tile::{CACHE_LINE, FAR, RawTiles, define_panels, define_tiles, listed, panels, tiles};
use super::{Kernel, SparseK, transpose};
use core::arch::x86_64::*;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: true,
    tiles: tiles! {
        1: 1 2 3 4 5 6 7 8;
        2: 1 2 3 4;
        3: 1 2 3;
        4: 1 2;
        5: 1 2;
        6: 1 2;
    },
    panels: panels! {
        1: 1 2 3 4;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2;
        5: 1 2;
        6: 1 2;
    },
    listed: listed! {
        1: 1 2 3 4;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2;
    },
    images_per_list: 3,
    transpose: transpose_block,
    narrow: &[],
    mul_add: scalar_mul_add,
};

type Vector = __m256;
const LANES: usize = 8;

define_tiles! {
    #[target_feature(enable = "avx2,fma")]
}

define_panels! {
    #[target_feature(enable = "avx2,fma")]
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn zero() -> Vector {
    _mm256_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn splat(x: f32) -> Vector {
    _mm256_set1_ps(x)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_fmadd_ps(a, b, c)
}

/// The first lanes of a vector, and how many they are. Masked loads cost some
/// time, so that whole vectors go without; masked stores cost so much that none
/// is made.
#[derive(Clone, Copy)]
struct Mask {
    is_whole: bool,
    count: usize,
    lanes: __m256i,
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn mask(lanes: usize) -> Mask {
    let place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    Mask {
        is_whole: lanes == LANES,
        count: lanes,
        lanes: _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), place),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn prefetch(p: *const f32) {
    _mm_prefetch::<_MM_HINT_T0>(p.cast());
}

/// # Safety
/// `p` is followed by a whole vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: the caller's word.
    unsafe { _mm256_loadu_ps(p) }
}

/// # Safety
/// `p` is followed by a whole vector that nothing else refers to.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { _mm256_storeu_ps(p, x) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_part(p: *const f32, mask: Mask) -> Vector {
    if mask.is_whole {
        // SAFETY: the mask names all lanes.
        unsafe { load(p) }
    } else {
        // SAFETY: the caller's word; lanes outside the mask are not touched.
        unsafe { _mm256_maskload_ps(p, mask.lanes) }
    }
}

/// The last vector of a row of B.
///
/// # Safety
/// `p` is followed by the lanes that `mask` names.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_last(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load_part(p, mask) }
}

/// Whether the last vector of a row is loaded and stored as the others are.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn is_direct(mask: Mask) -> bool {
    mask.is_whole
}

/// # Safety
/// `p` is followed by the lanes that `mask` names; the mask is direct.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_direct(p: *const f32, _: Mask) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load(p) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them; the mask is direct.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_direct(p: *mut f32, _: Mask, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { store(p, x) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_part(p: *mut f32, mask: Mask, x: Vector) {
    if mask.is_whole {
        // SAFETY: the mask names all lanes.
        return unsafe { store(p, x) };
    }
    let (mut left, mut at) = (_mm256_castps256_ps128(x), p);
    // SAFETY: four, two and one lane as the mask names them, one after another.
    unsafe {
        if mask.count & 4 != 0 {
            _mm_storeu_ps(at, left);
            left = _mm256_extractf128_ps::<1>(x);
            at = at.add(4);
        }
        if mask.count & 2 != 0 {
            _mm_storel_pd(at.cast(), _mm_castps_pd(left));
            left = _mm_movehl_ps(left, left);
            at = at.add(2);
        }
        if mask.count & 1 != 0 {
            _mm_store_ss(at, left);
        }
    }
}

/// See [`Kernel::mul_add`].
#[target_feature(enable = "fma")]
fn scalar_mul_add(a: f32, b: f32, c: f32) -> f32 {
    let [a, b, c] = [_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)];
    _mm_cvtss_f32(_mm_fmadd_ss(a, b, c))
}

/// See [`Kernel::transpose`]: eight rows in registers, exchanged in pairs,
/// fours and eights of lanes.
///
/// # Safety
/// As [`transpose::Block`] says.
#[target_feature(enable = "avx2,fma")]
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
    for i in 0..4 {
        y[2 * i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
    }
    for i in 0..2 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| y[4 * i + j]);
        x[4 * i] = _mm256_shuffle_ps::<0x44>(a, c);
        x[4 * i + 1] = _mm256_shuffle_ps::<0xee>(a, c);
        x[4 * i + 2] = _mm256_shuffle_ps::<0x44>(b, d);
        x[4 * i + 3] = _mm256_shuffle_ps::<0xee>(b, d);
    }
    // x[4i + j] holds in half h the columns 4h + j of rows 4i to 4i + 3.
    for j in 0..4 {
        y[j] = _mm256_permute2f128_ps::<0x20>(x[j], x[4 + j]);
        y[4 + j] = _mm256_permute2f128_ps::<0x31>(x[j], x[4 + j]);
    }
    for (j, y) in y.iter().enumerate() {
        if j < block.columns {
            // SAFETY: row `j` of the transpose has `rows` elements.
            unsafe { store_part(block.to.add(j * block.to_row), rows, *y) };
        }
    }
}
