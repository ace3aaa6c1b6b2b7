//! Data sets that are recognised by their content.

use crate::compute::names::named;
use std::fmt::Write as _;

/// A data set, recognised by the content of its four files, or of two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownDataset {
    /// MNIST: handwritten digits (LeCun, Cortes and Burges).
    Mnist,
    /// Fashion-MNIST: articles of clothing (Xiao, Rasul and Vollgraf).
    FashionMnist,
    /// Any other data, even if a single byte differs.
    Unknown,
}

impl KnownDataset {
    /// SHA-256 of the decompressed files, in hexadecimal digits: training images and labels,
    /// test images and labels. Unknown data have none.
    pub fn sha256(self) -> Option<[&'static str; 4]> {
        match self {
            Self::Mnist => Some(MNIST),
            Self::FashionMnist => Some(FASHION_MNIST),
            Self::Unknown => None,
        }
    }

    /// The data set whose parts have these hashes, training images and labels, test images
    /// and labels. Either part may be missing.
    pub(super) fn of(parts: [Option<[Hash; 2]>; 2]) -> Self {
        let is = |known: &[&str; 4]| {
            let halves = known.chunks(2).zip(&parts);
            halves
                .filter_map(|(known, part)| Some((known, part.as_ref()?)))
                .all(|(known, part)| part.each_ref().map(hex) == known)
        };
        if parts == [None, None] {
            Self::Unknown
        } else if is(&MNIST) {
            Self::Mnist
        } else if is(&FASHION_MNIST) {
            Self::FashionMnist
        } else {
            Self::Unknown
        }
    }
}

named! { KnownDataset, "data set":
    Mnist = "MNIST",
    FashionMnist = "Fashion-MNIST",
    Unknown = "an unknown data set",
}

/// SHA-256 of MNIST's decompressed files: training images and labels, test
/// images and labels.
const MNIST: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/// SHA-256 of Fashion-MNIST's decompressed files, in the same order.
const FASHION_MNIST: [&str; 4] = [
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
];

/// SHA-256 of a file's decompressed content.
pub(super) type Hash = [u8; 32];

/// A hash in hexadecimal digits.
pub(super) fn hex(hash: &Hash) -> String {
    let mut text = String::new();
    for byte in hash {
        write!(text, "{byte:02x}").expect("a String takes whatever is written");
    }
    text
}
