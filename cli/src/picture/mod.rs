//! Pictures that `classify` takes, from the bytes of a file to the inputs of a net.

mod colours;
pub(crate) mod decode;
pub(crate) mod files;
mod fit;
mod ground;
mod lines;
mod marks;

use crate::memory;
use colours::Colours;
use decode::Pixels;
use fit::Ink;
use handwritten::data::Framing;
pub(crate) use marks::TWO;

/// Longest side, in pixels, of a picture in which ink is looked for; a larger one is scaled down.
/// A digit of a tenth of the side has 80 pixels, four times those that MNIST's have.
const LONGEST: usize = 800;

/// Bytes for each pixel of such a picture: three planes of colours and a fourth, and about as
/// many of the ground, its margins and the parts of the ink.
const BYTES_PER_PIXEL: usize = 96;

/// Bytes for each pixel of a picture that turns grey: three planes, a turned one, and the values.
const BYTES_PER_GREY: usize = 17;

/// Shortest side of a picture in which the ground is looked for pixel by pixel.
const SHORTEST: usize = 32;

/// The images that a net was trained on.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Rows of an image.
    pub(crate) rows: usize,
    /// Columns of an image.
    pub(crate) columns: usize,
    /// How ink lies in them, if it lies alike in all.
    pub(crate) framing: Option<Framing>,
    /// Whether a picture may show a row of them, as of digits.
    pub(crate) is_row: bool,
    /// The strongest ink before pixels were normalised, 1 for most.
    pub(crate) full: f32,
}

/// A digit of a picture.
#[derive(Debug)]
pub(crate) struct Digit {
    /// The inputs of a net.
    pub(crate) input: Vec<f32>,
    /// The probability that a class must have: with a lower one it may be [`TWO`].
    pub(crate) least_probability: f32,
}

/// The digits in a picture, from left to right.
///
/// # Errors
/// No ink, or ink that is no row of digits, and too little memory.
pub(crate) fn digits(pixels: Pixels, form: Form) -> Result<Vec<Digit>, String> {
    let longest = LONGEST.max(form.rows).max(form.columns);
    let most = (pixels.rows * pixels.columns).min(longest * longest);
    memory::require(BYTES_PER_PIXEL * most, "look for ink")
        .map_err(|failure| failure.to_string())?;
    let colours = Colours::new(&pixels, longest);
    drop(pixels);
    let (rows, columns) = (colours.rows, colours.columns);
    let is_own = (rows, columns) == (form.rows, form.columns);
    if is_own || rows.min(columns) < SHORTEST {
        let ink = Ink::from_border(&colours, form.full)?;
        return Ok(vec![Digit {
            input: ink.fitted(form),
            least_probability: 0.0,
        }]);
    }
    let ink = ground::ink(&colours);
    drop(colours);
    let found = marks::digits(Ink { rows, columns, ink }, !form.is_row)?;
    let digit = |digit: marks::Digit| Digit {
        input: digit.ink.fitted(form),
        least_probability: digit.least_probability,
    };
    Ok(found.into_iter().map(digit).collect())
}

/// Rows and columns of a picture as it is shown, and its grey values, row after row.
///
/// # Errors
/// Too little memory.
pub(crate) fn grey(pixels: &Pixels) -> Result<((usize, usize), Vec<u8>), String> {
    let bytes = BYTES_PER_GREY * pixels.rows * pixels.columns;
    memory::require(bytes, "turn a picture grey").map_err(|failure| failure.to_string())?;
    let colours = Colours::new(pixels, usize::MAX);
    let values = match &colours.planes[..] {
        // The weights of ITU-R BT.601.
        [red, green, blue] => {
            let colours = red.iter().zip(green).zip(blue);
            let grey = colours.map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b);
            grey.map(|grey| grey.round() as u8).collect()
        }
        planes => {
            let grey = planes.iter().flatten();
            grey.map(|grey| grey.round() as u8).collect()
        }
    };
    Ok(((colours.rows, colours.columns), values))
}

#[cfg(test)]
mod tests;
