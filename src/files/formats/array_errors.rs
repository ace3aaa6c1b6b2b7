//! Errors of arrays, and of archives of them.

use std::fmt;

/// Maximum number of bytes of a header. NumPy writes 118 for an array of numbers.
pub(super) const MAX_HEADER: usize = 1 << 16;

/// Maximum number of dimensions: images, rows, columns, channels.
pub(super) const MAX_DIMENSIONS: usize = 4;

/// Maximum number of files in an archive.
pub(super) const MAX_FILES: usize = 1024;

/// The elements that an array is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Elements {
    /// Pixels, whose range says what they are.
    Pixels,
    /// Labels: whole numbers from 0 to 255.
    Labels,
    /// Any numbers: each becomes an `f32`, four bytes, the lowest first.
    Numbers,
}

impl Elements {
    /// The bytes that each element becomes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Pixels | Self::Labels => 1,
            Self::Numbers => size_of::<f32>(),
        }
    }
}

/// The error of parsing an array.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpyError {
    /// The file does not begin as an array does.
    Magic,
    /// The file ends within the header.
    Header {
        /// Bytes of the file as found.
        found: usize,
    },
    /// The version of the format is none of 1 to 3.
    Version {
        /// The version found.
        found: u8,
    },
    /// The header is longer than that of any array of numbers.
    LongHeader {
        /// The length that the file states.
        found: usize,
    },
    /// The header is no dictionary with type, order and shape.
    Dictionary,
    /// The elements are no numbers, or of an unknown type.
    Type {
        /// The type found.
        found: String,
    },
    /// The array has no dimension, or too many.
    Dimensions {
        /// The number of dimensions.
        found: usize,
    },
    /// The shape asks for more bytes than can be addressed.
    TooLarge,
    /// The file ends before the last element.
    Truncated {
        /// The number of bytes that are missing.
        missing: u64,
    },
    /// The file goes on after the last element.
    Trailing,
    /// The shape is not that of grey images.
    Images {
        /// The lengths of the dimensions.
        shape: Vec<usize>,
    },
    /// The shape is not that of labels, or a row of several is not one 1 among zeros.
    Labels {
        /// The lengths of the dimensions.
        shape: Vec<usize>,
    },
    /// An element is no pixel, or no label.
    Element {
        /// The index of the element in the file.
        index: usize,
        /// Its value.
        value: String,
        /// The elements asked for.
        elements: Elements,
    },
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("it does not begin with \"\\x93NUMPY\""),
            Self::Header { found } => {
                write!(f, "the file ends at offset {found}, within the header")
            }
            Self::Version { found } => write!(f, "version {found} of the format; 1 to 3 expected"),
            Self::LongHeader { found } => write!(
                f,
                "a header of {found} bytes, at most {MAX_HEADER} expected, at offset 8"
            ),
            Self::Dictionary => {
                f.write_str("the header is no dictionary with 'descr', 'fortran_order' and 'shape'")
            }
            Self::Type { found } => write!(
                f,
                "elements of type {found}; integers, booleans and numbers with fractions expected"
            ),
            Self::Dimensions { found } => {
                write!(f, "{found} dimensions; 1 to {MAX_DIMENSIONS} expected")
            }
            Self::TooLarge => f.write_str("the shape asks for more bytes than can be addressed"),
            Self::Truncated { missing } => {
                write!(
                    f,
                    "the file ends {missing} bytes before the last element does"
                )
            }
            Self::Trailing => f.write_str("the file goes on after the last element"),
            Self::Images { shape } => write!(
                f,
                "an array of shape {shape:?} has no grey images; [images, rows, columns] has, or \
                 [images, pixels] of square ones"
            ),
            Self::Labels { shape } => write!(
                f,
                "an array of shape {shape:?} has no labels; [labels] has, or [labels, classes] \
                 with one 1 in each row"
            ),
            Self::Element {
                index,
                value,
                elements: Elements::Pixels,
            } => write!(
                f,
                "element {index} is {value}, which is no pixel: whole numbers from 0 to 255 are, \
                 or all from 0 to 1"
            ),
            Self::Element { index, value, .. } => write!(
                f,
                "element {index} is {value}, which is no label: whole numbers from 0 to 255 are"
            ),
        }
    }
}

impl std::error::Error for NpyError {}

/// The error of parsing an archive of arrays.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpzError {
    /// The end of a zip archive is not there: the file is cut, or none.
    NoEnd,
    /// The list of files at the end of the archive is damaged.
    Directory {
        /// The offset of the damaged entry in the file.
        offset: u64,
    },
    /// The archive has more files than any data set.
    ManyFiles {
        /// The number of files.
        found: usize,
    },
    /// The archive holds no array.
    NoArrays,
    /// A file of the archive is damaged.
    Damaged {
        /// The name of the file.
        name: String,
        /// The damage.
        what: &'static str,
    },
    /// A file of the archive is packed in a way that cannot be read.
    Method {
        /// The name of the file.
        name: String,
        /// The number of the method in zip, or none if the file is encrypted.
        method: Option<u16>,
    },
    /// A file of the archive is not the array expected.
    Array {
        /// The name of the file.
        name: String,
        /// The cause.
        error: NpyError,
    },
    /// It cannot be told which arrays are images and which are labels.
    Unclear {
        /// The names of the arrays.
        names: Vec<String>,
    },
}

impl fmt::Display for NpzError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEnd => f.write_str("the end of the zip archive is missing"),
            Self::Directory { offset } => write!(
                f,
                "the list of files in the zip archive is damaged at offset {offset}"
            ),
            Self::ManyFiles { found } => write!(
                f,
                "{found} files in the zip archive; at most {MAX_FILES} expected"
            ),
            Self::NoArrays => f.write_str("a zip archive without arrays (.npy): unpack it"),
            Self::Damaged { name, what } => write!(f, "{name} is damaged: {what}"),
            Self::Method { name, method: None } => write!(f, "{name} is encrypted"),
            Self::Method {
                name,
                method: Some(method),
            } => write!(
                f,
                "{name} is packed by method {method}; 0 (stored) and 8 (deflate) can be read"
            ),
            Self::Array { name, .. } => write!(f, "{name} is not the array expected"),
            Self::Unclear { names } => write!(
                f,
                "it cannot be told which arrays are images and which are labels: {}; \
                 x_train, y_train, x_test and y_test, or images and labels, are known",
                names.join(", ")
            ),
        }
    }
}

impl std::error::Error for NpzError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Array { error, .. } => Some(error),
            _ => None,
        }
    }
}
