//! Pixels from the bytes of an image file, whose format is decided by its content.
//!
//! The size that a header states is checked before anything of it is allocated, and a file
//! that ends early is an error.

mod bmp;
pub(crate) mod exif;
mod jpeg;
mod png;
mod pnm;
mod webp;

use crate::memory;
use exif::Orientation;

/// Maximum number of pixels of an image, more than any camera's of 32 megapixels; one digit
/// needs fewer.
const MAX_PIXELS: usize = 1 << 25;

/// Maximum number of bytes of decoded pixels: [`MAX_PIXELS`] of RGB in 16 bits.
const MAX_BYTES: usize = 6 * MAX_PIXELS;

/// Decoded pixels, as the file has them.
#[derive(Debug)]
pub struct Pixels {
    /// Rows of the file.
    pub rows: usize,
    /// Columns of the file.
    pub columns: usize,
    /// Bytes of a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    pub channels: usize,
    /// Row after row, `rows · columns · channels` of them.
    pub bytes: Vec<u8>,
    /// How rows and columns lie in the image that is shown.
    pub(crate) orientation: Orientation,
}

impl Pixels {
    /// Makes all pixels opaque.
    fn drop_alpha(&mut self) {
        let colours = self.channels - 1;
        let pixels = self.rows * self.columns;
        for k in 0..pixels {
            let from = k * self.channels;
            self.bytes.copy_within(from..from + colours, k * colours);
        }
        self.bytes.truncate(pixels * colours);
        self.channels = colours;
    }
}

/// The size of an image that is not too large.
#[derive(Clone, Copy)]
struct Size {
    width: u32,
    height: u32,
}

impl Size {
    /// Refuses an image without pixels, and one of too many.
    fn new(width: u32, height: u32) -> Result<Self, String> {
        let pixels = u64::from(width) * u64::from(height);
        match pixels {
            0 => Err(format!("it has {width}×{height} pixels")),
            _ if pixels > MAX_PIXELS as u64 => Err(too_many(width, height)),
            _ => Ok(Self { width, height }),
        }
    }

    /// Rows and columns.
    fn sides(self) -> (usize, usize) {
        (self.height as usize, self.width as usize)
    }

    /// The number of samples, if there is memory for them, of so many bytes each, for the same
    /// in one byte each, and for `more` bytes of the decoder.
    fn require(self, channels: usize, bytes: usize, more: usize) -> Result<usize, String> {
        let (rows, columns) = self.sides();
        // At most 8 bytes for each of 2²⁵ pixels.
        let samples = rows * columns * channels;
        if samples.saturating_mul(bytes) > MAX_BYTES {
            return Err(too_many(self.width, self.height));
        }
        let narrow = if bytes > 1 { 2 * samples } else { 0 };
        let all = samples.saturating_mul(bytes).saturating_add(narrow);
        memory::require(
            all.saturating_add(more),
            format_args!("read {}×{} pixels", self.width, self.height),
        )
        .map_err(|failure| failure.to_string())?;
        Ok(samples)
    }

    fn pixels(self, channels: usize, bytes: Vec<u8>) -> Pixels {
        let (rows, columns) = self.sides();
        debug_assert_eq!(bytes.len(), rows * columns * channels);
        Pixels {
            rows,
            columns,
            channels,
            bytes,
            orientation: Orientation::default(),
        }
    }
}

fn too_many(width: u32, height: u32) -> String {
    format!("{width}×{height} pixels are too many")
}

/// Samples of 16 bits as bytes. Values of fewer bits, such as the ten of a camera, use only the
/// lower part of the range: they are stretched by the power of two that fills it.
fn narrowed(
    samples: impl Iterator<Item = u16> + Clone,
    channels: usize,
    has_alpha: bool,
) -> Vec<u8> {
    let is_alpha = |k: usize| has_alpha && k % channels == channels - 1;
    let colours = samples.clone().enumerate().filter(|&(k, _)| !is_alpha(k));
    let bits = 16 - colours.map(|(_, x)| x).max().unwrap_or(0).leading_zeros();
    let shift = bits.max(8) - 8;
    let byte = |(k, x): (usize, u16)| (x >> if is_alpha(k) { 8 } else { shift }) as u8;
    samples.enumerate().map(byte).collect()
}

/// First bytes of files that are no image, or one of another format, and their names.
const OTHERS: [(&[u8], &str); 12] = [
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"P1", "a PBM image"),
    (b"P4", "a PBM image"),
    (b"%PDF", "a PDF document"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"<svg", "an SVG drawing"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gz file"),
];

/// Decodes an image whose format its content shows: PNG, JPEG, PGM, PPM, BMP or WebP.
///
/// # Errors
/// Bytes that are no image of a format that is read, that end early or are damaged, sizes that
/// are too large, and too little memory.
pub fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    // Some messages of decoders have several lines.
    let one_line = |why: String| why.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let named = |name: &'static str| {
        move |why: String| format!("not a usable {name} image: {}", one_line(why))
    };
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => png::decode(bytes).map_err(named("PNG")),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(bytes).map_err(named("JPEG")),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => webp::decode(bytes).map_err(named("WebP")),
        [b'B', b'M', ..] => bmp::decode(bytes).map_err(named("BMP")),
        [b'P', kind @ (b'2' | b'5'), ..] => pnm::decode(bytes, kind - b'0').map_err(named("PGM")),
        [b'P', kind @ (b'3' | b'6'), ..] => pnm::decode(bytes, kind - b'0').map_err(named("PPM")),
        [] => Err("the file is empty".to_string()),
        _ if bytes.starts_with(b"version https://git-lfs") => {
            Err("a Git LFS pointer, not the file itself: git lfs pull".to_string())
        }
        _ => {
            let other = OTHERS.iter().find(|(start, _)| bytes.starts_with(start));
            let is_heif = bytes.get(4..8) == Some(b"ftyp");
            let other = match other {
                None if is_heif => "a HEIF or AVIF image",
                Some((_, name)) => name,
                None => "no image of a known format",
            };
            Err(format!(
                "{other}: PNG, JPEG, PGM, PPM, BMP and WebP can be read"
            ))
        }
    }
}

#[cfg(test)]
mod tests;
