//! The forward and the backward pass of a net over a mini-batch.
//!
//! With B examples, D inputs, H hidden units and C classes (one hidden layer; more of
//! them repeat its lines):
//!
//! ```text
//! forward                           backward, from dZ2 = (softmax(Z2) − Y) / B   B×C
//!   Z1 = b1 + X·W1     B×H            dW2 = Aᵀ·dZ2      H×C    db2 = Σ rows dZ2
//!   A  = σ(Z1)         B×H            dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1)               B×H
//!   Z2 = b2 + A·W2     B×C            dW1 = Xᵀ·dZ1      D×H    db1 = Σ rows dZ1
//! ```
//!
//! Training steps (`step/`) compute the same sums in the same order, so with the same bits.

use crate::compute::gemm::{Context, Product, Start};
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::{Layer, LayerLayout, NetRef, activations_len};

// Both passes through layer `l`, which has D inputs and H outputs. X is its input: that of
// the net, or A of the layer below.
impl NetRef<'_> {
    /// Forward: A = σ(Z) with Z = b + X·W, or Z itself in the last layer.
    pub(crate) fn layer_forward(
        &self,
        l: usize,
        x: MatRef<'_>,
        a: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let (isa, Layer { weights, biases }) = (ctx.isa(), self.layer(l));
        // Z = b + X·W           B×H = H + (B×D)·(D×H), chains that start from the biases
        let mut z = Product::new(x, weights).start(Start::Row(biases));
        // A = σ(Z)              B×H, each part as soon as its sums are complete
        let sigma = |_, _, z: &mut [f32]| self.activation.apply(isa, z);
        if l + 1 < self.depth() {
            z = z.epilogue(&sigma);
        }
        z.compute(MatMut::new(a, x.rows(), biases.len()), ctx);
    }

    /// Backward, the parameters: adds dW = Xᵀ·dZ and db = Σ rows dZ to `gradient`.
    fn layer_gradient(
        &self,
        l: usize,
        x: MatRef<'_>,
        dz: MatRef<'_>,
        gradient: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let layer = LayerLayout::of(self.widths, l);
        // dW += Xᵀ·dZ           D×H = (B×D)ᵀ·(B×H)
        let dw = &mut gradient[layer.weights()];
        let dw = MatMut::new(dw, layer.inputs, layer.outputs);
        Product::new(x.t(), dz).start(Start::C).compute(dw, ctx);
        // db += Σ rows dZ       H = Σ over B of B×H
        vector::add_rows(ctx.isa(), &mut gradient[layer.biases()], dz.as_slice());
    }

    /// Backward, the layer below, whose A is `x`: its dZ = dZ·Wᵀ ⊙ σ′(Z).
    pub(crate) fn layer_backward(
        &self,
        l: usize,
        dz: MatRef<'_>,
        x: MatRef<'_>,
        below: &mut [f32],
        ctx: &mut Context<'_>,
    ) {
        let (isa, Layer { weights, .. }) = (ctx.isa(), self.layer(l));
        // dX = dZ·Wᵀ            B×D = (B×H)·(D×H)ᵀ
        let dx = Product::new(dz, weights.t());
        // dZ below = dX ⊙ σ′(Z) B×D, with σ′(Z) from X = σ(Z)
        let times_derivative = |i: usize, j: usize, dx: &mut [f32]| {
            let x = &x.row(i)[j..j + dx.len()];
            self.activation.mul_derivative(isa, x, dx);
        };
        dx.epilogue(&times_derivative)
            .compute(MatMut::new(below, x.rows(), x.cols()), ctx);
    }
}

// Both passes through all layers.
impl NetRef<'_> {
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
        let rows = x.rows();
        assert_eq!(activations.len(), activations_len(self.widths, rows));
        let (mut input, mut rest) = (x, activations);
        for (l, &outputs) in self.widths[1..].iter().enumerate() {
            let (a, after) = rest.split_at_mut(rows * outputs);
            self.layer_forward(l, input, a, ctx);
            (input, rest) = (MatRef::new(a, rows, outputs), after);
        }
        input
    }

    /// Makes the backward pass: adds the gradient of the loss by every parameter to
    /// `gradient`.
    ///
    /// Shapes: `x` B×D and `activations` as [`NetRef::forward`] had and left them;
    /// `deltas`, laid out like `activations`, holds the gradient by the logits, dZ of the
    /// last layer, in its last block and receives dZ of the hidden layers in the others;
    /// `gradient` is laid out like the parameters.
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
        let rows = x.rows();
        assert_eq!(activations.len(), activations_len(self.widths, rows));
        assert_eq!(deltas.len(), activations.len());
        assert_eq!(gradient.len(), self.params.len());
        let mut rest = deltas;
        for (l, &outputs) in self.widths[1..].iter().enumerate().rev() {
            let (below, dz) = rest.split_at_mut(rest.len() - rows * outputs);
            let dz = MatRef::new(dz, rows, outputs);
            if l == 0 {
                return self.layer_gradient(l, x, dz, gradient, ctx);
            }
            let input = self.activation_of(l - 1, activations);
            self.layer_gradient(l, input, dz, gradient, ctx);
            let start = below.len() - rows * input.cols();
            self.layer_backward(l, dz, input, &mut below[start..], ctx);
            rest = below;
        }
    }
}
