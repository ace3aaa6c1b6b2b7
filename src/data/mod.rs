//! Labelled images, and their split into training, validation and test images.
//!
//! Pixels stay bytes, as in the file, which takes a quarter of the memory of `f32`.
//! Training converts them where it computes, and `Dataset::gather` makes the rows that
//! `NetRef::forward` takes. The bytes come from the caller: nothing here opens a file.

#[cfg(feature = "alloc")]
mod dataset;
#[cfg(feature = "alloc")]
mod distortion;
#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
mod framing;
pub mod idx;
#[cfg(feature = "alloc")]
mod normalisation;
#[cfg(feature = "alloc")]
mod orientation;
#[cfg(feature = "alloc")]
mod source;
#[cfg(feature = "alloc")]
mod split;
#[cfg(feature = "alloc")]
mod splits;

#[cfg(feature = "alloc")]
pub use {
    dataset::{Dataset, Subset},
    distortion::{Distorter, Distortion, DistortionError, ParseDistortionError},
    error::DatasetError,
    framing::{Centre, Framing},
    normalisation::{Normalisation, ParseNormalisationError},
    orientation::Orientation,
    source::ImageSource,
    split::Split,
    splits::{Splits, stratified_split},
};
