//! The transformation of a data set's bytes into pixels from 0, the background, to 255.

use crate::data::dataset::Dataset;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// Pixels whose largest value is below this use less than half of the range of a byte.
const HALF_RANGE: u8 = 128;

/// The number of images whose ground is looked at.
const SAMPLE: usize = 1024;

/// How the bytes of a data set become the inputs of a net.
///
/// A net learns best from pixels that are 0 on the background and fill the range of a
/// byte. Data sets of pixels 0 and 1, or 0 to 16, are stretched to that range, and dark
/// digits on a bright ground are inverted. The inputs are the resulting bytes, divided by
/// 255.
///
/// ```
/// use handwritten::data::{Dataset, Normalisation};
///
/// // Dark ink on a bright ground, in pixels from 0 to 16.
/// let mut data = Dataset::new(vec![16, 16, 16, 16, 0, 16, 16, 16, 16], 3, 3, vec![0])?;
/// let normalisation = Normalisation::of(&data);
/// assert_eq!(normalisation.to_string(), "1 - pixel / 16");
/// normalisation.apply(&mut data);
/// assert_eq!(data.image(0), [0, 0, 0, 0, 255, 0, 0, 0, 0]);
/// # Ok::<(), handwritten::data::DatasetError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Normalisation {
    /// The byte that becomes the largest input, 1; at least 1.
    largest: u8,
    is_inverted: bool,
}

impl Normalisation {
    /// Bytes as they are: inputs are pixel / 255.
    pub const RAW: Self = Self {
        largest: 255,
        is_inverted: false,
    };

    /// The byte that becomes the largest input, 1, or 0 if pixels are inverted.
    pub fn largest(self) -> u8 {
        self.largest
    }

    /// Whether bright pixels become small inputs.
    pub fn is_inverted(self) -> bool {
        self.is_inverted
    }

    /// The normalisation that suits the images of a training file; [`Normalisation::RAW`]
    /// for MNIST.
    ///
    /// Images whose largest pixel is below 128 are stretched. Images are inverted if the
    /// outermost rows and columns of the first 1024 are brighter than half of the range,
    /// and brighter than what they enclose.
    pub fn of(data: &Dataset) -> Self {
        let mut largest = 0;
        for image in data.pixels().chunks_exact(data.features()) {
            largest = image.iter().copied().fold(largest, u8::max);
            if largest >= HALF_RANGE {
                break;
            }
        }
        if largest == 0 || largest >= HALF_RANGE {
            largest = 255;
        }
        let (rows, columns) = (data.rows(), data.columns());
        let (mut border, mut inside) = (Mean::default(), Mean::default());
        for image in data.pixels().chunks_exact(data.features()).take(SAMPLE) {
            for (r, row) in image.chunks_exact(columns).enumerate() {
                let is_edge = r == 0 || r + 1 == rows || columns < 3;
                if is_edge {
                    border.add(row);
                } else {
                    border.add(&[row[0], row[columns - 1]]);
                    inside.add(&row[1..columns - 1]);
                }
            }
        }
        // Quotients are compared exactly.
        let is_bright = 2 * u128::from(border.sum) > u128::from(border.count) * u128::from(largest);
        let is_brighter = u128::from(border.sum) * u128::from(inside.count)
            > u128::from(inside.sum) * u128::from(border.count);
        Self {
            largest,
            is_inverted: is_bright && is_brighter,
        }
    }

    /// Normalises the images of a data set. Bytes above the largest one count as the
    /// largest.
    pub fn apply(self, data: &mut Dataset) {
        if self != Self::RAW {
            let table = self.table();
            let pixels = data.pixels_mut().iter_mut();
            pixels.for_each(|pixel| *pixel = table[usize::from(*pixel)]);
        }
    }

    /// The pixel of each byte: 255·byte / largest, rounded, or 255 less that.
    pub fn table(self) -> [u8; 256] {
        let mut table = [0; 256];
        for (byte, pixel) in table.iter_mut().enumerate() {
            let largest = usize::from(self.largest);
            let scaled = (510 * byte.min(largest) + largest) / (2 * largest);
            *pixel = match self.is_inverted {
                true => 255 - scaled as u8,
                false => scaled as u8,
            };
        }
        table
    }
}

/// A sum of bytes and their number.
#[derive(Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, bytes: &[u8]) {
        self.sum += bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        self.count += bytes.len() as u64;
    }
}

impl fmt::Display for Normalisation {
    /// The formula, such as `pixel / 255` or `1 - pixel / 16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inverted = if self.is_inverted { "1 - " } else { "" };
        write!(f, "{inverted}pixel / {}", self.largest)
    }
}

/// The error of parsing a [`Normalisation`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseNormalisationError {
    found: String,
}

impl fmt::Display for ParseNormalisationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        write!(
            f,
            "no such normalisation of pixels: {found:?}; \"pixel / 255\" or \"1 - pixel / 16\" would be"
        )
    }
}

impl core::error::Error for ParseNormalisationError {}

impl FromStr for Normalisation {
    type Err = ParseNormalisationError;

    /// Parses the formula that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ParseNormalisationError> {
        let (is_inverted, rest) = match text.strip_prefix("1 - ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let largest = rest
            .strip_prefix("pixel / ")
            .and_then(|number| number.parse().ok());
        let parsed = largest.map(|largest| Self {
            largest,
            is_inverted,
        });
        // Written again, so that no formula has two spellings, such as "pixel / 016".
        parsed
            .filter(|parsed| parsed.largest > 0 && alloc::format!("{parsed}") == text)
            .ok_or_else(|| ParseNormalisationError { found: text.into() })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::vec::Vec;
    use std::string::ToString;
    use std::vec;

    fn images(pixels: Vec<u8>) -> Dataset {
        let labels = vec![0; pixels.len() / 9];
        Dataset::new(pixels, 3, 3, labels).unwrap()
    }

    #[test]
    fn the_range_and_the_ground_are_seen() {
        let seen = |pixels: &[u8]| Normalisation::of(&images(pixels.to_vec())).to_string();
        assert_eq!(seen(&[0, 0, 0, 0, 255, 0, 0, 0, 0]), "pixel / 255");
        assert_eq!(seen(&[0, 0, 0, 0, 1, 0, 0, 0, 0]), "pixel / 1");
        assert_eq!(seen(&[0, 0, 0, 0, 127, 0, 0, 0, 0]), "pixel / 127");
        assert_eq!(seen(&[0, 0, 0, 0, 128, 0, 0, 0, 0]), "pixel / 255");
        assert_eq!(seen(&[9, 9, 9, 9, 0, 9, 9, 9, 9]), "1 - pixel / 9");
        assert_eq!(
            seen(&[250, 255, 255, 255, 0, 255, 255, 255, 0]),
            "1 - pixel / 255"
        );
        // No contrast, or none between the edge and the inside.
        assert_eq!(seen(&[0; 9]), "pixel / 255");
        assert_eq!(seen(&[255; 9]), "pixel / 255");
        // The ground is darker than half of the range.
        assert_eq!(
            seen(&[100, 100, 100, 100, 0, 200, 100, 100, 100]),
            "pixel / 255"
        );
    }

    #[test]
    fn images_without_an_inside_are_not_inverted() {
        let data = Dataset::new(vec![255, 255, 255, 0], 2, 2, vec![0]).unwrap();
        assert_eq!(Normalisation::of(&data), Normalisation::RAW);
        let data = Dataset::new(vec![255, 255, 255, 0], 4, 1, vec![0]).unwrap();
        assert_eq!(Normalisation::of(&data), Normalisation::RAW);
    }

    #[test]
    fn tables_are_monotonous_and_end_at_the_ends() {
        let raw: Vec<u8> = (0..=255).collect();
        assert_eq!(Normalisation::RAW.table()[..], raw);
        for largest in 1..=255 {
            let normalisation = |is_inverted| Normalisation {
                largest,
                is_inverted,
            };
            let table = normalisation(false).table();
            let last = usize::from(largest);
            assert_eq!((table[0], table[last], table[255]), (0, 255, 255));
            // No two bytes up to the largest become one pixel.
            assert!(table[..=last].windows(2).all(|pair| pair[0] < pair[1]));
            let inverted = normalisation(true).table();
            assert!(
                table
                    .iter()
                    .zip(inverted)
                    .all(|(&pixel, other)| 255 - pixel == other)
            );
        }
    }

    #[test]
    fn what_is_displayed_is_parsed_again() {
        for text in ["pixel / 255", "pixel / 1", "1 - pixel / 16"] {
            assert_eq!(text.parse::<Normalisation>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "pixel",
            "pixel / 0",
            "pixel / 256",
            "pixel / 016",
            "1 -pixel / 2",
        ] {
            assert!(text.parse::<Normalisation>().is_err(), "{text}");
        }
    }
}
