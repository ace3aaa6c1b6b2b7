//! Folders of pictures, one for each class, as a data set.

use crate::failure::Failure;
use crate::memory;
use crate::picture::{self, Form, decode};
use handwritten::data::{Dataset, Framing};
use handwritten::files::Parts;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names of the folders of the two parts, in the order in which they are looked for.
const TRAIN: [&str; 4] = ["train", "training", "trainset", "trainingset"];
const TEST: [&str; 7] = [
    "test",
    "testing",
    "testset",
    "t10k",
    "val",
    "valid",
    "validation",
];

/// Endings of the names of pictures. Other files in the folders are passed over.
const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "pgm", "ppm", "bmp", "webp"];

/// Maximum number of folders of which each holds nothing but the next.
const MAX_DEPTH: usize = 2;

/// Maximum number of classes: a label is a byte.
const MAX_CLASSES: usize = 256;

/// How pictures become images of one size.
#[derive(Clone, Copy)]
pub(crate) struct Fit {
    /// Rows and columns of the images.
    pub(crate) sides: (usize, usize),
    /// Whether pictures are taken as they are. Without `sides` of a model the first picture
    /// decides the size.
    pub(crate) as_is: bool,
    /// Whether the sides are those of a model, which pictures that are taken as they are must
    /// have.
    pub(crate) is_model: bool,
}

impl Fit {
    /// The size of MNIST's images.
    pub(crate) fn as_mnist(as_is: bool) -> Self {
        Self {
            sides: (28, 28),
            as_is,
            is_model: false,
        }
    }
}

/// The pictures of a part: their paths, and the name of the class of each.
type Found = Vec<(PathBuf, String)>;

/// Loads the pictures in the folders at `path`: `train/CLASS` and `test/CLASS`, or `CLASS`
/// alone; if it holds nothing but one folder, those in there. `None` if there are no pictures in
/// such folders.
pub(crate) fn load(path: &Path, fit: Fit) -> Result<Option<Parts>, Failure> {
    load_within(path, fit, MAX_DEPTH)
}

/// Loads pictures as [`load`] does, from at most so many levels below `path`.
fn load_within(path: &Path, fit: Fit, depth: usize) -> Result<Option<Parts>, Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let folders = folders(path).map_err(failed)?;
    let part = |names: &[&str]| {
        let folder = |name: &&str| {
            let is_it = |folder: &&(PathBuf, String)| folder.1.to_lowercase() == *name;
            folders.iter().find(is_it)
        };
        let found = names.iter().find_map(folder);
        found.map(|(path, _)| path.as_path())
    };
    let (train, test) = match (part(&TRAIN), part(&TEST)) {
        (None, None) => (Some(path), None),
        parts => parts,
    };
    let of = |folder: Option<&Path>| folder.map(pictures).transpose().map_err(failed);
    let (train, test) = (
        of(train)?.unwrap_or_default(),
        of(test)?.unwrap_or_default(),
    );
    if train.is_empty() && test.is_empty() {
        // A folder that an archive was unpacked into.
        return match &folders[..] {
            [(inner, _)] if depth > 0 => load_within(inner, fit, depth - 1),
            _ => Ok(None),
        };
    }
    let names: BTreeSet<&String> = train.iter().chain(&test).map(|(_, name)| name).collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    // 10 comes after 9.
    names.sort_by_key(|name| (name.parse().unwrap_or(u64::MAX), name.clone()));
    if names.len() > MAX_CLASSES {
        return Err(Failure::new(format!(
            "{} has folders for {} classes, but at most {MAX_CLASSES} can be told apart",
            path.display(),
            names.len()
        )));
    }
    let mut sides = (fit.is_model || !fit.as_is).then_some(fit.sides);
    let mut read = |found: &Found| match found.is_empty() {
        true => Ok(None),
        false => dataset(found, &names, &mut sides, fit).map(Some),
    };
    let (train, test) = (read(&train)?, read(&test)?);
    Ok(Some(Parts::new(path, train, test, names)))
}

/// The folders in a folder, by name, hidden ones left out.
fn folders(path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = entries(path)?;
    found.retain(|(path, _)| path.is_dir());
    Ok(found)
}

/// The paths and names in a folder, by name, hidden ones left out.
fn entries(path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = vec![];
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}

/// The pictures in the folders of a part.
fn pictures(part: &Path) -> io::Result<Found> {
    let mut found = vec![];
    for (folder, class) in folders(part)? {
        // A name of a class stands on a line.
        let class: String = class
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        for (path, _) in entries(&folder)? {
            let ending = path
                .extension()
                .map(|ending| ending.to_string_lossy().to_lowercase());
            if ending.is_some_and(|ending| PICTURES.contains(&ending.as_str())) {
                found.push((path, class.clone()));
            }
        }
    }
    Ok(found)
}

/// Reads pictures, all of them of the size `sides`, or of that of the first.
fn dataset(
    found: &Found,
    names: &[String],
    sides: &mut Option<(usize, usize)>,
    fit: Fit,
) -> Result<Dataset, Failure> {
    let mut pixels = Vec::new();
    for (path, _) in found {
        let failed = |why: String| Failure::new(format!("{}: {why}", path.display()));
        let image = match fit.as_is {
            true => grey(path).map_err(failed)?,
            false => fitted(path, fit.sides).map_err(failed)?,
        };
        let (rows, columns) = *sides.get_or_insert(image.0);
        if image.0 != (rows, columns) {
            let (found_rows, found_columns) = image.0;
            return Err(failed(format!(
                "{found_columns}×{found_rows} pixels, where {columns}×{rows} are expected \
                 (without --as-is pictures are brought to one size)"
            )));
        }
        if pixels.is_empty() {
            let bytes = found.len().saturating_mul(rows * columns + 1);
            let what = format!("read {} pictures of {columns}×{rows} pixels", found.len());
            memory::require(bytes, what)?;
            pixels.reserve_exact(found.len() * rows * columns);
        }
        pixels.extend(image.1);
    }
    let label = |name: &String| names.iter().position(|known| known == name).unwrap_or(0) as u8;
    let labels = found.iter().map(|(_, name)| label(name)).collect();
    let (rows, columns) = sides.unwrap_or(fit.sides);
    Dataset::new(pixels, rows, columns, labels).map_err(Failure::caused)
}

/// Rows and columns of an image, and its pixels.
type Image = ((usize, usize), Vec<u8>);

/// A picture scaled and centred as `classify` does for MNIST.
fn fitted(path: &Path, (rows, columns): (usize, usize)) -> Result<Image, String> {
    let form = Form {
        rows,
        columns,
        framing: ((rows, columns) == (28, 28)).then_some(Framing::MNIST),
        is_row: false,
        full: 1.0,
    };
    let pixels = decode::decode(&picture::files::read(path)?)?;
    let digits = picture::digits(pixels, form)?;
    let ink = digits.first().map_or(&[][..], |digit| &digit.input);
    let pixels = ink.iter().map(|ink| (255.0 * ink).round() as u8);
    Ok(((rows, columns), pixels.collect()))
}

/// The grey values of a picture.
fn grey(path: &Path) -> Result<Image, String> {
    picture::grey(&decode::decode(&picture::files::read(path)?)?)
}
