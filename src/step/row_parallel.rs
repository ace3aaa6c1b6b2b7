//! Row parallelism: each of two shards has half of the pixels and all hidden units.
//!
//! The pixels of the images and their rows of W1 are read by one thread each; nothing
//! is computed twice. Z1 sums over all pixels in order, so the first shard begins the
//! sums that the second one ends: a pipeline, which the mini-batch passes through in
//! [`MicroBatch`]es. What follows from Z1 is computed once for each of them, by the
//! thread that comes to it first. Each thread gathers its half of the next images where
//! it would wait for the other.
//!
//! A step hands out work twice, with a synchronisation after each:
//!
//! ```text
//! first shard                              second shard
//! Z1 = b1 + X·W1, micro-batch after other  gathers the next images
//! gathers the next images                  A = σ(Z1 + X·W1), micro-batch after other
//! Z2 = b2 + A·W2, loss, dZ2, dZ1           Z2, loss, dZ2, dZ1
//! of micro-batches from the first on       from the last on
//! ------------------------------------------------------------------
//! gradients, the update                    gradients, the update
//! ```
//!
//! A schedule of its own beside [`column_parallel`](super::column_parallel), because it
//! is faster where hidden units are few: one pipeline instead of a hand-out for Z1, one
//! for what follows and one for the update (docs/performance.md).

use crate::compute::aligned::Aligned;
use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::{Team, locked};
use crate::compute::zeros::GROUP;
use crate::net::activations_len;
use crate::net::loss::LossTarget;
use crate::step::batch::{BatchView, DoubleBuffer};
use crate::step::pass::{Accumulate, Layers};
use crate::step::shard::{Shape, Shard};
use crate::step::sharded::{Partition, ShardedNet, StepInputs};
use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Micro-batches of a mini-batch. Three and eight were no faster on Zen 3, nor were two and
/// eight beyond the noise on a Xeon with AVX-512 (docs/performance.md).
const MICRO_BATCHES: usize = 4;

/// The stretches of Z1 that the two shards compute.
const FIRST: Accumulate = Accumulate {
    from_bias: true,
    apply_activation: false,
};
const SECOND: Accumulate = Accumulate {
    from_bias: false,
    apply_activation: true,
};

/// Two shards of rows of W1.
#[derive(Debug)]
struct RowParallel {
    shards: [RowShard; 2],
    activations: Aligned,
    deltas: Aligned,
}

/// A shard of rows, with its pixels of the images.
#[derive(Debug)]
struct RowShard {
    shard: Shard,
    images: DoubleBuffer,
}

impl ShardedNet {
    /// A net with one hidden layer in two shards of about as many rows each, for
    /// mini-batches of up to `batch` examples.
    ///
    /// # Panics
    /// Panics if the net has too few pixels to cut between two groups of them.
    pub(crate) fn by_rows(net: Shape, batch: usize, isa: Isa, buffers: &mut Buffers) -> Self {
        let [features, hidden, _] = net.widths;
        assert!(features > GROUP, "{features} pixels in two shards");
        // Zeros are left out for whole groups of pixels, so none is cut.
        let middle = (features / 2).next_multiple_of(GROUP);
        let mut shard = |pixels: Range<usize>| RowShard {
            images: DoubleBuffer::new(isa, pixels.clone(), batch, buffers),
            shard: Shard::new(net, isa, pixels, 0..hidden, batch, buffers),
        };
        let shards = [shard(0..middle), shard(middle..features)];
        let len = activations_len(&shards[0].shard.widths(), batch);
        let rows = RowParallel {
            shards,
            activations: buffers.aligned(len),
            deltas: buffers.aligned(len),
        };
        Self::new(net, batch, isa, rows, buffers)
    }
}

impl Partition for RowParallel {
    fn for_each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        for row in &mut self.shards {
            visit(&mut row.shard);
        }
    }

    fn begin(&mut self, step: &StepInputs<'_>, are_gathered: bool) {
        for RowShard { images, .. } in &mut self.shards {
            images.advance();
            if !are_gathered {
                images.current.gather(step.data, step.batch).run(step.isa);
            }
        }
    }

    fn forward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>, losses: &mut [f32]) {
        let (isa, rows, target) = (step.isa, step.batch.len(), step.loss_target());
        let [first, second] = &mut self.shards;
        let widths = first.shard.widths();
        let len = activations_len(&widths, rows);
        let (hidden, logits) = self.activations[..len].split_at_mut(rows * widths[1]);
        let (dhidden, dlogits) = self.deltas[..len].split_at_mut(rows * widths[1]);
        let mut rest = Rows {
            hidden,
            logits,
            dhidden,
            dlogits,
            losses,
        };
        let images = first.images.current.view(rows);
        let micro_batches: [MicroBatch<'_>; MICRO_BATCHES] = core::array::from_fn(|i| {
            let start = |i| i * images.counts.len() / MICRO_BATCHES;
            let lists = start(i)..start(i + 1);
            let examples = images.lists(lists.clone()).labels.len();
            MicroBatch {
                lists,
                stage: AtomicU8::new(NEW),
                rows: Mutex::new(rest.take(examples, widths)),
            }
        });
        team.pair(
            &mut |member| {
                let RowShard { shard, images } = &mut *first;
                let current = images.current.view(rows);
                for micro_batch in &micro_batches {
                    micro_batch.first_layer(shard, current, FIRST);
                    micro_batch.reach(BEGUN);
                }
                images.next.gather(step.data, step.next).run(isa);
                for micro_batch in &micro_batches {
                    member.wait_until(|| micro_batch.has_reached(ENDED));
                    if !micro_batch.take() {
                        break;
                    }
                    micro_batch.second_layer(shard, current, target);
                }
            },
            &mut |member| {
                let RowShard { shard, images } = &mut *second;
                let current = images.current.view(rows);
                images.next.gather(step.data, step.next).run(isa);
                for micro_batch in &micro_batches {
                    member.wait_until(|| micro_batch.has_reached(BEGUN));
                    micro_batch.first_layer(shard, current, SECOND);
                    micro_batch.reach(ENDED);
                }
                for micro_batch in micro_batches.iter().rev().take_while(|one| one.take()) {
                    micro_batch.second_layer(shard, current, target);
                }
            },
        );
    }

    fn backward(&mut self, team: &mut Team<'_>, step: &StepInputs<'_>) {
        let rows = step.batch.len();
        let [first, second] = &mut self.shards;
        let len = activations_len(&first.shard.widths(), rows);
        let layers = (&self.activations[..len], &self.deltas[..len]);
        let update = |RowShard { shard, images }: &mut RowShard| {
            let bytes = images.current.view(rows).bytes;
            shard.update(bytes, rows, layers, step.update);
        };
        team.pair(&mut |_| update(first), &mut |_| update(second));
    }
}

/// Images that pass from one thread to the other together, on cache lines of its own,
/// two of which many processors fetch at once.
#[repr(align(128))]
struct MicroBatch<'a> {
    /// The lists of columns of the images ([`BatchView::lists`]).
    lists: Range<usize>,
    stage: AtomicU8,
    rows: Mutex<Rows<'a>>,
}

/// Rows of activations, deltas and losses.
struct Rows<'a> {
    hidden: &'a mut [f32],
    logits: &'a mut [f32],
    dhidden: &'a mut [f32],
    dlogits: &'a mut [f32],
    losses: &'a mut [f32],
}

impl<'a> Rows<'a> {
    /// Splits off the first `rows` rows, of a net with these widths.
    fn take(&mut self, rows: usize, [_, hidden, classes]: [usize; 3]) -> Self {
        let first = |rest: &mut &'a mut [f32], width: usize| {
            rest.split_off_mut(..rows * width).unwrap_or_default()
        };
        Self {
            hidden: first(&mut self.hidden, hidden),
            logits: first(&mut self.logits, classes),
            dhidden: first(&mut self.dhidden, hidden),
            dlogits: first(&mut self.dlogits, classes),
            losses: first(&mut self.losses, 1),
        }
    }
}

/// Stages of a micro-batch: nothing is computed; the first shard has begun Z1; the
/// second shard has ended it; a thread has taken the micro-batch through the second
/// layer.
const NEW: u8 = 0;
const BEGUN: u8 = 1;
const ENDED: u8 = 2;
const TAKEN: u8 = 3;

impl<'a> MicroBatch<'a> {
    /// Whether a stage is reached.
    fn has_reached(&self, stage: u8) -> bool {
        self.stage.load(Ordering::Acquire) >= stage
    }

    /// Notes that a stage is reached.
    fn reach(&self, stage: u8) {
        self.stage.store(stage, Ordering::Release);
    }

    /// Claims the second layer. Returns whether Z1 is complete and no other call has
    /// claimed it.
    fn take(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.stage
            .compare_exchange(ENDED, TAKEN, success, failure)
            .is_ok()
    }

    /// Computes a shard's stretch of Z1.
    fn first_layer(&self, shard: &mut Shard, images: BatchView<'_>, stretch: Accumulate) {
        let images = images.lists(self.lists.clone());
        shard.first_layer(images, stretch, self.rows().hidden);
    }

    /// Computes all that follows from Z1.
    fn second_layer(&self, shard: &mut Shard, images: BatchView<'_>, target: LossTarget) {
        let Rows {
            hidden,
            logits,
            dhidden,
            dlogits,
            losses,
        } = &mut *self.rows();
        let targets = images.lists(self.lists.clone()).targets();
        let (mut activations, mut deltas) =
            (Layers::of([hidden, logits]), Layers::of([dhidden, dlogits]));
        shard.second_layer(targets, target, &mut activations, &mut deltas, losses);
    }

    /// The rows, for the thread that works on them.
    fn rows(&self) -> MutexGuard<'_, Rows<'a>> {
        locked(&self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};
    use crate::compute::thread_team::Threads;
    use crate::compute::zeros::BLOCK;
    use crate::data::Dataset;
    use crate::net::Net;
    use crate::net::activation::Activation;
    use crate::net::init::Init;
    use crate::net::loss::Reduction;
    use crate::net::optimizer::{Momentum, Update};

    const WIDTHS: [usize; 3] = [2 * BLOCK + 9, 21, 5];
    const EXAMPLES: u32 = 84;
    const BATCH: usize = 71;

    const UPDATE: Update = Update {
        rule: Momentum {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 1e-3,
        },
        learning_rate: 0.1,
        reduction: Reduction::Mean,
        label_smoothing: 0.1,
    };

    fn data() -> Dataset {
        let pixel = |at: usize| match at * 31 % 7 {
            0 => (at % 251) as u8,
            _ => 0,
        };
        let pixels = (0..EXAMPLES as usize * WIDTHS[0]).map(pixel).collect();
        let labels = (0..EXAMPLES).map(|i| (i * 3 % 5) as u8).collect();
        Dataset::new(pixels, 1, WIDTHS[0], labels).unwrap()
    }

    fn net(activation: Activation) -> Net {
        let mut rng = generator(1, Stream::Weights);
        Net::random(&WIDTHS, activation, Init::Glorot, &mut rng)
    }

    fn shape(net: &Net) -> Shape {
        Shape::new(net.widths(), net.activation())
    }

    #[test]
    fn steps_are_those_of_the_whole_net_whatever_the_mini_batch() {
        let (data, order) = (data(), (0..EXAMPLES).rev().collect::<Vec<u32>>());
        for isa in Isa::available() {
            for &activation in Activation::ALL {
                let start = net(activation);
                let mut velocity = vec![0.0; start.view().params().len()];
                let (shape, buffers) = (shape(&start), &mut Buffers::allocating());
                let mut rows = ShardedNet::by_rows(shape, BATCH, isa, buffers);
                let mut whole = ShardedNet::by_columns(shape, 1, BATCH, isa, buffers);
                rows.load(start.view().params(), &velocity);
                whole.load(start.view().params(), &velocity);
                let batches = [
                    &order[..BATCH],
                    &order[BATCH..],
                    &order[7..9],
                    &order[3..4],
                    &[],
                ];
                let mut threads = Threads::default();
                let mut team = threads.team(2);
                for pair in batches.windows(2) {
                    let loss = rows.step(&mut team, &data, (pair[0], pair[1]), (&UPDATE, None));
                    let next = (pair[0], &[][..]);
                    let expected = whole.step(&mut team.alone(), &data, next, (&UPDATE, None));
                    assert_eq!(loss, expected, "{activation:?}, {}", isa.name());
                }
                let (mut moved, mut other) = (start.clone(), start.clone());
                rows.store(moved.params_mut(), &mut velocity);
                let mut other_velocity = vec![0.0; velocity.len()];
                whole.store(other.params_mut(), &mut other_velocity);
                assert_ne!(moved, start);
                assert_eq!((moved, velocity), (other, other_velocity));
            }
        }
    }

    #[test]
    fn a_weight_that_is_not_finite_shows_in_either_shard() {
        let (data, order) = (data(), (0..EXAMPLES).collect::<Vec<u32>>());
        for row in [0, WIDTHS[0] - 1] {
            let mut net = net(Activation::Tanh);
            net.params_mut()[row * WIDTHS[1]] = f32::INFINITY;
            let velocity = vec![0.0; net.view().params().len()];
            let buffers = &mut Buffers::allocating();
            let mut rows = ShardedNet::by_rows(shape(&net), 40, Isa::detect(), buffers);
            rows.load(net.view().params(), &velocity);
            let batch = (&order[..40], &[][..]);
            let mut threads = Threads::default();
            let loss = rows.step(&mut threads.team(2), &data, batch, (&UPDATE, None));
            assert!(loss.is_nan());
        }
    }
}
