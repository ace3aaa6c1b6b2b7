//! Pixels of any number type, brought into the range of a byte by their own range.

/// The range that the pixels of a file have shown so far.
///
/// Whole numbers from 0 to 255 are bytes as they are. Numbers from 0 to 1 with a fraction
/// among them are scaled by 255. As long as there are only 0 and 1, both are possible, and the
/// bytes are 0 and 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PixelRange {
    /// Only 0 and 1 so far.
    Open,
    /// Whole numbers, up to 255.
    Bytes,
    /// Numbers up to 1, of which bytes hold 255 times as much.
    Unit,
}

/// A number that is no pixel, or not of the range of those before it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct NoPixel;

impl PixelRange {
    /// Appends a pixel to those of the file, which are changed if this is the first number
    /// with a fraction.
    #[inline]
    pub(super) fn push(&mut self, value: f64, pixels: &mut Vec<u8>) -> Result<(), NoPixel> {
        let byte = value as u8;
        if f64::from(byte) == value {
            return self.push_whole(byte, pixels);
        }
        // Refuses NaN too.
        if !(0.0..=1.0).contains(&value) || *self == Self::Bytes {
            return Err(NoPixel);
        }
        if *self == Self::Open {
            *self = Self::Unit;
            pixels.iter_mut().for_each(|pixel| *pixel *= 255);
        }
        // Rounded to the nearest: a call of `round` takes longer than all the rest.
        pixels.push((value * 255.0 + 0.5) as u8);
        Ok(())
    }

    fn push_whole(&mut self, byte: u8, pixels: &mut Vec<u8>) -> Result<(), NoPixel> {
        match (*self, byte) {
            (Self::Unit, 0 | 1) => pixels.push(255 * byte),
            (Self::Unit, _) => return Err(NoPixel),
            (Self::Open, 2..) => {
                *self = Self::Bytes;
                pixels.push(byte);
            }
            _ => pixels.push(byte),
        }
        Ok(())
    }

    /// Appends pixels that are whole numbers.
    pub(super) fn extend_whole(
        &mut self,
        bytes: &[u8],
        pixels: &mut Vec<u8>,
    ) -> Result<(), NoPixel> {
        if *self == Self::Open && bytes.iter().any(|&byte| byte > 1) {
            *self = Self::Bytes;
        }
        if *self != Self::Unit {
            pixels.extend_from_slice(bytes);
            return Ok(());
        }
        if bytes.iter().any(|&byte| byte > 1) {
            return Err(NoPixel);
        }
        pixels.extend(bytes.iter().map(|&byte| 255 * byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(values: &[f64]) -> Result<Vec<u8>, NoPixel> {
        let (mut range, mut pixels) = (PixelRange::Open, vec![]);
        for &value in values {
            range.push(value, &mut pixels)?;
        }
        Ok(pixels)
    }

    #[test]
    fn the_range_says_what_numbers_are() {
        assert_eq!(pushed(&[0.0, 1.0, 1.0]), Ok(vec![0, 1, 1]));
        assert_eq!(pushed(&[0.0, 1.0, 16.0, 255.0]), Ok(vec![0, 1, 16, 255]));
        assert_eq!(pushed(&[1.0, 0.0, 0.5, 1.0]), Ok(vec![255, 0, 128, 255]));
        for wrong in [
            &[-1.0][..],
            &[256.0],
            &[0.5, 2.0],
            &[2.0, 0.5],
            &[1.5],
            &[f64::NAN],
            &[f64::INFINITY],
            &[-0.42],
        ] {
            assert_eq!(pushed(wrong), Err(NoPixel), "{wrong:?}");
        }
    }

    #[test]
    fn whole_numbers_at_once_are_as_one_by_one() {
        for before in [&[0.0, 1.0][..], &[0.5], &[7.0]] {
            for bytes in [&[0, 1][..], &[3, 0]] {
                let (mut range, mut pixels) = (PixelRange::Open, vec![]);
                for &value in before {
                    range.push(value, &mut pixels).unwrap();
                }
                let (mut one, mut singly) = (range, pixels.clone());
                let each = bytes
                    .iter()
                    .try_for_each(|&byte| one.push(f64::from(byte), &mut singly));
                assert_eq!(range.extend_whole(bytes, &mut pixels), each);
                if each.is_ok() {
                    assert_eq!((range, &pixels), (one, &singly));
                }
            }
        }
    }
}
