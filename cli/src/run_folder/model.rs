//! Model files, read from the disk.

use crate::failure::{Failure, chain};
use crate::memory;
use handwritten::files::IoError;
use handwritten::files::model::{Model, decode};
use std::fs;
use std::path::Path;

/// Bytes that parsing a header takes for each of its bytes, if it is made of short names.
const BYTES_PER_BYTE_OF_HEADER: usize = 64;

/// Reads a model file.
pub(crate) fn read(path: &Path) -> Result<Model, Failure> {
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
