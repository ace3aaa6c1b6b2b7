//! Column parallelism: each shard has some hidden units and all pixels.
//!
//! A shard is a net D-Ht-C with fewer hidden units. Only the hidden activations and
//! dZ2 pass from core to core. A step hands out work three times, with a
//! synchronisation after each:
//!
//! ```text
//! hidden units of a shard   A = σ(b1 + X·W1)
//! some of the examples      Z2 = b2 + A·W2, whose sums go on from shard to shard; loss, dZ2
//! hidden units of a shard   dZ1 = dZ2·W2ᵀ ⊙ σ′(Z1), all gradients, the update
//! ```

use crate::compute::aligned::{Aligned, CACHE_LINE};
use crate::compute::gemm::{Context, Product, Start};
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use crate::compute::memory::Buffers;
use crate::compute::thread_team::{Team, Work, share_out, split_fields};
use crate::net::activations_len;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::step::batch::{BatchView, DoubleBuffer, GatherJob};
use crate::step::pass::{Accumulate, Layers};
use crate::step::shard::{Shape, Shard};
use crate::step::sharded::{Partition, ShardedNet, StepInputs};
use crate::step::targets::Targets;
use alloc::vec::Vec;
use core::ops::Range;

/// Pieces that the gathering of the next images is cut into, for each thread: with one, the
/// thread that is done first cannot take part of the other's on a busy machine. On a Xeon with
/// two cores and busy neighbours one piece took between 0.8 and 1.1 times as long, and four
/// as long (docs/performance.md).
const GATHER_PIECES: usize = 2;

/// Shards of columns of W1.
#[derive(Debug)]
struct ColumnParallel {
    shards: Vec<ColumnShard>,
    classes: usize,
    images: DoubleBuffer,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
    /// Memory of each thread for packed operands.
    packing: Vec<Vec<f32>>,
}

/// A shard of columns, with the activations and deltas of its units.
#[derive(Debug)]
struct ColumnShard {
    shard: Shard,
    activations: Aligned,
    deltas: Aligned,
}

impl ShardedNet {
    /// A net with one hidden layer in `count` shards of about as many columns each, for
    /// mini-batches of up to `batch` examples.
    ///
    /// # Panics
    /// Panics if the net has fewer cache lines of hidden units than shards.
    pub(crate) fn by_columns(
        net: Shape,
        count: usize,
        batch: usize,
        isa: Isa,
        buffers: &mut Buffers,
    ) -> Self {
        let [features, hidden, classes] = net.widths;
        let lines = hidden.div_ceil(CACHE_LINE);
        assert!(
            (1..=lines).contains(&count),
            "{hidden} units in {count} shards"
        );
        let start = |shard: usize| shard * lines / count * CACHE_LINE;
        let mut shard = |shard: usize| {
            let units = start(shard)..start(shard + 1).min(hidden);
            let shard = Shard::new(net, isa, 0..features, units, batch, buffers);
            let len = activations_len(&shard.widths(), batch);
            ColumnShard {
                shard,
                activations: buffers.aligned(len),
                deltas: buffers.aligned(len),
            }
        };
        let columns = ColumnParallel {
            shards: (0..count).map(&mut shard).collect(),
            classes,
            images: DoubleBuffer::new(isa, 0..features, batch, buffers),
            logits: buffers.zeros(batch * classes),
            dlogits: buffers.zeros(batch * classes),
            packing: (0..count)
                .map(|_| buffers.zeros(Context::packing_len(1)))
                .collect(),
        };
        Self::new(net, batch, isa, columns, buffers)
    }
}

impl Partition for ColumnParallel {
    fn for_each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        for column in &mut self.shards {
            visit(&mut column.shard);
        }
    }

    fn begin(&mut self, step: &StepInputs<'_>, are_gathered: bool) {
        self.images.advance();
        if !are_gathered {
            let images = &mut self.images.current;
            images.gather(step.data, step.batch).run(step.isa);
        }
    }

    fn forward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>, losses: &mut [f32]) {
        let (rows, pieces) = (step.batch.len(), self.shards.len());
        let images = self.images.current.view(rows);
        let activations = Activations {
            images,
            shards: &mut self.shards,
        };
        share_out(team, activations, pieces);

        let len = rows * self.classes;
        let logits = Logits {
            isa: step.isa,
            target: step.loss_target(),
            targets: images.targets(),
            shards: &self.shards,
            first: 0,
            logits: &mut self.logits[..len],
            dlogits: &mut self.dlogits[..len],
            losses,
            packing: &mut self.packing,
        };
        share_out(team, logits, pieces);
    }

    fn backward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>) {
        let (rows, pieces) = (step.batch.len(), self.shards.len());
        let DoubleBuffer { current, next } = &mut self.images;
        let updates = Updates {
            isa: step.isa,
            images: current.view(rows),
            update: step.update,
            dlogits: &self.dlogits,
            shards: &mut self.shards,
            next: next.gather(step.data, step.next),
        };
        share_out(team, updates, pieces + GATHER_PIECES * pieces);
    }
}

impl ColumnShard {
    /// The activations of the units, without the padding, that these examples have.
    fn activations(&self, examples: Range<usize>) -> MatRef<'_> {
        let ([_, width, _], units) = (self.shard.widths(), self.shard.units().len());
        let rows = &self.activations[examples.start * width..examples.end * width];
        MatRef::new(rows, examples.len(), width).block(0..examples.len(), 0..units)
    }
}

/// The hidden activations of each shard.
struct Activations<'a> {
    images: BatchView<'a>,
    shards: &'a mut [ColumnShard],
}

impl Work for Activations<'_> {
    fn split(self, left: usize, _pieces: usize) -> (Self, Self) {
        split_fields!(self {
            shards: self.shards.split_at_mut(left)
        })
    }

    fn run(self) {
        for ColumnShard {
            shard, activations, ..
        } in self.shards
        {
            let [_, width, _] = shard.widths();
            let a = &mut activations[..self.images.labels.len() * width];
            shard.first_layer(self.images, Accumulate::WHOLE, a);
        }
    }
}

/// Logits, losses and dZ2 of some examples.
struct Logits<'a> {
    isa: Isa,
    target: LossTarget,
    /// The targets of all examples.
    targets: Targets<'a>,
    shards: &'a [ColumnShard],
    /// The first example.
    first: usize,
    logits: &'a mut [f32],
    dlogits: &'a mut [f32],
    losses: &'a mut [f32],
    /// Memory of each thread for packed operands.
    packing: &'a mut [Vec<f32>],
}

impl Work for Logits<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let rows = self.losses.len() * left / pieces;
        let classes = self.logits.len() / self.losses.len().max(1);
        split_fields!(self {
            first: (self.first, self.first + rows),
            logits: self.logits.split_at_mut(rows * classes),
            dlogits: self.dlogits.split_at_mut(rows * classes),
            losses: self.losses.split_at_mut(rows),
            packing: self.packing.split_at_mut(left),
        })
    }

    fn run(self) {
        let rows = self.first..self.first + self.losses.len();
        let [_, _, classes] = self.shards[0].shard.widths();
        let ctx = &mut Context::new(1, &mut self.packing[0]).with_isa(self.isa);
        for (i, column) in self.shards.iter().enumerate() {
            let layer = column.shard.net().layer(1);
            let units = 0..column.shard.units().len();
            let weights = layer.weights.block(units, 0..classes);
            Product::new(column.activations(rows.clone()), weights)
                .start(match i {
                    0 => Start::Row(layer.biases),
                    _ => Start::C,
                })
                .compute(MatMut::new(self.logits, rows.len(), classes), ctx);
        }
        self.targets.rows(rows.clone()).cross_entropy(
            self.isa,
            MatRef::new(self.logits, rows.len(), classes),
            self.target,
            MatMut::new(self.dlogits, rows.len(), classes),
            self.losses,
        );
    }
}

/// The gradients and the update of each shard. Then, in pieces of their own for
/// whichever thread is done first, the images of the next step.
struct Updates<'a> {
    isa: Isa,
    images: BatchView<'a>,
    update: &'a Update,
    /// dZ2 of all examples.
    dlogits: &'a [f32],
    shards: &'a mut [ColumnShard],
    next: GatherJob<'a>,
}

impl Work for Updates<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let of_shards = left.min(self.shards.len());
        // There may be as many shards as pieces, or more.
        let gatherings = pieces.saturating_sub(self.shards.len()).max(1);
        split_fields!(self {
            shards: self.shards.split_at_mut(of_shards),
            next: self.next.split(left - of_shards, gatherings),
        })
    }

    fn run(self) {
        let rows = self.images.labels.len();
        for column in self.shards {
            let ColumnShard {
                shard,
                activations,
                deltas,
            } = column;
            let widths = shard.widths();
            let (hidden, len) = (rows * widths[1], activations_len(&widths, rows));
            let (activations, deltas) = (&mut activations[..len], &mut deltas[..len]);
            deltas[hidden..].copy_from_slice(&self.dlogits[..len - hidden]);
            shard.deltas(
                &Layers::new(activations, &widths, rows),
                &mut Layers::new(deltas, &widths, rows),
                self.images.examples,
            );
            let layers = (&*activations, &*deltas);
            shard.update(self.images.bytes, rows, layers, self.update);
        }
        self.next.run(self.isa);
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use crate::compute::thread_team::{MAX_PIECES, Threads};
    use crate::data::Dataset;
    use crate::net::activation::Activation;
    use crate::net::loss::Reduction;
    use crate::net::optimizer::Momentum;
    use crate::net::params_len;

    /// The losses of steps in which the first pixel is zero in all images, and a
    /// weight of it has this velocity.
    fn losses(weight: f32, velocity: f32) -> [f64; 2] {
        let widths = [3, 40, 2];
        let data = Dataset::new(vec![0, 9, 0, 0, 0, 9], 1, 3, vec![0, 1]).unwrap();
        let mut params = vec![0.0; params_len(&widths)];
        let mut velocities = params.clone();
        (params[39], velocities[39]) = (weight, velocity);
        let net = Shape::new(&widths, Activation::Relu);
        let buffers = &mut Buffers::allocating();
        let mut columns = ShardedNet::by_columns(net, 2, 2, Isa::detect(), buffers);
        columns.load(&params, &velocities);
        let update = update(1.0);
        let mut threads = Threads::default();
        let mut team = threads.team(2);
        [(); 2].map(|()| columns.step(&mut team, &data, (&[0, 1], &[]), (&update, None)))
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
            let net = Shape::new(&widths, Activation::Tanh);
            let buffers = &mut Buffers::allocating();
            let mut columns = ShardedNet::by_columns(net, shards, 2, Isa::detect(), buffers);
            columns.load(&params, &velocity);
            let mut own = Threads::default();
            let mut team = own.team(threads);
            [(); 3].map(|()| columns.step(&mut team, &data, (&[0, 1], &[1, 0]), (&update, None)))
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
