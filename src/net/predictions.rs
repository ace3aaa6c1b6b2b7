//! Predictions of single examples: which are wrong, which are unsure, and how far their
//! probabilities can be trusted.

use crate::net::calibration::Calibration;
use crate::net::metrics::Confusion;
use alloc::vec::Vec;

/// The predictions of a net on N examples of C classes.
///
/// `Workspace::examine` makes them of a data set. Examples are numbered from 0 in the order in
/// which they were added.
#[derive(Clone, PartialEq, Debug)]
pub struct Predictions {
    classes: usize,
    truths: Vec<u32>,
    predicted: Vec<u32>,
    probabilities: Vec<f32>,
}

impl Predictions {
    /// No predictions yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            truths: Vec::new(),
            predicted: Vec::new(),
            probabilities: Vec::new(),
        }
    }

    /// Adds an example of class `truth`. `predicted` is the class of its largest logit:
    /// probabilities may be equal where logits are not.
    ///
    /// # Panics
    /// Panics if one of the classes does not exist, or if there are not C probabilities.
    pub fn add(&mut self, truth: usize, predicted: usize, probabilities: &[f32]) {
        assert!(
            truth < self.classes && predicted < self.classes,
            "classes {truth} and {predicted} of {}",
            self.classes
        );
        assert_eq!(probabilities.len(), self.classes, "probabilities");
        self.truths.push(truth as u32);
        self.predicted.push(predicted as u32);
        self.probabilities.extend_from_slice(probabilities);
    }

    /// The number of examples N.
    pub fn len(&self) -> usize {
        self.truths.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.truths.is_empty()
    }

    /// The number of classes C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The true class of example `i`.
    ///
    /// # Panics
    /// Panics if there is no such example.
    pub fn truth(&self, i: usize) -> usize {
        self.truths[i] as usize
    }

    /// The predicted class of example `i`.
    ///
    /// # Panics
    /// Panics if there is no such example.
    pub fn predicted(&self, i: usize) -> usize {
        self.predicted[i] as usize
    }

    /// The probabilities of the classes of example `i`, C of them.
    ///
    /// # Panics
    /// Panics if there is no such example.
    pub fn probabilities(&self, i: usize) -> &[f32] {
        &self.probabilities[i * self.classes..][..self.classes]
    }

    /// The confidence of example `i`: the probability of its predicted class.
    ///
    /// # Panics
    /// Panics if there is no such example.
    pub fn confidence(&self, i: usize) -> f32 {
        self.probabilities(i)[self.predicted(i)]
    }

    /// Whether the class of example `i` was predicted rightly.
    ///
    /// # Panics
    /// Panics if there is no such example.
    pub fn is_right(&self, i: usize) -> bool {
        self.truths[i] == self.predicted[i]
    }

    /// Counts of the examples by true and predicted class.
    pub fn confusion(&self) -> Confusion {
        let mut confusion = Confusion::new(self.classes);
        for i in 0..self.len() {
            confusion.add(self.truth(i), self.predicted(i));
        }
        confusion
    }

    /// The examples that were predicted wrongly, the most confident first.
    pub fn mistakes(&self) -> Vec<usize> {
        let mut wrong: Vec<usize> = (0..self.len()).filter(|&i| !self.is_right(i)).collect();
        wrong.sort_by(|&i, &j| self.confidence(j).total_cmp(&self.confidence(i)));
        wrong
    }

    /// The examples that were predicted rightly, the least confident first.
    pub fn least_sure(&self) -> Vec<usize> {
        let mut right: Vec<usize> = (0..self.len()).filter(|&i| self.is_right(i)).collect();
        right.sort_by(|&i, &j| self.confidence(i).total_cmp(&self.confidence(j)));
        right
    }

    /// Compares confidence with accuracy, in so many bins of equal width.
    ///
    /// # Panics
    /// Panics if there are no bins.
    pub fn calibration(&self, bins: usize) -> Calibration {
        let mut calibration = Calibration::new(bins);
        for i in 0..self.len() {
            calibration.add(self.confidence(i), self.is_right(i));
        }
        calibration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_in_the_order_of_their_confidence() {
        let mut predictions = Predictions::new(2);
        for (truth, probability) in [(0, 0.9), (1, 0.6), (0, 0.2), (1, 0.8), (0, 0.7)] {
            let predicted = usize::from(probability < 0.5);
            predictions.add(truth, predicted, &[probability, 1.0 - probability]);
        }
        assert_eq!(predictions.mistakes(), [2, 3, 1]);
        assert_eq!(predictions.least_sure(), [4, 0]);
        assert_eq!(predictions.confidence(2), 0.8);
        assert_eq!(predictions.confusion().counts(), [2, 1, 2, 0]);
    }
}
