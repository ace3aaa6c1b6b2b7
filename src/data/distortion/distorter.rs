//! A data set whose images are distorted in another way each epoch.

use crate::compute::isa::Isa;
use crate::compute::rng::{SplitMix, Stream, generator, mix};
use crate::compute::vector;
use crate::data::dataset::Dataset;
use crate::data::distortion::field::{Field, PERIOD};
use crate::data::distortion::parameters::Distortion;
use crate::data::distortion::warp::{Displacement, Map, Point, Source};
use crate::data::source::ImageSource;
use alloc::vec;
use rand_core::Rng;

/// Maximum number of pixels, with the margin, of an image that is distorted on the stack: those
/// of 32×32, whose table has 5 kB.
const STACK: usize = 36 * 35 + 1;

/// Images of a data set, distorted as they are asked for.
///
/// An image is the same for the same seed, epoch and index, whoever asks for it and in whatever
/// order. Memory beside the data set: two fields of displacements, 88 kB for MNIST.
#[derive(Clone, Debug)]
pub struct Distorter<'a> {
    data: &'a Dataset,
    isa: Isa,
    distortion: Distortion,
    seed: u64,
    epochs: usize,
    /// The factor of all strengths in this epoch.
    factor: f32,
    /// Seeds the draws of an image, together with its index.
    key: u64,
    fields: [Field; 2],
}

impl<'a> Distorter<'a> {
    /// The images of `data` for a run of `epochs` epochs, in its first one.
    ///
    /// # Panics
    /// Panics if [`Distortion::validate`] refuses the distortion.
    pub fn new(data: &'a Dataset, distortion: Distortion, seed: u64, epochs: usize) -> Self {
        if let Err(error) = distortion.validate() {
            panic!("{error}");
        }
        let fields = [(); 2].map(|()| Field::zero(data.columns()));
        let mut distorter = Self {
            data,
            isa: Isa::detect(),
            distortion,
            seed,
            epochs,
            factor: 1.0,
            key: 0,
            fields,
        };
        distorter.start_epoch(1);
        distorter
    }

    /// Replaces the instruction set, which is the fastest one otherwise. It changes no bit.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The number of bytes of a distorter's own memory for images of so many columns.
    pub fn bytes(columns: usize) -> usize {
        Field::bytes(columns).saturating_mul(2)
    }

    /// Changes to the distortions of epoch `epoch`, counted from 1.
    pub fn start_epoch(&mut self, epoch: usize) {
        self.factor = self.distortion.factor(epoch, self.epochs);
        let seed = mix(self.seed ^ mix(epoch as u64));
        let mut rng = generator(seed, Stream::Distortion);
        self.key = rng.next_u64();
        let Distortion {
            elastic,
            smoothness,
            ..
        } = self.distortion;
        for field in &mut self.fields {
            field.draw(self.isa, smoothness, elastic * self.factor, &mut rng);
        }
    }

    /// The map of image `index`.
    fn map(&self, index: u32) -> Map<'_> {
        let mut draws = SplitMix(self.key ^ mix(u64::from(index)));
        let factor = f64::from(self.factor);
        let Distortion {
            rotation,
            scaling,
            shear,
            shift,
            ..
        } = self.distortion;
        let [angle, wider, higher, shear, right, down] =
            [rotation, scaling, scaling, shear, shift, shift]
                .map(|most| factor * f64::from(most) * draws.symmetric());
        // In half turns, which the cosine takes.
        let angle = angle / 180.0;
        let cosine = vector::cos_pi(angle.abs());
        let sine = vector::sqrt(1.0 - cosine * cosine);
        let sine = if angle < 0.0 { -sine } else { sine };
        let (wider, higher) = (1.0 + wider, 1.0 + higher);
        // Rotation · shear · scaling, by columns: where a step to the right and a step down lead.
        let right_by = (cosine * wider, sine * wider);
        let sheared = (shear * higher, higher);
        let down_by = (
            cosine * sheared.0 - sine * sheared.1,
            sine * sheared.0 + cosine * sheared.1,
        );
        // Whole pixels are equally likely: each has a part of the same size of the range.
        let (right, down) = match self.distortion.is_shift() {
            true => (self.whole(right), self.whole(down)),
            false => (right, down),
        };
        // The centre of the image goes where the shift leads.
        let centre = [self.data.columns(), self.data.rows()].map(|n| 0.5 * (n as f64 - 1.0));
        let moved = (centre[0] + right, centre[1] + down);
        let origin = (
            centre[0] - right_by.0 * moved.0 - down_by.0 * moved.1,
            centre[1] - right_by.1 * moved.0 - down_by.1 * moved.1,
        );
        Map {
            origin: fixed(origin),
            right: fixed(right_by),
            down: fixed(down_by),
            displacements: [0, 1].map(|axis| {
                let bits = draws.next();
                Displacement {
                    field: &self.fields[axis],
                    row: bits as usize % PERIOD,
                    column: (bits >> 16) as usize % PERIOD,
                    sign: [1, -1][(bits >> 32) as usize % 2],
                }
            }),
        }
    }

    /// A shift of a whole number of pixels, from one that is uniform within the range.
    fn whole(&self, shift: f64) -> f64 {
        let most = f64::from(self.factor * self.distortion.shift);
        let whole = most as i32;
        if whole == 0 {
            return 0.0;
        }
        let choices = f64::from(2 * whole + 1);
        // From 0 to below the number of choices.
        let choice = (shift / most + 1.0) * 0.5 * choices;
        f64::from((choice as i32).min(2 * whole) - whole)
    }
}

impl ImageSource for Distorter<'_> {
    fn features(&self) -> usize {
        self.data.features()
    }

    fn label(&self, index: u32) -> u8 {
        self.data.label(index as usize)
    }

    fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
        let (rows, columns) = (self.data.rows(), self.data.columns());
        let image = self.data.image(index as usize);
        let map = self.map(index);
        let (len, padded_len) = (
            Source::len(rows, columns),
            Source::padded_len(rows, columns),
        );
        let warp = |quads: &mut [u32], padded: &mut [u8], pixels: &mut [u8]| {
            let source = Source::fill(self.isa, quads, padded, image, columns);
            source.warp(self.isa, &map, first, pixels);
        };
        if padded_len <= STACK {
            let (mut quads, mut padded) = ([0; STACK], [0; STACK]);
            warp(&mut quads[..len], &mut padded[..padded_len], pixels);
        } else {
            warp(&mut vec![0; len], &mut vec![0; padded_len], pixels);
        }
    }

    fn prefetch(&self, index: u32, _first: usize, _count: usize) {
        self.data.prefetch(index, 0, self.data.features());
    }
}

/// A point in units of 2⁻¹⁶ pixels, rounded to the nearest.
fn fixed((x, y): (f64, f64)) -> Point {
    let [x, y] = [x, y].map(|pixels| {
        let scaled = pixels * 65_536.0;
        // Conversion to an integer cuts off, and what is too large becomes the largest.
        (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i32
    });
    Point { x, y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A data set of equal images, a block of ink in the middle.
    fn blocks(side: usize, count: usize) -> Dataset {
        let is_ink = |at: usize| side / 3 <= at && at < side - side / 3;
        let pixel = |i: usize| match is_ink(i / side % side) && is_ink(i % side) {
            true => 255,
            false => 0,
        };
        let pixels = (0..count * side * side).map(pixel).collect();
        Dataset::new(pixels, side, side, vec![1; count]).unwrap()
    }

    fn images(distorter: &Distorter<'_>, count: u32) -> Vec<Vec<u8>> {
        let image = |index| {
            let mut pixels = vec![9; distorter.features()];
            distorter.write(index, 0, &mut pixels);
            pixels
        };
        (0..count).map(image).collect()
    }

    /// The centre of the ink, and its amount.
    fn centre(image: &[u8], side: usize) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for (i, &pixel) in image.iter().enumerate() {
            let weight = f64::from(pixel);
            sums[0] += weight * (i % side) as f64;
            sums[1] += weight * (i / side) as f64;
            sums[2] += weight;
        }
        [sums[0] / sums[2], sums[1] / sums[2], sums[2]]
    }

    #[test]
    fn images_differ_by_index_epoch_and_seed_and_repeat() {
        let data = blocks(28, 3);
        let of = |seed, epoch| {
            let mut distorter = Distorter::new(&data, Distortion::ELASTIC, seed, 9);
            distorter.start_epoch(epoch);
            images(&distorter, 3)
        };
        let first = of(1, 1);
        assert_eq!(first, of(1, 1));
        assert_ne!(first, of(1, 2));
        assert_ne!(first, of(2, 1));
        assert!(first[0] != first[1] && first[1] != first[2]);
        // Each part of an image is that of the whole.
        let distorter = Distorter::new(&data, Distortion::ELASTIC, 1, 9);
        let mut part = [9; 100];
        distorter.write(2, 333, &mut part);
        assert_eq!(part, first[2][333..433]);
    }

    #[test]
    fn images_have_the_same_bits_on_every_arm() {
        for side in [28, 40] {
            let data = blocks(side, 20);
            let of = |isa| {
                let mut distorter = Distorter::new(&data, Distortion::ELASTIC, 5, 9).with_isa(isa);
                distorter.start_epoch(7);
                images(&distorter, 20)
            };
            let expected = of(Isa::detect());
            assert!(Isa::available().all(|isa| of(isa) == expected));
        }
    }

    #[test]
    fn what_is_not_asked_for_does_not_happen() {
        let data = blocks(12, 50);
        let distorter = Distorter::new(&data, Distortion::NONE, 1, 1);
        let all = images(&distorter, 50);
        assert!(
            all.iter()
                .zip(data.iter())
                .all(|(image, (original, _))| image == original)
        );
    }

    #[test]
    fn shifts_are_whole_pixels_each_as_likely() {
        let data = blocks(15, 9000);
        let distorter = Distorter::new(&data, Distortion::SHIFT, 1, 1);
        let [x, y, ink] = centre(data.image(0), 15);
        let mut counts = [0_u32; 9];
        for image in images(&distorter, 9000) {
            let [right, down, same] = centre(&image, 15);
            assert_eq!(same, ink);
            let place = (down - y + 1.0) * 3.0 + (right - x + 1.0);
            counts[(place + 0.5) as usize] += 1;
        }
        // Five deviations of a count whose mean is 1 000.
        assert!(counts.iter().all(|n| n.abs_diff(1000) < 150), "{counts:?}");
    }

    #[test]
    fn the_centre_moves_by_the_shift_alone() {
        let data = blocks(28, 2000);
        for shift in [0.0, 2.0] {
            let elastic = 0.0;
            let distortion = Distortion {
                shift,
                elastic,
                ..Distortion::ELASTIC
            };
            let distorter = Distorter::new(&data, distortion, 1, 9);
            let (mut farthest, mut sum) = (0.0_f64, 0.0);
            for image in images(&distorter, 2000) {
                let [x, y, _] = centre(&image, 28);
                farthest = farthest.max((x - 13.5).abs()).max((y - 13.5).abs());
                sum += x - 13.5;
            }
            // Pixels and places are rounded.
            let shift = f64::from(shift);
            assert!(
                (shift - 0.02..shift + 0.02).contains(&farthest),
                "{farthest}"
            );
            // Six deviations of a mean of 2 000.
            assert!((sum / 2000.0).abs() < 6.0 * shift / 3_f64.sqrt() / 2000_f64.sqrt() + 0.01);
        }
    }
}
