//! Finding and loading data sets.

use crate::data::Dataset;
use crate::data::idx::{self, Kind};
use crate::files::error::IoError;
use crate::files::idx_names::idx_names;
use crate::files::known::{Hash, KnownDataset, hex};
use crate::files::read::read_idx;
use sha2::{Digest, Sha256};
use std::env;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
#[cfg(feature = "rayon")]
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

/// The data set of a folder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Corpus {
    /// The images and labels of the training files, in file order.
    pub train: Dataset,
    /// The images and labels of the test files, in file order.
    pub test: Dataset,
    /// The data set, if it is known by its content.
    pub source: KnownDataset,
    /// The fingerprint of the decompressed data: the SHA-256, in hexadecimal digits, of
    /// the four SHA-256 (32 bytes each) of training images, training labels, test images
    /// and test labels.
    pub fingerprint: String,
    /// The folder that the files were read from.
    pub dir: PathBuf,
}

/// Loads the four files of the folder `dir`.
///
/// The names are `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, and so on, with
/// or without `.gz`; if there are several spellings of a name, the first in this order
/// counts. Whether a file is gz is told by its content, not by its name. Images may have
/// any size and labels any value.
///
/// ```no_run
/// use handwritten::data::{Split, Splits};
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::files;
///
/// let corpus = files::load(&files::find(None, &[])?)?;
/// let mut rng = generator(1, Stream::Split);
/// let splits = Splits::new(&corpus.train, &corpus.test, Split::Standard, &mut rng)?;
/// println!("{}: {} images to train", corpus.source, splits.train.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A folder or file that is missing, cannot be read or is something else; gz or IDX that
/// is damaged; images and labels that differ in number.
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

/// Loads the images and labels of a part (`train` or `t10k`), and hashes each file.
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
    // In place: two copies of the pixels would be the peak memory of a whole run.
    pixels.drain(..Kind::Images.header_len());
    let (mut bytes, labels_hash) = bytes?;
    idx::labels(&bytes).map_err(|error| IoError::idx(&labels, error))?;
    bytes.drain(..Kind::Labels.header_len());

    let dataset = Dataset::new(pixels, rows, columns, bytes).map_err(|source| IoError::Data {
        images,
        labels,
        source,
    })?;
    Ok((dataset, [images_hash, labels_hash]))
}

/// Calls both: with the feature `rayon` in parallel, if a thread can be started.
fn both<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    #[cfg(feature = "rayon")]
    return std::thread::scope(|scope| {
        let started = std::thread::Builder::new().spawn_scoped(scope, &one);
        let other = other();
        let one = match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => one(),
        };
        (one, other)
    });
    #[cfg(not(feature = "rayon"))]
    return (one(), other());
}

/// The path of a file, by the first of its names that exists.
fn locate(dir: &Path, part: &str, kind: Kind) -> Result<PathBuf, IoError> {
    let names = idx_names(part, kind);
    for name in &names {
        let path = dir.join(name);
        match fs::metadata(&path) {
            // Checked before opening: opening a pipe waits for its writer.
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

/// Finds the folder to read when the user names none.
///
/// A folder named explicitly is taken as it is; [`load`] says what it lacks.
/// Otherwise the first of these that holds any of the four files: the folders
/// `before`, in order, `data/mnist` under the working directory, and
/// `handwritten/mnist` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`,
/// `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows).
///
/// # Errors
/// [`IoError::NoData`] if none of them does.
pub fn find(explicit: Option<&Path>, before: &[&Path]) -> Result<PathBuf, IoError> {
    if let Some(dir) = explicit {
        return Ok(dir.into());
    }
    let mut folders: Vec<PathBuf> = before.iter().map(PathBuf::from).collect();
    folders.push(PathBuf::from("data/mnist"));
    folders.extend(cache_folder());
    first_with_data(folders)
}

/// The folder of the files in the user's cache folder.
fn cache_folder() -> Option<PathBuf> {
    // A relative folder would depend on the working directory.
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

/// The first folder that holds any of the four files. If it lacks another of them,
/// [`load`] says so, which is better than a silent look elsewhere.
fn first_with_data(folders: Vec<PathBuf>) -> Result<PathBuf, IoError> {
    let holds_data = |dir: &PathBuf| {
        ["train", "t10k"].iter().any(|part| {
            [Kind::Images, Kind::Labels]
                .into_iter()
                .flat_map(|kind| idx_names(part, kind))
                .any(|name| dir.join(name).exists())
        })
    };
    match folders.iter().position(holds_data) {
        Some(i) => Ok(folders[i].clone()),
        None => Err(IoError::NoData { looked: folders }),
    }
}

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
