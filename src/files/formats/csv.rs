//! Tables of images: CSV, one image a line.

use crate::files::formats::columns::{Columns, Label, number};
use crate::files::formats::errors::{CsvError, MAX_LINE};
use crate::files::formats::range::{NoPixel, PixelRange};
use crate::files::read::{ReadError, reserve};
use std::io::{ErrorKind, Read};

/// Bytes of a piece of the file that is parsed at once.
const PIECE: usize = 256 * 1024;

/// The images of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Table {
    /// The pixels, image after image.
    pub pixels: Vec<u8>,
    /// Rows of an image, and as many columns.
    pub side: usize,
    /// The label of each image, if the table has labels.
    pub labels: Option<Vec<u8>>,
}

/// Reads a table of images: a line is the pixels of a square image, row after row, and a
/// label before or after them, or none.
///
/// `len` is the number of bytes of the file, compressed or not; memory is allocated in
/// proportion to it and to what arrives. Values are separated by commas, semicolons or tabs.
/// A first line that is not all numbers is a header: it may name the column of labels, and a
/// first column that numbers the lines, which is skipped. Without a header the label is the
/// first or the last value, whichever differs more from line to line, and the first if both
/// do as much. Pixels are whole numbers from 0 to 255, or from 0 to 1 with fractions.
///
/// CSV does not state its length: a file that is cut between two lines, or within the last
/// number, is a shorter table.
///
/// # Errors
/// [`CsvError`], damaged gz, and errors of the reader.
pub fn read_csv(mut reader: impl Read, len: u64) -> Result<Table, ReadError> {
    let mut piece = Vec::new();
    reserve(&mut piece, PIECE as u64)?;
    piece.resize(PIECE, 0);
    let mut parser = Parser::new(len);
    let (mut filled, mut is_end) = (0, false);
    while !is_end {
        let read = loop {
            match reader.read(&mut piece[filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(ReadError::System)?,
            }
        };
        let new = &piece[filled..filled + read];
        is_end = read == 0;
        let whole = match new.iter().rposition(|&byte| byte == b'\n') {
            _ if is_end => filled,
            Some(at) => filled + at + 1,
            None => 0,
        };
        filled += read;
        parser.parse(&piece[..whole])?;
        piece.copy_within(whole..filled, 0);
        filled -= whole;
        if filled == piece.len() {
            if filled >= MAX_LINE {
                let line = parser.line + 1;
                return Err(ReadError::Csv(CsvError::LongLine { line }));
            }
            reserve(&mut piece, filled as u64)?;
            piece.resize(2 * filled, 0);
        }
    }
    parser.finish().map_err(ReadError::Csv)
}

struct Parser {
    /// The number of bytes of the file.
    len: u64,
    /// The number of lines so far.
    line: usize,
    /// The number of the first of the empty lines that are the last ones so far.
    empty: Option<usize>,
    columns: Option<Columns>,
    /// The values of a line.
    row: Vec<u8>,
    range: PixelRange,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    /// How often each value occurs in the first and in the last column.
    ends: [[usize; 256]; 2],
}

impl Parser {
    fn new(len: u64) -> Self {
        Self {
            len,
            line: 0,
            empty: None,
            columns: None,
            row: Vec::new(),
            range: PixelRange::Open,
            pixels: Vec::new(),
            labels: Vec::new(),
            ends: [[0; 256]; 2],
        }
    }

    /// Parses whole lines.
    fn parse(&mut self, lines: &[u8]) -> Result<(), ReadError> {
        let mut rest = lines;
        while !rest.is_empty() {
            let end = rest.iter().position(|&byte| byte == b'\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            self.line += 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                self.empty = self.empty.or(Some(self.line));
                continue;
            }
            if let Some(line) = self.empty {
                return Err(ReadError::Csv(CsvError::EmptyLine { line }));
            }
            let columns = match self.columns {
                Some(columns) => columns,
                None => {
                    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
                    let (columns, is_header) = Columns::of(line).map_err(ReadError::Csv)?;
                    self.columns = Some(columns);
                    if is_header {
                        continue;
                    }
                    self.add(columns, line)?;
                    continue;
                }
            };
            self.add(columns, line)?;
        }
        Ok(())
    }

    /// Adds the image of a line.
    fn add(&mut self, columns: Columns, line: &[u8]) -> Result<(), ReadError> {
        let count = columns.count;
        self.row.resize(count, 0);
        let values = match columns.is_indexed {
            true => {
                let at = line.iter().position(|&byte| byte == columns.separator);
                &line[at.map_or(line.len(), |at| at + 1)..]
            }
            false => line,
        };
        self.room(columns)?;
        if !parse_bytes(values, columns.separator, &mut self.row) {
            return self.add_numbers(columns, values).map_err(ReadError::Csv);
        }
        let (label, pixels) = columns.parted(&self.row);
        let added = self.range.extend_whole(pixels, &mut self.pixels);
        added.map_err(|NoPixel| {
            let column = pixels.iter().position(|&pixel| pixel > 1).unwrap_or(0);
            let text = pixels[column].to_string();
            ReadError::Csv(self.no_pixel(columns, column, &text))
        })?;
        if let Some(label) = label {
            self.labels.push(label);
        }
        self.ends[0][usize::from(self.row[0])] += 1;
        self.ends[1][usize::from(self.row[count - 1])] += 1;
        Ok(())
    }

    /// Makes room for one image more.
    fn room(&mut self, columns: Columns) -> Result<(), ReadError> {
        let features = columns.side * columns.side;
        if self.pixels.capacity() - self.pixels.len() < features {
            // A pixel and its separator take two bytes at least, so this is all unless the
            // file is compressed: then memory grows as pixels arrive.
            let (held, likely) = (self.pixels.len() as u64, self.len / 2);
            let more = if held < likely { likely - held } else { held };
            reserve(&mut self.pixels, more.max(features as u64))?;
        }
        if self.labels.len() == self.labels.capacity() {
            let more = self.labels.len().max(1024) as u64;
            reserve(&mut self.labels, more)?;
        }
        Ok(())
    }

    /// Adds the image of a line that has other values than bytes.
    fn add_numbers(&mut self, columns: Columns, line: &[u8]) -> Result<(), CsvError> {
        let found = line.split(|&byte| byte == columns.separator).count();
        if found != columns.count {
            return Err(CsvError::Row {
                line: self.line,
                expected: columns.count,
                found,
            });
        }
        let label_at = match columns.label {
            Label::None => None,
            Label::First | Label::Either => Some(0),
            Label::Last => Some(columns.count - 1),
        };
        let (mut pixel, fields) = (0, line.split(|&byte| byte == columns.separator));
        for (column, field) in fields.enumerate() {
            let value = number(field).ok_or_else(|| CsvError::NoNumber {
                line: self.line,
                column: column + 1 + usize::from(columns.is_indexed),
                text: shown(field),
            })?;
            let whole = value as u8;
            let is_whole = f64::from(whole) == value;
            for (end, at) in [0, columns.count - 1].into_iter().enumerate() {
                // What is no whole number is no label; 0 is as good as any other value.
                self.ends[end][usize::from(whole)] += usize::from(column == at);
            }
            if Some(column) == label_at {
                if !is_whole {
                    return Err(CsvError::Label {
                        line: self.line,
                        text: shown(field),
                    });
                }
                self.labels.push(whole);
                continue;
            }
            let pushed = self.range.push(value, &mut self.pixels);
            pushed.map_err(|NoPixel| self.no_pixel(columns, pixel, &shown(field)))?;
            pixel += 1;
        }
        Ok(())
    }

    fn no_pixel(&self, columns: Columns, pixel: usize, text: &str) -> CsvError {
        let before = matches!(columns.label, Label::First | Label::Either);
        CsvError::Pixel {
            line: self.line,
            column: pixel + 1 + usize::from(before) + usize::from(columns.is_indexed),
            text: text.to_string(),
        }
    }

    fn finish(mut self) -> Result<Table, CsvError> {
        let features = self
            .columns
            .map_or(0, |columns| columns.side * columns.side);
        let Some(columns) = self.columns.filter(|_| !self.pixels.is_empty()) else {
            return Err(CsvError::Empty);
        };
        if columns.label == Label::Either && self.is_label_last() {
            if self.range == PixelRange::Unit {
                return Err(CsvError::Unclear);
            }
            for (row, label) in self.pixels.chunks_exact_mut(features).zip(&mut self.labels) {
                let (first, last) = (*label, row[features - 1]);
                row.copy_within(..features - 1, 1);
                (row[0], *label) = (first, last);
            }
        }
        Ok(Table {
            pixels: self.pixels,
            side: columns.side,
            labels: (columns.label != Label::None).then_some(self.labels),
        })
    }

    /// Whether the last column differs more from line to line than the first: corners of
    /// images are mostly ground.
    fn is_label_last(&self) -> bool {
        let most = self
            .ends
            .map(|counts| counts.into_iter().max().unwrap_or(0));
        most[1] < most[0]
    }
}

/// Parses a line of as many whole numbers from 0 to 255 as `row` has places. Returns whether
/// that is what the line holds; `row` is of no use if not.
fn parse_bytes(line: &[u8], separator: u8, row: &mut [u8]) -> bool {
    let (zero, s) = (b'0', separator);
    let zeros = u64::from_le_bytes([zero, s, zero, s, zero, s, zero, s]);
    let (mut rest, mut i) = (line, 0);
    let count = row.len();
    while i < count {
        // Most pixels are zeros: four of them at once.
        while let Some(eight) = rest.first_chunk()
            && u64::from_le_bytes(*eight) == zeros
            && i + 4 < count
        {
            row[i..i + 4].fill(0);
            (rest, i) = (&rest[8..], i + 4);
        }
        let (mut value, mut len) = (0_u32, 0);
        while let Some(digit) = rest.get(len).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
            && len < 4
        {
            (value, len) = (10 * value + u32::from(digit), len + 1);
        }
        let Ok(byte) = u8::try_from(value) else {
            return false;
        };
        row[i] = byte;
        i += 1;
        let is_whole = match rest.get(len) {
            Some(&byte) => byte == separator && i < count,
            None => i == count,
        };
        if len == 0 || !is_whole {
            return false;
        }
        rest = rest.get(len + 1..).unwrap_or(&[]);
    }
    true
}

/// The beginning of a field, for a message on one line.
fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(&field[..field.len().min(64)]).into_owned();
    text.trim()
        .chars()
        .take(20)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
