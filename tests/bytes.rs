//! Bytes from outside: IDX files, data folders, the split of the data, and files written to
//! the disk.

use handwritten::data::idx::{self, IdxError, Kind};

/// An IDX file of any header and body.
fn idx_file(magic: u32, header: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    for number in header {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

/// `count` images of 2 rows by 3 columns, all pixels different.
fn images_file(count: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * 6).map(|pixel| pixel as u8).collect();
    idx_file(0x0803, &[count, 2, 3], &pixels)
}

fn labels_file(labels: &[u8]) -> Vec<u8> {
    idx_file(0x0801, &[labels.len() as u32], labels)
}

mod parser {
    use super::*;

    #[test]
    fn reads_what_the_format_says() {
        let bytes = images_file(4);
        let images = idx::images(&bytes).unwrap();
        assert_eq!((images.count, images.rows, images.columns), (4, 2, 3));
        assert_eq!(images.pixels, (0..24).collect::<Vec<u8>>());
        assert_eq!(
            idx::labels(&labels_file(&[7, 0, 255])).unwrap(),
            [7, 0, 255]
        );

        assert_eq!(Kind::Images.expected_len(&bytes[..16]), Ok(16 + 24));
        assert_eq!(Kind::Labels.expected_len(&labels_file(&[])), Ok(8));
    }

    #[test]
    fn no_images_are_images_too() {
        let bytes = images_file(0);
        let images = idx::images(&bytes).unwrap();
        assert_eq!((images.count, images.rows, images.columns), (0, 2, 3));
        assert!(images.pixels.is_empty());
        assert!(idx::labels(&labels_file(&[])).unwrap().is_empty());
    }

    #[test]
    fn a_cut_at_every_offset_is_found() {
        let whole = images_file(4);
        for found in 0..whole.len() {
            let expected = if found < 16 {
                IdxError::Header {
                    expected: 16,
                    found,
                }
            } else {
                IdxError::Truncated {
                    expected: 40,
                    found: found as u64,
                }
            };
            assert_eq!(idx::images(&whole[..found]), Err(expected));
            let text = expected.to_string();
            assert!(text.contains(&format!("offset {found}")), "{text}");
        }
        let whole = labels_file(&[1, 2, 3]);
        for found in 0..whole.len() {
            let expected = if found < 8 {
                IdxError::Header { expected: 8, found }
            } else {
                IdxError::Truncated {
                    expected: 11,
                    found: found as u64,
                }
            };
            assert_eq!(idx::labels(&whole[..found]), Err(expected));
        }
    }

    #[test]
    fn a_byte_too_many_is_found() {
        let mut images = images_file(4);
        images.push(0);
        let expected = IdxError::Trailing { expected: 40 };
        assert_eq!(idx::images(&images), Err(expected));
        assert!(expected.to_string().contains("offset 40"), "{expected}");
        let mut labels = labels_file(&[1, 2, 3]);
        labels.push(0);
        assert_eq!(
            idx::labels(&labels),
            Err(IdxError::Trailing { expected: 11 })
        );
    }

    #[test]
    fn one_kind_of_file_for_the_other_is_named() {
        let error = idx::labels(&images_file(1)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("images found where labels are expected"),
            "{text}"
        );
        // Eleven bytes: shorter than the header of images.
        let error = idx::images(&labels_file(&[1, 2, 3])).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("labels found where images are expected"),
            "{text}"
        );
    }

    #[test]
    fn every_other_magic_number_is_refused() {
        for bit in 0..32 {
            let found = 0x0803 ^ (1 << bit);
            let bytes = idx_file(found, &[1, 1, 1], &[0]);
            let error = IdxError::Magic {
                expected: Kind::Images,
                found,
            };
            assert_eq!(idx::images(&bytes), Err(error));
            let text = error.to_string();
            assert!(text.contains(&format!("{found:#010x}")), "{text}");
        }
    }

    #[test]
    fn huge_dimensions_are_compared_without_overflow() {
        const MAX: u32 = u32::MAX;
        let parse = |header: &[u32]| {
            let bytes = idx_file(0x0803, header, &[0; 8]);
            idx::images(&bytes).unwrap_err()
        };
        let truncated = |expected| IdxError::Truncated {
            expected,
            found: 24,
        };
        // Products of 2⁹⁶, 2⁶⁴ and a little less than 2⁶⁴.
        assert_eq!(parse(&[MAX, MAX, MAX]), IdxError::TooLarge);
        assert_eq!(parse(&[1 << 31, 1 << 31, 4]), IdxError::TooLarge);
        // One image fits into 32 bits.
        let less = (1 << 16) * u64::from(MAX >> 16) * u64::from(MAX) + 16;
        assert_eq!(parse(&[MAX, 1 << 16, MAX >> 16]), truncated(less));
        // Products that are 0 and 8, the bytes there are, modulo 2³².
        assert_eq!(parse(&[1 << 16, 1 << 8, 1 << 8]), truncated((1 << 32) + 16));
        assert_eq!(parse(&[(1 << 29) + 1, 2, 4]), truncated((1 << 32) + 24));

        let labels = idx_file(0x0801, &[MAX], &[0; 16]);
        assert_eq!(idx::labels(&labels), Err(truncated((1 << 32) + 7)));
    }

    #[test]
    fn images_need_a_side() {
        for (header, offset, side) in [([4, 0, 3], 8, "rows"), ([4, 3, 0], 12, "columns")] {
            let error = idx::images(&idx_file(0x0803, &header, &[])).unwrap_err();
            assert_eq!(error, IdxError::Flat { offset });
            let text = error.to_string();
            assert!(
                text.contains(side) && text.contains(&format!("offset {offset}")),
                "{text}"
            );
        }
    }
}

#[cfg(feature = "alloc")]
mod sets {
    use super::*;
    use handwritten::data::{Dataset, DatasetError, Split, Splits, Subset, stratified_split};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rand_core::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn seeded(seed: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(seed)
    }

    /// A data set of images of one pixel.
    fn labelled(labels: &[u8]) -> Dataset {
        Dataset::new(vec![0; labels.len()], 1, 1, labels.to_vec()).unwrap()
    }

    #[test]
    fn a_data_set_is_what_its_files_say() {
        let data = Dataset::from_idx(&images_file(3), &labels_file(&[4, 0, 2])).unwrap();
        assert_eq!((data.len(), data.rows(), data.columns()), (3, 2, 3));
        assert_eq!((data.features(), data.classes()), (6, 5));
        assert!(!data.is_empty());
        assert_eq!(data.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(data.label(2), 2);
        assert_eq!(data.labels(), [4, 0, 2]);
        assert_eq!(labelled(&[255]).classes(), 256);
    }

    #[test]
    fn what_is_no_data_set_is_refused() {
        let counts = |images, labels| Err(DatasetError::Counts { images, labels });
        assert_eq!(
            Dataset::from_idx(&images_file(3), &labels_file(&[4, 0])),
            counts(3, 2)
        );
        assert_eq!(
            Dataset::from_idx(&images_file(0), &labels_file(&[4])),
            counts(0, 1)
        );
        assert_eq!(
            Dataset::from_idx(&images_file(0), &labels_file(&[])),
            Err(DatasetError::Empty)
        );
        let text = counts(3, 2).unwrap_err().to_string();
        assert_eq!(text, "3 images but 2 labels");
        assert!(matches!(
            Dataset::from_idx(&labels_file(&[4]), &labels_file(&[4])),
            Err(DatasetError::Images(IdxError::Magic { .. }))
        ));
        assert!(matches!(
            Dataset::from_idx(&images_file(1), &images_file(1)),
            Err(DatasetError::Labels(IdxError::Magic { .. }))
        ));
        for (rows, columns) in [(2, 2), (0, 3), (3, 0), (0, 0), (usize::MAX, 2)] {
            let error = DatasetError::Pixels {
                found: 3,
                rows,
                columns,
            };
            assert_eq!(Dataset::new(vec![0; 3], rows, columns, vec![0]), Err(error));
        }
    }

    #[test]
    fn gather_divides_every_pixel_by_255() {
        let data = Dataset::new((0..=255).collect(), 16, 4, vec![3, 1, 0, 2]).unwrap();
        let (mut pixels, mut labels) = ([f32::NAN; 5 * 64], [99; 5]);
        data.gather(&[2, 0, 3, 2, 1], &mut pixels, &mut labels);
        assert_eq!(labels, [0, 3, 2, 0, 1]);
        for (row, image) in pixels.chunks(64).zip([2, 0, 3, 2, 1]) {
            for (&value, pixel) in row.iter().zip(image * 64..) {
                // Rounded once from f64, hence the nearest f32.
                let expected = (f64::from(pixel) / 255.0) as f32;
                assert_eq!(value.to_bits(), expected.to_bits(), "pixel {pixel}");
            }
        }
        assert_eq!((pixels[64], pixels[3 * 64 - 1]), (0.0, 1.0));
    }

    #[test]
    #[should_panic = "2 images of 6 pixels do not fill 11 pixels and 2 labels"]
    fn gather_wants_room_for_all_pixels() {
        let data = Dataset::from_idx(&images_file(3), &labels_file(&[4, 0, 2])).unwrap();
        data.gather(&[0, 1], &mut [0.0; 11], &mut [0; 2]);
    }

    #[test]
    #[should_panic = "2 images of 6 pixels do not fill 12 pixels and 3 labels"]
    fn gather_wants_as_many_labels_as_images() {
        let data = Dataset::from_idx(&images_file(3), &labels_file(&[4, 0, 2])).unwrap();
        data.gather(&[0, 1], &mut [0.0; 12], &mut [0; 3]);
    }

    #[test]
    fn a_subset_counts_its_classes() {
        let data = labelled(&[0, 2, 2, 1, 2]);
        let subset = Subset::new(&data, vec![4, 0, 1]);
        assert_eq!((subset.len(), subset.is_empty()), (3, false));
        assert_eq!(subset.indices(), [4, 0, 1]);
        assert_eq!(subset.class_counts(), [1, 0, 2]);
        assert_eq!(Subset::all(&data).class_counts(), [1, 1, 3]);
        assert_eq!(Subset::all(&data).indices(), [0, 1, 2, 3, 4]);
        assert!(core::ptr::eq(subset.dataset(), &data));
        assert!(Subset::new(&data, vec![]).is_empty());
    }

    #[test]
    #[should_panic = "no image 5 among 5"]
    fn a_subset_has_no_image_that_is_not_there() {
        Subset::new(&labelled(&[0; 5]), vec![0, 5]);
    }

    #[test]
    fn the_largest_remainders_round_up_ties_by_class() {
        let counts = |labels: &[u8], part| {
            let data = labelled(labels);
            let (_, second) = stratified_split(labels, part, &mut seeded(1));
            Subset::new(&data, second).class_counts()
        };
        // Shares of 1, 1, 2/3 and 1/3: the largest remainder is class 2's.
        assert_eq!(counts(&[0, 0, 0, 1, 1, 1, 2, 2, 3], 3), [1, 1, 1, 0]);
        // Shares of 1/2 each.
        assert_eq!(counts(&[3, 2, 1, 0], 2), [1, 1, 0, 0]);
    }

    #[test]
    fn every_image_and_every_order_is_equally_likely() {
        // Either part has two images of class 0 and one of class 1.
        let labels = [0, 0, 0, 0, 1, 1];
        let mut rng = seeded(1);
        let mut taken = [0; 6];
        let mut of_class_1 = [[0; 3]; 2];
        for _ in 0..3_000 {
            let (first, second) = stratified_split(&labels, 3, &mut rng);
            for &i in &second {
                taken[i as usize] += 1;
            }
            for (counts, part) in of_class_1.iter_mut().zip([first, second]) {
                for (count, i) in counts.iter_mut().zip(part) {
                    *count += usize::from(labels[i as usize]);
                }
            }
        }
        // Five standard deviations: 27 for a half, 26 for a third. Parts in the
        // order of the images' choice would have class 1 last in 1 200.
        let within = |count: usize, expected| count.abs_diff(expected) < 130;
        assert!(taken.iter().all(|&n| within(n, 1_500)), "{taken:?}");
        let places = of_class_1.as_flattened();
        assert!(places.iter().all(|&n| within(n, 1_000)), "{places:?}");
    }

    #[test]
    #[should_panic = "cannot take 4 of 3 labels"]
    fn no_part_is_larger_than_the_whole() {
        stratified_split(&[0, 1, 2], 4, &mut seeded(1));
    }

    proptest! {
        #[test]
        fn a_split_is_a_stratified_partition(
            labels in vec(prop_oneof![0u8..4, any::<u8>()], 0..300),
            share in 0.0..=1.0,
            seed: u64,
        ) {
            let part = (labels.len() as f64 * share) as usize;
            let (first, second) = stratified_split(&labels, part, &mut seeded(seed));
            prop_assert_eq!(second.len(), part);

            let mut all = [first.clone(), second.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());

            let count = |part: &[u32], class| {
                part.iter().filter(|&&i| labels[i as usize] == class).count() as f64
            };
            for class in 0..=255 {
                let whole = count(&first, class) + count(&second, class);
                let exact = whole * part as f64 / labels.len().max(1) as f64;
                let off = (count(&second, class) - exact).abs();
                prop_assert!(off < 1.0, "class {} off by {}", class, off);
            }
        }

        #[test]
        fn the_seed_decides_the_order(
            labels in vec(0u8..10, 100..300),
            seed: u64,
            other: u64,
        ) {
            prop_assume!(seed != other);
            let split = |seed| stratified_split(&labels, labels.len() / 2, &mut seeded(seed));
            let (first, second) = split(seed);
            prop_assert_eq!(split(seed), (first.clone(), second.clone()));
            // The chance of the same order is below 1 in 50!.
            prop_assert_ne!(&split(other).0, &first);
            prop_assert_ne!(split(other).1, second);
        }
    }

    /// 240 training images and 101 test images of 4 classes in blocks.
    fn two_files() -> (Dataset, Dataset) {
        let labels = |n: usize| (0..n).map(|i| (i * 4 / n) as u8).collect::<Vec<_>>();
        (labelled(&labels(240)), labelled(&labels(101)))
    }

    #[test]
    fn the_question_halves_the_test_file() {
        let (train_file, test_file) = two_files();
        let splits = Splits::new(&train_file, &test_file, Split::Question, &mut seeded(1)).unwrap();
        assert_eq!(splits.train, Subset::all(&train_file));
        assert!(core::ptr::eq(splits.val.dataset(), &test_file));
        assert!(core::ptr::eq(splits.test.dataset(), &test_file));
        assert_eq!((splits.val.len(), splits.test.len()), (51, 50));
        let mut both = [splits.val.indices(), splits.test.indices()].concat();
        both.sort_unstable();
        assert_eq!(both, Subset::all(&test_file).indices());
        assert_eq!(splits.test.class_counts(), [13, 13, 12, 12]);
    }

    #[test]
    fn the_standard_takes_a_twelfth_of_the_training_file() {
        let (train_file, test_file) = two_files();
        let splits = Splits::new(&train_file, &test_file, Split::Standard, &mut seeded(1)).unwrap();
        assert_eq!(splits.test, Subset::all(&test_file));
        assert!(core::ptr::eq(splits.val.dataset(), &train_file));
        assert!(core::ptr::eq(splits.train.dataset(), &train_file));
        assert_eq!(splits.val.class_counts(), [5; 4]);
        assert_eq!(splits.train.class_counts(), [55; 4]);
        let mut both = [splits.train.indices(), splits.val.indices()].concat();
        both.sort_unstable();
        assert_eq!(both, Subset::all(&train_file).indices());
    }

    #[test]
    fn files_that_do_not_fit_together_are_refused() {
        let refused = |train: &Dataset, test: &Dataset, split| {
            Splits::new(train, test, split, &mut seeded(1)).unwrap_err()
        };
        let (train_file, test_file) = two_files();

        let wide = Dataset::new(vec![0; 4], 1, 2, vec![0, 1]).unwrap();
        let error = refused(&train_file, &wide, Split::Question);
        let (train, test) = ((1, 1), (1, 2));
        assert_eq!(error, DatasetError::Sizes { train, test });

        let error = refused(&train_file, &labelled(&[3, 0, 4, 9]), Split::Standard);
        let (index, label, classes) = (2, 4, 4);
        assert_eq!(
            error,
            DatasetError::Label {
                index,
                label,
                classes
            }
        );
        let text = error.to_string();
        assert!(text.contains("image 2 has label 4"), "{text}");

        let error = refused(&train_file, &labelled(&[0]), Split::Question);
        assert!(error.to_string().contains("test file"), "{error}");
        let error = refused(&labelled(&[3; 11]), &test_file, Split::Standard);
        assert!(error.to_string().contains("training file"), "{error}");

        let twelve = labelled(&[3; 12]);
        assert!(Splits::new(&twelve, &test_file, Split::Standard, &mut seeded(1)).is_ok());
        let two = labelled(&[3; 2]);
        assert!(Splits::new(&twelve, &two, Split::Question, &mut seeded(1)).is_ok());
    }

    #[test]
    fn splits_have_names() {
        assert!(
            Split::ALL
                .iter()
                .map(|split| split.name())
                .eq(["question", "standard"])
        );
        for &split in Split::ALL {
            assert_eq!(split.to_string(), split.name());
        }
        assert_eq!(Split::default(), Split::Question);
    }
}

#[cfg(feature = "std")]
mod disk {
    use super::*;
    use std::error::Error;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use handwritten::data::{DatasetError, Split, Splits, Subset};
    use handwritten::files::{self, IoError, KnownDataset};
    use rand_core::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use tempfile::{TempDir, tempdir};

    const FILES: [&str; 4] = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];

    fn contents() -> [Vec<u8>; 4] {
        [
            images_file(3),
            labels_file(&[4, 0, 2]),
            images_file(2),
            labels_file(&[1, 3]),
        ]
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A folder of the four small files, raw.
    fn folder() -> TempDir {
        let dir = tempdir().unwrap();
        for (name, content) in FILES.iter().zip(contents()) {
            fs::write(dir.path().join(name), content).unwrap();
        }
        dir
    }

    /// The error of loading the folder with other bytes in one file. Asserts that its message
    /// is one line and names that file.
    fn refused(name: &str, content: &[u8]) -> IoError {
        let dir = folder();
        fs::write(dir.path().join(name), content).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        check_message(&error, &dir.path().join(name));
        error
    }

    fn check_message(error: &IoError, path: &Path) {
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        // Whoever prints the causes too prints nothing twice.
        let mut cause = error.source();
        while let Some(error) = cause {
            assert!(!text.contains(&error.to_string()), "{text}: {error}");
            cause = error.source();
        }
    }

    #[test]
    fn every_spelling_and_packing_reads_the_same() {
        let raw = folder();
        let expected = files::load(raw.path()).unwrap();
        assert_eq!(expected.train.labels(), [4, 0, 2]);
        assert_eq!(expected.train.image(2), [12, 13, 14, 15, 16, 17]);
        assert_eq!((expected.train.rows(), expected.train.columns()), (2, 3));
        assert_eq!(expected.test.labels(), [1, 3]);
        assert_eq!(expected.source, KnownDataset::Unknown);
        assert_eq!(expected.source.to_string(), "an unknown data set");
        assert_eq!(expected.dir, raw.path());

        for (dotted, gz_name, packed) in [
            (false, false, true),
            (false, true, false),
            (false, true, true),
            (true, false, false),
            (true, false, true),
            (true, true, false),
            (true, true, true),
        ] {
            let dir = tempdir().unwrap();
            for (name, content) in FILES.iter().zip(contents()) {
                let mut name = name.to_string();
                if dotted {
                    name = name.replace("-idx", ".idx");
                }
                if gz_name {
                    name += ".gz";
                }
                let content = if packed { gz(&content) } else { content };
                fs::write(dir.path().join(name), content).unwrap();
            }
            let found = files::load(dir.path()).unwrap();
            assert_eq!(found.train, expected.train);
            assert_eq!(found.test, expected.test);
            assert_eq!(found.fingerprint, expected.fingerprint);
        }
    }

    #[test]
    fn gz_of_several_members_is_one_content() {
        let dir = folder();
        let images = images_file(3);
        let members = [
            gz(&images[..5]),
            gz(&images[5..20]),
            gz(&[]),
            gz(&images[20..]),
        ];
        fs::write(dir.path().join(FILES[0]), members.concat()).unwrap();
        assert_eq!(
            files::load(dir.path()).unwrap().train.image(2),
            &images[16 + 12..]
        );
    }

    #[test]
    fn the_fingerprint_follows_every_file() {
        let dir = folder();
        let mut seen = vec![files::load(dir.path()).unwrap().fingerprint];
        for (name, mut content) in FILES.iter().zip(contents()) {
            *content.last_mut().unwrap() ^= 1;
            fs::write(dir.path().join(name), content).unwrap();
            let fingerprint = files::load(dir.path()).unwrap().fingerprint;
            assert_eq!(fingerprint.len(), 64);
            assert!(!seen.contains(&fingerprint), "{name}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn a_missing_file_is_named_with_its_other_names() {
        for name in FILES {
            let dir = folder();
            fs::remove_file(dir.path().join(name)).unwrap();
            let error = files::load(dir.path()).unwrap_err();
            assert!(matches!(error, IoError::Missing { .. }), "{error}");
            check_message(&error, dir.path());
            let text = error.to_string();
            let dotted = name.replace("-idx", ".idx");
            assert!(
                text.contains(name) && text.contains(&format!("{dotted}.gz")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let dir = folder();
        let missing = dir.path().join("missing");
        let error = files::load(&missing).unwrap_err();
        assert!(matches!(error, IoError::Read { .. }), "{error}");
        check_message(&error, &missing);

        let file = dir.path().join("notes");
        fs::write(&file, "no data").unwrap();
        let error = files::load(&file).unwrap_err();
        assert!(matches!(error, IoError::Csv { .. }), "{error}");
        check_message(&error, &file);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_named() {
        let dir = folder();
        let path = dir.path().join(FILES[1]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        assert!(matches!(error, IoError::NotAFile { .. }), "{error}");
        check_message(&error, &path);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        use std::{process::Command, sync::mpsc, thread, time::Duration};

        let dir = folder();
        let path = dir.path().join(FILES[2]);
        fs::remove_file(&path).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let (sender, receiver) = mpsc::channel();
        let folder = dir.path().to_path_buf();
        thread::spawn(move || sender.send(files::load(&folder).unwrap_err()));
        let error = receiver
            .recv_timeout(Duration::from_secs(30))
            .expect("load answers without a writer at the pipe");
        assert!(matches!(error, IoError::NotAFile { .. }), "{error}");
        check_message(&error, &path);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_broken_ones_named() {
        let (dir, elsewhere) = (folder(), tempdir().unwrap());
        let path = dir.path().join(FILES[3]);
        let target = elsewhere.path().join("labels");
        fs::rename(&path, &target).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(files::load(dir.path()).unwrap().test.labels(), [1, 3]);

        fs::remove_file(&target).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        assert!(matches!(error, IoError::BrokenLink { .. }), "{error}");
        check_message(&error, &path);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_permission_is_named() {
        use std::os::unix::fs::PermissionsExt;

        let dir = folder();
        let path = dir.path().join(FILES[0]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::File::open(&path).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        let error = files::load(dir.path()).unwrap_err();
        assert!(matches!(error, IoError::Read { .. }), "{error}");
        check_message(&error, &path);
    }

    #[test]
    fn damaged_idx_is_named() {
        let source = |error| match error {
            IoError::Idx { source, .. } => source,
            other => panic!("{other}"),
        };
        let images = images_file(3);
        for pack in [|bytes: &[u8]| bytes.to_vec(), gz] {
            assert_eq!(
                source(refused(FILES[0], &pack(&images[..33]))),
                IdxError::Truncated {
                    expected: 34,
                    found: 33
                }
            );
            assert_eq!(
                source(refused(FILES[0], &pack(&[&images[..], &[0]].concat()))),
                IdxError::Trailing { expected: 34 }
            );
            assert_eq!(
                source(refused(FILES[0], &pack(&[]))),
                IdxError::Header {
                    expected: 16,
                    found: 0
                }
            );
            assert_eq!(
                source(refused(FILES[1], &pack(&images))),
                IdxError::Magic {
                    expected: Kind::Labels,
                    found: 0x0803
                }
            );
        }
    }

    #[test]
    fn gz_cut_at_every_offset_is_named() {
        let packed = gz(&labels_file(&[4, 0, 2]));
        // From a magic number of gz on; a shorter file is a short IDX header.
        for end in 2..packed.len() {
            let error = refused(FILES[1], &packed[..end]);
            assert!(matches!(error, IoError::Gz { .. }), "{end}: {error}");
        }
        let error = refused(FILES[1], &packed[..1]);
        assert!(matches!(error, IoError::Idx { .. }), "{error}");
    }

    #[test]
    fn a_wrong_checksum_and_bytes_after_gz_are_named() {
        let mut packed = gz(&labels_file(&[4, 0, 2]));
        packed.push(0);
        let error = refused(FILES[1], &packed);
        assert!(matches!(error, IoError::Gz { .. }), "{error}");
        packed.pop();
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;
        let error = refused(FILES[1], &packed);
        assert!(matches!(error, IoError::Gz { .. }), "{error}");
    }

    #[test]
    fn a_gz_bomb_stops_where_its_header_ends_it() {
        // Were it unpacked further, the damage behind it would be found.
        let bomb = [images_file(3), vec![0; 4 << 20]].concat();
        let error = refused(FILES[0], &[gz(&bomb), b"damage".to_vec()].concat());
        assert!(
            matches!(
                error,
                IoError::Idx {
                    source: IdxError::Trailing { expected: 34 },
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn memory_is_not_taken_by_the_word_of_a_header() {
        // 2⁶² bytes, which no allocator provides.
        let promise = idx_file(0x0803, &[1 << 31, 1 << 16, 1 << 15], &[7; 100]);
        for content in [promise.clone(), gz(&promise)] {
            let error = refused(FILES[0], &content);
            let expected = (1 << 62) + 16;
            assert!(
                matches!(
                    error,
                    IoError::Idx { source: IdxError::Truncated { expected: e, found: 116 }, .. }
                        if e == expected
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn counts_that_differ_name_both_files() {
        let dir = folder();
        fs::write(dir.path().join(FILES[1]), labels_file(&[4, 0])).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                IoError::Data {
                    source: DatasetError::Counts {
                        images: 3,
                        labels: 2
                    },
                    ..
                }
            ),
            "{error}"
        );
        check_message(&error, &dir.path().join(FILES[0]));
        check_message(&error, &dir.path().join(FILES[1]));
    }

    #[test]
    fn files_without_images_are_no_data() {
        let dir = folder();
        fs::write(dir.path().join(FILES[2]), images_file(0)).unwrap();
        fs::write(dir.path().join(FILES[3]), labels_file(&[])).unwrap();
        let error = files::load(dir.path()).unwrap_err();
        let empty = DatasetError::Empty;
        assert!(
            matches!(error, IoError::Data { source, .. } if source == empty),
            "{error}"
        );
    }

    #[test]
    fn an_explicit_folder_is_taken_and_a_lack_of_data_told_in_one_line() {
        let dir = Path::new("no such folder");
        assert_eq!(files::find(Some(dir), &[]).unwrap(), dir);

        let looked = vec!["/a/data/mnist".into(), "data/mnist".into()];
        let text = IoError::NoData { looked }.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in FILES {
            assert!(text.contains(part), "{text}");
        }
        for part in [
            "/a/data/mnist, then data/mnist",
            "ossci-datasets",
            "cvdf-datasets",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn mnist_is_known_by_its_content_and_halved_by_class() {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
        let dir = match files::find(None, &[Path::new(own)]) {
            Err(IoError::NoData { .. }) => {
                eprintln!("skipped: the published package comes without data");
                return;
            }
            found => found.unwrap(),
        };
        let data = files::load(&dir).unwrap();
        assert_eq!(data.source, KnownDataset::Mnist);
        assert_eq!(data.source.to_string(), "MNIST");
        assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
        assert_eq!((data.train.rows(), data.train.columns()), (28, 28));
        assert_eq!((data.train.classes(), data.test.classes()), (10, 10));
        assert_eq!(data.train.labels()[..5], [5, 0, 4, 1, 9]);

        let whole = Subset::all(&data.test).class_counts();
        assert_eq!(
            whole,
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        );
        let split = |split| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            Splits::new(&data.train, &data.test, split, &mut rng).unwrap()
        };
        let parts = split(Split::Question);
        assert_eq!(parts.train.len(), 60_000);
        assert_eq!((parts.val.len(), parts.test.len()), (5_000, 5_000));
        for half in [&parts.val, &parts.test] {
            for (count, whole) in half.class_counts().into_iter().zip(&whole) {
                assert!(count.abs_diff(whole / 2) <= 1, "{count} of {whole}");
            }
        }
        let parts = split(Split::Standard);
        assert_eq!(
            [&parts.train, &parts.val, &parts.test].map(Subset::len),
            [55_000, 5_000, 10_000]
        );
    }

    /// The names in a folder.
    fn listing(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_atomic_write_makes_and_replaces() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("file");
        for content in [&b"first"[..], b"", b"third, longer"] {
            files::write_atomic(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(listing(dir.path()), ["file"]);
        }
    }

    #[test]
    fn a_failed_write_leaves_all_as_it_was() {
        let dir = tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("old"), "content").unwrap();
        let error = files::write_atomic(&taken, b"new").unwrap_err();
        assert!(matches!(error, IoError::NotAFile { .. }), "{error}");
        check_message(&error, &taken);
        assert_eq!(listing(dir.path()), ["taken"]);
        assert_eq!(fs::read(taken.join("old")).unwrap(), b"content");

        let nowhere = dir.path().join("missing").join("file");
        let error = files::write_atomic(&nowhere, b"new").unwrap_err();
        assert!(matches!(error, IoError::Write { .. }), "{error}");
        check_message(&error, &nowhere);
        assert_eq!(listing(dir.path()), ["taken"]);
    }

    #[test]
    fn a_failed_rename_takes_the_temporary_file_along() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("old"), "content").unwrap();
        // Longer than file systems allow, so that only the rename fails.
        let path = dir.path().join("n".repeat(5_000));
        let error = files::write_atomic(&path, b"new").unwrap_err();
        assert!(matches!(error, IoError::Write { .. }), "{error}");
        assert_eq!(listing(dir.path()), ["old"]);
    }

    #[test]
    fn writers_at_once_leave_one_whole_content() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("file");
        std::thread::scope(|scope| {
            for byte in 0..8u8 {
                let path = &path;
                scope.spawn(move || files::write_atomic(path, &[byte; 10_000]).unwrap());
            }
        });
        let content = fs::read(&path).unwrap();
        assert_eq!(content, [content[0]; 10_000]);
        assert_eq!(listing(dir.path()), ["file"]);
    }
}
