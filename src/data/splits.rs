//! Splitting images into training, validation and test images.

use crate::compute::rng::shuffle;
use crate::data::dataset::{Dataset, Subset, numbers};
use crate::data::error::DatasetError;
use crate::data::split::Split;
use alloc::vec::Vec;
use rand_core::Rng;

/// Splits examples at random into two parts with equal shares of each class: returns the
/// indices of `labels.len() − second` examples, then those of `second`.
///
/// If a class has n of all N examples, the second part has `n·second/N` of them, rounded
/// down or up: up for the largest remainders, ties by class number. Both parts are
/// shuffled, so every prefix mixes the classes.
///
/// # Panics
/// Panics if `second` is more than there are labels, or there are 2³² labels
/// or more.
pub fn stratified_split<R: Rng + ?Sized>(
    labels: &[u8],
    second: usize,
    rng: &mut R,
) -> (Vec<u32>, Vec<u32>) {
    let total = labels.len();
    assert!(
        second <= total && u32::try_from(total).is_ok(),
        "cannot take {second} of {total} labels"
    );
    let mut wanted = shares(labels, second);

    // In random order, the first examples of a class are a random choice of it.
    let mut order = numbers(total);
    shuffle(&mut order, rng);
    let (mut rest, mut taken) = (
        Vec::with_capacity(total - second),
        Vec::with_capacity(second),
    );
    for i in order {
        let wanted = &mut wanted[usize::from(labels[i as usize])];
        if *wanted > 0 {
            *wanted -= 1;
            taken.push(i);
        } else {
            rest.push(i);
        }
    }
    // Unshuffled, the rest would begin with the classes whose share was filled first.
    shuffle(&mut rest, rng);
    shuffle(&mut taken, rng);
    (rest, taken)
}

/// The number of examples of each class in a part of `part` examples.
fn shares(labels: &[u8], part: usize) -> [u64; 256] {
    let mut counts = [0u64; 256];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let (total, part) = (labels.len() as u64, part as u64);
    if total == 0 {
        return counts;
    }
    // No product overflows: both factors are below 2³².
    let mut shares = counts.map(|n| n * part / total);
    let missing = part - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..256).collect();
    // Stable, so that equal remainders stay in the order of their classes.
    by_remainder.sort_by_key(|&class| core::cmp::Reverse(counts[class] * part % total));
    for class in by_remainder.into_iter().take(missing as usize) {
        shares[class] += 1;
    }
    shares
}

/// The training, validation and test images of a run: none is empty, and no image is in
/// two of them.
#[derive(Clone, Debug)]
pub struct Splits<'a> {
    /// The images that the net learns from.
    pub train: Subset<'a>,
    /// The images that choose the best epoch.
    pub val: Subset<'a>,
    /// The images that measure the chosen net, once.
    pub test: Subset<'a>,
}

impl<'a> Splits<'a> {
    /// Splits the images of a training file and a test file.
    ///
    /// One of the two files is split in two, by [`stratified_split`]: the first and the
    /// last half of MNIST's test file differ by a factor of two in error.
    ///
    /// # Errors
    /// Images of two sizes, a label in the test file beyond those of the
    /// training file, and a file too small to be split.
    pub fn new<R: Rng + ?Sized>(
        train_file: &'a Dataset,
        test_file: &'a Dataset,
        split: Split,
        rng: &mut R,
    ) -> Result<Self, DatasetError> {
        let sizes = [train_file, test_file].map(|file| (file.rows(), file.columns()));
        if sizes[0] != sizes[1] {
            return Err(DatasetError::Sizes {
                train: sizes[0],
                test: sizes[1],
            });
        }
        let classes = train_file.classes();
        let unknown = |&label: &u8| usize::from(label) >= classes;
        if let Some(index) = test_file.labels().iter().position(unknown) {
            return Err(DatasetError::Label {
                index,
                label: test_file.label(index),
                classes,
            });
        }
        let (cut, parts) = match split {
            Split::Question => (test_file, 2),
            Split::Standard => (train_file, 12),
        };
        if cut.len() < parts {
            return Err(DatasetError::TooFew {
                split,
                expected: parts,
                found: cut.len(),
            });
        }
        let (first, second) = stratified_split(cut.labels(), cut.len() / parts, rng);
        let (first, second) = (Subset::new(cut, first), Subset::new(cut, second));
        Ok(match split {
            Split::Question => Self {
                train: Subset::all(train_file),
                val: first,
                test: second,
            },
            Split::Standard => Self {
                train: first,
                val: second,
                test: Subset::all(test_file),
            },
        })
    }
}
