//! Errors of tables, and of labels that are integers.

use std::fmt;

/// Maximum number of bytes of a line: images of 1000×1000 pixels.
pub(super) const MAX_LINE: usize = 4 << 20;

/// The error of parsing a table of images.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvError {
    /// The first line has no separator: it is no table.
    NoTable,
    /// There is no image.
    Empty,
    /// The number of columns is not that of the pixels of a square image, with or without a
    /// label.
    Columns {
        /// The number of columns.
        found: usize,
    },
    /// A line has another number of values than the first.
    Row {
        /// The line, counted from 1.
        line: usize,
        /// The number of values of the first line.
        expected: usize,
        /// The number of values of this line.
        found: usize,
    },
    /// A line between others is empty.
    EmptyLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// A line is longer than any image.
    LongLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// A value is no number.
    NoNumber {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// The beginning of the value.
        text: String,
    },
    /// A value is no pixel, or not of the range of the pixels before it.
    Pixel {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// The value.
        text: String,
    },
    /// A label is no whole number from 0 to 255.
    Label {
        /// The line, counted from 1.
        line: usize,
        /// The value.
        text: String,
    },
    /// Without a header it cannot be told which column has the labels.
    Unclear,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "the first line has no comma, semicolon or tab, so it is no table of images",
            ),
            Self::Empty => f.write_str("the table has no images; at least 1 expected"),
            Self::Columns { found } => write!(
                f,
                "{found} columns are neither the pixels of a square image nor those and a label \
                 (28×28 pixels are 784 columns, or 785 with the label)"
            ),
            Self::Row {
                line,
                expected,
                found,
            } => write!(
                f,
                "line {line} has {found} values, not {expected} as the first"
            ),
            Self::EmptyLine { line } => write!(f, "line {line} is empty"),
            Self::LongLine { line } => {
                write!(f, "line {line} has more than {MAX_LINE} bytes")
            }
            Self::NoNumber { line, column, text } => {
                write!(f, "{text:?} in line {line}, column {column}, is no number")
            }
            Self::Pixel { line, column, text } => write!(
                f,
                "{text} in line {line}, column {column}, is no pixel: whole numbers from 0 to 255 \
                 are, or all from 0 to 1"
            ),
            Self::Label { line, text } => write!(
                f,
                "the label {text} in line {line} is no whole number from 0 to 255"
            ),
            Self::Unclear => f.write_str(
                "it cannot be told which column has the labels: name it \"label\" in a first line",
            ),
        }
    }
}

impl std::error::Error for CsvError {}

/// The error of parsing labels that are integers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntLabelsError {
    /// The file ends within the header.
    Header {
        /// Bytes of the file as found.
        found: usize,
    },
    /// The magic number is that of no IDX file of integers in one or two dimensions.
    Magic {
        /// The number found at offset 0.
        found: u32,
    },
    /// There are no integers for each image, or too many.
    Columns {
        /// The number of integers for each image, at offset 8.
        found: usize,
    },
    /// The file ends before its header's promise is kept.
    Truncated {
        /// The number of labels by the header.
        expected: usize,
        /// The number of labels as found.
        found: usize,
    },
    /// The file goes on where its header has it end.
    Trailing,
    /// A label is no whole number from 0 to 255.
    Label {
        /// The index of the image.
        index: usize,
    },
}

impl fmt::Display for IntLabelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { found } => {
                write!(f, "the file ends at offset {found}, within the IDX header")
            }
            Self::Magic { found } => write!(
                f,
                "not an IDX file of integers: magic number {found:#010x} at offset 0"
            ),
            Self::Columns { found } => write!(
                f,
                "{found} integers for each image, at offset 8; 1 to 1024 expected"
            ),
            Self::Truncated { expected, found } => write!(
                f,
                "the file ends after {found} labels; {expected} expected by its header"
            ),
            Self::Trailing => f.write_str("the file goes on after the last label of its header"),
            Self::Label { index } => {
                write!(f, "label {index} is no whole number from 0 to 255")
            }
        }
    }
}

impl std::error::Error for IntLabelsError {}
