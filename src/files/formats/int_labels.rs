//! Labels in IDX files of other types than bytes: QMNIST has eight integers for each image,
//! of which the first is the class.

use crate::files::formats::errors::IntLabelsError;
use crate::files::read::{ReadError, reserve};
use std::io::{ErrorKind, Read};

/// Maximum number of integers for each image.
const MAX_COLUMNS: usize = 1024;

/// Images whose labels are read at once.
const ROWS: usize = 256;

/// Whether a magic number is that of such a file: integers of one, two or four bytes, in one
/// or two dimensions, but not bytes in one.
pub(super) fn is_magic(magic: u32) -> bool {
    integer_len(magic).is_some()
}

/// The number of bytes of an integer in files with this magic number.
fn integer_len(magic: u32) -> Option<usize> {
    match magic {
        0x0802 | 0x0901 | 0x0902 => Some(1),
        0x0b01 | 0x0b02 => Some(2),
        0x0c01 | 0x0c02 => Some(4),
        _ => None,
    }
}

/// Reads the labels of an IDX file of integers: the first of each row, which must be a whole
/// number from 0 to 255.
///
/// `len` is the number of bytes of the file, compressed or not: at most 16 times as much
/// memory is allocated at once, and more as labels arrive.
///
/// # Errors
/// [`IntLabelsError`], damaged gz, and errors of the reader.
pub fn read_int_labels(mut reader: impl Read, len: u64) -> Result<Vec<u8>, ReadError> {
    let wrong = ReadError::IntLabels;
    let mut header = [0; 12];
    let found = fill(&mut reader, &mut header[..8])?;
    let field = |header: &[u8], at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if found < 8 {
        return Err(wrong(IntLabelsError::Header { found }));
    }
    let magic = field(&header, 0);
    let Some(integer) = integer_len(magic) else {
        return Err(wrong(IntLabelsError::Magic { found: magic }));
    };
    let count = field(&header, 4) as usize;
    let mut columns = 1;
    if magic & 0xff == 2 {
        let found = 8 + fill(&mut reader, &mut header[8..])?;
        if found < 12 {
            return Err(wrong(IntLabelsError::Header { found }));
        }
        columns = field(&header, 8) as usize;
    }
    if !(1..=MAX_COLUMNS).contains(&columns) {
        return Err(wrong(IntLabelsError::Columns { found: columns }));
    }
    let row = integer * columns;
    let mut labels = Vec::new();
    reserve(&mut labels, (count as u64).min(len.saturating_mul(16)))?;
    let mut rows = vec![0; row * ROWS];
    while labels.len() < count {
        let wanted = row * ROWS.min(count - labels.len());
        let found = fill(&mut reader, &mut rows[..wanted])?;
        if found < wanted {
            let found = labels.len() + found / row;
            return Err(wrong(IntLabelsError::Truncated {
                expected: count,
                found,
            }));
        }
        if labels.capacity() - labels.len() < ROWS {
            let more = labels.len().max(ROWS).min(count - labels.len());
            reserve(&mut labels, more as u64)?;
        }
        for row in rows[..wanted].chunks_exact(row) {
            let (high, low) = row[..integer].split_at(integer - 1);
            let is_signed = magic & 0xff00 != 0x0800;
            if high.iter().any(|&byte| byte != 0) || is_signed && integer == 1 && low[0] > 127 {
                let index = labels.len();
                return Err(wrong(IntLabelsError::Label { index }));
            }
            labels.push(low[0]);
        }
    }
    match fill(&mut reader, &mut [0])? {
        0 => Ok(labels),
        _ => Err(wrong(IntLabelsError::Trailing)),
    }
}

/// Reads until the buffer is full or the file ends; returns the number of bytes read.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ReadError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::System(error)),
        }
    }
    Ok(filled)
}
