//! The sum of losses over many examples.

use crate::compute::matrix::MatRef;
use crate::net::defects::{Defect, Defects, WholeMatrix};

/// The sum of the losses of examples, chunk by chunk.
pub(crate) struct LossSum {
    losses: f64,
    /// State of [`Defect::WholeMatrixSoftmax`]; `None` without it.
    whole: Option<WholeMatrix>,
}

impl LossSum {
    /// The sum over no example.
    pub(crate) fn new(defects: Defects) -> Self {
        let is_whole = defects.has(Defect::WholeMatrixSoftmax);
        Self {
            losses: 0.0,
            whole: is_whole.then(WholeMatrix::default),
        }
    }

    /// Adds the losses of examples, computed from these logits.
    pub(crate) fn add(&mut self, losses: &[f32], logits: MatRef<'_>) {
        for &loss in losses {
            self.losses += f64::from(loss);
        }
        if let Some(whole) = &mut self.whole {
            whole.add(logits);
        }
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.losses.is_finite()
    }

    pub(crate) fn total(&self) -> f64 {
        self.losses + self.whole.as_ref().map_or(0.0, WholeMatrix::excess)
    }
}
