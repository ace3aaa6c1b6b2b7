//! A net with one hidden layer, in shards of hidden units.
//!
//! While mini-batches follow one another, almost all that a step reads and
//! writes is W1, its gradient and its velocity. So each thread keeps the
//! columns of some hidden units to itself, for many steps, in the caches of its
//! own core: what it keeps is a net 784-Ht-10 with fewer hidden units. Only the
//! hidden activations and the gradient by the logits pass from core to core.
//! A single thread gains by it too: rows of W1 lie in whole cache lines, and
//! that all weights are finite is known from the step before.
//!
//! A step is three jobs with a synchronisation after each:
//!
//! ```text
//! hidden units of a shard   A = σ(b1 + X·W1)
//! some of the examples      Z2 = b2 + A·W2, the chains on from shard to shard; loss, dZ2
//! hidden units of a shard   dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1), all gradients, the parameters' step
//! ```

use crate::compute::aligned::{Aligned, CACHE_LINE};
use crate::compute::gemm::{Context, Product, Start};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::data::Dataset;
use crate::net::loss::{LossTarget, softmax_cross_entropy};
use crate::net::optimizer::Update;
use crate::net::{NetRef, activations_len};
use crate::step::autotune::Parts;
use crate::step::batch::{BatchBuffer, BatchView, GatherJob};
use crate::step::shard::Shard;
use crate::step::share::{Accumulate, Layers, Share, share_out};
use crate::step::thread_team::Team;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Shares of the gathering for each thread.
const GATHERINGS: usize = 2;

/// The shards of a net, and what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct ColumnParallel {
    isa: Isa,
    widths: [usize; 3],
    shards: Vec<ShardState>,
    /// The images of this step, and those of the next.
    images: BatchBuffer,
    next: BatchBuffer,
    /// Which images those of the next step are.
    gathered: Vec<u32>,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
    losses: Vec<f32>,
    /// One for each thread.
    packing: Vec<Vec<f32>>,
}

/// Some hidden units, all pixels, and what is computed of them.
#[derive(Clone, Debug)]
struct ShardState {
    part: Shard,
    activations: Aligned,
    deltas: Aligned,
}

impl ColumnParallel {
    /// A shard for each of so many threads, or fewer of a small net, for
    /// mini-batches of up to so many examples; if the net has one hidden layer, and
    /// enough units for each of several threads.
    pub(crate) fn new(net: NetRef<'_>, threads: usize, batch: usize, isa: Isa) -> Option<Self> {
        let &[features, hidden, classes] = net.widths() else {
            return None;
        };
        let lines = hidden.div_ceil(CACHE_LINE);
        let count = threads.min(lines);
        if count < threads.min(2) {
            return None;
        }
        let start = |shard: usize| shard * lines / count * CACHE_LINE;
        let shard = |shard: usize| {
            let units = start(shard)..start(shard + 1).min(hidden);
            let part = Shard::new(net, isa, 0..features, units, batch);
            let len = activations_len(&part.widths(), batch);
            ShardState {
                part,
                activations: Aligned::zeros(len),
                deltas: Aligned::zeros(len),
            }
        };
        Some(Self {
            isa,
            widths: [features, hidden, classes],
            shards: (0..count).map(shard).collect(),
            images: BatchBuffer::new(isa, 0..features, batch),
            next: BatchBuffer::new(isa, 0..features, batch),
            gathered: Vec::with_capacity(batch),
            logits: vec![0.0; batch * classes],
            dlogits: vec![0.0; batch * classes],
            losses: vec![0.0; batch],
            packing: vec![Context::packing(1); count],
        })
    }
}

impl Parts for ColumnParallel {
    fn load(&mut self, params: &[f32], velocity: &[f32]) {
        for shard in &mut self.shards {
            shard.part.load(&self.widths, params, velocity);
        }
    }

    fn store(&self, params: &mut [f32], velocity: &mut [f32]) {
        for shard in &self.shards {
            shard.part.store(&self.widths, params, velocity);
        }
    }

    fn step(
        &mut self,
        team: &mut Team<'_>,
        data: &Dataset,
        (batch, next): (&[u32], &[u32]),
        update: &Update,
    ) -> f64 {
        let (isa, rows, pieces) = (self.isa, batch.len(), self.shards.len());
        let [_, _, classes] = self.widths;
        core::mem::swap(&mut self.images, &mut self.next);
        if self.gathered != batch {
            self.images.gather(data, batch).run(isa);
        }
        self.gathered.clear();
        let common = Common {
            isa,
            images: self.images.gathered(rows),
            target: update.loss_target(rows),
        };
        let shards = &mut self.shards[..];
        share_out(team, Forward { common, shards }, pieces);

        let logits = Logits {
            common,
            shards: &self.shards,
            first: 0,
            logits: &mut self.logits[..rows * classes],
            dlogits: &mut self.dlogits[..rows * classes],
            losses: &mut self.losses[..rows],
            packing: &mut self.packing,
        };
        share_out(team, logits, pieces);
        let losses = self.losses[..rows].iter();
        let total = losses.map(|&loss| f64::from(loss)).sum();

        if f64::is_finite(total) {
            let backward = Backward {
                common,
                update: *update,
                dlogits: &self.dlogits[..rows * classes],
                shards: &mut self.shards,
                next: self.next.gather(data, next),
            };
            share_out(team, backward, pieces + GATHERINGS * pieces);
            self.gathered.extend_from_slice(next);
        }
        total
    }
}

impl ShardState {
    /// The activations of its own units that these examples have.
    fn activations(&self, examples: Range<usize>) -> MatRef<'_> {
        let ([_, width, _], units) = (self.part.widths(), self.part.units().len());
        let rows = &self.activations[examples.start * width..examples.end * width];
        MatRef::new(rows, examples.len(), width).block(0..examples.len(), 0..units)
    }
}

/// What the jobs of a step have in common.
#[derive(Clone, Copy)]
struct Common<'a> {
    isa: Isa,
    images: BatchView<'a>,
    /// Where each example is pulled.
    target: LossTarget,
}

/// The hidden activations of each shard.
struct Forward<'a> {
    common: Common<'a>,
    shards: &'a mut [ShardState],
}

impl Share for Forward<'_> {
    fn split(self, left: usize, _pieces: usize) -> (Self, Self) {
        let (shards, others) = self.shards.split_at_mut(left);
        let common = self.common;
        (
            Self { common, shards },
            Self {
                common,
                shards: others,
            },
        )
    }

    fn run(self) {
        for shard in self.shards {
            let [_, width, _] = shard.part.widths();
            let a = &mut shard.activations[..self.common.images.labels.len() * width];
            shard
                .part
                .first_layer(self.common.images, Accumulate::WHOLE, a);
        }
    }
}

/// Logits, losses and the gradient by the logits of some examples.
struct Logits<'a> {
    common: Common<'a>,
    shards: &'a [ShardState],
    /// The first example.
    first: usize,
    logits: &'a mut [f32],
    dlogits: &'a mut [f32],
    losses: &'a mut [f32],
    /// One for each thread.
    packing: &'a mut [Vec<f32>],
}

impl Share for Logits<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let rows = self.losses.len() * left / pieces;
        let classes = self.logits.len() / self.losses.len().max(1);
        let (logits, other_logits) = self.logits.split_at_mut(rows * classes);
        let (dlogits, other_dlogits) = self.dlogits.split_at_mut(rows * classes);
        let (losses, other_losses) = self.losses.split_at_mut(rows);
        let (packing, other_packing) = self.packing.split_at_mut(left);
        let one = Self {
            common: self.common,
            shards: self.shards,
            first: self.first,
            logits,
            dlogits,
            losses,
            packing,
        };
        let other = Self {
            common: self.common,
            shards: self.shards,
            first: self.first + rows,
            logits: other_logits,
            dlogits: other_dlogits,
            losses: other_losses,
            packing: other_packing,
        };
        (one, other)
    }

    fn run(self) {
        let isa = self.common.isa;
        let rows = self.first..self.first + self.losses.len();
        let [_, _, classes] = self.shards[0].part.widths();
        let ctx = &mut Context::new(1, &mut self.packing[0]).with_isa(isa);
        for (i, shard) in self.shards.iter().enumerate() {
            let layer = shard.part.net().layer(1);
            let weights = layer.weights.block(0..shard.part.units().len(), 0..classes);
            Product::new(shard.activations(rows.clone()), weights)
                .start(match i {
                    0 => Start::Row(layer.biases),
                    _ => Start::C,
                })
                .compute(MatMut::new(self.logits, rows.len(), classes), ctx);
        }
        softmax_cross_entropy(
            isa,
            MatRef::new(self.logits, rows.len(), classes),
            &self.common.images.labels[rows.clone()],
            self.common.target,
            MatMut::new(self.dlogits, rows.len(), classes),
            self.losses,
        );
    }
}

/// The gradients of each shard, and its step. Then, in shares for whoever is done
/// with that, the images of the next mini-batch.
struct Backward<'a> {
    common: Common<'a>,
    update: Update,
    dlogits: &'a [f32],
    shards: &'a mut [ShardState],
    next: GatherJob<'a>,
}

impl Share for Backward<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let of_shards = left.min(self.shards.len());
        // Of many shards there may be as many as pieces, or more.
        let gatherings = pieces.saturating_sub(self.shards.len()).max(1);
        let (shards, other_shards) = self.shards.split_at_mut(of_shards);
        let (next, other_next) = self.next.split(left - of_shards, gatherings);
        let one = Self {
            shards,
            next,
            ..self
        };
        let other = Self {
            common: self.common,
            update: self.update,
            dlogits: self.dlogits,
            shards: other_shards,
            next: other_next,
        };
        (one, other)
    }

    fn run(self) {
        let rows = self.common.images.labels.len();
        for shard in self.shards {
            let widths = shard.part.widths();
            let (hidden, len) = (rows * widths[1], activations_len(&widths, rows));
            let (activations, deltas) = (&mut shard.activations[..len], &mut shard.deltas[..len]);
            deltas[hidden..].copy_from_slice(self.dlogits);
            shard.part.deltas(
                &Layers::new(activations, &widths, rows),
                &mut Layers::new(deltas, &widths, rows),
                rows,
            );
            let layers = (&*activations, &*deltas);
            let bytes = self.common.images.bytes;
            shard.part.step(bytes, rows, layers, &self.update);
        }
        self.next.run(self.common.isa);
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use crate::Activation;
    use crate::net::loss::Reduction;
    use crate::net::optimizer::Momentum;
    use crate::net::params_len;
    use crate::step::thread_team::{MAX_PIECES, in_pool};

    /// The losses of steps in which the first pixel is zero in all images, and a
    /// weight of it has this velocity.
    fn losses(weight: f32, velocity: f32) -> [f64; 2] {
        let widths = [3, 40, 2];
        let data = Dataset::new(vec![0, 9, 0, 0, 0, 9], 1, 3, vec![0, 1]).unwrap();
        let mut params = vec![0.0; params_len(&widths)];
        let mut velocities = params.clone();
        (params[39], velocities[39]) = (weight, velocity);
        let net = NetRef::new(&widths, Activation::Relu, &params);
        let mut units = ColumnParallel::new(net, 2, 2, Isa::detect()).unwrap();
        units.load(&params, &velocities);
        let update = update(1.0);
        Team::with(2, |team| {
            [(); 2].map(|()| units.step(team, &data, (&[0, 1], &[]), &update))
        })
    }

    fn update(momentum: f32) -> Update {
        Update {
            rule: Momentum {
                momentum,
                nesterov: false,
                weight_decay: 0.0,
            },
            learning_rate: 0.1,
            reduction: Reduction::Mean,
            label_smoothing: 0.0,
        }
    }

    #[test]
    fn shards_may_be_more_than_pieces_of_work() {
        let data = Dataset::new(vec![9, 0, 200, 0, 50, 7], 1, 3, vec![0, 1]).unwrap();
        let update = update(0.9);
        let steps = |threads: usize, shards: usize, hidden: usize| {
            let widths = [3, hidden, 2];
            let params: Vec<f32> = (0..params_len(&widths))
                .map(|i| (i % 13) as f32 * 0.01 - 0.06)
                .collect();
            let velocity = vec![0.0; params.len()];
            let net = NetRef::new(&widths, Activation::Tanh, &params);
            let mut units = ColumnParallel::new(net, shards, 2, Isa::detect()).unwrap();
            assert_eq!(units.shards.len(), shards);
            units.load(&params, &velocity);
            in_pool(threads, || {
                Team::with(threads, |team| {
                    [(); 3].map(|()| units.step(team, &data, (&[0, 1], &[1, 0]), &update))
                })
            })
        };
        for shards in [MAX_PIECES / 3, MAX_PIECES - 1, MAX_PIECES, MAX_PIECES + 8] {
            let hidden = shards * CACHE_LINE;
            assert_eq!(steps(3, shards, hidden), steps(1, 1, hidden));
        }
    }

    #[test]
    fn a_weight_that_is_not_finite_shows_even_if_it_meets_only_zeros() {
        assert!(losses(-3e38, 0.0).iter().all(|loss| loss.is_finite()));
        let [before, after] = losses(-3e38, -3e38);
        assert!(before.is_finite() && after.is_nan());
        assert!(losses(f32::NEG_INFINITY, 0.0)[0].is_nan());
    }
}
