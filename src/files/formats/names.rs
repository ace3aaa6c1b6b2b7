//! Names of the files and arrays of a data set: which part and which kind they say they are.

/// The part of a data set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::files) enum Part {
    Train,
    Test,
}

/// The content of a file or of an array.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::files) enum Holds {
    Images,
    Labels,
    /// Images with their labels.
    Both,
}

/// The family of formats that a name says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::files) enum Family {
    Idx,
    /// Arrays in a file each.
    Npy,
    /// An archive of arrays.
    Npz,
    Csv,
}

/// A name taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::files) struct Name {
    /// The words that say neither part nor kind nor format, such as `emnist-letters`.
    pub(in crate::files) set: String,
    pub(in crate::files) part: Option<Part>,
    pub(in crate::files) holds: Holds,
    pub(in crate::files) family: Family,
}

impl Name {
    /// Takes the name of a file apart. `None` if it is no name of data.
    pub(in crate::files) fn of_file(name: &str) -> Option<Self> {
        let name = without_copy_number(&name.to_lowercase());
        let words: Vec<&str> = words(name.strip_suffix(".gz").unwrap_or(&name)).collect();
        let is = |names: &[&str]| words.iter().any(|word| names.contains(word));
        let family = match words.last() {
            Some(&"csv") => Family::Csv,
            Some(&"npy") => Family::Npy,
            Some(&"npz") => Family::Npz,
            _ if is(&["idx1", "idx2", "idx3", "ubyte", "idx"]) => Family::Idx,
            _ => return None,
        };
        let (part, holds) = part_and_kind(&words);
        let holds = match (family, holds) {
            (Family::Csv, _) | (Family::Npz, None) => Holds::Both,
            // The word "data" may stand for both in the name of an archive.
            (Family::Npz, _) if part.is_none() => Holds::Both,
            (_, Some(holds)) => holds,
            (_, None) => return None,
        };
        // The validation images of sets in three parts, and what is to be sent to Kaggle.
        if is(&["val", "valid", "validation", "submission"]) {
            return None;
        }
        let others = words.iter().filter(|word| !is_known(word));
        Some(Self {
            set: others.copied().collect::<Vec<_>>().join("-"),
            part,
            holds,
            family,
        })
    }
}

/// The part and the kind that the name of an array says, such as `x_train`.
pub(in crate::files) fn of_array(name: &str) -> (Option<Part>, Option<Holds>) {
    let name = name.to_lowercase();
    part_and_kind(&words(&name).collect::<Vec<_>>())
}

const TRAIN: [&str; 3] = ["train", "training", "trn"];
const TEST: [&str; 6] = ["test", "testing", "tst", "t10k", "test10k", "test50k"];
const IMAGES: [&str; 8] = [
    "images", "image", "imgs", "img", "x", "data", "pixels", "features",
];
const LABELS: [&str; 8] = [
    "labels", "label", "y", "lbls", "targets", "target", "classes", "class",
];
const FORMATS: [&str; 9] = [
    "csv", "npy", "npz", "idx", "idx1", "idx2", "idx3", "ubyte", "int",
];

fn is_known(word: &str) -> bool {
    [&TRAIN[..], &TEST, &IMAGES, &LABELS, &FORMATS]
        .iter()
        .any(|names| names.contains(&word))
}

fn part_and_kind(words: &[&str]) -> (Option<Part>, Option<Holds>) {
    let is = |names: &[&str]| words.iter().any(|word| names.contains(word));
    let part = match (is(&TRAIN), is(&TEST)) {
        (true, false) => Some(Part::Train),
        (false, true) => Some(Part::Test),
        _ => None,
    };
    let holds = match (is(&IMAGES), is(&LABELS)) {
        (true, false) => Some(Holds::Images),
        (false, true) => Some(Holds::Labels),
        _ => None,
    };
    (part, holds)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// The name without the number that a browser puts into that of a second download: `(1)`.
fn without_copy_number(name: &str) -> String {
    let Some((before, rest)) = name.split_once('(') else {
        return name.to_string();
    };
    match rest.split_once(')') {
        Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{}{after}", before.trim_end())
        }
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_part_and_kind() {
        use {Family::*, Holds::*, Part::*};
        for (name, set, part, holds, family) in [
            ("train-images-idx3-ubyte", "", Some(Train), Images, Idx),
            ("t10k-labels.idx1-ubyte.gz", "", Some(Test), Labels, Idx),
            (
                "train-images-idx3-ubyte (1).gz",
                "",
                Some(Train),
                Images,
                Idx,
            ),
            (
                "train-images-idx3-ubyte.gz(2)",
                "",
                Some(Train),
                Images,
                Idx,
            ),
            (
                "emnist-letters-test-labels-idx1-ubyte.gz",
                "emnist-letters",
                Some(Test),
                Labels,
                Idx,
            ),
            (
                "qmnist-train-labels-idx2-int.gz",
                "qmnist",
                Some(Train),
                Labels,
                Idx,
            ),
            ("kmnist-train-imgs.npz", "kmnist", Some(Train), Images, Npz),
            ("train_images.npy", "", Some(Train), Images, Npy),
            ("Y_test.npy", "", Some(Test), Labels, Npy),
            ("mnist.npz", "mnist", None, Both, Npz),
            ("train.csv", "", Some(Train), Both, Csv),
            ("mnist_test.csv.gz", "mnist", Some(Test), Both, Csv),
            (
                "A_Z Handwritten Data.csv",
                "a-z-handwritten",
                None,
                Both,
                Csv,
            ),
        ] {
            let expected = Name {
                set: set.to_string(),
                part,
                holds,
                family,
            };
            assert_eq!(Name::of_file(name), Some(expected), "{name}");
        }
        for name in [
            "README.md",
            "train.png",
            "sample_submission.csv",
            "val_images.npy",
            "x.py",
        ] {
            assert_eq!(Name::of_file(name), None, "{name}");
        }
        assert_eq!(of_array("x_train"), (Some(Train), Some(Images)));
        assert_eq!(of_array("target"), (None, Some(Labels)));
        assert_eq!(of_array("arr_0"), (None, None));
    }
}
