//! Parts of a net with one hidden layer, that threads keep to themselves.

use crate::compute::aligned::{Aligned, CACHE_LINE};
use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::defects::Defects;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::net::{LayerLayout, NetRef, params_len};
use crate::step::batch::BatchView;
use crate::step::share::{Accumulate, Layers, Parameters, Pass, Scratch, Share, Sums, Values};
use core::ops::Range;

/// Some pixels and some hidden units: a net of its own, but that its sums are only
/// a part of those of the whole net. Parts with the same units have the same
/// biases of them and the same weights to the classes, and all parts have the same
/// biases of the classes; they move them alike.
///
/// It has whole cache lines of units. The last one is filled up with units whose
/// weights are zero, and remain so: they are held silent.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    isa: Isa,
    activation: Activation,
    pixels: Range<usize>,
    /// Without those that it is filled up with.
    units: Range<usize>,
    widths: [usize; 3],
    params: Aligned,
    velocity: Aligned,
    gradient: Aligned,
    scratch: [Scratch; 1],
}

impl Shard {
    /// A part of a net with so many classes, for mini-batches of up to so many
    /// examples.
    pub(crate) fn new(
        net: NetRef<'_>,
        isa: Isa,
        pixels: Range<usize>,
        units: Range<usize>,
        batch: usize,
    ) -> Self {
        let classes = net.widths()[2];
        let widths = [
            pixels.len(),
            units.len().next_multiple_of(CACHE_LINE),
            classes,
        ];
        Self {
            isa,
            activation: net.activation(),
            scratch: [Scratch::new(widths[0], widths[1], batch)],
            pixels,
            units,
            params: Aligned::zeros(params_len(&widths)),
            velocity: Aligned::zeros(params_len(&widths)),
            gradient: Aligned::zeros(params_len(&widths)),
            widths,
        }
    }

    /// Its widths: pixels, units with those that it is filled up with, classes.
    pub(crate) fn widths(&self) -> [usize; 3] {
        self.widths
    }

    /// Its hidden units.
    pub(crate) fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    /// The part as a net.
    pub(crate) fn net(&self) -> NetRef<'_> {
        NetRef::new(&self.widths, self.activation, &self.params)
    }

    /// Takes over parameters and velocities of a net of these widths.
    pub(crate) fn load(&mut self, widths: &[usize], params: &[f32], velocity: &[f32]) {
        for (own, whole) in self.places(widths) {
            self.params[own.clone()].copy_from_slice(&params[whole.clone()]);
            self.velocity[own].copy_from_slice(&velocity[whole]);
        }
        let weights = self.net().layer(0).weights.as_slice();
        let is_finite = vector::all_finite(self.isa, weights);
        self.scratch[0].is_finite = is_finite;
    }

    /// Gives them back.
    pub(crate) fn store(&self, widths: &[usize], params: &mut [f32], velocity: &mut [f32]) {
        for (own, whole) in self.places(widths) {
            params[whole.clone()].copy_from_slice(&self.params[own.clone()]);
            velocity[whole].copy_from_slice(&self.velocity[own]);
        }
    }

    /// Where its parameters lie in it, and among those of a net of these widths.
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

    /// The activations that images of its pixels have, or what these add to the
    /// sums that they come from.
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
            // σ of zero need not be zero.
            let rows = a.chunks_exact_mut(width);
            rows.for_each(|row| row[units..].fill(0.0));
        }
    }

    /// The logits of examples whose hidden activations are there, their losses,
    /// and the gradient by all sums.
    #[cfg(feature = "rayon")]
    pub(crate) fn head(
        &mut self,
        labels: &[u8],
        target: LossTarget,
        activations: &mut Layers<'_>,
        deltas: &mut Layers<'_>,
        losses: &mut [f32],
    ) {
        let (pass, [scratch]) = self.pass(Some(target));
        pass.further_layers(activations, losses.len(), scratch);
        pass.losses(labels, activations, deltas, losses);
        pass.deltas(activations, deltas, losses.len(), scratch);
    }

    /// The gradient by the sums of its units, from that by the logits.
    pub(crate) fn deltas(
        &mut self,
        activations: &Layers<'_>,
        deltas: &mut Layers<'_>,
        rows: usize,
    ) {
        let (pass, [scratch]) = self.pass(None);
        pass.deltas(activations, deltas, rows, scratch);
    }

    /// The gradient of its parameters, and their step. `bytes` are its pixels of
    /// so many examples; activations and deltas lie as [`Layers`] do.
    pub(crate) fn step(
        &mut self,
        bytes: &[u8],
        rows: usize,
        (activations, deltas): (&[f32], &[f32]),
        update: &Update,
    ) {
        Parameters {
            sums: Sums {
                isa: self.isa,
                defects: Defects::NONE,
                widths: &self.widths,
                rows,
                bytes,
                activations,
                deltas,
                accumulate: false,
                update: Some(*update),
            },
            first: 0,
            values: Values {
                gradient: &mut self.gradient,
                params: &mut self.params,
                velocity: &mut self.velocity,
            },
            scratch: &mut self.scratch,
        }
        .run();
    }

    /// The pass of a mini-batch through it, and what it needs for that.
    fn pass(&mut self, target: Option<LossTarget>) -> (Pass<'_>, &mut [Scratch; 1]) {
        let pass = Pass {
            net: NetRef::new(&self.widths, self.activation, &self.params),
            isa: self.isa,
            defects: Defects::NONE,
            target,
        };
        (pass, &mut self.scratch)
    }
}
