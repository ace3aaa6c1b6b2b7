#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "The numeric core of a shallow digit classifier; the feature `std` shows the whole page."
)]
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod isa;
pub mod matrix;

mod chain;
pub mod gemm;
pub mod vector;

pub mod data;
pub mod init;
#[cfg(feature = "std")]
pub mod io;

pub mod activation;
#[cfg(feature = "alloc")]
mod aligned;
#[cfg(feature = "alloc")]
pub mod defects;
#[cfg(feature = "alloc")]
mod gather;
#[cfg(feature = "rayon")]
mod halves;
pub mod loss;
#[cfg(feature = "alloc")]
pub mod metrics;
pub mod net;
pub mod optim;
#[cfg(feature = "alloc")]
mod part;
pub mod quantize;
pub mod schedule;
#[cfg(feature = "alloc")]
#[cfg_attr(
    not(feature = "rayon"),
    expect(dead_code, reason = "one thread splits nothing")
)]
mod share;
pub mod single;
#[cfg(feature = "alloc")]
mod team;
#[cfg(feature = "alloc")]
pub mod train;
#[cfg(feature = "alloc")]
mod trial;
#[cfg(feature = "alloc")]
mod units;
#[cfg(feature = "alloc")]
pub mod workspace;

#[cfg(feature = "alloc")]
pub mod checkpoint;
#[cfg(feature = "alloc")]
mod codec;

#[cfg(feature = "std")]
pub mod diagnosis;
#[cfg(feature = "std")]
pub mod gradcheck;

#[cfg(feature = "model")]
pub mod model;

#[cfg(feature = "cli")]
pub mod cli;

pub use activation::Activation;
pub use gemm::{Beta, Context, Product, Start, Steps, gemm};
pub use init::Init;
pub use isa::{Arm, Isa};
pub use loss::Reduction;
pub use matrix::{MatMut, MatRef};
pub use net::NetRef;
pub use optim::{Momentum, Update};
pub use quantize::QuantizedRef;
pub use schedule::{LearningRate, Schedule};
pub use single::NetMut;

#[cfg(feature = "alloc")]
pub use {
    matrix::Matrix,
    net::Net,
    train::{Batch, Checkpoint, Config, Observer, resume, train},
    workspace::{Evaluation, Workspace},
};
