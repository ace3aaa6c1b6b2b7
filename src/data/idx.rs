//! IDX, the format of the MNIST files, read from borrowed bytes.
//!
//! | offset | images | labels |
//! |---|---|---|
//! | 0 | magic number `0x00000803` | magic number `0x00000801` |
//! | 4 | number of images | number of labels |
//! | 8 | rows of an image | the labels, a byte each |
//! | 12 | columns of an image | |
//! | 16 | the pixels, a byte each, row after row | |
//!
//! Numbers are big-endian `u32`. The parser allocates and copies nothing. A file must
//! have exactly the length that its header states.
//!
//! Source: LeCun, Cortes and Burges, *The MNIST database of handwritten
//! digits*, "File formats".

use crate::compute::names::named;
use core::fmt;

/// The kind of content of an IDX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Images, three dimensions: number, rows, columns.
    Images,
    /// Labels, one dimension.
    Labels,
}

named! { Kind, "kind of IDX file":
    Images = "images",
    Labels = "labels",
}

impl Kind {
    /// The magic number of a file of this kind: type `u8` (`0x08`) and number of
    /// dimensions.
    pub const fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0000_0803,
            Self::Labels => 0x0000_0801,
        }
    }

    /// The number of bytes before the first pixel or label.
    pub const fn header_len(self) -> usize {
        match self {
            Self::Images => 16,
            Self::Labels => 8,
        }
    }

    /// The number of bytes of the whole file, header included, by its header.
    ///
    /// `header` may be the header alone or a longer beginning of the file, so a
    /// reader can learn from 16 bytes how much it has to read.
    ///
    /// # Errors
    /// A header cut short, another magic number, images without rows or
    /// columns, and sizes whose product overflows.
    pub fn expected_len(self, header: &[u8]) -> Result<u64, IdxError> {
        let cut = IdxError::Header {
            expected: self.header_len(),
            found: header.len(),
        };
        // The magic number is checked before the length: a file of labels may be shorter
        // than a header of images.
        if header.len() < 4 {
            return Err(cut);
        }
        let magic = field(header, 0);
        if magic != self.magic() {
            return Err(IdxError::Magic {
                expected: self,
                found: magic,
            });
        }
        if header.len() < self.header_len() {
            return Err(cut);
        }
        let count = field(header, 4);
        let body = match self {
            Self::Labels => Some(u64::from(count)),
            Self::Images => {
                let (rows, columns) = (field(header, 8), field(header, 12));
                if rows == 0 {
                    return Err(IdxError::Flat { offset: 8 });
                }
                if columns == 0 {
                    return Err(IdxError::Flat { offset: 12 });
                }
                // Fits: (2³² − 1)² < 2⁶⁴.
                let image = u64::from(rows) * u64::from(columns);
                // One image must be addressable even where there is none.
                usize::try_from(image)
                    .ok()
                    .and_then(|_| image.checked_mul(u64::from(count)))
            }
        };
        body.and_then(|body| body.checked_add(self.header_len() as u64))
            .ok_or(IdxError::TooLarge)
    }

    /// The bytes of a whole file after its header.
    fn body(self, bytes: &[u8]) -> Result<&[u8], IdxError> {
        let expected = self.expected_len(bytes)?;
        // Compared as u64: the stated length may be beyond a 32-bit `usize`.
        let found = bytes.len() as u64;
        if found < expected {
            return Err(IdxError::Truncated { expected, found });
        }
        if found > expected {
            return Err(IdxError::Trailing { expected });
        }
        Ok(&bytes[self.header_len()..])
    }
}

/// The images of an IDX file, borrowed from its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Images<'a> {
    /// Number of images; may be 0.
    pub count: usize,
    /// Rows of an image, at least 1.
    pub rows: usize,
    /// Columns of an image, at least 1.
    pub columns: usize,
    /// `count · rows · columns` pixels, image after image, row after row; 0 is
    /// the background.
    pub pixels: &'a [u8],
}

impl fmt::Debug for Images<'_> {
    /// The sizes, without the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("count", &self.count)
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// Reads a whole file of images.
///
/// # Errors
/// Everything that [`Kind::expected_len`] finds, and a file shorter or longer
/// than its header states.
pub fn images(bytes: &[u8]) -> Result<Images<'_>, IdxError> {
    let pixels = Kind::Images.body(bytes)?;
    // No cast truncates: expected_len has found that an image fits a `usize`, hence so do
    // its sides, and there are at least as many bytes as images.
    Ok(Images {
        count: field(bytes, 4) as usize,
        rows: field(bytes, 8) as usize,
        columns: field(bytes, 12) as usize,
        pixels,
    })
}

/// Reads a whole file of labels: one byte for each image.
///
/// # Errors
/// Everything that [`Kind::expected_len`] finds, and a file shorter or longer
/// than its header states.
pub fn labels(bytes: &[u8]) -> Result<&[u8], IdxError> {
    Kind::Labels.body(bytes)
}

/// The big-endian number at `offset`.
fn field(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes([
        bytes[offset],
        bytes[offset + 1],
        bytes[offset + 2],
        bytes[offset + 3],
    ])
}

/// The error of parsing an IDX file.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdxError {
    /// The bytes end within the header.
    Header {
        /// Bytes of the header.
        expected: usize,
        /// Bytes of the file as found.
        found: usize,
    },
    /// The number at offset 0 belongs to another kind of file.
    Magic {
        /// The kind of file asked for.
        expected: Kind,
        /// The number found at offset 0.
        found: u32,
    },
    /// The images have no rows (offset 8) or no columns (offset 12).
    Flat {
        /// The offset of the 0 in the file.
        offset: usize,
    },
    /// The sizes at offsets 4 to 15 have a product that no memory holds.
    TooLarge,
    /// The file ends before its header's promise is kept.
    Truncated {
        /// Bytes of the whole file by its header.
        expected: u64,
        /// Bytes of the file as found.
        found: u64,
    },
    /// The file goes on where its header has it end.
    Trailing {
        /// Bytes of the whole file by its header.
        expected: u64,
    },
}

impl fmt::Display for IdxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Header { expected, found } => write!(
                f,
                "the file ends at offset {found}, within the IDX header of {expected} bytes"
            ),
            Self::Magic { expected, found } => {
                let other = match expected {
                    Kind::Images => Kind::Labels,
                    Kind::Labels => Kind::Images,
                };
                let magic = expected.magic();
                if found == other.magic() {
                    write!(
                        f,
                        "{other} found where {expected} are expected \
                         (magic number {found:#010x}, not {magic:#010x}, at offset 0)"
                    )
                } else {
                    write!(
                        f,
                        "not an IDX file of {expected}: \
                         magic number {found:#010x}, not {magic:#010x}, at offset 0"
                    )
                }
            }
            Self::Flat { offset } => {
                let side = if offset == 8 { "rows" } else { "columns" };
                write!(
                    f,
                    "images of 0 {side}, at least 1 expected, at offset {offset}"
                )
            }
            Self::TooLarge => f.write_str(
                "the number, rows and columns of the images, at offsets 4 to 15, \
                 ask for more bytes than can be addressed",
            ),
            Self::Truncated { expected, found } => write!(
                f,
                "the file ends at offset {found}; {expected} bytes expected by its header"
            ),
            Self::Trailing { expected } => write!(
                f,
                "the file goes on at offset {expected}, where its header has it end"
            ),
        }
    }
}

impl core::error::Error for IdxError {}
