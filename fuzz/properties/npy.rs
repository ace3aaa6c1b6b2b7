//! Any bytes as an array: it is refused in one line; or it has the elements of its shape, in
//! memory in proportion, and what follows or is missing is found.

use handwritten::files::ReadError;
use handwritten::files::formats::{Array, Elements, read_npy};

pub(crate) fn check(bytes: &[u8]) {
    for elements in [Elements::Pixels, Elements::Labels] {
        let array = match read(bytes, elements) {
            Ok(array) => array,
            Err(why) => {
                assert_eq!(why.lines().count(), 1, "{why:?}");
                continue;
            }
        };
        assert_eq!(array.bytes.len(), array.shape.iter().product::<usize>());
        assert!(array.bytes.capacity() <= bytes.len());
        assert!(read(&[bytes, &[0]].concat(), elements).is_err());
        if let Some((_, shorter)) = bytes.split_last().filter(|_| !array.bytes.is_empty()) {
            assert!(read(shorter, elements).is_err());
        }
        if let Ok((rows, columns)) = array.image_sides() {
            assert_eq!(array.shape[0] * rows * columns, array.bytes.len());
        }
        let rows = array.shape[0];
        if let Ok(labels) = array.into_labels() {
            assert_eq!(labels.len(), rows);
        }
    }
}

fn read(bytes: &[u8], elements: Elements) -> Result<Array, String> {
    let found = read_npy(bytes, bytes.len() as u64, elements);
    found.map_err(|error| match error {
        ReadError::Npy(error) => error.to_string(),
        error => panic!("no system is asked: {error}"),
    })
}
