//! Training as a plain loop over a peer's products.

use crate::case::{Case, RATE, RULE};
use crate::common::peers::Operand;
use handwritten::compute::vector;
use handwritten::data::Dataset;
use handwritten::net::loss::{LossTarget, softmax_cross_entropy};
use handwritten::{Activation, Isa, MatMut, MatRef};

/// A peer's product, see [`crate::common::peers`].
pub(crate) type Multiply = fn(
    shape: (usize, usize, usize),
    a: Operand<'_>,
    b: Operand<'_>,
    accumulate: bool,
    c: &mut [f32],
    threads: usize,
);

/// The net, optimizer state and buffers of a training loop over a peer's products.
pub(crate) struct Peer<'a> {
    multiply: Multiply,
    case: Case,
    isa: Isa,
    data: &'a Dataset,
    /// All images as numbers in [0, 1], images × 784.
    pixels: &'a [f32],
    pub(crate) params: Vec<f32>,
    velocity: Vec<f32>,
    gradient: Vec<f32>,
    x: Vec<f32>,
    labels: Vec<u8>,
    hidden: Vec<f32>,
    dhidden: Vec<f32>,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
    losses: Vec<f32>,
}

impl<'a> Peer<'a> {
    /// Maximum number of images that are processed at a time, so that the buffers of a full
    /// batch stay in the caches.
    const CHUNK: usize = 1024;

    pub(crate) fn new(
        multiply: Multiply,
        case: Case,
        isa: Isa,
        data: &'a Dataset,
        pixels: &'a [f32],
    ) -> Self {
        let rows = case.batch.min(Self::CHUNK);
        let params = case.initial_net().view().params().to_vec();
        Self {
            multiply,
            case,
            isa,
            data,
            pixels,
            velocity: vec![0.0; params.len()],
            gradient: vec![0.0; params.len()],
            params,
            x: vec![0.0; rows * 784],
            labels: vec![0; rows],
            hidden: vec![0.0; rows * case.hidden],
            dhidden: vec![0.0; rows * case.hidden],
            logits: vec![0.0; rows * 10],
            dlogits: vec![0.0; rows * 10],
            losses: vec![0.0; rows],
        }
    }

    /// Trains on the images in this order.
    pub(crate) fn train(&mut self, order: &[u32]) {
        for batch in order.chunks(self.case.batch) {
            for (i, chunk) in batch.chunks(Self::CHUNK).enumerate() {
                self.add_gradient(chunk, i > 0, 1.0 / batch.len() as f32);
            }
            let (params, velocity) = (&mut self.params, &mut self.velocity);
            let widths = self.case.widths();
            RULE.step(self.isa, &widths, params, velocity, &self.gradient, RATE);
        }
    }

    /// Computes the gradient of `scale` times the sum of the losses of a chunk of images,
    /// and adds it to that of the chunks before if `accumulate` is set.
    fn add_gradient(&mut self, chunk: &[u32], accumulate: bool, scale: f32) {
        let (rows, h) = (chunk.len(), self.case.hidden);
        let (by_peer, threads) = (self.multiply, self.case.threads);
        let multiply = |shape, a: Operand<'_>, b: Operand<'_>, accumulate, c: &mut [f32]| {
            by_peer(shape, a, b, accumulate, c, threads);
        };
        let images = self.x.chunks_exact_mut(784).zip(&mut self.labels);
        for (&i, (image, label)) in chunk.iter().zip(images) {
            image.copy_from_slice(&self.pixels[i as usize * 784..][..784]);
            *label = self.data.label(i as usize);
        }
        let x = &self.x[..rows * 784];
        let (a, da) = (&mut self.hidden[..rows * h], &mut self.dhidden[..rows * h]);
        let (z, dz) = (
            &mut self.logits[..rows * 10],
            &mut self.dlogits[..rows * 10],
        );
        let (w1, rest) = self.params.split_at(784 * h);
        let (b1, rest) = rest.split_at(h);
        let (w2, b2) = rest.split_at(h * 10);
        // A = σ(X·W1 + b1)
        for a in a.chunks_exact_mut(h) {
            a.copy_from_slice(b1);
        }
        multiply((rows, 784, h), (x, [784, 1]), (w1, [h, 1]), true, a);
        vector::sigmoid(self.isa, a);
        // Z2 = A·W2 + b2
        for z in z.chunks_exact_mut(10) {
            z.copy_from_slice(b2);
        }
        multiply((rows, h, 10), (a, [h, 1]), (w2, [10, 1]), true, z);
        // dZ2 = scale · (softmax(Z2) − Y)
        softmax_cross_entropy(
            self.isa,
            MatRef::new(z, rows, 10),
            &self.labels[..rows],
            LossTarget::new(scale),
            MatMut::new(dz, rows, 10),
            &mut self.losses[..rows],
        );
        // dZ1 = dZ2·W2ᵀ ⊙ σ′
        multiply((rows, 10, h), (dz, [10, 1]), (w2, [1, 10]), false, da);
        Activation::Sigmoid.mul_derivative(self.isa, a, da);
        let (dw1, rest) = self.gradient.split_at_mut(784 * h);
        let (db1, rest) = rest.split_at_mut(h);
        let (dw2, db2) = rest.split_at_mut(h * 10);
        // dW1 = Xᵀ·dZ1, dW2 = Aᵀ·dZ2, db1 = Σ rows dZ1, db2 = Σ rows dZ2
        multiply((784, rows, h), (x, [1, 784]), (da, [h, 1]), accumulate, dw1);
        multiply((h, rows, 10), (a, [1, h]), (dz, [10, 1]), accumulate, dw2);
        for (db, d) in [(db1, &*da), (db2, &*dz)] {
            if !accumulate {
                db.fill(0.0);
            }
            vector::add_rows(self.isa, db, d);
        }
    }
}
