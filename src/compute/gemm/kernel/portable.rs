//! 4×8 micro-kernel on crate `wide`, for every target.
//!
//! Registers, 16 XMM with SSE2: the tile takes eight, a row of B two and an element of A
//! one, 11. `wide` chooses its registers when it is compiled, so this kernel is as wide as
//! the build's target allows, not as the machine does.

use super::panel::{define_panels, panels};
use super::sparse::{PREFETCH_DISTANCE, define_sparse, sparse};
use super::tile::{define_parts, define_tiles, tiles};
use super::{Kernel, RawTiles, SparseK, transpose};
use crate::compute::aligned::CACHE_LINE;
#[cfg(vfma)]
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
    sparse: sparse! {
        1: 1;
        2: 1;
        3: 1;
        4: 1;
    },
    images_per_list: 6,
    transpose: transpose::plain,
    narrow: &[],
};

type Vector = f32x8;
type Mask = usize;
const LANES: usize = 8;

define_parts! {}

define_tiles! {}

define_sparse! {}

define_panels! {}

/// Zero in each lane.
#[inline]
fn zero() -> Vector {
    f32x8::ZERO
}

/// `x` in each lane.
#[inline]
fn splat(x: f32) -> Vector {
    f32x8::splat(x)
}

/// `a · b + c` in each lane.
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
fn mask(lanes: usize) -> Mask {
    lanes
}

/// Hints that the cache line of `p` will be read.
#[inline]
fn prefetch(_: *const f32) {
    // There is no portable prefetch.
}

/// Loads a whole vector.
///
/// # Safety
/// A whole vector at `p` is readable.
#[inline]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable, at any address of an `f32`.
    f32x8::new(unsafe { *p.cast::<[f32; LANES]>() })
}

/// Stores a whole vector.
///
/// # Safety
/// A whole vector at `p` is writable, and nothing else refers to it.
#[inline]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: `# Safety` makes a whole vector writable, at any address of an `f32`.
    unsafe { *p.cast::<[f32; LANES]>() = x.to_array() }
}

/// Loads the lanes of the mask; the others are zero.
///
/// # Safety
/// The lanes of the mask at `p` are readable.
#[inline]
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
unsafe fn load_last(p: *const f32, _: Mask) -> Vector {
    // SAFETY: `# Safety` makes a whole vector readable.
    unsafe { load(p) }
}

/// Whether the last vector of a row is loaded and stored as fast as the others.
#[inline]
fn is_direct(mask: Mask) -> bool {
    mask == LANES
}

/// Loads the lanes of a direct mask.
///
/// # Safety
/// The lanes of the mask at `p` are readable; the mask is direct.
#[inline]
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
unsafe fn store_direct(p: *mut f32, _: Mask, x: Vector) {
    // SAFETY: a direct mask names all lanes, which `# Safety` makes writable.
    unsafe { store(p, x) }
}

/// Stores the lanes of the mask.
///
/// # Safety
/// The lanes of the mask at `p` are writable, and nothing else refers to them.
#[inline]
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
