//! A net with one hidden layer, its pixels shared out between two threads.
//!
//! Each keeps the rows of W1 of half of the pixels to itself, for many steps, and
//! these pixels of the images: nothing of them passes from core to core, nor is
//! computed twice. A sum over all pixels is one chain, so one thread begins what
//! the other ends, for a group of images at a time. Neither waits for the other
//! before it has something to do again: what each gathers of the next mini-batch
//! lies between, and whoever comes first to a group that is through the first layer
//! takes it on.
//!
//! ```text
//! low pixels                       high pixels
//! Z = b1 + X·W1, group by group    gathers the next images
//! gathers the next images          A = σ(Z + X·W1), group by group
//! Z2 = b2 + A·W2, loss, dZ2, dZ1   the same
//! of groups from the first on      from the last on
//! ----------------------------------------------------------------
//! gradients, the parameters' step  gradients, the parameters' step
//! ```

use crate::compute::aligned::Aligned;
use crate::compute::gemm::MAX_IMAGES_PER_LIST;
use crate::compute::isa::Isa;
use crate::compute::zeros::{BLOCK, GROUP};
use crate::data::Dataset;
use crate::net::loss::LossTarget;
use crate::net::optimizer::Update;
use crate::net::{NetRef, activations_len};
use crate::step::autotune::Parts;
use crate::step::batch::{BatchBuffer, BatchView};
use crate::step::shard::Shard;
use crate::step::share::{Accumulate, Layers};
use crate::step::thread_team::{Team, locked};
use alloc::{vec, vec::Vec};
use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Groups that a mini-batch passes from one thread to the other in.
const GROUPS: usize = 4;

/// Both halves of a net, and what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct RowParallel {
    widths: [usize; 3],
    isa: Isa,
    halves: [Half; 2],
    /// Which of their images are those of this step.
    now: usize,
    /// Which images those of the next step are.
    gathered: Vec<u32>,
    activations: Aligned,
    deltas: Aligned,
    losses: Vec<f32>,
}

/// Half of the pixels, and all hidden units.
#[derive(Clone, Debug)]
struct Half {
    part: Shard,
    /// The images of this step and those of the next, in turn.
    images: [BatchBuffer; 2],
}

impl RowParallel {
    /// The halves of a net with one hidden layer and enough pixels, for
    /// mini-batches of up to so many examples, which must be some.
    pub(crate) fn new(net: NetRef<'_>, batch: usize, isa: Isa) -> Option<Self> {
        let &[features, hidden, classes] = net.widths() else {
            return None;
        };
        if features < 2 * BLOCK || batch < 2 * MAX_IMAGES_PER_LIST {
            return None;
        }
        // The groups that images are left out for are not cut.
        let middle = (features / 2).next_multiple_of(GROUP);
        let half = |pixels: Range<usize>| Half {
            images: [(); 2].map(|()| BatchBuffer::new(isa, pixels.clone(), batch)),
            part: Shard::new(net, isa, pixels, 0..hidden, batch),
        };
        let halves = [half(0..middle), half(middle..features)];
        let len = activations_len(&halves[0].part.widths(), batch);
        Some(Self {
            widths: [features, hidden, classes],
            isa,
            halves,
            now: 0,
            gathered: Vec::with_capacity(batch),
            activations: Aligned::zeros(len),
            deltas: Aligned::zeros(len),
            losses: vec![0.0; batch],
        })
    }
}

impl Parts for RowParallel {
    fn load(&mut self, params: &[f32], velocity: &[f32]) {
        for half in &mut self.halves {
            half.part.load(&self.widths, params, velocity);
        }
    }

    fn store(&self, params: &mut [f32], velocity: &mut [f32]) {
        for half in &self.halves {
            half.part.store(&self.widths, params, velocity);
        }
    }

    fn step(
        &mut self,
        team: &mut Team<'_>,
        data: &Dataset,
        (batch, next): (&[u32], &[u32]),
        update: &Update,
    ) -> f64 {
        let rows = batch.len();
        self.now = 1 - self.now;
        if self.gathered != batch {
            for half in &mut self.halves {
                half.images[self.now].gather(data, batch).run(self.isa);
            }
        }
        self.gathered.clear();
        self.gathered.extend_from_slice(next);

        self.pass(team, update.loss_target(rows), rows, (data, next));
        let losses = self.losses[..rows].iter();
        let total = losses.map(|&loss| f64::from(loss)).sum();
        if f64::is_finite(total) {
            let [low, high] = &mut self.halves;
            let len = activations_len(&low.part.widths(), rows);
            let layers = (&self.activations[..len], &self.deltas[..len]);
            let step = |half: &mut Half| {
                let bytes = half.images[self.now].gathered(rows).bytes;
                half.part.step(bytes, rows, layers, update);
            };
            team.pair(&mut |_| step(low), &mut |_| step(high));
        }
        total
    }
}

impl RowParallel {
    /// The activations of a mini-batch, its losses, and the gradient by all sums.
    fn pass(
        &mut self,
        team: &mut Team<'_>,
        target: LossTarget,
        rows: usize,
        (data, next): (&Dataset, &[u32]),
    ) {
        let (isa, now, [low, high]) = (self.isa, self.now, &mut self.halves);
        let widths = low.part.widths();
        let len = activations_len(&widths, rows);
        let (hidden, logits) = self.activations[..len].split_at_mut(rows * widths[1]);
        let (dhidden, dlogits) = self.deltas[..len].split_at_mut(rows * widths[1]);
        let mut rest = Rows {
            hidden,
            logits,
            dhidden,
            dlogits,
            losses: &mut self.losses[..rows],
        };
        let images = low.images[now].gathered(rows);
        let groups: [Group<'_>; GROUPS] = core::array::from_fn(|group| {
            let start = |group| group * images.counts.len() / GROUPS;
            let panels = start(group)..start(group + 1);
            let examples = images.panels(panels.clone()).labels.len();
            Group {
                panels,
                stage: AtomicU8::new(NEW),
                rows: Mutex::new(rest.take(examples, widths)),
            }
        });
        team.pair(
            &mut |member| {
                let (images, following) = in_turn(&mut low.images, now);
                let images = images.gathered(rows);
                for group in &groups {
                    let images = images.panels(group.panels.clone());
                    low.part.first_layer(images, BEGIN, group.rows().hidden);
                    group.reach(BEGUN);
                }
                following.gather(data, next).run(isa);
                for group in &groups {
                    member.wait_until(|| group.has_reached(ENDED));
                    if !group.take() {
                        break;
                    }
                    group.head(&mut low.part, images, target);
                }
            },
            &mut |member| {
                let (images, following) = in_turn(&mut high.images, now);
                let images = images.gathered(rows);
                following.gather(data, next).run(isa);
                for group in &groups {
                    member.wait_until(|| group.has_reached(BEGUN));
                    let images = images.panels(group.panels.clone());
                    high.part.first_layer(images, END, group.rows().hidden);
                    group.reach(ENDED);
                }
                for group in groups.iter().rev().take_while(|group| group.take()) {
                    group.head(&mut high.part, images, target);
                }
            },
        );
    }
}

/// The images of this step, and room for those of the next.
fn in_turn([one, other]: &mut [BatchBuffer; 2], now: usize) -> (&BatchBuffer, &mut BatchBuffer) {
    match now {
        0 => (one, other),
        _ => (other, one),
    }
}

/// Images that pass from one thread to the other together, a line of the cache
/// or more from the next ones.
#[repr(align(128))]
struct Group<'a> {
    /// Their panels.
    panels: Range<usize>,
    /// How far they are.
    stage: AtomicU8,
    rows: Mutex<Rows<'a>>,
}

/// Rows of what is computed of the images: hidden layer, logits, losses, and the
/// gradient by the sums.
struct Rows<'a> {
    hidden: &'a mut [f32],
    logits: &'a mut [f32],
    dhidden: &'a mut [f32],
    dlogits: &'a mut [f32],
    losses: &'a mut [f32],
}

impl<'a> Rows<'a> {
    /// The first rows of it, of a net of these widths, which it loses.
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

/// Stages of a group: nothing is computed; the low pixels are summed; the high ones
/// are, too; somebody takes it through the rest of the net.
const NEW: u8 = 0;
const BEGUN: u8 = 1;
const ENDED: u8 = 2;
const TAKEN: u8 = 3;

impl<'a> Group<'a> {
    /// Whether it has come to a stage.
    fn has_reached(&self, stage: u8) -> bool {
        self.stage.load(Ordering::Acquire) >= stage
    }

    /// Brings it to the next stage.
    fn reach(&self, stage: u8) {
        self.stage.store(stage, Ordering::Release);
    }

    /// Whether it is through the first layer and this call the first to take it on.
    fn take(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.stage
            .compare_exchange(ENDED, TAKEN, success, failure)
            .is_ok()
    }

    /// Takes it through the rest of the net.
    fn head(&self, part: &mut Shard, images: BatchView<'_>, target: LossTarget) {
        let Rows {
            hidden,
            logits,
            dhidden,
            dlogits,
            losses,
        } = &mut *self.rows();
        let labels = images.panels(self.panels.clone()).labels;
        let (mut activations, mut deltas) =
            (Layers::of([hidden, logits]), Layers::of([dhidden, dlogits]));
        part.head(labels, target, &mut activations, &mut deltas, losses);
    }

    /// What is computed of it, for whoever works on it.
    fn rows(&self) -> MutexGuard<'_, Rows<'a>> {
        locked(&self.rows)
    }
}

/// What the low pixels add to the sums, and what the high ones do.
const BEGIN: Accumulate = Accumulate {
    from_bias: true,
    apply_activation: false,
};
const END: Accumulate = Accumulate {
    from_bias: false,
    apply_activation: true,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};
    use crate::net::Net;
    use crate::net::loss::Reduction;
    use crate::net::optimizer::Momentum;
    use crate::step::column_parallel::ColumnParallel;
    use crate::{Activation, Init};

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

    #[test]
    fn steps_are_those_of_the_whole_net_whatever_the_mini_batch() {
        let (data, order) = (data(), (0..EXAMPLES).rev().collect::<Vec<u32>>());
        for isa in Isa::available() {
            for &activation in Activation::ALL {
                let start = net(activation);
                let mut velocity = vec![0.0; start.view().params().len()];
                let mut halves = RowParallel::new(start.view(), BATCH, isa).unwrap();
                let mut whole = ColumnParallel::new(start.view(), 1, BATCH, isa).unwrap();
                halves.load(start.view().params(), &velocity);
                whole.load(start.view().params(), &velocity);
                let batches = [
                    &order[..BATCH],
                    &order[BATCH..],
                    &order[7..9],
                    &order[3..4],
                    &[],
                ];
                Team::with(2, |team| {
                    for pair in batches.windows(2) {
                        let loss = halves.step(team, &data, (pair[0], pair[1]), &UPDATE);
                        let next = (pair[0], &[][..]);
                        let expected = whole.step(&mut team.alone(), &data, next, &UPDATE);
                        assert_eq!(loss, expected, "{activation:?}, {}", isa.name());
                    }
                });
                let (mut moved, mut other) = (start.clone(), start.clone());
                halves.store(moved.params_mut(), &mut velocity);
                let mut other_velocity = vec![0.0; velocity.len()];
                whole.store(other.params_mut(), &mut other_velocity);
                assert_ne!(moved, start);
                assert_eq!((moved, velocity), (other, other_velocity));
            }
        }
    }

    #[test]
    fn a_weight_that_is_not_finite_shows_in_either_half() {
        let (data, order) = (data(), (0..EXAMPLES).collect::<Vec<u32>>());
        for row in [0, WIDTHS[0] - 1] {
            let mut net = net(Activation::Tanh);
            net.params_mut()[row * WIDTHS[1]] = f32::INFINITY;
            let velocity = vec![0.0; net.view().params().len()];
            let mut halves = RowParallel::new(net.view(), 40, Isa::detect()).unwrap();
            halves.load(net.view().params(), &velocity);
            let batch = (&order[..40], &[][..]);
            let loss = Team::with(2, |team| halves.step(team, &data, batch, &UPDATE));
            assert!(loss.is_nan());
        }
    }
}
