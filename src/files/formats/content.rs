//! Files by their content: gz or raw, and what is no data set.

use crate::files::error::IoError;
use crate::files::read::ReadError;
use flate2::bufread::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// Bytes at the beginning of a file that show what it is: tar names itself at offset 257.
const START: usize = 512;

/// An open file, decompressed if it is gz by its content.
pub(super) struct Content {
    /// The decompressed content.
    pub(super) reader: Box<dyn BufRead>,
    /// The length of the file as it is on the disk.
    pub(super) len: u64,
    /// Whether the file is gz.
    pub(super) is_gz: bool,
}

impl Content {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, IoError> {
        let open = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            let mut file = BufReader::with_capacity(BUFFER, file);
            let is_gz = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
            let reader: Box<dyn BufRead> = if is_gz {
                Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))
            } else {
                Box::new(file)
            };
            Ok(Self { reader, len, is_gz })
        };
        require_file(path)?;
        open().map_err(|error| IoError::read(path, error))
    }
}

/// Refuses what is no regular file, before opening: opening a pipe waits for its writer.
pub(super) fn require_file(path: &Path) -> Result<(), IoError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(IoError::NotAFile { path: path.into() }),
        Err(_) if path.is_symlink() => Err(IoError::BrokenLink { path: path.into() }),
        Err(error) => Err(IoError::read(path, error)),
    }
}

/// Whether an error of a reader is one of the gz data rather than of the system.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    )
}

/// An error of reading, told by whether the file is gz.
pub(super) fn classified(error: ReadError, is_gz: bool) -> ReadError {
    match error {
        ReadError::System(error) if is_gz && is_damage(&error) => ReadError::Gz(error),
        error => error,
    }
}

/// The decompressed beginning of a file, as far as it can be read.
pub(super) fn start_of(path: &Path) -> Result<Vec<u8>, IoError> {
    let content = Content::open(path)?;
    let mut start = Vec::with_capacity(START);
    match content.reader.take(START as u64).read_to_end(&mut start) {
        // Of damaged gz the bytes before the damage do.
        Err(error) if !is_damage(&error) => Err(IoError::read(path, error)),
        _ => Ok(start),
    }
}

/// Says what a file is that begins with these bytes and is no data: what a failed download
/// left in its place, and formats of other programs.
pub(in crate::files) fn foreign(start: &[u8]) -> Option<&'static str> {
    const BY_START: [(&[u8], &str); 18] = [
        (
            b"version https://git-lfs",
            "a Git LFS pointer, not the file itself: git lfs pull",
        ),
        (b"\x1f\x8b", "gz within gz: unpack it once"),
        (b"PK\x03\x04", "a zip archive: unpack it"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"%PDF", "a PDF document"),
        (b"Rar!", "a rar archive: unpack it"),
        (b"7z\xbc\xaf", "a 7z archive: unpack it"),
        (b"\xfd7zXZ", "xz: unpack it"),
        (b"BZh", "bzip2: unpack it"),
        (b"\x28\xb5\x2f\xfd", "zstd: unpack it"),
        (b"\x89HDF", "an HDF5 file"),
        (b"PAR1", "a Parquet file"),
        (b"MATLAB 5.0", "a MATLAB file"),
        (b"SQLite format 3", "an SQLite database"),
        (b"\xff\xfe", "UTF-16 text: save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text: save it as UTF-8"),
        (b"\x93NUMPY", "an .npy array"),
    ];
    let by_start = BY_START.iter().find(|(bytes, _)| start.starts_with(bytes));
    if let Some((_, what)) = by_start {
        return Some(what);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let begins = |word: &str| text.starts_with(word.as_bytes());
    let is_pickle = start.len() > 2 && start[0] == 0x80 && (2..=5).contains(&start[1]);
    match () {
        () if ["<!doctype html", "<html", "<head", "<body"]
            .into_iter()
            .any(begins) =>
        {
            Some("an HTML page, not the file itself: the download failed")
        }
        () if begins("<?xml") || begins("<error") => {
            Some("XML, not the file itself: the download failed")
        }
        () if begins("{\"") || begins("{\n") => Some("JSON, not the file itself"),
        () if start.get(257..262) == Some(b"ustar") => Some("a tar archive: unpack it"),
        () if is_pickle => Some("a pickle of Python, which only Python can read"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_download_left_is_named() {
        for (start, word) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\n"[..],
                "git lfs pull",
            ),
            (b"<!DOCTYPE html>\n<html>", "HTML"),
            (b"\xef\xbb\xbf  <HTML>", "HTML"),
            (b"<?xml version=\"1.0\"?><Error>", "XML"),
            (b"\x1f\x8b\x08", "gz within gz"),
            (b"PK\x03\x04", "zip"),
            (b"\xff\xfel\0", "UTF-16"),
            (b"\x80\x04\x95", "pickle"),
            (b"{\"message\": \"Not Found\"}", "JSON"),
        ] {
            assert!(
                foreign(start).is_some_and(|what| what.contains(word)),
                "{word}"
            );
        }
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        assert!(foreign(&tar).is_some_and(|what| what.contains("tar")));
        for data in [
            &b"\0\0\x08\x03"[..],
            b"label,pixel0",
            b"5,0,0",
            b"",
            b"\x07\x07",
        ] {
            assert_eq!(foreign(data), None);
        }
    }
}
