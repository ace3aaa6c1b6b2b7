//! The layout of a net's parameters in memory; no other module knows it.
//!
//! All parameters of a net are one slice, layer after layer from the inputs on. A
//! layer with D inputs and H outputs has its weights W first (D×H, row-major: the
//! row of an input is contiguous) and then its biases b (H). Gradients and
//! velocities have this layout too.
//!
//! ```text
//! widths [784, 128, 10]
//! layer 0   W 784×128   b 128      elements      0 to 100 480
//! layer 1   W 128×10    b  10      elements 100 480 to 101 770
//! ```

use core::fmt;
use core::ops::Range;

/// Maximum number of layers with parameters in a net.
pub const MAX_DEPTH: usize = 16;

/// The place of one layer's parameters among those of its net.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LayerLayout {
    /// Rows of W.
    pub(crate) inputs: usize,
    /// Columns of W, and elements of b.
    pub(crate) outputs: usize,
    start: usize,
}

impl LayerLayout {
    /// Layer `l` of a net with layers of these widths, counted from 0.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    pub(crate) fn of(widths: &[usize], l: usize) -> Self {
        Self {
            inputs: widths[l],
            outputs: widths[l + 1],
            start: params_len(&widths[..=l]),
        }
    }

    /// The elements of W.
    pub(crate) fn weights(&self) -> Range<usize> {
        self.start..self.start + self.inputs * self.outputs
    }

    /// The elements of row `i` of W, the weights of input `i`.
    #[cfg(feature = "alloc")]
    pub(crate) fn row(&self, i: usize) -> Range<usize> {
        let start = self.start + i * self.outputs;
        start..start + self.outputs
    }

    /// The elements of b.
    pub(crate) fn biases(&self) -> Range<usize> {
        let start = self.weights().end;
        start..start + self.outputs
    }

    /// The elements of W and b.
    #[cfg(any(feature = "alloc", test))]
    pub(crate) fn params(&self) -> Range<usize> {
        self.start..self.biases().end
    }
}

/// The layers of a net with layers of these widths, from the inputs on.
pub(crate) fn layers(
    widths: &[usize],
) -> impl DoubleEndedIterator<Item = LayerLayout> + ExactSizeIterator {
    let depth = widths.len().saturating_sub(1);
    (0..depth).map(|l| LayerLayout::of(widths, l))
}

/// The number of weights and biases of a net with layers of these widths, from the
/// inputs to the classes. It wraps around where a `usize` cannot count them
/// ([`checked_params_len`]); no net has such widths.
///
/// ```
/// use handwritten::net::params_len;
///
/// assert_eq!(params_len(&[784, 128, 10]), 784 * 128 + 128 + 128 * 10 + 10);
/// ```
pub const fn params_len(widths: &[usize]) -> usize {
    let (mut len, mut l) = (0, 1);
    while l < widths.len() {
        len += (widths[l - 1] + 1) * widths[l];
        l += 1;
    }
    len
}

/// [`params_len`] of widths that nobody has checked: `None` if no net has layers of
/// these widths, or if the number does not fit a `usize`.
pub const fn checked_params_len(widths: &[usize]) -> Option<usize> {
    if !are_widths(widths) {
        return None;
    }
    let (mut len, mut l) = (0_usize, 1);
    while l < widths.len() {
        let Some(rows) = widths[l - 1].checked_add(1) else {
            return None;
        };
        let Some(layer) = rows.checked_mul(widths[l]) else {
            return None;
        };
        let Some(sum) = len.checked_add(layer) else {
            return None;
        };
        (len, l) = (sum, l + 1);
    }
    Some(len)
}

/// The number of activations of `examples` examples in all layers together: hidden
/// layers first, logits last, each a matrix with one row per example.
pub const fn activations_len(widths: &[usize], examples: usize) -> usize {
    let (mut len, mut l) = (0, 1);
    while l < widths.len() {
        len += examples * widths[l];
        l += 1;
    }
    len
}

/// Whether a net can have layers of these widths: two to [`MAX_DEPTH`] + 1 widths, none
/// of them 0.
pub(crate) const fn are_widths(widths: &[usize]) -> bool {
    let mut l = 0;
    while l < widths.len() {
        if widths[l] == 0 {
            return false;
        }
        l += 1;
    }
    2 <= widths.len() && widths.len() <= MAX_DEPTH + 1
}

/// Panics if no net can have layers of these widths: if they are not as [`are_widths`] wants
/// them, or if a `usize` cannot count their parameters.
pub(crate) fn assert_widths(widths: &[usize]) {
    assert!(
        checked_params_len(widths).is_some(),
        "layers of widths {widths:?}"
    );
}

/// A tensor of a training step, named in messages. Layers count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Tensor {
    /// The weights W of a layer.
    Weights(usize),
    /// The biases b of a layer.
    Biases(usize),
    /// The activations of a hidden layer.
    Activations(usize),
    /// The logits: the sums of the output layer.
    Logits,
    /// The loss itself.
    Loss,
}

impl Tensor {
    /// The weights and biases of a net with layers of these widths, in the order in
    /// which they lie among its parameters, each with its place there.
    pub fn parameters(widths: &[usize]) -> impl Iterator<Item = (Self, Range<usize>)> {
        (1..).zip(layers(widths)).flat_map(|(number, layer)| {
            [
                (Self::Weights(number), layer.weights()),
                (Self::Biases(number), layer.biases()),
            ]
        })
    }
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn layers_follow_one_another_and_fill_the_slice() {
        for widths in [&[3, 2][..], &[3, 4, 2], &[5, 1, 7, 2]] {
            let mut end = 0;
            for layer in layers(widths) {
                assert_eq!(layer.params().start, end);
                assert_eq!(layer.weights().len(), layer.inputs * layer.outputs);
                assert_eq!(layer.biases().start, layer.weights().end);
                assert_eq!(layer.biases().len(), layer.outputs);
                end = layer.params().end;
            }
            assert_eq!(end, params_len(widths));
            assert_eq!(checked_params_len(widths), Some(end));
            let backwards: Vec<_> = layers(widths).rev().collect();
            assert!(layers(widths).eq(backwards.into_iter().rev()));
        }
    }

    #[test]
    fn widths_of_no_net_have_no_length() {
        for widths in [&[][..], &[3], &[3, 0], &[1; MAX_DEPTH + 2]] {
            assert_eq!(checked_params_len(widths), None);
        }
        assert_eq!(checked_params_len(&[usize::MAX, 1]), None);
        assert_eq!(checked_params_len(&[1 << 40, 1 << 40]), None);
    }

    #[test]
    #[should_panic(expected = "layers of widths [9223372036854775808, 2]")]
    fn a_net_whose_parameters_nobody_can_count_is_refused() {
        assert_widths(&[1 << 63, 2]);
    }
}
