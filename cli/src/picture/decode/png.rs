//! PNG images, by the crate `png`.

use super::exif::Orientation;
use super::{MAX_BYTES, Pixels, Size, narrowed};
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

/// Rows of an image that the decoder holds at most: read ahead, and each of two rows before
/// and after it is filtered.
const DECODED_ROWS: usize = 8;

/// Decodes an image.
///
/// A colour that is to be transparent (chunk tRNS of grey and RGB images) is taken as a colour:
/// it is that of the ground, and pixels of its shades at the edges of strokes are not
/// transparent, so that an outline would be all that is left of white on black.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    let limits = Limits { bytes: MAX_BYTES };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND);
    // Both may be compressed, and unpack to hundreds of megabytes that nobody reads.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let damaged = |error: png::DecodingError| error.to_string();
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = reader.info().size();
    let size = Size::new(width, height)?;
    let is_keyed = matches!(
        reader.info().color_type,
        ColorType::Grayscale | ColorType::Rgb
    );
    let (colour, depth) = reader.output_color_type();
    let channels = colour.samples();
    let is_wide = depth == BitDepth::Sixteen;
    let rows = reader.info().raw_row_length().saturating_mul(DECODED_ROWS);
    let samples = size.require(channels, if is_wide { 2 } else { 1 }, rows)?;
    let mut bytes = vec![0; if is_wide { 2 * samples } else { samples }];
    reader.next_frame(&mut bytes).map_err(damaged)?;
    // The orientation may lie behind the pixels, which are whole: nothing else there counts.
    let _ = reader.finish();
    let exif = reader.info().exif_metadata.as_deref().unwrap_or_default();
    let orientation = Orientation::of(exif);
    let has_alpha = channels % 2 == 0;
    if is_wide {
        let (pairs, _) = bytes.as_chunks();
        let wide = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
        bytes = narrowed(wide, channels, has_alpha);
    }
    let mut pixels = size.pixels(channels, bytes);
    if has_alpha && is_keyed {
        pixels.drop_alpha();
    }
    pixels.orientation = orientation;
    Ok(pixels)
}
