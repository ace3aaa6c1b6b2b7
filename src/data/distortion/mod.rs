//! Random distortions of images: rotation, scaling, shear, shift and elastic displacement.
//!
//! A digit that is turned, stretched or bent a little remains the same digit. A net that sees
//! each training image distorted in another way each epoch errs less on images that it has not
//! seen (Simard, Steinkraus and Platt, *Best Practices for Convolutional Neural Networks Applied
//! to Visual Document Analysis*, ICDAR 2003).
//!
//! A [`Distortion`] says how strong each kind is, a [`Distorter`] makes the images. What an
//! image becomes depends on the seed, the epoch and its index alone, and is computed in integers
//! but for a few numbers of each image, so it has the same bits on every machine.

mod distorter;
mod field;
mod parameters;
mod warp;

pub use distorter::Distorter;
pub use parameters::{Distortion, DistortionError, ParseDistortionError};
