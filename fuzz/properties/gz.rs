//! Any bytes as an IDX file, compressed or not, through the loader's decoder:
//! what comes out is what a plain decoder finds, one byte more than the header
//! promises at most, in memory that keeps to what arrived; and a file reads the
//! same compressed.

use flate2::read::{GzEncoder, MultiGzDecoder};
use handwritten::data::idx::Kind;
use handwritten::io::{ReadError, read_idx};
use std::io::{self, Read};

pub(crate) fn check(bytes: &[u8]) {
    for kind in [Kind::Images, Kind::Labels] {
        against_the_plain_decoder(bytes, kind);
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            compressed_reads_the_same(bytes, kind);
        }
    }
}

fn read(bytes: &[u8], kind: Kind) -> Result<Vec<u8>, ReadError> {
    read_idx(bytes, bytes.len() as u64, kind)
}

fn against_the_plain_decoder(bytes: &[u8], kind: Kind) {
    let (whole, end) = if bytes.starts_with(&[0x1f, 0x8b]) {
        decompressed(bytes)
    } else {
        (bytes.to_vec(), Ok(()))
    };
    match read(bytes, kind) {
        Ok(content) => {
            let promised = kind.expected_len(&content).unwrap();
            assert!(content.len() as u64 <= promised + 1);
            assert!(whole.starts_with(&content));
            if content.len() as u64 <= promised {
                assert!(end.is_ok(), "damage is passed over: {end:?}");
                assert_eq!(content.len(), whole.len(), "the file goes on");
            }
            let likely = (promised + 1).min(16 * bytes.len() as u64);
            let grown = 2 * content.len() as u64;
            assert!(
                content.capacity() as u64 <= 64 + likely.max(grown),
                "{} bytes of memory for {} of {promised} promised",
                content.capacity(),
                content.len()
            );
        }
        Err(ReadError::Idx(error)) => {
            let header = &whole[..whole.len().min(kind.header_len())];
            assert_eq!(kind.expected_len(header), Err(error));
        }
        Err(ReadError::Gz(error)) => assert!(end.is_err(), "no damage: {error}"),
        Err(error) => panic!("no system is asked: {error}"),
    }
}

/// All that is there up to the end or the first damage, a few bytes at a time:
/// with damage within its reach a longer read may give nothing.
fn decompressed(bytes: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let mut decoder = MultiGzDecoder::new(bytes);
    let (mut whole, mut few) = (Vec::new(), [0; 8]);
    loop {
        match decoder.read(&mut few) {
            Ok(0) => return (whole, Ok(())),
            Ok(len) => whole.extend_from_slice(&few[..len]),
            Err(error) => return (whole, Err(error)),
        }
    }
}

fn compressed_reads_the_same(bytes: &[u8], kind: Kind) {
    let mut packed = Vec::new();
    // Two members, as of files that were compressed apart.
    let (start, end) = bytes.split_at(bytes.len() / 3);
    for part in [start, end] {
        GzEncoder::new(part, flate2::Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
    }
    match (read(bytes, kind), read(&packed, kind)) {
        (Ok(raw), Ok(unpacked)) => assert_eq!(raw, unpacked),
        (Err(ReadError::Idx(raw)), Err(ReadError::Idx(unpacked))) => assert_eq!(raw, unpacked),
        (raw, unpacked) => panic!("{raw:?} raw, {unpacked:?} compressed"),
    }
}
