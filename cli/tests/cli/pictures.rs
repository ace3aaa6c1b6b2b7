//! PNG files for the commands to read.

use crate::programs::{SIDE, is_ink};
use png::{BitDepth, ColorType, Encoder};

/// The shape of a class without noise, 0 or 255.
pub(crate) fn shape(class: usize) -> Vec<u8> {
    (0..SIDE * SIDE)
        .map(|k| 255 * u8::from(is_ink(class, k / SIDE, k % SIDE)))
        .collect()
}

/// A square PNG file of 1 (grey), 3 (RGB) or 4 bytes (RGBA) a pixel.
pub(crate) fn png(pixels: &[u8], side: usize, channels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(match channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    });
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    bytes
}
