//! Any bytes as an IDX file, compressed or not, through the loader's decoder: content and
//! errors are those of a plain decoder, at most one byte more than the header promises is
//! read, memory is in proportion to what arrives, and the compressed file reads the same.

use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder};
use handwritten::data::idx::Kind;
use handwritten::files::{ReadError, read_idx};
use std::io::{self, Read};

/// Maximum number of bytes that the plain decoder decompresses.
const ENOUGH: usize = 1 << 16;

pub(crate) fn check(bytes: &[u8]) {
    let is_gz = bytes.starts_with(&[0x1f, 0x8b]);
    let plain = if is_gz {
        Plain::decode(bytes)
    } else {
        Plain {
            start: bytes.to_vec(),
            end: Some(Ok(())),
        }
    };
    let packed = (!is_gz).then(|| compressed(bytes));
    for kind in [Kind::Images, Kind::Labels] {
        let found = read(bytes, kind);
        if let Some(packed) = &packed {
            assert_same(&found, &read(packed, kind));
        }
        check_against(&plain, bytes.len() as u64, kind, found);
    }
}

fn read(bytes: &[u8], kind: Kind) -> Result<Vec<u8>, ReadError> {
    read_idx(bytes, bytes.len() as u64, kind)
}

/// The output of a plain decoder.
struct Plain {
    start: Vec<u8>,
    /// How the file ends; `None` if it has more than [`ENOUGH`] bytes.
    end: Option<io::Result<()>>,
}

impl Plain {
    /// Decodes byte by byte, since a longer read returns none of the bytes before damage.
    fn decode(bytes: &[u8]) -> Self {
        let mut decoder = MultiGzDecoder::new(bytes);
        let (mut start, mut byte) = (Vec::new(), [0]);
        let mut end = None;
        while end.is_none() && start.len() < ENOUGH {
            match decoder.read(&mut byte) {
                Ok(0) => end = Some(Ok(())),
                Ok(_) => start.extend(byte),
                Err(error) => end = Some(Err(error)),
            }
        }
        Self { start, end }
    }
}

fn check_against(plain: &Plain, len: u64, kind: Kind, found: Result<Vec<u8>, ReadError>) {
    match found {
        Ok(content) => {
            let promised = kind.expected_len(&content).unwrap();
            assert!(content.len() as u64 <= promised + 1);
            let both = content.len().min(plain.start.len());
            assert_eq!(content[..both], plain.start[..both]);
            match &plain.end {
                Some(end) if content.len() as u64 <= promised => {
                    assert!(end.is_ok(), "damage is passed over: {end:?}");
                    assert_eq!(content.len(), plain.start.len(), "the file goes on");
                }
                Some(_) => assert!(content.len() <= plain.start.len()),
                None => {}
            }
            let likely = (promised + 1).min(16 * len);
            let grown = 2 * content.len() as u64;
            assert!(
                content.capacity() as u64 <= 64 + likely.max(grown),
                "{} bytes of memory for {} of {promised} promised",
                content.capacity(),
                content.len()
            );
        }
        Err(ReadError::Idx(error)) => {
            let header = &plain.start[..plain.start.len().min(kind.header_len())];
            assert_eq!(kind.expected_len(header), Err(error));
        }
        Err(ReadError::Gz(error)) => {
            assert!(!matches!(plain.end, Some(Ok(()))), "no damage: {error}");
        }
        Err(error) => panic!("no system is asked: {error}"),
    }
}

/// The file in two gz members, as if two parts were compressed apart.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let (start, end) = bytes.split_at(bytes.len() / 3);
    for part in [start, end] {
        GzEncoder::new(part, Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
    }
    packed
}

fn assert_same(raw: &Result<Vec<u8>, ReadError>, packed: &Result<Vec<u8>, ReadError>) {
    match (raw, packed) {
        (Ok(raw), Ok(packed)) => assert_eq!(raw, packed),
        (Err(ReadError::Idx(raw)), Err(ReadError::Idx(packed))) => assert_eq!(raw, packed),
        _ => panic!("{raw:?} raw, {packed:?} compressed"),
    }
}
