//! A chunk of examples through the net: activations, losses and deltas.
//!
//! The mathematics of [`NetRef::forward`] and of the deltas of [`NetRef::backward`],
//! with the same bits. Memory is passed over once: the pixels of a few images become
//! numbers while they stay in L1, without the columns that are zero in all of them;
//! activations and their derivatives are computed in the epilogues of the products.
//!
//! [`NetRef::forward`]: crate::net::NetRef::forward
//! [`NetRef::backward`]: crate::net::NetRef::backward

use crate::compute::gemm::{Context, Product, SparseK, Start};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::defects::{self, Defect, Defects};
use crate::net::dropout::Dropout;
use crate::net::loss::LossTarget;
use crate::net::{MAX_DEPTH, NetRef};
use crate::step::batch::BatchView;
use crate::step::scratch::Scratch;
use crate::step::targets::Targets;
use core::ops::Range;

/// Maximum number of examples that go through the net at a time. Sums over more of
/// them go on from chunk to chunk in the order of the examples, so this changes no bit.
/// A chunk bounds the scratch memory of large batches; the bytes of its MNIST images are
/// 196 KiB, less than half of an L2 of 512 KiB (Zen 3). Half and double were within 3 % on a
/// Xeon with AVX-512 and 2 MiB (docs/performance.md, *What the constants were fitted to*).
pub(crate) const CHUNK: usize = 256;

/// Elements of an operand, 512 KiB, that stay in L2 while images or pixels stream
/// past it. Fitted to Zen 3, whose L2 has as much: blocks took 5 to 8 % off an epoch. On a Xeon
/// with 2 MiB of L2 half of it took 1.2 times as long with 1 000 hidden units, double 0.94.
const L2_ELEMENTS: usize = 1 << 17;

/// Blocks of hidden units are a multiple of this, except the last: two whole cache
/// lines of each row of W1. Such a block stays in L2 up to 4096 rows; narrower blocks
/// would spend more on their own overhead than they save. 16 and 64 were within 4 % on a
/// Xeon with AVX-512.
const MIN_BLOCK: usize = 32;

/// Hidden units in blocks such that a matrix with `rows` rows, and the units of a block
/// as its columns, stays in L2.
pub(crate) fn unit_blocks(units: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let most = (L2_ELEMENTS / rows.max(1)).max(MIN_BLOCK);
    let block = units
        .div_ceil(units.div_ceil(most).max(1))
        .next_multiple_of(MIN_BLOCK);
    let starts = (0..units).step_by(block.max(1));
    starts.map(move |start| start..units.min(start + block))
}

/// A matrix for each layer, with a row for each example: activations, or deltas.
pub(crate) struct Layers<'a>([&'a mut [f32]; MAX_DEPTH]);

impl<'a> Layers<'a> {
    /// The layers of a net with these widths in one slice: layer after layer, of
    /// `rows` examples.
    pub(crate) fn new(mut flat: &'a mut [f32], widths: &[usize], rows: usize) -> Self {
        let mut layers = <[&mut [f32]; MAX_DEPTH]>::default();
        for (layer, width) in layers.iter_mut().zip(&widths[1..]) {
            (*layer, flat) = flat.split_at_mut(rows * width);
        }
        Self(layers)
    }

    /// Layers in slices of their own.
    #[cfg(feature = "rayon")]
    pub(crate) fn of<const DEPTH: usize>(slices: [&'a mut [f32]; DEPTH]) -> Self {
        let mut layers = <[&mut [f32]; MAX_DEPTH]>::default();
        for (layer, slice) in layers.iter_mut().zip(slices) {
            *layer = slice;
        }
        Self(layers)
    }

    /// The first `rows` examples, and the others.
    pub(crate) fn split(self, rows: usize, widths: &[usize]) -> (Self, Self) {
        let mut above = <[&mut [f32]; MAX_DEPTH]>::default();
        let mut below = <[&mut [f32]; MAX_DEPTH]>::default();
        let halves = above.iter_mut().zip(&mut below);
        for ((layer, width), (above, below)) in self.0.into_iter().zip(&widths[1..]).zip(halves) {
            (*above, *below) = layer.split_at_mut(rows * width);
        }
        (Self(above), Self(below))
    }

    /// The first layer.
    pub(crate) fn first(&mut self) -> &mut [f32] {
        self.0[0]
    }
}

/// Part of a sum that one product computes, where row shards compute it in turn.
#[derive(Clone, Copy)]
pub(crate) struct Accumulate {
    /// Whether the sums start from the biases, rather than from what is there.
    pub(crate) from_bias: bool,
    /// Whether the sums are complete, and become activations.
    pub(crate) apply_activation: bool,
}

impl Accumulate {
    /// The sums from the biases to the activations.
    pub(crate) const WHOLE: Self = Self {
        from_bias: true,
        apply_activation: true,
    };
}

/// The net and the loss that examples are passed through.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) net: NetRef<'a>,
    pub(crate) isa: Isa,
    pub(crate) defects: Defects,
    /// The target of the gradient, or `None` if no gradient is wanted.
    pub(crate) target: Option<LossTarget>,
    /// Hidden units to leave out.
    pub(crate) dropout: Option<Dropout>,
    /// The number of the first hidden unit, where the net is a shard.
    pub(crate) first_unit: usize,
}

impl<'a> Pass<'a> {
    /// A pass without a gradient, mistakes and dropout.
    pub(crate) fn plain(net: NetRef<'a>, isa: Isa) -> Self {
        Self {
            net,
            isa,
            defects: Defects::NONE,
            target: None,
            dropout: None,
            first_unit: 0,
        }
    }

    /// A = σ(b + X·W) of the first layer, a few images at a time. If W `is_finite`,
    /// columns of X that are zero in all of them are left out; otherwise none is, so
    /// that a weight which is not finite shows even if it meets only zeros.
    pub(crate) fn first_layer(
        &self,
        images: BatchView<'_>,
        is_finite: bool,
        stretch: Accumulate,
        a: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let Self { net, isa, .. } = *self;
        let (features, width) = (images.features, net.widths()[1]);
        let layer = net.layer(0);
        let Scratch {
            packing,
            x,
            indices,
            ..
        } = scratch;
        if !is_finite {
            let all = &mut indices[..features];
            all.iter_mut().zip(0..).for_each(|(index, j)| *index = j);
        }
        let ctx = &mut Context::new(1, packing).with_isa(isa);
        let sigma = |_, _, z: &mut [f32]| net.activation().apply(isa, z);
        for units in unit_blocks(width, features) {
            let weights = layer.weights.block(0..features, units.clone());
            let bytes = images.bytes.chunks(images.images_per_list * features);
            let a = a.chunks_mut(images.images_per_list * width);
            let found = images.columns.chunks_exact(features).zip(images.counts);
            for ((bytes, a), (columns, &count)) in bytes.zip(a).zip(found) {
                let (rows, x) = (a.len() / width, &mut x[..bytes.len()]);
                vector::scale_bytes(isa, bytes, x);
                let indices = match is_finite {
                    true => &columns[..count as usize],
                    false => &indices[..features],
                };
                let mut z = Product::new(MatRef::new(x, rows, features), weights)
                    .sparse_k(SparseK::new(isa, features, indices))
                    .start(match stretch.from_bias {
                        true => Start::Row(&layer.biases[units.clone()]),
                        false => Start::C,
                    });
                let (is_hidden, whole) = (net.depth() > 1, units.len() == width);
                if stretch.apply_activation && is_hidden && !whole {
                    z = z.epilogue(&sigma);
                }
                z.compute(
                    MatMut::new(a, rows, width).block(0..rows, units.clone()),
                    ctx,
                );
                if stretch.apply_activation && is_hidden && whole {
                    // Of all images of the list at once: rows end within a vector.
                    net.activation().apply(isa, a);
                }
            }
        }
        if stretch.apply_activation {
            self.drop_units(0, images.examples, a);
        }
    }

    /// Sets the units of hidden layer `layer` to 0 that are left out.
    fn drop_units(&self, layer: usize, examples: &[u32], a: &mut [f32]) {
        if let Some(dropout) = self.dropout
            && layer + 1 < self.net.depth()
        {
            let first = if layer == 0 { self.first_unit } else { 0 };
            dropout.apply(layer, examples, first, a);
        }
    }

    /// A = σ(b + A·W) of the layers after the first; no σ in the last one.
    pub(crate) fn further_layers(
        &self,
        activations: &mut Layers<'_>,
        (rows, examples): (usize, &[u32]),
        scratch: &mut Scratch,
    ) {
        let Self { net, isa, .. } = *self;
        let widths = net.widths();
        let ctx = &mut Context::new(1, &mut scratch.packing).with_isa(isa);
        for l in 1..net.depth() {
            let (before, after) = activations.0.split_at_mut(l);
            let input = MatRef::new(before[l - 1], rows, widths[l]);
            net.layer_forward(l, input, after[0], ctx);
            self.drop_units(l, examples, after[0]);
        }
    }

    /// The losses, and dZ of the last layer.
    pub(crate) fn losses(
        &self,
        targets: Targets<'_>,
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        losses: &mut [f32],
    ) {
        let (last, rows) = (self.net.depth() - 1, losses.len());
        let classes = self.net.widths()[last + 1];
        let (isa, target) = (self.isa, self.target.unwrap_or(LossTarget::new(1.0)));
        let logits = MatRef::new(activations.0[last], rows, classes);
        let dlogits = MatMut::new(deltas.0[last], rows, classes);
        targets.cross_entropy(isa, logits, target, dlogits, losses);
        if self.defects.has(Defect::RawLogitGradient) {
            let dlogits = MatMut::new(deltas.0[last], rows, classes);
            defects::raw_logit_gradient(logits, targets.labels, target.scale, dlogits);
        }
    }

    /// dZ of each layer below the last = dZ·Wᵀ ⊙ σ′(Z), with dZ and W of the layer
    /// above it.
    pub(crate) fn deltas(
        &self,
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        examples: &[u32],
        scratch: &mut Scratch,
    ) {
        let Self { net, isa, .. } = *self;
        let (widths, rows) = (net.widths(), examples.len());
        let ctx = &mut Context::new(1, &mut scratch.packing).with_isa(isa);
        for l in (1..net.depth()).rev() {
            let (before, after) = deltas.0.split_at_mut(l);
            let dz = MatRef::new(after[0], rows, widths[l + 1]);
            let a = MatRef::new(activations.0[l - 1], rows, widths[l]);
            net.layer_backward(l, dz, a, before[l - 1], ctx);
            // The derivatives of the other functions are 0 where σ(z) is.
            if net.activation() == Activation::Tanh {
                self.drop_units(l - 1, examples, before[l - 1]);
            }
        }
    }
}
