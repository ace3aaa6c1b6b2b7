//! Softmax cross-entropy against target distributions.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::vector;
use crate::net::loss::LossTarget;

/// Computes the cross-entropy of each example against a distribution over the classes, and its
/// gradient by the logits.
///
/// With the row y of `targets` and its sum w, `losses` receives `−Σ y·ln softmax(logits)`, and
/// `dlogits` receives `scale · (w·softmax(logits) − y)`, where label smoothing ε replaces y by
/// `(1 − ε)·y + ε·w/C` ([`LossTarget`]); it changes the gradient, not the losses. A row of
/// probabilities has the sum 1; a row that is w times one gives its example the weight w. The bits
/// for rows that are 1 at a label and 0 elsewhere are those of [`softmax_cross_entropy`].
///
/// Shapes: `logits`, `targets` and `dlogits` B×C, `losses` B.
///
/// # Panics
/// Panics if the shapes differ, or if the logits or the targets are a transposed view.
///
/// [`softmax_cross_entropy`]: crate::net::loss::softmax_cross_entropy
pub fn soft_cross_entropy(
    isa: Isa,
    logits: MatRef<'_>,
    targets: MatRef<'_>,
    target: LossTarget,
    dlogits: MatMut<'_>,
    losses: &mut [f32],
) {
    let shape = (logits.rows(), logits.cols());
    assert!(
        (dlogits.rows(), dlogits.cols()) == shape
            && (targets.rows(), targets.cols()) == shape
            && losses.len() == shape.0,
        "logits {shape:?}, targets ({}, {}), {} losses, gradient ({}, {})",
        targets.rows(),
        targets.cols(),
        losses.len(),
        dlogits.rows(),
        dlogits.cols()
    );
    of_examples(isa, logits, targets, target, dlogits, losses);
}

for_each_arm! {
    /// Computes losses and gradients.
    fn of_examples(
        logits: MatRef<'_>,
        targets: MatRef<'_>,
        target: LossTarget,
        dlogits: MatMut<'_>,
        losses: &mut [f32],
    ) {
        let mut dlogits = dlogits;
        let common = target.scale * target.label_smoothing / logits.cols() as f32;
        let own = target.scale * (1.0 - target.label_smoothing);
        for (i, loss) in losses.iter_mut().enumerate() {
            let (row, y) = (dlogits.row_mut(i), targets.row(i));
            row.copy_from_slice(logits.row(i));
            let max = vector::max(row);
            row.iter_mut().for_each(|z| *z -= max);
            *loss = row.iter().zip(y).fold(0.0, |sum, (&z, &y)| sum + y * z);
        }
        for zs in dlogits.runs() {
            zs.iter_mut().for_each(|z| *z = vector::exp_of(*z));
        }
        for (i, loss) in losses.iter_mut().enumerate() {
            let (row, y) = (dlogits.row_mut(i), targets.row(i));
            let (sum, weight) = (vector::sum(row), vector::sum(y));
            *loss = weight * vector::ln_of(sum) - *loss;
            for (p, &y) in row.iter_mut().zip(y) {
                *p = *p / sum * (target.scale * weight) - common * weight - own * y;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::loss::softmax_cross_entropy;

    const ROWS: usize = 21;
    const CLASSES: usize = 5;

    fn logits() -> [f32; ROWS * CLASSES] {
        core::array::from_fn(|i| (i * i % 23) as f32 / 4.0 - 3.0)
    }

    fn of(targets: &[f32], target: LossTarget, isa: Isa) -> ([f32; ROWS * CLASSES], [f32; ROWS]) {
        let (logits, mut dlogits, mut losses) = (logits(), [7.0; ROWS * CLASSES], [7.0; ROWS]);
        soft_cross_entropy(
            isa,
            MatRef::new(&logits, ROWS, CLASSES),
            MatRef::new(targets, ROWS, CLASSES),
            target,
            MatMut::new(&mut dlogits, ROWS, CLASSES),
            &mut losses,
        );
        (dlogits, losses)
    }

    #[test]
    fn a_certain_target_has_the_bits_of_its_label() {
        let labels: [u8; ROWS] = core::array::from_fn(|i| (i * 3 % CLASSES) as u8);
        let targets: [f32; ROWS * CLASSES] = core::array::from_fn(|i| {
            let is_label = usize::from(labels[i / CLASSES]) == i % CLASSES;
            f32::from(u8::from(is_label))
        });
        let target = LossTarget {
            scale: 0.3,
            label_smoothing: 0.1,
        };
        for isa in Isa::available() {
            let logits = logits();
            let (mut dlogits, mut losses) = ([0.0; ROWS * CLASSES], [0.0; ROWS]);
            softmax_cross_entropy(
                isa,
                MatRef::new(&logits, ROWS, CLASSES),
                &labels,
                target,
                MatMut::new(&mut dlogits, ROWS, CLASSES),
                &mut losses,
            );
            assert_eq!(of(&targets, target, isa), (dlogits, losses));
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let y = |i: usize| ((i * 7) % 11) as f64 / 8.0;
        let targets: [f32; ROWS * CLASSES] = core::array::from_fn(|i| y(i) as f32);
        let (gradient, losses) = of(&targets, LossTarget::new(2.0), Isa::detect());
        for (row, found) in losses.into_iter().enumerate() {
            let places = row * CLASSES..(row + 1) * CLASSES;
            let exps = places.clone().map(|i| f64::from(logits()[i]).exp());
            let sum: f64 = exps.sum();
            let weight: f64 = places.clone().map(y).sum();
            let mut loss = 0.0;
            for i in places {
                let z = f64::from(logits()[i]);
                loss -= y(i) * (z - sum.ln());
                let exact = 2.0 * (weight * z.exp() / sum - y(i));
                assert!((f64::from(gradient[i]) - exact).abs() < 1e-5, "{i}");
            }
            assert!((f64::from(found) - loss).abs() < 1e-4, "{row}");
        }
    }
}
