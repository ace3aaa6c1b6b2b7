//! Diagnosis of training runs: why a net does not learn, in one line.
//!
//! A [`Monitor`] examines a run before its first step and after each epoch: the gradient
//! on a few hundred images, the norms of the weights and how far they moved, the slopes
//! of the hidden units. After an epoch that costs some thousandths of it, before the first
//! step as much as [`choose_rate`] unless the rate is told; it does not change the run. Each
//! [`Finding`] names a cause and what to try, and is reported once.
//!
//! [`choose_rate`]: crate::training::choose_rate()

mod causes;
mod finding;
mod indicators;
mod memory;
mod monitor;

pub use causes::is_guessing;
pub use finding::Finding;
pub use indicators::{Indicators, LayerIndicators};
pub use monitor::{Monitor, Observation};
