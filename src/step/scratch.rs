//! Scratch memory of one thread.

use crate::compute::aligned::Aligned;
use crate::compute::gemm::{Context, MAX_IMAGES_PER_LIST};
use crate::compute::memory::Buffers;
use crate::compute::zeros;
use alloc::vec::Vec;

/// Minimum number of parameters that are updated together. Their gradients, 8 KiB, are still
/// in L1 when the update reads them, with the parameters and velocities: 24 of 32 KiB (Zen 3).
/// Half and double are within 1 % on a Xeon with AVX-512, whose L1 has 48 KiB
/// (docs/performance.md).
pub(crate) const MIN_UPDATED: usize = 2048;

/// Memory that a thread needs for its share of a step.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// Packed operands of products.
    pub(crate) packing: Vec<f32>,
    /// Pixels as numbers: of a few images, or a few columns of all images. No more of
    /// them than stay in L1.
    pub(crate) x: Aligned,
    /// Masks of the groups of pixels that are not zero, image after image ([`zeros::groups`]).
    pub(crate) masks: Vec<u16>,
    /// Lists of k-indices.
    pub(crate) indices: Vec<u32>,
    /// Gradients that nobody reads after the update.
    pub(crate) dw: Aligned,
    /// Whether all weights of the first layer are known to be finite since the last
    /// update that used this memory.
    pub(crate) is_finite: bool,
}

impl Scratch {
    /// Memory for a first layer with these numbers of inputs and units, and chunks of
    /// up to `images` images.
    pub(crate) fn new(features: usize, units: usize, images: usize, buffers: &mut Buffers) -> Self {
        Self {
            packing: buffers.zeros(Context::packing_len(1)),
            x: buffers.aligned((MAX_IMAGES_PER_LIST * features).max(zeros::BLOCK * images)),
            masks: buffers.zeros(images),
            indices: buffers.zeros(features.max(zeros::BLOCK / zeros::GROUP * images)),
            dw: buffers.aligned(MIN_UPDATED + zeros::GROUP * units),
            is_finite: false,
        }
    }
}
