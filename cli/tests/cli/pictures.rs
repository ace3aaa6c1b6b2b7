//! Pictures for the commands to read.

use crate::programs::{SIDE, is_ink};
use image_webp::WebPEncoder;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder};
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

/// A square grey image in every other format, by the ending of its name.
pub(crate) fn formats(pixels: &[u8], side: usize) -> Vec<(&'static str, Vec<u8>)> {
    let rgb: Vec<u8> = pixels.iter().flat_map(|&x| [x; 3]).collect();
    let header = |kind: &str| format!("{kind}\n{side} {side}\n255\n").into_bytes();
    let text: Vec<String> = pixels.iter().map(u8::to_string).collect();
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg, 90)
        .encode(pixels, side as u16, side as u16, JpegColor::Luma)
        .unwrap();
    let mut webp = Vec::new();
    WebPEncoder::new(&mut webp)
        .encode(&rgb, side as u32, side as u32, image_webp::ColorType::Rgb8)
        .unwrap();
    vec![
        ("jpg", jpeg),
        ("webp", webp),
        ("pgm", [header("P5"), pixels.to_vec()].concat()),
        ("txt", [header("P2"), text.join(" ").into_bytes()].concat()),
        ("ppm", [header("P6"), rgb.clone()].concat()),
        ("bmp", bmp(&rgb, side)),
    ]
}

/// A square BMP file of 24 bits a pixel, of grey values in RGB.
fn bmp(rgb: &[u8], side: usize) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend([0; 8]);
    bytes.extend(54_u32.to_le_bytes());
    bytes.extend(40_u32.to_le_bytes());
    bytes.extend([side as u32, side as u32].map(u32::to_le_bytes).concat());
    bytes.extend([1, 24_u16].map(u16::to_le_bytes).concat());
    bytes.extend([0; 24]);
    for row in rgb.chunks(3 * side).rev() {
        // Rows are filled up to four bytes.
        bytes.extend(row);
        bytes.extend(vec![0; row.len().next_multiple_of(4) - row.len()]);
    }
    bytes
}
