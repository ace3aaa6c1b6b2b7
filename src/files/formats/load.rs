//! The parts of a data set, read from the files of a [`Reading`].

use crate::data::Dataset;
use crate::data::idx::Kind;
use crate::files::error::IoError;
use crate::files::formats::array_errors::{Elements, NpyError, NpzError};
use crate::files::formats::content::{Content, classified, start_of};
use crate::files::formats::csv::{Table, read_csv};
use crate::files::formats::hashed::{Hashed, dataset};
use crate::files::formats::idx_pair;
use crate::files::formats::names::{Family, Holds, Part};
use crate::files::formats::npy::{Array, read_npy};
use crate::files::formats::npz::Npz;
use crate::files::formats::readings::{Reading, refuse_foreign};
use crate::files::formats::select::pairs;
use crate::files::read::ReadError;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The parts of a data set that a file holds.
#[derive(Default)]
pub(in crate::files) struct Halves {
    pub(in crate::files) train: Option<Hashed>,
    pub(in crate::files) test: Option<Hashed>,
}

/// Loads a part of a data set. A part that has no files is none.
pub(in crate::files) fn load_part(
    reading: &Reading,
    part: Part,
) -> Result<Option<Hashed>, IoError> {
    if reading.family == Family::Csv {
        return match reading.file(part, Holds::Both)? {
            Some(path) => load_table(path, part),
            None => Ok(None),
        };
    }
    let files = (
        reading.file(part, Holds::Images)?,
        reading.file(part, Holds::Labels)?,
    );
    let (images, labels) = match files {
        (None, None) => return Ok(None),
        (None, _) => return Err(reading.missing(part, Kind::Images)),
        (_, None) => return Err(reading.missing(part, Kind::Labels)),
        (Some(images), Some(labels)) => (images, labels),
    };
    match reading.family {
        Family::Idx => idx_pair::load(images, labels).map(Some),
        _ => {
            let pixels = read_array(images, Elements::Pixels)?;
            let values = read_array(labels, Elements::Labels)?;
            let names = (images, labels);
            paired(pixels, values, |error| IoError::npy(names.0, error), names).map(Some)
        }
    }
}

/// Loads the images of a part, whatever their labels are. A part that has no images is none.
pub(in crate::files) fn load_unlabelled(
    reading: &Reading,
    part: Part,
) -> Result<Option<Dataset>, IoError> {
    let holds = match reading.family {
        Family::Csv => Holds::Both,
        _ => Holds::Images,
    };
    let Some(path) = reading.file(part, holds)? else {
        return Ok(None);
    };
    let (pixels, rows, columns) = match reading.family {
        Family::Csv => {
            let table = read_table(path)?;
            (table.pixels, table.side, table.side)
        }
        Family::Idx => idx_pair::images(path)?,
        _ => {
            let array = read_array(path, Elements::Pixels)?;
            let sides = array.image_sides();
            let (rows, columns) = sides.map_err(|error| IoError::npy(path, error))?;
            (array.bytes, rows, columns)
        }
    };
    let labels = vec![0; pixels.len() / (rows * columns).max(1)];
    let images = Dataset::new(pixels, rows, columns, labels);
    let (images_path, labels_path) = (path.into(), path.into());
    images.map(Some).map_err(|source| IoError::Data {
        images: images_path,
        labels: labels_path,
        source,
    })
}

/// Loads the archives of a data set: one that holds all of it, or one for each part. Returns
/// `None` if the reading is of other files.
pub(in crate::files) fn load_archives(reading: &Reading) -> Result<Option<Halves>, IoError> {
    if reading.family != Family::Npz {
        return Ok(None);
    }
    let files = [Part::Train, Part::Test].map(|part| reading.file(part, Holds::Both));
    let [train, test] = files;
    let (train, test) = (train?.filter(|_| !reading.is_test_alone), test?);
    let mut halves = match (train, test) {
        (None, None) => return Ok(None),
        (None, Some(_)) => Halves::default(),
        (Some(path), _) => load_archive(path)?,
    };
    if let Some(path) = test {
        // Its arrays need not say that they are test images.
        let Halves { train, test } = load_archive(path)?;
        halves.test = test.or(train);
    }
    Ok(Some(halves))
}

fn load_archive(path: &Path) -> Result<Halves, IoError> {
    let start = start_of(path)?;
    if !start.starts_with(b"PK") {
        refuse_foreign(path, &start)?;
    }
    let unread = |error| IoError::unread(path, error);
    let file = File::open(path).map_err(|error| IoError::read(path, error))?;
    let mut archive = Npz::open(BufReader::new(file)).map_err(unread)?;
    let found = pairs(&mut archive).map_err(unread)?;
    let mut load = |[images, labels]: [String; 2]| {
        let pixels = archive.read(&images, Elements::Pixels).map_err(unread)?;
        let values = archive.read(&labels, Elements::Labels).map_err(unread)?;
        let wrong = |error| IoError::npy(path, error);
        paired(pixels, values, wrong, (path, path))
    };
    Ok(Halves {
        train: found.train.map(&mut load).transpose()?,
        test: found.test.map(&mut load).transpose()?,
    })
}

/// Loads a table. One of test images without labels is no part of a data set.
fn load_table(path: &Path, part: Part) -> Result<Option<Hashed>, IoError> {
    let table = read_table(path)?;
    let Some(labels) = table.labels else {
        return match part {
            Part::Test => Ok(None),
            Part::Train => Err(IoError::Unlabelled { path: path.into() }),
        };
    };
    dataset(table.pixels, (table.side, table.side), labels, (path, path)).map(Some)
}

/// Reads a table from a file, gz or raw.
pub(in crate::files) fn read_table(path: &Path) -> Result<Table, IoError> {
    let mut content = Content::open(path)?;
    let error = |error| IoError::unread(path, classified(error, content.is_gz));
    let start = content.reader.fill_buf().map_err(ReadError::System);
    let start = start.map_err(error)?;
    refuse_foreign(path, start)?;
    if start.starts_with(&[0, 0]) {
        let what = "an IDX file whose name does not say what of: train-images-idx3-ubyte does";
        return Err(IoError::Foreign {
            path: path.into(),
            what,
        });
    }
    read_csv(content.reader, content.len).map_err(error)
}

/// Reads an array from a file, gz or raw, or from an archive of this one array.
fn read_array(path: &Path, elements: Elements) -> Result<Array, IoError> {
    let mut content = Content::open(path)?;
    let error = |error| IoError::unread(path, classified(error, content.is_gz));
    let start = content.reader.fill_buf().map_err(ReadError::System);
    let start = start.map_err(error)?;
    if start.starts_with(b"PK") && !content.is_gz {
        let file = File::open(path).map_err(|error| IoError::read(path, error))?;
        let mut archive = Npz::open(BufReader::new(file)).map_err(error)?;
        let names: Vec<String> = archive.names().into_iter().map(String::from).collect();
        return match &names[..] {
            [name] => archive.read(name, elements).map_err(error),
            _ => Err(error(ReadError::Npz(match names.is_empty() {
                true => NpzError::NoArrays,
                false => NpzError::Unclear { names },
            }))),
        };
    }
    if !start.starts_with(b"\x93NUMPY") {
        refuse_foreign(path, start)?;
    }
    read_npy(content.reader, content.len, elements).map_err(error)
}

/// A data set of two arrays.
fn paired(
    images: Array,
    labels: Array,
    wrong: impl Fn(NpyError) -> IoError,
    names: (&Path, &Path),
) -> Result<Hashed, IoError> {
    let sides = images.image_sides().map_err(&wrong)?;
    let labels = labels.into_labels().map_err(&wrong)?;
    dataset(images.bytes, sides, labels, names)
}
