//! Small pictures for a page: PNG files as data URIs.

use crate::failure::Failure;
use png::{BitDepth, ColorType, Compression, Encoder};

/// Maximum side of a picture in pixels: larger images are reduced.
const MAX_SIDE: usize = 64;

/// Steps of a diverging scale on each side of its middle. Few, so that files are short.
const STEPS: i32 = 24;

/// Ends of the diverging scale: blue and vermilion of Okabe and Ito's palette.
pub(crate) const NEGATIVE: [u8; 3] = [0x00, 0x72, 0xb2];
pub(crate) const POSITIVE: [u8; 3] = [0xd5, 0x5e, 0x00];

/// The colour of a step of the diverging scale: white at 0, pure at both ends.
fn colour(step: i32) -> [u8; 3] {
    let end = if step < 0 { NEGATIVE } else { POSITIVE };
    let share = f64::from(step.abs()) / f64::from(STEPS);
    end.map(|channel| (255.0 + (f64::from(channel) - 255.0) * share).round() as u8)
}

/// The step of a number on a scale from `-largest` to `largest`. Numbers beyond it have that of
/// the end.
fn step_of(value: f32, largest: f32) -> i32 {
    let share = if largest > 0.0 { value / largest } else { 0.0 };
    (share.clamp(-1.0, 1.0) * STEPS as f32).round() as i32
}

/// The colour of a number on the diverging scale from `-largest` to `largest`.
pub(crate) fn diverging(value: f32, largest: f32) -> [u8; 3] {
    colour(step_of(value, largest))
}

/// Rows, columns and pixels of an image, reduced to at most [`MAX_SIDE`] pixels a side by means
/// over blocks.
pub(crate) fn reduced<T: Copy + Into<f64>>(
    pixels: &[T],
    (rows, columns): (usize, usize),
) -> ((usize, usize), Vec<f32>) {
    let block = rows.max(columns).div_ceil(MAX_SIDE).max(1);
    let sides = (rows.div_ceil(block), columns.div_ceil(block));
    let mean = |top: usize, left: usize| {
        let (bottom, right) = ((top + block).min(rows), (left + block).min(columns));
        let inside = (top..bottom).flat_map(|i| (left..right).map(move |j| i * columns + j));
        let sum: f64 = inside.map(|at| pixels[at].into()).sum();
        (sum / ((bottom - top) * (right - left)) as f64) as f32
    };
    let tops = (0..rows).step_by(block);
    let means = tops.flat_map(|top| {
        let lefts = (0..columns).step_by(block);
        lefts.map(move |left| mean(top, left))
    });
    (sides, means.collect())
}

/// A picture of an image of bytes.
pub(super) fn grey(pixels: &[u8], sides: (usize, usize)) -> Result<String, Failure> {
    let (sides, means) = reduced(pixels, sides);
    let bytes: Vec<u8> = means.iter().map(|mean| mean.round() as u8).collect();
    data_uri(sides, &bytes, None)
}

/// A picture of numbers on a diverging scale from `-largest` to `largest`.
pub(super) fn signed(
    values: &[f32],
    sides: (usize, usize),
    largest: f32,
) -> Result<String, Failure> {
    let (sides, means) = reduced(values, sides);
    let place = |&mean: &f32| (step_of(mean, largest) + STEPS) as u8;
    let places: Vec<u8> = means.iter().map(place).collect();
    let palette = (-STEPS..=STEPS).flat_map(colour).collect();
    data_uri(sides, &places, Some(palette))
}

fn data_uri(
    (rows, columns): (usize, usize),
    bytes: &[u8],
    palette: Option<Vec<u8>>,
) -> Result<String, Failure> {
    let failed = |error: png::EncodingError| {
        Failure::new(format!("cannot draw {columns}×{rows} pixels: {error}"))
    };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, columns as u32, rows as u32);
    encoder.set_compression(Compression::High);
    encoder.set_depth(BitDepth::Eight);
    match palette {
        Some(palette) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette);
            encoder.set_filter(png::Filter::NoFilter);
        }
        None => encoder.set_color(ColorType::Grayscale),
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(bytes).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(format!("data:image/png;base64,{}", base64(&file)))
}

/// Bytes in the alphabet of RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]);
            text.push(if i <= group.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn large_images_are_reduced_by_means() {
        let pixels: Vec<u8> = (0..130 * 2)
            .map(|at| if at % 2 == 0 { 100 } else { 200 })
            .collect();
        let (sides, means) = reduced(&pixels, (130, 2));
        assert_eq!(sides, (44, 1));
        assert!(means.iter().all(|&mean| mean == 150.0));
        assert_eq!(reduced(&[1u8, 2], (1, 2)), ((1, 2), vec![1.0, 2.0]));
    }

    #[test]
    fn nothing_is_white_and_both_ends_have_their_colours() {
        assert_eq!(diverging(0.0, 2.0), [255; 3]);
        assert_eq!(diverging(-2.0, 2.0), NEGATIVE);
        assert_eq!(diverging(9.0, 2.0), POSITIVE);
        assert_eq!(diverging(9.0, 0.0), [255; 3]);
        assert_eq!(diverging(f32::NAN, 1.0), [255; 3]);
    }
}
