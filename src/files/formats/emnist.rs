//! EMNIST: names of its classes. Its images are transposed, rows for columns.
//!
//! Source: Cohen, Afshar, Tapson and van Schaik, *EMNIST: an extension of MNIST to
//! handwritten letters*, 2017, and the mapping files that come with it.

/// Digits, upper-case letters, then those lower-case letters whose shape is another.
const MERGED: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt";

/// Digits, upper-case letters, lower-case letters.
const ALL: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The 26 letters, upper and lower case in one class.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A part of EMNIST.
pub(in crate::files) struct Emnist {
    /// The names of the classes, in order of their labels.
    pub(in crate::files) classes: Vec<String>,
    /// The label of the first class.
    pub(in crate::files) first_label: u8,
}

impl Emnist {
    /// The part of EMNIST that the words of file names say, if they say one.
    pub(in crate::files) fn of(set: &str) -> Option<Self> {
        let mut words = set.split('-');
        if words.next() != Some("emnist") {
            return None;
        }
        let (classes, first_label) = match words.next() {
            Some("letters") => (LETTERS, 1),
            Some("balanced" | "bymerge") => (MERGED, 0),
            Some("byclass") => (ALL, 0),
            Some("digits" | "mnist") => (&ALL[..10], 0),
            _ => return None,
        };
        Some(Self {
            classes: classes.chars().map(String::from).collect(),
            first_label,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_classes() {
        let of = |set| Emnist::of(set).map(|part| (part.classes.len(), part.first_label));
        assert_eq!(of("emnist-letters"), Some((26, 1)));
        assert_eq!(of("emnist-balanced"), Some((47, 0)));
        assert_eq!(of("emnist-bymerge"), Some((47, 0)));
        assert_eq!(of("emnist-byclass"), Some((62, 0)));
        assert_eq!(of("emnist-digits"), Some((10, 0)));
        assert_eq!(of("emnist"), None);
        assert_eq!(of("kmnist"), None);
        assert_eq!(Emnist::of("emnist-balanced").unwrap().classes[46], "t");
        assert_eq!(Emnist::of("emnist-byclass").unwrap().classes[36], "a");
    }
}
