//! Scratch memory, and the passes over examples that use it.

use crate::compute::aligned::Aligned;
use crate::compute::isa::Isa;
use crate::compute::matrix::MatRef;
use crate::compute::vector;
use crate::data::{Dataset, Subset};
use crate::net::defects::{Defect, Defects, Objective, WholeMatrix};
use crate::net::loss::LossTarget;
use crate::net::metrics::Confusion;
use crate::net::optimizer::Update;
use crate::net::{Net, NetRef, Tensor, activations_len, assert_widths, params_len};
use crate::step::autotune::Parts;
use crate::step::batch::BatchBuffer;
use crate::step::column_parallel::ColumnParallel;
#[cfg(feature = "rayon")]
use crate::step::row_parallel::RowParallel;
use crate::step::share::{
    DataParallel, Layers, Parameters, Pass, Scratch, Sums, Values, share_out,
};
use crate::step::thread_team::Team;
use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;

/// Examples that go through the net at a time. Sums over more of them go on
/// from chunk to chunk in the order of the examples, so this changes no bit.
const CHUNK: usize = 256;

/// A thread more for each so many multiply-adds of a chunk, of those that
/// there are where no pixel is zero: with fewer it is not worth trying.
const WORTH_A_THREAD: usize = 1 << 17;

/// The same where the thread must be woken first, which takes some 50 µs.
const WORTH_WAKING: usize = 1 << 23;

/// The memory that passes over a data set need: allocated once, used by every
/// step.
#[derive(Clone)]
pub struct Workspace {
    widths: Vec<usize>,
    isa: Isa,
    /// Examples of the pass that has just been made.
    rows: usize,
    images: BatchBuffer,
    losses: Vec<f32>,
    activations: Aligned,
    deltas: Aligned,
    gradient: Aligned,
    /// One for each thread.
    scratch: Vec<Scratch>,
}

/// Loss and predictions on a set of examples.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// The cross-entropy in nats, mean or sum as asked for.
    pub loss: f64,
    /// True and predicted classes.
    pub confusion: Confusion,
}

/// The sum of the losses of examples, chunk by chunk.
struct Total {
    losses: f64,
    /// What [`Defect::WholeMatrixSoftmax`] makes of them.
    whole: Option<WholeMatrix>,
}

impl Total {
    /// Of no example yet.
    fn new(defects: Defects) -> Self {
        let is_whole = defects.has(Defect::WholeMatrixSoftmax);
        Self {
            losses: 0.0,
            whole: is_whole.then(WholeMatrix::default),
        }
    }

    /// Takes in examples: their losses, and the logits that these came from.
    fn add(&mut self, losses: &[f32], logits: MatRef<'_>) {
        for &loss in losses {
            self.losses += f64::from(loss);
        }
        if let Some(whole) = &mut self.whole {
            whole.add(logits);
        }
    }

    fn is_finite(&self) -> bool {
        self.losses.is_finite()
    }

    fn sum(&self) -> f64 {
        self.losses + self.whole.as_ref().map_or(0.0, WholeMatrix::excess)
    }
}

impl fmt::Debug for Workspace {
    /// What it is made for; megabytes of numbers help nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("widths", &self.widths)
            .field("isa", &self.isa)
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Workspace {
    /// Memory for a net with layers of these widths, on at most `threads`
    /// threads of the rayon pool that the caller is in (without the feature
    /// `rayon`, one). Their number changes no bit of any result.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if the widths are not as [`NetRef::new`] wants
    /// them.
    pub fn new(widths: &[usize], threads: usize) -> Self {
        assert_widths(widths);
        assert!(threads > 0, "passes on no thread");
        let isa = Isa::detect();
        Self {
            isa,
            rows: 0,
            images: BatchBuffer::new(isa, 0..widths[0], CHUNK),
            losses: vec![0.0; CHUNK],
            activations: Aligned::zeros(activations_len(widths, CHUNK)),
            deltas: Aligned::zeros(activations_len(widths, CHUNK)),
            gradient: Aligned::zeros(params_len(widths)),
            scratch: vec![Scratch::new(widths[0], widths[1], CHUNK); threads],
            widths: widths.to_vec(),
        }
    }

    /// The same with another instruction set than the fastest.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self {
            isa,
            images: BatchBuffer::new(isa, 0..self.widths[0], CHUNK),
            ..self
        }
    }

    /// The gradient that the last [`Workspace::compute_gradient`] left, laid out
    /// like the parameters of the net. A step leaves what it is done with.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The activations that the last pass left: of its examples, or where they
    /// are many of the last of them, at least one and at most 256; none before the
    /// first pass. Laid out as by [`NetRef::forward`].
    pub fn activations(&self) -> &[f32] {
        &self.activations[..activations_len(&self.widths, self.rows)]
    }

    /// Computes the gradient of the loss of a mini-batch, the examples of
    /// `data` with these indices, and returns the sum of their losses.
    ///
    /// The gradient is that of the loss reduced as asked for; the returned sum
    /// is not reduced. Where it is not finite the gradient is not whole.
    ///
    /// # Panics
    /// Panics if the net has other widths than the workspace, if the images do
    /// not fit them, if a label is not below the number of classes, or if there is
    /// no example of such an index.
    pub fn compute_gradient(
        &mut self,
        net: NetRef<'_>,
        data: &Dataset,
        batch: &[u32],
        objective: impl Into<Objective>,
    ) -> f64 {
        let Objective { reduction, defects } = objective.into();
        let target = Some(LossTarget::new(reduction.scale(batch.len()) as f32));
        if batch.is_empty() {
            self.gradient.fill(0.0);
        }
        Team::with(self.pieces(batch.len(), WORTH_WAKING), |team| {
            let mut total = Total::new(defects);
            for (i, chunk) in batch.chunks(CHUNK).enumerate() {
                self.pass(team, net, data, chunk, (target, defects), &mut total);
                if !total.is_finite() {
                    break;
                }
                self.sums(team, i > 0, (None, defects), &mut [], &mut []);
            }
            total.sum()
        })
    }

    /// Makes a step of training: the same as [`Workspace::compute_gradient`]
    /// and [`Momentum::step`](crate::Momentum::step), bit for bit, but each parameter moves as soon as
    /// its gradient is complete, and labels are smoothed if the update says so. Returns the sum of
    /// the losses before the step; where it is not finite, or there is no example, no
    /// parameter has moved.
    ///
    /// # Panics
    /// Panics where those do.
    pub fn step(
        &mut self,
        net: &mut Net,
        velocity: &mut [f32],
        data: &Dataset,
        batch: &[u32],
        update: &Update,
    ) -> f64 {
        Team::with(self.pieces(batch.len(), WORTH_WAKING), |team| {
            self.step_with(team, net, velocity, data, batch, (update, Defects::NONE))
        })
    }

    /// The same with a team that is there.
    pub(crate) fn step_with(
        &mut self,
        team: &mut Team<'_>,
        net: &mut Net,
        velocity: &mut [f32],
        data: &Dataset,
        batch: &[u32],
        (update, defects): (&Update, Defects),
    ) -> f64 {
        assert_eq!(velocity.len(), self.gradient.len(), "velocities of a net");
        let target = Some(update.loss_target(batch.len()));
        let chunks = batch.len().div_ceil(CHUNK);
        let mut total = Total::new(defects);
        for (i, chunk) in (1..).zip(batch.chunks(CHUNK)) {
            self.pass(team, net.view(), data, chunk, (target, defects), &mut total);
            if !total.is_finite() {
                break;
            }
            if i < chunks {
                self.sums(team, i > 1, (None, defects), &mut [], &mut []);
            } else {
                let (update, params) = (Some(*update), net.params_mut());
                self.sums(team, i > 1, (update, defects), params, velocity);
            }
        }
        total.sum()
    }

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
        Team::with(self.pieces(data.len(), WORTH_WAKING), |team| {
            self.evaluate_with(team, net, data, objective)
        })
    }

    /// The same with a team that is there.
    pub(crate) fn evaluate_with(
        &mut self,
        team: &mut Team<'_>,
        net: NetRef<'_>,
        data: &Subset<'_>,
        Objective { reduction, defects }: Objective,
    ) -> Evaluation {
        let mut total = Total::new(defects);
        let mut confusion = Confusion::new(self.classes());
        for chunk in data.indices().chunks(CHUNK) {
            self.pass(
                team,
                net,
                data.dataset(),
                chunk,
                (None, defects),
                &mut total,
            );
            if !total.is_finite() {
                break;
            }
            let len = activations_len(&self.widths, chunk.len());
            let logits = net.activation_of(net.depth() - 1, &self.activations[..len]);
            let labels = self.images.gathered(chunk.len()).labels;
            for (i, &label) in labels.iter().enumerate() {
                confusion.add(usize::from(label), vector::argmax(logits.row(i)));
            }
        }
        Evaluation {
            loss: total.sum() * reduction.scale(data.len()),
            confusion,
        }
    }

    /// The first tensor, in the order of the computation, that is not finite
    /// in the pass that has just been made.
    pub(crate) fn first_not_finite(&self, net: NetRef<'_>) -> Tensor {
        for l in 0..net.depth() {
            let layer = net.layer(l);
            if !vector::all_finite(self.isa, layer.weights.as_slice()) {
                return Tensor::Weights(l + 1);
            }
            if !vector::all_finite(self.isa, layer.biases) {
                return Tensor::Biases(l + 1);
            }
        }
        for l in 0..net.depth() {
            let activations = net.activation_of(l, self.activations());
            if !vector::all_finite(self.isa, activations.as_slice()) {
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

    /// One chunk through the net: leaves pixels, labels, activations and, if
    /// there is a pull, deltas; adds the losses to `total`.
    fn pass(
        &mut self,
        team: &mut Team<'_>,
        net: NetRef<'_>,
        data: &Dataset,
        chunk: &[u32],
        (target, defects): (Option<LossTarget>, Defects),
        total: &mut Total,
    ) {
        assert_eq!(net.widths(), self.widths, "a net and its workspace");
        assert_eq!(data.features(), self.widths[0], "pixels of an image");
        let (rows, pieces) = (chunk.len(), self.pieces(chunk.len(), WORTH_A_THREAD));
        let len = activations_len(&self.widths, rows);
        self.rows = rows;
        let examples = DataParallel {
            pass: Pass {
                net,
                isa: self.isa,
                defects,
                target,
            },
            images: self.images.gather(data, chunk),
            activations: Layers::new(&mut self.activations[..len], &self.widths, rows),
            deltas: Layers::new(&mut self.deltas[..len], &self.widths, rows),
            losses: &mut self.losses[..rows],
            scratch: &mut self.scratch,
        };
        share_out(team, examples, pieces.min(team.threads()));
        let logits = net.activation_of(net.depth() - 1, &self.activations[..len]);
        total.add(&self.losses[..rows], logits);
    }

    /// The gradient of the chunk that has just been passed through the net,
    /// added to that of the chunks before if it goes on from them; and the
    /// parameters' step, if they are to move.
    fn sums(
        &mut self,
        team: &mut Team<'_>,
        accumulate: bool,
        (update, defects): (Option<Update>, Defects),
        params: &mut [f32],
        velocity: &mut [f32],
    ) {
        let (rows, pieces) = (self.rows, self.pieces(self.rows, WORTH_A_THREAD));
        let len = activations_len(&self.widths, rows);
        let parameters = Parameters {
            sums: Sums {
                isa: self.isa,
                defects,
                widths: &self.widths,
                rows,
                bytes: self.images.gathered(rows).bytes,
                activations: &self.activations[..len],
                deltas: &self.deltas[..len],
                accumulate,
                update,
            },
            first: 0,
            values: Values {
                gradient: &mut self.gradient,
                params,
                velocity,
            },
            scratch: &mut self.scratch,
        };
        share_out(team, parameters, pieces.min(team.threads()));
    }

    /// The ways to keep the net in parts on so many threads, if it has parts for
    /// them and mini-batches of so many examples are one chunk.
    pub(crate) fn parts(
        &self,
        net: NetRef<'_>,
        threads: usize,
        batch: usize,
        defects: Defects,
    ) -> Vec<Box<dyn Parts>> {
        let mut parts: Vec<Box<dyn Parts>> = vec![];
        if self.is_large(batch) || defects != Defects::NONE {
            return parts;
        }
        if let Some(units) = ColumnParallel::new(net, threads, batch, self.isa) {
            parts.push(Box::new(units));
        }
        #[cfg(feature = "rayon")]
        if let (2, Some(halves)) = (threads, RowParallel::new(net, batch, self.isa)) {
            parts.push(Box::new(halves));
        }
        parts
    }

    /// The most threads that a pass is shared out among.
    pub(crate) fn threads(&self) -> usize {
        self.scratch.len()
    }

    /// Whether mini-batches of so many examples are several chunks.
    pub(crate) fn is_large(&self, batch: usize) -> bool {
        batch > CHUNK
    }

    /// How many threads mini-batches of so many examples are worth.
    pub(crate) fn threads_for(&self, batch: usize) -> usize {
        self.pieces(batch.min(CHUNK), WORTH_A_THREAD)
    }

    /// How many threads so many examples are shared out among, if that many
    /// multiply-adds are worth one.
    fn pieces(&self, rows: usize, worth: usize) -> usize {
        let work = params_len(&self.widths).saturating_mul(rows);
        let pieces = (work / worth).clamp(1, rows.max(1));
        pieces.min(self.scratch.len())
    }

    fn classes(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }
}
