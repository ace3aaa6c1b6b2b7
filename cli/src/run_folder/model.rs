//! Model files, read from the disk.

use super::{CHECKPOINT, MODEL, resume_command};
use crate::failure::{Failure, chain};
use crate::memory;
use handwritten::files::IoError;
use handwritten::files::model::{Model, decode};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that parsing a header takes for each of its bytes, if it is made of short names.
const BYTES_PER_BYTE_OF_HEADER: usize = 64;

/// The model file that a path names: the file itself, or that of a run's folder.
pub(crate) fn path_of(named: &Path) -> Result<PathBuf, Failure> {
    if !named.is_dir() {
        return Ok(named.to_path_buf());
    }
    let (model, folder) = (named.join(MODEL), named.display());
    match (model.is_file(), named.join(CHECKPOINT).is_file()) {
        (true, _) => Ok(model),
        (false, true) => Err(Failure::new(format!(
            "the run in {folder} is not complete; to resume: {}",
            resume_command(named)
        ))),
        (false, false) => Err(Failure::new(format!(
            "the folder {folder} holds no {MODEL}, so it is not that of a run"
        ))),
    }
}

/// Reads a model file, or that of a run's folder.
pub(crate) fn read(named: &Path) -> Result<Model, Failure> {
    let path = &path_of(named)?;
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    // A pipe or a device may never end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::new(IoError::NotAFile { path: path.into() }));
    }
    let bytes = fs::read(path).map_err(failed)?;
    // Decoded, the file is the net, and while it is decoded the numbers of its layers and of
    // one layer. Of the header, names become strings several times as long.
    let header = bytes
        .first_chunk()
        .map_or(0, |&len| u64::from_le_bytes(len));
    let header = usize::try_from(header)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let decoded = 3 * bytes.len() + BYTES_PER_BYTE_OF_HEADER * header;
    memory::require(decoded, format_args!("read {}", path.display()))?;
    decode(&bytes).map_err(|why| {
        Failure::new(format!(
            "{} is not a model of this program: {}",
            path.display(),
            chain(&why)
        ))
    })
}
