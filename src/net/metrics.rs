//! Measures of predictions: confusion matrix, accuracy, precision, recall, F1.

use crate::compute::vector;
use crate::net::loss::Reduction;
use alloc::{vec, vec::Vec};

/// Counts of examples by true and predicted class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// A matrix of zeros for so many classes.
    ///
    /// # Panics
    /// Panics if `classes²` does not fit the memory.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes.saturating_mul(classes)],
        }
    }

    /// Counts an example.
    ///
    /// # Panics
    /// Panics if one of the classes does not exist.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(
            truth < self.classes && predicted < self.classes,
            "classes {truth} and {predicted} of {}",
            self.classes
        );
        self.counts[truth * self.classes + predicted] += 1;
    }

    /// The number of classes C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts, C×C: a row for each true class, a column for each predicted class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of examples whose true class is `class`.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn support(&self, class: usize) -> u64 {
        self.counts[class * self.classes..][..self.classes]
            .iter()
            .sum()
    }

    /// The number of examples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of examples whose class was predicted rightly.
    pub fn correct(&self) -> u64 {
        self.counts.iter().step_by(self.classes + 1).sum()
    }

    /// The share of examples whose class was predicted rightly; 0 of no examples.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// The share of the examples predicted to be of this class that are; 0 of none.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn precision(&self, class: usize) -> f64 {
        let predicted = self.counts.iter().skip(class).step_by(self.classes).sum();
        ratio(self.counts[class * (self.classes + 1)], predicted)
    }

    /// The share of the examples of this class that were predicted to be; 0 of none.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.counts[class * (self.classes + 1)], self.support(class))
    }

    /// F1, the harmonic mean of precision and recall; 0 where both are 0.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn f1(&self, class: usize) -> f64 {
        let (p, r) = (self.precision(class), self.recall(class));
        if p + r == 0.0 {
            0.0
        } else {
            2.0 * p * r / (p + r)
        }
    }

    /// The 95 % confidence interval of the accuracy, by Wilson's score (*Probable
    /// Inference*, 1927); from 0 to 1 of no examples.
    pub fn accuracy_interval(&self) -> (f64, f64) {
        const Z: f64 = 1.959_963_984_540_054;
        let n = self.total() as f64;
        if n == 0.0 {
            return (0.0, 1.0);
        }
        let p = self.accuracy();
        let centre = p + Z * Z / (2.0 * n);
        let half = Z * vector::sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n));
        let width = 1.0 + Z * Z / n;
        // Rounding may carry a bound past the share that it bounds.
        (
            ((centre - half) / width).max(0.0),
            ((centre + half) / width).min(1.0),
        )
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Loss and predictions on a set of examples.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Evaluation {
    /// The cross-entropy in nats, mean or sum as asked for.
    pub loss: f64,
    /// True and predicted classes.
    pub confusion: Confusion,
}

impl Evaluation {
    /// The evaluation of class probabilities, which may be means over several nets.
    ///
    /// Shapes: `probs` is B×C, a row for each example, whose most probable class is the
    /// prediction; `labels` has B elements. The loss of an example is −ln of the probability of
    /// its label, where probabilities below the smallest normal number count as that.
    ///
    /// # Panics
    /// Panics if the shapes differ or a label is not below C.
    pub fn of_probabilities(
        probs: &[f32],
        labels: &[u8],
        classes: usize,
        reduction: Reduction,
    ) -> Self {
        assert_eq!(probs.len(), labels.len() * classes, "probabilities");
        let (mut sum, mut confusion) = (0.0, Confusion::new(classes));
        for (probs, &label) in probs.chunks_exact(classes).zip(labels) {
            confusion.add(usize::from(label), vector::argmax(probs));
            // NaN, where a logit is not finite, stays NaN.
            let prob = probs[usize::from(label)];
            let prob = match prob < f32::MIN_POSITIVE {
                true => f32::MIN_POSITIVE,
                false => prob,
            };
            sum -= f64::from(vector::ln(prob));
        }
        Self {
            loss: sum * reduction.scale(labels.len()),
            confusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_matrix_worked_by_hand() {
        let mut confusion = Confusion::new(3);
        for (truth, predicted, count) in [(0, 0, 5), (0, 1, 1), (1, 0, 2), (1, 1, 2)] {
            for _ in 0..count {
                confusion.add(truth, predicted);
            }
        }
        assert_eq!((confusion.total(), confusion.correct()), (10, 7));
        assert_eq!(confusion.accuracy(), 0.7);
        assert_eq!((confusion.support(0), confusion.support(2)), (6, 0));
        assert_eq!(confusion.precision(0), 5.0 / 7.0);
        assert_eq!(confusion.recall(0), 5.0 / 6.0);
        // Seven operations, the two shares among them, on numbers below 2.
        let bound = 7.0 * f64::EPSILON;
        assert!((confusion.f1(0) - 10.0 / 13.0).abs() < bound);
        assert_eq!(
            (confusion.precision(2), confusion.recall(2), confusion.f1(2)),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn probabilities_are_evaluated_by_their_logarithms() {
        let probs = [0.5, 0.25, 0.25, 0.0, 0.0, 1.0];
        let evaluation = Evaluation::of_probabilities(&probs, &[1, 0], 3, Reduction::Sum);
        let tiny = f64::from(f32::MIN_POSITIVE);
        let expected = -(0.25_f64.ln() + tiny.ln());
        // Two logarithms in single precision, of up to 88.
        let bound = 2.0 * 88.0 * f64::from(f32::EPSILON);
        assert!(
            (evaluation.loss - expected).abs() < bound,
            "{}",
            evaluation.loss
        );
        assert_eq!(evaluation.confusion.counts(), [0, 0, 1, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_interval_is_wilsons() {
        let mut confusion = Confusion::new(2);
        assert_eq!(confusion.accuracy_interval(), (0.0, 1.0));
        for i in 0..100 {
            confusion.add(0, usize::from(i >= 98));
        }
        // From 98 of 100, computed with a published table's formula to four digits.
        let (low, high) = confusion.accuracy_interval();
        assert!(
            (low - 0.930_0).abs() < 5e-5 && (high - 0.994_5).abs() < 5e-5,
            "{low} {high}"
        );
    }
}
