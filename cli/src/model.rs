//! Model files from the disk.

use super::{Failure, find_data};
use handwritten::files::model::{Model, decode};
use handwritten::files::{self, Corpus, IoError};
use std::fs;
use std::path::Path;

/// Reads a model file.
pub(super) fn read(path: &Path) -> Result<Model, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    // Of a pipe or a device nobody knows whether it ends.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::new(IoError::NotAFile { path: path.into() }));
    }
    let bytes = fs::read(path).map_err(failed)?;
    decode(&bytes).map_err(|why| {
        Failure::new(format!(
            "{} is no model of this program: {why}",
            path.display()
        ))
    })
}

/// Loads the data in a folder, or where there are any if it is `None`. Their
/// images must be such as the model is for.
pub(super) fn load_data(model: &Model, dir: Option<&Path>) -> Result<Corpus, Failure> {
    let dir = find_data(dir)?;
    let loaded = files::load(&dir).map_err(Failure::new)?;
    let (about, size) = (&model.metadata, (loaded.test.rows(), loaded.test.columns()));
    if size != about.image || loaded.test.classes() > about.classes.len() {
        return Err(Failure::new(format!(
            "the model is for {}×{} images of {} classes, those in {} are {}×{} of {}",
            about.image.0,
            about.image.1,
            about.classes.len(),
            dir.display(),
            size.0,
            size.1,
            loaded.test.classes()
        )));
    }
    Ok(loaded)
}
