//! 6×16 micro-kernel for NEON.
//!
//! Registers, 32: the tile takes 24, a row of B four and an element of A one, 29; listed
//! k-indices the same. The 8×12 tile of BLIS (`config/cortexa57`) takes 24 too.

use super::sparse::{PREFETCH_DISTANCE, define_sparse, sparse};
use super::tile::{define_parts, define_parts_by_copy, define_tiles, tiles};
use super::views::{Column, Row, Steps, Tile};
use super::{DenseTiles, Kernel, RawTiles, SparseK, transpose};
use crate::compute::aligned::CACHE_LINE;
use core::arch::aarch64::*;

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: PARTIAL_LOADS,
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
    rows_per_list: 6,
    transpose: transpose::plain,
    narrow: &[],
};

type Vector = float32x4_t;
const LANES: usize = 4;
const PARTIAL_LOADS: bool = false;
const FREE_MASKS: bool = false;

define_parts! {
    #[target_feature(enable = "neon")]
}

define_tiles! {
    #[target_feature(enable = "neon")]
}

define_sparse! {
    #[target_feature(enable = "neon")]
}

define_parts_by_copy! {
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

/// Hints that the cache line of `p` will be read.
#[inline]
#[target_feature(enable = "neon")]
fn prefetch(_: *const f32) {
    // The processor's own prefetcher follows the rows of A.
}

/// Loads a whole vector.
#[inline]
#[target_feature(enable = "neon")]
fn load(from: &[f32; LANES]) -> Vector {
    // SAFETY: `from` is a whole vector, at any address of an `f32`.
    unsafe { vld1q_f32(from.as_ptr()) }
}

/// Stores a whole vector.
#[inline]
#[target_feature(enable = "neon")]
fn store(to: &mut [f32; LANES], x: Vector) {
    // SAFETY: `to` is a whole vector, at any address of an `f32`.
    unsafe { vst1q_f32(to.as_mut_ptr(), x) }
}
