//! The data sets of the internet: their files, the sums of these, and who has them.

use crate::args::NamedSet;
use handwritten::files::KnownDataset;

/// Where a data set comes from.
pub(super) struct Source {
    /// Addresses that the names of the files follow, the first of which is asked first.
    pub(super) mirrors: Vec<String>,
    pub(super) files: Files,
}

/// The files of a data set.
pub(super) enum Files {
    /// Files that are downloaded as they are.
    Single(Vec<Remote>),
    /// Files of a zip archive, by their names there, and the folder of the archive that they
    /// lie in. The archive is not kept.
    InArchive {
        archive: Remote,
        folder: String,
        names: Vec<String>,
    },
}

/// A file that a mirror has.
pub(super) struct Remote {
    pub(super) name: String,
    /// Maximum number of bytes; of a file with [`Sum::OfFile`] the number of its bytes.
    pub(super) max_len: u64,
    /// The first bytes of the file: a web page begins with others.
    pub(super) magic: &'static [u8],
    pub(super) sum: Sum,
}

/// The sum that a file is verified by: a SHA-256 in hexadecimal digits.
pub(super) enum Sum {
    /// That of the decompressed content, of `len` bytes: any gz of it is right.
    OfContent { sha256: String, len: u64 },
    /// That of the file.
    OfFile(String),
}

/// The first bytes of gz and of zip.
pub(super) const GZ: &[u8] = &[0x1f, 0x8b];
pub(super) const ZIP: &[u8] = b"PK";

/// The files of MNIST and of the sets that are like it, and the length of their decompressed
/// content: training images and labels, test images and labels.
const NAMES: [(&str, u64); 4] = [
    ("train-images-idx3-ubyte.gz", 16 + 60_000 * 784),
    ("train-labels-idx1-ubyte.gz", 8 + 60_000),
    ("t10k-images-idx3-ubyte.gz", 16 + 10_000 * 784),
    ("t10k-labels-idx1-ubyte.gz", 8 + 10_000),
];

impl Remote {
    /// A gz file with this content.
    pub(super) fn of_content(name: &str, sha256: &str, len: u64) -> Self {
        Self {
            name: name.into(),
            // Content that does not shrink gets a header, and five bytes for every 65 535.
            max_len: len + (len >> 10) + 1024,
            magic: GZ,
            sum: Sum::OfContent {
                sha256: sha256.into(),
                len,
            },
        }
    }
}

impl Source {
    /// The names of the files that mirrors have.
    #[cfg(not(feature = "fetch"))]
    pub(super) fn names(&self) -> Vec<&str> {
        match &self.files {
            Files::Single(remotes) => remotes.iter().map(|remote| remote.name.as_str()).collect(),
            Files::InArchive { archive, .. } => vec![&archive.name],
        }
    }

    /// The source of a data set.
    pub(super) fn of(set: NamedSet) -> Self {
        match set {
            NamedSet::Mnist => Self::of_known(
                KnownDataset::Mnist,
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist/",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/",
                ],
            ),
            NamedSet::Fashion => Self::of_known(
                KnownDataset::FashionMnist,
                &[
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                ],
            ),
            NamedSet::Kmnist => Self::kmnist(),
            NamedSet::EmnistDigits => Self::emnist("emnist-digits"),
        }
    }

    /// A data set whose content the library knows.
    fn of_known(set: KnownDataset, mirrors: &[&str]) -> Self {
        let sums = set
            .sha256()
            .expect("the content of named data sets is known");
        let remotes = NAMES
            .iter()
            .zip(sums)
            .map(|(&(name, len), sum)| Remote::of_content(name, sum, len));
        Self {
            mirrors: mirrors.iter().map(|&url| url.into()).collect(),
            files: Files::Single(remotes.collect()),
        }
    }

    /// Kuzushiji-MNIST (Clanuwat and others 2018), whose files have had one compressed form.
    fn kmnist() -> Self {
        const FILES: [(u64, &str); 4] = [
            (
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            (
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            (
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            (
                5_120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ];
        let remotes = NAMES
            .iter()
            .zip(FILES)
            .map(|(&(name, _), (max_len, sum))| Remote {
                name: name.into(),
                max_len,
                magic: GZ,
                sum: Sum::OfFile(sum.into()),
            });
        let at = |scheme| format!("{scheme}://codh.rois.ac.jp/kmnist/dataset/kmnist/");
        Self {
            mirrors: vec![at("https"), at("http")],
            files: Files::Single(remotes.collect()),
        }
    }

    /// A set of EMNIST (Cohen and others 2017), all of which are files of one archive.
    fn emnist(set: &str) -> Self {
        let file = |end| format!("{set}-{end}");
        Self {
            mirrors: vec!["https://biometrics.nist.gov/cs_links/EMNIST/".into()],
            files: Files::InArchive {
                archive: Remote {
                    name: "gzip.zip".into(),
                    max_len: 561_753_746,
                    magic: ZIP,
                    sum: Sum::OfFile(
                        "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e".into(),
                    ),
                },
                folder: "gzip/".into(),
                names: [
                    "train-images-idx3-ubyte.gz",
                    "train-labels-idx1-ubyte.gz",
                    "test-images-idx3-ubyte.gz",
                    "test-labels-idx1-ubyte.gz",
                    "mapping.txt",
                ]
                .map(file)
                .into(),
            },
        }
    }
}
