//! The disk: data sets, model files, and files written whole or not at all.
//!
//! No other module of the library opens a file. [`find`] and [`load`] read a data
//! set, [`formats`] has the parsers, [`model`] makes and reads the bytes of model files, and [`write_atomic`]
//! saves bytes.

mod atomic;
mod corpus;
mod datasets;
mod error;
pub mod formats;
mod idx_names;
mod known;
#[cfg(feature = "model")]
pub mod model;
mod read;

pub use atomic::write_atomic;
#[doc(hidden)]
pub use atomic::{Disk, Os, sweep, write_atomic_on};
pub use corpus::{Corpus, Format, Parts, load, load_images, load_parts};
pub use datasets::{cache_folder, find};
pub use error::IoError;
pub use known::KnownDataset;
pub use read::{ReadError, content_sha256, read_idx};
