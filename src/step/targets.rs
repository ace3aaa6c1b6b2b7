//! The examples of a pass and their targets: labels, or distributions over the classes.

use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::net::loss::{LossTarget, softmax_cross_entropy};
use crate::net::soft_loss::soft_cross_entropy;
use core::ops::Range;

/// Some examples and their targets.
#[derive(Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// The numbers of the examples.
    pub(crate) examples: &'a [u32],
    pub(crate) labels: &'a [u8],
    /// A row of numbers for each class of each example; empty if the labels are the targets.
    pub(crate) soft: &'a [f32],
}

impl Targets<'_> {
    /// The targets of some of the examples.
    pub(crate) fn rows(self, rows: Range<usize>) -> Self {
        let classes = self.soft.len() / self.labels.len().max(1);
        Self {
            soft: &self.soft[rows.start * classes..rows.end * classes],
            examples: &self.examples[rows.clone()],
            labels: &self.labels[rows],
        }
    }

    /// Computes the losses and their gradient by the logits.
    ///
    /// # Panics
    /// Panics if the shapes differ or a label is not below the number of classes.
    pub(crate) fn cross_entropy(
        self,
        isa: Isa,
        logits: MatRef<'_>,
        target: LossTarget,
        dlogits: MatMut<'_>,
        losses: &mut [f32],
    ) {
        if self.soft.is_empty() {
            return softmax_cross_entropy(isa, logits, self.labels, target, dlogits, losses);
        }
        let classes = self.soft.len() / self.labels.len();
        let targets = MatRef::new(self.soft, self.labels.len(), classes);
        soft_cross_entropy(isa, logits, targets, target, dlogits, losses);
    }
}
