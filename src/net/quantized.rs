//! Nets with weights of eight bits, which take a quarter of the flash memory.
//!
//! For each output j of a layer the weights become integers in proportion to
//! the largest of them, and so do the layer's inputs:
//!
//! ```text
//! q[i,j] = round(w[i,j] / s[j])        s[j] = max over i of |w[i,j]| / 127
//! n[i]   = round(x[i] / u)             u    = max over i of |x[i]| / 255
//! z[j]   = b[j] + (Σ n[i]·q[i,j]) · (s[j]·u)
//! ```
//!
//! (symmetric quantisation, as in Jacob et al., *Quantization and Training of
//! Neural Networks for Efficient Integer-Arithmetic-Only Inference*, 2018, with
//! a scale for each output). Pixels are integers already: n is the byte and u is 1/255.
//! The sums are exact, and the rest of the computation has no multiply-add, so the
//! logits have the same bits on every target, with and without fused multiply-adds.

use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::single_image::take;
use crate::net::{NetRef, activations_len, are_widths};
use core::fmt;

/// The largest |q|.
const WEIGHT_MAX: f32 = 127.0;

/// The largest |n|.
const INPUT_MAX: f32 = 255.0;

/// Maximum number of inputs per layer for which the `i32` accumulator cannot overflow:
/// weights are within ±128, inputs at most 255.
pub const MAX_INPUTS: usize = (i32::MAX / (128 * 255)) as usize;

/// The number of weights of a net with layers of these widths.
pub const fn weights_len(widths: &[usize]) -> usize {
    let (mut len, mut l) = (0, 1);
    while l < widths.len() {
        len += widths[l - 1] * widths[l];
        l += 1;
    }
    len
}

/// The length of the buffer of sums: the largest number of outputs of a layer.
pub const fn sums_len(widths: &[usize]) -> usize {
    let (mut len, mut l) = (0, 1);
    while l < widths.len() {
        if widths[l] > len {
            len = widths[l];
        }
        l += 1;
    }
    len
}

/// A net with borrowed weights of eight bits.
///
/// The weights of all layers lie in one slice, each layer's inputs×outputs,
/// row-major; so do scales and biases, one for each output of each layer.
#[derive(Clone, Copy)]
pub struct QuantizedRef<'a> {
    widths: &'a [usize],
    activation: Activation,
    weights: &'a [i8],
    scales: &'a [f32],
    biases: &'a [f32],
}

impl fmt::Debug for QuantizedRef<'_> {
    /// Widths and activation, without weights, scales and biases.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantizedRef")
            .field("widths", &self.widths)
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

impl<'a> QuantizedRef<'a> {
    /// A net with layers of these widths, from the inputs to the classes.
    ///
    /// `None` if [`NetRef::try_new`] would give none of these widths, if a layer
    /// has more than [`MAX_INPUTS`], if there are not [`weights_len`] weights,
    /// or not a scale and a bias for each of the outputs of all layers
    /// ([`activations_len`] of one example).
    pub const fn try_new(
        widths: &'a [usize],
        activation: Activation,
        weights: &'a [i8],
        scales: &'a [f32],
        biases: &'a [f32],
    ) -> Option<Self> {
        let outputs = activations_len(widths, 1);
        if !are_widths(widths)
            || has_overflow(widths)
            || weights.len() != weights_len(widths)
            || scales.len() != outputs
            || biases.len() != outputs
        {
            return None;
        }
        Some(Self {
            widths,
            activation,
            weights,
            scales,
            biases,
        })
    }

    /// The widths of the layers, from the inputs to the classes.
    pub fn widths(&self) -> &'a [usize] {
        self.widths
    }

    /// The activation of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Makes the forward pass of one image: fills `activations`, layer after layer, and
    /// returns the logits, one for each class; `None` if a length does not fit the net.
    /// There is no path that panics. Inputs that are zero are skipped.
    ///
    /// Shapes: `image` holds a byte for each input; `sums` holds [`sums_len`]
    /// elements of any content; `activations` holds [`activations_len`]
    /// elements for one example.
    #[inline]
    pub fn logits<'b>(
        &self,
        isa: Isa,
        image: &[u8],
        sums: &mut [i32],
        activations: &'b mut [f32],
    ) -> Option<&'b mut [f32]> {
        let (&features, outputs) = self.widths.split_first()?;
        let (&classes, hidden) = outputs.split_last()?;
        if image.len() != features {
            return None;
        }
        let mut layers = *self;
        let (mut below, mut rest) = (&[][..], activations);
        for (l, &width) in hidden.iter().enumerate() {
            let (z, above) = rest.split_at_mut_checked(width)?;
            layers.next(l, image, below, sums, z)?;
            self.activation.apply(isa, z);
            (below, rest) = (z, above);
        }
        if rest.len() != classes {
            return None;
        }
        layers.next(hidden.len(), image, below, sums, rest)?;
        Some(rest)
    }

    /// Classifies one image: returns the class of its largest logit, `None` if a length
    /// does not fit the net. There is no path that panics.
    ///
    /// Shapes: those of [`QuantizedRef::logits`].
    #[inline]
    pub fn classify(
        &self,
        isa: Isa,
        image: &[u8],
        sums: &mut [i32],
        activations: &mut [f32],
    ) -> Option<usize> {
        let logits = self.logits(isa, image, sums, activations)?;
        Some(vector::argmax(logits))
    }

    /// Computes the outputs `z` of layer `l`, whose parameters `self` begins with, from
    /// the image or the activations below, and leaves the layers after it in `self`.
    #[inline(always)]
    fn next(
        &mut self,
        l: usize,
        image: &[u8],
        below: &[f32],
        sums: &mut [i32],
        z: &mut [f32],
    ) -> Option<()> {
        let (inputs, outputs) = (if l == 0 { image.len() } else { below.len() }, z.len());
        let (weights, sums) = (
            take(&mut self.weights, inputs * outputs)?,
            sums.get_mut(..outputs)?,
        );
        let (scales, biases) = (
            take(&mut self.scales, outputs)?,
            take(&mut self.biases, outputs)?,
        );
        sums.fill(0);
        let unit = if l == 0 {
            add_rows(image.iter().map(|&byte| i32::from(byte)), weights, sums)?;
            1.0 / INPUT_MAX
        } else {
            let largest = below.iter().fold(0.0, |max, x| larger(max, x.abs()));
            // Divided, since the reciprocal of a tiny number is infinite.
            let n = |&x: &f32| rounded(x / largest * INPUT_MAX);
            if largest > 0.0 {
                add_rows(below.iter().map(n), weights, sums)?;
            }
            largest / INPUT_MAX
        };
        for (((z, &sum), &scale), &bias) in z.iter_mut().zip(&*sums).zip(scales).zip(biases) {
            *z = bias + sum as f32 * (scale * unit);
        }
        Some(())
    }
}

/// Adds inputs·W to the sums, row after row.
#[inline(always)]
fn add_rows(inputs: impl Iterator<Item = i32>, weights: &[i8], sums: &mut [i32]) -> Option<()> {
    let mut weights = weights;
    for n in inputs {
        let row = take(&mut weights, sums.len())?;
        if n != 0 {
            for (sum, &q) in sums.iter_mut().zip(row) {
                // Wrapping, since checked arithmetic is a path that panics; MAX_INPUTS
                // rules an overflow out.
                *sum = sum.wrapping_add(n.wrapping_mul(i32::from(q)));
            }
        }
    }
    Some(())
}

/// The larger of two numbers, or NaN if one of them is: a broken weight must show.
#[inline(always)]
fn larger(max: f32, x: f32) -> f32 {
    if max.is_nan() || x <= max { max } else { x }
}

/// Rounds to the nearest integer, ties to the even one; |x| is below 2²².
#[inline(always)]
fn rounded(x: f32) -> i32 {
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    let magic = 12_582_912.0_f32;
    ((x + magic).to_bits() as i32).wrapping_sub(magic.to_bits() as i32)
}

/// Whether the sums of a layer may overflow.
const fn has_overflow(widths: &[usize]) -> bool {
    let mut l = 0;
    while l + 1 < widths.len() {
        if widths[l] > MAX_INPUTS {
            return true;
        }
        l += 1;
    }
    false
}

/// Rounds the weights of a net to eight bits, laid out as in [`QuantizedRef`], and copies
/// its biases.
///
/// ```
/// use handwritten::net::activations_len;
/// use handwritten::net::quantized::{quantize, sums_len, weights_len};
/// use handwritten::{Activation, Isa, NetRef, QuantizedRef};
///
/// const WIDTHS: [usize; 3] = [2, 1, 2];
/// const OUTPUTS: usize = activations_len(&WIDTHS, 1);
/// let params = [4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
/// let net = NetRef::new(&WIDTHS, Activation::Sigmoid, &params);
///
/// let mut weights = [0; weights_len(&WIDTHS)];
/// let (mut scales, mut biases) = ([0.0; OUTPUTS], [0.0; OUTPUTS]);
/// quantize(net, &mut weights, &mut scales, &mut biases);
/// assert_eq!(weights, [127, -127, 127, -127]);
///
/// let small = QuantizedRef::try_new(&WIDTHS, Activation::Sigmoid, &weights, &scales, &biases)
///     .expect("a whole net");
/// let (mut sums, mut activations) = ([0; sums_len(&WIDTHS)], [0.0; OUTPUTS]);
/// let class = small.classify(Isa::detect(), &[255, 0], &mut sums, &mut activations);
/// assert_eq!(class, Some(0));
/// ```
///
/// # Panics
/// Panics if `weights` does not hold [`weights_len`] elements, or if `scales`
/// and `biases` do not hold one for each output of each layer.
pub fn quantize(net: NetRef<'_>, weights: &mut [i8], scales: &mut [f32], biases: &mut [f32]) {
    let widths = net.widths();
    let outputs = activations_len(widths, 1);
    assert_eq!(weights.len(), weights_len(widths), "weights of {widths:?}");
    assert_eq!(scales.len(), outputs, "scales of {widths:?}");
    assert_eq!(biases.len(), outputs, "biases of {widths:?}");
    let (mut weights, mut scales, mut biases) = (weights, scales, biases);
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let (q, later_weights) = weights.split_at_mut(inputs * outputs);
        let (s, later_scales) = scales.split_at_mut(outputs);
        let (b, later_biases) = biases.split_at_mut(outputs);
        b.copy_from_slice(layer.biases);
        for (j, s) in s.iter_mut().enumerate() {
            let column = |i: usize| layer.weights.at(i, j);
            let largest = (0..inputs).fold(0.0, |max, i| larger(max, column(i).abs()));
            *s = largest / WEIGHT_MAX;
            for i in 0..inputs {
                let x = if *s > 0.0 { column(i) / *s } else { 0.0 };
                q[i * outputs + j] = rounded(x).clamp(-127, 127) as i8;
            }
        }
        (weights, scales, biases) = (later_weights, later_scales, later_biases);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn weights_known_by_hand() {
        // Columns 2, −1 and 0, 0, then the biases; then one more layer.
        let params = [2.0, 0.0, -1.0, 0.0, 5.0, 6.0, 1.27, -0.635, 7.0];
        let net = NetRef::new(&[2, 2, 1], Activation::Relu, &params);
        let (mut weights, mut scales, mut biases) = ([9; 6], [9.0; 3], [9.0; 3]);
        quantize(net, &mut weights, &mut scales, &mut biases);
        // −63.5 lies between two integers, of which −64 is even.
        assert_eq!(weights, [127, 0, -64, 0, 127, -64]);
        assert_eq!(scales, [2.0 / 127.0, 0.0, 1.27 / 127.0]);
        assert_eq!(biases, [5.0, 6.0, 7.0]);
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_integer() {
        for (x, n) in [
            (0.0, 0),
            (-0.0, 0),
            (0.5, 0),
            (1.5, 2),
            (-1.5, -2),
            (254.51, 255),
        ] {
            assert_eq!(rounded(x), n, "{x}");
        }
    }

    #[test]
    fn what_is_not_a_number_shows() {
        let mut params = [2.0, 0.5, -1.0, 0.25, 5.0, 6.0, 1.27, -0.635, 7.0];
        let (mut weights, mut scales, mut biases) = ([9; 6], [9.0; 3], [9.0; 3]);
        let mut logit = |params: &[f32]| {
            let net = NetRef::new(&[2, 2, 1], Activation::Relu, params);
            quantize(net, &mut weights, &mut scales, &mut biases);
            let net =
                QuantizedRef::try_new(&[2, 2, 1], Activation::Relu, &weights, &scales, &biases);
            let (mut sums, mut z) = ([0; 2], [0.0; 3]);
            let logits = net
                .unwrap()
                .logits(Isa::detect(), &[9, 200], &mut sums, &mut z);
            logits.unwrap()[0]
        };
        assert!(logit(&params).is_finite());
        // In the first layer, and in the last.
        for at in [2, 6] {
            let weight = core::mem::replace(&mut params[at], f32::NAN);
            assert!(logit(&params).is_nan());
            params[at] = weight;
        }
    }

    #[test]
    fn the_longest_sum_does_not_overflow() {
        let widths = [MAX_INPUTS, 1];
        let (weights, image) = (vec![-128; MAX_INPUTS], vec![255; MAX_INPUTS]);
        let net = QuantizedRef::try_new(&widths, Activation::Relu, &weights, &[1.0], &[0.0]);
        let (mut sums, mut z) = ([1], [1.0]);
        let logits = net
            .unwrap()
            .logits(Isa::detect(), &image, &mut sums, &mut z);
        assert!(logits.is_some());
        assert_eq!(i64::from(sums[0]), -128 * 255 * MAX_INPUTS as i64);

        let (widths, weights) = ([MAX_INPUTS + 1, 1], vec![1; MAX_INPUTS + 1]);
        let net = QuantizedRef::try_new(&widths, Activation::Relu, &weights, &[1.0], &[0.0]);
        assert!(net.is_none());
    }
}
