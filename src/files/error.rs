//! Errors of folders and files.

use crate::data::DatasetError;
use crate::data::idx::{IdxError, Kind};
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
    /// The path of a data folder is not a folder.
    NotAFolder {
        /// The path that was to be read.
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
        }
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
            Self::NotAFolder { path } => write!(f, "{} is not a folder", path.display()),
            Self::NotAFile { path } => write!(f, "{} is not a regular file", path.display()),
            Self::BrokenLink { path } => {
                write!(f, "{} is a link to nothing", path.display())
            }
            Self::Read { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Gz { path, .. } => write!(f, "{} is damaged gz", path.display()),
            Self::Idx { path, .. } => write!(f, "{} is not the IDX file expected", path.display()),
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
            Self::Data { source, .. } => Some(source),
            Self::NoData { .. }
            | Self::Missing { .. }
            | Self::NotAFolder { .. }
            | Self::NotAFile { .. }
            | Self::BrokenLink { .. } => None,
        }
    }
}
