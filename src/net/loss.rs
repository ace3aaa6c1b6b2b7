//! Softmax cross-entropy, from the logits.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::names::named;
use crate::compute::vector;

/// The reduction of the losses of many examples to one number, of which the gradient is
/// taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reduction {
    /// The mean: a learning rate suits any number of examples.
    Mean,
    /// The sum.
    Sum,
}

named! { Reduction, "reduction":
    Mean = "mean",
    Sum = "sum",
}

impl Reduction {
    /// The factor of a sum over `examples` examples: 1 / examples or 1.
    pub fn scale(self, examples: usize) -> f64 {
        match self {
            Self::Mean => 1.0 / examples.max(1) as f64,
            Self::Sum => 1.0,
        }
    }

    /// The factor that makes a mean of what is reduced over `examples` examples, so that means
    /// and sums can be compared.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_mean(self, examples: usize) -> f64 {
        1.0 / (self.scale(examples) * examples as f64)
    }
}

/// The target distribution of a step, and the scale of its gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LossTarget {
    /// The factor of the gradient of each example's loss ([`Reduction::scale`]).
    pub scale: f32,
    /// The label smoothing ε, from 0 to below 1: the target y is 1 − ε + ε/C at the
    /// label and ε/C elsewhere (Szegedy et al.,
    /// *Rethinking the Inception Architecture for Computer Vision*, section 7).
    pub label_smoothing: f32,
}

impl LossTarget {
    /// The target without label smoothing: the label has probability 1.
    pub const fn new(scale: f32) -> Self {
        Self {
            scale,
            label_smoothing: 0.0,
        }
    }
}

/// Computes the cross-entropy of each example and its gradient by the logits.
///
/// `losses` receives `−ln softmax(logits)[label]`, and `dlogits` receives
/// `scale · (softmax(logits) − y)`, the gradient of `scale` times the cross-entropy
/// against the target distribution y of a [`LossTarget`]. Without label smoothing that
/// is the gradient of `scale` times the sum of the losses; label smoothing changes the
/// gradient, not the losses.
///
/// Shapes: `logits` and `dlogits` B×C, `labels` and `losses` B. The loss is
/// computed as `ln Σ exp(z − max z) − (z[label] − max z)`: the largest logit
/// contributes exp(0), so neither the sum nor its logarithm can overflow or
/// vanish (Goodfellow et al., *Deep Learning*, section 4.1).
///
/// # Panics
/// Panics if the shapes differ, if the logits are a transposed view or if a label
/// is not below C.
pub fn softmax_cross_entropy(
    isa: Isa,
    logits: MatRef<'_>,
    labels: &[u8],
    target: LossTarget,
    mut dlogits: MatMut<'_>,
    losses: &mut [f32],
) {
    let shape = (logits.rows(), logits.cols());
    assert!(
        (dlogits.rows(), dlogits.cols()) == shape
            && labels.len() == shape.0
            && losses.len() == shape.0,
        "logits {shape:?}, {} labels, {} losses, gradient ({}, {})",
        labels.len(),
        losses.len(),
        dlogits.rows(),
        dlogits.cols()
    );
    if let [_] = labels {
        // One example needs no array of sixteen sums on a small stack.
        return of_examples::<1>(isa, logits, labels, target, dlogits, losses);
    }
    let (labels, losses) = (labels.chunks(EXAMPLES), losses.chunks_mut(EXAMPLES));
    for (i, (labels, losses)) in (0..).step_by(EXAMPLES).zip(labels.zip(losses)) {
        let rows = i..i + labels.len();
        let logits = logits.block(rows.clone(), 0..shape.1);
        let dlogits = dlogits.block(rows, 0..shape.1);
        of_examples::<EXAMPLES>(isa, logits, labels, target, dlogits, losses);
    }
}

/// Maximum number of examples whose exponentials and logarithms are computed together:
/// the ten logits of one example leave most of a vector empty. Of 160 logits ten vectors of
/// AVX-512 are full, and their logarithms are one. Eight and 32 are within 2 % on a Xeon
/// (784-30-10, 128 images; docs/performance.md).
const EXAMPLES: usize = 16;

for_each_arm! {
    /// Computes losses and gradients of at most `MOST` examples.
    fn of_examples<const MOST: usize>(
        logits: MatRef<'_>,
        labels: &[u8],
        target: LossTarget,
        dlogits: MatMut<'_>,
        losses: &mut [f32],
    ) {
        let mut dlogits = dlogits;
        let (rows, classes) = (logits.rows(), logits.cols());
        let common = target.scale * target.label_smoothing / classes as f32;
        let own = target.scale * (1.0 - target.label_smoothing);
        // 1 where there is no example, so that its logarithm is defined.
        let mut sums = [1.0; MOST];
        for (i, (&label, loss)) in labels.iter().zip(losses.iter_mut()).enumerate() {
            let (row, label) = (dlogits.row_mut(i), usize::from(label));
            assert!(label < classes, "label {label} of {classes} classes");
            row.copy_from_slice(logits.row(i));
            let max = vector::max(row);
            row.iter_mut().for_each(|z| *z -= max);
            *loss = row[label];
        }
        for zs in dlogits.runs() {
            zs.iter_mut().for_each(|z| *z = vector::exp_of(*z));
        }
        for (i, sum) in (0..rows).zip(&mut sums) {
            let row = dlogits.row_mut(i);
            *sum = vector::sum(row);
            row.iter_mut()
                .for_each(|p| *p = *p / *sum * target.scale - common);
        }
        // The sums are at least 1, infinite or NaN.
        let logarithms = sums.map(vector::ln_of);
        for (i, ((&label, loss), logarithm)) in labels.iter().zip(losses).zip(logarithms).enumerate() {
            *loss = logarithm - *loss;
            dlogits.row_mut(i)[usize::from(label)] -= own;
        }
    }
}

/// Replaces the logits z of one example by probabilities, e^z / Σ e^z.
pub fn softmax(isa: Isa, logits: &mut [f32]) {
    let max = vector::max(logits);
    for z in logits.iter_mut() {
        *z -= max;
    }
    vector::exp(isa, logits);
    let sum = vector::sum(logits);
    for p in logits {
        *p /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(logits: &[f32], label: u8) -> f32 {
        let mut dlogits = [0.0; 16];
        let (logits, n) = (MatRef::new(logits, 1, logits.len()), logits.len());
        let dlogits = MatMut::new(&mut dlogits[..n], 1, n);
        let mut loss = [0.0];
        softmax_cross_entropy(
            Isa::detect(),
            logits,
            &[label],
            LossTarget::new(1.0),
            dlogits,
            &mut loss,
        );
        loss[0]
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_number_of_classes() {
        for z in [0.0, 1e30, -1e30] {
            assert_eq!(loss(&[z; 10], 3), vector::ln(10.0));
        }
    }

    #[test]
    fn far_logits_neither_overflow_nor_lose_the_loss() {
        assert_eq!(loss(&[1000.0, 0.0, -1000.0], 0), 0.0);
        assert_eq!(loss(&[1000.0, 0.0, -1000.0], 2), 2000.0);
        // The loss is ln(1 + e⁻¹⁰), of which a clipped probability would leave nothing. The
        // sum is rounded by half an ε, exp and ln by less.
        let exact = (-10_f64).exp().ln_1p() as f32;
        assert!((loss(&[10.0, 0.0], 0) - exact).abs() < f32::EPSILON);
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
        let mut losses = [0.0; 2];
        softmax_cross_entropy(
            Isa::detect(),
            MatRef::new(&logits, 2, 3),
            &[2, 0],
            LossTarget::new(0.5),
            MatMut::new(&mut dlogits, 2, 3),
            &mut losses,
        );
        let mut probs = [1.0, 2.0, 3.0];
        softmax(Isa::detect(), &mut probs);
        let sum = 1_f64.exp() + 2_f64.exp() + 3_f64.exp();
        for (p, z) in probs.into_iter().zip([1.0_f64, 2.0, 3.0]) {
            // In units of ε: 2 of an exponential, of its sum too, and ½ of each of two
            // additions and the division.
            let (exact, bound) = (z.exp() / sum, 5.5 * f64::from(f32::EPSILON));
            assert!((f64::from(p) / exact - 1.0).abs() < bound);
        }
        let expected = [
            probs[0] / 2.0,
            probs[1] / 2.0,
            (probs[2] - 1.0) / 2.0,
            (1.0 / 3.0 - 1.0) / 2.0,
            (1.0 / 3.0) / 2.0,
            (1.0 / 3.0) / 2.0,
        ];
        // Halves are exact.
        assert_eq!(dlogits, expected);
        for (loss, exact) in losses.into_iter().zip([sum.ln() - 3.0, 3_f64.ln()]) {
            // In units of ε: 3 of the sum, whose relative error is the absolute one of its
            // logarithm, and 2 of the logarithm, between ½ and 2.
            assert!((f64::from(loss) - exact).abs() < 5.0 * f64::from(f32::EPSILON));
        }
    }

    #[test]
    fn what_lies_between_rows_stays() {
        let logits: [f32; 60] = core::array::from_fn(|i| (i * i % 23) as f32 / 4.0);
        let logits = MatRef::new(&logits, 20, 3);
        let labels: [u8; 20] = core::array::from_fn(|i| (i % 3) as u8);
        let (mut near, mut apart) = ([0.0; 60], [7.0; 100]);
        let mut losses = [[0.0; 20]; 2];
        for (dlogits, losses) in [
            MatMut::new(&mut near, 20, 3),
            MatMut::with_row_stride(&mut apart, 20, 3, 5),
        ]
        .into_iter()
        .zip(&mut losses)
        {
            let target = LossTarget::new(1.0);
            softmax_cross_entropy(Isa::detect(), logits, &labels, target, dlogits, losses);
        }
        assert_eq!(losses[0], losses[1]);
        for (near, apart) in near.chunks(3).zip(apart.chunks(5)) {
            assert_eq!((near, &apart[3..]), (&apart[..3], &[7.0, 7.0][..]));
        }
    }

    #[test]
    fn smoothed_labels_leave_a_share_to_every_class() {
        let logits = [0.0; 4];
        let (mut dlogits, mut losses) = ([0.0; 4], [0.0]);
        let target = LossTarget {
            scale: 2.0,
            label_smoothing: 0.2,
        };
        softmax_cross_entropy(
            Isa::detect(),
            MatRef::new(&logits, 1, 4),
            &[1],
            target,
            MatMut::new(&mut dlogits, 1, 4),
            &mut losses,
        );
        // 2·(¼ − 0.2/4), less 2·0.8 at the label.
        let common = 0.5 - 0.1;
        assert_eq!(dlogits, [common, common - 1.6, common, common]);
        assert_eq!(losses[0], vector::ln(4.0));
    }
}
