//! Passes over examples that change no parameter, and the sum of losses.

use crate::compute::matrix::MatRef;
use crate::compute::vector;
use crate::data::Subset;
use crate::net::defects::{Defect, Defects, Objective, WholeMatrix};
use crate::net::metrics::Confusion;
use crate::net::{NetRef, activations_len};
use crate::step::pass::CHUNK;
use crate::step::thread_team::Team;
use crate::step::workspace::{WORK_PER_WOKEN_THREAD, Workspace};

/// Loss and predictions on a set of examples.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// The cross-entropy in nats, mean or sum as asked for.
    pub loss: f64,
    /// True and predicted classes.
    pub confusion: Confusion,
}

/// The sum of the losses of examples, chunk by chunk.
pub(crate) struct LossSum {
    losses: f64,
    /// What [`Defect::WholeMatrixSoftmax`] makes of the logits.
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
