//! Data sets as bytes of IDX, CSV and `.npz` files.

use crate::data::Dataset;
use crate::data::idx::Kind;
use flate2::Crc;
use std::io::Write;

/// The headers of the IDX files of a data set, images and labels.
pub(super) fn headers(data: &Dataset) -> [Vec<u8>; 2] {
    let header = |kind: Kind, sizes: &[usize]| {
        let numbers = sizes.iter().map(|&size| size as u32);
        let numbers = [kind.magic()].into_iter().chain(numbers);
        numbers.flat_map(u32::to_be_bytes).collect()
    };
    let count = data.len();
    [
        header(Kind::Images, &[count, data.rows(), data.columns()]),
        header(Kind::Labels, &[count]),
    ]
}

/// The bytes of the two IDX files of a data set, images and labels. Data sets that hold as
/// many rows or columns as no `u32` counts do not fit into memory.
pub fn to_idx(data: &Dataset) -> [Vec<u8>; 2] {
    let [images, labels] = headers(data);
    [
        [&images[..], data.pixels()].concat(),
        [&labels[..], data.labels()].concat(),
    ]
}

/// A table of a data set: a header, then for each image its label and its pixels.
pub fn to_csv(data: &Dataset) -> Vec<u8> {
    let mut table = b"label".to_vec();
    for pixel in 0..data.features() {
        write!(table, ",pixel{pixel}").expect("a Vec takes whatever is written");
    }
    table.push(b'\n');
    let texts: Vec<String> = (0..=255).map(|byte| format!(",{byte}")).collect();
    for (image, label) in data.iter() {
        table.extend(&texts[usize::from(label)].as_bytes()[1..]);
        for &pixel in image {
            table.extend(texts[usize::from(pixel)].as_bytes());
        }
        table.push(b'\n');
    }
    table
}

/// An archive of the arrays `x_train`, `y_train`, `x_test` and `y_test`, as Keras has them:
/// bytes, not compressed. A part that is `None` is left out.
pub fn to_npz(train: Option<&Dataset>, test: Option<&Dataset>) -> Vec<u8> {
    let mut arrays = vec![];
    for (part, data) in [("train", train), ("test", test)] {
        let Some(data) = data else { continue };
        let shape = vec![data.len(), data.rows(), data.columns()];
        arrays.push((format!("x_{part}"), BYTES, shape, data.pixels()));
        arrays.push((format!("y_{part}"), BYTES, vec![data.len()], data.labels()));
    }
    zip_of_arrays(&arrays)
}

/// The type of bytes in the header of an array.
pub(in crate::files) const BYTES: &str = "|u1";

/// Name, type, shape and bytes of an array.
pub(in crate::files) type ArrayOf<'a> = (String, &'a str, Vec<usize>, &'a [u8]);

/// A zip archive of arrays, not compressed.
pub(in crate::files) fn zip_of_arrays(arrays: &[ArrayOf<'_>]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, kind, shape, body) in arrays {
        let header = npy_header(kind, shape);
        add_stored(
            &mut archive,
            &mut list,
            &format!("{name}.npy"),
            [&header, body],
        );
    }
    let count = arrays.len() as u16;
    let (offset, len) = (archive.len() as u32, list.len() as u32);
    archive.extend(list);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(len.to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// The header of an array, filled up to a multiple of 64 as NumPy does.
fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|len| format!("{len}, ")).collect();
    let lengths = match shape {
        [len] => format!("{len},"),
        _ => lengths.trim_end_matches(", ").to_string(),
    };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({lengths}), }}");
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

/// Adds a file to a zip archive and an entry to its list.
fn add_stored(archive: &mut Vec<u8>, list: &mut Vec<u8>, name: &str, content: [&[u8]; 2]) {
    let mut crc = Crc::new();
    content.iter().for_each(|piece| crc.update(piece));
    let size = content.iter().map(|piece| piece.len()).sum::<usize>() as u32;
    // Version 2.0, no flags, stored, and the first day that zip knows: the same data are the
    // same bytes.
    let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    about.extend(crc.sum().to_le_bytes());
    about.extend(size.to_le_bytes());
    about.extend(size.to_le_bytes());
    about.extend((name.len() as u16).to_le_bytes());
    about.extend([0, 0]);
    list.extend(b"PK\x01\x02\x14\0");
    list.extend(&about);
    list.extend([0; 10]);
    list.extend((archive.len() as u32).to_le_bytes());
    list.extend(name.as_bytes());
    archive.extend(b"PK\x03\x04");
    archive.extend(about);
    archive.extend(name.as_bytes());
    content.iter().for_each(|piece| archive.extend(*piece));
}
