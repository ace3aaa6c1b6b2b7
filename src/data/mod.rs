//! Labelled images, and how they part into training, validation and test.
//!
//! Pixels stay the bytes that they are in the file, a quarter of what they
//! take as `f32`: training turns them into numbers where it computes, and
//! `Dataset::gather` makes rows for `NetRef::forward` of them.
//! The bytes come from the caller: nothing here opens a file.

#[cfg(feature = "alloc")]
mod dataset;
pub mod idx;
#[cfg(feature = "alloc")]
mod split;

#[cfg(feature = "alloc")]
pub use dataset::{Dataset, DatasetError, Subset};
#[cfg(feature = "alloc")]
pub use split::{Split, Splits, stratified_split};
