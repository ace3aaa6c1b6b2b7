//! 4×8 micro-kernel on crate `wide`, for every target.
//!
//! With SSE2 the tile takes eight of sixteen registers, a row of B two and an
//! element of A one. `wide` chooses its registers when it is compiled, so this
//! kernel is as wide as the build's target allows, not the machine.

use super::tile::{CACHE_LINE, FAR, RawTiles, define_panels, define_tiles, listed, panels, tiles};
use super::{Kernel, SparseK, transpose};
use crate::compute::fma;
use wide::f32x8;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: false,
    tiles: tiles! {
        1: 1 2;
        2: 1;
        3: 1;
        4: 1;
    },
    panels: panels! {
        1: 1;
        2: 1;
        3: 1;
        4: 1;
    },
    listed: listed! {
        1: 1;
        2: 1;
        3: 1;
        4: 1;
    },
    images_per_list: 6,
    transpose: transpose::plain,
    narrow: &[],
    mul_add: fma::mul_add,
};

type Vector = f32x8;
type Mask = usize;
const LANES: usize = 8;

define_tiles! {}

define_panels! {}

#[inline]
fn zero() -> Vector {
    f32x8::ZERO
}

#[inline]
fn splat(x: f32) -> Vector {
    f32x8::splat(x)
}

#[inline]
fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    #[cfg(vfma)]
    {
        // `wide` does not know the instruction.
        let [a, b, c] = [a, b, c].map(Vector::to_array);
        Vector::new(core::array::from_fn(|i| fma::mul_add(a[i], b[i], c[i])))
    }
    #[cfg(not(vfma))]
    a.mul_add(b, c)
}

/// The first `lanes` of a vector.
#[inline]
fn mask(lanes: usize) -> usize {
    lanes
}

/// There is no portable prefetch.
#[inline]
fn prefetch(_: *const f32) {}

/// # Safety
/// `p` is followed by a whole vector.
#[inline]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: the caller's word; an array of f32 is aligned as f32 is.
    f32x8::new(unsafe { *p.cast::<[f32; LANES]>() })
}

/// # Safety
/// `p` is followed by a whole vector that nothing else refers to.
#[inline]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: the caller's word; an array of f32 is aligned as f32 is.
    unsafe { *p.cast::<[f32; LANES]>() = x.to_array() }
}

/// # Safety
/// `p` is followed by the first `lanes`.
#[inline]
unsafe fn load_part(p: *const f32, lanes: usize) -> Vector {
    if lanes == LANES {
        // SAFETY: the caller's word.
        return unsafe { load(p) };
    }
    let mut whole = [0.0; LANES];
    // SAFETY: the caller's word.
    whole[..lanes].copy_from_slice(unsafe { core::slice::from_raw_parts(p, lanes) });
    f32x8::new(whole)
}

/// The last vector of a row of B, which is whole: see [`Kernel::partial_loads`].
///
/// # Safety
/// `p` is followed by a whole vector.
#[inline]
unsafe fn load_last(p: *const f32, _: usize) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load(p) }
}

/// Whether the last vector of a row is loaded and stored as the others are.
#[inline]
fn is_direct(lanes: usize) -> bool {
    lanes == LANES
}

/// # Safety
/// `p` is followed by the lanes that `mask` names; the mask is direct.
#[inline]
unsafe fn load_direct(p: *const f32, _: usize) -> Vector {
    // SAFETY: the caller's word.
    unsafe { load(p) }
}

/// # Safety
/// `p` is followed by the lanes that `mask` names, and nothing else refers to
/// them; the mask is direct.
#[inline]
unsafe fn store_direct(p: *mut f32, _: usize, x: Vector) {
    // SAFETY: the caller's word.
    unsafe { store(p, x) }
}

/// # Safety
/// `p` is followed by the first `lanes`, and nothing else refers to them.
#[inline]
unsafe fn store_part(p: *mut f32, lanes: usize, x: Vector) {
    if lanes == LANES {
        // SAFETY: the caller's word.
        return unsafe { store(p, x) };
    }
    // SAFETY: the caller's word.
    let to = unsafe { core::slice::from_raw_parts_mut(p, lanes) };
    to.copy_from_slice(&x.to_array()[..lanes]);
}
