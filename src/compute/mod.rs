//! Numbers: instruction sets, matrices, products, elementwise functions and random
//! generators. Nothing here knows what a net is, and nothing here uses any other module of the
//! crate.

pub(crate) mod aligned;
pub(crate) mod dispatch;
pub(crate) mod fma;
pub mod gemm;
pub(crate) mod gemv;
pub mod isa;
pub mod matrix;
#[cfg(feature = "alloc")]
pub mod memory;
pub(crate) mod names;
pub mod rng;
#[cfg(target_arch = "x86_64")]
pub(crate) mod simd;
#[cfg(feature = "alloc")]
pub(crate) mod thread_team;
pub mod vector;
#[doc(hidden)]
pub mod zeros;

pub use names::UnknownNameError;
