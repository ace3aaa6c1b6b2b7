//! The files in a folder that make up a data set.

use crate::data::idx::Kind;
use crate::files::error::IoError;
use crate::files::formats::content::{Content, foreign, require_file, start_of};
use crate::files::formats::names::{Family, Holds, Name, Part};
use crate::files::idx_names::idx_names;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

/// Maximum number of names that are looked at, in all folders together.
const MAX_NAMES: usize = 1 << 18;

/// Maximum number of names that a message lists.
const SHOWN: usize = 8;

/// The place of a file in a data set.
type Slot = (Option<Part>, Holds);

/// Files that make up a data set by their names.
#[derive(Clone, Debug)]
pub(in crate::files) struct Reading {
    pub(in crate::files) folder: PathBuf,
    /// The words that the names of the files share, such as `emnist-letters`.
    pub(in crate::files) set: String,
    pub(in crate::files) family: Family,
    /// Whether the test files alone are asked for.
    pub(in crate::files) is_test_alone: bool,
    /// The files of each place. Several are copies, raw and gz, or other files.
    files: BTreeMap<Slot, Vec<PathBuf>>,
}

impl Reading {
    /// The files of the data set at `path`: a folder, or a file of it.
    pub(in crate::files) fn of(path: &Path) -> Result<Self, IoError> {
        let found = fs::metadata(path).map_err(|error| match path.is_symlink() {
            true => IoError::BrokenLink { path: path.into() },
            false => IoError::read(path, error),
        })?;
        match found.is_dir() {
            true => Self::in_folder(path),
            false => Self::with_file(path),
        }
    }

    /// The one data set in a folder or, if it holds none, in folders one or two levels
    /// down. The four IDX files have precedence in the folder itself.
    fn in_folder(dir: &Path) -> Result<Self, IoError> {
        let mut seen = vec![];
        let mut left = MAX_NAMES;
        let mut folders = vec![dir.to_path_buf()];
        for level in 0..3 {
            let (mut readings, mut below) = (vec![], vec![]);
            for folder in &folders {
                let Listing {
                    readings: found,
                    folders: inner,
                    others,
                } = list(folder, &mut left).map_err(|error| IoError::read(folder, error))?;
                readings.extend(found);
                below.extend(inner);
                seen.extend(others);
            }
            let is_standard = |reading: &&Self| {
                level == 0 && reading.family == Family::Idx && reading.set.is_empty()
            };
            if let Some(standard) = readings.iter().find(is_standard) {
                return Ok(standard.clone());
            }
            if readings.iter().any(Self::has_parts) {
                readings.retain(Self::has_parts);
            }
            match readings.len() {
                0 => folders = below,
                1 => return Ok(readings.remove(0)),
                _ => return Err(several(dir, &readings)),
            }
        }
        seen.sort();
        seen.truncate(SHOWN);
        Err(IoError::NothingFound {
            dir: dir.into(),
            found: seen,
        })
    }

    /// The data set that a file belongs to by its name, or which it is by itself.
    fn with_file(path: &Path) -> Result<Self, IoError> {
        require_file(path)?;
        let name = path.file_name().unwrap_or_default();
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let alone = |family| Self {
            folder: folder.into(),
            set: String::new(),
            family,
            is_test_alone: false,
            files: [((None, Holds::Both), vec![path.to_path_buf()])].into(),
        };
        let Some(known) = name.to_str().and_then(Name::of_file) else {
            return match start_of(path)?.starts_with(b"PK\x03\x04") {
                true => Ok(alone(Family::Npz)),
                false => Ok(alone(Family::Csv)),
            };
        };
        if known.part.is_none() && known.holds == Holds::Both {
            return Ok(Self {
                set: known.set,
                ..alone(known.family)
            });
        }
        let mut left = MAX_NAMES;
        let listing = list(folder, &mut left).map_err(|error| IoError::read(folder, error))?;
        let is_of_set = |reading: &Self| reading.set == known.set && reading.family == known.family;
        let mut reading = listing
            .readings
            .into_iter()
            .find(is_of_set)
            .unwrap_or(Self {
                set: known.set.clone(),
                ..alone(known.family)
            });
        reading
            .files
            .insert((known.part, known.holds), vec![path.to_path_buf()]);
        reading.is_test_alone = known.part == Some(Part::Test);
        Ok(reading)
    }

    fn has_parts(&self) -> bool {
        self.files.keys().any(|(part, _)| part.is_some())
    }

    /// The file of a place, if there is one. Several must have the same content, and the
    /// first counts.
    pub(in crate::files) fn file(
        &self,
        part: Part,
        holds: Holds,
    ) -> Result<Option<&Path>, IoError> {
        let named = self.files.get(&(Some(part), holds));
        let files = named.or_else(|| match part {
            Part::Train => self.files.get(&(None, holds)),
            Part::Test => None,
        });
        let Some([first, others @ ..]) = files.map(Vec::as_slice) else {
            return Ok(None);
        };
        require_file(first)?;
        for other in others {
            if !is_same(first, other)? {
                return Err(IoError::Ambiguous {
                    dir: self.folder.clone(),
                    found: vec![shown(first), shown(other)],
                    first: first.clone(),
                });
            }
        }
        Ok(Some(first))
    }

    /// The error of a part that has images without labels, or the reverse.
    pub(in crate::files) fn missing(&self, part: Part, kind: Kind) -> IoError {
        let name = match part {
            Part::Train => "train",
            Part::Test => "t10k",
        };
        match (self.family, self.set.as_str()) {
            (Family::Idx, "") => IoError::Missing {
                dir: self.folder.clone(),
                names: idx_names(name, kind),
            },
            _ => IoError::Unpaired {
                dir: self.folder.clone(),
                set: self.set.clone(),
                kind,
            },
        }
    }
}

/// The names in a folder.
struct Listing {
    readings: Vec<Reading>,
    folders: Vec<PathBuf>,
    /// Names of other files, some of them.
    others: Vec<String>,
}

/// Lists a folder, up to `left` names.
fn list(folder: &Path, left: &mut usize) -> io::Result<Listing> {
    let mut sets: BTreeMap<(Family, String), BTreeMap<Slot, Vec<PathBuf>>> = BTreeMap::new();
    let (mut folders, mut others) = (vec![], vec![]);
    for entry in fs::read_dir(folder)? {
        let Some(rest) = left.checked_sub(1) else {
            break;
        };
        *left = rest;
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        match Name::of_file(name) {
            Some(known) => {
                let files = sets.entry((known.family, known.set)).or_default();
                files
                    .entry((known.part, known.holds))
                    .or_default()
                    .push(path);
            }
            None if entry.file_type()?.is_dir() => folders.push(path),
            None if others.len() < SHOWN => others.push(name.to_string()),
            None => {}
        }
    }
    folders.sort();
    let readings = sets.into_iter().map(|((family, set), mut files)| {
        for files in files.values_mut() {
            files.sort_by_key(|path| (spelling(path), path.clone()));
        }
        Reading {
            folder: folder.into(),
            set,
            family,
            is_test_alone: false,
            files,
        }
    });
    Ok(Listing {
        readings: readings.collect(),
        folders,
        others,
    })
}

/// The place of a name among the spellings of the four IDX files.
fn spelling(path: &Path) -> usize {
    let name = path.file_name().and_then(|name| name.to_str());
    let parts = ["train", "t10k"].into_iter();
    let names = parts.flat_map(|part| [Kind::Images, Kind::Labels].map(|kind| (part, kind)));
    let places = names.filter_map(|(part, kind)| {
        let names = idx_names(part, kind);
        names.iter().position(|known| Some(known.as_str()) == name)
    });
    places.min().unwrap_or(usize::MAX)
}

/// The error of several data sets in a folder.
fn several(dir: &Path, readings: &[Reading]) -> IoError {
    let files = |reading: &Reading| {
        let files = reading.files.values().flatten();
        files
            .min_by_key(|path| !path.to_string_lossy().contains("train"))
            .cloned()
    };
    let firsts: Vec<PathBuf> = readings.iter().filter_map(files).collect();
    let relative = |path: &PathBuf| match path.strip_prefix(dir) {
        Ok(path) => path.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    IoError::Ambiguous {
        dir: dir.into(),
        found: firsts.iter().take(SHOWN).map(relative).collect(),
        first: firsts[0].clone(),
    }
}

fn shown(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Whether two files have the same decompressed content.
fn is_same(one: &Path, other: &Path) -> Result<bool, IoError> {
    require_file(other)?;
    let (mut a, mut b) = (Content::open(one)?, Content::open(other)?);
    loop {
        let x = a
            .reader
            .fill_buf()
            .map_err(|error| IoError::read(one, error))?;
        let y = b
            .reader
            .fill_buf()
            .map_err(|error| IoError::read(other, error))?;
        let len = x.len().min(y.len());
        if x[..len] != y[..len] {
            return Ok(false);
        }
        if len == 0 {
            return Ok(x.len() == y.len());
        }
        a.reader.consume(len);
        b.reader.consume(len);
    }
}

/// Refuses a file whose decompressed content begins as no data does.
pub(in crate::files) fn refuse_foreign(path: &Path, start: &[u8]) -> Result<(), IoError> {
    match foreign(start) {
        Some(what) => Err(IoError::Foreign {
            path: path.into(),
            what,
        }),
        None => Ok(()),
    }
}
