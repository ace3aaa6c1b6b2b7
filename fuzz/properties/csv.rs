//! Any bytes as a table of images: it is refused in one line; or what is read is the same
//! when read byte by byte, takes memory in proportion, and is the same when written and read
//! again.

use handwritten::data::Dataset;
use handwritten::files::ReadError;
use handwritten::files::formats::{Table, read_csv, to_csv};
use std::io::{self, Read};

/// Gives a byte at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

pub(crate) fn check(bytes: &[u8]) {
    let len = bytes.len() as u64;
    let found = told(read_csv(bytes, len));
    assert_eq!(told(read_csv(Slow(bytes), len)), found);
    let table = match found {
        Ok(table) => table,
        Err(why) => return assert_eq!(why.lines().count(), 1, "{why:?}"),
    };
    let features = table.side * table.side;
    assert!(!table.pixels.is_empty() && table.pixels.len().is_multiple_of(features));
    assert!(table.pixels.capacity() <= features.max(bytes.len()));
    let Some(labels) = table.labels.clone() else {
        return;
    };
    let data = Dataset::new(table.pixels.clone(), table.side, table.side, labels).unwrap();
    let written = to_csv(&data);
    assert_eq!(
        told(read_csv(&written[..], written.len() as u64)),
        Ok(table)
    );
}

fn told(found: Result<Table, ReadError>) -> Result<Table, String> {
    found.map_err(|error| match error {
        ReadError::Csv(error) => error.to_string(),
        error => panic!("no system is asked: {error}"),
    })
}
