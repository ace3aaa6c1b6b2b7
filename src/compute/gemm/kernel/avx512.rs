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
use super::views::{Column, Row, Steps, Tile};
use super::{DenseTiles, Kernel, RawTiles, SparseK};
use crate::compute::aligned::CACHE_LINE;
use crate::compute::simd::avx512::{
    LANES, Vector, load, load_part, mul_add, splat, store, store_part, zero,
};
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

pub(super) static KERNEL: Kernel = Kernel {
    lanes: LANES,
    partial_loads: PARTIAL_LOADS,
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
    rows_per_list: 6,
    transpose: transpose::block,
    narrow: &narrow::PRODUCTS,
};

const PARTIAL_LOADS: bool = true;
const FREE_MASKS: bool = true;

define_parts! {
    #[target_feature(enable = "avx512f")]
}

define_tiles! {
    #[target_feature(enable = "avx512f")]
}

define_sparse! {
    #[target_feature(enable = "avx512f")]
}

/// Hints that the cache line of `p` will be read.
#[allow(unused_unsafe, reason = "unsafe up to Rust 1.89, the oldest supported")]
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(p: *const f32) {
    // SAFETY: a prefetch reads and writes nothing, wherever `p` points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
}
