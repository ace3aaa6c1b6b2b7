//! Model files, read from the disk.

use crate::failure::{Failure, chain};
use handwritten::files::IoError;
use handwritten::files::model::{Model, decode};
use std::fs;
use std::path::Path;

/// Reads a model file.
pub(crate) fn read(path: &Path) -> Result<Model, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    // A pipe or a device may never end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::new(IoError::NotAFile { path: path.into() }));
    }
    let bytes = fs::read(path).map_err(failed)?;
    decode(&bytes).map_err(|why| {
        Failure::new(format!(
            "{} is not a model of this program: {}",
            path.display(),
            chain(&why)
        ))
    })
}
