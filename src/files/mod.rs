//! The disk: folders of IDX files, gz or raw, model files, and files written whole
//! or not at all.
//!
//! No other module of the library opens a file. [`find`] and [`load`] read a data
//! set, [`model`] makes and reads the bytes of model files, and [`write_atomic`]
//! saves bytes.

mod atomic;
mod datasets;
mod error;
mod idx_names;
mod known;
#[cfg(feature = "model")]
pub mod model;
mod read;

pub use atomic::write_atomic;
#[doc(hidden)]
pub use atomic::{Disk, Os, sweep, write_atomic_on};
pub use datasets::{Corpus, find, load};
pub use error::IoError;
pub use known::KnownDataset;
pub use read::{ReadError, read_idx};
