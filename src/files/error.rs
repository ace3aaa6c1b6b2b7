//! Errors of folders and files.

use crate::data::DatasetError;
use crate::data::idx::{IdxError, Kind};
use crate::files::formats::{CsvError, IntLabelsError, NpyError, NpzError};
use crate::files::idx_names::idx_names;
use crate::files::read::ReadError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The error of finding, reading or writing a folder or file.
///
/// The message is one line, which names the file or folder; the cause, if there is one, is
/// the [`source`](std::error::Error::source).
#[non_exhaustive]
#[derive(Debug)]
pub enum IoError {
    /// None of the default folders holds any of the four files.
    NoData {
        /// The folders that were searched, in order.
        looked: Vec<PathBuf>,
    },
    /// A data folder lacks a file.
    Missing {
        /// The data folder.
        dir: PathBuf,
        /// The names that the file may have.
        names: [String; 4],
    },
    /// Nothing in a folder, or one or two levels down, is a data set.
    NothingFound {
        /// The folder.
        dir: PathBuf,
        /// The names of some of the files that are there.
        found: Vec<String>,
    },
    /// A folder holds several data sets, or files of one place that differ.
    Ambiguous {
        /// The folder.
        dir: PathBuf,
        /// A file of each data set, some of them.
        found: Vec<String>,
        /// The first of these files.
        first: PathBuf,
    },
    /// A data set has images without labels, or labels without images.
    Unpaired {
        /// The data folder.
        dir: PathBuf,
        /// The words that the names of the files share.
        set: String,
        /// The kind of file that is missing.
        kind: Kind,
    },
    /// A file is no data at all.
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of file that it is instead.
        what: &'static str,
    },
    /// Images that have to have labels have none.
    Unlabelled {
        /// The file.
        path: PathBuf,
    },
    /// A data set has no training images.
    NoTraining {
        /// The folder or the file.
        path: PathBuf,
    },
    /// A data set has a single image, and none to test.
    NoTest {
        /// The folder or the file.
        path: PathBuf,
    },
    /// The path of a file is a folder, a pipe or a device.
    NotAFile {
        /// The path that was to be read or written.
        path: PathBuf,
    },
    /// A symbolic link points to nothing.
    BrokenLink {
        /// The link.
        path: PathBuf,
    },
    /// The system fails to read.
    Read {
        /// The path that was to be read.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A gz file ends early, or its checksum or code is wrong.
    Gz {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The content is not the kind of IDX file that the name says.
    Idx {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: IdxError,
    },
    /// The content is no IDX file of labels that are integers.
    IntLabels {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: IntLabelsError,
    },
    /// The content is no table of images.
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: CsvError,
    },
    /// The content is no array of images or labels.
    Npy {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: NpyError,
    },
    /// The content is no archive of images and labels.
    Npz {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: NpzError,
    },
    /// Images and labels do not make a data set.
    Data {
        /// The file of images.
        images: PathBuf,
        /// The file of labels.
        labels: PathBuf,
        /// The cause.
        source: DatasetError,
    },
    /// The system fails to write.
    Write {
        /// The path that was to be written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl IoError {
    /// The system fails to read `path`.
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.into(),
            source,
        }
    }

    /// The error of reading the file at `path`.
    pub(super) fn unread(path: &Path, error: ReadError) -> Self {
        let path = path.into();
        match error {
            ReadError::System(source) => Self::Read { path, source },
            ReadError::Gz(source) => Self::Gz { path, source },
            ReadError::Idx(source) => Self::Idx { path, source },
            ReadError::IntLabels(source) => Self::IntLabels { path, source },
            ReadError::Csv(source) => Self::Csv { path, source },
            ReadError::Npy(source) => Self::Npy { path, source },
            ReadError::Npz(source) => Self::Npz { path, source },
        }
    }

    /// The content of `path` is not the array that its name says.
    pub(super) fn npy(path: &Path, source: NpyError) -> Self {
        let path = path.into();
        Self::Npy { path, source }
    }

    /// The content of `path` is not the IDX file that its name says.
    pub(super) fn idx(path: &Path, source: IdxError) -> Self {
        Self::Idx {
            path: path.into(),
            source,
        }
    }
}

impl fmt::Display for IoError {
    // Long: an arm for each error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData { looked } => {
                f.write_str("no data: ")?;
                for part in ["train", "t10k"] {
                    for kind in [Kind::Images, Kind::Labels] {
                        let [name, ..] = idx_names(part, kind);
                        write!(f, "{name}, ")?;
                    }
                }
                f.write_str("gz or raw, are looked for in ")?;
                for (i, folder) in looked.iter().enumerate() {
                    let before = if i == 0 { "" } else { ", then " };
                    write!(f, "{before}{}", folder.display())?;
                }
                f.write_str(
                    "; put them there or name their folder (mirrors of MNIST: \
                     mnist/ in the bucket ossci-datasets, mnist/ in the bucket cvdf-datasets)",
                )
            }
            Self::Missing { dir, names } => {
                let [dash, dash_gz, dot, dot_gz] = names;
                write!(
                    f,
                    "{} lacks {dash} ({dash_gz}, {dot} and {dot_gz} would do as well)",
                    dir.display()
                )
            }
            Self::NothingFound { dir, found } => {
                let [name, ..] = idx_names("train", Kind::Images);
                write!(f, "no data in {}: found ", dir.display())?;
                match &found[..] {
                    [] => f.write_str("nothing")?,
                    found => f.write_str(&found.join(", "))?,
                }
                write!(
                    f,
                    "; looked for IDX files such as {name}, train.csv, mnist.npz, train_images.npy"
                )
            }
            Self::Ambiguous { dir, found, first } => write!(
                f,
                "several data sets in {}: {}; name one by a file of it, such as {}",
                dir.display(),
                found.join(", "),
                first.display()
            ),
            Self::Unpaired { dir, set, kind } => {
                let set = if set.is_empty() { "the data set" } else { set };
                write!(f, "{} lacks the {kind} of {set}", dir.display())
            }
            Self::Foreign { path, what } => write!(f, "{} is {what}", path.display()),
            Self::Unlabelled { path } => write!(
                f,
                "{} has images without labels, which can be classified only",
                path.display()
            ),
            Self::NoTraining { path } => {
                write!(
                    f,
                    "{} has test images, but none to train on",
                    path.display()
                )
            }
            Self::NoTest { path } => {
                write!(f, "{} has a single image, and none to test", path.display())
            }
            Self::NotAFile { path } => write!(f, "{} is not a regular file", path.display()),
            Self::BrokenLink { path } => {
                write!(f, "{} is a link to nothing", path.display())
            }
            Self::Read { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Gz { path, .. } => write!(f, "{} is damaged gz", path.display()),
            Self::Idx { path, .. } => write!(f, "{} is not the IDX file expected", path.display()),
            Self::IntLabels { path, .. } => {
                write!(
                    f,
                    "{} is not the IDX file of labels expected",
                    path.display()
                )
            }
            Self::Csv { path, .. } => write!(f, "{} is no table of images", path.display()),
            Self::Npy { path, .. } => write!(f, "{} is not the array expected", path.display()),
            Self::Npz { path, .. } => {
                write!(f, "{} is no archive of images and labels", path.display())
            }
            Self::Data { images, labels, .. } if images == labels => {
                write!(f, "{} makes no data set", images.display())
            }
            Self::Data { images, labels, .. } => write!(
                f,
                "{} and {} make no data set",
                images.display(),
                labels.display()
            ),
            Self::Write { path, .. } => write!(f, "cannot write {}", path.display()),
        }
    }
}

impl std::error::Error for IoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Gz { source, .. } | Self::Write { source, .. } => {
                Some(source)
            }
            Self::Idx { source, .. } => Some(source),
            Self::IntLabels { source, .. } => Some(source),
            Self::Csv { source, .. } => Some(source),
            Self::Npy { source, .. } => Some(source),
            Self::Npz { source, .. } => Some(source),
            Self::Data { source, .. } => Some(source),
            Self::NoData { .. }
            | Self::Missing { .. }
            | Self::NothingFound { .. }
            | Self::Ambiguous { .. }
            | Self::Unpaired { .. }
            | Self::Foreign { .. }
            | Self::Unlabelled { .. }
            | Self::NoTraining { .. }
            | Self::NoTest { .. }
            | Self::NotAFile { .. }
            | Self::BrokenLink { .. } => None,
        }
    }
}
