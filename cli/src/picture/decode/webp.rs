//! WebP images, by the crate `image-webp`: with and without loss; of an animation the first
//! image.

use super::exif::Orientation;
use super::{MAX_BYTES, Pixels, Size};
use image_webp::WebPDecoder;
use std::io::Cursor;

/// Bytes that the decoder holds for each pixel besides the result: four of an image without
/// loss, or brightness and colours of an image with loss and its alpha.
const PLANES: usize = 8;

/// Decodes an image.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    let damaged = |error: image_webp::DecodingError| error.to_string();
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    decoder.set_memory_limit(MAX_BYTES);
    let (width, height) = decoder.dimensions();
    let size = Size::new(width, height)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let (rows, columns) = size.sides();
    let samples = size.require(channels, 1, PLANES * rows * columns)?;
    let mut pixels = vec![0; samples];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    let exif = decoder.exif_metadata().map_err(damaged)?;
    let mut pixels = size.pixels(channels, pixels);
    pixels.orientation = Orientation::of(&exif.unwrap_or_default());
    Ok(pixels)
}
