//! The disk: folders of IDX files, gz or raw, and files written whole or not
//! at all.
//!
//! No other module of the library opens a file.

use std::env;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

#[cfg(feature = "model")]
pub mod model;

use crate::data::idx::{self, IdxError, Kind};
use crate::data::{Dataset, DatasetError};

/// Which data set a folder holds, by the content of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownDataset {
    /// The handwritten digits of LeCun, Cortes and Burges.
    Mnist,
    /// The articles of clothing of Xiao, Rasul and Vollgraf.
    FashionMnist,
    /// Anything else, even if a single byte differs.
    Unknown,
}

impl KnownDataset {
    fn of(hashes: &[Hash; 4]) -> Self {
        let hashes = hashes.each_ref().map(hex);
        if hashes == MNIST {
            Self::Mnist
        } else if hashes == FASHION_MNIST {
            Self::FashionMnist
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for KnownDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mnist => "MNIST",
            Self::FashionMnist => "Fashion-MNIST",
            Self::Unknown => "an unknown data set",
        })
    }
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
type Hash = [u8; 32];

fn hex(hash: &Hash) -> String {
    let mut text = String::new();
    for byte in hash {
        write!(text, "{byte:02x}").expect("a String takes whatever is written");
    }
    text
}

/// What a data folder holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Corpus {
    /// The images of the training file, in its order.
    pub train: Dataset,
    /// The images of the test file, in its order.
    pub test: Dataset,
    /// Which data set it is.
    pub source: KnownDataset,
    /// Names the data, however they are compressed: the SHA-256, in hex, over
    /// the SHA-256 (32 bytes each) of the decompressed training images,
    /// training labels, test images and test labels.
    pub fingerprint: String,
    /// The folder they come from.
    pub dir: PathBuf,
}

/// Reads the four files of the folder `dir`.
///
/// A file is gz or raw by its content, whatever its name. Its name is
/// `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with or without
/// `.gz`; of several spellings the first in this order counts. Images may have
/// any size and labels any value.
///
/// # Errors
/// A folder or file that is missing, cannot be read or is something else; gz
/// or IDX that is damaged; images and labels that differ in number.
pub fn load(dir: &Path) -> Result<Corpus, IoError> {
    let folder = fs::metadata(dir).map_err(|error| IoError::read(dir, error))?;
    if !folder.is_dir() {
        return Err(IoError::NotAFolder { path: dir.into() });
    }
    let (train, test) = both(|| load_pair(dir, "train"), || load_pair(dir, "t10k"));
    let (train, [train_images, train_labels]) = train?;
    let (test, [test_images, test_labels]) = test?;
    let hashes = [train_images, train_labels, test_images, test_labels];
    Ok(Corpus {
        train,
        test,
        source: KnownDataset::of(&hashes),
        fingerprint: hex(&Sha256::digest(hashes.as_flattened()).into()),
        dir: dir.into(),
    })
}

/// The images and labels of the files `part-…`, and the hash of each.
fn load_pair(dir: &Path, part: &str) -> Result<(Dataset, [Hash; 2]), IoError> {
    let images = locate(dir, part, Kind::Images)?;
    let labels = locate(dir, part, Kind::Labels)?;

    let read = |path, kind| {
        let bytes = read_file(path, kind)?;
        let hash = Sha256::digest(&bytes).into();
        Ok((bytes, hash))
    };
    let (pixels, bytes) = both(
        || read(&images, Kind::Images),
        || read(&labels, Kind::Labels),
    );
    let (mut pixels, images_hash) = pixels?;
    let parsed = idx::images(&pixels).map_err(|error| IoError::idx(&images, error))?;
    let (rows, columns) = (parsed.rows, parsed.columns);
    // In place: two copies of the pixels would be the peak of a whole run.
    pixels.drain(..Kind::Images.header_len());
    let (bytes, labels_hash) = bytes?;
    let parsed = idx::labels(&bytes).map_err(|error| IoError::idx(&labels, error))?;

    let dataset =
        Dataset::new(pixels, rows, columns, parsed.to_vec()).map_err(|source| IoError::Data {
            images,
            labels,
            source,
        })?;
    Ok((dataset, [images_hash, labels_hash]))
}

/// Does both, at the same time where there are threads.
fn both<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(feature = "rayon")]
    return rayon::join(one, other);
    #[cfg(not(feature = "rayon"))]
    return (one(), other());
}

/// The names that a file goes by, in the order they are tried.
fn names(part: &str, kind: Kind) -> [String; 4] {
    let dimensions = match kind {
        Kind::Images => 3,
        Kind::Labels => 1,
    };
    [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")]
        .map(|(separator, end)| format!("{part}-{kind}{separator}idx{dimensions}-ubyte{end}"))
}

/// The first of a file's names that is there.
fn locate(dir: &Path, part: &str, kind: Kind) -> Result<PathBuf, IoError> {
    let names = names(part, kind);
    for name in &names {
        let path = dir.join(name);
        match fs::metadata(&path) {
            // Asked before opening: to open a pipe is to wait for its writer.
            Ok(found) if !found.is_file() => return Err(IoError::NotAFile { path }),
            Ok(_) => return Ok(path),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(IoError::read(&path, error));
            }
            Err(_) if path.is_symlink() => return Err(IoError::BrokenLink { path }),
            Err(_) => {}
        }
    }
    Err(IoError::Missing {
        dir: dir.into(),
        names,
    })
}

/// The decompressed content of the IDX file at `path`.
fn read_file(path: &Path, kind: Kind) -> Result<Vec<u8>, IoError> {
    let open = || {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    };
    let (file, len) = open().map_err(|error| IoError::read(path, error))?;
    let file = BufReader::with_capacity(64 * 1024, file);
    read_idx(file, len, kind).map_err(|error| IoError::unread(path, error))
}

/// Reads an IDX file, gz or raw by its content, that is `len` bytes long:
/// returns its decompressed content, header included, as [`idx::images`] and
/// [`idx::labels`] take it.
///
/// Reading stops one byte after what the header promises, which shows whether
/// the file goes on. That much memory is taken at once if it is no more than 16
/// times `len`; else it grows as bytes arrive.
///
/// # Errors
/// A header that is none of this kind, gz that is damaged, and whatever stops
/// the reader. That the content is shorter or longer than its header promises
/// is found by those who parse it.
pub fn read_idx(mut file: impl BufRead, len: u64, kind: Kind) -> Result<Vec<u8>, ReadError> {
    let is_gz = loop {
        match file.fill_buf() {
            // Every later call is made again by the standard library.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            start => break start.map_err(ReadError::System)?.starts_with(&[0x1f, 0x8b]),
        }
    };
    let mut content: Box<dyn Read + '_> = if is_gz {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };

    // The gz decoder's errors are told from the system's by their kind.
    let stopped = |source: io::Error| match source.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof if is_gz => {
            ReadError::Gz(source)
        }
        _ => ReadError::System(source),
    };
    let header_len = kind.header_len() as u64;
    let mut bytes = Vec::new();
    content
        .by_ref()
        .take(header_len)
        .read_to_end(&mut bytes)
        .map_err(stopped)?;
    let expected = kind.expected_len(&bytes).map_err(ReadError::Idx)?;

    // One byte more shows whether the file goes on, and reading up to the end
    // has the gz checksum verified.
    let limit = expected - header_len + 1;
    // What the header promises is taken from memory at once only as far as the
    // file bears it out; beyond that the buffer grows as bytes arrive. MNIST
    // shrinks to a fifth, its labels to a half.
    let likely = limit.min(len.saturating_mul(16));
    bytes
        .try_reserve_exact(usize::try_from(likely).unwrap_or(usize::MAX))
        .map_err(|error| ReadError::System(error.into()))?;
    content
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(stopped)?;
    Ok(bytes)
}

/// The folder to read when the user names none, or the one named.
///
/// A folder named explicitly is taken as it is; [`load`] says what it lacks.
/// Otherwise the first of these that holds any of the four files:
/// `data/mnist` beside this package's manifest, `data/mnist` under the working
/// directory, and `handwritten/mnist` in the user's cache folder
/// (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS,
/// `%LOCALAPPDATA%` on Windows).
///
/// # Errors
/// [`IoError::NoData`] if none of them does.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, IoError> {
    if let Some(dir) = explicit {
        return Ok(dir.into());
    }
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist"),
        PathBuf::from("data/mnist"),
    ];
    folders.extend(cache_folder());
    first_with_data(folders)
}

/// Where the user's cache folder keeps the files.
fn cache_folder() -> Option<PathBuf> {
    // A relative folder would depend on where the program is started.
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else {
        let usual = if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        };
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(usual)))
    };
    cache.map(|cache| cache.join("handwritten").join("mnist"))
}

/// The first folder that holds any of the four files: one that lacks another
/// deserves a message about that, not a silent look elsewhere.
fn first_with_data(folders: Vec<PathBuf>) -> Result<PathBuf, IoError> {
    let holds_data = |dir: &PathBuf| {
        ["train", "t10k"].iter().any(|part| {
            [Kind::Images, Kind::Labels]
                .into_iter()
                .flat_map(|kind| names(part, kind))
                .any(|name| dir.join(name).exists())
        })
    };
    match folders.iter().position(holds_data) {
        Some(i) => Ok(folders[i].clone()),
        None => Err(IoError::NoData { looked: folders }),
    }
}

/// The operations that saving a file is made of, so that each of them can be
/// made to fail.
pub trait Disk {
    /// A file that is open for writing.
    type File: Write;

    /// Makes a file of a name that nothing has.
    fn create_new(&self, path: &Path) -> io::Result<Self::File>;

    /// Has what was written to a file reach the disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Gives a file another name, in place of the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Has the names in a folder reach the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct Os;

impl Disk for Os {
    type File = File;

    fn create_new(&self, path: &Path) -> io::Result<File> {
        File::create_new(path)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // Folders that may not be read, and file systems that cannot do
            // it: nothing is lost unless the power fails.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

/// Writes a file so that `path` holds its old content or all of `bytes`, never
/// a part, even if the power fails.
///
/// The bytes go into a temporary file in the same folder, reach the disk, and
/// take the name then. A file of that name is replaced rather than rewritten:
/// its permissions are those of a new file, and other hard links to it keep the
/// old content, as does what it points to if it is a symbolic link.
///
/// # Errors
/// A folder that is missing or cannot be written to, a full disk, or something
/// at `path` that is no regular file. The temporary file is removed. Where it is
/// only the folder that cannot be made to reach the disk, `path` already holds
/// the new content.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_atomic_on(&Os, path, bytes)
}

/// The same on a disk of any kind.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_on(disk: &impl Disk, path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    // A rename would take the place of a device or pipe, too.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(IoError::NotAFile { path: path.into() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| IoError::Write {
        path: path.into(),
        source,
    };
    let (temporary, file) = create_temporary(disk, folder).map_err(failed)?;
    if let Err(error) = fill_and_rename(disk, file, bytes, &temporary, path) {
        // What matters is the first error; a second one changes nothing.
        let _ = disk.remove(&temporary);
        return Err(failed(error));
    }
    disk.sync_folder(folder).map_err(failed)
}

/// What temporary files are called.
const TEMPORARY: (&str, &str) = (".handwritten-", ".tmp");

/// A new empty file in `folder`, under a name that nothing else has.
fn create_temporary<D: Disk>(disk: &D, folder: &Path) -> io::Result<(PathBuf, D::File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (before, after) = TEMPORARY;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{before}{}-{number}{after}", process::id()));
        match disk.create_new(&path) {
            // Left by a process of the same number that was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((path, file)),
        }
    }
}

fn fill_and_rename<D: Disk>(
    disk: &D,
    mut file: D::File,
    bytes: &[u8],
    from: &Path,
    to: &Path,
) -> io::Result<()> {
    file.write_all(bytes)?;
    file.flush()?;
    // Before the rename, or a power failure leaves the new name on no content.
    disk.sync(&file)?;
    drop(file);
    disk.rename(from, to)
}

/// Removes the temporary files that processes have left in `folder` which were
/// killed while they wrote. Nobody else may be writing there.
pub fn sweep(folder: &Path) {
    let (before, after) = TEMPORARY;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_left = name
            .to_str()
            .is_some_and(|name| name.starts_with(before) && name.ends_with(after));
        if is_left {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Why [`read_idx`] stops.
#[non_exhaustive]
#[derive(Debug)]
pub enum ReadError {
    /// The system refuses to read, or has no memory.
    System(io::Error),
    /// The gz ends early, or its checksum or code is wrong.
    Gz(io::Error),
    /// The header is not that of the IDX file asked for.
    Idx(IdxError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(source) => write!(f, "cannot read: {source}"),
            Self::Gz(source) => write!(f, "damaged gz: {source}"),
            Self::Idx(source) => write!(f, "{source}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Why a folder or file cannot be read or written.
///
/// The sentence says the cause as well, so [`source`](std::error::Error::source)
/// has nothing to add to it.
#[non_exhaustive]
#[derive(Debug)]
pub enum IoError {
    /// No folder that is looked into by default holds any of the four files.
    NoData {
        /// The folders, in order.
        looked: Vec<PathBuf>,
    },
    /// A folder lacks a file.
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The names that the file goes by.
        names: [String; 4],
    },
    /// What should be a folder is something else.
    NotAFolder {
        /// What was to be read.
        path: PathBuf,
    },
    /// What should be a file is a folder, a pipe or a device.
    NotAFile {
        /// What was to be read or written.
        path: PathBuf,
    },
    /// A symbolic link leads nowhere.
    BrokenLink {
        /// The link.
        path: PathBuf,
    },
    /// The system refuses to read.
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A gz file ends early, or its checksum or code is wrong.
    Gz {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The content is not the IDX file that its name says.
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IdxError,
    },
    /// Images and labels do not make up a data set.
    Data {
        /// The file of images.
        images: PathBuf,
        /// The file of labels.
        labels: PathBuf,
        /// What is wrong.
        source: DatasetError,
    },
    /// The system refuses to write.
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl IoError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.into(),
            source,
        }
    }

    /// What stops the reading of the file at `path`.
    fn unread(path: &Path, error: ReadError) -> Self {
        let path = path.into();
        match error {
            ReadError::System(source) => Self::Read { path, source },
            ReadError::Gz(source) => Self::Gz { path, source },
            ReadError::Idx(source) => Self::Idx { path, source },
        }
    }

    fn idx(path: &Path, source: IdxError) -> Self {
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
                        let [name, ..] = names(part, kind);
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
            Self::Read { path, source } => {
                write!(f, "cannot read {}: {source}", path.display())
            }
            Self::Gz { path, source } => {
                write!(f, "{} is damaged gz: {source}", path.display())
            }
            Self::Idx { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Data {
                images,
                labels,
                source,
            } => write!(f, "{} and {}: {source}", images.display(), labels.display()),
            Self::Write { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for IoError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_with_any_of_the_files_is_found() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["none", "readme", "one", "two"].map(|name| root.path().join(name));
        for folder in &folders[1..] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(folders[1].join("README.md"), "no data").unwrap();
        fs::write(folders[2].join("t10k-labels.idx1-ubyte.gz"), "").unwrap();
        fs::write(folders[3].join("train-images-idx3-ubyte"), "").unwrap();
        assert_eq!(first_with_data(folders.to_vec()).unwrap(), folders[2]);

        let error = first_with_data(folders[..2].to_vec()).unwrap_err();
        assert!(matches!(&error, IoError::NoData { looked } if *looked == folders[..2]));
    }
}
