//! Archives of arrays: `.npz`, which is zip of `.npy`.
//!
//! The list of files at the end of the archive is read first. Files are stored or deflated;
//! archives of more than 4 GiB, which need the extension zip64 of the end record, are not
//! read.
//!
//! Source: PKWARE, *APPNOTE.TXT, .ZIP File Format Specification*, sections 4.3 and 4.5.3.

use crate::files::formats::array_errors::{Elements, MAX_FILES, NpzError};
use crate::files::formats::content::is_damage;
use crate::files::formats::npy::{Array, read_npy, read_shape};
use crate::files::read::{ReadError, reserve};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// Bytes of the record at the end of an archive, without its comment.
const END: usize = 22;

/// Maximum number of bytes of a comment.
const MAX_COMMENT: usize = 0xffff;

/// Bytes of an entry in the list of files, without name, extra fields and comment.
const ENTRY: usize = 46;

/// Bytes of the header of a file, without name and extra fields.
const LOCAL: usize = 30;

/// Maximum number of bytes of the list of files.
const MAX_LIST: u64 = 1 << 20;

/// A file of an archive.
#[derive(Clone, PartialEq, Debug)]
struct Entry {
    name: String,
    is_encrypted: bool,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
}

/// An archive of arrays.
#[derive(Debug)]
pub struct Npz<R> {
    reader: R,
    entries: Vec<Entry>,
    /// Where the list of files begins, which no file reaches beyond.
    list: u64,
}

impl<R: Read + Seek> Npz<R> {
    /// Reads the list of files of an archive.
    ///
    /// # Errors
    /// [`NpzError`] and errors of the reader.
    pub fn open(mut reader: R) -> Result<Self, ReadError> {
        let system = ReadError::System;
        let len = reader.seek(SeekFrom::End(0)).map_err(system)?;
        let tail_len = len.min((END + MAX_COMMENT) as u64);
        let start = len - tail_len;
        let tail = read_at(&mut reader, start, tail_len)?;
        let places = (0..=tail.len().saturating_sub(END)).rev();
        let mut ends = places.filter(|&at| {
            let end = &tail[at..];
            end.len() >= END
                && end.starts_with(b"PK\x05\x06")
                && END + usize::from(u16_at(end, 20)) == end.len()
        });
        let Some(at) = ends.next() else {
            return Err(ReadError::Npz(NpzError::NoEnd));
        };
        let (end, offset) = (&tail[at..], start + at as u64);
        let count = usize::from(u16_at(end, 10));
        let (list_len, list) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
        if count > MAX_FILES {
            return Err(ReadError::Npz(NpzError::ManyFiles { found: count }));
        }
        let is_right = list_len <= MAX_LIST && list + list_len <= offset;
        if !is_right || u32_at(end, 4) != 0 || u16_at(end, 8) != u16_at(end, 10) {
            return Err(ReadError::Npz(NpzError::Directory { offset }));
        }
        let bytes = read_at(&mut reader, list, list_len)?;
        let entries = entries(&bytes, count);
        let entries = entries.map_err(|at| {
            let offset = list + at as u64;
            ReadError::Npz(NpzError::Directory { offset })
        })?;
        Ok(Self {
            reader,
            entries,
            list,
        })
    }

    /// The names of the arrays, in the order of the archive, without `.npy`.
    pub fn names(&self) -> Vec<&str> {
        let names = self.entries.iter().map(|entry| entry.name.as_str());
        names.filter_map(|name| name.strip_suffix(".npy")).collect()
    }

    /// Reads the array with this name.
    ///
    /// # Errors
    /// No array of that name, and everything that [`read_npy`] finds.
    pub fn read(&mut self, name: &str, elements: Elements) -> Result<Array, ReadError> {
        let entry = self.entry(name)?;
        let mut content = self.content(&entry)?;
        let array = read_npy(&mut content, entry.packed, elements);
        let array = array.map_err(|error| in_file(&entry, error))?;
        let damaged = |what| {
            let name = entry.name.clone();
            Err(ReadError::Npz(NpzError::Damaged { name, what }))
        };
        // The array ends where the file does, so all of it has been read.
        if content.crc.sum() != entry.crc {
            return damaged("its checksum is another");
        }
        if content.len != entry.size {
            return damaged("it has another length than the archive states");
        }
        Ok(array)
    }

    /// Reads any file of the archive: its bytes, if they are `most` at most.
    ///
    /// # Errors
    /// No file of that name, a longer one, damage, and errors of the reader.
    pub fn read_file(&mut self, name: &str, most: u64) -> Result<Vec<u8>, ReadError> {
        let damaged = |what| {
            let name = name.to_string();
            ReadError::Npz(NpzError::Damaged { name, what })
        };
        let found = self.entries.iter().find(|entry| entry.name == name);
        let entry = found.cloned();
        let entry = entry.ok_or_else(|| damaged("it is not in the archive"))?;
        if entry.size > most {
            return Err(damaged("it is longer than it can be"));
        }
        let mut bytes = Vec::new();
        reserve(&mut bytes, entry.size)?;
        let mut content = self.content(&entry)?;
        let read = content.by_ref().take(entry.size).read_to_end(&mut bytes);
        read.map_err(|error| in_file(&entry, ReadError::System(error)))?;
        if content.len != entry.size || content.crc.sum() != entry.crc {
            return Err(damaged("its checksum or its length is another"));
        }
        Ok(bytes)
    }

    /// The shape of the array with this name.
    pub(in crate::files) fn shape(&mut self, name: &str) -> Result<Vec<usize>, ReadError> {
        let entry = self.entry(name)?;
        let content = self.content(&entry)?;
        read_shape(content).map_err(|error| in_file(&entry, error))
    }

    fn entry(&self, name: &str) -> Result<Entry, ReadError> {
        let is_it = |entry: &&Entry| entry.name.strip_suffix(".npy") == Some(name);
        let found = self.entries.iter().find(is_it).cloned();
        found.ok_or(ReadError::Npz(NpzError::NoArrays))
    }

    /// The decompressed content of a file.
    fn content(&mut self, entry: &Entry) -> Result<Checked<Box<dyn Read + '_>>, ReadError> {
        let name = || entry.name.clone();
        let damaged = |what| {
            let name = name();
            Err(ReadError::Npz(NpzError::Damaged { name, what }))
        };
        let begin = entry.offset.checked_add(LOCAL as u64);
        if begin.is_none_or(|begin| begin > self.list) {
            return damaged("it lies outside of the archive");
        }
        let local = read_at(&mut self.reader, entry.offset, LOCAL as u64)?;
        let is_local = local.len() == LOCAL && local.starts_with(b"PK\x03\x04");
        if !is_local || u16_at(&local, 8) != entry.method {
            return damaged("its header is not that of the list of files");
        }
        let before = LOCAL as u64 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let begin = entry.offset + before;
        let end = begin.checked_add(entry.packed);
        if end.is_none_or(|end| end > self.list) {
            return damaged("it lies outside of the archive");
        }
        let method = (!entry.is_encrypted).then_some(entry.method);
        let from = SeekFrom::Start(begin);
        self.reader.seek(from).map_err(ReadError::System)?;
        let packed = (&mut self.reader).take(entry.packed);
        let reader: Box<dyn Read + '_> = match method {
            Some(0) => Box::new(packed),
            Some(8) => Box::new(DeflateDecoder::new(packed)),
            method => {
                let name = name();
                return Err(ReadError::Npz(NpzError::Method { name, method }));
            }
        };
        Ok(Checked {
            reader,
            crc: Crc::new(),
            len: 0,
        })
    }
}

/// The error of reading an array, with the name of its file in the archive.
fn in_file(entry: &Entry, error: ReadError) -> ReadError {
    let name = entry.name.clone();
    ReadError::Npz(match error {
        ReadError::Npy(error) => NpzError::Array { name, error },
        ReadError::System(error) if is_damage(&error) => NpzError::Damaged {
            name,
            what: "its code is wrong or ends early",
        },
        error => return error,
    })
}

/// Reads with a checksum of what was read.
struct Checked<R> {
    reader: R,
    crc: Crc,
    len: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.crc.update(&buffer[..read]);
        self.len += read as u64;
        Ok(read)
    }
}

/// Reads `len` bytes at `offset`, or as many as there are.
fn read_at(reader: &mut (impl Read + Seek), offset: u64, len: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    reserve(&mut bytes, len)?;
    let mut read = || {
        reader.seek(SeekFrom::Start(offset))?;
        bytes.resize(len as usize, 0);
        let mut filled = 0;
        while filled < bytes.len() {
            match reader.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(())
    };
    read().map_err(ReadError::System)?;
    Ok(bytes)
}

/// The entries of a list of files. The error is the offset of what is damaged.
fn entries(list: &[u8], count: usize) -> Result<Vec<Entry>, usize> {
    let (mut entries, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        let entry = list.get(at..at + ENTRY).ok_or(at)?;
        if !entry.starts_with(b"PK\x01\x02") {
            return Err(at);
        }
        let lengths = [28, 30, 32].map(|field| usize::from(u16_at(entry, field)));
        let [name_len, extra_len, comment_len] = lengths;
        let name = list.get(at + ENTRY..).and_then(|rest| rest.get(..name_len));
        let name = String::from_utf8_lossy(name.ok_or(at)?);
        let extra = list
            .get(at + ENTRY + name_len..)
            .and_then(|rest| rest.get(..extra_len));
        let sizes = [24, 20, 42].map(|field| u64::from(u32_at(entry, field)));
        let [size, packed, offset] = wide_sizes(sizes, extra.ok_or(at)?).ok_or(at)?;
        entries.push(Entry {
            name: name
                .chars()
                .map(|c| if c.is_control() { '?' } else { c })
                .collect(),
            is_encrypted: u16_at(entry, 8) & 1 == 1,
            method: u16_at(entry, 10),
            crc: u32_at(entry, 16),
            packed,
            size,
            offset,
        });
        at += ENTRY + name_len + extra_len + comment_len;
    }
    if at == list.len() {
        Ok(entries)
    } else {
        Err(at)
    }
}

/// Sizes of an entry, those of which that are 2³² − 1 from its extra field of 64 bits.
fn wide_sizes(sizes: [u64; 3], mut extra: &[u8]) -> Option<[u64; 3]> {
    let mut wide: &[u8] = &[];
    while extra.len() >= 4 {
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = extra.get(4..4 + len)?;
        if id == 1 {
            wide = field;
        }
        extra = &extra[4 + len..];
    }
    let mut numbers = wide
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| u64::from_le_bytes(bytes));
    let mut all = sizes;
    for size in &mut all {
        if *size == u64::from(u32::MAX) {
            *size = numbers.next()?;
        }
    }
    Some(all)
}

/// The little-endian number at an offset.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
