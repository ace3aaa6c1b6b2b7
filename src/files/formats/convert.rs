//! Elements of arrays, of any number type, as bytes.

use crate::files::formats::array_errors::{Elements, NpyError};
use crate::files::formats::range::{NoPixel, PixelRange};

/// The type of the elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Type {
    kind: u8,
    /// Bytes of an element.
    pub(super) size: usize,
    is_big_endian: bool,
}

impl Type {
    /// Parses a name such as `<f4`: byte order, kind, bytes.
    pub(super) fn parse(name: &str) -> Result<Self, NpyError> {
        let unknown = || NpyError::Type {
            found: name.chars().filter(|c| !c.is_control()).take(20).collect(),
        };
        let &[order, kind, ref size @ ..] = name.as_bytes() else {
            return Err(unknown());
        };
        let size = match (kind, size) {
            (b'u' | b'i' | b'b', b"1") => 1,
            (b'u' | b'i' | b'f', b"2") => 2,
            (b'u' | b'i' | b'f', b"4") => 4,
            (b'u' | b'i' | b'f', b"8") => 8,
            _ => return Err(unknown()),
        };
        let is_big_endian = match order {
            b'>' => true,
            b'<' | b'|' => false,
            _ => return Err(unknown()),
        };
        Ok(Self {
            kind,
            size,
            is_big_endian,
        })
    }
}

/// The value of a number of 16 bits with a fraction (IEEE 754 binary16).
pub(in crate::files) fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction / 1024.0 * 2f64.powi(-14),
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// The elements read so far, as bytes.
pub(super) struct Converted {
    element: Type,
    elements: Elements,
    range: PixelRange,
    /// Whether pixels are of 16 bits, of which bytes hold a 257th.
    is_wide: bool,
    pub(super) bytes: Vec<u8>,
}

impl Converted {
    /// No elements so far.
    pub(super) fn new(element: Type, elements: Elements) -> Self {
        Self {
            element,
            elements,
            range: PixelRange::Open,
            is_wide: false,
            bytes: Vec::new(),
        }
    }

    /// Appends whole elements as they are in the file.
    pub(super) fn extend(&mut self, piece: &[u8]) -> Result<(), NpyError> {
        let Type {
            kind,
            size,
            is_big_endian,
        } = self.element;
        match (kind, size) {
            // All of them are pixels, and labels too.
            (b'u' | b'b', 1) if self.elements != Elements::Numbers => {
                self.bytes.extend_from_slice(piece);
                Ok(())
            }
            (b'u' | b'b', 1) => self.extend_by(piece, |[byte]| f64::from(byte)),
            (b'i', 1) => self.extend_by(piece, |[byte]| f64::from(byte as i8)),
            (b'u', 2) => self.extend_by(piece, |bytes| {
                f64::from(u16::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'i', 2) => self.extend_by(piece, |bytes| {
                f64::from(i16::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'f', 2) => self.extend_by(piece, |bytes| {
                half(u16::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'u', 4) => self.extend_by(piece, |bytes| {
                f64::from(u32::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'i', 4) => self.extend_by(piece, |bytes| {
                f64::from(i32::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'f', 4) => self.extend_by(piece, |bytes| {
                f64::from(f32::from_le_bytes(in_order(bytes, is_big_endian)))
            }),
            (b'u', _) => self.extend_by(piece, |bytes| {
                u64::from_le_bytes(in_order(bytes, is_big_endian)) as f64
            }),
            (b'i', _) => self.extend_by(piece, |bytes| {
                i64::from_le_bytes(in_order(bytes, is_big_endian)) as f64
            }),
            _ => self.extend_by(piece, |bytes| {
                f64::from_le_bytes(in_order(bytes, is_big_endian))
            }),
        }
    }

    /// Converts elements of `N` bytes, each of which has this value.
    fn extend_by<const N: usize>(
        &mut self,
        piece: &[u8],
        value: impl Fn([u8; N]) -> f64,
    ) -> Result<(), NpyError> {
        for &element in piece.as_chunks().0 {
            let value = value(element);
            let index = self.bytes.len() / self.elements.bytes();
            if self.push(value).is_err() {
                return Err(NpyError::Element {
                    index,
                    value: value.to_string(),
                    elements: self.elements,
                });
            }
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, value: f64) -> Result<(), NoPixel> {
        match self.elements {
            Elements::Labels => {
                let byte = value as u8;
                let is_whole = f64::from(byte) == value;
                self.bytes.push(byte);
                if is_whole { Ok(()) } else { Err(NoPixel) }
            }
            Elements::Numbers => {
                self.bytes.extend((value as f32).to_le_bytes());
                Ok(())
            }
            Elements::Pixels if self.is_wide => {
                self.bytes.push(narrowed(value)?);
                Ok(())
            }
            Elements::Pixels => {
                let pushed = self.range.push(value, &mut self.bytes);
                pushed.or_else(|NoPixel| self.push_wide(value))
            }
        }
    }

    /// Appends a pixel beyond 255, which integers of 16 bits may have.
    #[cold]
    fn push_wide(&mut self, value: f64) -> Result<(), NoPixel> {
        if self.element.kind == b'f' || self.element.size != 2 {
            return Err(NoPixel);
        }
        let pixel = narrowed(value)?;
        self.is_wide = true;
        for byte in &mut self.bytes {
            *byte = narrowed(f64::from(*byte))?;
        }
        self.bytes.push(pixel);
        Ok(())
    }
}

/// The bytes of a number, the lowest first.
fn in_order<const N: usize>(mut bytes: [u8; N], is_big_endian: bool) -> [u8; N] {
    if is_big_endian {
        bytes.reverse();
    }
    bytes
}

/// A pixel of 16 bits as one of 8: 65535 becomes 255.
fn narrowed(value: f64) -> Result<u8, NoPixel> {
    match value {
        0.0..65536.0 => Ok((value / 257.0).round() as u8),
        _ => Err(NoPixel),
    }
}
