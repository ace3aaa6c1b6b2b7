//! Folders of pictures, one for each class, as a data set.

use crate::failure::Failure;
use crate::memory;
use crate::picture::Picture;
use handwritten::data::Dataset;
use handwritten::files::Parts;
use png::{ColorType, Decoder, Limits, Transformations};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader};
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

/// Maximum number of bytes of a picture that is taken as it is, decoded.
const MAX_BYTES: usize = 1 << 26;

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

/// A picture scaled and centred as `classify` does.
fn fitted(path: &Path, (rows, columns): (usize, usize)) -> Result<Image, String> {
    let ink = Picture::read(path, 1.0)?.fitted(rows, columns, true, 1.0);
    let pixels = ink.iter().map(|ink| (255.0 * ink).round() as u8);
    Ok(((rows, columns), pixels.collect()))
}

/// The grey values of a PNG image; what is transparent is black.
fn grey(path: &Path) -> Result<Image, String> {
    if !path.is_file() {
        return Err("not a file".to_string());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let limits = Limits { bytes: MAX_BYTES };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let no_png = |error: png::DecodingError| format!("not a PNG image: {error}");
    let mut reader = decoder.read_info().map_err(no_png)?;
    let (width, height) = reader.info().size();
    let size = reader
        .output_buffer_size()
        .filter(|&size| size <= MAX_BYTES);
    let size = size.ok_or_else(|| format!("{width}×{height} pixels are too many"))?;
    memory::require(2 * size, format_args!("read {width}×{height} pixels"))
        .map_err(|failure| failure.to_string())?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(no_png)?;
    // The weights of ITU-R BT.601.
    let luma = |rgb: &[u8]| {
        let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
        ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8
    };
    let over_black = |grey: u8, alpha: u8| ((u32::from(grey) * u32::from(alpha) + 127) / 255) as u8;
    let pixels = match frame.color_type {
        ColorType::Grayscale => bytes,
        ColorType::GrayscaleAlpha => bytes
            .chunks_exact(2)
            .map(|p| over_black(p[0], p[1]))
            .collect(),
        ColorType::Rgb => bytes.chunks_exact(3).map(luma).collect(),
        ColorType::Rgba => bytes
            .chunks_exact(4)
            .map(|p| over_black(luma(p), p[3]))
            .collect(),
        ColorType::Indexed => return Err("a palette without colours".to_string()),
    };
    Ok(((height as usize, width as usize), pixels))
}
