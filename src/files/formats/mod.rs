//! Formats of data sets: IDX, CSV, and arrays of NumPy.
//!
//! The files of a data set are found by their names and read by their content. A parser takes a reader and the length of the file: it allocates no more
//! than is in proportion to that and to what arrives.

mod array_errors;
mod columns;
mod content;
mod convert;
mod csv;
mod emnist;
mod errors;
mod hashed;
mod idx_pair;
mod int_labels;
mod load;
mod names;
mod npy;
mod npz;
mod range;
mod readings;
mod select;
mod write;

pub use array_errors::{Elements, NpyError, NpzError};
pub use csv::{Table, read_csv};
pub use errors::{CsvError, IntLabelsError};
pub use int_labels::read_int_labels;
pub use npy::{Array, read_npy};
pub use npz::Npz;
#[cfg(feature = "model")]
pub(super) use write::{BYTES, zip_of_arrays};
pub use write::{to_csv, to_idx, to_npz};

#[cfg(feature = "model")]
pub(super) use content::foreign;
#[cfg(feature = "model")]
pub(super) use convert::half;
pub(super) use emnist::Emnist;
pub(super) use hashed::hashes;
pub(super) use idx_pair::both;
pub(super) use load::{Halves, load_archives, load_part, load_unlabelled};
pub(super) use names::{Family, Part};
pub(super) use readings::Reading;
