//! The images that a run trains on, epoch by epoch.

use crate::data::{Dataset, Distorter, ImageSource};

/// Training images that may differ from epoch to epoch: what [`train_with`] and
/// [`resume_with`] train on in place of those of the training set.
///
/// Their indices are those of the training set, and so is the order in which they come. A run
/// that goes on within an epoch starts that epoch again, so the same epoch must give the same
/// images; then the result of an interrupted run has the bits of one that was not.
///
/// ```
/// use handwritten::data::{Dataset, ImageSource, Subset};
/// use handwritten::training::{EpochImages, train_with};
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::{Activation, Config, Init, Net, Workspace};
///
/// /// Images that are darker in odd epochs.
/// struct Fading<'a> {
///     data: &'a Dataset,
///     epoch: usize,
/// }
///
/// impl ImageSource for Fading<'_> {
///     fn features(&self) -> usize {
///         self.data.features()
///     }
///
///     fn label(&self, index: u32) -> u8 {
///         self.data.label(index as usize)
///     }
///
///     fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
///         self.data.write(index, first, pixels);
///         if self.epoch % 2 == 1 {
///             pixels.iter_mut().for_each(|pixel| *pixel /= 2);
///         }
///     }
/// }
///
/// impl EpochImages for Fading<'_> {
///     fn start_epoch(&mut self, epoch: usize) {
///         self.epoch = epoch;
///     }
/// }
///
/// let data = Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1])?;
/// let all = Subset::all(&data);
/// let mut rng = generator(1, Stream::Weights);
/// let mut net = Net::random(&[2, 4, 2], Activation::Tanh, Init::Glorot, &mut rng);
/// let mut workspace = Workspace::new(net.widths(), 1);
/// let config = Config::default().with_epochs(50);
/// let mut images = Fading { data: &data, epoch: 0 };
/// let outcome =
///     train_with(&mut net, &mut images, (&all, &all), &config, &mut workspace, &mut ())?;
/// assert_eq!(outcome.best.classify(&[100, 0]), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`train_with`]: crate::training::train_with
/// [`resume_with`]: crate::training::resume_with
pub trait EpochImages: ImageSource {
    /// Prepares the images of epoch `epoch`, counted from 1, before its first step.
    fn start_epoch(&mut self, epoch: usize);
}

impl EpochImages for Distorter<'_> {
    fn start_epoch(&mut self, epoch: usize) {
        Distorter::start_epoch(self, epoch);
    }
}

/// The images of a data set as they are.
pub(super) struct Unchanged<'a>(pub(super) &'a Dataset);

impl ImageSource for Unchanged<'_> {
    fn features(&self) -> usize {
        self.0.features()
    }

    fn label(&self, index: u32) -> u8 {
        self.0.label(index as usize)
    }

    fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
        self.0.write(index, first, pixels);
    }

    fn prefetch(&self, index: u32, first: usize, count: usize) {
        self.0.prefetch(index, first, count);
    }
}

impl EpochImages for Unchanged<'_> {
    fn start_epoch(&mut self, _epoch: usize) {}
}
