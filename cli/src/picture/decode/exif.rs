//! The orientation of an image in its EXIF metadata.

/// The tag of the orientation, a SHORT (TIFF 6.0, page 36; EXIF 2.32, 4.6.4.A).
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// Bytes of an entry of a directory: tag, type, count, value.
const ENTRY: usize = 12;

/// How the rows and columns of a file lie in the image that it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Orientation {
    /// Rows of the file are columns of the image: applied first.
    pub(crate) is_transposed: bool,
    /// The order of the rows is reversed after that.
    pub(crate) flips_rows: bool,
    /// The order of the columns is reversed after that.
    pub(crate) flips_columns: bool,
}

impl Orientation {
    /// The orientation with a number of EXIF, from 1 to 8.
    fn new(number: u16) -> Option<Self> {
        let [is_transposed, flips_rows, flips_columns] = match number {
            1 => [false, false, false],
            2 => [false, false, true],
            3 => [false, true, true],
            4 => [false, true, false],
            5 => [true, false, false],
            6 => [true, false, true],
            7 => [true, true, true],
            8 => [true, true, false],
            _ => return None,
        };
        Some(Self {
            is_transposed,
            flips_rows,
            flips_columns,
        })
    }

    /// The orientation that a block of EXIF states. A block without one, or one that is
    /// damaged, leaves the image as it is: programs that show images do the same.
    pub(crate) fn of(exif: &[u8]) -> Self {
        stated(exif).unwrap_or_default()
    }
}

/// The orientation in the first directory of a block of EXIF.
fn stated(exif: &[u8]) -> Option<Orientation> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(match is_little {
            true => u16::from_le_bytes(bytes),
            false => u16::from_be_bytes(bytes),
        })
    };
    let bytes = *tiff.get(4..)?.first_chunk()?;
    let offset = match is_little {
        true => u32::from_le_bytes(bytes),
        false => u32::from_be_bytes(bytes),
    };
    let directory = usize::try_from(offset).ok()?;
    let entries = usize::from(short(directory)?);
    let first = directory.checked_add(2)?;
    // Entries beyond the end of the block are none: `short` ends the search there.
    for i in 0..entries {
        let entry = first.checked_add(i * ENTRY)?;
        if short(entry)? == ORIENTATION && short(entry + 2)? == SHORT {
            return Orientation::new(short(entry + 8)?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with one other entry before that of the orientation.
    fn block(is_little: bool, number: u16) -> Vec<u8> {
        let short = |x: u16| {
            if is_little {
                x.to_le_bytes()
            } else {
                x.to_be_bytes()
            }
        };
        let long = |x: u32| {
            if is_little {
                x.to_le_bytes()
            } else {
                x.to_be_bytes()
            }
        };
        let mut bytes = if is_little { *b"II*\0" } else { *b"MM\0*" }.to_vec();
        bytes.extend(long(8));
        bytes.extend(short(2));
        for (tag, value) in [(0x010f, 9), (ORIENTATION, number)] {
            bytes.extend([short(tag), short(SHORT)].concat());
            bytes.extend(long(1));
            bytes.extend([short(value), short(0)].concat());
        }
        bytes
    }

    #[test]
    fn every_orientation_is_read_in_both_byte_orders() {
        for is_little in [false, true] {
            for number in 1..=8 {
                let block = block(is_little, number);
                let expected = Orientation::new(number).unwrap();
                assert_eq!(Orientation::of(&block), expected);
                assert_eq!(
                    Orientation::of(&[b"Exif\0\0", &block[..]].concat()),
                    expected
                );
            }
            for number in [0, 9, 0xffff] {
                assert_eq!(
                    Orientation::of(&block(is_little, number)),
                    Orientation::default()
                );
            }
        }
    }

    #[test]
    fn a_block_that_ends_early_states_nothing() {
        let block = block(true, 6);
        // The last two bytes only fill the value up.
        for len in 0..block.len() - 2 {
            assert_eq!(
                Orientation::of(&block[..len]),
                Orientation::default(),
                "{len}"
            );
        }
        let mut far = block;
        far[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Orientation::of(&far), Orientation::default());
    }
}
