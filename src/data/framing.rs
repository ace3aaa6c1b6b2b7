//! How ink lies in the images of a data set.

use crate::compute::names::named;
use crate::data::dataset::Dataset;
use crate::data::normalisation::Normalisation;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// The number of images that are looked at, evenly spread over the data set.
const SAMPLE: usize = 2048;

/// Minimum share of the images that have a property which all are meant to have, in percent:
/// a few may be damaged.
const MOST: usize = 95;

/// Maximum distance of a centre from the middle of the image, in half pixels.
const CENTRED: f64 = 2.0;

/// The label whose digit, 1, is higher than wide.
const ONE: u8 = 1;

/// The centre of the ink that lies in the middle of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Centre {
    /// The centre of mass, as in MNIST.
    Mass,
    /// The centre of the box around the ink, as in EMNIST.
    Box,
}

named! { Centre, "centre of the ink":
    Mass = "mass",
    Box = "box",
}

/// How ink lies in square images that were all made in one way, so that a picture can be made
/// in the same way.
///
/// ```
/// use handwritten::data::{Centre, Dataset, Framing};
///
/// // A stroke three pixels high in the middle of each image.
/// let image = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
/// let data = Dataset::new(image.repeat(4), 5, 5, vec![0, 1, 1, 0])?;
/// let framing = Framing::of(&data).unwrap();
/// assert_eq!((framing.filled, framing.centre), (3, Centre::Mass));
/// assert_eq!(framing.pixels.to_string(), "pixel / 9");
/// assert!(!framing.is_transposed);
/// # Ok::<(), handwritten::data::DatasetError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// Pixels of the longer side of the box around the ink, 20 in MNIST; some images have one
    /// less.
    pub filled: usize,
    /// The centre that lies in the middle of the image, up to a pixel.
    pub centre: Centre,
    /// Whether rows are columns, as in files of EMNIST: in most images of the label 1 the ink
    /// is wider than high.
    pub is_transposed: bool,
    /// The formula that brings the pixels to 0 for the ground and 255 for ink.
    pub pixels: Normalisation,
}

impl Framing {
    /// The framing of MNIST's images.
    pub const MNIST: Self = Self {
        filled: 20,
        centre: Centre::Mass,
        is_transposed: false,
        pixels: Normalisation::RAW,
    };

    /// Measures the framing of a data set. `None` if fewer than 19 of 20 images have the same
    /// size of ink, up to a pixel, in the middle, if most are filled by it in both directions, or
    /// if the images are not square.
    pub fn of(data: &Dataset) -> Option<Self> {
        if data.rows() != data.columns() {
            return None;
        }
        let pixels = Normalisation::of(data);
        let ink = pixels.table();
        let step = data.len().div_ceil(SAMPLE);
        let all: Vec<(Extent, u8)> = (0..data.len())
            .step_by(step)
            .map(|i| {
                (
                    Extent::of(data.image(i), data.columns(), &ink),
                    data.label(i),
                )
            })
            .collect();
        let most = |count: usize| 100 * count >= MOST * all.len();
        let count = |is_so: &dyn Fn(&Extent) -> bool| all.iter().filter(|(x, _)| is_so(x)).count();

        // Noise fills images, and hides where the ink lies in them.
        let fills = |extent: &Extent| extent.rows.len().min(extent.columns.len()) == data.rows();
        if 2 * count(&fills) > all.len() {
            return None;
        }
        let mut sizes = vec![0; data.rows() + 2];
        all.iter()
            .for_each(|(extent, _)| sizes[extent.longest()] += 1);
        let filled = (1..=data.rows()).max_by_key(|&size| (sizes[size] + sizes[size - 1], size))?;
        if !most(sizes[filled] + sizes[filled - 1]) {
            return None;
        }
        // Of a tie the larger size is left, which no image may have.
        let filled = if sizes[filled] == 0 {
            filled - 1
        } else {
            filled
        };
        let side = data.rows() as f64;
        let is_middle = |twice: [f64; 2]| twice.iter().all(|x| (x - side).abs() <= CENTRED);
        let centre = if most(count(&|extent| is_middle(extent.twice_mass))) {
            Centre::Mass
        } else if most(count(&|extent| is_middle(extent.twice_box()))) {
            Centre::Box
        } else {
            return None;
        };
        let ones = || all.iter().filter(|&&(_, label)| label == ONE);
        let wide = ones()
            .filter(|(extent, _)| extent.columns.len() > extent.rows.len())
            .count();
        Some(Self {
            filled,
            centre,
            is_transposed: 4 * wide > 3 * ones().count(),
            pixels,
        })
    }
}

/// Where the ink of an image is.
struct Extent {
    rows: Range<usize>,
    columns: Range<usize>,
    /// Twice the distance of the centre of mass from the first edges.
    twice_mass: [f64; 2],
}

impl Extent {
    fn of(image: &[u8], columns: usize, ink: &[u8; 256]) -> Self {
        // Empty, with a start that any pixel with ink is before.
        let (mut ys, mut xs) = (image.len()..0, image.len()..0);
        let (mut sum, mut moments) = (0, [0, 0]);
        for (k, &byte) in image.iter().enumerate() {
            let ink = usize::from(ink[usize::from(byte)]);
            if ink > 0 {
                let (i, j) = (k / columns, k % columns);
                ys = ys.start.min(i)..ys.end.max(i + 1);
                xs = xs.start.min(j)..xs.end.max(j + 1);
                sum += ink;
                moments[0] += ink * (2 * i + 1);
                moments[1] += ink * (2 * j + 1);
            }
        }
        Self {
            rows: ys,
            columns: xs,
            // Without ink 0/0, which is in no middle.
            twice_mass: moments.map(|moment| moment as f64 / sum as f64),
        }
    }

    fn longest(&self) -> usize {
        self.rows.len().max(self.columns.len())
    }

    fn twice_box(&self) -> [f64; 2] {
        [&self.rows, &self.columns].map(|range| range.start as f64 + range.end as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stroke of 5×2 pixels in an image of 9×9, moved by some pixels.
    fn stroke(down: usize, is_wide: bool) -> Vec<u8> {
        let mut image = vec![0; 81];
        for (i, j) in (0..5).flat_map(|i| [(i, 3), (i, 4)]) {
            let (i, j) = (i + down, j);
            image[if is_wide { j * 9 + i } else { i * 9 + j }] = 200;
        }
        image
    }

    fn data(images: &[Vec<u8>]) -> Dataset {
        Dataset::new(images.concat(), 9, 9, vec![1; images.len()]).unwrap()
    }

    #[test]
    fn orientation_range_and_ground_are_seen() {
        for is_wide in [false, true] {
            let expected = Framing {
                filled: 5,
                centre: Centre::Mass,
                is_transposed: is_wide,
                pixels: Normalisation::RAW,
            };
            let images = vec![stroke(2, is_wide); 20];
            assert_eq!(Framing::of(&data(&images)), Some(expected));
            let dark: Vec<Vec<u8>> = (images.iter())
                .map(|image| image.iter().map(|x| (200 - x) / 20).collect())
                .collect();
            let pixels = "1 - pixel / 10".parse().unwrap();
            assert_eq!(
                Framing::of(&data(&dark)),
                Some(Framing { pixels, ..expected })
            );
        }
    }

    #[test]
    fn the_box_may_be_in_the_middle_where_the_mass_is_not() {
        let mut image = stroke(2, false);
        // The upper half becomes faint.
        image[..45].iter_mut().for_each(|x| *x /= 200);
        let framing = Framing::of(&data(&vec![image; 20])).unwrap();
        assert_eq!((framing.filled, framing.centre), (5, Centre::Box));
    }

    #[test]
    fn few_damaged_images_change_nothing_and_many_do() {
        let mut images = vec![stroke(2, false); 95];
        images.resize(100, stroke(0, false));
        assert!(Framing::of(&data(&images)).is_some());
        images[0] = vec![0; 81];
        assert_eq!(Framing::of(&data(&images)), None);
        let noise: Vec<Vec<u8>> = (0..20)
            .map(|n| (0..81).map(|k| (k * n % 7 / 6) as u8).collect())
            .collect();
        assert_eq!(Framing::of(&data(&noise)), None);
        let grounds = vec![(0..81).map(|k| 1 + (k * 7 % 5) as u8).collect::<Vec<u8>>(); 20];
        assert_eq!(Framing::of(&data(&grounds)), None);
        let flat = Dataset::new(vec![9; 8], 2, 4, vec![0]).unwrap();
        assert_eq!(Framing::of(&flat), None);
    }
}
