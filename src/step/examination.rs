//! A pass over examples that keeps what there is to know of each of them.

use crate::compute::gemm::Context;
use crate::compute::thread_team::WORK_PER_WOKEN_THREAD;
use crate::compute::vector;
use crate::data::Subset;
use crate::net::attribution::{UnitEffect, UnitStatistics};
use crate::net::defects::Defects;
use crate::net::loss::{Reduction, softmax};
use crate::net::metrics::{Confusion, Evaluation};
use crate::net::predictions::Predictions;
use crate::net::{NetRef, activations_len};
use crate::step::loss_sum::LossSum;
use crate::step::pass::CHUNK;
use crate::step::workspace::Workspace;
use alloc::vec::Vec;

/// Examples over which gradients of the logits by hidden units are averaged, where they
/// differ from example to example: those of nets with several hidden layers.
const WEIGHED: usize = 4 * CHUNK;

/// Predictions and units of a net, on a set of examples.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Examination {
    /// Loss and confusion matrix, as [`Workspace::evaluate`] gives them.
    pub evaluation: Evaluation,
    /// The prediction of each example, in the order of the subset.
    pub predictions: Predictions,
    /// The units of the first hidden layer, the most important first; none of a net without.
    /// Of a net with several hidden layers gradients are means over the first 1 024 examples.
    pub units: Vec<UnitEffect>,
}

impl Workspace {
    /// Evaluates `net` on all examples of `data`, and keeps the predictions and what the units
    /// contribute to them. Where the loss is not finite the rest is not whole.
    ///
    /// Besides what the workspace holds it allocates for each example a number of 4 bytes for
    /// each class and two more, and for each first unit two numbers of 8 bytes for each class.
    ///
    /// ```
    /// use handwritten::data::{Dataset, Subset};
    /// use handwritten::{Activation, NetRef, Reduction, Workspace};
    ///
    /// let params = [4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
    /// let net = NetRef::new(&[2, 1, 2], Activation::Sigmoid, &params);
    /// let data = Dataset::new(vec![255, 0, 0, 255, 0, 255], 1, 2, vec![0, 1, 0])?;
    /// let mut workspace = Workspace::new(net.widths(), 1);
    /// let found = workspace.examine(net, &Subset::all(&data), Reduction::Mean);
    /// assert_eq!(found.predictions.mistakes(), [2]);
    /// assert!(found.predictions.confidence(2) > 0.9);
    /// assert!(found.predictions.calibration(10).expected_error() > 0.2);
    /// // The unit speaks for the first class.
    /// assert!(found.units[0].effects[0] > 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// Panics where [`Workspace::compute_gradient`] does.
    pub fn examine(
        &mut self,
        net: NetRef<'_>,
        data: &Subset<'_>,
        reduction: Reduction,
    ) -> Examination {
        let mut sum = LossSum::new(Defects::NONE);
        let classes = net.widths()[net.depth()];
        let mut predictions = Predictions::new(classes);
        let mut confusion = Confusion::new(classes);
        let mut units = UnitStatistics::new(net);
        let mut packing = Context::packing(1);
        let mut ctx = Context::new(1, &mut packing).with_isa(self.isa());
        let threads = self.pieces(data.len(), WORK_PER_WOKEN_THREAD);
        self.with_team(threads, |this, team| {
            for (i, chunk) in data.indices().chunks(CHUNK).enumerate() {
                let objective = (None, Defects::NONE);
                this.forward(team, net, data.dataset(), chunk, objective, &mut sum);
                if !sum.is_finite() {
                    break;
                }
                let len = activations_len(net.widths(), chunk.len());
                let activations = &this.activations()[..len];
                let weigh = net.depth() > 2 && i * CHUNK < WEIGHED;
                units.add(net, activations, weigh, &mut ctx);
                let logits = net.activation_of(net.depth() - 1, activations);
                for (i, &label) in this.labels().iter().enumerate() {
                    let predicted = vector::argmax(logits.row(i));
                    let mut probabilities = logits.row(i).to_vec();
                    softmax(ctx.isa(), &mut probabilities);
                    confusion.add(usize::from(label), predicted);
                    predictions.add(usize::from(label), predicted, &probabilities);
                }
            }
        });
        Examination {
            evaluation: Evaluation {
                loss: sum.total() * reduction.scale(data.len()),
                confusion,
            },
            predictions,
            units: units.into_effects(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};
    use crate::data::Dataset;
    use crate::net::Net;
    use crate::net::activation::Activation;
    use crate::net::init::Init;

    #[test]
    fn an_examination_agrees_with_the_evaluation_on_any_number_of_threads() {
        let count = 2 * CHUNK + 7;
        let pixels = (0..count * 6).map(|at| (at * 37 % 251) as u8).collect();
        let labels = (0..count).map(|at| (at % 3) as u8).collect();
        let data = Dataset::new(pixels, 2, 3, labels).unwrap();
        let reversed = Subset::new(&data, (0..count as u32).rev().collect());
        for widths in [&[6, 3][..], &[6, 8, 3], &[6, 8, 5, 3]] {
            let mut rng = generator(3, Stream::Weights);
            let net = Net::random(widths, Activation::Tanh, Init::Glorot, &mut rng);
            let [one, other] = [1, 2].map(|threads| {
                let mut workspace = Workspace::new(widths, threads);
                let found = workspace.examine(net.view(), &reversed, Reduction::Mean);
                let expected = workspace.evaluate(net.view(), &reversed, Reduction::Mean);
                assert_eq!(found.evaluation, expected);
                found
            });
            assert_eq!(one, other);
            assert_eq!(one.predictions.confusion(), one.evaluation.confusion);
            assert_eq!(one.predictions.truth(0), (count - 1) % 3);
            let units = if widths.len() > 2 { widths[1] } else { 0 };
            assert_eq!(one.units.len(), units);
            let importances = one.units.iter().map(|unit| unit.importance);
            assert!(importances.is_sorted_by(|a, b| a >= b));
        }
    }
}
