//! The resampling of one image along a map of coordinates, in integers.
//!
//! The output pixel in row r and column c has the value of the source at
//!
//! ```text
//! x = origin.x + r·down.x + c·right.x ± dx[r][c]
//! y = origin.y + r·down.y + c·right.y ± dy[r][c]
//! ```
//!
//! in bilinear interpolation, with zeros around the image. The affine part is in units of
//! 2⁻¹⁶ pixels; the displacement is in units of 2⁻⁷, and so is the point where the source is read.
//! Integers have the same bits on every machine, and the background remains 0.

#![allow(unsafe_code)]

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::data::distortion::field::{Field, PERIOD, RUN};

/// Width of the margin of zeros before the first row and column of a source, and after the
/// last ones one less: a point that is clamped to the margin has only zeros around it.
const MARGIN: usize = 2;

/// A point or a vector of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// The displacements along one axis: those of a field from a place on, or their negatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Displacement<'a> {
    pub(super) field: &'a Field,
    pub(super) row: usize,
    pub(super) column: usize,
    /// 1 or −1.
    pub(super) sign: i32,
}

/// From where each output pixel is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map<'a> {
    /// The source of the first pixel, in 2⁻¹⁶ pixels.
    pub(super) origin: Point,
    /// How far the source moves from column to column.
    pub(super) right: Point,
    /// How far the source moves from row to row.
    pub(super) down: Point,
    /// Displacements along x and y.
    pub(super) displacements: [Displacement<'a>; 2],
}

/// An image as a table of the four pixels around each point: from the lowest byte on those at
/// (y, x), (y, x + 1), (y + 1, x) and (y + 1, x + 1).
#[derive(Debug)]
pub(super) struct Source<'a> {
    quads: &'a [u32],
    rows: usize,
    columns: usize,
}

impl<'a> Source<'a> {
    /// The number of elements of the table of an image of this size.
    pub(super) fn len(rows: usize, columns: usize) -> usize {
        (rows + 2 * MARGIN - 1) * (columns + 2 * MARGIN - 1)
    }

    /// The number of pixels of such an image with its margin.
    pub(super) fn padded_len(rows: usize, columns: usize) -> usize {
        Self::len(rows + 1, columns) + 1
    }

    /// Fills `quads` with the table of an image, row after row. `padded` is memory for the image
    /// with its margin.
    ///
    /// # Panics
    /// Panics if the lengths are not those of [`Source::len`] and [`Source::padded_len`].
    pub(super) fn fill(
        isa: Isa,
        quads: &'a mut [u32],
        padded: &mut [u8],
        image: &[u8],
        columns: usize,
    ) -> Self {
        let rows = image.len() / columns;
        let is_whole = image.len() == rows * columns && quads.len() == Self::len(rows, columns);
        assert!(
            is_whole,
            "{} pixels in rows of {columns}, a table of {}",
            image.len(),
            quads.len()
        );
        fill(isa, quads, padded, image, columns);
        Self {
            quads,
            rows,
            columns,
        }
    }

    /// Writes the pixels of the distorted image from pixel `first` on.
    pub(super) fn warp(&self, isa: Isa, map: &Map<'_>, first: usize, pixels: &mut [u8]) {
        warp(isa, self, map, first, pixels);
    }
}

for_each_arm! {
    /// Fills the table of an image; `padded` has room for it with zeros around.
    fn fill(quads: &mut [u32], padded: &mut [u8], image: &[u8], columns: usize) {
        let stride = columns + 2 * MARGIN - 1;
        padded.fill(0);
        let rows = padded[MARGIN * stride + MARGIN..].chunks_mut(stride);
        for (padded, row) in rows.zip(image.chunks_exact(columns)) {
            padded[..columns].copy_from_slice(row);
        }
        // The point after the last one of a row is the first one of the next, which is zero too.
        let (right, lower) = (&padded[1..], &padded[stride..]);
        let lower_right = &lower[1..];
        let rows = right.iter().zip(lower.iter().zip(lower_right));
        for ((quad, &pixel), (&right, (&lower, &lower_right))) in quads.iter_mut().zip(&*padded).zip(rows) {
            *quad = u32::from_le_bytes([pixel, right, lower, lower_right]);
        }
    }
}

for_each_arm! {
    /// Writes the pixels of the distorted image from pixel `first` on.
    fn warp(source: &Source<'_>, map: &Map<'_>, first: usize, pixels: &mut [u8]) {
        let columns = source.columns;
        let (mut rest, mut at) = (pixels, first);
        while !rest.is_empty() {
            let (r, c) = (at / columns, at % columns);
            let run;
            (run, rest) = rest.split_at_mut(rest.len().min(columns - c).min(RUN));
            at += run.len();
            let Map { origin, right, down, displacements } = map;
            let start = |origin: i32, down: i32, right: i32| {
                let row = origin.wrapping_add((r as i32).wrapping_mul(down));
                row.wrapping_add((c as i32).wrapping_mul(right))
            };
            let [dx, dy] = displacements.map(|one| {
                let row = one.field.row((one.row + r) % PERIOD, one.column);
                (one.sign, row[c..].first_chunk().expect("a run beyond the last column"))
            });
            let xs = places(start(origin.x, down.x, right.x), right.x, dx);
            let ys = places(start(origin.y, down.y, right.y), right.y, dy);
            run.copy_from_slice(&source.read(&xs, &ys)[..run.len()]);
        }
    }
}

/// Computes where the pixels of a run are read along one axis, in 2⁻⁷ pixels: from `start` on,
/// farther by `step` from pixel to pixel, and displaced.
#[inline(always)]
fn places(start: i32, step: i32, (sign, moves): (i32, &[i16; RUN])) -> [i32; RUN] {
    let mut places = [0; RUN];
    for (i, (place, &moved)) in (0_i32..).zip(places.iter_mut().zip(moves)) {
        *place = (start.wrapping_add(i.wrapping_mul(step)) >> 9) + sign * i32::from(moved);
    }
    places
}

impl Source<'_> {
    /// The values at points in 2⁻⁷ pixels.
    #[inline(always)]
    fn read(&self, xs: &[i32; RUN], ys: &[i32; RUN]) -> [u8; RUN] {
        let stride = (self.columns + 2 * MARGIN - 1) as i32;
        let (columns, rows, margin) = (self.columns as i32, self.rows as i32, MARGIN as i32);
        let mut indices = [0_i32; RUN];
        for (index, (&x, &y)) in indices.iter_mut().zip(xs.iter().zip(ys)) {
            let column = (x >> 7).clamp(-margin, columns) + margin;
            let row = (y >> 7).clamp(-margin, rows) + margin;
            *index = row * stride + column;
        }
        let mut quads = [0_u32; RUN];
        for (quad, &index) in quads.iter_mut().zip(&indices) {
            // SAFETY: columns and rows are clamped to those of the table, from −MARGIN to the
            // number of columns or rows of the image, and `Source::fill` has asserted that the
            // table has an element for each of them.
            *quad = unsafe { *self.quads.get_unchecked(index as usize) };
        }
        let mut values = [0; RUN];
        let points = xs.iter().zip(ys).zip(&quads);
        for (value, ((&x, &y), &quad)) in values.iter_mut().zip(points) {
            let (fx, fy) = ((x & 127) as i16, (y & 127) as i16);
            let upper = (quad & 255) as i16 * (128 - fx) + (quad >> 8 & 255) as i16 * fx;
            let lower = (quad >> 16 & 255) as i16 * (128 - fx) + (quad >> 24) as i16 * fx;
            let sum = i32::from(upper) * i32::from(128 - fy) + i32::from(lower) * i32::from(fy);
            *value = ((sum + (1 << 13)) >> 14) as u8;
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// The pixel at a point of an image, zero outside.
    fn pixel(image: &[u8], columns: usize, x: i64, y: i64) -> i64 {
        let rows = (image.len() / columns) as i64;
        let is_inside = (0..columns as i64).contains(&x) && (0..rows).contains(&y);
        match is_inside {
            true => i64::from(image[y as usize * columns + x as usize]),
            false => 0,
        }
    }

    /// The definition of the head of this file, pixel after pixel.
    fn by_definition(image: &[u8], columns: usize, map: &Map<'_>) -> Vec<u8> {
        let at = |r: usize, c: usize, axis: usize| {
            let of = |point: Point| i64::from([point.x, point.y][axis]);
            let affine = of(map.origin) + r as i64 * of(map.down) + c as i64 * of(map.right);
            let Displacement {
                field,
                row,
                column,
                sign,
            } = map.displacements[axis];
            let moved = field.row((row + r) % super::super::field::PERIOD, column)[c];
            affine.div_euclid(512) + i64::from(sign) * i64::from(moved)
        };
        let value = |i: usize| {
            let [x, y] = [0, 1].map(|axis| at(i / columns, i % columns, axis));
            let (left, top) = (x.div_euclid(128), y.div_euclid(128));
            let (fx, fy) = (x.rem_euclid(128), y.rem_euclid(128));
            let row = |y| {
                pixel(image, columns, left, y) * (128 - fx)
                    + pixel(image, columns, left + 1, y) * fx
            };
            (row(top) * (128 - fy) + row(top + 1) * fy + (1 << 13)) >> 14
        };
        (0..image.len()).map(|i| value(i) as u8).collect()
    }

    /// Checks a map of an image against the definition, on every arm and in parts.
    fn check(rows: usize, columns: usize, map: &Map<'_>) {
        let image: Vec<u8> = (0..rows * columns).map(|i| (i * 89 % 256) as u8).collect();
        let expected = by_definition(&image, columns, map);
        for isa in Isa::available() {
            let mut quads = vec![7; Source::len(rows, columns)];
            let mut padded = vec![7; Source::padded_len(rows, columns)];
            let source = Source::fill(isa, &mut quads, &mut padded, &image, columns);
            let mut whole = vec![9; image.len()];
            source.warp(isa, map, 0, &mut whole);
            assert_eq!(whole, expected, "{rows}×{columns}, {}", isa.name());
            let (first, last) = (image.len() / 3, image.len() - image.len() / 4);
            let mut part = vec![9; last - first];
            source.warp(isa, map, first, &mut part);
            assert_eq!(part, expected[first..last]);
        }
    }

    #[test]
    fn every_arm_samples_as_the_definition_does() {
        use crate::compute::rng::{Stream, generator};
        let mut rng = generator(3, Stream::Distortion);
        for (rows, columns) in [(28, 28), (1, 1), (8, 8), (5, 33), (40, 17), (3, 130)] {
            let mut fields = [(); 2].map(|()| Field::zero(columns));
            for (strength, zoom) in [(0.0, 1 << 16), (1.0, 60_000), (16.0, -70_000)] {
                for field in &mut fields {
                    field.draw(Isa::detect(), 2.0, strength, &mut rng);
                }
                let displacement = |axis: usize, sign| Displacement {
                    field: &fields[axis],
                    row: 120 + axis,
                    column: 127 - 50 * axis,
                    sign,
                };
                let map = Map {
                    origin: Point {
                        x: -40_000 * strength as i32,
                        y: 90_000,
                    },
                    right: Point { x: zoom, y: 9_000 },
                    down: Point {
                        x: -11_000,
                        y: zoom,
                    },
                    displacements: [displacement(0, -1), displacement(1, 1)],
                };
                check(rows, columns, &map);
            }
        }
    }

    #[test]
    fn the_map_that_moves_nothing_copies() {
        let field = Field::zero(6);
        let displacement = Displacement {
            field: &field,
            row: 3,
            column: 4,
            sign: 1,
        };
        let map = Map {
            origin: Point::default(),
            right: Point { x: 1 << 16, y: 0 },
            down: Point { x: 0, y: 1 << 16 },
            displacements: [displacement; 2],
        };
        let image: Vec<u8> = (0..30).map(|i| i * 8).collect();
        assert_eq!(by_definition(&image, 6, &map), image);
        check(5, 6, &map);
        // Far outside there is nothing, whatever lies at the border.
        for origin in [[-300, 0], [0, -300], [300, 0], [0, 300], [30_000, -30_000]] {
            let [x, y] = origin.map(|pixels| pixels << 16);
            let far = Map {
                origin: Point { x, y },
                ..map
            };
            assert_eq!(by_definition(&image, 6, &far), [0; 30]);
            check(5, 6, &far);
        }
    }
}
