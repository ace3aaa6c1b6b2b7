//! The ground of a picture, pixel by pixel, and what darkens it.
//!
//! Ink is narrow: no square as wide as a fraction of the picture fits into a stroke. A closing
//! by such a square (the highest value around each pixel, then the lowest of these; Serra,
//! *Image Analysis and Mathematical Morphology*, 1982) fills strokes up and leaves everything
//! wider as it is, the edges of shadows, tables and scanners among them. Beyond its border the
//! picture goes on as it ends, so that strips along the border are wide.

use super::colours::{Colours, transposed};
use super::fit::median;

/// Half of the side of the square, as a share of the shorter side of the picture. The square
/// is wider than a stroke of a digit that fills the picture.
const HALF_SQUARE: f32 = 0.17;

/// Lowest ground that dark ink is measured in shares of: on a darker one noise would look like
/// ink.
const DARKEST: f32 = 40.0;

/// How much better than the brightness a single colour must show the ink to be preferred.
const PREFERRED: f64 = 1.25;

/// Minimum contrast of places that tell ink from ground, as a share of the highest: most edges
/// of shadows have less.
const CLEAR: f32 = 2.0 / 3.0;

/// How much darker than its ground each pixel is, as a share of the ground, or how much
/// brighter, as a share of the full range if the ink is brighter than the ground.
pub(super) fn ink(colours: &Colours) -> Vec<f32> {
    let (rows, columns) = (colours.rows, colours.columns);
    let half = ((rows.min(columns) as f32 * HALF_SQUARE) as usize).max(1);
    let mut plane = clearest(colours, half);
    let window = Window {
        rows,
        columns,
        half,
    };
    let (mut high, low) = (window.highest(&plane), window.lowest(&plane));
    let is_bright = has_bright_ink(&plane, &high, &low, &window);
    if is_bright {
        plane.iter_mut().for_each(|x| *x = 255.0 - *x);
        high = low.into_iter().map(|x| 255.0 - x).collect();
    }
    let ground = window.closed(high);
    let share = |(&x, &ground): (&f32, &f32)| match is_bright {
        true => (ground - x) / 255.0,
        false => (ground - x) / ground.max(DARKEST),
    };
    plane.iter().zip(&ground).map(share).collect()
}

/// The brightness or the colour in which details stand out most.
fn clearest(colours: &Colours, half: usize) -> Vec<f32> {
    let [red, green, blue] = &colours.planes[..] else {
        return colours.planes[0].clone();
    };
    if red == green && green == blue {
        return red.clone();
    }
    let (rows, columns) = (colours.rows, colours.columns);
    let channels = red.iter().zip(green).zip(blue);
    let brightness: Vec<f32> = channels.map(|((r, g), b)| (r + g + b) / 3.0).collect();
    let mut best = (
        PREFERRED * detail(&brightness, rows, columns, half),
        &brightness,
    );
    for plane in &colours.planes {
        let detail = detail(plane, rows, columns, half);
        if detail > best.0 {
            best = (detail, plane);
        }
    }
    best.1.clone()
}

/// Root of the mean square distance from the mean of the pixels around.
fn detail(plane: &[f32], rows: usize, columns: usize, half: usize) -> f64 {
    // Sums of all pixels above and to the left of each corner of a pixel.
    let width = columns + 1;
    let mut sums = vec![0.0; (rows + 1) * width];
    for i in 0..rows {
        let mut row = 0.0;
        for j in 0..columns {
            row += f64::from(plane[i * columns + j]);
            sums[(i + 1) * width + j + 1] = sums[i * width + j + 1] + row;
        }
    }
    let mut squares = 0.0;
    for i in 0..rows {
        let (top, bottom) = (i.saturating_sub(half), (i + half + 1).min(rows));
        for j in 0..columns {
            let (left, right) = (j.saturating_sub(half), (j + half + 1).min(columns));
            let sum = sums[bottom * width + right] + sums[top * width + left]
                - sums[bottom * width + left]
                - sums[top * width + right];
            let mean = sum / ((bottom - top) * (right - left)) as f64;
            squares += (f64::from(plane[i * columns + j]) - mean).powi(2);
        }
    }
    (squares / plane.len() as f64).sqrt()
}

/// Whether the ink is brighter than the ground: whether fewer pixels are above the middle of
/// the values around them than below it. Only places of high contrast count.
fn has_bright_ink(plane: &[f32], high: &[f32], low: &[f32], window: &Window) -> bool {
    let wide = window.columns + 2 * window.half;
    // Pixels of the picture, each with the values around it, without the margin.
    let rows = || {
        (plane.chunks(window.columns).enumerate()).flat_map(|(i, row)| {
            let at = (i + window.half) * wide + window.half;
            let around = high[at..].iter().zip(&low[at..]);
            row.iter().zip(around)
        })
    };
    let contrast = |(_, (high, low)): (&f32, (&f32, &f32))| high - low;
    let most = rows().map(contrast).fold(0.0, f32::max);
    let (mut above, mut below) = (0_usize, 0_usize);
    for (&x, (&high, &low)) in rows() {
        if high - low >= CLEAR * most {
            match 2.0 * x > high + low {
                true => above += 1,
                false => below += 1,
            }
        }
    }
    above < below
}

/// A square that moves over a picture.
struct Window {
    rows: usize,
    columns: usize,
    half: usize,
}

impl Window {
    /// The highest value in the square around each pixel, and around those of a margin as
    /// wide as half of the square.
    fn highest(&self, plane: &[f32]) -> Vec<f32> {
        let (rows, width) = (self.rows + 2 * self.half, 2 * self.half + 1);
        let margin = 2 * self.half;
        let high = slide(&extended(plane, self.columns, margin), self.columns, width);
        let upright = transposed(&high, rows, self.columns);
        let high = slide(&extended(&upright, rows, margin), rows, width);
        transposed(&high, self.columns + 2 * self.half, rows)
    }

    /// The lowest values.
    fn lowest(&self, plane: &[f32]) -> Vec<f32> {
        let negative: Vec<f32> = plane.iter().map(|x| -x).collect();
        let mut low = self.highest(&negative);
        low.iter_mut().for_each(|x| *x = -*x);
        low
    }

    /// The closing, from the highest values.
    fn closed(&self, mut high: Vec<f32>) -> Vec<f32> {
        high.iter_mut().for_each(|x| *x = -*x);
        let width = 2 * self.half + 1;
        let wide = self.columns + 2 * self.half;
        let upright = transposed(&slide(&high, wide, width), self.rows, wide);
        let mut closed = slide(&upright, self.rows, width);
        closed.iter_mut().for_each(|x| *x = -*x);
        transposed(&closed, self.columns, self.rows)
    }
}

/// A plane whose first and last row are repeated beyond it.
fn extended(plane: &[f32], columns: usize, margin: usize) -> Vec<f32> {
    let (first, last) = (&plane[..columns], &plane[plane.len() - columns..]);
    let mut extended = Vec::with_capacity(plane.len() + 2 * margin * columns);
    (0..margin).for_each(|_| extended.extend_from_slice(first));
    extended.extend_from_slice(plane);
    (0..margin).for_each(|_| extended.extend_from_slice(last));
    extended
}

/// The highest of each `height` numbers above one another (van Herk, *A fast algorithm for
/// local minimum and maximum filters*, 1992): of blocks of that height, the highest from the
/// start of a block and to its end.
fn slide(plane: &[f32], columns: usize, height: usize) -> Vec<f32> {
    let raise = |row: &mut [f32], other: &[f32]| {
        row.iter_mut().zip(other).for_each(|(x, &y)| *x = x.max(y));
    };
    let mut from_start = plane.to_vec();
    for block in from_start.chunks_mut(height * columns) {
        for i in 1..block.len() / columns {
            let (before, row) = block.split_at_mut(i * columns);
            raise(&mut row[..columns], &before[(i - 1) * columns..]);
        }
    }
    let mut to_end = plane.to_vec();
    for block in to_end.chunks_mut(height * columns) {
        for i in (1..block.len() / columns).rev() {
            let (before, row) = block.split_at_mut(i * columns);
            raise(&mut before[(i - 1) * columns..], row);
        }
    }
    // The last row of each window.
    to_end.truncate(plane.len() - (height - 1) * columns);
    raise(&mut to_end, &from_start[(height - 1) * columns..]);
    to_end
}

/// The median of the ink, which is that of the ground, and the median distance from it.
pub(super) fn noise(ink: &[f32]) -> (f32, f32) {
    let middle = median(ink.iter().copied());
    (middle, median(ink.iter().map(|x| (x - middle).abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_each_window_is_found() {
        let line: Vec<f32> = (0..23).map(|i| ((i * 7) % 11) as f32).collect();
        for width in 1..=line.len() {
            let found = slide(&line, 1, width);
            let windows = line.windows(width);
            let expected: Vec<f32> = windows
                .map(|w| w.iter().copied().fold(f32::MIN, f32::max))
                .collect();
            assert_eq!(found, expected, "{width}");
        }
    }

    /// A ground with a step and a slope, and a stroke that is narrower than the square.
    #[test]
    fn strokes_are_filled_and_shadows_are_not() {
        let (rows, columns) = (60, 80);
        let ground = |i: usize, j: usize| if j < 40 { 190.0 } else { 130.0 } + i as f32;
        for is_bright in [false, true] {
            let value = |k: usize| {
                let (i, j) = (k / columns, k % columns);
                let is_ink = (20..40).contains(&i) && (35..40).contains(&j);
                let x = if is_ink { 40.0 } else { ground(i, j) };
                if is_bright { 255.0 - x } else { x }
            };
            let plane: Vec<f32> = (0..rows * columns).map(value).collect();
            let planes = vec![plane];
            let found = ink(&Colours {
                rows,
                columns,
                planes,
            });
            for (k, &x) in found.iter().enumerate() {
                let (i, j) = (k / columns, k % columns);
                let is_ink = (20..40).contains(&i) && (35..40).contains(&j);
                assert_eq!(x > 0.2, is_ink, "{is_bright} {i} {j} {x}");
            }
        }
    }
}
