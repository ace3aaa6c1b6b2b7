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
use super::views::{Column, PackingSteps, Row, Steps, Tile};
use super::{DenseTiles, Kernel, RawTiles, SparseK};
use crate::compute::aligned::CACHE_LINE;
use crate::compute::simd::avx2::{
    LANES, Vector, load, load_part, mul_add, splat, store, store_part, zero,
};
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: PARTIAL_LOADS,
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
    rows_per_list: 3,
    transpose: transpose::block,
    narrow: &[],
};

const PARTIAL_LOADS: bool = true;
const FREE_MASKS: bool = false;

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

/// Hints that the cache line of `p` will be read.
#[allow(unused_unsafe, reason = "unsafe up to Rust 1.89, the oldest supported")]
#[inline]
#[target_feature(enable = "avx2,fma")]
fn prefetch(p: *const f32) {
    // SAFETY: a prefetch reads and writes nothing, wherever `p` points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
}
