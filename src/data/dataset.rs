//! Labelled images in memory, and selections of them.

use crate::compute::vector::scaled;
use crate::data::error::DatasetError;
use crate::data::idx;
use alloc::{vec, vec::Vec};
use core::fmt;

/// Images of equal size with a label each; at least one image.
///
/// ```
/// use handwritten::data::Dataset;
///
/// let data = Dataset::new(vec![0, 255, 255, 0], 1, 2, vec![0, 1])?;
/// assert_eq!((data.len(), data.features(), data.classes()), (2, 2, 2));
/// assert_eq!(data.image(1), [255, 0]);
/// # Ok::<(), handwritten::data::DatasetError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Dataset {
    pixels: Vec<u8>,
    rows: usize,
    columns: usize,
    labels: Vec<u8>,
    classes: usize,
}

impl Dataset {
    /// Makes a data set of `labels.len()` images of `rows` × `columns` pixels, image after
    /// image, row after row.
    ///
    /// # Errors
    /// No image at all, pixels that are not a whole number of images, and a
    /// number of labels that is not the number of images.
    ///
    /// # Panics
    /// Panics if there are 2³² images or more, which no `u32` can number.
    pub fn new(
        pixels: Vec<u8>,
        rows: usize,
        columns: usize,
        labels: Vec<u8>,
    ) -> Result<Self, DatasetError> {
        let images = match rows.checked_mul(columns) {
            Some(features) if features > 0 && pixels.len().is_multiple_of(features) => {
                pixels.len() / features
            }
            _ => {
                return Err(DatasetError::Pixels {
                    found: pixels.len(),
                    rows,
                    columns,
                });
            }
        };
        if images != labels.len() {
            return Err(DatasetError::Counts {
                images,
                labels: labels.len(),
            });
        }
        let Some(&largest) = labels.iter().max() else {
            return Err(DatasetError::Empty);
        };
        assert!(
            u32::try_from(images).is_ok(),
            "{images} images, but at most {} can be numbered",
            u32::MAX
        );
        Ok(Self {
            pixels,
            rows,
            columns,
            labels,
            classes: usize::from(largest) + 1,
        })
    }

    /// Makes a data set of the bytes of two IDX files, images and labels.
    ///
    /// # Errors
    /// Bytes that are not such files, and everything that [`Dataset::new`]
    /// finds.
    pub fn from_idx(images: &[u8], labels: &[u8]) -> Result<Self, DatasetError> {
        let images = idx::images(images).map_err(DatasetError::Images)?;
        let labels = idx::labels(labels).map_err(DatasetError::Labels)?;
        Self::new(
            images.pixels.to_vec(),
            images.rows,
            images.columns,
            labels.to_vec(),
        )
    }

    /// The number of images, at least 1.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always `false`: a data set has at least one image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of rows of an image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns of an image.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of pixels of an image, `rows · columns`: the inputs of a net.
    pub fn features(&self) -> usize {
        self.rows * self.columns
    }

    /// The number of classes, the largest label plus 1 unless [`Dataset::with_classes`] has set
    /// it: the outputs of a net.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The pixels of all images, image after image, row after row: `len · features` bytes,
    /// where 0 is the background.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels of all images, to be changed.
    pub(super) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Gives pixels and labels back, as [`Dataset::new`] takes them.
    ///
    /// ```
    /// use handwritten::data::Dataset;
    ///
    /// let data = Dataset::new(vec![1, 2, 3, 4], 1, 2, vec![0, 1])?;
    /// let (mut pixels, labels) = data.into_parts();
    /// pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    /// let inverted = Dataset::new(pixels, 1, 2, labels)?.with_classes(10);
    /// assert_eq!((inverted.image(1), inverted.classes()), (&[252, 251][..], 10));
    /// # Ok::<(), handwritten::data::DatasetError>(())
    /// ```
    pub fn into_parts(self) -> (Vec<u8>, Vec<u8>) {
        (self.pixels, self.labels)
    }

    /// Sets the number of classes, which is the largest label plus 1 otherwise: for images among
    /// which the last classes may be missing.
    ///
    /// # Panics
    /// Panics if a label is not below it, or if it is more than 256.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        let least = self
            .labels
            .iter()
            .max()
            .map_or(0, |&label| usize::from(label) + 1);
        assert!(
            (least..=256).contains(&classes),
            "{classes} classes, but labels up to {}",
            least.saturating_sub(1)
        );
        Self { classes, ..self }
    }

    /// Exchanges rows and columns of each image.
    pub fn transpose(&mut self) {
        let (rows, columns) = (self.rows, self.columns);
        let mut image = vec![0; rows * columns];
        for pixels in self.pixels.chunks_exact_mut(rows * columns) {
            image.copy_from_slice(pixels);
            for (k, pixel) in pixels.iter_mut().enumerate() {
                *pixel = image[k % rows * columns + k / rows];
            }
        }
        (self.rows, self.columns) = (columns, rows);
    }

    /// Replaces each label by another.
    pub fn map_labels(&mut self, map: impl Fn(u8) -> u8) {
        for label in &mut self.labels {
            *label = map(*label);
        }
        let largest = self.labels.iter().copied().max().unwrap_or(0);
        self.classes = usize::from(largest) + 1;
    }

    /// Takes the images with these indices out, into a data set of their own. Both keep the
    /// order of the images.
    ///
    /// # Panics
    /// Panics unless the indices ascend, are below the number of images, and are at least one
    /// of them but not all.
    pub fn take_out(&mut self, indices: &[u32]) -> Self {
        let (count, features) = (self.len(), self.features());
        let is_ascending = indices.windows(2).all(|pair| pair[0] < pair[1]);
        let last = indices.last().map_or(count, |&last| last as usize);
        assert!(
            is_ascending && last < count && indices.len() < count,
            "cannot take {} images up to {last} out of {count}",
            indices.len()
        );
        let mut pixels = Vec::with_capacity(indices.len() * features);
        let mut labels = Vec::with_capacity(indices.len());
        let (mut kept, mut next) = (0, indices.iter().map(|&i| i as usize).peekable());
        for i in 0..count {
            let image = i * features..(i + 1) * features;
            if next.next_if_eq(&i).is_some() {
                pixels.extend_from_slice(&self.pixels[image]);
                labels.push(self.labels[i]);
            } else {
                self.pixels.copy_within(image, kept * features);
                self.labels[kept] = self.labels[i];
                kept += 1;
            }
        }
        self.pixels.truncate(kept * features);
        self.labels.truncate(kept);
        self.map_labels(|label| label);
        let mut taken = Self {
            pixels,
            labels,
            ..*self
        };
        taken.map_labels(|label| label);
        taken
    }

    /// Iterates over the images in order: `features` pixels and the label of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u8)> {
        let images = self.pixels.chunks_exact(self.features());
        images.zip(self.labels.iter().copied())
    }

    /// The `features` pixels of image `i`, row after row.
    ///
    /// # Panics
    /// Panics if there is no image `i`.
    pub fn image(&self, i: usize) -> &[u8] {
        let features = self.features();
        &self.pixels[i * features..][..features]
    }

    /// The label of image `i`.
    ///
    /// # Panics
    /// Panics if there is no image `i`.
    pub fn label(&self, i: usize) -> u8 {
        self.labels[i]
    }

    /// The labels of all images, in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Writes the images with these indices as rows of `f32` in [0, 1], and their labels.
    ///
    /// Shapes: `pixels` is `indices.len() × features`, row-major; `labels` has
    /// a place for each index.
    ///
    /// # Panics
    /// Panics if the shapes differ or an index is not below the number of images.
    pub fn gather(&self, indices: &[u32], pixels: &mut [f32], labels: &mut [u8]) {
        let (count, features) = (indices.len(), self.features());
        assert!(
            pixels.len() == count * features && labels.len() == count,
            "{count} images of {features} pixels do not fill {} pixels and {} labels",
            pixels.len(),
            labels.len()
        );
        let rows = pixels.chunks_exact_mut(features);
        for ((&index, row), label) in indices.iter().zip(rows).zip(labels) {
            let index = index as usize;
            for (value, &pixel) in row.iter_mut().zip(self.image(index)) {
                *value = scaled(pixel);
            }
            *label = self.label(index);
        }
    }
}

impl fmt::Debug for Dataset {
    /// The sizes, without pixels and labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("len", &self.len())
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

/// A selection of images of a [`Dataset`], in any order.
#[derive(Clone, PartialEq, Eq)]
pub struct Subset<'a> {
    dataset: &'a Dataset,
    indices: Vec<u32>,
}

impl<'a> Subset<'a> {
    /// Selects the images of `dataset` with these indices, in that order.
    ///
    /// # Panics
    /// Panics if an index is not below the number of images.
    pub fn new(dataset: &'a Dataset, indices: Vec<u32>) -> Self {
        if let Some(&largest) = indices.iter().max() {
            assert!(
                (largest as usize) < dataset.len(),
                "no image {largest} among {}",
                dataset.len()
            );
        }
        Self { dataset, indices }
    }

    /// Selects all images of `dataset`, in order.
    pub fn all(dataset: &'a Dataset) -> Self {
        Self {
            dataset,
            indices: numbers(dataset.len()),
        }
    }

    /// The number of selected images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether no image is selected.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The data set that images are selected from.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// The indices of the selected images in their data set.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Iterates over the selected images: pixels and label of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a [u8], u8)> {
        let dataset = self.dataset;
        let images = self.indices.iter().map(|&i| i as usize);
        images.map(|i| (dataset.image(i), dataset.label(i)))
    }

    /// The number of selected images of each class of the data set.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.dataset.classes()];
        for &i in &self.indices {
            counts[usize::from(self.dataset.label(i as usize))] += 1;
        }
        counts
    }
}

impl fmt::Debug for Subset<'_> {
    /// The number of images, without their indices.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subset")
            .field("len", &self.len())
            .field("dataset", &self.dataset)
            .finish_non_exhaustive()
    }
}

/// `0, 1, …, len − 1`.
pub(super) fn numbers(len: usize) -> Vec<u32> {
    (0..len).map(|i| i as u32).collect()
}
