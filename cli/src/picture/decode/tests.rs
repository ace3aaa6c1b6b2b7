//! Images of every format, whole, turned and cut.

use super::exif::Orientation;
use super::*;
use ::png::{BitDepth, ColorType, Encoder};
use image_webp::WebPEncoder;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder, SamplingFactor};

const ROWS: usize = 24;
const COLUMNS: usize = 40;

/// A vertical bar of 0 on 255, in so many equal channels.
fn bar(channels: usize) -> Vec<u8> {
    let pixel = |k: usize| {
        if (10..20).contains(&(k % COLUMNS)) {
            0
        } else {
            255
        }
    };
    (0..ROWS * COLUMNS * channels)
        .map(|k| pixel(k / channels))
        .collect()
}

/// EXIF with an orientation of 6, and what it means.
const EXIF: [u8; 26] = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
const TURNED: Orientation = Orientation {
    is_transposed: true,
    flips_rows: false,
    flips_columns: true,
};

/// How an image is written as PNG.
struct Png<'a> {
    color: ColorType,
    depth: BitDepth,
    data: &'a [u8],
    palette: Option<&'a [u8]>,
    trns: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
}

impl Png<'_> {
    fn write(&self) -> Vec<u8> {
        let mut info = ::png::Info::with_size(COLUMNS as u32, ROWS as u32);
        (info.color_type, info.bit_depth) = (self.color, self.depth);
        info.palette = self.palette.map(|bytes| bytes.to_vec().into());
        info.trns = self.trns.map(|bytes| bytes.to_vec().into());
        info.exif_metadata = self.exif.map(|bytes| bytes.to_vec().into());
        let mut bytes = Vec::new();
        let mut writer = Encoder::with_info(&mut bytes, info)
            .unwrap()
            .write_header()
            .unwrap();
        writer.write_image_data(self.data).unwrap();
        writer.finish().unwrap();
        bytes
    }
}

const GREY: Png<'_> = Png {
    color: ColorType::Grayscale,
    depth: BitDepth::Eight,
    data: &[],
    palette: None,
    trns: None,
    exif: None,
};

fn jpeg(channels: usize, is_progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes, 95);
    encoder.set_progressive(is_progressive);
    if channels < 4 {
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
    }
    encoder
        .add_app_segment(1, [b"Exif\0\0", &EXIF[..]].concat())
        .unwrap();
    let cmyk = || bar(1).iter().flat_map(|&x| [0, 0, 0, 255 - x]).collect();
    let (color, data) = match channels {
        1 => (JpegColor::Luma, bar(1)),
        3 => (JpegColor::Rgb, bar(3)),
        _ => (JpegColor::Cmyk, cmyk()),
    };
    encoder
        .encode(&data, COLUMNS as u16, ROWS as u16, color)
        .unwrap();
    bytes
}

fn webp() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    encoder.set_exif_metadata(EXIF.to_vec());
    let (color, data) = (image_webp::ColorType::Rgb8, bar(3));
    encoder
        .encode(&data, COLUMNS as u32, ROWS as u32, color)
        .unwrap();
    bytes
}

/// Asserts that the file shows the bar, up to `off`, and how it is turned.
fn assert_bar(name: &str, file: &[u8], orientation: Orientation, off: u8) {
    let pixels = decode(file).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!((pixels.rows, pixels.columns), (ROWS, COLUMNS), "{name}");
    assert_eq!(pixels.orientation, orientation, "{name}");
    let expected = bar(pixels.channels);
    assert_eq!(pixels.bytes.len(), expected.len(), "{name}");
    let most = pixels
        .bytes
        .iter()
        .zip(&expected)
        .map(|(x, y)| x.abs_diff(*y))
        .max();
    assert!(most.unwrap() <= off, "{name}: {most:?}");
}

#[test]
fn every_format_shows_the_same() {
    let upright = Orientation::default();
    let data = bar(1);
    assert_bar(
        "PNG",
        &Png {
            data: &data,
            ..GREY
        }
        .write(),
        upright,
        0,
    );
    let exif = Some(&EXIF[..]);
    assert_bar(
        "PNG with EXIF",
        &Png {
            data: &data,
            exif,
            ..GREY
        }
        .write(),
        TURNED,
        0,
    );
    let wide = |bits: u32| -> Vec<u8> {
        let largest = ((1_u32 << bits) - 1) as u16;
        let sample = |&x: &u8| (u16::from(x / 255) * largest).to_be_bytes();
        data.iter().flat_map(sample).collect()
    };
    for bits in [8, 10, 12, 16] {
        let file = Png {
            data: &wide(bits),
            depth: BitDepth::Sixteen,
            ..GREY
        }
        .write();
        assert_bar(&format!("PNG of {bits} bits in 16"), &file, upright, 0);
    }
    let indexed: Vec<u8> = bar(1).iter().map(|&x| x / 255).collect();
    let palette = Some(&[0, 0, 0, 255, 255, 255][..]);
    let color = ColorType::Indexed;
    let file = Png {
        data: &indexed,
        color,
        palette,
        ..GREY
    }
    .write();
    assert_bar("PNG with a palette", &file, upright, 0);
    // The colour of the ground is to be transparent.
    let file = Png {
        data: &data,
        trns: Some(&[0, 255]),
        ..GREY
    }
    .write();
    assert_bar("PNG with a colour key", &file, upright, 0);
    let file = Png {
        data: &bar(3),
        color: ColorType::Rgb,
        trns: Some(&[0, 255, 0, 255, 0, 255]),
        ..GREY
    };
    assert_bar("RGB with a colour key", &file.write(), upright, 0);

    for is_progressive in [false, true] {
        for channels in [1, 3, 4] {
            let name = format!("JPEG of {channels} channels, progressive: {is_progressive}");
            assert_bar(&name, &jpeg(channels, is_progressive), TURNED, 40);
        }
    }
    assert_bar("WebP", &webp(), TURNED, 0);
}

#[test]
fn a_palette_keeps_its_alpha() {
    let indexed: Vec<u8> = bar(1).iter().map(|&x| x / 255).collect();
    let palette = Some(&[9, 9, 9, 8, 8, 8][..]);
    let trns = Some(&[255, 0][..]);
    let file = Png {
        data: &indexed,
        color: ColorType::Indexed,
        palette,
        trns,
        ..GREY
    }
    .write();
    let pixels = decode(&file).unwrap();
    assert_eq!(pixels.channels, 4);
    assert_eq!(pixels.bytes[..4], [8, 8, 8, 0]);
    assert_eq!(pixels.bytes[40..44], [9, 9, 9, 255]);
}

/// Wherever a file is cut, it is refused, up to what only marks its end or follows the pixels.
#[test]
fn cut_files_are_refused() {
    let png = Png {
        data: &bar(1),
        ..GREY
    }
    .write();
    let files = [
        ("PNG", png, 12),
        ("JPEG", jpeg(3, false), 0),
        ("progressive JPEG", jpeg(1, true), 0),
        ("CMYK", jpeg(4, false), 0),
        ("WebP", webp(), 0),
    ];
    for (name, file, end) in files {
        assert!(decode(&file).is_ok(), "{name}");
        for len in 0..file.len() - end {
            assert!(
                decode(&file[..len]).is_err(),
                "{name} cut at {len} of {}",
                file.len()
            );
        }
    }
}

/// No byte makes a decoder panic, whatever it is changed to.
#[test]
fn changed_files_are_read_or_refused() {
    let png = Png {
        data: &bar(1),
        exif: Some(&EXIF),
        ..GREY
    }
    .write();
    for file in [png, jpeg(3, false), jpeg(4, true), webp()] {
        for at in 0..file.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] ^= change;
                let _ = decode(&changed);
            }
        }
    }
}

#[test]
fn large_images_are_refused_before_they_are_decoded() {
    let mut png = Png {
        data: &bar(1),
        ..GREY
    }
    .write();
    let crc = |png: &mut [u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(&png[12..29]);
        let sum = sum.sum().to_be_bytes();
        png[29..33].copy_from_slice(&sum);
    };
    // 8000×8000 of 16 bits.
    png[16..24].copy_from_slice(&[0, 0, 0x1f, 0x40, 0, 0, 0x1f, 0x40]);
    png[24] = 16;
    crc(&mut png);
    assert!(
        decode(&png)
            .unwrap_err()
            .contains("8000×8000 pixels are too many")
    );
    // 5000×5000 of four channels of 16 bits, in 200 MB.
    png[16..24].copy_from_slice(&[0, 0, 0x13, 0x88, 0, 0, 0x16, 0x88]);
    png[25] = 6;
    crc(&mut png);
    assert!(
        decode(&png)
            .unwrap_err()
            .contains("5000×5768 pixels are too many")
    );
    let mut jpeg = jpeg(3, false);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x40, 0, 0x40, 0]);
    assert!(
        decode(&jpeg)
            .unwrap_err()
            .contains("16384×16384 pixels are too many")
    );
}

#[test]
fn what_is_no_image_is_named() {
    for (bytes, name) in [
        (&b""[..], "the file is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "git lfs pull",
        ),
        (b"GIF89a", "a GIF image: PNG, JPEG"),
        (b"II*\0", "a TIFF image"),
        (b"\0\0\0\x20ftypheic", "a HEIF or AVIF image"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"<html>", "a web page"),
        (b"PK\x03\x04", "a zip archive"),
        (b"hello", "no image of a known format"),
        (b"P7\n", "no image of a known format"),
    ] {
        assert!(decode(bytes).unwrap_err().contains(name), "{name}");
    }
}
