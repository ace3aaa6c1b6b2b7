//! Images of 28×28 pixels, most of them zero, in ten classes.

use handwritten::data::Dataset;

/// `count` images, whose labels are 0 to 9 in turn.
pub(crate) fn images(count: usize) -> Dataset {
    let pixels = (0..count * 784).map(|i| (i * 31 % 7 / 6 * i % 256) as u8);
    let labels = (0..count).map(|i| (i % 10) as u8).collect();
    Dataset::new(pixels.collect(), 28, 28, labels).unwrap()
}
