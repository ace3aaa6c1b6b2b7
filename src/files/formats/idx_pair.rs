//! A part of a data set in two IDX files.

use crate::data::Dataset;
use crate::data::idx::{self, IdxError, Kind};
use crate::files::error::IoError;
use crate::files::formats::content::{Content, classified, start_of};
use crate::files::formats::hashed::{Hashed, hashes};
use crate::files::formats::int_labels::{is_magic, read_int_labels};
use crate::files::formats::readings::refuse_foreign;
use crate::files::known::Hash;
use crate::files::read::{ReadError, read_idx};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::BufReader;
#[cfg(feature = "rayon")]
use std::panic::resume_unwind;
use std::path::Path;

/// Loads images and labels, and hashes the content of each file. Labels that are integers are
/// hashed as bytes.
pub(super) fn load(images: &Path, labels: &Path) -> Result<Hashed, IoError> {
    let (pixels, bytes) = both(
        || read_hashed(images, Kind::Images),
        || read_hashed(labels, Kind::Labels),
    );
    let (pixels, images_hash) = pixels?;
    let (pixels, rows, columns) = parse_images(images, pixels)?;
    let (bytes, labels_hash) = match bytes {
        Ok((mut bytes, hash)) => {
            idx::labels(&bytes).map_err(|error| IoError::idx(labels, error))?;
            bytes.drain(..Kind::Labels.header_len());
            (bytes, Some(hash))
        }
        Err(IoError::Idx {
            source: IdxError::Magic { found, .. },
            ..
        }) if is_magic(found) => (read_integers(labels)?, None),
        Err(error) => return Err(error),
    };
    let made = Dataset::new(pixels, rows, columns, bytes).map_err(|source| IoError::Data {
        images: images.into(),
        labels: labels.into(),
        source,
    })?;
    let labels_hash = labels_hash.unwrap_or_else(|| hashes(&made)[1]);
    Ok((made, [images_hash, labels_hash]))
}

/// Loads the pixels of a file of images, its rows and columns.
pub(super) fn images(path: &Path) -> Result<(Vec<u8>, usize, usize), IoError> {
    let (bytes, _) = read_hashed(path, Kind::Images)?;
    parse_images(path, bytes)
}

/// The pixels of an IDX file, its rows and columns.
fn parse_images(path: &Path, mut bytes: Vec<u8>) -> Result<(Vec<u8>, usize, usize), IoError> {
    let parsed = idx::images(&bytes).map_err(|error| IoError::idx(path, error))?;
    let (rows, columns) = (parsed.rows, parsed.columns);
    // In place: two copies of the pixels would be the peak memory of a whole run.
    bytes.drain(..Kind::Images.header_len());
    Ok((bytes, rows, columns))
}

/// The decompressed content of an IDX file, and its hash.
fn read_hashed(path: &Path, kind: Kind) -> Result<(Vec<u8>, Hash), IoError> {
    let open = || {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    };
    let (file, len) = open().map_err(|error| IoError::read(path, error))?;
    let file = BufReader::with_capacity(64 * 1024, file);
    let bytes = read_idx(file, len, kind).or_else(|error| {
        if let ReadError::Idx(IdxError::Magic { .. } | IdxError::Header { .. }) = error {
            refuse_foreign(path, &start_of(path)?)?;
        }
        Err(IoError::unread(path, error))
    })?;
    let hash = Sha256::digest(&bytes).into();
    Ok((bytes, hash))
}

fn read_integers(path: &Path) -> Result<Vec<u8>, IoError> {
    let content = Content::open(path)?;
    let labels = read_int_labels(content.reader, content.len);
    labels.map_err(|error| IoError::unread(path, classified(error, content.is_gz)))
}

/// Calls both: with the feature `rayon` in parallel, if a thread can be started.
pub(in crate::files) fn both<A: Send, B>(
    one: impl Fn() -> A + Sync,
    other: impl FnOnce() -> B,
) -> (A, B) {
    #[cfg(feature = "rayon")]
    return std::thread::scope(|scope| {
        let started = std::thread::Builder::new().spawn_scoped(scope, &one);
        let other = other();
        let one = match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => one(),
        };
        (one, other)
    });
    #[cfg(not(feature = "rayon"))]
    return (one(), other());
}
