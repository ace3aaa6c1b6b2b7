//! Thousands of damaged files, through the loader's decoder: each gives its content or a
//! clear error, and takes memory in proportion to what arrives.

#![cfg(feature = "std")]

#[path = "common/allocator.rs"]
mod allocator;

use allocator::{Watch, Watched};
use flate2::Compression;
use flate2::write::GzEncoder;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Dataset;
use handwritten::data::idx::{self, IdxError, Kind};
use handwritten::files::formats::{Elements, Npz, NpzError, read_csv, read_npy, to_npz};
use handwritten::files::{ReadError, read_idx};
use rand_core::Rng;
use std::cell::Cell;
use std::io::{self, BufRead, Cursor, ErrorKind, Read, Write};

/// Counts the bytes that each thread holds, and refuses allocations above the thread's
/// limit.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Watch for Counting {
    fn allocate(&self, size: usize) -> bool {
        if size > LARGEST.get() {
            return false;
        }
        HELD.set(HELD.get() + size as isize);
        PEAK.set(PEAK.get().max(HELD.get()));
        true
    }

    fn release(&self, size: usize) {
        // Below 0 if other threads have asked for it.
        HELD.set(HELD.get() - size as isize);
    }
}

#[global_allocator]
static ALLOCATOR: Watched<Counting> = Watched(Counting);

/// Maximum number of bytes that a gz decoder holds.
const DECODER: usize = 128 << 10;

/// Reads and parses a file, and returns its content. The memory that it takes
/// must be in proportion to what it promises, to what arrives and to its length,
/// and an error must be one line.
fn read(file: &[u8], kind: Kind) -> Result<Vec<u8>, String> {
    let (content, peak) = measured(file, kind);
    let held = content.as_ref().map_or(0, Vec::len);
    // While a buffer grows, the old and the new one are there.
    let bound = DECODER + (16 * file.len()).max(3 * held);
    assert!(
        peak <= bound,
        "{peak} bytes for {held} of a file of {}",
        file.len()
    );

    let content = content.map_err(|error| one_line(&error))?;
    let promised = kind.expected_len(&content).unwrap();
    assert!(content.len() as u64 <= promised + 1);
    let most = promised.saturating_mul(3).saturating_add(DECODER as u64);
    assert!(peak as u64 <= most, "{peak} bytes for {promised} promised");
    match kind {
        Kind::Images => {
            let images = idx::images(&content).map_err(|error| one_line(&error))?;
            let len = images.count * images.rows * images.columns;
            assert_eq!(images.pixels.len(), len);
        }
        _ => {
            idx::labels(&content).map_err(|error| one_line(&error))?;
        }
    }
    Ok(content)
}

/// The result of reading a file, and the maximum of memory held meanwhile.
fn measured(file: &[u8], kind: Kind) -> (Result<Vec<u8>, ReadError>, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let content = read_idx(file, file.len() as u64, kind);
    (content, (PEAK.get() - before) as usize)
}

fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn header(magic: u32, numbers: &[u32]) -> Vec<u8> {
    let numbers = [magic].into_iter().chain(numbers.iter().copied());
    numbers.flat_map(u32::to_be_bytes).collect()
}

/// Images of which most pixels are zero, and their labels.
fn files() -> [(Kind, Vec<u8>); 2] {
    let mut images = header(0x0803, &[20, 28, 28]);
    images.extend((0..20 * 28 * 28).map(|at| if at * 31 % 7 == 0 { at as u8 } else { 0 }));
    let mut labels = header(0x0801, &[500]);
    labels.extend((0..500).map(|at| (at * at % 10) as u8));
    [(Kind::Images, images), (Kind::Labels, labels)]
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn whole_files_are_read() {
    for (kind, content) in files() {
        assert_eq!(read(&content, kind).unwrap(), content);
        assert_eq!(read(&gz(&content), kind).unwrap(), content);
    }
}

#[test]
fn every_flipped_bit_of_an_idx_header_is_found() {
    for (kind, content) in files() {
        for bit in 0..8 * kind.header_len() {
            let content = flipped(&content, bit);
            let raw = read(&content, kind).unwrap_err();
            assert_eq!(read(&gz(&content), kind).unwrap_err(), raw);
        }
    }
}

/// Flips of bits: the content is unchanged, or there is an error.
#[test]
fn every_flipped_bit_of_a_gz_header_and_trailer_is_found_or_harmless() {
    for (kind, content) in files() {
        let packed = gz(&content);
        let (header, trailer) = (0..8 * 10, 8 * (packed.len() - 8)..8 * packed.len());
        let mut harmless = 0;
        for bit in header.chain(trailer) {
            if let Ok(found) = read(&flipped(&packed, bit), kind) {
                assert_eq!(found, content, "bit {bit}");
                harmless += 1;
            }
        }
        // The time (32), what wrote it (8), how hard it tried (8), and that it
        // is text (1).
        assert_eq!(harmless, 49);
    }
}

#[test]
fn ten_thousand_flipped_bits_are_found_or_are_pixels() {
    let mut rng = generator(1, Stream::Shuffle);
    let [(kind, content), _] = files();
    let packed = gz(&content);
    let mut found = 0;
    for _ in 0..10_000 {
        let bit = rng.next_u32() as usize % (8 * content.len());
        let flipped_content = flipped(&content, bit);
        match read(&flipped_content, kind) {
            Ok(read) => assert_eq!(read, flipped_content),
            Err(why) => assert!(bit / 8 < kind.header_len(), "bit {bit}: {why}"),
        }
        let bit = rng.next_u32() as usize % (8 * packed.len());
        match read(&flipped(&packed, bit), kind) {
            // A field that says nothing of the content, or code that says the
            // same in another way.
            Ok(read) => assert_eq!(read, content, "bit {bit}"),
            Err(_) => found += 1,
        }
    }
    assert!(found > 9_800, "only {found} found");
}

#[test]
fn a_gz_cut_anywhere_is_found() {
    for (kind, content) in files() {
        let (start, end) = content.split_at(content.len() / 3);
        let packed = [gz(start), gz(end)].concat();
        assert_eq!(read(&packed, kind).unwrap(), content);
        for len in 0..packed.len() {
            read(&packed[..len], kind).unwrap_err();
        }
    }
}

/// Each size alone and all together, with the bytes of a small file.
#[test]
fn the_largest_sizes_there_are_take_no_memory() {
    const MAX: u32 = u32::MAX;
    for (kind, magic, sizes) in [
        (Kind::Images, 0x0803, &[MAX, 28, 28][..]),
        (Kind::Images, 0x0803, &[20, MAX, 28]),
        (Kind::Images, 0x0803, &[20, 28, MAX]),
        (Kind::Images, 0x0803, &[MAX, MAX, 28]),
        (Kind::Images, 0x0803, &[MAX, 1, MAX]),
        (Kind::Images, 0x0803, &[1, MAX, MAX]),
        (Kind::Images, 0x0803, &[MAX, MAX, MAX]),
        (Kind::Images, 0x0803, &[0, MAX, MAX]),
        (Kind::Labels, 0x0801, &[MAX]),
    ] {
        let [(_, images), _] = files();
        let content = [&header(magic, sizes), &images[16..]].concat();
        let raw = read(&content, kind).unwrap_err();
        assert_eq!(read(&gz(&content), kind).unwrap_err(), raw);
    }
}

/// A thousand times its size, of which the header promises a little.
#[test]
fn a_gz_bomb_is_not_unpacked() {
    let [(kind, content), _] = files();
    let bomb = gz(&[&content[..], &vec![0; 64 << 20]].concat());
    let (found, peak) = measured(&bomb, kind);
    let found = found.unwrap();
    assert_eq!(found.len(), content.len() + 1);
    assert!(peak <= DECODER + 2 * content.len(), "{peak} bytes");
    assert_eq!(
        idx::images(&found),
        Err(IdxError::Trailing {
            expected: content.len() as u64
        })
    );
}

#[test]
fn memory_that_is_refused_is_an_error() {
    let kind = Kind::Images;
    let mut content = header(0x0803, &[1_000, 28, 28]);
    content.resize(16 + 1_000 * 28 * 28, 1);
    for file in [content.clone(), gz(&content)] {
        // Larger than any single allocation of the decoder itself.
        LARGEST.set(DECODER);
        let found = read_idx(&file[..], file.len() as u64, kind);
        LARGEST.set(usize::MAX);
        match found {
            Err(ReadError::System(error)) => assert_eq!(error.kind(), ErrorKind::OutOfMemory),
            other => panic!("{other:?}"),
        }
    }
}

/// A reader that gives a few bytes at a time, and an error in place of one of its answers.
struct Faulty<'a> {
    rest: &'a [u8],
    /// Answers before the error.
    before: usize,
    error: Option<ErrorKind>,
}

impl Read for Faulty<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(buffer)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Faulty<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.before.checked_sub(1) {
            Some(before) => self.before = before,
            None => {
                if let Some(kind) = self.error.take() {
                    return Err(kind.into());
                }
            }
        }
        Ok(&self.rest[..self.rest.len().min(100)])
    }

    fn consume(&mut self, len: usize) {
        self.rest = &self.rest[len..];
    }
}

/// An error at each read of a file in turn: an interrupted read is repeated, any other
/// error is returned unchanged.
#[test]
fn every_read_may_fail() {
    for (kind, content) in files() {
        for file in [content.clone(), gz(&content)] {
            let read = |before, error| {
                let mut reader = Faulty {
                    rest: &file,
                    before,
                    error: Some(error),
                };
                let content = read_idx(&mut reader, file.len() as u64, kind);
                (content, reader.error.is_none())
            };
            let mut faults = 0;
            for before in 0.. {
                let (found, has_failed) = read(before, ErrorKind::Interrupted);
                assert_eq!(found.unwrap(), content, "interrupted after {before} reads");
                if !has_failed {
                    break;
                }
                match read(before, ErrorKind::HostUnreachable) {
                    (Err(ReadError::System(error)), true) => {
                        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
                    }
                    other => panic!("after {before} reads: {other:?}"),
                }
                faults += 1;
            }
            println!("{faults} reads failed");
            assert!(faults >= file.len() / 100);
        }
    }
}

/// The maximum of memory held while something is done.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before) as usize
}

#[test]
fn promises_of_arrays_and_archives_take_no_memory() {
    for shape in [
        "(4000000000, 28, 28)",
        "(1, 4000000000)",
        "(9223372036854775807,)",
    ] {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut array = b"\x93NUMPY\x01\x00".to_vec();
        array.extend((text.len() as u16).to_le_bytes());
        array.extend(text.as_bytes());
        array.extend([7; 1000]);
        let peak = peak_of(|| {
            let found = read_npy(&array[..], array.len() as u64, Elements::Pixels);
            one_line(&found.unwrap_err());
        });
        assert!(peak <= DECODER + 16 * array.len(), "{peak} bytes");
    }
    let data = Dataset::new(vec![9; 400], 2, 2, vec![1; 100]).unwrap();
    let archive = to_npz(Some(&data), None);
    // The sizes of the first file, in the list at the end: the header of the array counts.
    let list = archive
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    for field in [16, 20, 24] {
        let mut archive = archive.clone();
        archive[list + field..][..4].fill(0xfe);
        let peak = peak_of(|| {
            let mut archive = Npz::open(Cursor::new(archive)).unwrap();
            let found = archive.read("x_train", Elements::Pixels);
            let error = found.unwrap_err();
            assert!(
                matches!(error, ReadError::Npz(NpzError::Damaged { .. })),
                "{error}"
            );
        });
        assert!(peak <= 4 * DECODER, "{peak} bytes");
    }
}

/// A table grows as it arrives: at most three times its pixels are held, while a buffer
/// grows.
#[test]
fn tables_take_memory_in_proportion() {
    let line = format!("7{}\n", ",0".repeat(784));
    let table = line.repeat(8000);
    let packed = gz(table.as_bytes());
    let pixels = 8000 * 784;
    for (file, is_packed) in [(table.as_bytes(), false), (&packed, true)] {
        let peak = peak_of(|| {
            let len = file.len() as u64;
            let found = match is_packed {
                true => read_csv(flate2::read::GzDecoder::new(file), len),
                false => read_csv(file, len),
            };
            assert_eq!(found.unwrap().pixels.len(), pixels);
        });
        let most = if is_packed {
            3 * pixels
        } else {
            pixels + pixels / 8
        };
        // The piece of the file that is parsed, the decoder, and what is found to be
        // available after a large allocation.
        assert!(
            peak <= most + (2 << 20),
            "{peak} bytes, packed: {is_packed}"
        );
    }
}
