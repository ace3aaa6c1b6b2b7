//! Numbers that tell whether a net learns.

use crate::compute::vector::{self, norm};
use crate::net::activation::Activation;
use crate::net::{NetRef, Tensor};
use crate::step::workspace::Workspace;
use crate::training::observer::TrainingState;
use alloc::vec::Vec;

/// The number of images whose gradient and activations are measured: one chunk of the
/// workspace.
const PROBE: usize = 256;

/// A unit is saturated at an image if its slope is below this share of the steepest
/// slope. For the sigmoid: an activation below 0.013 or above 0.987.
const FLAT: f32 = 0.05;

/// Measurements of a net in training.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Indicators {
    /// The norm of the gradient of the mean loss of some training images.
    pub gradient_norm: f64,
    /// The share of the hidden activations at these images where a sigmoid or tanh has
    /// less than a twentieth of its steepest slope.
    pub saturated: f64,
    /// The share of the hidden relu units that are 0 for each of these images.
    pub dead: f64,
    /// The measurements of each layer, from the inputs on.
    pub layers: Vec<LayerIndicators>,
}

/// Measurements of the weights of a layer.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct LayerIndicators {
    /// The norm ‖W‖ (Frobenius).
    pub norm: f64,
    /// The distance that the weights moved since the last measurement, relative to their
    /// norm then.
    pub moved: f64,
}

impl Indicators {
    /// Measures a net on the first training images. `before` are the parameters at
    /// the last measurement, and `workspace` is one for nets of its widths.
    pub(super) fn measure(
        workspace: &mut Workspace,
        now: &TrainingState<'_>,
        before: &[f32],
    ) -> Self {
        let batch = first(now, PROBE);
        let (net, data, objective) = (now.net, now.train.dataset(), now.config.objective());
        workspace.compute_gradient(net, data, batch, objective);
        let to_mean = objective.reduction.to_mean(batch.len());
        let (mut flat, mut dead, mut activations, mut units) = (0, 0, 0, 0);
        for l in 0..net.depth() - 1 {
            let a = net.activation_of(l, workspace.activations());
            activations += a.rows() * a.cols();
            units += a.cols();
            flat += a
                .as_slice()
                .iter()
                .filter(|&&a| is_flat(net.activation(), a))
                .count();
            if net.activation() == Activation::Relu {
                let is_dead = |&j: &usize| (0..a.rows()).all(|i| a.at(i, j) == 0.0);
                dead += (0..a.cols()).filter(is_dead).count();
            }
        }
        Self {
            gradient_norm: to_mean * norm(workspace.gradient().iter().copied()),
            saturated: share(flat, activations),
            dead: share(dead, units),
            layers: layer_indicators(net, before),
        }
    }
}

/// The indicators of each layer's weights.
fn layer_indicators(net: NetRef<'_>, before: &[f32]) -> Vec<LayerIndicators> {
    let tensors = Tensor::parameters(net.widths());
    let weights = tensors.filter(|(tensor, _)| matches!(tensor, Tensor::Weights(_)));
    weights
        .map(|(_, range)| {
            let (now, before) = (&net.params()[range.clone()], &before[range]);
            let length = norm(before.iter().copied());
            let way = norm(now.iter().zip(before).map(|(now, before)| now - before));
            LayerIndicators {
                norm: norm(now.iter().copied()),
                moved: if way > 0.0 { way / length } else { 0.0 },
            }
        })
        .collect()
}

/// The first training images of a run.
pub(super) fn first<'a>(now: &TrainingState<'a>, count: usize) -> &'a [u32] {
    let indices = now.train.indices();
    &indices[..indices.len().min(count)]
}

/// Whether σ is saturated where its value is `a`. Relu never is: it has slope 0 or 1, and
/// 0 at some images is normal.
fn is_flat(activation: Activation, a: f32) -> bool {
    match activation {
        // The steepest slopes are 1/4 and 1.
        Activation::Sigmoid => 4.0 * a * (1.0 - a) < FLAT,
        Activation::Tanh => 1.0 - a * a < FLAT,
        Activation::Relu => false,
    }
}

/// The norm of the weights of all layers together.
pub(super) fn total_length(layers: &[LayerIndicators]) -> f64 {
    vector::sqrt(layers.iter().map(|layer| layer.norm * layer.norm).sum())
}

/// The root mean square of the gradient of the first weights, relative to that of the last
/// weights; 1 where both are 0.
pub(super) fn reach(widths: &[usize], gradient: &[f32]) -> f64 {
    let tensors = Tensor::parameters(widths);
    let weights = tensors.filter(|(tensor, _)| matches!(tensor, Tensor::Weights(_)));
    let mut sizes = weights.map(|(_, range)| {
        let count = range.len() as f64;
        norm(gradient[range].iter().copied()) / vector::sqrt(count)
    });
    let first = sizes.next().unwrap_or(0.0);
    let last = sizes.last().unwrap_or(first);
    if last > 0.0 { first / last } else { 1.0 }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_is_where_next_to_nothing_of_the_slope_is_left() {
        let flat = |activation, a: &[f32]| a.iter().filter(|&&a| is_flat(activation, a)).count();
        assert_eq!(
            flat(
                Activation::Sigmoid,
                &[0.0, 0.01, 0.02, 0.5, 0.98, 0.99, 1.0]
            ),
            4
        );
        assert_eq!(
            flat(
                Activation::Tanh,
                &[-1.0, -0.98, -0.97, 0.0, 0.97, 0.98, 1.0]
            ),
            4
        );
        assert_eq!(flat(Activation::Relu, &[0.0, 1e9]), 0);
    }
}
