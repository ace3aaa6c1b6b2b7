//! Pictures that `classify` takes, from the bytes of a file to the inputs of a net.

mod colours;
pub(crate) mod decode;
pub(crate) mod files;
mod fit;

use crate::memory;
use colours::Colours;
use decode::Pixels;
use fit::Ink;

/// Longest side, in pixels, of a picture in which ink is looked for; a larger one is scaled down.
/// A digit of a tenth of the side has 80 pixels, four times those that MNIST's have.
const LONGEST: usize = 800;

/// Bytes for each pixel of such a picture: three planes of colours and their ink, whole and
/// cropped.
const BYTES_PER_PIXEL: usize = 24;

/// The images that a net was trained on.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Rows of an image.
    pub(crate) rows: usize,
    /// Columns of an image.
    pub(crate) columns: usize,
    /// Whether ink lies in them as in MNIST's.
    pub(crate) as_mnist: bool,
    /// The strongest ink, 1 for most.
    pub(crate) full: f32,
}

/// The inputs of a net for the digit in a picture.
///
/// # Errors
/// No ink, and too little memory.
pub(crate) fn input(pixels: Pixels, form: Form) -> Result<Vec<f32>, String> {
    let longest = LONGEST.max(form.rows).max(form.columns);
    let most = (pixels.rows * pixels.columns).min(longest * longest);
    memory::require(BYTES_PER_PIXEL * most, "look for ink")
        .map_err(|failure| failure.to_string())?;
    let colours = Colours::new(&pixels, longest);
    drop(pixels);
    Ok(Ink::from_border(&colours, form.full)?.fitted(form))
}
