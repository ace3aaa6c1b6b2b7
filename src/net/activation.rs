//! Activation functions of the hidden layers.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::compute::names::named;
use crate::compute::vector;

/// The activation function σ of all hidden layers. The output layer has none: its
/// outputs are the logits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Activation {
    /// The logistic function, σ(z) = 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// The rectifier, σ(z) = max(z, 0).
    Relu,
    /// The hyperbolic tangent, σ(z) = tanh z.
    Tanh,
}

named! { Activation, "activation":
    Sigmoid = "sigmoid",
    Relu = "relu",
    Tanh = "tanh",
}

impl Activation {
    /// Replaces each z by σ(z).
    pub fn apply(self, isa: Isa, z: &mut [f32]) {
        match self {
            Self::Sigmoid => vector::sigmoid(isa, z),
            Self::Relu => vector::relu(isa, z),
            Self::Tanh => vector::tanh(isa, z),
        }
    }

    /// Multiplies each gradient by σ′(z), which `a` = σ(z) determines.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn mul_derivative(self, isa: Isa, a: &[f32], gradient: &mut [f32]) {
        assert_eq!(a.len(), gradient.len(), "activations and their gradients");
        match self {
            Self::Sigmoid => mul_sigmoid_derivative(isa, a, gradient),
            Self::Relu => mul_relu_derivative(isa, a, gradient),
            Self::Tanh => mul_tanh_derivative(isa, a, gradient),
        }
    }
}

for_each_arm! {
    fn mul_sigmoid_derivative(a: &[f32], gradient: &mut [f32]) {
        for (g, a) in gradient.iter_mut().zip(a) {
            *g *= a * (1.0 - a);
        }
    }
}

for_each_arm! {
    fn mul_relu_derivative(a: &[f32], gradient: &mut [f32]) {
        for (g, a) in gradient.iter_mut().zip(a) {
            *g *= if *a > 0.0 { 1.0 } else { 0.0 };
        }
    }
}

for_each_arm! {
    fn mul_tanh_derivative(a: &[f32], gradient: &mut [f32]) {
        for (g, a) in gradient.iter_mut().zip(a) {
            *g *= 1.0 - a * a;
        }
    }
}
