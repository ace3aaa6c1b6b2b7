//! Whether images stand upright, by the shape of what they show.

use crate::data::dataset::Dataset;
use core::fmt;

/// The number of images that are measured.
const SAMPLE: usize = 2048;

/// The minimum ratio of mean height and width that says something. Digits and letters are
/// taller than wide: MNIST's digits 1.4 times.
const RATIO: (u64, u64) = (21, 20);

/// How the ink of images lies, by its mean height and width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Orientation {
    /// Taller than wide, as handwritten digits and letters are.
    Upright,
    /// Wider than tall, as digits are whose rows and columns are exchanged.
    Transposed,
    /// About as tall as wide.
    Unclear,
}

impl Orientation {
    /// Measures images whose background is dark.
    pub fn of(data: &Dataset) -> Self {
        let (mut tall, mut wide) = (0, 0);
        for (image, _) in data.iter().take(SAMPLE) {
            let columns = data.columns();
            let strongest = image.iter().copied().max().unwrap_or(0);
            let is_ink = |pixel: u8| pixel > strongest / 2;
            let row = |i: &usize| image[i * columns..][..columns].iter().any(|&p| is_ink(p));
            let column = |j: &usize| image[*j..].iter().step_by(columns).any(|&p| is_ink(p));
            tall += extent((0..data.rows()).filter(row));
            wide += extent((0..columns).filter(column));
        }
        let (more, than) = RATIO;
        if than * tall > more * wide {
            Self::Upright
        } else if than * wide > more * tall {
            Self::Transposed
        } else {
            Self::Unclear
        }
    }
}

/// The distance from the first line to the last, both included.
fn extent(mut lines: impl DoubleEndedIterator<Item = usize>) -> u64 {
    let Some(first) = lines.next() else {
        return 0;
    };
    (lines.next_back().unwrap_or(first) - first + 1) as u64
}

impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upright => "upright: taller than wide",
            Self::Transposed => "wider than tall, as where rows and columns are exchanged",
            Self::Unclear => "about as tall as wide",
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn a_post_is_upright_and_a_bar_is_not() {
        let of = |pixels| {
            let mut data = Dataset::new(pixels, 3, 3, vec![0]).unwrap();
            let found = Orientation::of(&data);
            data.transpose();
            (found, Orientation::of(&data))
        };
        let (upright, transposed) = (Orientation::Upright, Orientation::Transposed);
        assert_eq!(of(vec![0, 9, 0, 0, 9, 0, 0, 9, 1]), (upright, transposed));
        let unclear = Orientation::Unclear;
        assert_eq!(of(vec![9, 0, 0, 0, 9, 0, 0, 0, 9]), (unclear, unclear));
        assert_eq!(of(vec![0; 9]), (unclear, unclear));
    }
}
