//! Whole and partial vectors of x86-64: loads, stores and arithmetic, a file for each
//! instruction set. The kernels of products ([`gemm`](super::gemm)) and those of one row of
//! inputs ([`gemv`](super::gemv)) are made of them.
//!
//! All are safe functions with a `#[target_feature]`, which inline into functions that have
//! it too.

pub(crate) mod avx2;
pub(crate) mod avx512;
