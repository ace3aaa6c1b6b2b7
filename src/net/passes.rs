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

use crate::compute::gemm::{Context, Product, Start};
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::{Layer, NetRef, activations_len, layers};

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
        let examples = x.rows();
        assert_eq!(activations.len(), activations_len(self.widths, examples));
        let (mut input, mut rest) = (x, activations);
        for (l, layer) in layers(self.widths).enumerate() {
            let (a, after) = rest.split_at_mut(examples * layer.outputs);
            self.layer_forward(l, input, a, ctx); // A = σ(b + input·W)   B×outputs
            (input, rest) = (MatRef::new(a, examples, layer.outputs), after);
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
        // Z = b + input·W       B×outputs = (B×inputs)·(inputs×outputs)
        // The chains of the product start from the biases; σ is applied to each part
        // of Z as soon as its sums are complete.
        let sigma = |_, _, z: &mut [f32]| self.activation.apply(isa, z);
        let mut z = Product::new(input, weights).start(Start::Row(biases));
        if l + 1 < self.depth() {
            z = z.epilogue(&sigma);
        }
        z.compute(MatMut::new(a, input.rows(), biases.len()), ctx);
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
        let (isa, examples) = (ctx.isa(), x.rows());
        assert_eq!(activations.len(), activations_len(self.widths, examples));
        assert_eq!(deltas.len(), activations.len());
        assert_eq!(gradient.len(), self.params.len());
        let mut below = deltas;
        for (l, layer) in layers(self.widths).enumerate().rev() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let (rest, dz) = below.split_at_mut(below.len() - examples * outputs);
            let dz = MatRef::new(dz, examples, outputs);
            // dW += Aᵀ·dZ           inputs×outputs = (B×inputs)ᵀ·(B×outputs); A of layer 0 is X
            let a = match l {
                0 => x,
                _ => self.activation_of(l - 1, activations),
            };
            let dw = MatMut::new(&mut gradient[layer.weights()], inputs, outputs);
            Product::new(a.t(), dz).start(Start::C).compute(dw, ctx);
            // db += Σ rows dZ       outputs = Σ over B of B×outputs
            vector::add_rows(isa, &mut gradient[layer.biases()], dz.as_slice());
            // dZ = dZ·Wᵀ ⊙ σ′(Z)    B×inputs = (B×outputs)·(inputs×outputs)ᵀ, of the layer below
            if l > 0 {
                let start = rest.len() - examples * inputs;
                self.layer_backward(l, dz, a, &mut rest[start..], ctx);
            }
            below = rest;
        }
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
        // dZ·Wᵀ                 B×inputs = (B×outputs)·(inputs×outputs)ᵀ
        Product::new(dz, self.layer(l).weights.t())
            .epilogue(&times_derivative)
            .compute(MatMut::new(below, a.rows(), a.cols()), ctx);
    }
}
