//! The largest curvature of the loss, by power iteration.

use crate::compute::vector::norm;
use crate::data::Subset;
use crate::net::NetRef;
use crate::net::defects::Objective;
use crate::step::workspace::Workspace;

/// Training examples whose mean loss is measured.
const EXAMPLES: usize = 512;

/// Power iterations. On MNIST the curvature after 8 of them is within 6 % of that after
/// 12 for all nets of docs/defaults.md.
const ITERATIONS: usize = 8;

/// The length of a central difference, relative to the norm of the parameters: as long
/// as the loss is close to a parabola, and short of where rounding shows.
const DISTANCE: f64 = 1e-3;

/// Estimates the largest curvature λ of the mean loss at `net`: the largest absolute
/// eigenvalue of its Hessian, over the first 512 of the examples (LeCun, Simard and
/// Pearlmutter, *Automatic learning rate maximization by on-line estimation of the
/// Hessian's eigenvectors*, 1993).
///
/// The estimate starts from the gradient and computes products of the Hessian and a
/// vector as central differences of gradients, 17 gradients in all. The number of
/// threads changes no bit of it. It is infinite or NaN if a loss overflows, and 0 where
/// the gradient is 0.
///
/// Gradient descent with momentum μ is unstable on a parabola of curvature λ if its
/// learning rate is above 2·(1 + μ)/λ ([`largest_stable_rate`]).
///
/// # Panics
/// Panics where [`Workspace::compute_gradient`] does.
pub fn largest_curvature(
    net: NetRef<'_>,
    examples: &Subset<'_>,
    objective: Objective,
    workspace: &mut Workspace,
) -> f64 {
    let indices = examples.indices();
    let batch = &indices[..indices.len().min(EXAMPLES)];
    let to_mean = objective.reduction.to_mean(batch.len());
    let mut moved = net.params().to_vec();
    let mut gradient = |params: &[f32]| {
        let net = NetRef::new(net.widths(), net.activation(), params);
        workspace.compute_gradient(net, examples.dataset(), batch, objective);
        workspace.gradient().to_vec()
    };

    let mut direction = gradient(net.params());
    let mut curvature = 0.0;
    for _ in 0..ITERATIONS {
        let length = norm(direction.iter().copied());
        if length == 0.0 {
            return 0.0;
        }
        let distance = DISTANCE * norm(net.params().iter().copied()).max(1e-3);
        let step = (distance / length) as f32;
        let mut ahead = |step: f32| {
            let params = moved.iter_mut().zip(net.params()).zip(&direction);
            params.for_each(|((moved, &at), &way)| *moved = at + step * way);
            gradient(&moved)
        };
        let (after, before) = (ahead(step), ahead(-step));
        let ends = direction.iter_mut().zip(after.iter().zip(&before));
        ends.for_each(|(way, (after, before))| *way = after - before);
        curvature = to_mean * norm(direction.iter().copied()) / (2.0 * distance);
    }
    curvature
}

/// The learning rate above which gradient descent with this momentum is unstable on a
/// parabola of this curvature: 2·(1 + μ)/λ (Goh, *Why Momentum Really Works*, 2017).
pub fn largest_stable_rate(curvature: f64, momentum: f32) -> f64 {
    2.0 * (1.0 + f64::from(momentum)) / curvature
}
