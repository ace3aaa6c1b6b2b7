//! A net with one hidden layer, its pixels shared out between two threads.
//!
//! Each keeps the rows of W1 of half of the pixels to itself, for many steps, and
//! these pixels of the images: nothing of them passes from core to core, nor is
//! computed twice. A sum over all pixels is one chain, so one thread begins what
//! the other ends, for a group of images at a time. While the other one has nothing
//! to do with them it gathers its pixels of the next mini-batch, or goes on to the
//! loss. With two groups:
//!
//! ```text
//! low pixels                          high pixels
//! Z = b1 + X·W1 of the first images   gathers the next images
//! Z of the others                     A = σ(Z + X·W1) of the first
//! Z2 = b2 + A·W2, loss, dZ2, dZ1 of   A of the others,
//! the first; gathers the next         their Z2, loss, dZ2, dZ1
//! gradients, the parameters' step     gradients, the parameters' step
//! ```

use crate::aligned::Aligned;
use crate::data::Dataset;
use crate::gather::{Gathered, Images};
use crate::gemm::pixels::{BLOCK, GROUP, MAX_PANEL};
use crate::isa::Isa;
use crate::loss::Pull;
use crate::net::{NetRef, activations_len};
use crate::part::Part;
use crate::share::{Layers, Share, Stretch, share_out};
use crate::team::Team;
use crate::workspace::Update;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Both halves of a net, and what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct Halves {
    widths: [usize; 3],
    isa: Isa,
    halves: [Half; 2],
    /// Which images those of the next step are.
    gathered: Vec<u32>,
    activations: Aligned,
    deltas: Aligned,
    losses: Vec<f32>,
}

/// Half of the pixels, and all hidden units.
#[derive(Clone, Debug)]
struct Half {
    part: Part,
    /// The images of this step, and those of the next.
    images: Images,
    next: Images,
}

impl Halves {
    /// The halves of a net with one hidden layer and enough pixels, for
    /// mini-batches of up to so many examples, which must be some.
    pub(crate) fn new(net: NetRef<'_>, batch: usize, isa: Isa) -> Option<Self> {
        let &[features, hidden, classes] = net.widths() else {
            return None;
        };
        if features < 2 * BLOCK || batch < 2 * MAX_PANEL {
            return None;
        }
        // The groups that images are left out for are not cut.
        let middle = (features / 2).next_multiple_of(GROUP);
        let half = |pixels: Range<usize>| Half {
            images: Images::new(isa, pixels.clone(), batch),
            next: Images::new(isa, pixels.clone(), batch),
            part: Part::new(net, isa, pixels, 0..hidden, batch),
        };
        let halves = [half(0..middle), half(middle..features)];
        let len = activations_len(&halves[0].part.widths(), batch);
        Some(Self {
            widths: [features, hidden, classes],
            isa,
            halves,
            gathered: Vec::with_capacity(batch),
            activations: Aligned::zeros(len),
            deltas: Aligned::zeros(len),
            losses: vec![0.0; batch],
        })
    }

    /// Takes over parameters and velocities.
    pub(crate) fn load(&mut self, params: &[f32], velocity: &[f32]) {
        for half in &mut self.halves {
            half.part.load(&self.widths, params, velocity);
        }
    }

    /// Gives them back.
    pub(crate) fn store(&self, params: &mut [f32], velocity: &mut [f32]) {
        for half in &self.halves {
            half.part.store(&self.widths, params, velocity);
        }
    }

    /// Makes a step as [`Units::step`](crate::units::Units::step) does.
    pub(crate) fn step(
        &mut self,
        team: &mut Team<'_>,
        data: &Dataset,
        (batch, next): (&[u32], &[u32]),
        update: &Update,
    ) -> f64 {
        let (isa, rows) = (self.isa, batch.len());
        for half in &mut self.halves {
            core::mem::swap(&mut half.images, &mut half.next);
            if self.gathered != batch {
                half.images.gather(data, batch).run(isa);
            }
        }
        self.gathered.clear();
        self.gathered.extend_from_slice(next);

        self.first_layer(team, rows, (data, next));
        self.heads(team, update.pull(rows), rows, (data, next));
        let losses = self.losses[..rows].iter();
        let total = losses.map(|&loss| f64::from(loss)).sum();
        if f64::is_finite(total) {
            let [low, high] = &mut self.halves;
            let len = activations_len(&low.part.widths(), rows);
            let layers = (&self.activations[..len], &self.deltas[..len]);
            let [low_bytes, high_bytes] =
                [&low.images, &high.images].map(|images| images.gathered(rows).bytes);
            in_two(
                team,
                &mut || low.part.step(low_bytes, rows, layers, update),
                &mut || high.part.step(high_bytes, rows, layers, update),
            );
        }
        total
    }

    /// The hidden activations, but for what the high pixels add to the last group.
    /// Gathers the high pixels of the next images.
    fn first_layer(&mut self, team: &mut Team<'_>, rows: usize, next: (&Dataset, &[u32])) {
        let (isa, [low, high]) = (self.isa, &mut self.halves);
        let [_, width, _] = low.part.widths();
        let (low_images, high_images) = (low.images.gathered(rows), high.images.gathered(rows));
        let place = |panel: usize| low_images.images(panel) * width;
        let z = &mut self.activations[..rows * width];
        for begun in 0..groups(rows) {
            let group = panels(&low_images, begun);
            let before = begun.checked_sub(1).map(|begun| panels(&low_images, begun));
            let (done, new) = z.split_at_mut(place(group.start));
            let new = &mut new[..place(group.end) - place(group.start)];
            in_two(
                team,
                &mut || {
                    let images = low_images.panels(group.clone());
                    low.part.first_layer(images, BEGIN, new);
                },
                &mut || match &before {
                    Some(before) => {
                        let images = high_images.panels(before.clone());
                        let z = &mut done[place(before.start)..];
                        high.part.first_layer(images, END, z);
                    }
                    None => {
                        let (data, next) = next;
                        high.next.gather(data, next).run(isa);
                    }
                },
            );
        }
    }

    /// What is left of the hidden activations, the logits, the losses and the
    /// gradient by all sums. Gathers the low pixels of the next images.
    fn heads(
        &mut self,
        team: &mut Team<'_>,
        pull: Pull,
        rows: usize,
        (data, next): (&Dataset, &[u32]),
    ) {
        let (isa, [low, high]) = (self.isa, &mut self.halves);
        let widths = low.part.widths();
        let len = activations_len(&widths, rows);
        let images = high.images.gathered(rows);
        let last = panels(&images, groups(rows) - 1);
        let middle = images.images(panels(&images, groups(rows) / 2).start);
        let split = |flat| Layers::new(flat, &widths, rows).split(middle, &widths);
        let (mut a, mut b) = split(&mut self.activations[..len]);
        let (mut da, mut db) = split(&mut self.deltas[..len]);
        let (losses_a, losses_b) = self.losses[..rows].split_at_mut(middle);
        let (labels_a, labels_b) = images.labels.split_at(middle);
        in_two(
            team,
            &mut || {
                low.part.head(labels_a, pull, &mut a, &mut da, losses_a);
                low.next.gather(data, next).run(isa);
            },
            &mut || {
                let z = &mut b.first()[(images.images(last.start) - middle) * widths[1]..];
                high.part.first_layer(images.panels(last.clone()), END, z);
                high.part.head(labels_b, pull, &mut b, &mut db, losses_b);
            },
        );
    }
}

/// In how many groups so many images pass from one thread to the other.
fn groups(images: usize) -> usize {
    if images < MANY { 2 } else { 4 }
}

/// The panels of one of the groups of a mini-batch.
fn panels(images: &Gathered<'_>, group: usize) -> Range<usize> {
    let start = |group| images.counts.len() * group / groups(images.labels.len());
    start(group)..start(group + 1)
}

/// So many images are worth more barriers, and shorter waits at both ends of the
/// forward pass.
const MANY: usize = 64;

/// What the low pixels add to the sums, and what the high ones do.
const BEGIN: Stretch = Stretch {
    begins: true,
    ends: false,
};
const END: Stretch = Stretch {
    begins: false,
    ends: true,
};

/// Calls two functions, each on a thread of its own if there are two.
fn in_two(team: &mut Team<'_>, one: &mut (dyn FnMut() + Send), other: &mut (dyn FnMut() + Send)) {
    share_out(team, Jobs([Some(one), Some(other)]), 2);
}

struct Jobs<'a>([Option<&'a mut (dyn FnMut() + Send + 'a)>; 2]);

impl Share for Jobs<'_> {
    fn split(self, _left: usize, _pieces: usize) -> (Self, Self) {
        let [one, other] = self.0;
        (Self([one, None]), Self([other, None]))
    }

    fn run(self) {
        self.0.into_iter().flatten().for_each(|job| job());
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use crate::init::{Stream, generator};
    use crate::loss::Reduction;
    use crate::net::Net;
    use crate::optim::Momentum;
    use crate::units::Units;
    use crate::{Activation, Init};

    const WIDTHS: [usize; 3] = [2 * BLOCK + 9, 21, 5];
    const EXAMPLES: u32 = MANY as u32 + 20;

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
            for activation in Activation::ALL {
                let start = net(activation);
                let mut velocity = vec![0.0; start.view().params().len()];
                let mut halves = Halves::new(start.view(), MANY + 7, isa).unwrap();
                let mut whole = Units::new(start.view(), 1, MANY + 7, isa).unwrap();
                halves.load(start.view().params(), &velocity);
                whole.load(start.view().params(), &velocity);
                let batches = [
                    &order[..MANY + 7],
                    &order[MANY + 7..],
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
            let mut halves = Halves::new(net.view(), 40, Isa::detect()).unwrap();
            halves.load(net.view().params(), &velocity);
            let batch = (&order[..40], &[][..]);
            let loss = Team::with(2, |team| halves.step(team, &data, batch, &UPDATE));
            assert!(loss.is_nan());
        }
    }
}
