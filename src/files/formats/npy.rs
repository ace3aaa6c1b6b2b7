//! Arrays of NumPy: the format `.npy`, versions 1 to 3.
//!
//! | offset | content |
//! |---|---|
//! | 0 | `\x93NUMPY`, then a byte each for the version and its minor number |
//! | 8 | length of the header, little-endian: two bytes in version 1, four in later ones |
//! | 10 or 12 | the header, a dictionary of Python with `descr`, `fortran_order` and `shape` |
//! | after that | the elements |
//!
//! Source: NumPy, `numpy/lib/format.py`.

use crate::files::formats::array_errors::{Elements, MAX_DIMENSIONS, MAX_HEADER, NpyError};
use crate::files::formats::convert::{Converted, Type};
use crate::files::formats::int_labels::fill;
use crate::files::read::{ReadError, reserve};
use std::io::Read;

/// Bytes of elements that are converted at once.
const PIECE: usize = 64 * 1024;

/// An array whose elements fit into bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Array {
    /// The lengths of the dimensions.
    pub shape: Vec<usize>,
    /// The elements, in the order of C: the last index changes fastest.
    pub bytes: Vec<u8>,
}

/// Reads an array, up to one byte after the length that its header states, which shows
/// whether the file goes on.
///
/// `len` is the number of bytes of the file, compressed or not: at most 16 times as much
/// memory is allocated at once, and more as elements arrive. Pixels are whole numbers from 0
/// to 255 of any type, all numbers from 0 to 1 with fractions, of which bytes hold 255
/// times as much, or integers of 16 bits beyond 255, of which bytes hold a 257th.
///
/// # Errors
/// [`NpyError`], damaged gz, and errors of the reader.
pub fn read_npy(mut reader: impl Read, len: u64, elements: Elements) -> Result<Array, ReadError> {
    let header = Header::read(&mut reader)?;
    let mut bytes = header.read_elements(&mut reader, len, elements)?;
    if header.is_fortran {
        bytes = in_order_of_c(&bytes, elements.bytes(), &header.shape)?;
    }
    Ok(Array {
        shape: header.shape,
        bytes,
    })
}

struct Header {
    element: Type,
    is_fortran: bool,
    shape: Vec<usize>,
    /// The number of elements.
    count: usize,
}

impl Header {
    fn read(reader: &mut impl Read) -> Result<Self, ReadError> {
        let npy = ReadError::Npy;
        let mut start = [0; 12];
        let found = fill(reader, &mut start[..10])?;
        if !start[..found.min(6)].starts_with(&b"\x93NUMPY"[..found.min(6)]) || found == 0 {
            return Err(npy(NpyError::Magic));
        }
        let cut = |found| npy(NpyError::Header { found });
        if found < 10 {
            return Err(cut(found));
        }
        let (version, mut at) = (start[6], 10);
        if !(1..=3).contains(&version) {
            return Err(npy(NpyError::Version { found: version }));
        }
        if version > 1 {
            at += fill(reader, &mut start[10..])?;
            if at < 12 {
                return Err(cut(at));
            }
        }
        let digits = start[8..at].iter().rev();
        let len = digits.fold(0, |len, &byte| len << 8 | usize::from(byte));
        if len > MAX_HEADER {
            return Err(npy(NpyError::LongHeader { found: len }));
        }
        let mut text = vec![0; len];
        let found = fill(reader, &mut text)?;
        if found < len {
            return Err(cut(at + found));
        }
        Self::parse(&text).map_err(npy)
    }

    /// Parses the dictionary of a header.
    fn parse(text: &[u8]) -> Result<Self, NpyError> {
        let text = str::from_utf8(text).map_err(|_| NpyError::Dictionary)?;
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}'"))?;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let no = NpyError::Dictionary;
        let descr = value("descr").and_then(|rest| rest.strip_prefix('\''));
        let Some((descr, _)) = descr.and_then(|rest| rest.split_once('\'')) else {
            // A list of fields.
            let is_list = value("descr").is_some_and(|rest| rest.starts_with('['));
            return Err(match is_list {
                true => NpyError::Type {
                    found: "a list of fields".to_string(),
                },
                false => no,
            });
        };
        let order = value("fortran_order").ok_or(no.clone())?;
        let is_fortran = match (order.starts_with("True"), order.starts_with("False")) {
            (false, false) => return Err(no),
            (is_fortran, _) => is_fortran,
        };
        let shape = value("shape").and_then(|rest| rest.strip_prefix('('));
        let (shape, _) = shape
            .and_then(|rest| rest.split_once(')'))
            .ok_or(no.clone())?;
        let lengths = shape
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let lengths: Result<Vec<usize>, _> = lengths.map(str::parse).collect();
        let shape = lengths.map_err(|_| no)?;
        if !(1..=MAX_DIMENSIONS).contains(&shape.len()) {
            return Err(NpyError::Dimensions { found: shape.len() });
        }
        let element = Type::parse(descr)?;
        let count = shape.iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
        let count = count.filter(|count| count.checked_mul(element.size).is_some());
        Ok(Self {
            element,
            is_fortran,
            count: count.ok_or(NpyError::TooLarge)?,
            shape,
        })
    }

    /// Reads the elements, in the order of the file.
    fn read_elements(
        &self,
        reader: &mut impl Read,
        len: u64,
        elements: Elements,
    ) -> Result<Vec<u8>, ReadError> {
        let size = self.element.size;
        let width = elements.bytes();
        let Some(most) = self.count.checked_mul(width) else {
            return Err(ReadError::Npy(NpyError::TooLarge));
        };
        let likely = (most as u64).min(len.saturating_mul(16));
        let mut converted = Converted::new(self.element, elements);
        reserve(&mut converted.bytes, likely)?;
        let mut piece = vec![0; PIECE];
        let mut left = self.count * size;
        while left > 0 {
            let wanted = left.min(PIECE);
            let found = fill(reader, &mut piece[..wanted])?;
            if found < wanted {
                let missing = (left - found) as u64;
                return Err(ReadError::Npy(NpyError::Truncated { missing }));
            }
            let bytes = &mut converted.bytes;
            let needed = wanted / size * width;
            if bytes.capacity() - bytes.len() < needed {
                let more = bytes.len().max(needed) as u64;
                reserve(bytes, more.min((left / size * width) as u64))?;
            }
            converted.extend(&piece[..wanted]).map_err(ReadError::Npy)?;
            left -= wanted;
        }
        match fill(reader, &mut [0])? {
            0 => Ok(converted.bytes),
            _ => Err(ReadError::Npy(NpyError::Trailing)),
        }
    }
}

/// Elements of `width` bytes that lie in the order of Fortran, where the first index changes fastest, in
/// the order of C.
fn in_order_of_c(bytes: &[u8], width: usize, shape: &[usize]) -> Result<Vec<u8>, ReadError> {
    let mut ordered = Vec::new();
    reserve(&mut ordered, bytes.len() as u64)?;
    let mut lengths = [1; MAX_DIMENSIONS];
    lengths[..shape.len()].copy_from_slice(shape);
    let [n, a, b, c] = lengths;
    for i in 0..n {
        for x in 0..a {
            for y in 0..b {
                for z in 0..c {
                    let at = width * (i + n * (x + a * (y + b * z)));
                    ordered.extend_from_slice(&bytes[at..at + width]);
                }
            }
        }
    }
    Ok(ordered)
}

impl Array {
    /// The rows and columns of the images that this array holds.
    ///
    /// # Errors
    /// [`NpyError::Images`] for an array that is none of images.
    pub fn image_sides(&self) -> Result<(usize, usize), NpyError> {
        let square = |pixels: usize| {
            let side = pixels.isqrt();
            (side > 1 && side * side == pixels).then_some((side, side))
        };
        let sides = match self.shape[..] {
            [_, pixels] | [_, pixels, 1] => square(pixels),
            [_, rows, columns] | [_, rows, columns, 1] | [_, 1, rows, columns] => {
                Some((rows, columns))
            }
            _ => None,
        };
        let shape = || self.shape.clone();
        sides.ok_or_else(|| NpyError::Images { shape: shape() })
    }

    /// The labels that this array holds: one a row, or rows with a 1 at the place of the
    /// class.
    ///
    /// # Errors
    /// [`NpyError::Labels`] for an array that is none of labels.
    pub fn into_labels(self) -> Result<Vec<u8>, NpyError> {
        let wrong = |shape| Err(NpyError::Labels { shape });
        match self.shape[..] {
            [_] | [_, 1] => Ok(self.bytes),
            [_, classes @ 2..=256] => {
                let mut labels = Vec::with_capacity(self.bytes.len() / classes);
                for row in self.bytes.chunks_exact(classes) {
                    let place = row.iter().position(|&byte| byte == 1);
                    let others = row.iter().filter(|&&byte| byte != 0).count();
                    match place {
                        Some(class) if others == 1 => labels.push(class as u8),
                        _ => return wrong(self.shape),
                    }
                }
                Ok(labels)
            }
            _ => wrong(self.shape),
        }
    }
}

/// The shape of an array, of which only the header is read.
pub(super) fn read_shape(mut reader: impl Read) -> Result<Vec<usize>, ReadError> {
    Ok(Header::read(&mut reader)?.shape)
}
