//! Passes over examples that change no parameter.

use crate::compute::vector;
use crate::data::Subset;
use crate::net::NetRef;
use crate::net::activations_len;
use crate::net::defects::Objective;
use crate::net::metrics::{Confusion, Evaluation};
use crate::step::loss_sum::LossSum;
use crate::step::pass::CHUNK;
use crate::step::thread_team::Team;
use crate::step::workspace::{WORK_PER_WOKEN_THREAD, Workspace};

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
        Team::with(self.pieces(data.len(), WORK_PER_WOKEN_THREAD), |team| {
            self.evaluate_with(team, net, data, objective)
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
}
