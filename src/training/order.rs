//! The order in which an epoch takes the examples.

use crate::compute::rng::{Generator, Stream, generator, shuffle};
use crate::data::{Dataset, Subset};
use crate::training::config::{Batch, Config};
use alloc::{vec, vec::Vec};

/// The order of the examples in each epoch.
pub(super) struct Order<'a> {
    train: &'a Subset<'a>,
    indices: Vec<u32>,
    /// A mini-batch before it is sorted.
    shuffled: Vec<u32>,
    /// `None` for full batches, whose order stays.
    rng: Option<Generator>,
}

impl<'a> Order<'a> {
    /// The state before the first epoch.
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

    /// Advances the generator by so many epochs: the numbers that a shuffle draws do not
    /// depend on what it shuffles.
    pub(super) fn skip(&mut self, epochs: usize) {
        if let Some(rng) = &mut self.rng {
            (0..epochs).for_each(|_| shuffle(&mut self.indices, rng));
        }
    }

    /// The order of the next epoch.
    ///
    /// Every epoch shuffles the original order, so its order depends on the generator
    /// alone. Each mini-batch is then sorted by label: images of one class have more zero
    /// pixels in common, which the products skip.
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

/// Sorts examples by label, stably (counting sort).
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
