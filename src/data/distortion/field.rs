//! A smooth random field: the elastic displacement along one axis.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::compute::rng::uniform;
use crate::compute::vector;
use alloc::{vec, vec::Vec};
use rand_core::Rng;

/// The number of rows and columns after which a field repeats itself. Each image takes its
/// displacements from a place of its own, so that one field serves all images of an epoch.
pub(super) const PERIOD: usize = 128;

/// Maximum number of displacements of a row that are read at once: so many more are there than
/// an image has columns.
pub(super) const RUN: usize = 32;

/// A periodic field of displacements, in 2⁻⁷ pixels.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Rows with some columns more, which repeat the first ones.
    values: Vec<i16>,
    stride: usize,
}

impl Field {
    /// A field without displacements, for images of so many columns.
    pub(super) fn zero(columns: usize) -> Self {
        let stride = Self::stride(columns);
        Self {
            values: vec![0; PERIOD * stride],
            stride,
        }
    }

    /// The number of bytes of a field for images of so many columns.
    pub(super) fn bytes(columns: usize) -> usize {
        Self::stride(columns)
            .saturating_mul(PERIOD)
            .saturating_mul(size_of::<i16>())
    }

    fn stride(columns: usize) -> usize {
        columns.saturating_add(PERIOD + RUN)
    }

    /// Draws the field anew: white noise, smoothed by a Gaussian of this standard deviation in
    /// pixels, with this root mean square in pixels.
    pub(super) fn draw<R: Rng + ?Sized>(
        &mut self,
        isa: Isa,
        smoothness: f32,
        rms: f32,
        rng: &mut R,
    ) {
        if rms == 0.0 {
            return self.values.fill(0);
        }
        let mut noise: Vec<f32> = (0..PERIOD * PERIOD)
            .map(|_| 2.0 * uniform(rng) - 1.0)
            .collect();
        let taps = gaussian(smoothness);
        let mut smooth = vec![0.0; noise.len()];
        // Rows are summed, then columns as rows of the transposed field.
        for _ in 0..2 {
            sum_rows(isa, &noise, &taps, &mut smooth);
            transpose(&smooth, &mut noise);
        }
        let squares: f64 = noise.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let measured = vector::sqrt(squares / noise.len() as f64);
        let scale = (f64::from(rms) * 128.0 / measured) as f32;
        let rows = noise.chunks_exact(PERIOD);
        for (values, row) in self.values.chunks_exact_mut(self.stride).zip(rows) {
            for (value, &x) in values.iter_mut().zip(row.iter().cycle()) {
                // A displacement beyond ±255 pixels is one of ±255.
                *value = (scale * x) as i16;
            }
        }
    }

    /// The values of a row from column `column` on, both below [`PERIOD`].
    pub(super) fn row(&self, row: usize, column: usize) -> &[i16] {
        &self.values[row * self.stride..][..self.stride][column..]
    }
}

/// Half of a Gaussian of this standard deviation in pixels, from its centre to where it is
/// small.
fn gaussian(deviation: f32) -> Vec<f32> {
    let reach = (3.0 * deviation) as usize + 1;
    let weight = |i: usize| {
        let x = i as f32 / deviation;
        vector::exp_of(-0.5 * (x * x))
    };
    (0..=reach).map(weight).collect()
}

for_each_arm! {
    /// Sums the rows within reach of each row, by weight; rows beyond the last one are the
    /// first ones again.
    fn sum_rows(rows: &[f32], taps: &[f32], sums: &mut [f32]) {
        let row = |at: usize| &rows[at % PERIOD * PERIOD..][..PERIOD];
        for (r, sums) in sums.chunks_exact_mut(PERIOD).enumerate() {
            for (sum, &x) in sums.iter_mut().zip(row(r)) {
                *sum = taps[0] * x;
            }
            for (distance, &tap) in taps.iter().enumerate().skip(1) {
                let (above, below) = (row(r + PERIOD - distance), row(r + distance));
                for ((sum, &a), &b) in sums.iter_mut().zip(above).zip(below) {
                    *sum += tap * (a + b);
                }
            }
        }
    }
}

/// Writes a square field with rows and columns exchanged.
fn transpose(field: &[f32], out: &mut [f32]) {
    for (r, row) in out.chunks_exact_mut(PERIOD).enumerate() {
        for (c, x) in row.iter_mut().enumerate() {
            *x = field[c * PERIOD + r];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};

    #[test]
    fn fields_have_the_strength_and_the_smoothness_that_are_asked_for() {
        for isa in Isa::available() {
            let mut field = Field::zero(28);
            let mut rng = generator(5, Stream::Distortion);
            field.draw(isa, 5.0, 2.0, &mut rng);
            let at =
                |row: usize, column: usize| f64::from(field.row(row % PERIOD, column)[0]) / 128.0;
            let mean = |of: &dyn Fn(usize, usize) -> f64| {
                let all = (0..PERIOD * PERIOD).map(|i| of(i / PERIOD, i % PERIOD));
                all.sum::<f64>() / (PERIOD * PERIOD) as f64
            };
            let square = mean(&|r, c| at(r, c) * at(r, c));
            assert!((square - 4.0).abs() < 0.02, "{square}");
            // Noise that a Gaussian of σ has smoothed correlates at the distance d by
            // exp(−d² / 4σ²): 0.78 at 5 pixels. A sample of 128² has about 50 that are
            // independent.
            let near = mean(&|r, c| at(r, c) * at(r + 5, c)) / square;
            assert!((near - 0.78).abs() < 0.1, "{near}");
            // The columns go on with the first ones.
            assert_eq!(field.row(3, 0)[PERIOD..], field.row(3, 0)[..28 + RUN]);
        }
    }

    #[test]
    fn fields_have_the_same_values_on_every_arm() {
        let field = |isa| {
            let mut field = Field::zero(8);
            let mut rng = generator(1, Stream::Distortion);
            field.draw(isa, 3.5, 1.0, &mut rng);
            field.values
        };
        let first = field(Isa::detect());
        assert!(Isa::available().all(|isa| field(isa) == first));
    }
}
