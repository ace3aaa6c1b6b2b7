//! Contact sheets: the first images of each class.

use crate::failure::Failure;
use crate::memory;
use handwritten::data::Dataset;
use png::{BitDepth, ColorType, Encoder};

/// Images of each class in a picture.
const IMAGES: usize = 10;

/// Pixels between images, and their grey.
const GAP: usize = 2;
const GREY: u8 = 96;

/// Columns of a terminal.
const TERMINAL: usize = 80;

/// The indices of the first images of each class, up to `most`.
pub(in crate::commands) fn firsts(data: &Dataset, most: usize) -> Vec<Vec<usize>> {
    let mut found = vec![vec![]; data.classes()];
    for (i, &label) in data.labels().iter().enumerate() {
        let of_class = &mut found[usize::from(label)];
        if of_class.len() < most {
            of_class.push(i);
        }
    }
    found
}

/// A picture with a row for each class.
pub(super) fn png(data: &Dataset) -> Result<Vec<u8>, Failure> {
    let images = |images: &Vec<usize>| images.iter().map(|&i| data.image(i)).collect();
    let classes: Vec<Vec<&[u8]>> = firsts(data, IMAGES).iter().map(images).collect();
    grid(data.rows(), data.columns(), &classes)
}

/// A picture of images of this size, in lines of up to [`IMAGES`].
pub(in crate::commands) fn grid(
    rows: usize,
    columns: usize,
    lines: &[Vec<impl AsRef<[u8]>>],
) -> Result<Vec<u8>, Failure> {
    let (height, width) = (
        lines.len() * (rows + GAP) + GAP,
        IMAGES * (columns + GAP) + GAP,
    );
    let failed = |error: png::EncodingError| {
        Failure::new(format!("cannot draw {width}×{height} pixels: {error}"))
    };
    // The pixels, and the file, which is no longer than they are but for its frame.
    memory::require(
        3 * height * width,
        format_args!("draw {width}×{height} pixels"),
    )?;
    let mut pixels = vec![GREY; height * width];
    for (line, images) in lines.iter().enumerate() {
        for (place, image) in images.iter().enumerate() {
            let corner = (GAP + line * (rows + GAP)) * width + GAP + place * (columns + GAP);
            for (row, line) in image.as_ref().chunks_exact(columns).enumerate() {
                pixels[corner + row * width..][..columns].copy_from_slice(line);
            }
        }
    }
    let mut bytes = Vec::new();
    let size = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = Encoder::new(&mut bytes, size(width), size(height));
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// The first image of each class for a terminal, in characters of 2×4 dots each. Empty for
/// images that are wider than a terminal.
pub(super) fn text(data: &Dataset, names: &[String]) -> String {
    let (wide, tall) = (data.columns().div_ceil(2), data.rows().div_ceil(4));
    if wide + 2 > TERMINAL {
        return String::new();
    }
    let classes = firsts(data, 1);
    let shown: Vec<(usize, usize)> = classes
        .iter()
        .enumerate()
        .filter_map(|(class, images)| Some((class, *images.first()?)))
        .collect();
    let mut text = String::new();
    for group in shown.chunks(TERMINAL / (wide + 2)) {
        let mut lines = vec![String::new(); 1 + tall];
        for &(class, i) in group {
            let name = names.get(class).map_or("", String::as_str);
            let name: String = name.chars().take(wide).collect();
            lines[0] += &format!("{name:wide$}  ");
            for (line, dots) in lines[1..].iter_mut().zip(dots(data, i)) {
                *line += &dots;
                *line += "  ";
            }
        }
        for line in lines {
            text += line.trim_end();
            text.push('\n');
        }
    }
    text.trim_end().to_string()
}

/// An image in lines of characters of 2×4 dots (Unicode, "Braille Patterns").
fn dots(data: &Dataset, i: usize) -> impl Iterator<Item = String> {
    // The bit of each dot, by row and column.
    const BITS: [[u32; 2]; 4] = [[0, 3], [1, 4], [2, 5], [6, 7]];
    let image = data.image(i);
    let strongest = image.iter().copied().max().unwrap_or(0);
    let is_ink = move |row: usize, column: usize| {
        let inside = row < data.rows() && column < data.columns();
        inside && image[row * data.columns() + column] > strongest / 2
    };
    let cell = move |top: usize, left: usize| {
        let mut bits = 0;
        for (row, bit) in BITS.iter().enumerate() {
            for (column, bit) in bit.iter().enumerate() {
                bits |= u32::from(is_ink(top + row, left + column)) << bit;
            }
        }
        char::from_u32(0x2800 + bits).unwrap_or(' ')
    };
    let lines = (0..data.rows()).step_by(4);
    lines.map(move |top| {
        (0..data.columns())
            .step_by(2)
            .map(|left| cell(top, left))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_has_eight_dots() {
        let mut pixels = vec![0; 8];
        for (pixel, dots) in [
            (0, "⠁"),
            (1, "⠈"),
            (2, "⠂"),
            (3, "⠐"),
            (4, "⠄"),
            (5, "⠠"),
            (6, "⡀"),
            (7, "⢀"),
        ] {
            pixels.fill(0);
            pixels[pixel] = 9;
            let data = Dataset::new(pixels.clone(), 4, 2, vec![0]).unwrap();
            assert_eq!(text(&data, &["7".into()]), format!("7\n{dots}"));
        }
    }

    #[test]
    fn each_class_has_a_row_of_its_first_images() {
        let data = Dataset::new(vec![10, 20, 30], 1, 1, vec![2, 0, 2]).unwrap();
        assert_eq!(firsts(&data, 1), [vec![1], vec![], vec![0]]);
        let bytes = png(&data).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let width = IMAGES * 3 + 2;
        assert_eq!(pixels.len(), width * 11);
        assert_eq!(pixels[2 * width + 2], 20);
        assert_eq!((pixels[8 * width + 2], pixels[8 * width + 5]), (10, 30));
        assert_eq!(pixels[5 * width + 2], GREY);
    }
}
