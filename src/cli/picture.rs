//! Images from outside, brought into the form of the training images.

use super::Failure;
use crate::vector;
use png::{ColorType, Decoder, Limits, Transformations};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The most pixels that an image may have; more is no picture of one digit.
const MAX_PIXELS: u64 = 1 << 26;

/// The part of the side that a digit fills, and the whole: MNIST's digits fit
/// into 20×20 of 28×28 pixels (LeCun et al., *Gradient-Based Learning Applied
/// to Document Recognition*, 1998, section III.A).
const FILLED: (usize, usize) = (20, 28);

/// A grey image, ink towards 1 on a ground towards 0.
pub(super) struct Picture {
    rows: usize,
    columns: usize,
    ink: Vec<f32>,
}

impl Picture {
    /// Reads a PNG file. Ink is what differs from the border: an image whose
    /// border is light is inverted.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failure = |why: String| Failure::new(format!("{}: {why}", path.display()));
        let file = File::open(path).map_err(|error| failure(error.to_string()))?;
        let bytes = usize::try_from(8 * MAX_PIXELS).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes });
        decoder.set_transformations(Transformations::normalize_to_color8());
        let no_png = |error: png::DecodingError| failure(format!("no PNG image: {error}"));
        let mut reader = decoder.read_info().map_err(no_png)?;
        let (width, height) = reader.info().size();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(failure(format!("{width}×{height} pixels are too many")));
        }
        let size = reader.output_buffer_size();
        let size = size.ok_or_else(|| failure(format!("{width}×{height} pixels are too many")))?;
        let mut bytes = vec![0; size];
        let frame = reader.next_frame(&mut bytes).map_err(no_png)?;
        let (channels, colour) = match frame.color_type {
            ColorType::Grayscale => (1, false),
            ColorType::GrayscaleAlpha => (2, false),
            ColorType::Rgb => (3, true),
            ColorType::Rgba => (4, true),
            ColorType::Indexed => return Err(failure("a palette without colours".to_string())),
        };
        let grey = |pixel: &[u8]| {
            let [r, g, b] = if colour { [0, 1, 2] } else { [0; 3] }.map(|i| f32::from(pixel[i]));
            // Luma of ITU-R BT.601, on white where the image is transparent.
            let luma = (0.299 * r + 0.587 * g + 0.114 * b) / 255.0;
            let has_alpha = channels % 2 == 0;
            let alpha = if has_alpha {
                f32::from(pixel[channels - 1]) / 255.0
            } else {
                1.0
            };
            1.0 - alpha * (1.0 - luma)
        };
        let used = &bytes[..frame.buffer_size()];
        let ink = used.chunks_exact(channels).map(grey).collect();
        let mut picture = Self {
            rows: height as usize,
            columns: width as usize,
            ink,
        };
        if picture.border() > 0.5 {
            for x in &mut picture.ink {
                *x = 1.0 - *x;
            }
        }
        Ok(picture)
    }

    /// The mean of the outermost pixels.
    fn border(&self) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, row) in self.ink.chunks(self.columns).enumerate() {
            let inner = i > 0 && i + 1 < self.rows;
            let step = if inner { (self.columns - 1).max(1) } else { 1 };
            for x in row.iter().step_by(step) {
                sum += x;
                count += 1.0;
            }
        }
        sum / count
    }

    /// The inputs of a net for `rows × columns` images. An image of that size
    /// is taken as it is; of another, the part with ink is scaled and centred
    /// as MNIST's are.
    pub(super) fn fitted(self, rows: usize, columns: usize) -> Vec<f32> {
        if (self.rows, self.columns) == (rows, columns) {
            return self.ink;
        }
        let digit = self.cropped();
        let (filled, whole) = FILLED;
        let (box_rows, box_columns) = (rows * filled / whole, columns * filled / whole);
        let scale =
            (box_rows as f32 / digit.rows as f32).min(box_columns as f32 / digit.columns as f32);
        let side = |pixels: usize, most: usize| {
            ((pixels as f32 * scale).round() as usize).clamp(1, most.max(1))
        };
        digit
            .resized(side(digit.rows, rows), side(digit.columns, columns))
            .centred(rows, columns)
    }

    /// The smallest part outside which no pixel has a quarter of the strongest
    /// ink.
    fn cropped(&self) -> Self {
        let threshold = vector::max(&self.ink) / 4.0;
        let inked = |i: usize, j: usize| self.ink[i * self.columns + j] > threshold;
        let of = |count: usize, any: &dyn Fn(usize) -> bool| {
            let first = (0..count).find(|&i| any(i)).unwrap_or(0);
            let last = (0..count).rfind(|&i| any(i)).unwrap_or(count - 1);
            first..last + 1
        };
        let rows = of(self.rows, &|i| (0..self.columns).any(|j| inked(i, j)));
        let columns = of(self.columns, &|j| (0..self.rows).any(|i| inked(i, j)));
        let ink = rows
            .clone()
            .flat_map(|i| &self.ink[i * self.columns..][columns.clone()]);
        Self {
            ink: ink.copied().collect(),
            rows: rows.len(),
            columns: columns.len(),
        }
    }

    /// Scaled so that each new pixel is the mean of the area that it covers.
    fn resized(&self, rows: usize, columns: usize) -> Self {
        let mut ink = Vec::with_capacity(rows * columns);
        for i in 0..rows {
            for j in 0..columns {
                let mut sum = 0.0;
                for (y, high) in covered(i, rows, self.rows) {
                    for (x, wide) in covered(j, columns, self.columns) {
                        sum += high * wide * self.ink[y * self.columns + x];
                    }
                }
                ink.push(sum);
            }
        }
        Self { rows, columns, ink }
    }

    /// Moved so that the centre of the ink is the centre of a larger image.
    fn centred(&self, rows: usize, columns: usize) -> Vec<f32> {
        let (mut mass, mut down, mut right) = (0.0, 0.0, 0.0);
        for (k, &x) in self.ink.iter().enumerate() {
            mass += x;
            down += x * ((k / self.columns) as f32 + 0.5);
            right += x * ((k % self.columns) as f32 + 0.5);
        }
        let shift = |moment: f32, part: usize, whole: usize| {
            let centre = if mass > 0.0 {
                moment / mass
            } else {
                part as f32 / 2.0
            };
            let first = (whole as f32 / 2.0 - centre).round().max(0.0) as usize;
            first.min(whole - part)
        };
        let (top, left) = (
            shift(down, self.rows, rows),
            shift(right, self.columns, columns),
        );
        let mut moved = vec![0.0; rows * columns];
        for (i, row) in self.ink.chunks(self.columns).enumerate() {
            moved[(top + i) * columns + left..][..self.columns].copy_from_slice(row);
        }
        moved
    }
}

/// The old pixels under new pixel `i` of `new`, each with its share of it.
fn covered(i: usize, new: usize, old: usize) -> impl Iterator<Item = (usize, f32)> {
    let scale = old as f32 / new as f32;
    let (from, to) = (i as f32 * scale, (i + 1) as f32 * scale);
    let last = (to.ceil() as usize).clamp(from as usize + 1, old);
    (from as usize..last).map(move |p| {
        let overlap = to.min((p + 1) as f32) - from.max(p as f32);
        (p, overlap / scale)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vertical stroke of ink in an image of that size.
    fn stroke(rows: usize, columns: usize, ink: impl Fn(usize, usize) -> bool) -> Picture {
        let pixel = |k: usize| {
            if ink(k / columns, k % columns) {
                1.0
            } else {
                0.0
            }
        };
        Picture {
            rows,
            columns,
            ink: (0..rows * columns).map(pixel).collect(),
        }
    }

    #[test]
    fn an_image_of_the_right_size_is_taken_as_it_is() {
        let picture = stroke(28, 28, |i, j| i == 3 && j == 4);
        let before = picture.ink.clone();
        assert_eq!(picture.fitted(28, 28), before);
    }

    #[test]
    fn a_stroke_in_a_corner_comes_to_the_middle_at_twenty_pixels() {
        let picture = stroke(200, 150, |i, j| {
            (10..110).contains(&i) && (5..15).contains(&j)
        });
        let input = picture.fitted(28, 28);
        for i in 0..28 {
            for j in 0..28 {
                let inside = (4..24).contains(&i) && (13..15).contains(&j);
                let expected = if inside { 1.0 } else { 0.0 };
                assert!((input[i * 28 + j] - expected).abs() < 1e-5, "({i}, {j})");
            }
        }
    }

    #[test]
    fn scaling_keeps_the_mean() {
        let picture = stroke(31, 47, |i, j| (i * j) % 3 == 0);
        let mean = |ink: &[f32]| ink.iter().sum::<f32>() / ink.len() as f32;
        for (rows, columns) in [(20, 20), (7, 13), (31, 47), (64, 90), (1, 1)] {
            let scaled = picture.resized(rows, columns);
            assert!((mean(&scaled.ink) - mean(&picture.ink)).abs() < 1e-4);
        }
    }

    #[test]
    fn an_empty_image_stays_empty() {
        let input = stroke(5, 900, |_, _| false).fitted(28, 28);
        assert!(input.len() == 784 && input.iter().all(|&x| x == 0.0));
    }
}
