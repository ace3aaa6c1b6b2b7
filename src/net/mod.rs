//! Fully connected nets: their parameters, the mathematics of a training step, and
//! everything that a step is made of.
//!
//! | file | mathematics |
//! |---|---|
//! | `passes` | forward and backward pass over a mini-batch |
//! | `single_image` | both passes for one image at a time, without heap |
//! | [`loss`] | softmax cross-entropy and its gradient |
//! | [`optimizer`], [`schedule`] | momentum, learning rate |
//! | [`activation`], [`init`] | activations, first weights |
//! | [`quantized`] | forward pass with weights of eight bits |
//!
//! and of what a trained net does:
//!
//! | file | figures |
//! |---|---|
//! | `metrics` | confusion matrix, accuracy, precision, recall, F1 |
//! | `predictions`, `calibration` | mistakes, least sure answers, expected calibration error |
//! | `attribution` | effects of hidden units and of pixels on the logits |

pub mod activation;
#[cfg(feature = "alloc")]
pub mod attribution;
#[cfg(feature = "alloc")]
pub mod calibration;
#[cfg(feature = "alloc")]
pub mod defects;
#[cfg(feature = "alloc")]
pub mod dropout;
pub mod init;
mod layout;
pub mod loss;
#[cfg(feature = "alloc")]
pub mod metrics;
pub mod optimizer;
#[cfg(feature = "alloc")]
mod owned;
mod passes;
#[cfg(feature = "alloc")]
pub mod predictions;
pub mod quantized;
pub mod schedule;
pub mod single_image;
pub mod soft_loss;

use crate::compute::matrix::MatRef;
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
}
