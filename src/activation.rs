//! Activation functions of the hidden layers.

use crate::vector;

/// The activation σ of all hidden layers. The output layer has none: its
/// numbers are the logits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Activation {
    /// 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// max(z, 0).
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sigmoid, Self::Relu, Self::Tanh];

    /// Its name in configurations and model files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Tanh => "tanh",
        }
    }

    /// Replaces each z by σ(z).
    pub fn apply(self, z: &mut [f32]) {
        match self {
            Self::Sigmoid => vector::sigmoid(z),
            Self::Relu => vector::relu(z),
            Self::Tanh => vector::tanh(z),
        }
    }

    /// Multiplies each gradient by σ′(z), which `a` = σ(z) determines.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn mul_derivative(self, a: &[f32], gradient: &mut [f32]) {
        assert_eq!(a.len(), gradient.len(), "activations and their gradients");
        let pairs = gradient.iter_mut().zip(a);
        match self {
            Self::Sigmoid => pairs.for_each(|(g, a)| *g *= a * (1.0 - a)),
            Self::Relu => pairs.for_each(|(g, a)| *g *= if *a > 0.0 { 1.0 } else { 0.0 }),
            Self::Tanh => pairs.for_each(|(g, a)| *g *= 1.0 - a * a),
        }
    }
}
