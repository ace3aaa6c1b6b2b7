//! What is wrong with a training run, said in a line.
//!
//! A [`Monitor`] looks at a run before its first step and after each epoch: a
//! gradient on a few hundred images, the lengths of the weights and how far
//! they moved, the slopes of the hidden units. That costs some thousandths of
//! an epoch, and changes nothing of the run. Where what it sees is not what a
//! net that learns looks like, it says what and why, each thing once.

mod finding;
mod indicators;
mod memory;
mod monitor;

pub use finding::Finding;
pub use indicators::{Indicators, LayerIndicators};
pub use monitor::{Monitor, Observation};
