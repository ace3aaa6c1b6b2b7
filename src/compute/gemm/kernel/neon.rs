//! 6×16 micro-kernel for NEON.
//!
//! Registers, 32: the tile takes 24, a row of B four and an element of A one, 29; listed
//! k-indices the same. The 8×12 tile of BLIS (`config/cortexa57`) takes 24 too.

use super::sparse::{PREFETCH_DISTANCE, define_sparse, sparse};
use super::tile::{define_parts, define_tiles, tiles};
use super::{Kernel, RawTiles, SparseK, transpose};
use crate::compute::aligned::CACHE_LINE;
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
    sparse: sparse! {
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
};

type Vector = float32x4_t;
type Mask = usize;
const LANES: usize = 4;

define_parts! {
    #[target_feature(enable = "neon")]
}

define_tiles! {
    #[target_feature(enable = "neon")]
}

define_sparse! {
    #[target_feature(enable = "neon")]
}

/// Zero in each lane.
#[inline]
#[target_feature(enable = "neon")]
fn zero() -> Vector {
    vdupq_n_f32(0.0)
}

/// `x` in each lane.
#[inline]
#[target_feature(enable = "neon")]
fn splat(x: f32) -> Vector {
    vdupq_n_f32(x)
}

/// `a · b + c` in each lane.
#[inline]
#[target_feature(enable = "neon")]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    vfmaq_f32(c, a, b)
}

/// The first `lanes` of a vector.
#[inline]
#[target_feature(enable = "neon")]
fn mask(lanes: usize) -> Mask {
    lanes
}

/// Hints that the cache line of `p` will be read.
#[inline]
#[target_feature(enable = "neon")]
fn prefetch(_: *const f32) {
    // The processor's own prefetcher follows the rows of A.
}

/// Loads a whole vector.
///
/// # Safety
/// A whole vector at `p` is readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable, at any address of an `f32`.
    unsafe { vld1q_f32(p) }
}

/// Stores a whole vector.
///
/// # Safety
/// A whole vector at `p` is writable, and nothing else refers to it.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: `# Safety` makes a whole vector writable, at any address of an `f32`.
    unsafe { vst1q_f32(p, x) }
}

/// Loads the lanes of the mask; the others are zero.
///
/// # Safety
/// The lanes of the mask at `p` are readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_part(p: *const f32, mask: Mask) -> Vector {
    if mask == LANES {
        // SAFETY: the mask names all lanes, which `# Safety` makes readable.
        return unsafe { load(p) };
    }
    let mut whole = [0.0; LANES];
    // SAFETY: `# Safety` makes the lanes of the mask, the first ones, readable.
    whole[..mask].copy_from_slice(unsafe { core::slice::from_raw_parts(p, mask) });
    // SAFETY: `whole` is one vector.
    unsafe { load(whole.as_ptr()) }
}

/// Loads the last vector of a row of B.
///
/// # Safety
/// A whole vector at `p` is readable: [`Kernel::partial_loads`] is false.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_last(p: *const f32, _: Mask) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable.
    unsafe { load(p) }
}

/// Whether the last vector of a row is loaded and stored as fast as the others.
#[inline]
#[target_feature(enable = "neon")]
fn is_direct(mask: Mask) -> bool {
    mask == LANES
}

/// Loads the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are readable; the mask is direct.
#[inline]
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
unsafe fn store_direct(p: *mut f32, _: Mask, x: Vector) {
    // SAFETY: a direct mask names all lanes, which `# Safety` makes writable.
    unsafe { store(p, x) }
}

/// Stores the lanes of the mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_part(p: *mut f32, mask: Mask, x: Vector) {
    if mask == LANES {
        // SAFETY: the mask names all lanes, which `# Safety` makes writable.
        return unsafe { store(p, x) };
    }
    let mut whole = [0.0; LANES];
    // SAFETY: `whole` is one vector, and `# Safety` makes the lanes of the mask, the first
    // ones, writable for us alone.
    let to = unsafe {
        store(whole.as_mut_ptr(), x);
        core::slice::from_raw_parts_mut(p, mask)
    };
    to.copy_from_slice(&whole[..mask]);
}
