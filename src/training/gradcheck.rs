//! Checks of gradients by finite differences.
//!
//! A wrong derivative does not show in a loss curve: the net moves, only not downhill.
//! A loss can be computed without any derivative, and `(L(w + h) − L(w − h)) / 2h`
//! approximates the derivative by w (Goodfellow et al., *Deep Learning*, section 11.5).
//! [`check`] compares the two for anything that has parameters and a loss, such as a
//! layer of one's own; [`check_net`] does so for a net of this crate.
//!
//! ```
//! use handwritten::training::gradcheck::{STEP, check};
//!
//! // A layer of one's own: y = tanh(w·x), L = y².
//! let (w, x) = ([0.5_f32, 0.25], [1.0, 2.0_f64]);
//! let dot = |w: &[f64]| w[0] * x[0] + w[1] * x[1];
//! let loss = |w: &[f64]| dot(w).tanh().powi(2);
//! let y = dot(&w.map(f64::from)).tanh();
//! let gradient = x.map(|x| (2.0 * y * (1.0 - y * y) * x) as f32);
//!
//! assert!(check(&w, &gradient, [0, 1], STEP, loss).error < 1e-5);
//! // The derivative of tanh forgotten:
//! let wrong = x.map(|x| (2.0 * y * x) as f32);
//! assert!(check(&w, &wrong, [0, 1], STEP, loss).error > 0.1);
//! ```

use crate::data::Dataset;
use crate::net::activation::Activation;
use crate::net::defects::Objective;
use crate::net::{NetRef, Tensor, layers};
use crate::step::workspace::Workspace;
use alloc::vec::Vec;
use core::ops::Range;

/// The step h for losses in double precision: at this step the truncation error, of
/// order h², is below the error of cancellation, which costs about half of the digits.
pub const STEP: f64 = 1e-5;

/// Maximum [`Comparison::error`] of a right gradient in single precision: rounding leaves
/// about 1e-5, and 1e-3 where sigmoids are saturated.
pub const TOLERANCE: f64 = 1e-2;

/// Maximum relative error of a right derivative, apart from kinks and rounding.
const NEAR: f64 = TOLERANCE / 10.0;

/// Rounding error of a loss, in units of its last place.
const ROUNDING: f64 = 16.0;

/// A comparison of a gradient with central differences, at some parameters.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The number of parameters that were compared.
    pub checked: usize,
    /// The largest absolute derivative among them, given or by differences.
    pub largest: f64,
    /// The largest difference, relative to `largest`; 0 if all are 0, and infinite if a
    /// number is not finite. At a kink, as relu has one, every value between the slopes
    /// to either side is right, and a difference that rounding of the loss can explain
    /// does not count.
    pub error: f64,
    /// The index of the parameter with the largest difference.
    pub worst: usize,
    /// The derivative by that parameter, as given.
    pub analytic: f64,
    /// The derivative by that parameter, by central differences.
    pub numeric: f64,
}

/// Compares `gradient`, the gradient of `loss` at `params`, with central differences of
/// step `step` at the parameters with these indices.
///
/// `loss` is called with all parameters, one of them moved. If it computes in single
/// precision, the step must be longer than [`STEP`], such as 1e-2, and rounding
/// contributes up to about 1e-7 · loss / step to the error.
///
/// # Panics
/// Panics if there are not as many derivatives as parameters, or if an index
/// is not below their number.
pub fn check(
    params: &[f32],
    gradient: &[f32],
    indices: impl IntoIterator<Item = usize>,
    step: f64,
    mut loss: impl FnMut(&[f64]) -> f64,
) -> Comparison {
    assert_eq!(params.len(), gradient.len(), "derivatives by parameters");
    let moved: Vec<f64> = params.iter().map(|&w| f64::from(w)).collect();
    let here = loss(&moved);
    let mut differences = Differences { moved, here, loss };
    let mut result = Comparison {
        checked: 0,
        largest: 0.0,
        error: 0.0,
        worst: 0,
        analytic: 0.0,
        numeric: 0.0,
    };
    let mut farthest = -1.0;
    for i in indices {
        let analytic = f64::from(gradient[i]);
        let (numeric, distance) = differences.compare(i, analytic, step);
        result.checked += 1;
        result.largest = result.largest.max(analytic.abs()).max(numeric.abs());
        if distance > farthest {
            farthest = distance;
            (result.worst, result.analytic, result.numeric) = (i, analytic, numeric);
        }
    }
    result.error = match farthest {
        f64::INFINITY => f64::INFINITY,
        farthest if farthest > 0.0 => farthest / result.largest,
        _ => 0.0,
    };
    result
}

/// A loss, and the parameters at which its differences are taken.
struct Differences<L> {
    /// The parameters, of which one at a time is moved.
    moved: Vec<f64>,
    /// The loss where none is.
    here: f64,
    loss: L,
}

impl<L: FnMut(&[f64]) -> f64> Differences<L> {
    /// The derivative by parameter `i` by central differences of step `step`, and how
    /// far `analytic` is from it: not at all within what a kink or rounding explains,
    /// and infinitely if one of them is not finite.
    fn compare(&mut self, i: usize, analytic: f64, step: f64) -> (f64, f64) {
        let sides = self.sides(i, step);
        let numeric = (sides[0] + sides[1]) / 2.0;
        if !(analytic - numeric).is_finite() {
            return (numeric, f64::INFINITY);
        }
        let mut distance = (analytic - numeric).abs();
        // A large difference: a kink or rounding is told from a wrong derivative by
        // taking a smaller step as well. Several kinks can mislead one step, but not
        // every step.
        if distance > NEAR * analytic.abs().max(numeric.abs()) {
            let nearer = step / 32.0;
            for (step, [left, right]) in [(step, sides), (nearer, self.sides(i, nearer))] {
                let is_kink = (right - left).abs() > NEAR * left.abs().max(right.abs());
                let off = match is_kink {
                    true => (left.min(right) - analytic).max(analytic - left.max(right)),
                    false => (analytic - (left + right) / 2.0).abs(),
                };
                let hidden = ROUNDING * f64::EPSILON * self.here.abs() / step;
                distance = distance.min((off - hidden).max(0.0));
            }
        }
        (numeric, distance)
    }

    /// The slopes below and above parameter `i`.
    fn sides(&mut self, i: usize, step: f64) -> [f64; 2] {
        let w = self.moved[i];
        self.moved[i] = w + step;
        let above = (self.loss)(&self.moved);
        self.moved[i] = w - step;
        let below = (self.loss)(&self.moved);
        self.moved[i] = w;
        [(self.here - below) / step, (above - self.here) / step]
    }
}

/// Compares the gradient of a mini-batch, the examples of `data` with these indices, with
/// central differences of [`loss`], for each tensor of the net at up to `count`
/// parameters: half of them with the largest derivatives, the others evenly spread.
///
/// # Panics
/// Panics where [`Workspace::compute_gradient`] does.
pub fn check_net(
    workspace: &mut Workspace,
    net: NetRef<'_>,
    data: &Dataset,
    batch: &[u32],
    objective: impl Into<Objective>,
    count: usize,
) -> Vec<(Tensor, Comparison)> {
    let objective = objective.into();
    let reduction = objective.reduction;
    workspace.compute_gradient(net, data, batch, objective);
    let gradient = workspace.gradient();
    let (widths, activation) = (net.widths(), net.activation());
    Tensor::parameters(widths)
        .map(|(tensor, range)| {
            let indices = choose(gradient, range, count);
            let loss = |params: &[f64]| {
                loss(widths, activation, params, data, batch) * reduction.scale(batch.len())
            };
            let comparison = check(net.params(), gradient, indices, STEP, loss);
            (tensor, comparison)
        })
        .collect()
}

/// Chooses up to `count` parameters of a tensor.
fn choose(gradient: &[f32], tensor: Range<usize>, count: usize) -> Vec<usize> {
    if tensor.len() <= count {
        return tensor.collect();
    }
    let mut largest: Vec<usize> = tensor.clone().collect();
    // Of equal ones the first.
    let order = |&i: &usize, &j: &usize| {
        let (first, second) = (gradient[i].abs(), gradient[j].abs());
        second.total_cmp(&first).then(i.cmp(&j))
    };
    largest.select_nth_unstable_by(count / 2, order);
    largest.truncate(count / 2);
    largest.sort_unstable_by(order);
    let others = count - largest.len();
    let spread = (0..others).map(|k| tensor.start + (2 * k + 1) * tensor.len() / (2 * others));
    largest.extend(spread);
    largest
}

/// Computes the sum of the cross-entropies of some examples, in double precision and in
/// plain loops: the reference of the gradient check.
///
/// `params` are laid out as those of a [`NetRef`] of these widths.
///
/// # Panics
/// Panics if the parameters or the images do not fit the widths, or if a label
/// is not below the number of classes.
pub fn loss(
    widths: &[usize],
    activation: Activation,
    params: &[f64],
    data: &Dataset,
    batch: &[u32],
) -> f64 {
    let example = |&i: &u32| {
        let pixels = data.image(i as usize).iter();
        let mut a: Vec<f64> = pixels.map(|&pixel| f64::from(pixel) / 255.0).collect();
        for (l, layer) in layers(widths).enumerate() {
            assert_eq!(a.len(), layer.inputs, "inputs of a layer");
            let mut z = params[layer.biases()].to_vec();
            let rows = params[layer.weights()].chunks_exact(layer.outputs);
            for (a, weights) in a.iter().zip(rows) {
                // Most pixels are 0, which is worth a branch.
                if *a != 0.0 {
                    z.iter_mut().zip(weights).for_each(|(z, w)| *z += a * w);
                }
            }
            if l + 2 < widths.len() {
                z.iter_mut().for_each(|z| *z = sigma(activation, *z));
            }
            a = z;
        }
        let max = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = a.iter().map(|z| (z - max).exp()).sum();
        sum.ln() - (a[usize::from(data.label(i as usize))] - max)
    };
    batch.iter().map(example).sum()
}

fn sigma(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
        Activation::Relu => z.max(0.0),
        Activation::Tanh => z.tanh(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L = Σ wᵢ³, whose derivative is 3·wᵢ².
    fn cubes(w: &[f64]) -> f64 {
        w.iter().map(|w| w.powi(3)).sum()
    }

    #[test]
    fn right_gradients_pass_and_the_worst_derivative_is_named() {
        let (params, mut gradient) = ([1.0, -2.0, 0.5], [3.0, 12.0, 0.75]);
        let right = check(&params, &gradient, 0..3, STEP, cubes);
        assert_eq!((right.checked, right.largest.round()), (3, 12.0));
        assert!(right.error < 1e-9, "{right:?}");

        gradient[2] = -0.75;
        let wrong = check(&params, &gradient, 0..3, STEP, cubes);
        assert_eq!((wrong.worst, wrong.analytic), (2, -0.75));
        assert!((wrong.numeric - 0.75).abs() < 1e-8);
        assert!((wrong.error - 1.5 / 12.0).abs() < 1e-8);
        // Only where one looks.
        assert!(check(&params, &gradient, [0, 1], STEP, cubes).error < 1e-9);
    }

    #[test]
    fn at_a_kink_both_slopes_are_right_and_no_others() {
        let relu = |w: &[f64]| 3.0 + 2.0 * w[0].max(0.0);
        let error = |w: f32, slope| check(&[w], &[slope], [0], STEP, relu).error;
        assert_eq!((error(0.0, 2.0), error(0.0, 0.0)), (0.0, 0.0));
        assert!(error(0.0, 2.5) > 0.1 && error(0.0, -0.5) > 0.1);
        // A little beside it there is one.
        assert!(error(1e-6, 2.0) < 1e-4 && error(1e-6, 0.0) > 0.05);
        // One on either side, which bend differently: seen from near by there are none.
        let two = |w: &[f64]| (w[0] + 4e-6).max(0.0) - (w[0] - 4e-6).max(0.0);
        assert!(check(&[0.0], &[1.0], [0], STEP, two).error < TOLERANCE);
        assert!(check(&[0.0], &[0.5], [0], STEP, two).error > TOLERANCE);
    }

    #[test]
    fn what_rounding_hides_is_not_counted() {
        let flat = |w: &[f64]| 2.3 + 1e-20 * w[0];
        assert_eq!(check(&[1.0], &[3e-20], [0], STEP, flat).error, 0.0);
        assert!(check(&[1.0], &[1e-6], [0], STEP, flat).error > 0.9);
    }

    #[test]
    fn nothing_to_compare_is_no_error_and_what_is_no_number_is_one() {
        assert_eq!(check(&[1.0], &[3.0], [], STEP, cubes).error, 0.0);
        assert_eq!(check(&[1.0], &[0.0], [0], STEP, |_| 7.0).error, 0.0);
        for broken in [f32::NAN, f32::INFINITY] {
            let error = check(&[1.0, 2.0], &[broken, 12.0], 0..2, STEP, cubes).error;
            assert_eq!(error, f64::INFINITY);
        }
        let error = check(&[1.0], &[3.0], [0], STEP, |_| f64::NAN).error;
        assert_eq!(error, f64::INFINITY);
    }

    #[test]
    fn the_largest_are_chosen_and_some_of_all_parts() {
        let mut gradient = [0.0; 40];
        (gradient[13], gradient[25], gradient[3]) = (-2.0, 1.0, 9.0);
        let chosen = choose(&gradient, 10..30, 4);
        assert_eq!(chosen, [13, 25, 15, 25]);
        assert_eq!(choose(&gradient, 10..13, 4), [10, 11, 12]);
    }
}
