//! Data parallelism: a chunk of examples or images, shared out among threads.
//!
//! Two pieces of work with a synchronisation after each. An example's forward pass,
//! loss and deltas need no other example, so threads share out the [`Examples`]
//! first. Then they share out the parameters ([`Gradients`]), because a gradient sums
//! over all examples, in order.
//!
//! [`Gradients`]: crate::step::gradients::Gradients

use crate::compute::thread_team::{Work, split_fields};
use crate::compute::vector;
use crate::step::batch::{GatherJob, ListJob};
use crate::step::pass::{Accumulate, Layers, Pass};
use crate::step::scratch::Scratch;

/// Examples to be passed through the net.
pub(crate) struct Examples<'a> {
    pub(crate) pass: Pass<'a>,
    pub(crate) images: GatherJob<'a>,
    pub(crate) activations: Layers<'a>,
    /// The gradient of the loss by the sums of each layer.
    pub(crate) deltas: Layers<'a>,
    pub(crate) losses: &'a mut [f32],
    /// Scratch memory of each thread.
    pub(crate) scratch: &'a mut [Scratch],
}

impl Work for Examples<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let widths = self.pass.net.widths();
        let halves = self.images.split(left, pieces);
        let rows = halves.0.len();
        split_fields!(self {
            images: halves,
            activations: self.activations.split(rows, widths),
            deltas: self.deltas.split(rows, widths),
            losses: self.losses.split_at_mut(rows),
            scratch: self.scratch.split_at_mut(left),
        })
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
        let a = activations.first();
        pass.first_layer(images, is_finite, Accumulate::WHOLE, a, scratch);
        pass.further_layers(&mut activations, (losses.len(), images.examples), scratch);
        pass.losses(images.targets(), &activations, &mut deltas, losses);
        if pass.target.is_some() {
            pass.deltas(&activations, &mut deltas, images.examples, scratch);
        }
    }
}

/// Images to be passed through the net without losses.
pub(crate) struct Images<'a> {
    pub(crate) pass: Pass<'a>,
    /// Whether all weights of the first layer are finite.
    pub(crate) is_finite: bool,
    pub(crate) images: ListJob<'a>,
    pub(crate) activations: Layers<'a>,
    /// Scratch memory of each thread.
    pub(crate) scratch: &'a mut [Scratch],
}

impl Work for Images<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let widths = self.pass.net.widths();
        let halves = self.images.split(left, pieces);
        let rows = halves.0.len();
        split_fields!(self {
            images: halves,
            activations: self.activations.split(rows, widths),
            scratch: self.scratch.split_at_mut(left),
        })
    }

    fn run(self) {
        let Self {
            pass,
            is_finite,
            mut activations,
            ..
        } = self;
        let scratch = &mut self.scratch[0];
        let rows = self.images.len();
        let images = self.images.run(pass.isa);
        let a = activations.first();
        pass.first_layer(images, is_finite, Accumulate::WHOLE, a, scratch);
        pass.further_layers(&mut activations, (rows, &[]), scratch);
    }
}
