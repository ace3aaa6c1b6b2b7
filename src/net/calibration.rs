//! How far the probabilities of a net can be trusted.

use alloc::{vec, vec::Vec};

/// Confidence and accuracy of predictions, in bins of equal width.
///
/// Of B bins, bin b holds the predictions whose confidence is above b/B and at most (b+1)/B;
/// the first one those of 0 too (Guo et al., *On Calibration of Modern Neural Networks*, 2017).
#[derive(Clone, PartialEq, Debug)]
pub struct Calibration {
    bins: Vec<CalibrationBin>,
}

/// The predictions of one bin.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
#[non_exhaustive]
pub struct CalibrationBin {
    /// The number of predictions.
    pub count: u64,
    /// The number of those that are right.
    pub right: u64,
    /// The sum of their confidences.
    pub confidences: f64,
}

impl CalibrationBin {
    /// The mean confidence; 0 of no predictions.
    pub fn confidence(&self) -> f64 {
        self.confidences / self.count.max(1) as f64
    }

    /// The share of the predictions that are right; 0 of none.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.count.max(1) as f64
    }
}

impl Calibration {
    /// So many empty bins.
    ///
    /// # Panics
    /// Panics if there are none.
    pub fn new(bins: usize) -> Self {
        assert!(bins > 0, "no bins");
        Self {
            bins: vec![CalibrationBin::default(); bins],
        }
    }

    /// Adds a prediction with its confidence, the probability of its class from 0 to 1.
    pub fn add(&mut self, confidence: f32, is_right: bool) {
        let confidence = f64::from(confidence);
        let count = self.bins.len() as f64;
        let edges = (1..self.bins.len()).map(|edge| edge as f64 / count);
        let bin = &mut self.bins[edges.take_while(|edge| *edge < confidence).count()];
        bin.count += 1;
        bin.right += u64::from(is_right);
        bin.confidences += confidence;
    }

    /// The bins, from the lowest confidence to the highest.
    pub fn bins(&self) -> &[CalibrationBin] {
        &self.bins
    }

    /// The number of predictions.
    pub fn total(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The expected calibration error: the distance of accuracy and mean confidence, averaged
    /// over the bins by their number of predictions; 0 of none.
    pub fn expected_error(&self) -> f64 {
        let distances = self.bins.iter().map(|bin| {
            let distance = bin.right as f64 - bin.confidences;
            distance.max(-distance)
        });
        distances.sum::<f64>() / self.total().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_three_bins_is_as_worked_by_hand() {
        let mut calibration = Calibration::new(4);
        assert_eq!(calibration.expected_error(), 0.0);
        // 0.5 is the upper edge of the second bin.
        for (confidence, is_right) in [(0.5, true), (0.375, false), (0.75, true), (1.0, false)] {
            calibration.add(confidence, is_right);
        }
        let counts: Vec<u64> = calibration.bins().iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [0, 2, 1, 1]);
        assert_eq!(calibration.bins()[1].accuracy(), 0.5);
        assert_eq!(calibration.bins()[1].confidence(), 0.4375);
        assert_eq!(calibration.bins()[0].confidence(), 0.0);
        // |1 − 0.875| + |1 − 0.75| + |0 − 1|, of four predictions.
        assert_eq!(calibration.expected_error(), (0.125 + 0.25 + 1.0) / 4.0);
    }

    #[test]
    fn the_ends_of_the_range_have_a_bin() {
        let mut calibration = Calibration::new(10);
        calibration.add(0.0, false);
        calibration.add(1.0, true);
        assert_eq!(
            (calibration.bins()[0].count, calibration.bins()[9].count),
            (1, 1)
        );
    }
}
