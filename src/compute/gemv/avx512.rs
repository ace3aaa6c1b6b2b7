//! Rows of inputs times matrices with AVX-512.
//!
//! Registers, 32 ZMM: eight sums and an input. Each sum takes a vector of W from memory, which
//! is what limits the pace; eight chains fill two multiply-add units of four cycles' latency.

use super::Input;
use super::block::define_add_listed;
use crate::compute::simd::avx512::{
    LANES, load, load_part, mul_add, splat, store, store_part, zero,
};

define_add_listed! {
    #[target_feature(enable = "avx512f")]
}
