//! Passes over examples that change no parameter, and which number of a pass is not finite.

use crate::compute::thread_team::{Team, WORK_PER_WOKEN_THREAD};
use crate::compute::vector;
use crate::data::Subset;
use crate::net::defects::Objective;
use crate::net::metrics::{Confusion, Evaluation};
use crate::net::{NetRef, Tensor, activations_len};
use crate::step::loss_sum::LossSum;
use crate::step::pass::CHUNK;
use crate::step::workspace::Workspace;

impl Workspace {
    /// The loss and the predictions of `net` on all examples of `data`. Where
    /// the loss is not finite the predictions are not whole.
    ///
    /// # Panics
    /// Panics where [`Workspace::compute_gradient`] does.
    pub fn evaluate(
        &mut self,
        net: NetRef<'_>,
        data: &Subset<'_>,
        objective: impl Into<Objective>,
    ) -> Evaluation {
        let objective = objective.into();
        let threads = self.pieces(data.len(), WORK_PER_WOKEN_THREAD);
        self.with_team(threads, |this, team| {
            this.evaluate_with(team, net, data, objective)
        })
    }

    /// [`Workspace::evaluate`] with a team that is awake.
    pub(crate) fn evaluate_with(
        &mut self,
        team: &mut Team<'_>,
        net: NetRef<'_>,
        data: &Subset<'_>,
        Objective { reduction, defects }: Objective,
    ) -> Evaluation {
        let mut sum = LossSum::new(defects);
        let classes = net.widths()[net.depth()];
        let mut confusion = Confusion::new(classes);
        for chunk in data.indices().chunks(CHUNK) {
            self.forward(team, net, data.dataset(), chunk, (None, defects), &mut sum);
            if !sum.is_finite() {
                break;
            }
            let len = activations_len(net.widths(), chunk.len());
            let logits = net.activation_of(net.depth() - 1, &self.activations()[..len]);
            for (i, &label) in self.labels().iter().enumerate() {
                confusion.add(usize::from(label), vector::argmax(logits.row(i)));
            }
        }
        Evaluation {
            loss: sum.total() * reduction.scale(data.len()),
            confusion,
        }
    }

    /// The first tensor, in the order of the computation, that is not finite
    /// in the pass that has just been made.
    pub(crate) fn first_not_finite(&self, net: NetRef<'_>) -> Tensor {
        for l in 0..net.depth() {
            let layer = net.layer(l);
            if !vector::all_finite(self.isa(), layer.weights.as_slice()) {
                return Tensor::Weights(l + 1);
            }
            if !vector::all_finite(self.isa(), layer.biases) {
                return Tensor::Biases(l + 1);
            }
        }
        for l in 0..net.depth() {
            let activations = net.activation_of(l, self.activations());
            if !vector::all_finite(self.isa(), activations.as_slice()) {
                let hidden = l + 1 < net.depth();
                return if hidden {
                    Tensor::Activations(l + 1)
                } else {
                    Tensor::Logits
                };
            }
        }
        Tensor::Loss
    }
}
