//! Errors of data sets.

use crate::data::idx::IdxError;
use crate::data::split::Split;
use core::fmt;

/// The error of making a data set, or of splitting one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatasetError {
    /// The bytes of the images are no IDX file of images.
    Images(IdxError),
    /// The bytes of the labels are no IDX file of labels.
    Labels(IdxError),
    /// The pixels are not a whole number of images.
    Pixels {
        /// Number of pixels.
        found: usize,
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
    },
    /// There are more images than labels, or fewer.
    Counts {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// There is no image.
    Empty,
    /// The images of the two files differ in size.
    Sizes {
        /// Rows and columns in the training file.
        train: (usize, usize),
        /// Rows and columns in the test file.
        test: (usize, usize),
    },
    /// The test file has a label that the training file does not have.
    Label {
        /// The index of the image in the test file.
        index: usize,
        /// The label of that image.
        label: u8,
        /// The number of classes of the training file.
        classes: usize,
    },
    /// The file to be split has too few images for two parts.
    TooFew {
        /// The split asked for.
        split: Split,
        /// The number of images that it needs.
        expected: usize,
        /// The number of images there are.
        found: usize,
    },
}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Images(_) => f.write_str("the images cannot be read"),
            Self::Labels(_) => f.write_str("the labels cannot be read"),
            Self::Pixels {
                found,
                rows,
                columns,
            } => write!(
                f,
                "{found} pixels are no whole number of images of {rows} by {columns}"
            ),
            Self::Counts { images, labels } => {
                write!(f, "{images} images but {labels} labels")
            }
            Self::Empty => f.write_str("no images; at least 1 expected"),
            Self::Sizes { train, test } => write!(
                f,
                "the training images are {} by {} pixels, the test images {} by {}",
                train.0, train.1, test.0, test.1
            ),
            Self::Label {
                index,
                label,
                classes,
            } => write!(
                f,
                "test image {index} has label {label}, \
                 but the training labels go from 0 to {}",
                classes - 1
            ),
            Self::TooFew {
                split,
                expected,
                found,
            } => {
                let file = match split {
                    Split::Question => "test",
                    Split::Standard => "training",
                };
                write!(
                    f,
                    "the split \"{split}\" cuts the {file} file in two and needs \
                     {expected} images there at least, but found {found}"
                )
            }
        }
    }
}

impl core::error::Error for DatasetError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Images(error) | Self::Labels(error) => Some(error),
            _ => None,
        }
    }
}
