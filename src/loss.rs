//! Softmax cross-entropy, from the logits.

use crate::matrix::{MatMut, MatRef};
use crate::vector;

/// How the losses of many examples become one number, and so what the
/// gradient is the gradient of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduction {
    /// Their mean: the learning rate does not depend on how many there are.
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mean, Self::Sum];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
        }
    }

    /// What the sum over `examples` is multiplied by.
    pub fn scale(self, examples: usize) -> f64 {
        match self {
            Self::Mean => 1.0 / examples as f64,
            Self::Sum => 1.0,
        }
    }
}

/// Adds the loss of each example, `−ln softmax(logits)[label]`, to `total`, in
/// order, and writes the gradient of `scale` times their sum by the logits,
/// `scale · (softmax(logits) − y)` where y is 1 at the label and 0 elsewhere.
///
/// Shapes: `logits` and `dlogits` B×C, `labels` B. The loss is computed as
/// `ln Σ exp(z − max z) − (z[label] − max z)`: the largest logit contributes
/// exp(0), so neither the sum nor its logarithm can overflow or vanish
/// (Goodfellow et al., *Deep Learning*, section 4.1).
///
/// # Panics
/// Panics if the shapes differ or if a label is not below C.
pub fn softmax_cross_entropy(
    logits: MatRef<'_>,
    labels: &[u8],
    scale: f32,
    mut dlogits: MatMut<'_>,
    total: &mut f64,
) {
    let shape = (logits.rows(), logits.cols());
    assert!(
        (dlogits.rows(), dlogits.cols()) == shape && labels.len() == shape.0,
        "logits {shape:?}, {} labels, gradient ({}, {})",
        labels.len(),
        dlogits.rows(),
        dlogits.cols()
    );
    for (i, &label) in labels.iter().enumerate() {
        let (label, logits) = (usize::from(label), logits.row(i));
        let probs = dlogits.row_mut(i);
        probs.copy_from_slice(logits);
        let (max, sum) = exp_sum(probs);
        *total += f64::from(vector::ln(sum) - (logits[label] - max));
        for p in probs.iter_mut() {
            *p = *p / sum * scale;
        }
        probs[label] -= scale;
    }
}

/// Replaces logits by probabilities: e^z / Σ e^z, for one example.
pub fn softmax(logits: &mut [f32]) {
    let (_, sum) = exp_sum(logits);
    for p in logits {
        *p /= sum;
    }
}

/// Replaces each z by exp(z − max z); returns max z and the sum of the
/// exponentials.
fn exp_sum(z: &mut [f32]) -> (f32, f32) {
    let max = vector::max(z);
    for z in z.iter_mut() {
        *z -= max;
    }
    vector::exp(z);
    (max, vector::sum(z))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(logits: &[f32], label: u8) -> f64 {
        let mut dlogits = [0.0; 16];
        let (logits, n) = (MatRef::new(logits, 1, logits.len()), logits.len());
        let dlogits = MatMut::new(&mut dlogits[..n], 1, n);
        let mut total = 0.0;
        softmax_cross_entropy(logits, &[label], 1.0, dlogits, &mut total);
        total
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_number_of_classes() {
        for z in [0.0, 1e30, -1e30] {
            assert!((loss(&[z; 10], 3) - 10_f64.ln()).abs() < 1e-6);
        }
    }

    #[test]
    fn far_logits_neither_overflow_nor_lose_the_loss() {
        assert_eq!(loss(&[1000.0, 0.0, -1000.0], 0), 0.0);
        assert_eq!(loss(&[1000.0, 0.0, -1000.0], 2), 2000.0);
        // The loss is e⁻¹⁰, of which a clipped probability would leave nothing.
        assert!((loss(&[10.0, 0.0], 0) - 4.54e-5).abs() < 1e-7);
    }

    #[test]
    fn a_broken_logit_breaks_the_loss() {
        assert!(!loss(&[0.0, f32::NAN, 1.0], 0).is_finite());
        assert!(!loss(&[0.0, f32::INFINITY, 1.0], 0).is_finite());
    }

    #[test]
    fn gradients_are_probabilities_less_the_truth() {
        let logits = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0];
        let mut dlogits = [0.0; 6];
        let mut total = 0.0;
        softmax_cross_entropy(
            MatRef::new(&logits, 2, 3),
            &[2, 0],
            0.5,
            MatMut::new(&mut dlogits, 2, 3),
            &mut total,
        );
        let mut probs = [1.0, 2.0, 3.0];
        softmax(&mut probs);
        let sum = 1_f64.exp() + 2_f64.exp() + 3_f64.exp();
        for (p, z) in probs.into_iter().zip([1.0_f64, 2.0, 3.0]) {
            assert!((f64::from(p) - z.exp() / sum).abs() < 1e-7);
        }
        let expected = [
            probs[0] / 2.0,
            probs[1] / 2.0,
            (probs[2] - 1.0) / 2.0,
            -1.0 / 3.0,
            1.0 / 6.0,
            1.0 / 6.0,
        ];
        for (d, e) in dlogits.into_iter().zip(expected) {
            assert!((d - e).abs() < 1e-7, "{dlogits:?}");
        }
        assert!((total - (sum.ln() - 3.0 + 3_f64.ln())).abs() < 1e-6);
    }
}
