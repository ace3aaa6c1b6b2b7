//! Where the images of a pass come from.

use crate::compute::zeros;
use crate::data::dataset::Dataset;

/// Numbered images, each with a label, that a pass copies into its batches.
///
/// A [`Dataset`] gives its images as they are. An implementation of one's own may make an image
/// when it is asked for, from whatever it holds, so that no array of all images is needed:
///
/// ```
/// use handwritten::data::{Dataset, ImageSource};
///
/// /// The images of a data set, black for white.
/// struct Inverted<'a>(&'a Dataset);
///
/// impl ImageSource for Inverted<'_> {
///     fn features(&self) -> usize {
///         self.0.features()
///     }
///
///     fn label(&self, index: u32) -> u8 {
///         self.0.label(index as usize)
///     }
///
///     fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
///         let image = &self.0.image(index as usize)[first..];
///         for (out, &pixel) in pixels.iter_mut().zip(image) {
///             *out = 255 - pixel;
///         }
///     }
/// }
///
/// let data = Dataset::new(vec![0, 255, 255, 9], 1, 2, vec![0, 1])?;
/// let mut pixels = [0; 2];
/// Inverted(&data).write(1, 0, &mut pixels);
/// assert_eq!(pixels, [0, 246]);
/// # Ok::<(), handwritten::data::DatasetError>(())
/// ```
///
/// The methods are called on several threads at once, in any order, for an image as often as a
/// strategy needs it, and for parts of an image. So what they give may depend on the index
/// alone; then results have the same bits for any number of threads.
pub trait ImageSource: Sync {
    /// The number of pixels of an image.
    fn features(&self) -> usize;

    /// The label of image `index`.
    ///
    /// # Panics
    /// May panic if there is no such image.
    fn label(&self, index: u32) -> u8;

    /// Writes the pixels of image `index` from pixel `first` on, as many as `pixels` has room
    /// for. All of them are to be written.
    ///
    /// # Panics
    /// May panic if there is no such image, or if it has fewer pixels.
    fn write(&self, index: u32, first: usize, pixels: &mut [u8]);

    /// The number of classes that [`ImageSource::write_target`] writes a number for; 0, as by
    /// default, if the labels are the targets.
    fn target_classes(&self) -> usize {
        0
    }

    /// Writes the target of image `index`, a number for each class, from 0 on: probabilities, or
    /// those times the weight of the example ([`soft_cross_entropy`]); a mean over a batch divides by
    /// the number of examples, whatever their weights. It is asked for only if
    /// there are classes. The target replaces the label in the loss of a training step; evaluation
    /// counts by labels.
    ///
    /// [`soft_cross_entropy`]: crate::net::soft_loss::soft_cross_entropy
    fn write_target(&self, index: u32, target: &mut [f32]) {
        let _ = (index, target);
    }

    /// Fetches `count` pixels of image `index` from pixel `first` on into the caches, where
    /// that makes sense: they are to be written soon.
    fn prefetch(&self, index: u32, first: usize, count: usize) {
        let _ = (index, first, count);
    }
}

impl ImageSource for Dataset {
    fn features(&self) -> usize {
        Dataset::features(self)
    }

    fn label(&self, index: u32) -> u8 {
        Dataset::label(self, index as usize)
    }

    fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
        pixels.copy_from_slice(&self.image(index as usize)[first..first + pixels.len()]);
    }

    fn prefetch(&self, index: u32, first: usize, count: usize) {
        zeros::prefetch(&self.image(index as usize)[first..first + count]);
    }
}
