//! Mini-batches, copied from the places in the data set that the shuffle chose.

use crate::compute::gemm::images_per_list;
use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::split_fields;
use crate::compute::zeros;
use crate::data::ImageSource;
use crate::step::targets::Targets;
use alloc::vec::Vec;
use core::ops::Range;

/// Number of images ahead of its use that an image is prefetched. The order is random, so
/// no hardware prefetcher predicts it. Two and eight are within 2 % on a Xeon with AVX-512
/// (784-30-10, 32 images; docs/performance.md).
const PREFETCH_DISTANCE: usize = 4;

/// Memory for the images of a mini-batch, or for a range of their pixels.
#[derive(Clone, Debug)]
pub(crate) struct BatchBuffer {
    first_pixel: usize,
    features: usize,
    /// Number of images per list of columns.
    images_per_list: usize,
    bytes: Vec<u8>,
    labels: Vec<u8>,
    /// The numbers of the images.
    examples: Vec<u32>,
    /// Targets of the images, if the source has some; allocated when they are first gathered.
    targets: Vec<f32>,
    /// List after list, with room for all pixels each: the columns that are not zero
    /// in all images of the list.
    columns: Vec<u32>,
    /// The length of each list.
    counts: Vec<u32>,
}

impl BatchBuffer {
    /// Memory for these pixels of up to `images` images.
    pub(crate) fn new(
        isa: Isa,
        pixels: Range<usize>,
        images: usize,
        buffers: &mut Buffers,
    ) -> Self {
        let (images_per_list, features) = (images_per_list(isa), pixels.len());
        let lists = images.div_ceil(images_per_list);
        Self {
            first_pixel: pixels.start,
            features,
            images_per_list,
            bytes: buffers.zeros(images * features),
            labels: buffers.zeros(images),
            examples: buffers.zeros(images),
            targets: Vec::new(),
            columns: buffers.zeros(lists * features),
            counts: buffers.zeros(lists),
        }
    }

    /// The job of filling the buffer with the images of these indices.
    ///
    /// # Panics
    /// Panics if the buffer has no room for so many images.
    pub(crate) fn gather<'a>(
        &'a mut self,
        data: &'a dyn ImageSource,
        indices: &'a [u32],
    ) -> GatherJob<'a> {
        let (images, features) = (indices.len(), self.features);
        let lists = images.div_ceil(self.images_per_list);
        self.targets.resize(images * data.target_classes(), 0.0);
        self.examples[..images].copy_from_slice(indices);
        GatherJob {
            first_pixel: self.first_pixel,
            features,
            images_per_list: self.images_per_list,
            data,
            indices,
            bytes: &mut self.bytes[..images * features],
            labels: &mut self.labels[..images],
            targets: &mut self.targets,
            columns: &mut self.columns[..lists * features],
            counts: &mut self.counts[..lists],
        }
    }

    /// The job of listing the columns of images that lie side by side already.
    ///
    /// # Panics
    /// Panics if the buffer has no room for so many images.
    pub(crate) fn list<'a>(&'a mut self, bytes: &'a [u8]) -> ListJob<'a> {
        let features = self.features;
        let lists = (bytes.len() / features).div_ceil(self.images_per_list);
        ListJob {
            features,
            images_per_list: self.images_per_list,
            bytes,
            columns: &mut self.columns[..lists * features],
            counts: &mut self.counts[..lists],
        }
    }

    /// The first `images` images, after they have been gathered.
    pub(crate) fn view(&self, images: usize) -> BatchView<'_> {
        let lists = images.div_ceil(self.images_per_list);
        BatchView {
            features: self.features,
            images_per_list: self.images_per_list,
            bytes: &self.bytes[..images * self.features],
            labels: &self.labels[..images],
            examples: &self.examples[..images],
            targets: &self.targets,
            columns: &self.columns[..lists * self.features],
            counts: &self.counts[..lists],
        }
    }
}

/// Two buffers, so that the images of the next step can be gathered during this one.
#[derive(Clone, Debug)]
pub(crate) struct DoubleBuffer {
    pub(crate) current: BatchBuffer,
    pub(crate) next: BatchBuffer,
}

impl DoubleBuffer {
    /// Memory for these pixels of up to `images` images a step.
    pub(crate) fn new(
        isa: Isa,
        pixels: Range<usize>,
        images: usize,
        buffers: &mut Buffers,
    ) -> Self {
        let mut buffer = || BatchBuffer::new(isa, pixels.clone(), images, buffers);
        Self {
            current: buffer(),
            next: buffer(),
        }
    }

    /// Makes the next images the current ones.
    pub(crate) fn advance(&mut self) {
        core::mem::swap(&mut self.current, &mut self.next);
    }
}

/// Images to be gathered.
pub(crate) struct GatherJob<'a> {
    first_pixel: usize,
    features: usize,
    images_per_list: usize,
    data: &'a dyn ImageSource,
    indices: &'a [u32],
    bytes: &'a mut [u8],
    labels: &'a mut [u8],
    targets: &'a mut [f32],
    columns: &'a mut [u32],
    counts: &'a mut [u32],
}

impl<'a> GatherJob<'a> {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// Cuts the job in two, between two lists: the first `left` of `pieces` equal
    /// pieces, and the rest.
    pub(crate) fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let lists = self.counts.len() * left / pieces;
        let images = self.indices.len().min(lists * self.images_per_list);
        split_fields!(self {
            indices: self.indices.split_at(images),
            bytes: self.bytes.split_at_mut(images * self.features),
            labels: self.labels.split_at_mut(images),
            targets: self
                .targets
                .split_at_mut(images * self.data.target_classes()),
            columns: self.columns.split_at_mut(lists * self.features),
            counts: self.counts.split_at_mut(lists),
        })
    }

    /// Copies the images and lists their columns.
    pub(crate) fn run(self, isa: Isa) -> BatchView<'a> {
        let (features, images_per_list) = (self.features, self.images_per_list);
        let (data, first) = (self.data, self.first_pixel);
        let mut ahead = self.indices.iter().skip(PREFETCH_DISTANCE);
        let lists = self.indices.chunks(images_per_list);
        let lists = lists.zip(self.labels.chunks_mut(images_per_list));
        let bytes = self.bytes.chunks_mut(images_per_list * features);
        let columns = self.columns.chunks_exact_mut(features);
        let found = columns.zip(&mut *self.counts);
        for (((indices, labels), bytes), (columns, count)) in lists.zip(bytes).zip(found) {
            let images = bytes.chunks_exact_mut(features);
            for ((&i, bytes), label) in indices.iter().zip(images).zip(labels) {
                if let Some(&ahead) = ahead.next() {
                    data.prefetch(ahead, first, features);
                }
                data.write(i, first, bytes);
                *label = data.label(i);
            }
            *count = zeros::columns(isa, bytes, features, columns) as u32;
        }
        let classes = data.target_classes();
        if classes > 0 {
            for (&i, target) in self
                .indices
                .iter()
                .zip(self.targets.chunks_exact_mut(classes))
            {
                data.write_target(i, target);
            }
        }
        BatchView {
            features,
            images_per_list,
            bytes: self.bytes,
            labels: self.labels,
            examples: self.indices,
            targets: self.targets,
            columns: self.columns,
            counts: self.counts,
        }
    }
}

/// Images whose columns are to be listed.
pub(crate) struct ListJob<'a> {
    features: usize,
    images_per_list: usize,
    /// Image after image.
    bytes: &'a [u8],
    columns: &'a mut [u32],
    counts: &'a mut [u32],
}

impl<'a> ListJob<'a> {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.features
    }

    /// Cuts the job in two, between two lists: the first `left` of `pieces` equal
    /// pieces, and the rest.
    pub(crate) fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let lists = self.counts.len() * left / pieces;
        let images = self.len().min(lists * self.images_per_list);
        split_fields!(self {
            bytes: self.bytes.split_at(images * self.features),
            columns: self.columns.split_at_mut(lists * self.features),
            counts: self.counts.split_at_mut(lists),
        })
    }

    /// Lists the columns. The images have no labels.
    pub(crate) fn run(self, isa: Isa) -> BatchView<'a> {
        let features = self.features;
        let bytes = self.bytes.chunks(self.images_per_list * features);
        let columns = self.columns.chunks_exact_mut(features);
        for ((bytes, columns), count) in bytes.zip(columns).zip(&mut *self.counts) {
            *count = zeros::columns(isa, bytes, features, columns) as u32;
        }
        BatchView {
            features,
            images_per_list: self.images_per_list,
            bytes: self.bytes,
            labels: &[],
            examples: &[],
            targets: &[],
            columns: self.columns,
            counts: self.counts,
        }
    }
}

/// Gathered images.
#[derive(Clone, Copy)]
pub(crate) struct BatchView<'a> {
    /// Pixels of an image.
    pub(crate) features: usize,
    /// Number of images per list of columns.
    pub(crate) images_per_list: usize,
    /// Image after image.
    pub(crate) bytes: &'a [u8],
    pub(crate) labels: &'a [u8],
    /// The numbers of the images; empty if they have no labels.
    pub(crate) examples: &'a [u32],
    /// A number for each class of each image; empty if the labels are the targets.
    targets: &'a [f32],
    /// List after list, with room for all pixels each: the columns that are not zero
    /// in all images of the list.
    pub(crate) columns: &'a [u32],
    /// The length of each list.
    pub(crate) counts: &'a [u32],
}

impl<'a> BatchView<'a> {
    /// The targets of the images.
    pub(crate) fn targets(&self) -> Targets<'a> {
        Targets {
            examples: self.examples,
            labels: self.labels,
            soft: self.targets,
        }
    }

    /// The images of some of the lists.
    #[cfg(feature = "rayon")]
    pub(crate) fn lists(self, lists: Range<usize>) -> Self {
        let first = |list: usize| self.labels.len().min(list * self.images_per_list);
        let images = first(lists.start)..first(lists.end);
        let of = |range: &Range<usize>| range.start * self.features..range.end * self.features;
        Self {
            bytes: &self.bytes[of(&images)],
            targets: self.targets().rows(images.clone()).soft,
            examples: &self.examples[images.clone()],
            labels: &self.labels[images],
            columns: &self.columns[of(&lists)],
            counts: &self.counts[lists],
            ..self
        }
    }
}
