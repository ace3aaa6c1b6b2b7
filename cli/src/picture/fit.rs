//! The ink of a picture, brought into the form of the training images.

use super::Form;
use super::colours::{Colours, transposed};
use handwritten::compute::vector;
use handwritten::data::{Centre, Framing};
use std::ops::Range;

/// The part of an image's side that a digit fills where the framing is not known, and the whole
/// side: MNIST's digits fit into 20×20 of 28×28 pixels (LeCun et al., *Gradient-Based Learning Applied
/// to Document Recognition*, 1998, section III.A).
const FILLED: (usize, usize) = (20, 28);

/// Minimum difference from the background that counts as ink, as a share of the
/// full range.
const FAINT: f32 = 1.0 / 16.0;

/// Minimum difference from the background that counts as ink, as a multiple of the
/// median difference at the border.
const NOISE: f32 = 3.0;

/// Share of the ink that may lie apart from the digit at each side, as specks.
const SPECKS: f32 = 0.02;

/// Distance of the centre of the ink from the middle, in pixels, that counts as none.
const CENTRED: f32 = 0.1;

/// A grey image: the ground is 0, ink is up to 1.
pub(super) struct Ink {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) ink: Vec<f32>,
}

impl Ink {
    /// Takes the median of the border as the background, and as ink the distance
    /// from it in the colour that differs most. Colours are from 0 to 255.
    fn from_pixels(rows: usize, columns: usize, pixel: impl Fn(usize) -> [f32; 3]) -> Self {
        let border: Vec<[f32; 3]> = border(rows, columns).map(&pixel).collect();
        let ground = [0, 1, 2].map(|i| median(border.iter().map(|pixel| pixel[i])));
        let distance = |k: usize| {
            let pixel = pixel(k);
            vector::max(&[0, 1, 2].map(|i| (pixel[i] - ground[i]).abs() / 255.0))
        };
        let ink = (0..rows * columns).map(distance).collect();
        Self { rows, columns, ink }
    }

    /// The ink of a small picture on an even ground: what differs from the median of the border.
    ///
    /// # Errors
    /// No ink that stands out.
    pub(super) fn from_border(colours: &Colours, full: f32) -> Result<Self, String> {
        let planes = &colours.planes;
        let pixel = |k: usize| [0, 1, 2].map(|c| planes[c % planes.len()][k]);
        Self::from_pixels(colours.rows, colours.columns, pixel)
            .cleaned(FAINT * full)
            .ok_or_else(|| "no ink stands out from the background".to_string())
    }

    /// Removes the noise of the background; `None` if nothing else is there that is at least
    /// as strong as `faint`.
    fn cleaned(mut self, faint: f32) -> Option<Self> {
        let border = border(self.rows, self.columns).map(|k| self.ink[k]);
        let noise = NOISE * median(border);
        if vector::max(&self.ink) < noise.max(faint) {
            return None;
        }
        for x in &mut self.ink {
            if *x < noise {
                *x = 0.0;
            }
        }
        Some(self)
    }

    /// The inputs of a net: the ink is stretched to full strength, scaled and centred as in the
    /// images that the net was trained on. An image of their size is left where it is if its ink
    /// lies as in them, or if that is not known.
    pub(super) fn fitted(self, form: Form) -> Vec<f32> {
        let (rows, columns) = (form.rows, form.columns);
        let mut input = self.placed(form);
        let Some(framing) = form.framing else {
            return input;
        };
        if framing.is_transposed {
            input = transposed(&input, rows, columns);
        }
        let (largest, is_inverted) = (framing.pixels.largest(), framing.pixels.is_inverted());
        if is_inverted {
            input.iter_mut().for_each(|x| *x = 1.0 - *x);
        }
        if largest < u8::MAX {
            let full = f32::from(largest) / 255.0;
            input.iter_mut().for_each(|x| *x *= full);
        }
        input
    }

    /// The ink in its place, upright, 0 on the ground. If the ink of an image that stays where it
    /// is is no stronger than that of the images which the net was trained on, full ink becomes 1.
    fn placed(mut self, form: Form) -> Vec<f32> {
        let Form {
            rows,
            columns,
            framing,
            full,
            ..
        } = form;
        let is_own = (self.rows, self.columns) == (rows, columns);
        if is_own && framing.is_none_or(|framing| self.lies_as(framing)) {
            if full < 1.0 && vector::max(&self.ink) <= full {
                self.ink.iter_mut().for_each(|x| *x /= full);
            }
            return self.ink;
        }
        let digit = self.cropped();
        let (box_rows, box_columns) = match framing {
            Some(framing) => (framing.filled, framing.filled),
            None => (rows * FILLED.0 / FILLED.1, columns * FILLED.0 / FILLED.1),
        };
        let scale =
            (box_rows as f32 / digit.rows as f32).min(box_columns as f32 / digit.columns as f32);
        let side = |pixels: usize, most: usize| {
            ((pixels as f32 * scale).round() as usize).clamp(1, most.max(1))
        };
        let centre = framing.map_or(Centre::Mass, |framing| framing.centre);
        digit
            .resized(side(digit.rows, rows), side(digit.columns, columns))
            .centred(rows, columns, centre)
    }

    /// Whether the ink has what each image of that framing has, as each of MNIST's 70 000: a
    /// strongest value of at least 254 of 255, a longer side of that many pixels or one less, a
    /// centre within a pixel of the middle.
    fn lies_as(&self, framing: Framing) -> bool {
        let lines = self.lines(0.0);
        let boxes = lines.each_ref().map(|lines| extent(lines, 0.0));
        let filled = framing.filled;
        let middle = |n: usize| match framing.centre {
            Centre::Box => (boxes[n].start + boxes[n].end) as f32 / 2.0,
            _ => centre(&lines[n]),
        };
        vector::max(&self.ink) >= 254.0 / 255.0
            && (filled - 1..=filled).contains(&boxes[0].len().max(boxes[1].len()))
            && [0, 1]
                .iter()
                .all(|&n| (middle(n) - lines[n].len() as f32 / 2.0).abs() <= 1.0)
    }

    /// The bounding box of the digit, with its strongest ink scaled to 1. Anything
    /// less than a quarter as strong counts as shadow; a few specks may lie outside.
    fn cropped(&self) -> Self {
        let strongest = vector::max(&self.ink);
        let weak = strongest / 4.0;
        let lines = self.lines(weak);
        let [rows, columns] = lines.map(|lines| extent(&lines, SPECKS));
        let ink = rows
            .clone()
            .flat_map(|i| &self.ink[i * self.columns..][columns.clone()]);
        // No more than that: a vector that grows is copied into one of twice its size.
        let mut cropped = Vec::with_capacity(rows.len() * columns.len());
        cropped.extend(ink.map(|&x| if x > weak { x / strongest } else { 0.0 }));
        Self {
            ink: cropped,
            rows: rows.len(),
            columns: columns.len(),
        }
    }

    /// Sums of the ink above a threshold, by row and by column.
    fn lines(&self, threshold: f32) -> [Vec<f32>; 2] {
        let (mut rows, mut columns) = (vec![0.0; self.rows], vec![0.0; self.columns]);
        for (k, &x) in self.ink.iter().enumerate() {
            if x > threshold {
                rows[k / self.columns] += x;
                columns[k % self.columns] += x;
            }
        }
        [rows, columns]
    }

    /// Resamples the image so that each new pixel is the mean of the area it covers.
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

    /// Moves the centre of the ink to that of a larger image or, as in MNIST, less
    /// than a pixel below and to the right of it.
    fn centred(&self, rows: usize, columns: usize, of: Centre) -> Vec<f32> {
        let shift = |lines: &[f32], whole: usize| {
            if of == Centre::Box {
                return (whole - lines.len()) / 2;
            }
            // Noise moves the centre of ink that lies in the middle: that is no reason to move it.
            let first = (whole as f32 / 2.0 - centre(lines) - CENTRED)
                .ceil()
                .max(0.0) as usize;
            first.min(whole - lines.len())
        };
        let [by_row, by_column] = self.lines(0.0);
        let (top, left) = (shift(&by_row, rows), shift(&by_column, columns));
        let mut moved = vec![0.0; rows * columns];
        for (i, row) in self.ink.chunks(self.columns).enumerate() {
            moved[(top + i) * columns + left..][..self.columns].copy_from_slice(row);
        }
        moved
    }
}

/// Positions of the outermost pixels.
pub(super) fn border(rows: usize, columns: usize) -> impl Iterator<Item = usize> {
    (0..rows).flat_map(move |i| {
        let inner = i > 0 && i + 1 < rows;
        let step = if inner { (columns - 1).max(1) } else { 1 };
        (0..columns).step_by(step).map(move |j| i * columns + j)
    })
}

/// The median; of an even number of elements, the larger one in the middle.
pub(super) fn median(xs: impl Iterator<Item = f32>) -> f32 {
    let mut xs: Vec<f32> = xs.collect();
    let middle = xs.len() / 2;
    *xs.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The range from the first to the last line with ink. Lines at either end do not
/// count if an empty line separates them and they hold at most `share` of all ink.
fn extent(lines: &[f32], share: f32) -> Range<usize> {
    let most = share * vector::sum(lines);
    first(lines.iter(), most)..lines.len() - first(lines.iter().rev(), most)
}

/// Number of lines up to and including the last empty one before which the lines
/// hold at most `most` ink.
fn first<'a>(lines: impl Iterator<Item = &'a f32>, most: f32) -> usize {
    let (mut sum, mut first) = (0.0, 0);
    for (i, &x) in lines.enumerate() {
        sum += x;
        if sum > most {
            break;
        }
        if x == 0.0 {
            first = i + 1;
        }
    }
    first
}

/// The centre of mass of the ink.
fn centre(lines: &[f32]) -> f32 {
    let moments = lines.iter().enumerate().map(|(i, x)| x * (i as f32 + 0.5));
    moments.sum::<f32>() / vector::sum(lines)
}

/// The old pixels that new pixel `i` of `new` covers, each with its share of the
/// area.
pub(super) fn covered(i: usize, new: usize, old: usize) -> impl Iterator<Item = (usize, f32)> {
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
    use crate::image_folder::Fit;
    use crate::setup;

    const FORM: Form = Form {
        rows: 28,
        columns: 28,
        framing: Some(Framing::MNIST),
        is_row: true,
        full: 1.0,
    };

    /// A vertical stroke of ink in an image of that size.
    fn stroke(rows: usize, columns: usize, ink: impl Fn(usize, usize) -> bool) -> Ink {
        let pixel = |k: usize| {
            if ink(k / columns, k % columns) {
                1.0
            } else {
                0.0
            }
        };
        Ink {
            rows,
            columns,
            ink: (0..rows * columns).map(pixel).collect(),
        }
    }

    #[test]
    fn the_images_of_mnist_are_taken_as_they_are() {
        let Ok(corpus) = setup::load(None, 1, Fit::as_mnist(false)) else {
            eprintln!("skipped: the published package comes without data");
            return;
        };
        assert_eq!(Framing::of(&corpus.train), Some(Framing::MNIST));
        assert_eq!(Framing::of(&corpus.test), Some(Framing::MNIST));
        let test = corpus.test;
        for i in 0..test.len() {
            let image = test.image(i);
            let expected: Vec<f32> = image.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let light = Ink::from_pixels(28, 28, |k| [f32::from(image[k]); 3]);
            let dark = Ink::from_pixels(28, 28, |k| [255.0 - f32::from(image[k]); 3]);
            for picture in [light, dark] {
                let input = picture.cleaned(FAINT).unwrap().fitted(FORM);
                assert!(input == expected, "{i}");
            }
        }
    }

    #[test]
    fn an_image_of_the_right_size_is_taken_as_it_is_unless_mnist_has_no_such() {
        let of = |top: usize, ink: f32| {
            let mut picture = stroke(28, 28, |i, j| {
                (top..top + 20).contains(&i) && (13..15).contains(&j)
            });
            picture.ink.iter_mut().for_each(|x| *x *= ink);
            picture
        };
        let expected = of(4, 1.0).ink;
        let close = |xs: &[f32]| xs.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-5);
        for (top, ink) in [(4, 1.0), (0, 1.0), (8, 1.0), (4, 0.5)] {
            assert!(close(&of(top, ink).fitted(FORM)), "{top} {ink}");
            assert!(
                of(top, ink).fitted(Form {
                    framing: None,
                    ..FORM
                }) == of(top, ink).ink
            );
        }
        let short = stroke(28, 28, |i, j| (9..19).contains(&i) && (13..15).contains(&j));
        assert!(short.fitted(FORM)[4 * 28 + 13] > 0.9);
    }

    #[test]
    fn a_stroke_in_a_corner_comes_to_the_middle_at_twenty_pixels() {
        let picture = stroke(200, 150, |i, j| {
            (10..110).contains(&i) && (5..15).contains(&j)
        });
        let input = picture.fitted(FORM);
        for i in 0..28 {
            for j in 0..28 {
                let inside = (4..24).contains(&i) && (13..15).contains(&j);
                let expected = if inside { 1.0 } else { 0.0 };
                assert!((input[i * 28 + j] - expected).abs() < 1e-5, "({i}, {j})");
            }
        }
    }

    #[test]
    fn the_centre_of_the_ink_is_in_the_middle_or_less_than_a_pixel_below() {
        for (ink, expected) in [
            ([0.75, 0.25], [0.0, 0.0, 0.75, 0.25]),
            ([0.5, 0.5], [0.0, 0.5, 0.5, 0.0]),
            ([0.25, 0.75], [0.0, 0.25, 0.75, 0.0]),
        ] {
            let (rows, columns, ink) = (2, 1, ink.to_vec());
            let picture = Ink { rows, columns, ink };
            assert_eq!(picture.centred(4, 1, Centre::Mass), expected);
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
    fn only_specks_that_are_apart_are_outside_the_box() {
        let tip = [0.0, 0.01, 3.0, 4.0, 0.0, 5.0, 0.02];
        assert_eq!(extent(&tip, 0.0), 1..7);
        assert_eq!(extent(&tip, 0.005), 1..7);
        let apart = [0.01, 0.0, 0.01, 3.0, 4.0, 0.0, 5.0, 0.0, 0.02, 0.0];
        assert_eq!(extent(&apart, 0.0), 0..9);
        assert_eq!(extent(&apart, 0.005), 2..7);
    }

    #[test]
    fn the_border_is_every_outermost_pixel_once() {
        let of = |rows, columns| border(rows, columns).collect::<Vec<_>>();
        assert_eq!(of(3, 3), [0, 1, 2, 3, 5, 6, 7, 8]);
        assert_eq!(of(3, 1), [0, 1, 2]);
        assert_eq!(of(1, 3), [0, 1, 2]);
        assert_eq!(of(1, 1), [0]);
    }
}
