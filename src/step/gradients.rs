//! Gradients of a range of parameters, and their update.
//!
//! The mathematics of [`NetRef::backward`] and [`Momentum::step`], with the same bits.
//! A gradient sums over all examples of a chunk, in order, and goes on from the chunk
//! before. Parameters are updated as soon as their gradients are complete, while these
//! are in L1.
//!
//! [`NetRef::backward`]: crate::net::NetRef::backward
//! [`Momentum::step`]: crate::net::optimizer::Momentum::step

use crate::compute::gemm::{Context, Product, Start};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::thread_team::{Work, split_fields};
use crate::compute::vector;
use crate::compute::zeros;
use crate::net::defects::{self, Defect, Defects};
use crate::net::layers;
use crate::net::optimizer::Update;
use crate::step::pass::unit_blocks;
use crate::step::scratch::{MIN_UPDATED, Scratch};
use core::ops::Range;

/// The chunk that gradients are summed over, after its examples have passed through
/// the net, and what becomes of the gradients.
#[derive(Clone, Copy)]
pub(crate) struct GradientInputs<'a> {
    pub(crate) isa: Isa,
    pub(crate) defects: Defects,
    pub(crate) widths: &'a [usize],
    /// Examples of the chunk.
    pub(crate) rows: usize,
    /// Their pixels, example after example.
    pub(crate) bytes: &'a [u8],
    pub(crate) activations: &'a [f32],
    pub(crate) deltas: &'a [f32],
    /// Whether the sums go on from those of the chunk before.
    pub(crate) accumulate: bool,
    /// Update of the parameters; `None` computes gradients only.
    pub(crate) update: Option<&'a Update>,
}

impl GradientInputs<'_> {
    /// Start of the sums.
    fn start(&self) -> Start<'static> {
        if self.accumulate {
            Start::C
        } else {
            Start::Zero
        }
    }

    /// Updates the parameters in a range by their gradient, if parameters move. Returns
    /// whether they are known to be finite afterwards.
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

    /// Updates the columns `units` of the rows of W from parameter `start` on, `width`
    /// columns wide, whose gradient is `dw`. Returns whether they are known to be
    /// finite afterwards.
    #[inline]
    fn update_rows(
        &self,
        (params, velocity): (&mut [f32], &mut [f32]),
        (start, width): (usize, usize),
        units: Range<usize>,
        dw: MatRef<'_>,
    ) -> bool {
        if units.len() == width {
            let range = start..start + dw.rows() * width;
            return self.update(params, velocity, range, dw.as_slice(), false);
        }
        let mut is_finite = true;
        for i in 0..dw.rows() {
            let row = start + i * width;
            let range = row + units.start..row + units.end;
            is_finite &= self.update(params, velocity, range, dw.row(i), false);
        }
        is_finite
    }
}

/// The job of summing the gradients of a range of parameters.
pub(crate) struct Gradients<'a> {
    pub(crate) inputs: GradientInputs<'a>,
    /// The place of the first one among all parameters of the net.
    pub(crate) first: usize,
    pub(crate) gradient: &'a mut [f32],
    /// Parameters of these gradients; empty if only gradients are computed.
    pub(crate) params: &'a mut [f32],
    /// Velocities of `params`.
    pub(crate) velocity: &'a mut [f32],
    /// Scratch memory of each thread.
    pub(crate) scratch: &'a mut [Scratch],
}

impl Work for Gradients<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let cut = self.cut(self.gradient.len() * left / pieces);
        let moving = cut.min(self.params.len());
        split_fields!(self {
            first: (self.first, self.first + cut),
            gradient: self.gradient.split_at_mut(cut),
            params: self.params.split_at_mut(moving),
            velocity: self.velocity.split_at_mut(moving),
            scratch: self.scratch.split_at_mut(left),
        })
    }

    fn run(mut self) {
        let GradientInputs {
            widths,
            rows,
            activations,
            deltas,
            ..
        } = self.inputs;
        // The place of the layer's first activation.
        let mut block = 0;
        let mut input = MatRef::new(&[], 0, 0);
        for (l, layer) in layers(widths).enumerate() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let start = layer.params().start;
            let range = block..block + rows * outputs;
            let dz = MatRef::new(&deltas[range.clone()], rows, outputs);
            // The rows of W in this range of parameters, and the biases below them.
            let end = self.first + self.gradient.len();
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
            input = MatRef::new(&activations[range.clone()], rows, outputs);
            block = range.end;
        }
    }
}

impl Gradients<'_> {
    /// The last valid cut within the first `near` parameters: between two rows of weights;
    /// in the first layer, between two groups of pixels.
    fn cut(&self, near: usize) -> usize {
        let near = self.first + near;
        for (l, layer) in layers(self.inputs.widths).enumerate() {
            let params = layer.params();
            if near < params.end {
                let group = if l == 0 { zeros::GROUP } else { 1 };
                let row = (near - params.start) / layer.outputs / group * group;
                return layer.row(row).start.max(self.first) - self.first;
            }
        }
        self.gradient.len()
    }

    /// dW += Xᵀ·dZ of rows of the first layer, a few pixels at a time, without the
    /// images in which all of them are zero.
    fn first_weights(&mut self, rows: Range<usize>, dz: MatRef<'_>) {
        let GradientInputs { isa, bytes, .. } = self.inputs;
        let (features, outputs, images) = (self.inputs.widths[0], dz.cols(), dz.rows());
        let Scratch {
            packing,
            x,
            masks,
            indices,
            dw,
            is_finite,
        } = &mut self.scratch[0];
        *is_finite = true;
        let ctx = &mut Context::new(1, packing).with_isa(isa);
        let masks = &mut masks[..images];
        // A gradient that nobody reads again is not written to memory: L1 is left to
        // the parameters and their velocities.
        let keep_gradient = self.inputs.accumulate || self.inputs.update.is_none();
        let mut cuts = [0; _];
        // A group may have few parameters, too few for an update of their own.
        let together = MIN_UPDATED.div_ceil(zeros::GROUP * outputs.max(1));
        for first in rows.clone().step_by(zeros::BLOCK) {
            let block = first..rows.end.min(first + zeros::BLOCK);
            let x = &mut x[..images * block.len()];
            vector::scale_columns(isa, bytes, features, first, block.len(), x);
            let x = MatRef::new(x, images, block.len());
            zeros::groups(isa, bytes, features, first, masks);
            let groups = block.len().div_ceil(zeros::GROUP);
            let lists = zeros::lists(isa, masks, groups, indices, &mut cuts);
            for units in unit_blocks(outputs, 4 * images) {
                let dz = dz.block(0..images, units.clone());
                for first in (0..groups).step_by(together) {
                    let groups = first..groups.min(first + together);
                    let columns =
                        groups.start * zeros::GROUP..block.len().min(groups.end * zeros::GROUP);
                    let lists = lists.lists(groups);
                    let at = |pixel: usize| (block.start + pixel) * outputs - self.first;
                    let range = at(columns.start)..at(columns.end);
                    let mut dw = if keep_gradient {
                        let dw = &mut self.gradient[range.clone()][units.start..];
                        MatMut::with_row_stride(dw, columns.len(), units.len(), outputs)
                    } else {
                        let len = columns.len() * units.len();
                        MatMut::new(&mut dw[..len], columns.len(), units.len())
                    };
                    if !lists.is_empty() {
                        Product::new(x.block(0..images, columns).t(), dz)
                            .sparse_k(lists)
                            .start(self.inputs.start())
                            .compute(dw.as_mut(), ctx);
                    } else if !self.inputs.accumulate {
                        (0..dw.rows()).for_each(|i| dw.row_mut(i).fill(0.0));
                    }
                    let values = (&mut self.params[..], &mut self.velocity[..]);
                    let (place, units) = ((range.start, outputs), units.clone());
                    let dw = dw.as_ref();
                    *is_finite &= self.inputs.update_rows(values, place, units, dw);
                }
            }
        }
    }

    /// dW += Aᵀ·dZ of rows of a further layer, whose parameters begin at `start`.
    fn weights(&mut self, start: usize, rows: Range<usize>, a: MatRef<'_>, dz: MatRef<'_>) {
        let outputs = dz.cols();
        let at = |row: usize| start + row * outputs - self.first;
        let range = at(rows.start)..at(rows.end);
        let dw = &mut self.gradient[range.clone()];
        let ctx = &mut Context::new(1, &mut self.scratch[0].packing).with_isa(self.inputs.isa);
        Product::new(a.block(0..a.rows(), rows.clone()).t(), dz)
            .start(self.inputs.start())
            .compute(MatMut::new(dw, rows.len(), outputs), ctx);
        self.update(range, false);
    }

    /// db += Σ rows dZ, of the biases that begin at `start`.
    fn biases(&mut self, start: usize, dz: MatRef<'_>) {
        let range = start - self.first..start - self.first + dz.cols();
        let db = &mut self.gradient[range.clone()];
        if !self.inputs.accumulate {
            db.fill(0.0);
        }
        vector::add_rows(self.inputs.isa, db, dz.as_slice());
        self.update(range, true);
    }

    /// Updates parameters whose gradients are complete, if parameters move.
    fn update(&mut self, range: Range<usize>, is_bias: bool) {
        let gradient = &self.gradient[range.clone()];
        self.inputs
            .update(self.params, self.velocity, range, gradient, is_bias);
    }
}
