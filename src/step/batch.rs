//! Mini-batches, gathered from where the shuffle has thrown them.

use crate::compute::gemm::images_per_list;
use crate::compute::isa::Isa;
use crate::compute::zeros;
use crate::data::Dataset;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// How many images ahead one is fetched: no processor guesses where it lies.
const AHEAD: usize = 4;

/// The images of a mini-batch, gathered.
#[derive(Clone, Debug)]
pub(crate) struct BatchBuffer {
    /// Which pixels of them.
    pixels: Range<usize>,
    /// How many images leave out their zero columns together.
    panel: usize,
    bytes: Vec<u8>,
    labels: Vec<u8>,
    /// For each panel of images as many places as there are pixels, and how
    /// many of them are taken: the columns that are not zero in all of them.
    columns: Vec<u32>,
    counts: Vec<u32>,
}

impl BatchBuffer {
    /// Room for these pixels of so many images.
    pub(crate) fn new(isa: Isa, pixels: Range<usize>, images: usize) -> Self {
        let (panel, features) = (images_per_list(isa), pixels.len());
        let panels = images.div_ceil(panel);
        Self {
            pixels,
            panel,
            bytes: vec![0; images * features],
            labels: vec![0; images],
            columns: vec![0; panels * features],
            counts: vec![0; panels],
        }
    }

    /// The first images, to gather these into them.
    ///
    /// # Panics
    /// Panics if there are more of them than there is room for.
    pub(crate) fn gather<'a>(&'a mut self, data: &'a Dataset, indices: &'a [u32]) -> GatherJob<'a> {
        let (images, panels) = (indices.len(), indices.len().div_ceil(self.panel));
        let features = self.pixels.len();
        GatherJob {
            pixels: self.pixels.clone(),
            panel: self.panel,
            data,
            indices,
            bytes: &mut self.bytes[..images * features],
            labels: &mut self.labels[..images],
            columns: &mut self.columns[..panels * features],
            counts: &mut self.counts[..panels],
        }
    }

    /// The first images, gathered.
    pub(crate) fn gathered(&self, images: usize) -> BatchView<'_> {
        let (panels, features) = (images.div_ceil(self.panel), self.pixels.len());
        BatchView {
            features,
            panel: self.panel,
            bytes: &self.bytes[..images * features],
            labels: &self.labels[..images],
            columns: &self.columns[..panels * features],
            counts: &self.counts[..panels],
        }
    }
}

/// Images to be gathered.
pub(crate) struct GatherJob<'a> {
    pixels: Range<usize>,
    panel: usize,
    data: &'a Dataset,
    indices: &'a [u32],
    bytes: &'a mut [u8],
    labels: &'a mut [u8],
    columns: &'a mut [u32],
    counts: &'a mut [u32],
}

impl<'a> GatherJob<'a> {
    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// The first `left` of `pieces` equal shares of them, whole panels, and the
    /// others.
    pub(crate) fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let (features, panel) = (self.pixels.len(), self.panel);
        let panels = self.counts.len() * left / pieces;
        let images = self.indices.len().min(panels * panel);
        let (indices, other_indices) = self.indices.split_at(images);
        let (bytes, other_bytes) = self.bytes.split_at_mut(images * features);
        let (labels, other_labels) = self.labels.split_at_mut(images);
        let (columns, other_columns) = self.columns.split_at_mut(panels * features);
        let (counts, other_counts) = self.counts.split_at_mut(panels);
        let one = Self {
            pixels: self.pixels.clone(),
            panel,
            data: self.data,
            indices,
            bytes,
            labels,
            columns,
            counts,
        };
        let other = Self {
            pixels: self.pixels,
            panel,
            data: self.data,
            indices: other_indices,
            bytes: other_bytes,
            labels: other_labels,
            columns: other_columns,
            counts: other_counts,
        };
        (one, other)
    }

    /// Copies the images and finds their columns.
    pub(crate) fn run(self, isa: Isa) -> BatchView<'a> {
        let (features, panel) = (self.pixels.len(), self.panel);
        let image = |i: u32| &self.data.image(i as usize)[self.pixels.clone()];
        let mut far = self.indices.iter().skip(AHEAD);
        let panels = self.indices.chunks(panel);
        let panels = panels.zip(self.labels.chunks_mut(panel));
        let bytes = self.bytes.chunks_mut(panel * features);
        let columns = self.columns.chunks_exact_mut(features);
        let found = columns.zip(&mut *self.counts);
        for (((indices, labels), bytes), (columns, count)) in panels.zip(bytes).zip(found) {
            let images = bytes.chunks_exact_mut(features);
            for ((&i, bytes), label) in indices.iter().zip(images).zip(labels) {
                if let Some(&far) = far.next() {
                    zeros::prefetch(image(far));
                }
                bytes.copy_from_slice(image(i));
                *label = self.data.label(i as usize);
            }
            *count = zeros::columns(isa, bytes, features, columns) as u32;
        }
        BatchView {
            features,
            panel,
            bytes: self.bytes,
            labels: self.labels,
            columns: self.columns,
            counts: self.counts,
        }
    }
}

/// Gathered images.
#[derive(Clone, Copy)]
pub(crate) struct BatchView<'a> {
    pub(crate) features: usize,
    /// How many images leave out their zero columns together.
    pub(crate) panel: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) labels: &'a [u8],
    /// For each panel a place for each pixel, and how many of them hold a column
    /// that is not zero in all of its images.
    pub(crate) columns: &'a [u32],
    pub(crate) counts: &'a [u32],
}

impl BatchView<'_> {
    /// How many images the first panels hold.
    #[cfg(feature = "rayon")]
    fn images(&self, panels: usize) -> usize {
        self.labels.len().min(panels * self.panel)
    }

    /// Those of some panels.
    #[cfg(feature = "rayon")]
    pub(crate) fn panels(self, panels: Range<usize>) -> Self {
        let images = self.images(panels.start)..self.images(panels.end);
        let of = |range: &Range<usize>| range.start * self.features..range.end * self.features;
        Self {
            bytes: &self.bytes[of(&images)],
            labels: &self.labels[images],
            columns: &self.columns[of(&panels)],
            counts: &self.counts[panels],
            ..self
        }
    }
}
