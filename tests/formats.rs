//! Data sets in other formats than MNIST's: what is read, and what is refused.

#![cfg(feature = "std")]

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use handwritten::data::Dataset;
use handwritten::files::formats::{
    Array, CsvError, Elements, IntLabelsError, NpyError, Npz, NpzError, Table, read_csv,
    read_int_labels, read_npy, to_csv, to_idx, to_npz,
};
use handwritten::files::{self, IoError, KnownDataset, ReadError};
use std::error::Error;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// Images of 3×3 pixels: a post, whose brightness tells them apart.
fn images(count: usize, first: u8) -> Dataset {
    let image = |i: usize| [0, 200, 0, 0, first + i as u8, 0, 0, 250, 0];
    let pixels = (0..count).flat_map(image).collect();
    let labels = (0..count).map(|i| (i * 7 % 3) as u8).collect();
    Dataset::new(pixels, 3, 3, labels).unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder of files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

/// The message of an error with its causes: one line that names the path.
fn told(error: &IoError, path: &Path) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text
}

/// Asserts that both parts are read from a path, and returns the names of the classes.
fn assert_read(path: &Path, train: &Dataset, test: &Dataset) -> Vec<String> {
    let found = files::load(path).unwrap_or_else(|error| panic!("{}", told(&error, path)));
    assert_eq!(
        (&found.train, &found.test),
        (train, test),
        "{}",
        path.display()
    );
    for data in [&found.train, &found.test] {
        assert!(found.class_names.len() >= data.classes());
    }
    found.class_names
}

const IDX: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The contents of the four IDX files.
fn idx_files(train: &Dataset, test: &Dataset) -> [Vec<u8>; 4] {
    let ([a, b], [c, d]) = (to_idx(train), to_idx(test));
    [a, b, c, d]
}

/// An array as NumPy writes it.
fn npy(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    npy_in_order(descr, "False", shape, body)
}

fn npy_in_order(descr: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(body);
    bytes
}

/// A zip archive of deflated files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut about = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
        about.extend(crc.sum().to_le_bytes());
        about.extend((packed.len() as u32).to_le_bytes());
        about.extend((content.len() as u32).to_le_bytes());
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
        archive.extend(packed);
    }
    let (offset, len) = (archive.len() as u32, list.len() as u32);
    archive.extend(list);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([files.len() as u8, 0, files.len() as u8, 0]);
    archive.extend(len.to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

mod tables {
    use super::*;

    fn read(text: &str) -> Result<Table, CsvError> {
        let found = read_csv(text.as_bytes(), text.len() as u64);
        let packed = gz(text.as_bytes());
        let unpacked = flate2::read::GzDecoder::new(&packed[..]);
        let again = read_csv(unpacked, packed.len() as u64);
        let told = |error| match error {
            ReadError::Csv(error) => error,
            other => panic!("{other}"),
        };
        let (found, again) = (found.map_err(told), again.map_err(told));
        assert_eq!(found, again);
        found
    }

    fn table(text: &str) -> (Vec<u8>, Option<Vec<u8>>) {
        let table = read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(table.side, 2);
        (table.pixels, table.labels)
    }

    #[test]
    fn every_layout_reads_the_same() {
        let (pixels, labels) = (vec![0, 255, 10, 0, 0, 7, 99, 0], vec![5, 3]);
        for text in [
            "5,0,255,10,0\n3,0,7,99,0\n",
            "5,0,255,10,0\r\n3,0,7,99,0\r\n",
            "5,0,255,10,0\n3,0,7,99,0",
            "5,0,255,10,0\n3,0,7,99,0\n\n\r\n",
            "5;0;255;10;0\n3;0;7;99;0\n",
            "5\t0\t255\t10\t0\n3\t0\t7\t99\t0\n",
            " 5, 0, 255, 10, 0\n3 ,0,7,99,0 \n",
            "\"5\",\"0\",\"255\",\"10\",\"0\"\n\"3\",\"0\",\"7\",\"99\",\"0\"\n",
            "5.0,0.0,255.0,10.,0\n3,0,7,99,0\n",
            "\u{feff}5,0,255,10,0\n3,0,7,99,0\n",
            "\u{feff}label,1x1,1x2,2x1,2x2\n5,0,255,10,0\n3,0,7,99,0\n",
            "\"Label\",\"p\",\"p\",\"p\",\"p\"\n5,0,255,10,0\n3,0,7,99,0\n",
            "a,b,c,d,class\n0,255,10,0,5\n0,7,99,0,3\n",
            ",label,a,b,c,d\n0,5,0,255,10,0\n1,3,0,7,99,0\n",
            "id,a,b,c,d,y\n0,0,255,10,0,5\n1,0,7,99,0,3\n",
            // No header: the first column never changes.
            "0,255,10,0,5\n0,7,99,0,3\n",
        ] {
            assert_eq!(
                table(text),
                (pixels.clone(), Some(labels.clone())),
                "{text:?}"
            );
        }
        for text in [
            "0,255,10,0\n0,7,99,0\n",
            "pixel0,pixel1,pixel2,pixel3\n0,255,10,0\n0,7,99,0\n",
            "id,a,b,c,d\n8,0,255,10,0\n9,0,7,99,0\n",
        ] {
            assert_eq!(table(text), (pixels.clone(), None), "{text:?}");
        }
    }

    #[test]
    fn fractions_are_shares_of_the_range() {
        let text = "3,0,1,0.5,0\n5,1,0,0,1.0\n2,0,1,1,0.25\n";
        let pixels = vec![0, 255, 128, 0, 255, 0, 0, 255, 0, 255, 255, 64];
        assert_eq!(table(text), (pixels, Some(vec![3, 5, 2])));
        // Nothing but 0 and 1 stays as it is.
        let text = "3,0,1,1,0\n5,1,0,0,1\n";
        assert_eq!(table(text).0, [0, 1, 1, 0, 1, 0, 0, 1]);
        let pixel = |line, column, text: &str| CsvError::Pixel {
            line,
            column,
            text: text.to_string(),
        };
        for (text, error) in [
            ("3,0,0.5,0,0\n5,0,1,2,0\n", pixel(2, 4, "2")),
            ("3,0,2,0,0\n5,0,0.5,0,0\n", pixel(2, 3, "0.5")),
            ("3,0,-1,0,0\n", pixel(1, 3, "-1")),
            ("3,0,256,0,0\n", pixel(1, 3, "256")),
            ("3,0,1e9,0,0\n", pixel(1, 3, "1e9")),
        ] {
            assert_eq!(read(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_told_with_its_place() {
        for (text, expected) in [
            ("", "no images"),
            ("label,a,b,c,d\n", "no images"),
            ("5 0 1 2 3\n", "no comma"),
            ("1,2\n", "2 columns are neither"),
            ("1,2,3,4,5,6,7\n", "7 columns are neither"),
            ("5,0,1,2,3\n4,0,1,2\n", "line 2 has 4 values, not 5"),
            ("5,0,1,2,3\n4,0,1,2,3,9\n", "line 2 has 6 values, not 5"),
            ("5,0,1,2,3\n4,0,1,2,3,\n", "line 2 has 6 values, not 5"),
            (
                "5,0,1,2,3\n4,0,,2,3\n",
                "\"\" in line 2, column 3, is no number",
            ),
            ("5,0,1,2,3\n4,0,1,cat,3\n", "\"cat\" in line 2, column 4"),
            ("5,0,1,2,3\n4,0,1,nan,3\n", "\"nan\" in line 2, column 4"),
            ("5,0,1,2,3\n\n4,0,1,2,3\n", "line 2 is empty"),
            ("label,a,b,c,d\n256,0,1,2,3\n", "the label 256 in line 2"),
            ("label,a,b,c,d\n1.5,0,1,2,3\n", "the label 1.5 in line 2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert_eq!(error.lines().count(), 1);
        }
    }

    #[test]
    fn lines_beyond_a_piece_are_read_and_endless_ones_refused() {
        // 300 × 300 pixels of four bytes: a line is longer than a piece.
        let row = |label: u8| format!("{label}{}\n", ",255".repeat(90_000));
        let text: String = (0..9).map(row).collect();
        let table = read_csv(text.as_bytes(), text.len() as u64).unwrap();
        assert_eq!((table.side, table.labels), (300, Some((0..9).collect())));
        assert!(table.pixels.len() == 810_000 && table.pixels.iter().all(|&p| p == 255));
        let endless = vec![b'7'; 5 << 20];
        let error = read_csv(&endless[..], 5 << 20).unwrap_err();
        assert!(
            matches!(error, ReadError::Csv(CsvError::LongLine { line: 1 })),
            "{error}"
        );
    }

    #[test]
    fn written_tables_are_read_again() {
        for (rows, columns) in [(3, 3), (2, 8)] {
            let pixels = (0..=255).chain(0..32).collect::<Vec<u8>>();
            let labels = (0..pixels.len() / rows / columns)
                .map(|i| i as u8)
                .collect();
            let data = Dataset::new(pixels.clone(), rows, columns, labels).unwrap();
            let text = to_csv(&data);
            let table = read_csv(&text[..], text.len() as u64).unwrap();
            assert_eq!(table.side * table.side, rows * columns);
            assert_eq!(
                (table.pixels, table.labels.unwrap()),
                (pixels, data.labels().to_vec())
            );
        }
    }

    /// A file that is cut is refused, unless it is cut between two lines or within the
    /// last number: then it is a shorter table.
    #[test]
    fn a_cut_at_every_offset_is_found_or_a_shorter_table() {
        let text = to_csv(&images(5, 100));
        let whole = read_csv(&text[..], text.len() as u64).unwrap();
        let mut shorter = 0;
        for len in 0..text.len() {
            let found = read_csv(&text[..len], len as u64);
            if let Ok(table) = found {
                shorter += 1;
                let count = table.labels.unwrap().len();
                // The last pixel may have lost digits.
                let sure = 9 * count - 1;
                assert_eq!(table.pixels[..sure], whole.pixels[..sure]);
                assert!(
                    text[..len].ends_with(b"\n") || text[len] == b'\n' || text[len - 1] != b','
                );
            }
        }
        // The last pixel is 0 in each image: its end, and that of its line.
        assert_eq!(shorter, 5 + 4);
        let packed = gz(&text);
        for len in 0..packed.len() {
            let dir = folder(&[("train.csv.gz", &packed[..len])]);
            files::load(dir.path()).unwrap_err();
        }
    }
}

mod arrays {
    use super::*;

    fn pixels(bytes: &[u8]) -> Result<Array, NpyError> {
        read(bytes, Elements::Pixels)
    }

    fn read(bytes: &[u8], elements: Elements) -> Result<Array, NpyError> {
        read_npy(bytes, bytes.len() as u64, elements).map_err(|error| match error {
            ReadError::Npy(error) => error,
            other => panic!("{other}"),
        })
    }

    fn body<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
        values.into_iter().flatten().collect()
    }

    #[test]
    fn every_type_whose_range_says_what_it_is_is_read() {
        let whole = [0_u8, 1, 16, 255];
        let shape = "(1, 2, 2)";
        let signed: Vec<u8> = body(whole.map(|x| i64::from(x).to_le_bytes()));
        for (descr, body) in [
            ("|u1", whole.to_vec()),
            ("<u2", body(whole.map(|x| u16::from(x).to_le_bytes()))),
            (">u2", body(whole.map(|x| u16::from(x).to_be_bytes()))),
            ("<i4", body(whole.map(|x| i32::from(x).to_le_bytes()))),
            (">i4", body(whole.map(|x| i32::from(x).to_be_bytes()))),
            ("<i8", signed),
            ("<f4", body(whole.map(|x| f32::from(x).to_le_bytes()))),
            (">f8", body(whole.map(|x| f64::from(x).to_be_bytes()))),
            // 0, 1, 16 and 255 as binary16.
            (
                "<f2",
                body([0_u16, 0x3c00, 0x4c00, 0x5bf8].map(u16::to_le_bytes)),
            ),
        ] {
            let array = pixels(&npy(descr, shape, &body)).unwrap();
            assert_eq!(
                (array.bytes.as_slice(), &array.shape[..]),
                (&whole[..], &[1, 2, 2][..])
            );
        }
        let shares = [0.0_f32, 1.0, 0.5, 1.0 / 255.0];
        let bytes = npy("<f4", shape, &body(shares.map(f32::to_le_bytes)));
        assert_eq!(pixels(&bytes).unwrap().bytes, [0, 255, 128, 1]);
        let wide = [100_u16, 65535, 257, 0];
        let bytes = npy("<u2", shape, &body(wide.map(u16::to_le_bytes)));
        assert_eq!(pixels(&bytes).unwrap().bytes, [0, 255, 1, 0]);
        assert_eq!(
            pixels(&npy("|b1", shape, &[0, 1, 1, 0])).unwrap().bytes,
            [0, 1, 1, 0]
        );
    }

    #[test]
    fn other_ranges_are_refused() {
        for values in [[-0.42_f32, 2.8], [0.5, 2.0], [256.0, 0.0], [f32::NAN, 0.0]] {
            let bytes = npy("<f4", "(1, 2)", &body(values.map(f32::to_le_bytes)));
            let error = pixels(&bytes).unwrap_err();
            assert!(matches!(error, NpyError::Element { .. }), "{error}");
        }
        let bytes = npy("<i4", "(2,)", &body([3_i32, -1].map(i32::to_le_bytes)));
        let error = read(&bytes, Elements::Labels).unwrap_err().to_string();
        assert!(
            error.contains("element 1 is -1, which is no label"),
            "{error}"
        );
        let bytes = npy("|i1", "(2,)", &[3, 0xff]);
        read(&bytes, Elements::Labels).unwrap_err();
    }

    #[test]
    fn the_order_of_fortran_is_turned() {
        // Two images of 2×3: element (i, x, y) is 6 i + 3 x + y.
        let fortran: Vec<u8> = vec![0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11];
        let bytes = npy_in_order("|u1", "True", "(2, 2, 3)", &fortran);
        assert_eq!(pixels(&bytes).unwrap().bytes, (0..12).collect::<Vec<u8>>());
    }

    #[test]
    fn headers_of_each_version_are_read_and_others_refused() {
        let whole = npy("|u1", "(1, 4)", &[1, 2, 3, 4]);
        let (text, rest) = whole[10..].split_at(whole.len() - 14);
        for version in [2, 3] {
            let mut bytes = b"\x93NUMPY".to_vec();
            bytes.extend([version, 0]);
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend([text, rest].concat());
            assert_eq!(pixels(&bytes), pixels(&whole));
        }
        let told = |bytes: &[u8]| pixels(bytes).unwrap_err().to_string();
        for (descr, shape, word) in [
            ("|O", "(4,)", "type |O"),
            ("<U3", "(4,)", "type <U3"),
            ("<c8", "(4,)", "type <c8"),
            ("|u1", "()", "0 dimensions"),
            ("|u1", "(1, 1, 1, 1, 4)", "5 dimensions"),
            ("|u1", "(-4,)", "dictionary"),
            ("|u1", "(4", "dictionary"),
            (
                "<f8",
                "(4294967296, 4294967296)",
                "more bytes than can be addressed",
            ),
        ] {
            let said = told(&npy(descr, shape, &[0; 4]));
            assert!(said.contains(word), "{said}");
        }
        let mut bytes = whole.clone();
        bytes[6] = 9;
        assert!(told(&bytes).contains("version 9"));
        bytes[6] = 2;
        assert!(told(&bytes).contains("a header of"), "{}", told(&bytes));
        assert!(told(b"\x93NUMPX\x01\0\0\0").contains("does not begin"));
        assert!(told(&[&whole[..], &[0]].concat()).contains("goes on"));
    }

    #[test]
    fn a_cut_at_every_offset_is_found() {
        let whole = npy("<u2", "(2, 4)", &[0; 16]);
        for len in 0..whole.len() {
            let error = pixels(&whole[..len]).unwrap_err();
            assert_eq!(error.to_string().lines().count(), 1);
        }
        let archive = zip(&[
            ("x_train.npy", &npy("|u1", "(2, 4)", &[7; 8])),
            ("y_train.npy", &npy("|u1", "(2,)", &[0, 1])),
        ]);
        for len in 0..archive.len() {
            let dir = folder(&[("mnist.npz", &archive[..len])]);
            let error = files::load_parts(dir.path()).unwrap_err();
            told(&error, dir.path());
        }
        assert_eq!(
            files::load_parts(folder(&[("mnist.npz", &archive)]).path())
                .unwrap()
                .train
                .unwrap()
                .labels(),
            [0, 1]
        );
    }

    /// Every flipped bit of an archive is found, or changes nothing.
    #[test]
    fn every_flipped_bit_of_an_archive_is_found_or_harmless() {
        let archive = zip(&[
            ("x_train.npy", &npy("|u1", "(2, 4)", &[7; 8])),
            ("y_train.npy", &npy("|u1", "(2,)", &[0, 1])),
        ]);
        let read = |bytes: Vec<u8>| {
            let mut archive = Npz::open(Cursor::new(bytes))?;
            let pixels = archive.read("x_train", Elements::Pixels)?;
            Ok::<_, ReadError>((pixels, archive.read("y_train", Elements::Labels)?))
        };
        let whole = read(archive.clone()).unwrap();
        let mut found = 0;
        for bit in 0..8 * archive.len() {
            let mut bytes = archive.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(mut archive) = Npz::open(Cursor::new(&bytes))
                && let Ok(file) = archive.read_file("x_train.npy", 1 << 10)
            {
                assert_eq!(file, npy("|u1", "(2, 4)", &[7; 8]), "bit {bit}");
            }
            match read(bytes) {
                Ok(read) => assert_eq!(read, whole, "bit {bit}"),
                Err(ReadError::Npz(_)) => found += 1,
                Err(other) => panic!("bit {bit}: {other}"),
            }
        }
        let long = Npz::open(Cursor::new(&archive))
            .unwrap()
            .read_file("x_train.npy", 10);
        assert!(matches!(
            long,
            Err(ReadError::Npz(NpzError::Damaged { .. }))
        ));
        // Dates, versions and the sizes beside the file say nothing new.
        assert!(
            found > 5 * archive.len(),
            "{found} of {}",
            8 * archive.len()
        );
    }

    #[test]
    fn arrays_are_told_by_names_or_by_shapes() {
        let (x, y) = (
            npy("|u1", "(3, 2, 2)", &[9; 12]),
            npy("<i4", "(3,)", &[0; 12]),
        );
        let hot = npy("|u1", "(3, 2)", &[1, 0, 0, 1, 1, 0]);
        for files in [
            &[("x_train.npy", &x), ("y_train.npy", &y)][..],
            &[("images.npy", &x), ("labels.npy", &y)],
            &[("target.npy", &y), ("data.npy", &x)],
            &[("arr_0.npy", &x), ("arr_1.npy", &y)],
            &[("b.npy", &y), ("a.npy", &x)],
            &[("X.npy", &x), ("y.npy", &hot)],
            &[
                ("train_images.npy", &x),
                ("train_labels.npy", &y),
                ("val_images.npy", &x),
            ],
        ] {
            let entries: Vec<(&str, &[u8])> = files.iter().map(|(n, f)| (*n, &f[..])).collect();
            let dir = folder(&[("set.npz", &zip(&entries))]);
            let parts = files::load_parts(dir.path()).unwrap();
            let train = parts.train.unwrap();
            assert_eq!((train.len(), train.rows(), train.columns()), (3, 2, 2));
            assert!(parts.test.is_none());
        }
        for (files, word) in [
            (&[][..], "without arrays"),
            (&[("readme.txt", &x)], "without arrays"),
            (&[("a.npy", &x)], "cannot be told"),
            (&[("a.npy", &x), ("b.npy", &x)], "cannot be told"),
            (&[("x_train.npy", &x)], "cannot be told"),
            (
                &[
                    ("x_train.npy", &x),
                    ("images_train.npy", &x),
                    ("y_train.npy", &y),
                ],
                "cannot be",
            ),
            (&[("x.npy", &y), ("y.npy", &y)], "has no grey images"),
            (&[("x.npy", &x), ("y.npy", &x)], "has no labels"),
        ] {
            let entries: Vec<(&str, &[u8])> = files.iter().map(|(n, f)| (*n, &f[..])).collect();
            let dir = folder(&[("set.npz", &zip(&entries))]);
            let said = told(
                &files::load(dir.path()).unwrap_err(),
                &dir.path().join("set.npz"),
            );
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (train, test) = (images(5, 100), images(2, 50));
        let archive = to_npz(Some(&train), Some(&test));
        let dir = folder(&[("mnist.npz", &archive)]);
        assert_read(dir.path(), &train, &test);
        assert_read(&dir.path().join("mnist.npz"), &train, &test);
        // NumPy aligns the elements to 64 bytes.
        let at = archive
            .windows(6)
            .position(|bytes| bytes == b"\x93NUMPY")
            .unwrap();
        let len = u16::from_le_bytes([archive[at + 8], archive[at + 9]]);
        assert_eq!((10 + usize::from(len)) % 64, 0);
        let error = Npz::open(Cursor::new(b"PK\x03\x04".to_vec())).unwrap_err();
        assert!(matches!(error, ReadError::Npz(NpzError::NoEnd)), "{error}");
    }
}

mod integers {
    use super::*;

    /// Labels as QMNIST has them: eight integers for each image.
    fn qmnist(labels: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 12, 2];
        bytes.extend((labels.len() as u32).to_be_bytes());
        bytes.extend(8_u32.to_be_bytes());
        for &label in labels {
            let others = [4_u32, 800, 7, 0, 0, 123_456, 9];
            let row = [u32::from(label)].into_iter().chain(others);
            bytes.extend(row.flat_map(u32::to_be_bytes));
        }
        bytes
    }

    #[test]
    fn the_first_of_eight_integers_is_the_class() {
        let (train, test) = (images(5, 100), images(4, 50));
        let ([x, _], [x_test, _]) = (to_idx(&train), to_idx(&test));
        let (y, y_test) = (qmnist(train.labels()), qmnist(test.labels()));
        let dir = folder(&[
            ("qmnist-train-images-idx3-ubyte.gz", &gz(&x)),
            ("qmnist-train-labels-idx2-int.gz", &gz(&y)),
            ("qmnist-test-images-idx3-ubyte", &x_test),
            ("qmnist-test-labels-idx2-int", &y_test),
        ]);
        assert_read(dir.path(), &train, &test);
        // The fingerprint is that of the bytes.
        let as_bytes = folder(&[]);
        for (name, content) in IDX.iter().zip(idx_files(&train, &test)) {
            fs::write(as_bytes.path().join(name), content).unwrap();
        }
        assert_eq!(
            files::load(dir.path()).unwrap().fingerprint,
            files::load(as_bytes.path()).unwrap().fingerprint
        );
    }

    #[test]
    fn damaged_labels_are_refused() {
        let whole = qmnist(&[3, 0, 9]);
        let read = |bytes: &[u8]| match read_int_labels(bytes, bytes.len() as u64) {
            Ok(labels) => Ok(labels),
            Err(ReadError::IntLabels(error)) => Err(error),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(read(&whole), Ok(vec![3, 0, 9]));
        for len in 0..whole.len() {
            read(&whole[..len]).unwrap_err();
        }
        assert_eq!(
            read(&[&whole[..], &[0]].concat()),
            Err(IntLabelsError::Trailing)
        );
        let mut bytes = whole.clone();
        bytes[12 + 32] = 1;
        assert_eq!(read(&bytes), Err(IntLabelsError::Label { index: 1 }));
        bytes = whole.clone();
        bytes[8..12].fill(0);
        assert_eq!(read(&bytes), Err(IntLabelsError::Columns { found: 0 }));
        bytes[8..12].fill(0xff);
        read(&bytes).unwrap_err();
        bytes = whole;
        bytes[4..8].fill(0xff);
        let error = read(&bytes).unwrap_err();
        assert!(
            matches!(error, IntLabelsError::Truncated { found: 3, .. }),
            "{error}"
        );
    }
}

mod homes {
    use super::*;

    /// The four files under other names.
    fn named(names: [&str; 4], train: &Dataset, test: &Dataset) -> TempDir {
        let contents = idx_files(train, test);
        let files: Vec<(&str, &[u8])> = names
            .into_iter()
            .zip(contents.iter().map(Vec::as_slice))
            .collect();
        folder(&files)
    }

    #[test]
    fn other_names_and_folders_are_found() {
        let (train, test) = (images(5, 100), images(4, 50));
        for names in [
            IDX.map(|name| format!("MNIST/raw/{name}")),
            IDX.map(|name| format!("raw/{name}")),
            IDX.map(|name| name.replace("t10k", "test")),
            IDX.map(|name| format!("{name} (1)")),
            IDX.map(|name| format!("kmnist-{name}")),
            IDX.map(|name| format!("emnist-digits-{}", name.replace("t10k", "test"))),
        ] {
            let dir = named(names.each_ref().map(String::as_str), &train, &test);
            assert_read(dir.path(), &train, &test);
            // A file stands for its data set, a test file for the test images.
            assert_read(&dir.path().join(&names[0]), &train, &test);
            let parts = files::load_parts(&dir.path().join(&names[2])).unwrap();
            assert_eq!((parts.train, parts.test), (None, Some(test.clone())));
        }
        let ([x, y], [x_test, y_test]) = (to_idx(&train), to_idx(&test));
        let array = |data: &[u8], shape| npy("|u1", shape, data);
        let dir = folder(&[
            ("train_images.npy", &array(&x[16..], "(5, 3, 3, 1)")),
            ("train_labels.npy", &array(&y[8..], "(5,)")),
            ("test_images.npy", &array(&x_test[16..], "(4, 3, 3, 1)")),
            ("test_labels.npy", &array(&y_test[8..], "(4,)")),
        ]);
        assert_read(dir.path(), &train, &test);
        let single = |name, data: &[u8], shape| zip(&[(name, &array(data, shape))]);
        let dir = folder(&[
            (
                "kmnist-train-imgs.npz",
                &single("arr_0.npy", &x[16..], "(5, 9)"),
            ),
            (
                "kmnist-train-labels.npz",
                &single("arr_0.npy", &y[8..], "(5,)"),
            ),
            (
                "kmnist-test-imgs.npz",
                &single("arr_0.npy", &x_test[16..], "(4, 9)"),
            ),
            (
                "kmnist-test-labels.npz",
                &single("arr_0.npy", &y_test[8..], "(4,)"),
            ),
        ]);
        assert_read(dir.path(), &train, &test);
        let dir = folder(&[
            ("mnist_train.csv", &to_csv(&train)),
            ("mnist_test.csv.gz", &gz(&to_csv(&test))),
            ("sample_submission.csv", b"ImageId,Label\n"),
        ]);
        assert_read(dir.path(), &train, &test);
        assert_read(&dir.path().join("mnist_train.csv"), &train, &test);
    }

    #[test]
    fn every_format_has_the_same_fingerprint() {
        let (train, test) = (images(5, 100), images(4, 50));
        let idx = named(IDX, &train, &test);
        let csv = folder(&[("train.csv", &to_csv(&train)), ("test.csv", &to_csv(&test))]);
        let npz = folder(&[("mnist.npz", &to_npz(Some(&train), Some(&test)))]);
        let print = |dir: &TempDir| files::load(dir.path()).unwrap().fingerprint;
        assert_eq!(print(&idx), print(&csv));
        assert_eq!(print(&idx), print(&npz));
    }

    #[test]
    fn several_data_sets_are_listed() {
        let (train, test) = (images(5, 100), images(4, 50));
        let names = |set: &str| IDX.map(|name| format!("{set}-{name}"));
        let dir = named(
            names("kmnist").each_ref().map(String::as_str),
            &train,
            &test,
        );
        for (name, content) in names("k49").iter().zip(idx_files(&train, &test)) {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let error = files::load(dir.path()).unwrap_err();
        let said = told(&error, dir.path());
        assert!(matches!(error, IoError::Ambiguous { .. }));
        for name in [
            "k49-train-images-idx3-ubyte",
            "kmnist-train-images-idx3-ubyte",
        ] {
            assert!(said.contains(name), "{said}");
        }
        assert_read(
            &dir.path().join("kmnist-train-images-idx3-ubyte"),
            &train,
            &test,
        );
        // Unless the four files of MNIST are there.
        for (name, content) in IDX.iter().zip(idx_files(&train, &test)) {
            fs::write(dir.path().join(name), content).unwrap();
        }
        assert_read(dir.path(), &train, &test);
    }

    #[test]
    fn copies_must_be_the_same() {
        let (train, test) = (images(5, 100), images(4, 50));
        let dir = named(IDX, &train, &test);
        let [content, ..] = idx_files(&train, &test);
        for (copy, content) in [
            ("train-images-idx3-ubyte.gz", gz(&content)),
            ("train-images-idx3-ubyte (1)", content.clone()),
        ] {
            fs::write(dir.path().join(copy), content).unwrap();
            assert_read(dir.path(), &train, &test);
        }
        let mut other = content;
        *other.last_mut().unwrap() = 7;
        fs::write(dir.path().join("train-images-idx3-ubyte.gz"), gz(&other)).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        let said = told(&error, dir.path());
        assert!(
            said.contains("train-images-idx3-ubyte, train-images-idx3-ubyte.gz"),
            "{said}"
        );
    }

    #[test]
    fn a_lack_of_files_is_told() {
        let (train, test) = (images(5, 100), images(4, 50));
        let names = IDX.map(|name| format!("kmnist-{name}"));
        let dir = named(names.each_ref().map(String::as_str), &train, &test);
        fs::remove_file(dir.path().join(&names[1])).unwrap();
        let said = told(&files::load(dir.path()).unwrap_err(), dir.path());
        assert!(said.contains("lacks the labels of kmnist"), "{said}");

        let dir = folder(&[("README.md", b"none"), ("a/b.png", b"none")]);
        let error = files::load(dir.path()).unwrap_err();
        assert!(matches!(error, IoError::NothingFound { .. }));
        let said = told(&error, dir.path());
        assert!(
            said.contains("found README.md, b.png") && said.contains(IDX[0]),
            "{said}"
        );
    }

    #[test]
    fn test_files_alone_have_no_training_images() {
        let (train, test) = (images(5, 100), images(4, 50));
        let dir = named(IDX, &train, &test);
        fs::remove_file(dir.path().join(IDX[0])).unwrap();
        fs::remove_file(dir.path().join(IDX[1])).unwrap();
        let parts = files::load_parts(dir.path()).unwrap();
        assert_eq!(parts.test, Some(test));
        let said = told(&parts.into_corpus(1).unwrap_err(), dir.path());
        assert!(said.contains("none to train on"), "{said}");
    }

    #[test]
    fn without_test_images_a_seventh_is_drawn_by_the_seed() {
        let data = images(70, 50);
        let dir = folder(&[("digits.csv", &to_csv(&data))]);
        let split = |seed| {
            files::load_parts(dir.path())
                .unwrap()
                .into_corpus(seed)
                .unwrap()
        };
        let (one, other) = (split(1), split(2));
        assert_eq!((one.train.len(), one.test.len()), (60, 10));
        assert_eq!(one.fingerprint, other.fingerprint);
        assert_ne!(one.test, other.test);
        assert_eq!(split(1).test, one.test);
        let mut all: Vec<_> = one.train.iter().chain(one.test.iter()).collect();
        let mut expected: Vec<_> = data.iter().collect();
        all.sort();
        expected.sort();
        assert_eq!(all, expected);
        // Kaggle's test images have no labels.
        let unlabelled = b"pixel0,pixel1,pixel2,pixel3\n1,2,3,4\n";
        let dir = folder(&[("train.csv", &to_csv(&data)), ("test.csv", unlabelled)]);
        assert_eq!(files::load(dir.path()).unwrap().test, one.test);
        let path = dir.path().join("test.csv");
        let said = told(&files::load(&path).unwrap_err(), &path);
        assert!(said.contains("without labels"), "{said}");
    }

    #[test]
    fn labels_from_one_are_numbered_from_zero() {
        let from_one = |mut data: Dataset| {
            data.map_labels(|label| label + 1);
            data
        };
        let (train, test) = (images(5, 100), images(4, 50));
        let dir = named(IDX, &from_one(train.clone()), &from_one(test.clone()));
        assert_eq!(assert_read(dir.path(), &train, &test), ["1", "2", "3"]);
        // Of test images alone the first class may be missing.
        let parts = files::load_parts(&dir.path().join(IDX[2])).unwrap();
        assert_eq!(parts.class_names, ["0", "1", "2", "3"]);
        assert_eq!(parts.test, Some(from_one(test)));
    }

    #[test]
    fn emnist_is_turned_upright_and_its_classes_have_names() {
        let transposed = |mut data: Dataset, first| {
            data.transpose();
            data.map_labels(|label| label + first);
            data
        };
        let (train, test) = (images(5, 100), images(4, 50));
        for (set, first, last) in [
            ("letters", 1, "Z"),
            ("balanced", 0, "t"),
            ("byclass", 0, "z"),
        ] {
            let name = |name: &str| format!("emnist-{set}-{}", name.replace("t10k", "test"));
            let names = IDX.map(name);
            let (lying, lying_test) = (
                transposed(train.clone(), first),
                transposed(test.clone(), first),
            );
            let dir = named(names.each_ref().map(String::as_str), &lying, &lying_test);
            let classes = assert_read(dir.path(), &train, &test);
            assert_eq!(classes.last().unwrap(), last);
            let parts = files::load_parts(&dir.path().join(&names[3])).unwrap();
            assert!(parts.is_turned);
            assert_eq!(
                (parts.test, parts.class_names),
                (Some(test.clone()), classes)
            );
        }
    }

    #[test]
    fn what_is_no_data_names_itself() {
        let (train, test) = (images(5, 100), images(4, 50));
        let [content, ..] = idx_files(&train, &test);
        for (content, word) in [
            (
                b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
                "git lfs pull",
            ),
            (b"<!DOCTYPE html>\n<html>".to_vec(), "HTML"),
            (gz(b"<?xml version=\"1.0\"?><Error>"), "XML"),
            (zip(&[]), "empty zip"),
            (zip(&[("a", b"b")]), "zip archive"),
            (gz(&gz(&content)), "gz within gz"),
        ] {
            let dir = named(IDX, &train, &test);
            for name in [IDX[0], IDX[1]] {
                fs::write(dir.path().join(name), &content).unwrap();
                let error = files::load(dir.path()).unwrap_err();
                let said = told(&error, &dir.path().join(IDX[0]));
                if word != "empty zip" {
                    assert!(said.contains(word), "{said}");
                }
            }
            let names = ["train.csv", "x_train.npy", "mnist.npz", "anything"];
            for name in names.into_iter().filter(|_| word != "empty zip") {
                if word == "zip archive" && name != "train.csv" {
                    continue;
                }
                let dir = folder(&[(name, &content), ("y_train.npy", &content)]);
                let said = told(
                    &files::load(&dir.path().join(name)).unwrap_err(),
                    dir.path(),
                );
                assert!(said.contains(word), "{name}: {said}");
            }
        }
        // An IDX file has no labels by itself.
        let dir = folder(&[("digits", &content)]);
        let said = told(
            &files::load(&dir.path().join("digits")).unwrap_err(),
            dir.path(),
        );
        assert!(
            said.contains("an IDX file whose name does not say"),
            "{said}"
        );
    }

    #[test]
    fn test_images_are_known_without_the_others() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        let path = own.join("t10k-images-idx3-ubyte.gz");
        if !path.exists() {
            eprintln!("skipped: the published package comes without data");
            return;
        }
        let parts = files::load_parts(&path).unwrap();
        assert_eq!(parts.source, KnownDataset::Mnist);
        assert!(parts.train.is_none());
    }
}

#[test]
fn the_sum_of_content_is_the_same_gz_or_raw() {
    // Of FIPS 180-2, appendix B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let sum = |bytes: &[u8], most| files::content_sha256(bytes, most);
    let packed = gz(b"abc");
    assert_eq!(sum(b"abc", 3).unwrap(), abc);
    assert_eq!(sum(&packed, 3).unwrap(), abc);
    // Reading stops in the fourth byte of more.
    assert_eq!(sum(&gz(b"abcdefgh"), 3).unwrap(), sum(b"abcd", 9).unwrap());
    let cut = sum(&packed[..packed.len() - 1], 3);
    assert!(matches!(cut, Err(ReadError::Gz(_))));
}
