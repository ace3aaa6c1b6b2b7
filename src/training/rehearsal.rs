//! Short trainings on a few images, which compare multiples of a learning rate.

use crate::data::Subset;
use crate::net::NetRef;
use crate::net::defects::Objective;
use crate::net::loss::Reduction;
use crate::net::schedule::LearningRate;
use crate::step::workspace::Workspace;
use crate::training::config::{Batch, Config};
use alloc::vec;

/// Full batches of at least so many images are rehearsed from the first step to the last:
/// with batches as large, a step on a few hundred images goes almost the same way.
const FULL_BATCH: usize = 8192;

/// A rehearsal of the start takes at most one image for so many of the run.
const SHARE: usize = 20;

/// The loss, as a share of the lowest one so far, below which another rate is better. On a
/// plateau all losses are alike, and the lowest one says nothing.
const GAIN: f64 = 0.99;

/// Full batches of the first images, repeated for each of several multiples of a rate.
pub(super) struct Rehearsal {
    /// The number of images, which are the first ones of the training examples.
    images: usize,
    /// The number of steps.
    steps: usize,
    /// The number of last steps whose mean loss is compared.
    judged: usize,
    /// Whether the rate falls as the schedule says, or stays at its peak.
    whole: bool,
    /// Multiples of the rate below and above 1, both in ascending order.
    lower: &'static [f64],
    higher: &'static [f64],
}

impl Rehearsal {
    /// Full batches from the first to the last: on MNIST they take 4.7 % of the images of
    /// the run.
    fn whole_run(epochs: usize) -> Self {
        Self {
            images: 512,
            steps: epochs,
            judged: 1,
            whole: true,
            lower: &[0.5],
            higher: &[1.5, 2.0, 3.0],
        }
    }

    /// The first steps of a run at the peak of its rate, which show whether they overshoot.
    /// They take 12 000 images: 4.4 % of five epochs of MNIST.
    const START: Self = Self {
        images: 200,
        steps: 12,
        judged: 3,
        whole: false,
        lower: &[0.5, 0.7],
        higher: &[1.4, 2.0],
    };

    /// The rehearsal that suits a run of large batches on so many images; `None` for runs
    /// of which it would be too large a part.
    pub(super) fn of(images: usize, config: &Config) -> Option<Self> {
        if config.batch == Batch::Full && images >= FULL_BATCH {
            return Some(Self::whole_run(config.epochs));
        }
        // Full batches of small sets are learnt by heart, and gain nothing by a higher rate.
        let start = match config.batch {
            Batch::Full => Self {
                higher: &[],
                ..Self::START
            },
            Batch::Mini(_) => Self::START,
        };
        let runs = 1 + start.lower.len() + start.higher.len();
        let cost = runs * start.images * start.steps;
        let affordable = config.epochs.saturating_mul(images) / SHARE >= cost;
        affordable.then_some(start)
    }

    /// The multiple of `rate` that ends with the lowest training loss, where those above 1
    /// make at most `most`; `None` if the losses of all of them overflow.
    ///
    /// Multiples above one whose loss overflows are not tried: eight layers of 64 with relu
    /// overflow at the single and 1.5-fold rate in some runs whose double rate is well. The
    /// rate itself stays unless another one is better by [`GAIN`].
    pub(super) fn best_multiple(
        &self,
        net: NetRef<'_>,
        train: &Subset<'_>,
        config: &Config,
        (rate, most): (f64, f64),
        workspace: &mut Workspace,
    ) -> Option<f64> {
        let mut loss = |multiple| self.loss(net, train, config, multiple * rate, workspace);
        let as_it_is = loss(1.0);
        let mut best = (as_it_is, as_it_is.is_finite().then_some(1.0));
        for &multiple in self.lower {
            let loss = loss(multiple);
            if loss.is_finite() && (best.1.is_none() || loss < GAIN * best.0) {
                best = (loss, Some(multiple));
            }
        }
        let higher = self.higher.iter().copied();
        for multiple in
            higher.take_while(|multiple| as_it_is.is_finite() && multiple * rate <= most)
        {
            let loss = loss(multiple);
            if !loss.is_finite() {
                break;
            }
            if loss < GAIN * best.0 {
                best = (loss, Some(multiple));
            }
        }
        best.1
    }

    /// The sum of the losses of the last steps at this peak of the rate, which is infinite
    /// or NaN if a loss overflows.
    fn loss(
        &self,
        net: NetRef<'_>,
        train: &Subset<'_>,
        config: &Config,
        peak: f64,
        workspace: &mut Workspace,
    ) -> f64 {
        let (indices, isa) = (train.indices(), workspace.isa());
        let batch = &indices[..indices.len().min(self.images)];
        let objective = Objective {
            reduction: Reduction::Mean,
            ..config.objective()
        };
        let course = LearningRate {
            peak,
            ..config.learning_rate
        };
        let mut params = net.params().to_vec();
        let mut velocity = vec![0.0; params.len()];
        let mut judged = 0.0;
        for step in 0..self.steps {
            let now = NetRef::new(net.widths(), net.activation(), &params);
            let loss = workspace.compute_gradient(now, train.dataset(), batch, objective);
            if !loss.is_finite() {
                return loss;
            }
            if self.steps - step <= self.judged {
                judged += loss;
            }
            let rate = match self.whole {
                true => course.at(step, 1, self.steps),
                false => peak,
            };
            let (rule, gradient) = (config.optimizer, workspace.gradient());
            let (params, velocity) = (&mut params, &mut velocity);
            rule.step(isa, net.widths(), params, velocity, gradient, rate as f32);
        }
        judged
    }
}
