//! Train, understand and embed a shallow classifier of handwritten digits on a CPU, with
//! the same bits everywhere.
//!
//! ```
//! use handwritten::compute::rng::{Stream, generator};
//! use handwritten::data::{Dataset, Subset};
//! use handwritten::{Activation, Config, Init, Net, Workspace, train};
//!
//! // 200 images of 4×4 pixels; the class is the row with ink.
//! let labels: Vec<u8> = (0..200).map(|i| i % 4).collect();
//! let pixel = |(&label, at): (&u8, usize)| if at / 4 == usize::from(label) { 200 } else { 0 };
//! let pixels = labels.iter().flat_map(|label| (0..16).map(move |at| pixel((label, at))));
//! let data = Dataset::new(pixels.collect(), 4, 4, labels.clone())?;
//! let (training, validation) = (
//!     Subset::new(&data, (0..150).collect()),
//!     Subset::new(&data, (150..200).collect()),
//! );
//!
//! // A net of 16 inputs, 8 hidden units and 4 classes.
//! let widths = [data.features(), 8, data.classes()];
//! let mut rng = generator(1, Stream::Weights);
//! let mut net = Net::random(&widths, Activation::Relu, Init::He, &mut rng);
//!
//! let config = Config::default().with_epochs(10);
//! let mut workspace = Workspace::new(&widths, 1);
//! let outcome = train(&mut net, &training, &validation, &config, &mut workspace, &mut ())?;
//! assert_eq!(outcome.history[outcome.best_epoch - 1].val_accuracy, 1.0);
//! assert_eq!(outcome.best.classify(data.image(3)), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to find what
//!
//! | to | see |
//! |---|---|
//! | load MNIST or files like it | [`files::load`], [`data::Dataset`] |
//! | train, follow, stop and resume a run | [`train`], [`Observer`], [`Checkpoint`], [`resume`] |
//! | train on images or targets of one's own, or on distorted ones | [`data::ImageSource`], [`training::train_with`], [`data::Distortion`] |
//! | find out why a net does not learn | [`training::diagnosis`], [`training::gradcheck`] |
//! | write and read model files (safetensors) | [`files::model`] |
//! | classify or train on a microcontroller | [`NetRef`], [`NetMut`], [`QuantizedRef`] |
//! | multiply matrices | [`gemm()`], [`Product`] |
//!
//! The folder `examples` has a program for most of these. The programs `handwritten` and
//! `train`, which need no code, are the package `handwritten-cli`.
//!
//! # Modules
//!
//! Each module uses those before it: [`compute`] (numbers), [`data`] (labelled images)
//! and [`net`] (the mathematics of a net), [`step`] (a fast training step), [`training`]
//! (the loop) and [`files`] (the disk). The types and functions that a program names
//! usually are exported from the root as well; the errors of names, bytes and files, and the
//! items of a single file format or algorithm, stay in their module.
//!
//! # The same bits everywhere
//!
//! Every element of a product is one chain of fused multiply-adds in ascending order of
//! the summation index, and elementwise functions are polynomials of the same operations.
//! So results have the same bits on AVX-512, AVX2, NEON and scalar fused arithmetic, for
//! any number of threads, and for a run that is resumed. Instruction sets without fused
//! multiply-add agree among themselves. The crate draws random numbers from its own
//! generator ([`compute::rng`]), seeded by the caller.
//!
//! # Errors and panics
//!
//! Bytes, files and configurations that are wrong give errors, which implement
//! [`Error`](core::error::Error). Shapes that do not fit one another are mistakes of the
//! caller and panic, as each item documents.
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | | nets in borrowed memory, products, IDX parsing | `core` |
//! | `alloc` | [`Net`], [`data::Dataset`], [`Workspace`], training | `alloc` |
//! | `std` | [`files`], diagnosis, gradient checks, detection of the instruction set | `alloc` |
//! | `rayon` (default) | several threads | `std` |
//! | `model` | [`files::model`] | `std` |
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "model"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "this page links to what features add"
    )
)]

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

/// The traits of random number generators that functions of this crate ask for.
pub use rand_core;

pub use compute::gemm::{Beta, Context, Product, SparseK, Start, gemm};
pub use compute::isa::{InstructionSet, Isa};
pub use compute::matrix::{MatMut, MatRef};
pub use net::NetRef;
pub use net::activation::Activation;
pub use net::init::Init;
pub use net::loss::{LossTarget, Reduction};
pub use net::optimizer::{Momentum, Update};
pub use net::quantized::QuantizedRef;
pub use net::schedule::{LearningRate, Schedule};
pub use net::single_image::NetMut;

#[cfg(feature = "alloc")]
pub use {
    compute::matrix::Matrix,
    data::{Dataset, Split, Splits, Subset},
    net::Net,
    net::defects::{Defect, Defects, Objective},
    net::metrics::{Confusion, Evaluation},
    net::predictions::Predictions,
    step::workspace::Workspace,
    step::{Examination, MeanProbabilities, Strategy, StrategyError},
    training::{
        Batch, Checkpoint, Config, Control, EpochReport, Observer, Outcome, StepReport, TrainError,
        TrainingState, resume, train,
    },
};

/// The code in the README compiles and runs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code in the page on small machines compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct EmbeddingPage;

/// The code in the page for library users compiles and runs.
#[cfg(all(doctest, feature = "model", feature = "rayon"))]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;
