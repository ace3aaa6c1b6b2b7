//! PGM and PPM images: grey and RGB, as text (P2, P3) or bytes (P5, P6), of the Netpbm formats.

use super::{Pixels, Size, narrowed};

/// Decodes an image of which `kind` is the digit after `P`: 2, 3, 5 or 6.
pub(super) fn decode(bytes: &[u8], kind: u8) -> Result<Pixels, String> {
    let mut text = Text { rest: &bytes[2..] };
    let mut header = |what: &str| {
        let number = text.number()?;
        number.ok_or_else(|| format!("its header ends before {what}"))
    };
    let (width, height) = (header("its width")?, header("its height")?);
    let largest = header("its largest value")?;
    if !(1..=u32::from(u16::MAX)).contains(&largest) {
        return Err(format!("its largest value is {largest}"));
    }
    let largest = largest as u16;
    let channels = if matches!(kind, 3 | 6) { 3 } else { 1 };
    let is_wide = largest > u16::from(u8::MAX);
    let size = Size::new(width, height)?;
    let samples = size.require(channels, if is_wide { 2 } else { 1 }, 0)?;
    let short = || "it ends before its last pixel".to_string();
    let mut values: Vec<u16> = Vec::new();
    if matches!(kind, 2 | 3) {
        // Each number takes a byte and a space, the last one no space: no more are allocated
        // than there can be.
        if samples > text.rest.len().div_ceil(2) {
            return Err(short());
        }
        values.reserve_exact(samples);
        for _ in 0..samples {
            let value = text.number()?.ok_or_else(short)?;
            values.push(u16::try_from(value).unwrap_or(u16::MAX));
        }
    } else {
        // One byte of white space ends the header.
        let data = text.rest.get(1..).unwrap_or_default();
        let bytes = data.get(..samples * if is_wide { 2 } else { 1 });
        let bytes = bytes.ok_or_else(short)?;
        values.reserve_exact(samples);
        match is_wide {
            true => values.extend(bytes.as_chunks().0.iter().map(|&b| u16::from_be_bytes(b))),
            false => values.extend(bytes.iter().map(|&b| u16::from(b))),
        }
    }
    if let Some(above) = values.iter().find(|&&value| value > largest) {
        return Err(format!(
            "it has a value of {above}, above its largest, {largest}"
        ));
    }
    let bytes = match largest {
        u16::MAX => narrowed(values.iter().copied(), channels, false),
        _ => {
            let largest = u32::from(largest);
            let byte = |&x: &u16| ((510 * u32::from(x) + largest) / (2 * largest)) as u8;
            values.iter().map(byte).collect()
        }
    };
    Ok(size.pixels(channels, bytes))
}

/// Numbers as text, with comments from `#` to the end of a line.
struct Text<'a> {
    rest: &'a [u8],
}

impl Text<'_> {
    /// The next number, or `None` at the end. Leaves what follows its last digit.
    fn number(&mut self) -> Result<Option<u32>, String> {
        loop {
            match self.rest {
                [b'#', ..] => {
                    let end = self.rest.iter().position(|&b| b == b'\n' || b == b'\r');
                    self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
                }
                [space, rest @ ..] if space.is_ascii_whitespace() || *space == 0x0b => {
                    self.rest = rest;
                }
                _ => break,
            }
        }
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        if digits.is_empty() {
            return match rest {
                [] => Ok(None),
                _ => Err("it has text where a number is expected".to_string()),
            };
        }
        let number = str::from_utf8(digits).expect("digits of ASCII").parse();
        number
            .map(Some)
            .map_err(|_| "it has a number that is too large".to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::picture::decode::decode as any;

    #[test]
    fn text_and_bytes_of_one_image_are_equal() {
        let text = b"P2 # a comment\n# another\n3 2\n15\n0 5 15\n 15 10\t0";
        let mut bytes = b"P5\n3 2 15 ".to_vec();
        bytes.extend([0, 5, 15, 15, 10, 0]);
        let expected = [0, 85, 255, 255, 170, 0];
        for image in [&text[..], &bytes] {
            let pixels = any(image).unwrap();
            assert_eq!((pixels.rows, pixels.columns, pixels.channels), (2, 3, 1));
            assert_eq!(pixels.bytes, expected);
        }
        let colour = any(b"P6 1 1 255 \x01\x02\x03").unwrap();
        assert_eq!((colour.channels, &colour.bytes[..]), (3, &[1, 2, 3][..]));
        assert_eq!(any(b"P3 1 1 255 1 2 3").unwrap().bytes, [1, 2, 3]);
    }

    #[test]
    fn two_bytes_a_sample_are_brought_to_one() {
        let of = |largest: u16, values: [u16; 2]| {
            let mut bytes = format!("P5 2 1 {largest}\n").into_bytes();
            bytes.extend(values.iter().flat_map(|x| x.to_be_bytes()));
            any(&bytes).unwrap().bytes
        };
        assert_eq!(of(1000, [0, 1000]), [0, 255]);
        assert_eq!(of(65535, [256, 65535]), [1, 255]);
        // Ten bits in sixteen.
        assert_eq!(of(65535, [4, 1023]), [1, 255]);
    }

    #[test]
    fn damage_is_told() {
        let mut whole = b"P5\n# c\n3 2\n255\n".to_vec();
        whole.extend([b'1'; 6]);
        assert!(any(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(any(&whole[..len]).is_err(), "{len}");
        }
        for text in [
            "P2 2 1 255 1",
            "P2 2 1 255 1 x",
            "P2 2 1 255 1 256",
            "P2 2 1 0 1 1",
            "P2 2 1 65536 1 1",
            "P2 0 1 255",
            "P2 99999999999 1 255",
            "P2 60000 60000 255 1",
            "P2 5000 5000 255 1",
            "P5 5000 5000 255 1",
        ] {
            assert!(any(text.as_bytes()).is_err(), "{text}");
        }
    }
}
