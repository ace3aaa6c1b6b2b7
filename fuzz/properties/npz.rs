//! Any bytes as an archive of arrays: it, or each of its arrays, is refused in one line, or
//! the array has the elements of its shape, in memory in proportion. A data set that is
//! written as an archive is read again, and each byte of its files that is changed is found.

use handwritten::data::Dataset;
use handwritten::files::ReadError;
use handwritten::files::formats::{Elements, Npz, to_npz};
use std::io::Cursor;

pub(crate) fn check(bytes: &[u8]) {
    check_archive(bytes);
    if let Some(data) = data_set(bytes) {
        check_written(&data, usize::from(bytes[0]));
    }
}

fn check_archive(bytes: &[u8]) {
    let mut archive = match Npz::open(Cursor::new(bytes)) {
        Ok(archive) => archive,
        Err(error) => return one_line(error),
    };
    let names: Vec<String> = archive.names().into_iter().map(String::from).collect();
    for name in names {
        match archive.read(&name, Elements::Pixels) {
            Ok(array) => {
                let elements = array.bytes.len();
                assert_eq!(elements, array.shape.iter().product::<usize>());
                let most = (16 * bytes.len()).max(2 * elements);
                assert!(array.bytes.capacity() <= most);
            }
            Err(error) => one_line(error),
        }
    }
}

fn one_line(error: ReadError) {
    match error {
        ReadError::Npz(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        error => panic!("no system is asked: {error}"),
    }
}

/// Images of 2×2 pixels, a byte for each label before them.
fn data_set(bytes: &[u8]) -> Option<Dataset> {
    let images = bytes.chunks_exact(5);
    let pixels = images
        .clone()
        .flat_map(|image| &image[1..])
        .copied()
        .collect();
    let labels = images.map(|image| image[0]).collect();
    Dataset::new(pixels, 2, 2, labels).ok()
}

fn check_written(data: &Dataset, changed: usize) {
    let mut written = to_npz(Some(data), None);
    let read = |bytes: &[u8]| {
        let mut archive = Npz::open(Cursor::new(bytes.to_vec()))?;
        let pixels = archive.read("x_train", Elements::Pixels)?;
        Ok::<_, ReadError>((pixels, archive.read("y_train", Elements::Labels)?))
    };
    let (pixels, labels) = read(&written).expect("what is written can be read");
    assert_eq!(pixels.shape, [data.len(), 2, 2]);
    assert_eq!(pixels.bytes, data.pixels());
    assert_eq!(labels.into_labels().as_deref(), Ok(data.labels()));
    // A byte of the first array: its name of 11 bytes follows after a header of 30.
    let len = 128 + data.pixels().len();
    written[41 + changed % len] ^= 1;
    assert!(read(&written).is_err());
}
