//! A chunk of a mini-batch through the net, shared out among threads.
//!
//! The same mathematics as [`NetRef::forward`] and [`NetRef::backward`], bit
//! for bit, in two parts with one synchronisation after each. An example's
//! forward pass, loss and deltas need no other example, so threads share out
//! the examples first ([`DataParallel`]); then they share out the parameters
//! ([`Parameters`]), whose gradients sum over all examples, in order. A share
//! passes over memory once: pixels become numbers while their zeros are found,
//! activations and their derivatives are made in the products' epilogues, and
//! parameters move as soon as their gradients are complete.
//!
//! [`NetRef::forward`]: crate::net::NetRef::forward
//! [`NetRef::backward`]: crate::net::NetRef::backward

use crate::compute::aligned::Aligned;
use crate::compute::gemm::{Context, MAX_IMAGES_PER_LIST, Product, SparseK, Start};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::compute::zeros;
use crate::net::defects::{self, Defect, Defects};
use crate::net::loss::{LossTarget, softmax_cross_entropy};
use crate::net::optimizer::Update;
use crate::net::{MAX_DEPTH, NetRef, layers};
use crate::step::batch::{BatchView, GatherJob};
use crate::step::thread_team::Team;
#[cfg(feature = "rayon")]
use crate::step::thread_team::{MAX_PIECES, locked};
use alloc::{vec, vec::Vec};
use core::ops::Range;
#[cfg(feature = "rayon")]
use std::sync::Mutex;

/// Parameters that are moved together, at least: their gradients are still in
/// L1 then.
const WORTH_MOVING: usize = 2048;

/// Elements of an operand, 512 KiB, that stay in L2 while images or pixels pass
/// by.
const STAYING: usize = 1 << 17;

/// Blocks have a multiple of so many hidden units, but for the last one: whole
/// cache lines of each row of W1. With fewer, what every one of them takes for
/// itself would cost more than it saves.
const FEWEST_UNITS: usize = 32;

/// Hidden units, in blocks of whole cache lines, so that a matrix with so many
/// rows and one of these blocks as its columns stays in L2.
fn blocks(units: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let most = (STAYING / rows.max(1)).max(FEWEST_UNITS);
    let block = units
        .div_ceil(units.div_ceil(most).max(1))
        .next_multiple_of(FEWEST_UNITS);
    let starts = (0..units).step_by(block.max(1));
    starts.map(move |start| start..units.min(start + block))
}

/// What can be shared out among threads.
pub(crate) trait Share: Sized + Send {
    /// The first `left` of `pieces` equal shares of it, and the others.
    fn split(self, left: usize, pieces: usize) -> (Self, Self);

    /// Does its work.
    fn run(self);
}

/// Runs a share in `pieces`, or in one if the team has one thread.
pub(crate) fn share_out<S: Share>(team: &mut Team<'_>, share: S, pieces: usize) {
    #[cfg(feature = "rayon")]
    if pieces > 1 && team.threads() > 1 {
        return match pieces {
            // Slots that are not used take their share of L1 all the same.
            ..=8 => in_slots::<S, 8>(team, share, pieces),
            _ => in_slots::<S, MAX_PIECES>(team, share, pieces.min(MAX_PIECES)),
        };
    }
    let _ = (team, pieces);
    share.run();
}

/// Runs a share in up to so many pieces.
#[cfg(feature = "rayon")]
fn in_slots<S: Share, const MOST: usize>(team: &mut Team<'_>, share: S, pieces: usize) {
    let slots: [Mutex<Option<S>>; MOST] = core::array::from_fn(|_| Mutex::new(None));
    let slot = |piece: usize| locked(&slots[piece]);
    let mut rest = share;
    for piece in 0..pieces - 1 {
        let (one, others) = rest.split(1, pieces - piece);
        *slot(piece) = Some(one);
        rest = others;
    }
    *slot(pieces - 1) = Some(rest);
    team.run(pieces, &|piece, _| {
        let share = slot(piece).take();
        share.into_iter().for_each(Share::run);
    });
}

/// What a thread needs for itself.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    packing: Vec<f32>,
    /// Pixels as numbers, no more of them than stay in L1.
    x: Aligned,
    masks: Vec<u16>,
    steps: Vec<u32>,
    /// Gradients that are not kept.
    dw: Aligned,
    /// Whether the weights of the first layer that it was used to move last are
    /// known to be finite.
    pub(crate) is_finite: bool,
}

impl Scratch {
    /// For a first layer of so many pixels and units, and chunks of so many images.
    pub(crate) fn new(features: usize, units: usize, chunk: usize) -> Self {
        Self {
            packing: Context::packing(1),
            x: Aligned::zeros((MAX_IMAGES_PER_LIST * features).max(zeros::BLOCK * chunk)),
            masks: vec![0; chunk],
            steps: vec![0; features.max(zeros::BLOCK / zeros::GROUP * chunk)],
            dw: Aligned::zeros(WORTH_MOVING + zeros::GROUP * units),
            is_finite: false,
        }
    }
}

/// A block of numbers for each layer, with a row for each example.
pub(crate) struct Layers<'a>([&'a mut [f32]; MAX_DEPTH]);

impl<'a> Layers<'a> {
    /// Layers of these widths, from the inputs on, in a slice: layer after
    /// layer, of `rows` examples.
    pub(crate) fn new(mut flat: &'a mut [f32], widths: &[usize], rows: usize) -> Self {
        let mut layers = <[&mut [f32]; MAX_DEPTH]>::default();
        for (layer, width) in layers.iter_mut().zip(&widths[1..]) {
            (*layer, flat) = flat.split_at_mut(rows * width);
        }
        Self(layers)
    }

    /// Layers that lie apart.
    pub(crate) fn of<const DEPTH: usize>(parts: [&'a mut [f32]; DEPTH]) -> Self {
        let mut layers = <[&mut [f32]; MAX_DEPTH]>::default();
        layers
            .iter_mut()
            .zip(parts)
            .for_each(|(layer, part)| *layer = part);
        Self(layers)
    }

    fn split(self, rows: usize, widths: &[usize]) -> (Self, Self) {
        let mut above = <[&mut [f32]; MAX_DEPTH]>::default();
        let mut below = <[&mut [f32]; MAX_DEPTH]>::default();
        let parts = above.iter_mut().zip(&mut below);
        for ((layer, width), (above, below)) in self.0.into_iter().zip(&widths[1..]).zip(parts) {
            (*above, *below) = layer.split_at_mut(rows * width);
        }
        (Self(above), Self(below))
    }
}

/// Which stretch of its chains a product computes: sums begin with the biases and
/// end as activations.
#[derive(Clone, Copy)]
pub(crate) struct Accumulate {
    pub(crate) from_bias: bool,
    pub(crate) apply_activation: bool,
}

impl Accumulate {
    /// From the beginning to the end.
    pub(crate) const WHOLE: Self = Self {
        from_bias: true,
        apply_activation: true,
    };
}

/// What all shares of examples have in common.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) net: NetRef<'a>,
    pub(crate) isa: Isa,
    pub(crate) defects: Defects,
    /// Where each example is pulled, or `None` if no gradient is wanted.
    pub(crate) target: Option<LossTarget>,
}

/// Examples to be passed through the net.
pub(crate) struct DataParallel<'a> {
    pub(crate) pass: Pass<'a>,
    pub(crate) images: GatherJob<'a>,
    pub(crate) activations: Layers<'a>,
    /// The gradient of the loss by the sums of each layer.
    pub(crate) deltas: Layers<'a>,
    pub(crate) losses: &'a mut [f32],
    /// One for each thread.
    pub(crate) scratch: &'a mut [Scratch],
}

impl Share for DataParallel<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let widths = self.pass.net.widths();
        let (images, other_images) = self.images.split(left, pieces);
        let rows = images.len();
        let (activations, other_activations) = self.activations.split(rows, widths);
        let (deltas, other_deltas) = self.deltas.split(rows, widths);
        let (losses, other_losses) = self.losses.split_at_mut(rows);
        let (scratch, other_scratch) = self.scratch.split_at_mut(left);
        let one = Self {
            pass: self.pass,
            images,
            activations,
            deltas,
            losses,
            scratch,
        };
        let other = Self {
            pass: self.pass,
            images: other_images,
            activations: other_activations,
            deltas: other_deltas,
            losses: other_losses,
            scratch: other_scratch,
        };
        (one, other)
    }

    fn run(self) {
        let Self {
            pass,
            mut activations,
            mut deltas,
            losses,
            ..
        } = self;
        let scratch = &mut self.scratch[0];
        let images = self.images.run(pass.isa);
        let weights = pass.net.layer(0).weights.as_slice();
        let is_finite = vector::all_finite(pass.isa, weights);
        let whole = Accumulate::WHOLE;
        pass.first_layer(images, is_finite, whole, activations.0[0], scratch);
        pass.further_layers(&mut activations, losses.len(), scratch);
        pass.losses(images.labels, &activations, &mut deltas, losses);
        if pass.target.is_some() {
            pass.deltas(&activations, &mut deltas, losses.len(), scratch);
        }
    }
}

impl Pass<'_> {
    /// A = σ(b + X·W) of the first layer, a few images at a time, without the
    /// columns that are zero in all of them if W `is_finite`: a weight that is not
    /// shows, even if it meets only zeros.
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
            packing, x, steps, ..
        } = scratch;
        if !is_finite {
            let steps = &mut steps[..features];
            steps.iter_mut().zip(0..).for_each(|(step, j)| *step = j);
        }
        let ctx = &mut Context::new(1, packing).with_isa(isa);
        let sigma = |_, _, z: &mut [f32]| net.activation().apply(isa, z);
        for units in blocks(width, features) {
            let weights = layer.weights.block(0..features, units.clone());
            let bytes = images.bytes.chunks(images.panel * features);
            let a = a.chunks_mut(images.panel * width);
            let found = images.columns.chunks_exact(features).zip(images.counts);
            for ((bytes, a), (columns, &count)) in bytes.zip(a).zip(found) {
                let (rows, x) = (a.len() / width, &mut x[..bytes.len()]);
                vector::scale_bytes(isa, bytes, x);
                let steps = match is_finite {
                    true => &columns[..count as usize],
                    false => &steps[..features],
                };
                let mut z = Product::new(MatRef::new(x, rows, features), weights)
                    .sparse_k(SparseK::new(isa, features, steps))
                    .start(match stretch.from_bias {
                        true => Start::Row(&layer.biases[units.clone()]),
                        false => Start::C,
                    });
                if stretch.apply_activation && net.depth() > 1 {
                    z = z.epilogue(&sigma);
                }
                let mut a = MatMut::new(a, rows, width);
                z.compute(a.block(0..rows, units.clone()), ctx);
            }
        }
    }

    /// A = σ(b + A·W) of the layers after the first.
    pub(crate) fn further_layers(
        &self,
        activations: &mut Layers<'_>,
        rows: usize,
        scratch: &mut Scratch,
    ) {
        let Self { net, isa, .. } = *self;
        let widths = net.widths();
        let ctx = &mut Context::new(1, &mut scratch.packing).with_isa(isa);
        for l in 1..net.depth() {
            let (before, after) = activations.0.split_at_mut(l);
            let input = MatRef::new(before[l - 1], rows, widths[l]);
            net.layer_forward(l, input, after[0], ctx);
        }
    }

    /// The losses, and the gradient by the logits.
    pub(crate) fn losses(
        &self,
        labels: &[u8],
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        losses: &mut [f32],
    ) {
        let (last, rows) = (self.net.depth() - 1, losses.len());
        let classes = self.net.widths()[last + 1];
        let (isa, target) = (self.isa, self.target.unwrap_or(LossTarget::new(1.0)));
        let logits = MatRef::new(activations.0[last], rows, classes);
        let dlogits = MatMut::new(deltas.0[last], rows, classes);
        softmax_cross_entropy(isa, logits, labels, target, dlogits, losses);
        if self.defects.has(Defect::RawLogitGradient) {
            let dlogits = MatMut::new(deltas.0[last], rows, classes);
            defects::raw_logit_gradient(logits, labels, target.scale, dlogits);
        }
    }

    /// dZ of the layer below = dZ·Wᵀ ⊙ σ′(Z).
    pub(crate) fn deltas(
        &self,
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        rows: usize,
        scratch: &mut Scratch,
    ) {
        let Self { net, isa, .. } = *self;
        let widths = net.widths();
        let ctx = &mut Context::new(1, &mut scratch.packing).with_isa(isa);
        for l in (1..net.depth()).rev() {
            let (before, after) = deltas.0.split_at_mut(l);
            let dz = MatRef::new(after[0], rows, widths[l + 1]);
            let a = MatRef::new(activations.0[l - 1], rows, widths[l]);
            net.layer_backward(l, dz, a, before[l - 1], ctx);
        }
    }
}

/// What all shares of parameters have in common: what the examples left.
#[derive(Clone, Copy)]
pub(crate) struct Sums<'a> {
    pub(crate) isa: Isa,
    pub(crate) defects: Defects,
    pub(crate) widths: &'a [usize],
    pub(crate) rows: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) activations: &'a [f32],
    pub(crate) deltas: &'a [f32],
    /// Whether the sums go on from those of the chunk before.
    pub(crate) accumulate: bool,
    /// How the parameters move; `None` if they do not.
    pub(crate) update: Option<Update>,
}

impl Sums<'_> {
    /// What the sums start from.
    fn start(&self) -> Start<'static> {
        if self.accumulate {
            Start::C
        } else {
            Start::Zero
        }
    }

    /// Moves the parameters in a range, if they are to move, by their gradient.
    /// Returns whether they are known to be finite then.
    fn update(
        &self,
        params: &mut [f32],
        velocity: &mut [f32],
        range: Range<usize>,
        gradient: &[f32],
        is_bias: bool,
    ) -> bool {
        let Some(update) = &self.update else {
            return false;
        };
        let (isa, rule, rate) = (self.isa, &update.rule, update.learning_rate);
        let (params, velocity) = (&mut params[range.clone()], &mut velocity[range]);
        if self.defects.has(Defect::MomentumOnWeights) {
            defects::momentum_on_weights(isa, rule, is_bias, params, gradient, rate);
            false
        } else {
            rule.step_tensor(isa, is_bias, params, velocity, gradient, rate)
        }
    }
}

/// Parameters whose gradients are to be summed.
pub(crate) struct Parameters<'a> {
    pub(crate) sums: Sums<'a>,
    /// The number of the first, among all parameters of the net.
    pub(crate) first: usize,
    pub(crate) values: Values<'a>,
    /// One for each thread.
    pub(crate) scratch: &'a mut [Scratch],
}

/// Parameters, what their gradients are summed in, and their velocities. Those
/// that do not move have a gradient only.
pub(crate) struct Values<'a> {
    pub(crate) gradient: &'a mut [f32],
    pub(crate) params: &'a mut [f32],
    pub(crate) velocity: &'a mut [f32],
}

impl Values<'_> {
    fn split(self, cut: usize) -> (Self, Self) {
        let moving = cut.min(self.params.len());
        let (gradient, other_gradient) = self.gradient.split_at_mut(cut);
        let (params, other_params) = self.params.split_at_mut(moving);
        let (velocity, other_velocity) = self.velocity.split_at_mut(moving);
        let one = Self {
            gradient,
            params,
            velocity,
        };
        let other = Self {
            gradient: other_gradient,
            params: other_params,
            velocity: other_velocity,
        };
        (one, other)
    }

    /// Moves parameters whose gradients are complete, if they are to move.
    fn update(&mut self, sums: &Sums<'_>, range: Range<usize>, is_bias: bool) {
        let gradient = &self.gradient[range.clone()];
        let (params, velocity) = (&mut self.params[..], &mut self.velocity[..]);
        sums.update(params, velocity, range, gradient, is_bias);
    }
}

impl Share for Parameters<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let cut = self.cut(self.values.gradient.len() * left / pieces);
        let (values, other_values) = self.values.split(cut);
        let (scratch, other_scratch) = self.scratch.split_at_mut(left);
        let one = Self {
            sums: self.sums,
            first: self.first,
            values,
            scratch,
        };
        let other = Self {
            sums: self.sums,
            first: self.first + cut,
            values: other_values,
            scratch: other_scratch,
        };
        (one, other)
    }

    fn run(mut self) {
        let (widths, rows) = (self.sums.widths, self.sums.rows);
        // The layer's first activation.
        let mut block = 0;
        let mut input = MatRef::new(&[], 0, 0);
        for (l, layer) in layers(widths).enumerate() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let start = layer.params().start;
            let range = block..block + rows * outputs;
            let dz = MatRef::new(&self.sums.deltas[range.clone()], rows, outputs);
            // The rows of W that this share has, and the biases below them.
            let end = self.first + self.values.gradient.len();
            let row = |at: usize| (at.max(start) - start).div_ceil(outputs).min(inputs + 1);
            let (from, to) = (row(self.first), row(end));
            if l == 0 {
                self.first_weights(from..to.min(inputs), dz);
            } else if from < to.min(inputs) {
                self.weights(start, from..to.min(inputs), input, dz);
            }
            if from <= inputs && to > inputs {
                self.biases(layer.biases().start, dz);
            }
            input = MatRef::new(&self.sums.activations[range.clone()], rows, outputs);
            block = range.end;
        }
    }
}

impl Parameters<'_> {
    /// Where these parameters may be cut, not far from the one that is `near`
    /// from the first: between two rows of weights, of the first layer's at the
    /// end of a group of pixels.
    fn cut(&self, near: usize) -> usize {
        let near = self.first + near;
        for (l, layer) in layers(self.sums.widths).enumerate() {
            let params = layer.params();
            if near < params.end {
                let group = if l == 0 { zeros::GROUP } else { 1 };
                let row = (near - params.start) / layer.outputs / group * group;
                return layer.row(row).start.max(self.first) - self.first;
            }
        }
        self.values.gradient.len()
    }

    /// dW += Xᵀ·dZ of rows of the first layer, a few pixels at a time, without
    /// the images in which all of them are zero.
    fn first_weights(&mut self, rows: Range<usize>, dz: MatRef<'_>) {
        let Sums { isa, bytes, .. } = self.sums;
        let (features, outputs, images) = (self.sums.widths[0], dz.cols(), dz.rows());
        let Scratch {
            packing,
            x,
            masks,
            steps,
            dw,
            is_finite,
        } = &mut self.scratch[0];
        *is_finite = true;
        let ctx = &mut Context::new(1, packing).with_isa(isa);
        let masks = &mut masks[..images];
        // A gradient that nobody will ask for again is gone once its parameters
        // have moved: then it leaves L1 to them and their velocities.
        let keep_gradient = self.sums.accumulate || self.sums.update.is_none();
        let mut cuts = [0; _];
        // Not for each group, whose parameters may be few.
        let together = WORTH_MOVING.div_ceil(zeros::GROUP * outputs.max(1));
        for first in rows.clone().step_by(zeros::BLOCK) {
            let block = first..rows.end.min(first + zeros::BLOCK);
            let x = &mut x[..images * block.len()];
            vector::scale_columns(isa, bytes, features, first, block.len(), x);
            let x = MatRef::new(x, images, block.len());
            zeros::groups(isa, bytes, features, first, masks);
            let groups = block.len().div_ceil(zeros::GROUP);
            let steps = zeros::lists(isa, masks, groups, steps, &mut cuts);
            for units in blocks(outputs, 4 * images) {
                let dz = dz.block(0..images, units.clone());
                for first in (0..groups).step_by(together) {
                    let groups = first..groups.min(first + together);
                    let columns =
                        groups.start * zeros::GROUP..block.len().min(groups.end * zeros::GROUP);
                    let steps = steps.lists(groups);
                    let at = |pixel: usize| (block.start + pixel) * outputs - self.first;
                    let range = at(columns.start)..at(columns.end);
                    let mut dw = if keep_gradient {
                        let dw = &mut self.values.gradient[range.clone()];
                        MatMut::with_row_stride(
                            &mut dw[units.start..],
                            columns.len(),
                            units.len(),
                            outputs,
                        )
                    } else {
                        let len = columns.len() * units.len();
                        MatMut::new(&mut dw[..len], columns.len(), units.len())
                    };
                    if !steps.is_empty() {
                        Product::new(x.block(0..images, columns).t(), dz)
                            .sparse_k(steps)
                            .start(self.sums.start())
                            .compute(dw.as_mut(), ctx);
                    } else if !self.sums.accumulate {
                        (0..dw.rows()).for_each(|i| dw.row_mut(i).fill(0.0));
                    }
                    let (params, velocity) = (&mut self.values.params, &mut self.values.velocity);
                    let dw = dw.as_ref();
                    if units.len() == outputs {
                        *is_finite &=
                            self.sums
                                .update(params, velocity, range, dw.as_slice(), false);
                    } else {
                        for i in 0..dw.rows() {
                            let row = range.start + i * outputs;
                            let range = row + units.start..row + units.end;
                            *is_finite &=
                                self.sums.update(params, velocity, range, dw.row(i), false);
                        }
                    }
                }
            }
        }
    }

    /// dW += Aᵀ·dZ of rows of a further layer, whose parameters begin at
    /// `start`.
    fn weights(&mut self, start: usize, rows: Range<usize>, a: MatRef<'_>, dz: MatRef<'_>) {
        let Sums { isa, .. } = self.sums;
        let outputs = dz.cols();
        let at = |row: usize| start + row * outputs - self.first;
        let range = at(rows.start)..at(rows.end);
        let dw = &mut self.values.gradient[range.clone()];
        Product::new(a.block(0..a.rows(), rows.clone()).t(), dz)
            .start(self.sums.start())
            .compute(
                MatMut::new(dw, rows.len(), outputs),
                &mut Context::new(1, &mut self.scratch[0].packing).with_isa(isa),
            );
        self.values.update(&self.sums, range, false);
    }

    /// db += Σ rows dZ, of the biases that begin at `start`.
    fn biases(&mut self, start: usize, dz: MatRef<'_>) {
        let range = start - self.first..start - self.first + dz.cols();
        let db = &mut self.values.gradient[range.clone()];
        if !self.sums.accumulate {
            db.fill(0.0);
        }
        vector::add_rows(self.sums.isa, db, dz.as_slice());
        self.values.update(&self.sums, range, true);
    }
}
