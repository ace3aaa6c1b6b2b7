//! The optimiser: gradient descent with momentum.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::net::loss::{LossTarget, Reduction};
use crate::net::{layers, params_len};

/// Gradient descent with momentum (Polyak's heavy ball, or Nesterov's).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Momentum {
    /// The momentum μ: the share of the velocity that is kept from step to step.
    pub momentum: f32,
    /// Nesterov's form: the step looks ahead along the velocity (Sutskever et
    /// al., *On the importance of initialization and momentum in deep
    /// learning*, 2013; in Bengio's variables, section 3.5 of *Advances in
    /// Optimizing Recurrent Networks*).
    pub nesterov: bool,
    /// The L2 weight decay λ: the loss gains ½·λ·‖W‖². Biases do not decay.
    pub weight_decay: f32,
}

impl Momentum {
    /// Makes one step with learning rate η, for each parameter w of gradient g:
    ///
    /// ```text
    /// g ← g + λ·w            weights only
    /// v ← μ·v − η·g
    /// w ← w + v              or, after Nesterov, w ← w + μ·v − η·g
    /// ```
    ///
    /// A velocity without weight decay that would be subnormal, below 2⁻¹²⁶, becomes
    /// zero. The velocity of a weight whose pixel stays 0 shrinks until rounding keeps
    /// it at a subnormal number, and arithmetic with those is slow.
    ///
    /// Shapes: `params`, `velocity` and `gradient` are laid out as the
    /// parameters of a net of these widths.
    ///
    /// # Panics
    /// Panics if one of the slices does not fit the widths.
    pub fn step(
        &self,
        isa: Isa,
        widths: &[usize],
        params: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
        learning_rate: f32,
    ) {
        for len in [params.len(), velocity.len(), gradient.len()] {
            assert_eq!(len, params_len(widths), "parameters of a net {widths:?}");
        }
        for layer in layers(widths) {
            for (tensor, is_bias) in [(layer.weights(), false), (layer.biases(), true)] {
                self.step_tensor(
                    isa,
                    is_bias,
                    &mut params[tensor.clone()],
                    &mut velocity[tensor.clone()],
                    &gradient[tensor],
                    learning_rate,
                );
            }
        }
    }

    /// Makes one step of parameters that are all weights or all biases, as
    /// [`Momentum::step`] does, and returns whether all of them are finite after it.
    ///
    /// # Panics
    /// Panics if the slices differ in length.
    pub fn step_tensor(
        &self,
        isa: Isa,
        is_bias: bool,
        params: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
        learning_rate: f32,
    ) -> bool {
        assert!(
            params.len() == gradient.len() && velocity.len() == gradient.len(),
            "parameters, velocities and gradients of different lengths"
        );
        let decay = if is_bias { 0.0 } else { self.weight_decay };
        let rates = (self.momentum, decay, learning_rate);
        step(isa, params, velocity, gradient, rates, self.nesterov)
    }
}

/// The rule of a training step: optimiser, learning rate, loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Update {
    /// The optimiser.
    pub rule: Momentum,
    /// The learning rate η of the step.
    pub learning_rate: f32,
    /// The reduction of the loss over the step's examples.
    pub reduction: Reduction,
    /// The label smoothing ε ([`LossTarget`]).
    pub label_smoothing: f32,
}

impl Update {
    /// The target of a step of so many examples.
    pub(crate) fn loss_target(&self, examples: usize) -> LossTarget {
        LossTarget {
            scale: self.reduction.scale(examples) as f32,
            label_smoothing: self.label_smoothing,
        }
    }
}

for_each_arm! {
    fn step(
        params: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
        rates: (f32, f32, f32),
        nesterov: bool,
    ) -> bool {
        let (momentum, decay, learning_rate) = rates;
        // The largest bit pattern of |w|: the patterns of infinity and NaN are above all
        // others, and an integer maximum is faster than a test of each.
        let mut bits = 0;
        for ((w, v), g) in params.iter_mut().zip(velocity).zip(gradient) {
            let slope = if decay == 0.0 { *g } else { g + decay * *w };
            let step = learning_rate * slope;
            let next = momentum * *v - step;
            let is_over = decay == 0.0 && next.abs() < f32::MIN_POSITIVE;
            *v = if is_over { 0.0 } else { next };
            *w += if nesterov { momentum * *v - step } else { *v };
            bits = w.abs().to_bits().max(bits);
        }
        bits < f32::INFINITY.to_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps on one weight and one bias, worked by hand.
    fn two_steps(nesterov: bool, weight_decay: f32) -> ([f32; 2], [f32; 2]) {
        let rule = Momentum {
            momentum: 0.5,
            nesterov,
            weight_decay,
        };
        let (mut params, mut velocity) = ([1.0, 1.0], [0.0, 0.0]);
        for gradient in [[2.0, 2.0], [4.0, 4.0]] {
            rule.step(
                Isa::detect(),
                &[1, 1],
                &mut params,
                &mut velocity,
                &gradient,
                0.25,
            );
        }
        (params, velocity)
    }

    #[test]
    fn velocity_remembers_and_weights_follow_it() {
        // v: −0.5, then −0.25 − 1; w: 0.5, then −0.75.
        assert_eq!(two_steps(false, 0.0), ([-0.75; 2], [-1.25; 2]));
        // w: 1 − 0.25 − 0.5, then 0.25 − 0.625 − 1.
        assert_eq!(two_steps(true, 0.0), ([-1.375; 2], [-1.25; 2]));
    }

    #[test]
    fn velocities_die_out() {
        let rule = Momentum {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        };
        for isa in Isa::available() {
            let (mut params, mut velocity) = ([1.0; 20], [-1e-30_f32; 20]);
            let mut steps = 0;
            while velocity != [0.0; 20] {
                assert!(velocity.iter().all(|v| v.is_normal()) && steps < 200);
                rule.step_tensor(isa, false, &mut params, &mut velocity, &[0.0; 20], 0.1);
                steps += 1;
            }
            assert_eq!(params, [1.0; 20]);
        }
    }

    #[test]
    fn weights_decay_and_biases_do_not() {
        // g: 2 + 1, then 4 + 0.25; v: −0.75, then −0.375 − 1.0625.
        let (params, velocity) = two_steps(false, 1.0);
        assert_eq!(velocity, [-1.4375, -1.25]);
        assert_eq!(params, [0.25 - 1.4375, -0.75]);
    }
}
