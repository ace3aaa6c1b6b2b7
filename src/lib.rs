#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "The numeric core of a shallow digit classifier; the feature `std` shows the whole page."
)]
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod compute;
pub mod data;
pub mod net;
#[cfg(feature = "alloc")]
pub mod step;
#[cfg(feature = "alloc")]
pub mod training;

#[cfg(feature = "std")]
pub mod files;

pub use compute::gemm::{Beta, Context, Product, SparseK, Start, gemm};
pub use compute::isa::{InstructionSet, Isa};
pub use compute::matrix::{MatMut, MatRef};
pub use net::NetRef;
pub use net::activation::Activation;
pub use net::init::Init;
pub use net::loss::Reduction;
pub use net::optimizer::{Momentum, Update};
pub use net::quantized::QuantizedRef;
pub use net::schedule::{LearningRate, Schedule};
pub use net::single_image::NetMut;

#[cfg(feature = "alloc")]
pub use {
    compute::matrix::Matrix,
    net::Net,
    step::workspace::{Evaluation, Workspace},
    step::{Strategy, StrategyError},
    training::{Batch, Checkpoint, Config, Observer, resume, train},
};
