//! Scratch memory, and the passes over examples that use it.

use crate::data::{Dataset, Subset};
use crate::gemm::{Context, pixels};
use crate::isa::Isa;
use crate::loss::{Reduction, softmax_cross_entropy};
use crate::matrix::{MatMut, MatRef};
use crate::metrics::Confusion;
use crate::net::{Inputs, NetRef, activations_len, params_len};
use crate::vector;
use alloc::{vec, vec::Vec};
use core::fmt;

/// Examples that go through the net at a time. Sums over more of them go on
/// from chunk to chunk in the order of the examples, so this changes no bit.
const CHUNK: usize = 256;

/// Products of fewer multiply-adds than this stay on one thread: twice as many
/// take some 120 µs there, and waking another thread costs a fourth of that.
const SERIAL_BELOW: usize = 1 << 23;

/// The memory that passes over a data set need: allocated once, used by every
/// step.
#[derive(Clone, Debug)]
pub struct Workspace {
    widths: Vec<usize>,
    threads: usize,
    isa: Isa,
    /// Examples of the pass that has just been made.
    rows: usize,
    /// The columns of the examples that are not zero throughout, as many of
    /// these places as are `occupied`, and the pixels in them.
    columns: Vec<u32>,
    occupied: usize,
    pixels: Vec<f32>,
    labels: Vec<u8>,
    activations: Vec<f32>,
    deltas: Vec<f32>,
    gradient: Vec<f32>,
    packing: Vec<f32>,
}

/// Loss and predictions on a set of examples.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// The cross-entropy in nats, mean or sum as asked for.
    pub loss: f64,
    /// True and predicted classes.
    pub confusion: Confusion,
}

/// A tensor of the net, named for messages; layers count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Tensor {
    /// The weights of a layer.
    Weights(usize),
    /// The biases of a layer.
    Biases(usize),
    /// What a hidden layer makes of the examples.
    Activations(usize),
    /// What the output layer makes of them.
    Logits,
    /// The loss itself.
    Loss,
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights(layer) => write!(f, "the weights of layer {layer}"),
            Self::Biases(layer) => write!(f, "the biases of layer {layer}"),
            Self::Activations(layer) => write!(f, "the activations of layer {layer}"),
            Self::Logits => write!(f, "the logits"),
            Self::Loss => write!(f, "the loss"),
        }
    }
}

impl Workspace {
    /// Memory for a net with layers of these widths, on at most `threads`
    /// threads (see [`Context::new`]).
    ///
    /// # Panics
    /// Panics if `threads` is 0.
    pub fn new(widths: &[usize], threads: usize) -> Self {
        assert!(threads > 0, "passes on no thread");
        Self {
            threads,
            isa: Isa::detect(),
            rows: 0,
            pixels: vec![0.0; CHUNK * widths[0]],
            columns: vec![0; widths[0]],
            occupied: 0,
            labels: vec![0; CHUNK],
            activations: vec![0.0; activations_len(widths, CHUNK)],
            deltas: vec![0.0; activations_len(widths, CHUNK)],
            gradient: vec![0.0; params_len(widths)],
            packing: Context::packing(threads),
            widths: widths.to_vec(),
        }
    }

    /// The same with another instruction set than the fastest.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The gradient that [`Workspace::compute_gradient`] left, laid out like
    /// the parameters of the net.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// Computes the gradient of the loss of a mini-batch, the examples of
    /// `data` with these indices, and returns the sum of their losses.
    ///
    /// The gradient is that of the loss reduced as asked for; the returned sum
    /// is not reduced. Where it is not finite the gradient is not whole.
    ///
    /// # Panics
    /// Panics if the net has other widths than the workspace, if the images do
    /// not fit them, or if a label is not below the number of classes.
    pub fn compute_gradient(
        &mut self,
        net: NetRef<'_>,
        data: &Dataset,
        batch: &[u32],
        reduction: Reduction,
    ) -> f64 {
        let scale = reduction.scale(batch.len()) as f32;
        self.gradient.fill(0.0);
        let mut total = 0.0;
        for chunk in batch.chunks(CHUNK) {
            self.forward(net, data, chunk, scale, &mut total);
            if !f64::is_finite(total) {
                break;
            }
            let len = activations_len(&self.widths, chunk.len());
            let columns = &self.columns[..self.occupied];
            let x = &self.pixels[..chunk.len() * columns.len()];
            net.backward(
                Inputs::of_columns(MatRef::new(x, chunk.len(), columns.len()), columns),
                &self.activations[..len],
                &mut self.deltas[..len],
                &mut self.gradient,
                &mut context(self.threads, &mut self.packing, self.isa),
            );
        }
        total
    }

    /// The loss and the predictions of `net` on all examples of `data`. Where
    /// the loss is not finite the predictions are not whole.
    ///
    /// # Panics
    /// Panics where [`Workspace::compute_gradient`] does.
    pub fn evaluate(
        &mut self,
        net: NetRef<'_>,
        data: &Subset<'_>,
        reduction: Reduction,
    ) -> Evaluation {
        let mut total = 0.0;
        let mut confusion = Confusion::new(self.classes());
        for chunk in data.indices().chunks(CHUNK) {
            self.forward(net, data.dataset(), chunk, 1.0, &mut total);
            if !f64::is_finite(total) {
                break;
            }
            let len = activations_len(&self.widths, chunk.len());
            let logits = net.activation_of(net.depth() - 1, &self.activations[..len]);
            for (i, &label) in self.labels[..chunk.len()].iter().enumerate() {
                confusion.add(usize::from(label), vector::argmax(logits.row(i)));
            }
        }
        Evaluation {
            loss: total * reduction.scale(data.len()),
            confusion,
        }
    }

    /// The first tensor, in the order of the computation, that is not finite
    /// in the pass that has just been made.
    pub(crate) fn first_not_finite(&self, net: NetRef<'_>) -> Tensor {
        for l in 0..net.depth() {
            let layer = net.layer(l);
            if !vector::all_finite(layer.weights.as_slice()) {
                return Tensor::Weights(l + 1);
            }
            if !vector::all_finite(layer.biases) {
                return Tensor::Biases(l + 1);
            }
        }
        let activations = &self.activations[..activations_len(&self.widths, self.rows)];
        for l in 0..net.depth() {
            if !vector::all_finite(net.activation_of(l, activations).as_slice()) {
                let hidden = l + 1 < net.depth();
                return if hidden {
                    Tensor::Activations(l + 1)
                } else {
                    Tensor::Logits
                };
            }
        }
        Tensor::Loss
    }

    /// One chunk through the net: leaves pixels, labels, activations and the
    /// gradient by the logits, and adds the losses to `total`.
    fn forward(
        &mut self,
        net: NetRef<'_>,
        data: &Dataset,
        chunk: &[u32],
        scale: f32,
        total: &mut f64,
    ) {
        assert_eq!(net.widths(), self.widths, "a net and its workspace");
        let (rows, classes) = (chunk.len(), self.classes());
        self.rows = rows;
        let mut images = [&[][..]; CHUNK];
        for ((&i, image), label) in chunk.iter().zip(&mut images).zip(&mut self.labels) {
            *image = data.image(i as usize);
            *label = data.label(i as usize);
        }
        let (images, labels) = (&images[..rows], &self.labels[..rows]);
        assert_eq!(data.features(), self.widths[0], "pixels of an image");
        self.occupied = pixels::occupied(images, &mut self.columns);
        // A weight that is not finite shows, even if it meets only zeros.
        if !dropped_rows_are_finite(net, &self.columns[..self.occupied]) {
            self.occupied = self.columns.len();
            self.columns
                .iter_mut()
                .zip(0..)
                .for_each(|(column, i)| *column = i);
        }
        let columns = &self.columns[..self.occupied];
        let x = &mut self.pixels[..rows * columns.len()];
        pixels::pack(self.isa, images, columns, x);
        let len = activations_len(&self.widths, rows);
        let logits = net.forward(
            Inputs::of_columns(MatRef::new(x, rows, columns.len()), columns),
            &mut self.activations[..len],
            &mut context(self.threads, &mut self.packing, self.isa),
        );
        let dlogits = &mut self.deltas[len - rows * classes..len];
        let dlogits = MatMut::new(dlogits, rows, classes);
        softmax_cross_entropy(logits, labels, scale, dlogits, total);
    }

    fn classes(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }
}

/// The context of a pass. Between its products there are pauses, after which a
/// second thread must be woken.
fn context(threads: usize, packing: &mut [f32], isa: Isa) -> Context<'_> {
    Context::new(threads, packing)
        .with_isa(isa)
        .with_serial_below(SERIAL_BELOW)
}

/// Whether the weights that meet none of these columns are all finite.
fn dropped_rows_are_finite(net: NetRef<'_>, columns: &[u32]) -> bool {
    let weights = net.layer(0).weights;
    let mut next = 0;
    let ends = columns.iter().map(|&column| column as usize);
    ends.chain([weights.rows()]).all(|end| {
        let dropped = weights.block(next..end, 0..weights.cols());
        next = end + 1;
        vector::all_finite(dropped.as_slice())
    })
}
