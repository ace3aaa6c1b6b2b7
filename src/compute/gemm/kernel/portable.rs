//! 4×8 micro-kernel on crate `wide`, for every target.
//!
//! Registers, 16 XMM with SSE2: the tile takes eight, a row of B two and an element of A
//! one, 11. `wide` chooses its registers when it is compiled, so this kernel is as wide as
//! the build's target allows, not as the machine does.

use super::panel::{define_panels, panels};
use super::sparse::{PREFETCH_DISTANCE, define_sparse, sparse};
use super::tile::{define_parts, define_parts_by_copy, define_tiles, tiles};
use super::views::{Column, PackingSteps, Row, Steps, Tile};
use super::{DenseTiles, Kernel, RawTiles, SparseK, transpose};
use crate::compute::aligned::CACHE_LINE;
#[cfg(vfma)]
use crate::compute::fma;
use wide::f32x8;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: PARTIAL_LOADS,
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
    rows_per_list: 6,
    transpose: transpose::plain,
    narrow: &[],
};

type Vector = f32x8;
const LANES: usize = 8;
const PARTIAL_LOADS: bool = false;
const FREE_MASKS: bool = false;

define_parts! {}

define_tiles! {}

define_sparse! {}

define_panels! {}

define_parts_by_copy! {}

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

/// Hints that the cache line of `p` will be read.
#[inline]
fn prefetch(_: *const f32) {
    // There is no portable prefetch.
}

/// Loads a whole vector.
#[inline]
fn load(from: &[f32; LANES]) -> Vector {
    f32x8::new(*from)
}

/// Stores a whole vector.
#[inline]
fn store(to: &mut [f32; LANES], x: Vector) {
    *to = x.to_array();
}
