//! Fully connected nets, and their forward and backward pass over a mini-batch.
//!
//! With B examples, D inputs, H hidden units and C classes (one hidden layer;
//! more of them repeat its lines):
//!
//! ```text
//! forward                           backward, from dZ2 = (softmax(Z2) − Y) / B   B×C
//!   Z1 = b1 + X·W1     B×H            dW2 = Aᵀ·dZ2      H×C    db2 = Σ rows dZ2
//!   A  = σ(Z1)         B×H            dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1)               B×H
//!   Z2 = b2 + A·W2     B×C            dW1 = Xᵀ·dZ1      D×H    db1 = Σ rows dZ1
//! ```

pub mod activation;
#[cfg(feature = "alloc")]
pub mod defects;
pub mod init;
mod layout;
pub mod loss;
#[cfg(feature = "alloc")]
pub mod metrics;
pub mod optimizer;
#[cfg(feature = "alloc")]
mod owned;
pub mod quantized;
pub mod schedule;
pub mod single_image;

use crate::compute::gemm::{Context, Product, Start};
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::activation::Activation;
use core::fmt;
pub(crate) use layout::{LayerLayout, are_widths, assert_widths, layers};
pub use layout::{MAX_DEPTH, Tensor, activations_len, checked_params_len, params_len};
#[cfg(feature = "alloc")]
pub use owned::Net;

/// A net with borrowed parameters.
///
/// The parameters of all layers lie in one slice, for each layer its weights W
/// (inputs×outputs, row-major) and then its biases b (outputs). A gradient or
/// a velocity has the same layout.
#[derive(Clone, Copy)]
pub struct NetRef<'a> {
    widths: &'a [usize],
    activation: Activation,
    params: &'a [f32],
}

/// The parameters of one layer.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Layer<'a> {
    /// W, inputs×outputs.
    pub weights: MatRef<'a>,
    /// b, one for each output.
    pub biases: &'a [f32],
}

impl fmt::Debug for NetRef<'_> {
    /// Widths and activation, without the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetRef")
            .field("widths", &self.widths)
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Layer<'_> {
    /// The shape, without the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("inputs", &self.weights.rows())
            .field("outputs", &self.weights.cols())
            .finish_non_exhaustive()
    }
}

impl<'a> NetRef<'a> {
    /// A net with layers of these widths, from the inputs to the classes, and
    /// with these parameters.
    ///
    /// # Panics
    /// Panics if there are fewer than two widths or more than [`MAX_DEPTH`]
    /// and one, if one of them is 0, or if there are not [`params_len`]
    /// parameters.
    pub fn new(widths: &'a [usize], activation: Activation, params: &'a [f32]) -> Self {
        assert_widths(widths);
        assert!(
            checked_params_len(widths) == Some(params.len()),
            "{} parameters of a net {widths:?}",
            params.len()
        );
        Self {
            widths,
            activation,
            params,
        }
    }

    /// A net as by [`NetRef::new`], or `None` where that panics. Usable in constants, such
    /// as a net in flash.
    pub const fn try_new(
        widths: &'a [usize],
        activation: Activation,
        params: &'a [f32],
    ) -> Option<Self> {
        match checked_params_len(widths) {
            Some(len) if len == params.len() => Some(Self {
                widths,
                activation,
                params,
            }),
            _ => None,
        }
    }

    /// The view of a net whose constructor has checked widths and parameters.
    #[cfg(feature = "alloc")]
    #[inline]
    fn of_net(widths: &'a [usize], activation: Activation, params: &'a [f32]) -> Self {
        Self {
            widths,
            activation,
            params,
        }
    }

    /// The widths of the layers, from the inputs to the classes.
    pub fn widths(&self) -> &'a [usize] {
        self.widths
    }

    /// The activation of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The parameters of all layers.
    pub fn params(&self) -> &'a [f32] {
        self.params
    }

    /// The number of layers with parameters: hidden layers and output layer.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// The parameters of layer `l`, counted from 0.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    pub fn layer(&self, l: usize) -> Layer<'a> {
        let layer = LayerLayout::of(self.widths, l);
        let weights = &self.params[layer.weights()];
        Layer {
            weights: MatRef::new(weights, layer.inputs, layer.outputs),
            biases: &self.params[layer.biases()],
        }
    }

    /// The activations of layer `l`, examples×outputs, out of those of all layers.
    ///
    /// # Panics
    /// Panics if there is no such layer, or if `activations` does not hold
    /// [`activations_len`] elements.
    pub fn activation_of<'b>(&self, l: usize, activations: &'b [f32]) -> MatRef<'b> {
        let examples = activations.len() / activations_len(self.widths, 1);
        assert_eq!(activations.len(), activations_len(self.widths, examples));
        let block = &activations[activations_len(&self.widths[..=l], examples)..];
        let width = self.widths[l + 1];
        MatRef::new(&block[..examples * width], examples, width)
    }

    /// Makes the forward pass: fills `activations`, layer after layer, and returns the
    /// logits, B×C.
    ///
    /// Shapes: `x` B×D; `activations` holds [`activations_len`] elements.
    ///
    /// # Panics
    /// Panics if the shapes do not fit the net.
    pub fn forward<'b>(
        &self,
        x: MatRef<'b>,
        activations: &'b mut [f32],
        ctx: &mut Context<'_>,
    ) -> MatRef<'b> {
        let examples = x.rows();
        assert_eq!(activations.len(), activations_len(self.widths, examples));
        let (mut input, mut rest) = (x, activations);
        for l in 0..self.depth() {
            let width = self.widths[l + 1];
            let (a, after) = rest.split_at_mut(examples * width);
            self.layer_forward(l, input, a, ctx);
            (input, rest) = (MatRef::new(a, examples, width), after);
        }
        input
    }

    /// Computes A = σ(b + input·W) of layer `l`, without σ in the last layer.
    pub(crate) fn layer_forward(
        &self,
        l: usize,
        input: MatRef<'_>,
        a: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let (isa, Layer { weights, biases }) = (ctx.isa(), self.layer(l));
        // The chains of the product start from the biases; σ is applied to each part
        // of Z as soon as its sums are complete.
        let sigma = |_, _, z: &mut [f32]| self.activation.apply(isa, z);
        let mut z = Product::new(input, weights).start(Start::Row(biases));
        if l + 1 < self.depth() {
            z = z.epilogue(&sigma);
        }
        z.compute(MatMut::new(a, input.rows(), biases.len()), ctx);
    }

    /// Computes dZ of the layer below layer `l`, from dZ of layer `l` and the
    /// activations `a` between them: dZ·Wᵀ ⊙ σ′(Z).
    pub(crate) fn layer_backward(
        &self,
        l: usize,
        dz: MatRef<'_>,
        a: MatRef<'_>,
        below: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let isa = ctx.isa();
        let times_derivative = |i: usize, j: usize, da: &mut [f32]| {
            let a = &a.row(i)[j..j + da.len()];
            self.activation.mul_derivative(isa, a, da);
        };
        Product::new(dz, self.layer(l).weights.t())
            .epilogue(&times_derivative)
            .compute(MatMut::new(below, a.rows(), a.cols()), ctx);
    }

    /// Makes the backward pass: adds the gradient of the loss by every parameter to
    /// `gradient`.
    ///
    /// Shapes: `x` B×D and `activations` as [`NetRef::forward`] had and left
    /// them; `deltas`, laid out like `activations`, holds the gradient by the
    /// logits in its last block, and receives those of the hidden layers in
    /// the others; `gradient` is laid out like the parameters.
    ///
    /// # Panics
    /// Panics if the shapes do not fit the net.
    pub fn backward(
        &self,
        x: MatRef<'_>,
        activations: &[f32],
        deltas: &mut [f32],
        gradient: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let (isa, examples) = (ctx.isa(), x.rows());
        assert_eq!(activations.len(), activations_len(self.widths, examples));
        assert_eq!(deltas.len(), activations.len());
        assert_eq!(gradient.len(), self.params.len());
        let mut below = deltas;
        for (l, layer) in layers(self.widths).enumerate().rev() {
            let LayerLayout {
                inputs, outputs, ..
            } = layer;
            let (rest, dz) = below.split_at_mut(below.len() - examples * outputs);
            let dz = MatRef::new(dz, examples, outputs);
            // db += Σ rows dZ
            vector::add_rows(isa, &mut gradient[layer.biases()], dz.as_slice());
            // dW += Aᵀ·dZ, where the first layer's A is X
            let dw = MatMut::new(&mut gradient[layer.weights()], inputs, outputs);
            if l == 0 {
                Product::new(x.t(), dz).start(Start::C).compute(dw, ctx);
            } else {
                let a = self.activation_of(l - 1, activations);
                Product::new(a.t(), dz).start(Start::C).compute(dw, ctx);
                let start = rest.len() - examples * inputs;
                self.layer_backward(l, dz, a, &mut rest[start..], ctx);
            }
            below = rest;
        }
    }
}
