//! Mistakes of a training run that did not learn, to be made on purpose.
//!
//! This crate answers a question about a net that did not learn
//! (docs/why-it-did-not-learn.md). The wrong rules of that run are defined here, so that
//! the failure can be repeated and its causes removed one by one. A run makes the
//! mistakes of [`Config::defects`], a gradient or an evaluation those of its
//! [`Objective`]. The training step and the loop ask for each where it changes their
//! rule.
//!
//! [`Config::defects`]: crate::training::Config::defects

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::names::named;
use crate::compute::vector;
use crate::net::loss::Reduction;
use crate::net::optimizer::Momentum;

/// A mistake of the run that did not learn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Defect {
    /// The gradient by the logits y is `y − t`, without the softmax: the gradient of
    /// ½‖y − t‖², not of the cross-entropy that is reported.
    RawLogitGradient,
    /// The momentum multiplies the parameters, and there is no velocity:
    /// `w ← w − η·g`, then `w ← μ·w − η·g`. Without a gradient they decay.
    MomentumOnWeights,
    /// The best net is an alias of the net in training, so the last net is kept, not the
    /// best.
    AliasedBest,
    /// The reported loss normalises the softmax over the logits of all examples
    /// together, so it begins at ln(examples·classes).
    WholeMatrixSoftmax,
}

named! { Defect, "defect":
    RawLogitGradient = "raw-logit-gradient",
    MomentumOnWeights = "momentum-on-weights",
    AliasedBest = "aliased-best",
    WholeMatrixSoftmax = "whole-matrix-softmax",
}

/// A set of mistakes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Defects(u8);

impl Defects {
    /// The empty set: all rules are right.
    pub const NONE: Self = Self(0);

    /// Adds a mistake to the set.
    #[must_use]
    pub const fn with(self, defect: Defect) -> Self {
        Self(self.0 | 1 << defect as u8)
    }

    /// The set as a number: bit i stands for the defect that is declared i-th.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The set of a number, `None` if it has bits of no defect.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        match bits >> Defect::ALL.len() {
            0 => Some(Self(bits)),
            _ => None,
        }
    }

    /// Whether a mistake is in the set.
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & 1 << defect as u8 != 0
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        defects.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The loss that a gradient is taken of, and that an evaluation reports.
///
/// A [`Reduction`] converts into an objective without mistakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Objective {
    /// Mean or sum over the examples.
    pub reduction: Reduction,
    /// Mistakes to make on purpose.
    pub defects: Defects,
}

impl From<Reduction> for Objective {
    fn from(reduction: Reduction) -> Self {
        Self {
            reduction,
            defects: Defects::NONE,
        }
    }
}

/// [`Defect::RawLogitGradient`]: writes `scale · (logits − t)`, where t is 1 at
/// the label and 0 elsewhere.
///
/// Shapes: both matrices B×C, `labels` B.
pub(crate) fn raw_logit_gradient(
    logits: MatRef<'_>,
    labels: &[u8],
    scale: f32,
    mut dlogits: MatMut<'_>,
) {
    for (i, &label) in labels.iter().enumerate() {
        let row = dlogits.row_mut(i);
        for (j, d) in row.iter_mut().enumerate() {
            *d = logits.at(i, j) * scale;
        }
        row[usize::from(label)] -= scale;
    }
}

/// [`Defect::MomentumOnWeights`]: makes a step in place of [`Momentum::step_tensor`].
pub(crate) fn momentum_on_weights(
    isa: Isa,
    rule: &Momentum,
    is_bias: bool,
    params: &mut [f32],
    gradient: &[f32],
    learning_rate: f32,
) {
    let decay = if is_bias { 0.0 } else { rule.weight_decay };
    multiply_weights(isa, params, gradient, (rule.momentum, decay, learning_rate));
}

for_each_arm! {
    fn multiply_weights(params: &mut [f32], gradient: &[f32], rates: (f32, f32, f32)) {
        let (momentum, decay, learning_rate) = rates;
        for (w, g) in params.iter_mut().zip(gradient) {
            let step = learning_rate * (g + decay * *w);
            *w = momentum * (*w - step) - step;
        }
    }
}

/// [`Defect::WholeMatrixSoftmax`]: accumulates by how much one softmax for all examples
/// changes the sum of their losses.
///
/// Example i has the loss Lᵢ − zᵢ with Lᵢ = ln Σⱼ exp zᵢⱼ. With one softmax for
/// all n it is L − zᵢ with L = ln Σᵢ exp Lᵢ, so the sum is higher by
/// n·L − Σᵢ Lᵢ.
#[derive(Clone, Debug, Default)]
pub(crate) struct WholeMatrix {
    examples: usize,
    /// Σᵢ Lᵢ.
    logarithms: f64,
    /// max Lᵢ, and Σᵢ exp(Lᵢ − max Lᵢ).
    greatest: f32,
    sum: f64,
}

impl WholeMatrix {
    /// Adds examples.
    pub(crate) fn add(&mut self, logits: MatRef<'_>) {
        for i in 0..logits.rows() {
            let row = logits.row(i);
            let max = vector::max(row);
            let sum = row.iter().map(|z| vector::exp_of(z - max)).sum();
            let logarithm = max + vector::ln_of(sum);
            if self.examples == 0 {
                self.greatest = logarithm;
            } else if logarithm > self.greatest {
                self.sum *= f64::from(vector::exp_of(self.greatest - logarithm));
                self.greatest = logarithm;
            }
            self.sum += f64::from(vector::exp_of(logarithm - self.greatest));
            self.logarithms += f64::from(logarithm);
            self.examples += 1;
        }
    }

    /// The difference n·L − Σᵢ Lᵢ; 0 of no examples.
    pub(crate) fn excess(&self) -> f64 {
        if self.examples == 0 {
            return 0.0;
        }
        let logarithm = f64::from(self.greatest) + f64::from(vector::ln_of(self.sum as f32));
        self.examples as f64 * logarithm - self.logarithms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let some: Defects = [Defect::AliasedBest, Defect::MomentumOnWeights]
            .into_iter()
            .collect();
        let has = Defect::ALL.iter().map(|&defect| some.has(defect));
        assert!(has.eq([false, true, true, false]));
        assert_eq!(Defects::default(), Defects::NONE);
    }

    #[test]
    fn raw_logits_are_taken_for_probabilities() {
        let mut d = [9.0; 6];
        let logits = MatRef::new(&[1.0, -2.0, 0.5, 0.0, 4.0, 0.0], 2, 3);
        raw_logit_gradient(logits, &[1, 2], 0.5, MatMut::new(&mut d, 2, 3));
        assert_eq!(d, [0.5, -1.5, 0.25, 0.0, 2.0, -0.5]);
    }

    #[test]
    fn the_momentum_multiplies_the_weights() {
        let rule = Momentum {
            momentum: 0.5,
            nesterov: false,
            weight_decay: 0.0,
        };
        let mut params = [2.0, 2.0];
        momentum_on_weights(Isa::detect(), &rule, false, &mut params, &[4.0, 0.0], 0.25);
        // 0.5·(2 − 1) − 1, and what nobody moved is halved.
        assert_eq!(params, [-0.5, 1.0]);
    }

    #[test]
    fn one_softmax_for_all_adds_the_logarithm_of_the_examples() {
        let mut whole = WholeMatrix::default();
        assert_eq!(whole.excess(), 0.0);
        // Equal rows: L = Lᵢ + ln 3.
        whole.add(MatRef::new(&[1.0, 2.0, 1.0, 2.0], 2, 2));
        whole.add(MatRef::new(&[2.0, 1.0], 1, 2));
        // n times the error of L, and the errors of n Lᵢ: each below two units in the last
        // place of a number below 8, which are 4·ε.
        let bound = |n: f64| n * 2.0 * 8.0 * f64::from(f32::EPSILON);
        assert!((whole.excess() - 3.0 * 3_f64.ln()).abs() < bound(3.0));
        // L = ln(2·e⁵ + 2·e⁻⁵), L₁ = 5 + ln 2, L₂ = −5 + ln 2.
        for rows in [[5.0, 5.0, -5.0, -5.0], [-5.0, -5.0, 5.0, 5.0]] {
            let mut whole = WholeMatrix::default();
            whole.add(MatRef::new(&rows, 2, 2));
            let exact = 2.0 * (5_f64.exp() + (-5_f64).exp()).ln();
            assert!((whole.excess() - exact).abs() < bound(2.0));
        }
    }
}
