//! 3×32 and 6×16 micro-kernel for AVX2 with FMA.
//!
//! Registers, 16 YMM: either tile takes 12. Of 3×32, for packed panels of B and listed
//! k-indices, the elements of A take three and a vector of B one, 16: seven loads for
//! twelve multiply-adds. Of 6×16 a row of B takes two and an element of A one, 15, as in
//! BLIS (`config/haswell`): eight loads. docs/performance.md compares the two.

mod transpose;

use super::panel::{define_panels, panels};
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
    sparse: sparse! {
        1: 1 2 3 4;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2;
    },
    images_per_list: 3,
    transpose: transpose::block,
    narrow: &[],
};

type Vector = __m256;
const LANES: usize = 8;

/// The first lanes of a vector.
///
/// A masked load costs some time, so whole vectors go without; a masked store costs a
/// dozen cycles, so there is none.
#[derive(Clone, Copy)]
struct Mask {
    is_whole: bool,
    count: usize,
    lanes: __m256i,
}

define_parts! {
    #[target_feature(enable = "avx2,fma")]
}

define_tiles! {
    #[target_feature(enable = "avx2,fma")]
}

define_sparse! {
    #[target_feature(enable = "avx2,fma")]
}

define_panels! {
    #[target_feature(enable = "avx2,fma")]
}

/// Zero in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn zero() -> Vector {
    _mm256_setzero_ps()
}

/// `x` in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn splat(x: f32) -> Vector {
    _mm256_set1_ps(x)
}

/// `a · b + c` in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_fmadd_ps(a, b, c)
}

/// The first `lanes` of a vector.
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

/// Hints that the cache line of `p` will be read.
#[allow(unused_unsafe, reason = "unsafe up to Rust 1.89, the oldest supported")]
#[inline]
#[target_feature(enable = "avx2,fma")]
fn prefetch(p: *const f32) {
    // SAFETY: a prefetch reads and writes nothing, wherever `p` points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
}

/// Loads a whole vector.
///
/// # Safety
/// A whole vector at `p` is readable.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable, at any address.
    unsafe { _mm256_loadu_ps(p) }
}

/// Stores a whole vector.
///
/// # Safety
/// A whole vector at `p` is writable, and nothing else refers to it.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: `# Safety` makes a whole vector writable, at any address.
    unsafe { _mm256_storeu_ps(p, x) }
}

/// Loads the lanes of the mask; the others are zero.
///
/// # Safety
/// The lanes of the mask at `p` are readable.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_part(p: *const f32, mask: Mask) -> Vector {
    if mask.is_whole {
        // SAFETY: the mask names all lanes, which `# Safety` makes readable.
        unsafe { load(p) }
    } else {
        // SAFETY: `# Safety` makes the lanes of the mask readable; no other is touched.
        unsafe { _mm256_maskload_ps(p, mask.lanes) }
    }
}

/// Loads the last vector of a row of B.
///
/// # Safety
/// The lanes of the mask at `p` are readable: [`Kernel::partial_loads`] is true.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_last(p: *const f32, mask: Mask) -> Vector {
    // SAFETY: `# Safety` makes the lanes of the mask readable.
    unsafe { load_part(p, mask) }
}

/// Whether the last vector of a row is loaded and stored as fast as the others.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn is_direct(mask: Mask) -> bool {
    mask.is_whole
}

/// Loads the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are readable; the mask is direct.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_direct(p: *const f32, _: Mask) -> Vector {
    // SAFETY: a direct mask names all lanes, which `# Safety` makes readable.
    unsafe { load(p) }
}

/// Stores the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them; the mask is
/// direct.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_direct(p: *mut f32, _: Mask, x: Vector) {
    // SAFETY: a direct mask names all lanes, which `# Safety` makes writable.
    unsafe { store(p, x) }
}

/// Stores the lanes of the mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_part(p: *mut f32, mask: Mask, x: Vector) {
    if mask.is_whole {
        // SAFETY: the mask names all lanes, which `# Safety` makes writable.
        return unsafe { store(p, x) };
    }
    let (mut left, mut at) = (_mm256_castps256_ps128(x), p);
    // SAFETY: four, two and one lanes one after another add up to those of the mask, the
    // first ones, which `# Safety` makes writable.
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
