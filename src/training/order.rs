//! The order in which an epoch takes the examples.

use crate::compute::rng::{Generator, Stream, generator, shuffle};
use crate::data::{Dataset, Subset};
use crate::training::config::{Batch, Config};
use alloc::{vec, vec::Vec};

/// In which order an epoch takes the examples.
pub(super) struct Order<'a> {
    train: &'a Subset<'a>,
    indices: Vec<u32>,
    /// A mini-batch before it is sorted.
    shuffled: Vec<u32>,
    /// None where the order stays.
    rng: Option<Generator>,
}

impl<'a> Order<'a> {
    /// Before the first epoch.
    pub(super) fn new(train: &'a Subset<'a>, config: &Config) -> Self {
        Self {
            train,
            indices: train.indices().to_vec(),
            shuffled: vec![],
            rng: match config.batch {
                Batch::Full => None,
                Batch::Mini(_) => Some(generator(config.seed, Stream::Shuffle)),
            },
        }
    }

    /// Takes the generator to where it is after so many epochs: a shuffle draws
    /// the same numbers whatever it shuffles.
    pub(super) fn skip(&mut self, epochs: usize) {
        if let Some(rng) = &mut self.rng {
            (0..epochs).for_each(|_| shuffle(&mut self.indices, rng));
        }
    }

    /// The order of the next epoch. Shuffled from the same start each time, so
    /// that it depends on nothing but the generator; then each mini-batch is
    /// sorted by label, since images of one class have more zeros in common,
    /// which its products leave out.
    pub(super) fn next_epoch(&mut self, batch: usize) -> &[u32] {
        if let Some(rng) = &mut self.rng {
            self.indices.copy_from_slice(self.train.indices());
            shuffle(&mut self.indices, rng);
            for batch in self.indices.chunks_mut(batch) {
                self.shuffled.clear();
                self.shuffled.extend_from_slice(batch);
                sort_by_label(self.train.dataset(), &self.shuffled, batch);
            }
        }
        &self.indices
    }
}

/// Writes examples in the order of their labels, and of one label in the order
/// in which they come.
fn sort_by_label(data: &Dataset, examples: &[u32], sorted: &mut [u32]) {
    let label = |&i: &u32| usize::from(data.label(i as usize));
    let mut places = [0; 256];
    for i in examples {
        places[label(i)] += 1;
    }
    let mut first = 0;
    for place in &mut places {
        first += core::mem::replace(place, first);
    }
    for i in examples {
        let place = &mut places[label(i)];
        sorted[*place] = *i;
        *place += 1;
    }
}
