//! A net with one hidden layer in shards, which threads keep from step to step.
//!
//! While mini-batches follow one another, almost all that a step reads and writes is
//! W1, its gradient and its velocity. So W1 is cut into [`Shard`]s, each of which stays
//! in the caches of one core. The cut goes between columns, the hidden units
//! ([`column_parallel`](super::column_parallel)), or between rows, the pixels
//! ([`row_parallel`](super::row_parallel)). A single shard, the whole of W1, is
//! worthwhile too: the rows of W1 lie in whole cache lines, and that all weights are
//! finite is known from the step before.
//!
//! All partitions have the phases of a step in common:
//!
//! ```text
//! begin      the images of the step, unless the step before has gathered them
//! forward    A = σ(b1 + X·W1), Z2 = b2 + A·W2, loss, dZ2
//! backward   dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1), all gradients, the update
//! ```
//!
//! and [`Shard`] has all arithmetic of them. They differ in which sums go on from shard
//! to shard, so in who waits for whom: with columns it is Z2, of all shards' activations;
//! with rows it is Z1, and all that follows from it is computed once.

use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::Team;
use crate::data::ImageSource;
use crate::net::dropout::Dropout;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::step::shard::{Shape, Shard};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;

/// The inputs of a step.
#[derive(Clone, Copy)]
pub(crate) struct StepInputs<'a> {
    pub(crate) isa: Isa,
    pub(crate) data: &'a dyn ImageSource,
    /// The examples of this step.
    pub(crate) batch: &'a [u32],
    /// The examples of the step after this one.
    pub(crate) next: &'a [u32],
    pub(crate) update: &'a Update,
}

impl StepInputs<'_> {
    /// The target of the gradient.
    pub(crate) fn loss_target(&self) -> LossTarget {
        self.update.loss_target(self.batch.len())
    }
}

/// The shards of a net, and the phases of a step that depend on how W1 is cut.
pub(crate) trait Partition: fmt::Debug + Send {
    /// Calls `visit` with each shard.
    fn for_each(&mut self, visit: &mut dyn FnMut(&mut Shard));

    /// Makes the images of the next step those of this one, and gathers them unless
    /// the step before has done so.
    fn begin(&mut self, step: &StepInputs<'_>, are_gathered: bool);

    /// Computes the activations, the losses, and dZ of what comes after the sums that
    /// go on from shard to shard.
    fn forward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>, losses: &mut [f32]);

    /// Computes the gradients and updates the parameters. The images of the next step
    /// are gathered when this returns.
    fn backward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>);
}

/// A net in shards.
#[derive(Debug)]
pub(crate) struct ShardedNet {
    isa: Isa,
    widths: [usize; 3],
    partition: Box<dyn Partition>,
    /// The examples whose images are gathered for the next step.
    gathered: Vec<u32>,
    losses: Vec<f32>,
}

impl ShardedNet {
    /// A net in these shards, for mini-batches of up to `batch` examples.
    pub(crate) fn new(
        net: Shape,
        batch: usize,
        isa: Isa,
        partition: impl Partition + 'static,
        buffers: &mut Buffers,
    ) -> Self {
        Self {
            isa,
            widths: net.widths,
            partition: Box::new(partition),
            gathered: buffers.with_capacity(batch),
            losses: buffers.zeros(batch),
        }
    }

    /// Copies parameters and velocities of the net into the shards.
    pub(crate) fn load(&mut self, params: &[f32], velocity: &[f32]) {
        let widths = &self.widths;
        self.partition
            .for_each(&mut |shard| shard.load(widths, params, velocity));
    }

    /// Copies parameters and velocities of the net out of the shards.
    pub(crate) fn store(&mut self, params: &mut [f32], velocity: &mut [f32]) {
        let widths = &self.widths;
        self.partition
            .for_each(&mut |shard| shard.store(widths, params, velocity));
    }

    /// Makes a step with the examples of `data` that have the indices `batch`, and
    /// returns the sum of their losses before it. Where that is not finite no parameter
    /// moves. The images of `next`, the batch of the step after this one, are gathered
    /// meanwhile.
    ///
    /// # Panics
    /// Panics if either batch has more examples than the shards are made for.
    pub(crate) fn step(
        &mut self,
        team: &mut Team<'_>,
        data: &dyn ImageSource,
        (batch, next): (&[u32], &[u32]),
        (update, dropout): (&Update, Option<Dropout>),
    ) -> f64 {
        let step = StepInputs {
            isa: self.isa,
            data,
            batch,
            next,
            update,
        };
        self.partition
            .for_each(&mut |shard| shard.set_dropout(dropout));
        self.partition.begin(&step, self.gathered == batch);
        self.gathered.clear();
        let losses = &mut self.losses[..batch.len()];
        self.partition.forward(team, &step, losses);
        let total = losses.iter().map(|&loss| f64::from(loss)).sum();
        if f64::is_finite(total) {
            self.partition.backward(team, &step);
            self.gathered.extend_from_slice(next);
        }
        total
    }
}
