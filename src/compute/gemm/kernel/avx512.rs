//! 14×32 micro-kernel for AVX-512.
//!
//! Registers, 32 ZMM: the tile takes 28, a row of B two and an element of A one, 31. Tiles
//! of fewer rows have up to eight vectors, since two multiply-add units of four cycles'
//! latency want eight chains or more. For listed k-indices 6×64 takes 24, four and one, 29.
//! BLIS has two vectors by 12 rows (`config/skx`). On Zen 5 tiles of two vectors and six or
//! more rows reach 99 % of the peak, tiles one vector wide 50 to 87 %.
//!
//! Masks cost nothing, so the last vector is as short as the matrix.

mod narrow;
mod transpose;

use super::sparse::{PREFETCH_DISTANCE, define_sparse, sparse};
use super::tile::{define_parts, define_tiles, tiles};
use super::{Kernel, RawTiles, SparseK};
use crate::compute::aligned::CACHE_LINE;
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
    sparse: sparse! {
        1: 1 2 3 4;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2 3 4;
        5: 1 2 3 4;
        6: 1 2 3 4;
    },
    images_per_list: 6,
    transpose: transpose::block,
    narrow: &narrow::PRODUCTS,
};

type Vector = __m512;
type Mask = __mmask16;
const LANES: usize = 16;

define_parts! {
    #[target_feature(enable = "avx512f")]
}

define_tiles! {
    #[target_feature(enable = "avx512f")]
}

define_sparse! {
    #[target_feature(enable = "avx512f")]
}

/// Zero in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> Vector {
    _mm512_setzero_ps()
}

/// `x` in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: f32) -> Vector {
    _mm512_set1_ps(x)
}

/// `a · b + c` in each lane.
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

/// Hints that the cache line of `p` will be read.
#[allow(unused_unsafe, reason = "unsafe up to Rust 1.89, the oldest supported")]
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(p: *const f32) {
    // SAFETY: a prefetch reads and writes nothing, wherever `p` points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
}

/// Loads a whole vector.
///
/// # Safety
/// A whole vector at `p` is readable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable, at any address.
    unsafe { _mm512_loadu_ps(p) }
}

/// Stores a whole vector.
///
/// # Safety
/// A whole vector at `p` is writable, and nothing else refers to it.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: `# Safety` makes a whole vector writable, at any address.
    unsafe { _mm512_storeu_ps(p, x) }
}

/// Loads the lanes of the mask; the others are zero.
///
/// # Safety
/// The lanes of the mask at `p` are readable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_part(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: `# Safety` makes the lanes of the mask readable; no other is touched.
    unsafe { _mm512_maskz_loadu_ps(mask, p) }
}

/// Loads the last vector of a row of B.
///
/// # Safety
/// The lanes of the mask at `p` are readable: [`Kernel::partial_loads`] is true.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_last(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: `# Safety` makes the lanes of the mask readable.
    unsafe { load_part(p, mask) }
}

/// Whether the last vector of a row is loaded and stored as fast as the others.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_direct(_: Mask) -> bool {
    true
}

/// Loads the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are readable; the mask is direct.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_direct(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: `# Safety` makes the lanes of the mask readable.
    unsafe { load_part(p, mask) }
}

/// Stores the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them; the mask is
/// direct.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_direct(p: *mut f32, mask: Mask, x: Vector) {
    // SAFETY: `# Safety` makes the lanes of the mask writable.
    unsafe { store_part(p, mask, x) }
}

/// Stores the lanes of the mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_part(p: *mut f32, mask: Mask, x: Vector) {
    // SAFETY: `# Safety` makes the lanes of the mask writable; no other is touched.
    unsafe { _mm512_mask_storeu_ps(p, mask, x) }
}
