//! A shard of a net with one hidden layer.

use crate::compute::aligned::{Aligned, CACHE_LINE};
use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::Work;
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::defects::Defects;
use crate::net::dropout::Dropout;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::net::{LayerLayout, NetRef, params_len};
use crate::step::batch::BatchView;
use crate::step::gradients::{GradientInputs, Gradients};
use crate::step::pass::{Accumulate, Layers, Pass};
use crate::step::scratch::Scratch;
#[cfg(feature = "rayon")]
use crate::step::targets::Targets;
use core::ops::Range;

/// The shape of a net with one hidden layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Pixels, hidden units, classes.
    pub(crate) widths: [usize; 3],
    pub(crate) activation: Activation,
}

impl Shape {
    /// The shape of nets with layers of these widths.
    ///
    /// # Panics
    /// Panics if they have other than one hidden layer.
    pub(crate) fn new(widths: &[usize], activation: Activation) -> Self {
        let three = widths.try_into();
        Self {
            widths: three.unwrap_or_else(|_| panic!("shards of a net {widths:?}")),
            activation,
        }
    }
}

/// A rectangular slice of W1 (some inputs × some hidden units) with the elements of b1
/// and the rows of W2 that belong to its units, and with b2.
///
/// The shard is a net of its own, except that its sums are only a part of those of the
/// whole net. Parameters that several shards have are replicas: the same updates are
/// applied to all of them.
///
/// The units are filled up to whole cache lines. The weights of the padding are zero
/// and remain zero, because its activations are set to zero.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    isa: Isa,
    activation: Activation,
    /// Hidden units to leave out of this step.
    dropout: Option<Dropout>,
    pixels: Range<usize>,
    /// Hidden units, without the padding.
    units: Range<usize>,
    /// Pixels, hidden units with the padding, classes.
    widths: [usize; 3],
    params: Aligned,
    velocity: Aligned,
    gradient: Aligned,
    scratch: [Scratch; 1],
}

impl Shard {
    /// A shard of these rows and columns of W1, parameters zero, for mini-batches of up to
    /// `batch` examples.
    pub(crate) fn new(
        net: Shape,
        isa: Isa,
        pixels: Range<usize>,
        units: Range<usize>,
        batch: usize,
        buffers: &mut Buffers,
    ) -> Self {
        let classes = net.widths[2];
        let widths = [
            pixels.len(),
            units.len().next_multiple_of(CACHE_LINE),
            classes,
        ];
        Self {
            isa,
            activation: net.activation,
            dropout: None,
            scratch: [Scratch::new(widths[0], widths[1], batch, buffers)],
            pixels,
            units,
            params: buffers.aligned(params_len(&widths)),
            velocity: buffers.aligned(params_len(&widths)),
            gradient: buffers.aligned(params_len(&widths)),
            widths,
        }
    }

    /// Sets the hidden units to leave out of the next step.
    pub(crate) fn set_dropout(&mut self, dropout: Option<Dropout>) {
        self.dropout = dropout;
    }

    /// Pixels, hidden units with the padding, classes.
    pub(crate) fn widths(&self) -> [usize; 3] {
        self.widths
    }

    /// Hidden units, without the padding.
    pub(crate) fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    /// The shard as a net.
    pub(crate) fn net(&self) -> NetRef<'_> {
        NetRef::new(&self.widths, self.activation, &self.params)
    }

    /// Copies parameters and velocities out of those of a net with these widths.
    pub(crate) fn load(&mut self, widths: &[usize], params: &[f32], velocity: &[f32]) {
        for (own, whole) in self.places(widths) {
            self.params[own.clone()].copy_from_slice(&params[whole.clone()]);
            self.velocity[own].copy_from_slice(&velocity[whole]);
        }
        let weights = self.net().layer(0).weights.as_slice();
        let is_finite = vector::all_finite(self.isa, weights);
        self.scratch[0].is_finite = is_finite;
    }

    /// Copies parameters and velocities to their places in a net with these widths.
    pub(crate) fn store(&self, widths: &[usize], params: &mut [f32], velocity: &mut [f32]) {
        for (own, whole) in self.places(widths) {
            params[whole.clone()].copy_from_slice(&self.params[own.clone()]);
            velocity[whole].copy_from_slice(&self.velocity[own]);
        }
    }

    /// The places of the parameters in the shard, and in a net with these widths.
    fn places(
        &self,
        widths: &[usize],
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        let layers = |widths| [0, 1].map(|l| LayerLayout::of(widths, l));
        let ([own1, own2], [whole1, whole2]) = (layers(&self.widths[..]), layers(widths));
        let units = self.units.clone();
        // Row `i` of W1; b1 lies as a row below the last one.
        let first = move |(own, pixel)| {
            let whole = whole1.row(pixel).start + units.start;
            let own = own1.row(own).start;
            (own..own + units.len(), whole..whole + units.len())
        };
        let pixels = self.pixels.clone().chain([whole1.inputs]);
        let Range { start, end } = self.units;
        let of_w2 = (
            own2.row(0).start..own2.row(end - start).start,
            whole2.row(start).start..whole2.row(end).start,
        );
        let b2 = (own2.biases(), whole2.biases());
        pixels.enumerate().map(first).chain([of_w2, b2])
    }

    /// Computes the activations of the units, or the stretch of their sums over the
    /// pixels of the shard.
    pub(crate) fn first_layer(
        &mut self,
        images: BatchView<'_>,
        stretch: Accumulate,
        a: &mut [f32],
    ) {
        let (units, [_, width, _]) = (self.units.len(), self.widths);
        let (pass, [scratch]) = self.pass(None);
        let is_finite = scratch.is_finite;
        pass.first_layer(images, is_finite, stretch, a, scratch);
        if stretch.apply_activation && units < width {
            // σ(0) need not be 0.
            let rows = a.chunks_exact_mut(width);
            rows.for_each(|row| row[units..].fill(0.0));
        }
    }

    /// Computes logits, losses and all deltas of examples from their hidden
    /// activations, for a shard that has all hidden units.
    #[cfg(feature = "rayon")]
    pub(crate) fn second_layer(
        &mut self,
        targets: Targets<'_>,
        target: LossTarget,
        activations: &mut Layers<'_>,
        deltas: &mut Layers<'_>,
        losses: &mut [f32],
    ) {
        let (pass, [scratch]) = self.pass(Some(target));
        let rows = (losses.len(), targets.examples);
        pass.further_layers(activations, rows, scratch);
        pass.losses(targets, activations, deltas, losses);
        pass.deltas(activations, deltas, targets.examples, scratch);
    }

    /// Computes dZ1 of the units from dZ2.
    pub(crate) fn deltas(
        &mut self,
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        examples: &[u32],
    ) {
        let (pass, [scratch]) = self.pass(None);
        pass.deltas(activations, deltas, examples, scratch);
    }

    /// Computes the gradients and updates the parameters. `bytes` holds the pixels of
    /// the shard of `rows` examples; activations and deltas lie as in [`Layers::new`].
    pub(crate) fn update(
        &mut self,
        bytes: &[u8],
        rows: usize,
        (activations, deltas): (&[f32], &[f32]),
        update: &Update,
    ) {
        Gradients {
            inputs: GradientInputs {
                isa: self.isa,
                defects: Defects::NONE,
                widths: &self.widths,
                rows,
                bytes,
                activations,
                deltas,
                accumulate: false,
                update: Some(update),
            },
            first: 0,
            gradient: &mut self.gradient,
            params: &mut self.params,
            velocity: &mut self.velocity,
            scratch: &mut self.scratch,
        }
        .run();
    }

    /// The pass of examples through the shard, and the memory for it.
    fn pass(&mut self, target: Option<LossTarget>) -> (Pass<'_>, &mut [Scratch; 1]) {
        let net = NetRef::new(&self.widths, self.activation, &self.params);
        let pass = Pass {
            target,
            dropout: self.dropout,
            first_unit: self.units.start,
            ..Pass::plain(net, self.isa)
        };
        (pass, &mut self.scratch)
    }
}
