//! Classification and training of one example at a time, without heap.
//!
//! For microcontrollers: nothing is packed and nothing is kept for a whole mini-batch.
//! Besides its parameters a net needs a few hundred bytes to classify, and twice the
//! memory of the parameters to train. Pixels and activations that are zero are skipped:
//! on MNIST that is 81 % of the multiplications of the first layer.
//!
//! Results have the bits of [`NetRef::forward`], [`NetRef::backward`] and
//! [`Momentum::step`] on the same instruction set, with two exceptions: the sign of a
//! sum that is zero may differ, and a weight that is not finite shows only where its
//! input is not zero.
//!
//! [`Momentum::step`]: crate::net::optimizer::Momentum::step

use crate::compute::fma;
use crate::compute::gemv::{self, Input};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::loss::softmax_cross_entropy;
use crate::net::optimizer::Update;
use crate::net::{LayerLayout, NetRef, activations_len, layers, params_len};
use core::fmt;

impl NetRef<'_> {
    /// Makes the forward pass of one image: fills `activations`, layer after layer, and
    /// returns the logits, one for each class; `None` if a length does not fit the net.
    /// On targets without an operating system there is no path that panics (`.ci/embed`
    /// proves it); elsewhere none is reachable.
    ///
    /// Shapes: `image` holds a byte for each input, which is divided by 255;
    /// `activations` holds [`activations_len`] elements for one example.
    ///
    /// ```
    /// use handwritten::net::activations_len;
    /// use handwritten::{Activation, Isa, NetRef};
    ///
    /// const WIDTHS: [usize; 3] = [2, 1, 2];
    /// static PARAMS: [f32; 7] = [4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
    /// static NET: NetRef<'static> =
    ///     NetRef::try_new(&WIDTHS, Activation::Sigmoid, &PARAMS).expect("a whole net");
    ///
    /// let mut activations = [0.0; activations_len(&WIDTHS, 1)];
    /// let logits = NET.logits(Isa::detect(), &[255, 0], &mut activations);
    /// assert!(logits.is_some_and(|logits| logits[0] > logits[1]));
    /// ```
    #[inline]
    pub fn logits<'b>(
        &self,
        isa: Isa,
        image: &[u8],
        activations: &'b mut [f32],
    ) -> Option<&'b mut [f32]> {
        let (&features, outputs) = self.widths().split_first()?;
        let (&classes, hidden) = outputs.split_last()?;
        if image.len() != features {
            return None;
        }
        let (mut below, mut rest, mut params) = (&[][..], activations, self.params());
        for (l, &width) in hidden.iter().enumerate() {
            let (z, above) = rest.split_at_mut_checked(width)?;
            match l {
                0 => affine(isa, image, &mut params, z)?,
                _ => affine(isa, below, &mut params, z)?,
            }
            self.activation().apply(isa, z);
            (below, rest) = (z, above);
        }
        if rest.len() != classes {
            return None;
        }
        match hidden {
            [] => affine(isa, image, &mut params, rest)?,
            _ => affine(isa, below, &mut params, rest)?,
        }
        Some(rest)
    }

    /// Classifies one image: returns the class of its largest logit, `None` if a length
    /// does not fit the net. On targets without an operating system there is no path that
    /// panics (`.ci/embed` proves it); elsewhere none is reachable.
    ///
    /// Shapes: those of [`NetRef::logits`].
    #[inline]
    pub fn classify(&self, isa: Isa, image: &[u8], activations: &mut [f32]) -> Option<usize> {
        let logits = self.logits(isa, image, activations)?;
        Some(vector::argmax(logits))
    }

    /// Makes the backward pass of one image: adds the gradient of the loss by every
    /// parameter to `gradient`.
    ///
    /// Shapes: `image` and `activations` as [`NetRef::logits`] had and left
    /// them; `deltas`, laid out like `activations`, holds the gradient by the
    /// logits in its last block, and receives those of the hidden layers in the
    /// others; `gradient` is laid out like the parameters.
    ///
    /// # Panics
    /// Panics if the shapes do not fit the net.
    pub fn add_gradient(
        &self,
        isa: Isa,
        image: &[u8],
        activations: &[f32],
        deltas: &mut [f32],
        gradient: &mut [f32],
    ) {
        let widths = self.widths();
        assert_eq!(image.len(), widths[0], "pixels of an image");
        assert_eq!(activations.len(), activations_len(widths, 1));
        assert_eq!(deltas.len(), activations.len());
        assert_eq!(gradient.len(), self.params().len());
        let (mut a, mut below) = (activations, deltas);
        for (l, layer) in layers(widths).enumerate().rev() {
            let LayerLayout {
                inputs, outputs, ..
            } = layer;
            a = &a[..a.len() - outputs];
            let (rest, dz) = below.split_at_mut(below.len() - outputs);
            // db += dz
            vector::add(isa, &mut gradient[layer.biases()], dz);
            // dW += aᵀ·dz, where the first layer's a is the image
            let rows = gradient[layer.weights()].chunks_exact_mut(outputs);
            if l == 0 {
                for (&byte, row) in image.iter().zip(rows).filter(|(byte, _)| **byte != 0) {
                    fma::axpy(isa, vector::scaled(byte), dz, row);
                }
            } else {
                let a = &a[a.len() - inputs..];
                for (&x, row) in a.iter().zip(rows).filter(|(x, _)| **x != 0.0) {
                    fma::axpy(isa, x, dz, row);
                }
                // dz·Wᵀ ⊙ σ′(z) of the layer below
                let start = rest.len() - inputs;
                let weights = self.layer(l).weights;
                for (i, d) in rest[start..].iter_mut().enumerate() {
                    *d = fma::dot(isa, dz, weights.row(i));
                }
                let activation = self.activation();
                activation.mul_derivative(isa, a, &mut rest[start..]);
            }
            below = rest;
        }
    }
}

/// Computes z = b + x·W of the layer whose parameters `params` begins with, and leaves
/// those of the layers after it in `params`. Returns `None` if there are too few parameters.
#[inline(always)]
fn affine<T: Input>(isa: Isa, inputs: &[T], params: &mut &[f32], z: &mut [f32]) -> Option<()> {
    let weights = take(params, inputs.len() * z.len())?;
    z.copy_from_slice(take(params, z.len())?);
    gemv::accumulate(isa, inputs, weights, z)
}

/// Splits the first `len` elements off `slice`.
#[inline(always)]
pub(crate) fn take<'a, T>(slice: &mut &'a [T], len: usize) -> Option<&'a [T]> {
    let (first, rest) = slice.split_at_checked(len)?;
    *slice = rest;
    Some(first)
}

/// A net that trains in borrowed memory.
pub struct NetMut<'a> {
    widths: &'a [usize],
    activation: Activation,
    params: &'a mut [f32],
    velocity: &'a mut [f32],
    gradient: &'a mut [f32],
    activations: &'a mut [f32],
    deltas: &'a mut [f32],
}

impl fmt::Debug for NetMut<'_> {
    /// Widths and activation, without parameters and scratch memory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetMut")
            .field("widths", &self.widths)
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

impl<'a> NetMut<'a> {
    /// A net with layers of these widths, and its velocity, laid out like the
    /// parameters: zeros to begin with. What `scratch` holds does not matter.
    ///
    /// # Panics
    /// Panics where [`NetRef::new`] does, if there is not a velocity for each
    /// parameter, or if `scratch` does not hold [`NetMut::scratch_len`]
    /// elements.
    pub fn new(
        widths: &'a [usize],
        activation: Activation,
        params: &'a mut [f32],
        velocity: &'a mut [f32],
        scratch: &'a mut [f32],
    ) -> Self {
        NetRef::new(widths, activation, params);
        assert_eq!(velocity.len(), params.len(), "velocities of a net");
        assert_eq!(scratch.len(), Self::scratch_len(widths), "scratch of a net");
        let (gradient, rest) = scratch.split_at_mut(params.len());
        let (activations, deltas) = rest.split_at_mut(activations_len(widths, 1));
        Self {
            widths,
            activation,
            params,
            velocity,
            gradient,
            activations,
            deltas,
        }
    }

    /// The number of elements of scratch memory: the gradient, and one example's
    /// activations and deltas.
    pub const fn scratch_len(widths: &[usize]) -> usize {
        params_len(widths) + 2 * activations_len(widths, 1)
    }

    /// The net as it is now.
    pub fn view(&self) -> NetRef<'_> {
        NetRef::new(self.widths, self.activation, self.params)
    }

    /// Makes a training step with a mini-batch, and returns the sum of the losses before
    /// it. If that is not finite, or there is no example, no parameter moves.
    ///
    /// Shapes: `images` holds a byte for each input of each example, example
    /// after example; `labels` one for each example.
    ///
    /// # Panics
    /// Panics if the shapes do not fit the net, or if a label is not below the
    /// number of classes.
    pub fn step(&mut self, isa: Isa, images: &[u8], labels: &[u8], update: &Update) -> f64 {
        let (features, classes) = (self.widths[0], self.widths[self.widths.len() - 1]);
        assert_eq!(
            images.len(),
            labels.len() * features,
            "pixels of {} images",
            labels.len()
        );
        let target = update.loss_target(labels.len());
        let net = NetRef::new(self.widths, self.activation, self.params);
        let mut total = 0.0;
        self.gradient.fill(0.0);
        for (image, label) in images.chunks_exact(features).zip(labels.chunks(1)) {
            let logits = net.logits(isa, image, self.activations);
            let logits = logits.expect("buffers that fit the net");
            let start = self.deltas.len() - classes;
            let mut loss = [0.0];
            softmax_cross_entropy(
                isa,
                MatRef::new(logits, 1, classes),
                label,
                target,
                MatMut::new(&mut self.deltas[start..], 1, classes),
                &mut loss,
            );
            total += f64::from(loss[0]);
            net.add_gradient(isa, image, self.activations, self.deltas, self.gradient);
        }
        if total.is_finite() && !labels.is_empty() {
            let (rule, rate) = (update.rule, update.learning_rate);
            rule.step(
                isa,
                self.widths,
                self.params,
                self.velocity,
                self.gradient,
                rate,
            );
        }
        total
    }
}
