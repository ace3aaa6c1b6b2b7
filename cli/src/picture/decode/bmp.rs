//! BMP images that are not compressed: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits.

use super::{Pixels, Size};

/// Bytes of the file header, before the header of the bitmap.
const FILE_HEADER: usize = 14;

/// Pixels as they are, and pixels whose colours lie under masks (BI_RGB, BI_BITFIELDS of
/// Windows' `wingdi.h`).
const PLAIN: u32 = 0;
const MASKED: u32 = 3;

/// Numbers at fixed places of a header, little-endian.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn short(&self, at: usize) -> Result<u16, String> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or_else(
            || Err("its header ends early".into()),
            |&b| Ok(u16::from_le_bytes(b)),
        )
    }

    fn long(&self, at: usize) -> Result<u32, String> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or_else(
            || Err("its header ends early".into()),
            |&b| Ok(u32::from_le_bytes(b)),
        )
    }
}

/// Size, order and format of the pixels, as the headers say.
struct Layout {
    size: Size,
    /// The rows are stored from the top; most files store them from the bottom.
    is_top_down: bool,
    bits: u16,
    masks: [u32; 3],
}

/// Decodes an image. Alpha is left out: few programs write it, and many write 0 for opaque.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    let header = Header(bytes);
    let layout = layout(&header)?;
    let bits = usize::from(layout.bits);
    let samples = layout.size.require(3, 1, 0)?;
    let (rows, columns) = layout.size.sides();
    // Rows are filled up to four bytes.
    let stride = (columns * bits).div_ceil(32) * 4;
    let start = header.long(10)? as usize;
    let data = bytes.get(start..).unwrap_or_default();
    if data.len() / stride < rows {
        return Err("it ends before its last pixel".to_string());
    }
    let palette = match bits {
        1 | 4 | 8 => palette(&header, bits)?,
        _ => Vec::new(),
    };
    let mut pixels = Vec::with_capacity(samples);
    for i in 0..rows {
        let stored = if layout.is_top_down { i } else { rows - 1 - i };
        let row = &data[stored * stride..][..stride];
        match bits {
            24 => pixels.extend(
                row.as_chunks().0[..columns]
                    .iter()
                    .flat_map(|&[b, g, r]| [r, g, b]),
            ),
            32 => {
                let (words, _) = row.as_chunks();
                let colour = |&word| masked(u32::from_le_bytes(word), layout.masks);
                pixels.extend(words[..columns].iter().flat_map(colour));
            }
            16 => {
                let (words, _) = row.as_chunks();
                let colour = |&word| masked(u16::from_le_bytes(word).into(), layout.masks);
                pixels.extend(words[..columns].iter().flat_map(colour));
            }
            _ => {
                for j in 0..columns {
                    let at = j * bits;
                    let shift = 8 - bits - at % 8;
                    let index = usize::from(row[at / 8] >> shift) & ((1 << bits) - 1);
                    let colour = palette.get(index);
                    let colour = colour.ok_or("it has a pixel beyond its palette")?;
                    pixels.extend(colour);
                }
            }
        }
    }
    Ok(layout.size.pixels(3, pixels))
}

/// Reads the headers.
fn layout(header: &Header<'_>) -> Result<Layout, String> {
    let len = header.long(FILE_HEADER)?;
    let at = |offset: usize| FILE_HEADER + offset;
    let (width, height, bits, is_top_down, compression);
    match len {
        // The header of OS/2 1.x.
        12 => {
            width = u32::from(header.short(at(4))?);
            height = u32::from(header.short(at(6))?);
            bits = header.short(at(10))?;
            (is_top_down, compression) = (false, PLAIN);
        }
        40.. => {
            let signed = [header.long(at(4))?, header.long(at(8))?].map(|x| x as i32);
            width = u32::try_from(signed[0]).map_err(|_| "its width is negative")?;
            (height, is_top_down) = (signed[1].unsigned_abs(), signed[1] < 0);
            bits = header.short(at(14))?;
            compression = header.long(at(16))?;
        }
        _ => return Err(format!("its header has {len} bytes")),
    }
    if !matches!(compression, PLAIN | MASKED) {
        return Err("it is compressed: save it without compression".to_string());
    }
    let masks = match (compression, bits) {
        (PLAIN, 16) => [0x7c00, 0x03e0, 0x001f],
        (PLAIN, 32) => [0x00ff_0000, 0xff00, 0xff],
        (MASKED, 16 | 32) => [
            header.long(at(40))?,
            header.long(at(44))?,
            header.long(at(48))?,
        ],
        (PLAIN, 1 | 4 | 8 | 24) => [0; 3],
        _ => return Err(format!("it has pixels of {bits} bits")),
    };
    let size = Size::new(width, height)?;
    Ok(Layout {
        size,
        is_top_down,
        bits,
        masks,
    })
}

/// The colours of the palette, which lies between the header and the pixels.
fn palette(header: &Header<'_>, bits: usize) -> Result<Vec<[u8; 3]>, String> {
    let len = header.long(FILE_HEADER)? as usize;
    let most = 1 << bits;
    // Three bytes a colour after the header of OS/2, four after all others.
    let (stride, colours) = match len {
        12 => (3, most),
        _ => match header.long(FILE_HEADER + 32)? as usize {
            0 => (4, most),
            colours => (4, colours.min(most)),
        },
    };
    let start = FILE_HEADER.saturating_add(len);
    let end = header.long(10)? as usize;
    let bytes = header.0.get(start..end).unwrap_or_default();
    let colours = bytes.chunks_exact(stride).take(colours);
    Ok(colours
        .map(|colour| [colour[2], colour[1], colour[0]])
        .collect())
}

/// Red, green and blue under their masks, stretched to the range of a byte.
fn masked(word: u32, masks: [u32; 3]) -> [u8; 3] {
    masks.map(|mask| {
        let shift = mask.trailing_zeros().min(31);
        let largest = u64::from(mask >> shift);
        match largest {
            0 => 0,
            _ => (u64::from((word & mask) >> shift) * 255 / largest) as u8,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::decode::decode as any;

    /// A file with a header of 40 bytes and what follows it.
    fn file(
        width: i32,
        height: i32,
        bits: u16,
        compression: u32,
        rest: &[u8],
        pixels: &[u8],
    ) -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        bytes.extend([0; 8]);
        bytes.extend((54 + rest.len() as u32).to_le_bytes());
        bytes.extend(40_u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(1_u16.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(compression.to_le_bytes());
        bytes.extend([0; 20]);
        bytes.extend(rest);
        bytes.extend(pixels);
        bytes
    }

    const TWO: [u8; 8] = [1, 2, 3, 0, 254, 253, 252, 0];

    #[test]
    fn rows_from_the_bottom_and_from_the_top_are_read() {
        let rows = [[9, 8, 7, 0], [6, 5, 4, 0]].concat();
        let up = any(&file(1, 2, 24, PLAIN, &[], &rows)).unwrap();
        assert_eq!((up.rows, up.columns, up.channels), (2, 1, 3));
        assert_eq!(up.bytes, [4, 5, 6, 7, 8, 9]);
        let down = any(&file(1, -2, 24, PLAIN, &[], &rows)).unwrap();
        assert_eq!(down.bytes, [7, 8, 9, 4, 5, 6]);
    }

    #[test]
    fn palettes_and_masks_are_read() {
        let (dark, light) = ([3, 2, 1], [252, 253, 254]);
        let both = [light, dark].concat();
        for (bits, row) in [
            (1, [0b1000_0000, 0, 0, 0]),
            (4, [0x10, 0, 0, 0]),
            (8, [1, 0, 0, 0]),
        ] {
            assert_eq!(
                any(&file(2, 1, bits, PLAIN, &TWO, &row)).unwrap().bytes,
                both
            );
        }
        let words = [0x7fff_u16.to_le_bytes(), 0x001f_u16.to_le_bytes()].concat();
        let short = any(&file(2, 1, 16, PLAIN, &[], &words)).unwrap();
        assert_eq!(short.bytes, [255, 255, 255, 0, 0, 255]);
        let masks = [0xff, 0xff00, 0x00ff_0000_u32]
            .map(u32::to_le_bytes)
            .concat();
        let long = any(&file(1, 1, 32, MASKED, &masks, &[1, 2, 3, 4])).unwrap();
        assert_eq!(long.bytes, [1, 2, 3]);
        assert_eq!(
            any(&file(1, 1, 32, PLAIN, &[], &[3, 2, 1, 0]))
                .unwrap()
                .bytes,
            [1, 2, 3]
        );
    }

    #[test]
    fn damage_is_told() {
        let whole = file(2, 1, 8, PLAIN, &TWO, &[1, 0, 0, 0]);
        assert!(any(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(any(&whole[..len]).is_err(), "{len}");
        }
        let refused = |bytes: &[u8]| any(bytes).unwrap_err();
        assert!(refused(&file(2, 1, 8, PLAIN, &TWO, &[2, 0, 0, 0])).contains("palette"));
        assert!(refused(&file(2, 1, 8, 1, &TWO, &[1, 0, 0, 0])).contains("compressed"));
        assert!(refused(&file(2, 1, 7, PLAIN, &TWO, &[1, 0, 0, 0])).contains("7 bits"));
        for (width, height) in [(0, 1), (1, 0), (-1, 1), (i32::MAX, i32::MAX), (1, i32::MIN)] {
            assert!(any(&file(width, height, 24, PLAIN, &[], &[0; 4])).is_err());
        }
    }
}
