//! Finding data sets.

use crate::data::idx::Kind;
use crate::files::error::IoError;
use crate::files::idx_names::idx_names;
use std::env;
use std::path::{Path, PathBuf};

/// Finds the folder to read when the user names none.
///
/// A folder or file named explicitly is taken as it is; [`load`] says what it lacks.
/// Otherwise the first of these that holds any of the four files: the folders
/// `before`, in order, `data/mnist` under the working directory, and
/// [`cache_folder`]`("mnist")`.
///
/// [`load`]: crate::files::load
///
/// # Errors
/// [`IoError::NoData`] if none of them does.
pub fn find(explicit: Option<&Path>, before: &[&Path]) -> Result<PathBuf, IoError> {
    if let Some(dir) = explicit {
        return Ok(dir.into());
    }
    let mut folders: Vec<PathBuf> = before.iter().map(PathBuf::from).collect();
    folders.push(PathBuf::from("data/mnist"));
    folders.extend(cache_folder("mnist"));
    first_with_data(folders)
}

/// The folder of a data set, such as `mnist`, in the user's cache folder: `handwritten/NAME` in
/// `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
/// It need not exist. `None` if none of these variables has an absolute path.
pub fn cache_folder(name: &str) -> Option<PathBuf> {
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
    cache.map(|cache| cache.join("handwritten").join(name))
}

/// The first folder that holds any of the four files. If it lacks another of them,
/// `load` says so, which is better than a silent look elsewhere.
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
    use std::fs;

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
