//! Scratch memory, and the passes over examples that use it.

use crate::compute::aligned::Aligned;
use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::{Team, Threads, WORK_PER_WOKEN_THREAD, share_out};
use crate::data::ImageSource;
use crate::net::defects::{Defects, Objective};
use crate::net::dropout::Dropout;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::net::{Net, NetRef, activations_len, assert_widths, params_len};
use crate::step::batch::BatchBuffer;
use crate::step::data_parallel::{Examples, Images};
use crate::step::gradients::{GradientInputs, Gradients};
use crate::step::loss_sum::LossSum;
use crate::step::pass::{CHUNK, Layers, Pass};
use crate::step::scratch::Scratch;
use crate::step::strategy::{Strategy, Workload};
use alloc::vec::Vec;
use core::fmt;

/// Multiply-adds of a chunk for each thread that shares it out, counted as if no pixel
/// were zero. With fewer a thread is not worth trying: they take a microsecond on Zen 5, and
/// the second thread begins a quarter of one after the first. Half and double make no
/// difference beyond the noise on a Xeon with AVX-512 (784-30-10, 8 images;
/// docs/performance.md), since the trial decides.
const WORK_PER_THREAD: usize = 1 << 17;

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
    /// Scratch memory of each thread.
    scratch: Vec<Scratch>,
    /// Hidden units to leave out of the step that is being made.
    dropout: Option<Dropout>,
    pinned_strategy: Option<Strategy>,
    chosen_strategy: Option<Strategy>,
    /// The threads beside the caller's; none while a team of them is lent.
    team_threads: Option<Threads>,
}

impl fmt::Debug for Workspace {
    /// Without the memory: megabytes of numbers help nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("widths", &self.widths)
            .field("isa", &self.isa)
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Workspace {
    /// Memory for a net with layers of these widths, whose passes `threads` threads
    /// share out: the one that calls, and up to 63 that belong to the workspace (without
    /// the feature `rayon`, none). Their number changes no bit of any result.
    ///
    /// The threads of the workspace start with the first pass that is large enough for
    /// them, and end when the workspace is dropped. They wait for work awake for some
    /// milliseconds, then asleep. Where they cannot be started, the calling thread does
    /// all the work. No pass uses a pool of rayon, whether it is called in one or not.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if the widths are not as [`NetRef::new`] wants
    /// them. Aborts the process if there is not enough memory; see [`Workspace::try_new`].
    pub fn new(widths: &[usize], threads: usize) -> Self {
        Self::build(widths, threads, &mut Buffers::allocating())
    }

    /// [`Workspace::new`] with buffers that may only be counted.
    pub(super) fn build(widths: &[usize], threads: usize, buffers: &mut Buffers) -> Self {
        assert_widths(widths);
        assert!(threads > 0, "passes on no thread");
        let (isa, threads) = (Isa::detect(), Threads::available(threads));
        let scratch =
            (0..threads).map(|_| Scratch::new(widths[0], widths[1], CHUNK, &mut *buffers));
        Self {
            isa,
            rows: 0,
            scratch: scratch.collect(),
            images: BatchBuffer::new(isa, 0..widths[0], CHUNK, buffers),
            losses: buffers.zeros(CHUNK),
            activations: buffers.aligned(activations_len(widths, CHUNK)),
            deltas: buffers.aligned(activations_len(widths, CHUNK)),
            gradient: buffers.aligned(params_len(widths)),
            widths: widths.to_vec(),
            dropout: None,
            pinned_strategy: None,
            chosen_strategy: None,
            team_threads: None,
        }
    }

    /// Replaces the instruction set, which is the fastest one otherwise.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        let buffers = &mut Buffers::allocating();
        Self {
            isa,
            images: BatchBuffer::new(isa, 0..self.widths[0], CHUNK, buffers),
            ..self
        }
    }

    /// Pins the strategy of all steps of [`train`]; with `None`, the fastest is found by
    /// trial. Other passes do not depend on it.
    ///
    /// [`train`]: crate::training::train
    #[must_use]
    pub fn with_strategy(self, strategy: Option<Strategy>) -> Self {
        Self {
            pinned_strategy: strategy,
            ..self
        }
    }

    /// The strategy that was the fastest in the last trial of the last run, or the only
    /// one that was tried; `None` before a trial is over.
    pub fn chosen_strategy(&self) -> Option<Strategy> {
        self.chosen_strategy
    }

    /// The strategy that is to make all steps.
    pub(crate) fn pinned_strategy(&self) -> Option<Strategy> {
        self.pinned_strategy
    }

    /// Notes the strategy for [`Workspace::chosen_strategy`].
    pub(crate) fn note_strategy(&mut self, fastest: Option<Strategy>) {
        self.chosen_strategy = fastest;
    }

    /// The workload of steps of `batch` examples.
    pub(crate) fn workload(&self, batch: usize, defects: Defects) -> Workload<'_> {
        Workload {
            widths: &self.widths,
            batch,
            threads: self.threads(),
            worth: self.pieces(batch.min(CHUNK), WORK_PER_THREAD),
            defects,
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
        data: &dyn ImageSource,
        batch: &[u32],
        objective: impl Into<Objective>,
    ) -> f64 {
        let Objective { reduction, defects } = objective.into();
        let target = Some(LossTarget::new(reduction.scale(batch.len()) as f32));
        if batch.is_empty() {
            self.gradient.fill(0.0);
        }
        let threads = self.pieces(batch.len(), WORK_PER_WOKEN_THREAD);
        self.with_team(threads, |this, team| {
            let mut sum = LossSum::new(defects);
            for (i, chunk) in batch.chunks(CHUNK).enumerate() {
                this.forward(team, net, data, chunk, (target, defects), &mut sum);
                if !sum.is_finite() {
                    break;
                }
                this.backward(team, i > 0, (None, defects), &mut [], &mut []);
            }
            sum.total()
        })
    }

    /// Makes a training step with the examples of `data` that have the indices `batch`.
    /// Returns the sum of the losses before the step; where it is not finite, or there is
    /// no example, no parameter has moved.
    ///
    /// Parameters and velocities have the bits that [`Workspace::compute_gradient`] and
    /// [`Momentum::step`] make of them, but each parameter moves as soon as its gradient
    /// is complete, and labels are smoothed if the update says so.
    ///
    /// # Panics
    /// Panics where [`Workspace::compute_gradient`] does, or if there are not as many
    /// velocities as parameters.
    ///
    /// [`Momentum::step`]: crate::net::optimizer::Momentum::step
    pub fn step(
        &mut self,
        net: &mut Net,
        velocity: &mut [f32],
        data: &dyn ImageSource,
        batch: &[u32],
        update: &Update,
    ) -> f64 {
        let threads = self.pieces(batch.len(), WORK_PER_WOKEN_THREAD);
        self.with_team(threads, |this, team| {
            let rules = (update, Defects::NONE, None);
            this.step_with(team, net, velocity, data, batch, rules)
        })
    }

    /// [`Workspace::step`] with a team that is awake, and with mistakes.
    pub(crate) fn step_with(
        &mut self,
        team: &mut Team<'_>,
        net: &mut Net,
        velocity: &mut [f32],
        data: &dyn ImageSource,
        batch: &[u32],
        (update, defects, dropout): (&Update, Defects, Option<Dropout>),
    ) -> f64 {
        assert_eq!(velocity.len(), self.gradient.len(), "velocities of a net");
        let target = Some(update.loss_target(batch.len()));
        let chunks = batch.len().div_ceil(CHUNK);
        let mut sum = LossSum::new(defects);
        self.dropout = dropout;
        for (i, chunk) in (1..).zip(batch.chunks(CHUNK)) {
            self.forward(team, net.view(), data, chunk, (target, defects), &mut sum);
            if !sum.is_finite() {
                break;
            }
            if i < chunks {
                self.backward(team, i > 1, (None, defects), &mut [], &mut []);
            } else {
                let (update, params) = (Some(update), net.params_mut());
                self.backward(team, i > 1, (update, defects), params, velocity);
            }
        }
        self.dropout = None;
        sum.total()
    }

    /// Passes one chunk through the net: leaves pixels, labels, activations and, with a
    /// target, deltas; adds the losses to `sum`.
    pub(crate) fn forward(
        &mut self,
        team: &mut Team<'_>,
        net: NetRef<'_>,
        data: &dyn ImageSource,
        chunk: &[u32],
        (target, defects): (Option<LossTarget>, Defects),
        sum: &mut LossSum,
    ) {
        assert_eq!(net.widths(), self.widths, "a net and its workspace");
        assert_eq!(data.features(), self.widths[0], "pixels of an image");
        let (rows, pieces) = (chunk.len(), self.pieces(chunk.len(), WORK_PER_THREAD));
        let len = activations_len(&self.widths, rows);
        self.rows = rows;
        let examples = Examples {
            pass: Pass {
                defects,
                target,
                dropout: self.dropout,
                ..Pass::plain(net, self.isa)
            },
            images: self.images.gather(data, chunk),
            activations: Layers::new(&mut self.activations[..len], &self.widths, rows),
            deltas: Layers::new(&mut self.deltas[..len], &self.widths, rows),
            losses: &mut self.losses[..rows],
            scratch: &mut self.scratch,
        };
        share_out(team, examples, pieces.min(team.threads()));
        let logits = net.activation_of(net.depth() - 1, &self.activations[..len]);
        sum.add(&self.losses[..rows], logits);
    }

    /// Passes the images of one chunk through the net, and returns their logits.
    pub(super) fn chunk_logits(
        &mut self,
        team: &mut Team<'_>,
        net: NetRef<'_>,
        images: &[u8],
        is_finite: bool,
    ) -> &[f32] {
        let rows = images.len() / self.widths[0];
        let pieces = self.pieces(rows, WORK_PER_THREAD);
        let len = activations_len(&self.widths, rows);
        self.rows = rows;
        let images = Images {
            pass: Pass::plain(net, self.isa),
            is_finite,
            images: self.images.list(images),
            activations: Layers::new(&mut self.activations[..len], &self.widths, rows),
            scratch: &mut self.scratch,
        };
        share_out(team, images, pieces.min(team.threads()));
        let logits = net.activation_of(net.depth() - 1, &self.activations[..len]);
        logits.as_slice()
    }

    /// Computes the gradient of the chunk that has just been passed through the net,
    /// added to that of the chunks before if it accumulates; and updates the parameters,
    /// if there is an update.
    fn backward(
        &mut self,
        team: &mut Team<'_>,
        accumulate: bool,
        (update, defects): (Option<&Update>, Defects),
        params: &mut [f32],
        velocity: &mut [f32],
    ) {
        let (rows, pieces) = (self.rows, self.pieces(self.rows, WORK_PER_THREAD));
        let len = activations_len(&self.widths, rows);
        let gradients = Gradients {
            inputs: GradientInputs {
                isa: self.isa,
                defects,
                widths: &self.widths,
                rows,
                bytes: self.images.view(rows).bytes,
                activations: &self.activations[..len],
                deltas: &self.deltas[..len],
                accumulate,
                update,
            },
            first: 0,
            gradient: &mut self.gradient,
            params,
            velocity,
            scratch: &mut self.scratch,
        };
        share_out(team, gradients, pieces.min(team.threads()));
    }

    /// Calls `body` with a team of `threads` of the workspace's threads.
    pub(crate) fn with_team<R>(
        &mut self,
        threads: usize,
        body: impl FnOnce(&mut Self, &mut Team<'_>) -> R,
    ) -> R {
        let mut lent = self.team_threads.take().unwrap_or_default();
        let result = body(self, &mut lent.team(threads));
        self.team_threads = Some(lent);
        result
    }

    /// The labels of the examples of the pass that has just been made.
    pub(crate) fn labels(&self) -> &[u8] {
        self.images.view(self.rows).labels
    }

    /// The widths of the nets that this is for.
    pub(crate) fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The instruction set that computes.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The most threads that a pass is shared out among.
    pub(crate) fn threads(&self) -> usize {
        self.scratch.len()
    }

    /// The number of threads that `rows` examples are shared out among, one for each
    /// `work_per_thread` multiply-adds.
    pub(crate) fn pieces(&self, rows: usize, work_per_thread: usize) -> usize {
        let work = params_len(&self.widths).saturating_mul(rows);
        let pieces = (work / work_per_thread).clamp(1, rows.max(1));
        pieces.min(self.scratch.len())
    }
}
