//! 6×16 micro-kernel for NEON.
//!
//! Twenty-four of 32 registers hold the tile, four a row of B and one an
//! element of A.

use super::tile::{CACHE_LINE, FAR, RawTiles, define_tiles, listed, tiles};
use super::{Kernel, SparseK, transpose};
use core::arch::aarch64::*;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: false,
    tiles: tiles! {
        1: 1 2 3 4 5 6 7 8;
        2: 1 2 3 4;
        3: 1 2 3 4;
        4: 1 2 3 4;
        5: 1 2 3 4;
        6: 1 2 3 4;
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
    transpose: transpose::plain,
    narrow: &[],
    mul_add: scalar_mul_add,
};

type Vector = float32x4_t;
type Mask = usize;
const LANES: usize = 4;

define_tiles! {
    #[target_feature(enable = "neon")]
}

#[inline]
#[target_feature(enable = "neon")]
fn zero() -> Vector {
    vdupq_n_f32(0.0)
}

#[inline]
#[target_feature(enable = "neon")]
fn splat(x: f32) -> Vector {
    vdupq_n_f32(x)
}

#[inline]
#[target_feature(enable = "neon")]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    vfmaq_f32(c, a, b)
}

/// The first `lanes` of a vector.
#[inline]
fn mask(lanes: usize) -> usize {
    lanes
}

/// The processor's own prefetcher follows the rows of A.
#[inline]
fn prefetch(_: *const f32) {}

/// # Safety
/// `p` is followed by a whole vector.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: the caller's word.
    unsafe { vld1q_f32(p) }
}

/// # Safety
/// `p` is followed by a whole vector that nothing else refers to.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { vst1q_f32(p, x) }
}

/// # Safety
/// `p` is followed by the first `lanes`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_part(p: *const f32, lanes: usize) -> Vector {
    if lanes == LANES {
        // SAFETY: the caller's word.
        return unsafe { load(p) };
    }
    let mut whole = [0.0; LANES];
    // SAFETY: the caller's word.
    whole[..lanes].copy_from_slice(unsafe { core::slice::from_raw_parts(p, lanes) });
    // SAFETY: `whole` is one vector.
    unsafe { load(whole.as_ptr()) }
}

/// The last vector of a row of B, which is whole: see [`Kernel::partial_loads`].
///
/// # Safety
/// `p` is followed by a whole vector.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_last(p: *const f32, _: usize) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load(p) }
}

/// Whether the last vector of a row is loaded and stored as the others are.
#[inline]
#[target_feature(enable = "neon")]
fn is_direct(lanes: usize) -> bool {
    lanes == LANES
}

/// # Safety
/// `p` is followed by the lanes that `mask` names; the mask is direct.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_direct(p: *const f32, _: usize) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load(p) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them; the mask is direct.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_direct(p: *mut f32, _: usize, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { store(p, x) }
}

/// # Safety
/// `p` is followed by the first `lanes`, and nothing else refers to them.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_part(p: *mut f32, lanes: usize, x: Vector) {
    if lanes == LANES {
        // SAFETY: the caller's word.
        return unsafe { store(p, x) };
    }
    let mut whole = [0.0; LANES];
    // SAFETY: `whole` is one vector, and `p` is followed by `lanes` elements.
    let to = unsafe {
        store(whole.as_mut_ptr(), x);
        core::slice::from_raw_parts_mut(p, lanes)
    };
    to.copy_from_slice(&whole[..lanes]);
}

/// See [`Kernel::mul_add`].
#[target_feature(enable = "neon")]
fn scalar_mul_add(a: f32, b: f32, c: f32) -> f32 {
    vgetq_lane_f32::<0>(mul_add(splat(a), splat(b), splat(c)))
}
