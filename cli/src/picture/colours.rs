//! The colours of a picture as it is shown, at the size that ink is looked for in.

use super::decode::Pixels;
use super::fit::{border, covered, median};

/// Planes of equal size, one for grey and three for RGB, of values from 0 to 255.
pub(super) struct Colours {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) planes: Vec<Vec<f32>>,
}

impl Colours {
    /// Puts what is transparent on a ground, scales the picture down until no side is longer
    /// than `longest`, and turns it as its orientation says.
    pub(super) fn new(pixels: &Pixels, longest: usize) -> Self {
        let most = pixels.rows.max(pixels.columns);
        let side = |pixels: usize| match most > longest {
            true => (pixels * longest).div_ceil(most),
            false => pixels,
        };
        let (rows, columns) = (side(pixels.rows), side(pixels.columns));
        let below = ground_below(pixels);
        let colours = if pixels.channels < 3 { 1 } else { 3 };
        let plane = |c: usize| scaled(pixels, c, below[c], rows, columns);
        let mut shown = Self {
            rows,
            columns,
            planes: (0..colours).map(plane).collect(),
        };
        let turn = pixels.orientation;
        for plane in &mut shown.planes {
            if turn.is_transposed {
                *plane = transposed(plane, rows, columns);
            }
        }
        if turn.is_transposed {
            (shown.rows, shown.columns) = (columns, rows);
        }
        for plane in &mut shown.planes {
            if turn.flips_rows {
                let rows = plane.chunks(shown.columns).rev();
                *plane = rows.flatten().copied().collect();
            }
            if turn.flips_columns {
                plane.chunks_mut(shown.columns).for_each(<[f32]>::reverse);
            }
        }
        shown
    }
}

/// The transposed plane.
pub(super) fn transposed<T: Copy>(plane: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut transposed = Vec::with_capacity(plane.len());
    for j in 0..columns {
        transposed.extend((0..rows).map(|i| plane[i * columns + j]));
    }
    transposed
}

/// The alpha of a pixel, from 0 to 1.
fn alpha(pixels: &Pixels, k: usize) -> f32 {
    match pixels.channels {
        2 | 4 => f32::from(pixels.bytes[(k + 1) * pixels.channels - 1]) / 255.0,
        _ => 1.0,
    }
}

/// The colour under a picture that is transparent in places. Where most of its border is
/// opaque, that is its ground. Else ink lies on nothing: on black if it is bright, on white if
/// it is dark.
fn ground_below(pixels: &Pixels) -> [f32; 3] {
    let value = |k: usize, c: usize| f32::from(pixels.bytes[k * pixels.channels + c]);
    if !matches!(pixels.channels, 2 | 4) {
        return [0.0; 3];
    }
    let colours = pixels.channels - 1;
    let opaque: Vec<usize> = border(pixels.rows, pixels.columns)
        .filter(|&k| alpha(pixels, k) > 0.5)
        .collect();
    if 2 * opaque.len() > border(pixels.rows, pixels.columns).count() {
        return [0, 1, 2].map(|c| median(opaque.iter().map(|&k| value(k, c.min(colours - 1)))));
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for k in 0..pixels.rows * pixels.columns {
        let mean = (0..colours).map(|c| value(k, c)).sum::<f32>() / colours as f32;
        sum += f64::from(alpha(pixels, k) * mean);
        weight += f64::from(alpha(pixels, k));
    }
    [if sum > 127.5 * weight { 0.0 } else { 255.0 }; 3]
}

/// A plane of another size: each pixel is the mean of the area that it covers.
fn scaled(pixels: &Pixels, c: usize, below: f32, rows: usize, columns: usize) -> Vec<f32> {
    let value = |k: usize| {
        let alpha = alpha(pixels, k);
        let value = f32::from(pixels.bytes[k * pixels.channels + c]);
        alpha * value + (1.0 - alpha) * below
    };
    let mut plane = vec![0.0; rows * columns];
    let spans: Vec<Vec<(usize, f32)>> = (0..columns)
        .map(|j| covered(j, columns, pixels.columns).collect())
        .collect();
    for (i, row) in plane.chunks_mut(columns).enumerate() {
        for (y, high) in covered(i, rows, pixels.rows) {
            for (x, span) in row.iter_mut().zip(&spans) {
                let at = |&(j, wide): &(usize, f32)| wide * value(y * pixels.columns + j);
                *x += high * span.iter().map(at).sum::<f32>();
            }
        }
    }
    plane
}
