//! Any bytes as a picture: they are refused in one line, or as many pixels are decoded as the
//! size says.

use handwritten_cli::decode_picture;

pub(crate) fn check(bytes: &[u8]) {
    match decode_picture(bytes) {
        Ok(pixels) => {
            let samples = pixels.rows * pixels.columns * pixels.channels;
            assert!(samples > 0 && (1..=4).contains(&pixels.channels));
            assert_eq!(pixels.bytes.len(), samples);
        }
        Err(why) => assert_eq!(why.lines().count(), 1, "{why:?}"),
    }
}
