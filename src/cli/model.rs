//! Model files from the disk.

use super::Failure;
use crate::model::{Model, decode};
use std::fs;
use std::path::Path;

impl Model {
    /// Reads a model file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        decode(&bytes).map_err(|why| {
            Failure::new(format!(
                "{} is no model of this program: {why}",
                path.display()
            ))
        })
    }
}
