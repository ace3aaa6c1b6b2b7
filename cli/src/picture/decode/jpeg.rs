//! JPEG images, by the crate `zune-jpeg`: baseline and progressive, grey, RGB and CMYK.

use super::exif::Orientation;
use super::{Pixels, Size};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Bytes that the decoder of a progressive image holds for each pixel: the coefficients of four
/// colours, of two bytes each.
const COEFFICIENTS: usize = 8;

/// Maximum number of scans: no program writes so many, and each takes as long as the image.
const MAX_SCANS: usize = 100;

/// Decodes an image.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    // The size is checked below, with the message of every format.
    let options = DecoderOptions::new_safe()
        .set_strict_mode(true)
        .set_max_width(u16::MAX.into())
        .set_max_height(u16::MAX.into())
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder
        .decode_headers()
        .map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    let size = Size::new(width as u32, height as u32)?;
    if !has_end(bytes) {
        return Err("it ends before its last pixel".to_string());
    }
    let (rows, columns) = size.sides();
    size.require(3, 1, COEFFICIENTS * rows * columns)?;
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let mut pixels = size.pixels(3, pixels);
    let exif = decoder.exif().map_or(&[][..], |exif| exif);
    pixels.orientation = Orientation::of(exif);
    Ok(pixels)
}

/// Whether the last scan of a file has an end. The decoder takes the bits of a last byte that is
/// missing for those that fill it up.
fn has_end(bytes: &[u8]) -> bool {
    const SCAN: [u8; 2] = [0xff, 0xda];
    const END: [u8; 2] = [0xff, 0xd9];
    // Neither occurs in a scan: a byte of 0 follows each byte of 255 there.
    let mut pairs = bytes.windows(2).rev();
    pairs.find(|&pair| pair == SCAN || pair == END) == Some(&END)
}
