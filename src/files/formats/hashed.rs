//! Data sets with the hashes of their content.

use crate::data::Dataset;
use crate::files::error::IoError;
use crate::files::formats::write::headers;
use crate::files::known::Hash;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The images and labels of a part, with the hashes of both as IDX files.
pub(in crate::files) type Hashed = (Dataset, [Hash; 2]);

/// A data set with the hashes that its IDX files would have.
pub(super) fn dataset(
    pixels: Vec<u8>,
    (rows, columns): (usize, usize),
    labels: Vec<u8>,
    (images, of_labels): (&Path, &Path),
) -> Result<Hashed, IoError> {
    let made = Dataset::new(pixels, rows, columns, labels).map_err(|source| IoError::Data {
        images: images.into(),
        labels: of_labels.into(),
        source,
    })?;
    let hashes = hashes(&made);
    Ok((made, hashes))
}

/// The SHA-256 of the IDX files that a data set would be.
pub(in crate::files) fn hashes(data: &Dataset) -> [Hash; 2] {
    let [images, labels] = headers(data);
    let hash = |header: Vec<u8>, body: &[u8]| {
        let mut hasher = Sha256::new();
        hasher.update(header);
        hasher.update(body);
        hasher.finalize().into()
    };
    [hash(images, data.pixels()), hash(labels, data.labels())]
}
