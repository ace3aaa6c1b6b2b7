//! Reading IDX files, gz or raw.

use crate::compute::memory::check_available;
use crate::data::idx::{IdxError, Kind};
use crate::files::formats::{CsvError, IntLabelsError, NpyError, NpzError};
use crate::files::known::hex;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

/// Bytes that remain available when a large file has its memory: for opening and decompressing
/// the other files of a data set.
const SMALL_THINGS: usize = 1 << 20;

/// Reads an IDX file of `len` bytes, gz or raw by its content, and returns its
/// decompressed content, header included, as [`idx::images`] and [`idx::labels`] take it.
///
/// Reading stops one byte after the length that the header states, which shows whether
/// the file goes on. That much memory is allocated at once if it is at most 16 times
/// `len`; otherwise the buffer grows as bytes arrive.
///
/// # Errors
/// A header that is not of this kind, damaged gz, and errors of the reader. Content that
/// is shorter or longer than its header states is no error here; the parsers find it.
///
/// [`idx::images`]: crate::data::idx::images()
/// [`idx::labels`]: crate::data::idx::labels()
pub fn read_idx(mut file: impl BufRead, len: u64, kind: Kind) -> Result<Vec<u8>, ReadError> {
    let is_gz = loop {
        match file.fill_buf() {
            // Later calls are repeated by the standard library.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            start => break start.map_err(ReadError::System)?.starts_with(&[0x1f, 0x8b]),
        }
    };
    let mut content: Box<dyn Read + '_> = if is_gz {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };

    let stopped = |source| stopped(source, is_gz);
    let header_len = kind.header_len() as u64;
    let mut bytes = Vec::new();
    content
        .by_ref()
        .take(header_len)
        .read_to_end(&mut bytes)
        .map_err(stopped)?;
    let expected = kind.expected_len(&bytes).map_err(ReadError::Idx)?;

    // One byte more shows whether the file goes on, and reading up to the end
    // has the gz checksum verified.
    let limit = expected - header_len + 1;
    // Memory is not allocated on the word of a header: at once only up to 16 times the
    // length of the file, beyond that as bytes arrive. Compression shrinks the images of
    // MNIST to a fifth, its labels to a half.
    let likely = limit.min(len.saturating_mul(16));
    reserve(&mut bytes, likely)?;
    let mut left = limit;
    while left > 0 {
        if bytes.len() == bytes.capacity() {
            // Twice as much.
            let len = bytes.len() as u64;
            reserve(&mut bytes, len.min(left))?;
        }
        // No more than there is room for: `read_to_end` may abort where it allocates.
        let room = left.min((bytes.capacity() - bytes.len()) as u64);
        let piece = content.by_ref().take(room).read_to_end(&mut bytes);
        let read = piece.map_err(stopped)? as u64;
        if read < room {
            break;
        }
        left -= read;
    }
    Ok(bytes)
}

/// The SHA-256, in hexadecimal digits, of the decompressed content of a file, gz or raw by its
/// content. Content is hashed as it is read, and reading stops one byte after `most` bytes.
///
/// # Errors
/// Damaged gz, and errors of the reader.
pub fn content_sha256(mut file: impl BufRead, most: u64) -> Result<String, ReadError> {
    let is_gz = file
        .fill_buf()
        .map_err(ReadError::System)?
        .starts_with(&[0x1f, 0x8b]);
    let content: Box<dyn Read + '_> = match is_gz {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut content = content.take(most.saturating_add(1));
    let (mut hasher, mut buffer) = (Sha256::new(), [0; 1 << 14]);
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize().into())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(stopped(error, is_gz)),
        }
    }
}

/// The error of reading content that is gz or raw.
fn stopped(source: io::Error, is_gz: bool) -> ReadError {
    // Errors of the gz decoder are told from those of the system by their kind.
    match source.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof if is_gz => {
            ReadError::Gz(source)
        }
        _ => ReadError::System(source),
    }
}

/// Reserves memory for so many bytes more.
pub(super) fn reserve(bytes: &mut Vec<u8>, more: u64) -> Result<(), ReadError> {
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    let reserved = bytes.try_reserve_exact(more);
    reserved.map_err(|error| ReadError::System(error.into()))?;
    if more < SMALL_THINGS {
        return Ok(());
    }
    check_available(SMALL_THINGS).map_err(|_| ReadError::System(ErrorKind::OutOfMemory.into()))
}

/// The error of reading a file of a data set.
#[non_exhaustive]
#[derive(Debug)]
pub enum ReadError {
    /// The system fails to read, or has no memory.
    System(io::Error),
    /// The gz data end early, or their checksum or code is wrong.
    Gz(io::Error),
    /// The header is not that of the kind of IDX file asked for.
    Idx(IdxError),
    /// The content is no IDX file of labels that are integers.
    IntLabels(IntLabelsError),
    /// The content is no table of images.
    Csv(CsvError),
    /// The content is no array of numbers.
    Npy(NpyError),
    /// The content is no archive of arrays.
    Npz(NpzError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(_) => f.write_str("cannot read"),
            Self::Gz(_) => f.write_str("damaged gz"),
            Self::Idx(error) => error.fmt(f),
            Self::IntLabels(error) => error.fmt(f),
            Self::Csv(error) => error.fmt(f),
            Self::Npy(error) => error.fmt(f),
            Self::Npz(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(source) | Self::Gz(source) => Some(source),
            Self::Npz(error) => error.source(),
            Self::Idx(_) | Self::IntLabels(_) | Self::Csv(_) | Self::Npy(_) => None,
        }
    }
}
