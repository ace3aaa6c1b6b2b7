//! The nets, batch sizes and numbers of threads that are timed.

use handwritten::compute::rng::{Stream, generator};
use handwritten::{Activation, Batch, Config, Init, LearningRate, Momentum, Net, Schedule};

pub(crate) const RATE: f32 = 0.05;

pub(crate) const RULE: Momentum = Momentum {
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0.0,
};

/// Training of a 784-`hidden`-10 net.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) hidden: usize,
    /// Images of a mini-batch; 60 000 is the full batch.
    pub(crate) batch: usize,
    pub(crate) threads: usize,
}

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let sizes = [30, 128, 500, 1000].into_iter();
    let sizes = sizes.flat_map(|hidden| [1, 32, 64, 128, 60_000].map(|batch| (hidden, batch)));
    sizes.flat_map(|(hidden, batch)| {
        [1, 2].map(|threads| Case {
            hidden,
            batch,
            threads,
        })
    })
}

impl Case {
    pub(crate) fn name(self) -> String {
        let Self { hidden, batch, .. } = self;
        format!("H {hidden}, batch {batch}")
    }

    pub(crate) fn widths(self) -> [usize; 3] {
        [784, self.hidden, 10]
    }

    /// Floating-point operations of one image, forward and backward, products with zeros
    /// included.
    pub(crate) fn flops(self) -> f64 {
        let first = 2 * 784 * self.hidden;
        let second = 3 * 10 * self.hidden;
        2.0 * (first + second) as f64
    }

    /// Number of images that are trained on in one timing: whole mini-batches, and a whole
    /// epoch unless that takes long.
    pub(crate) fn images(self) -> usize {
        let affordable = match self.batch {
            1 => 600_000 / self.hidden,
            _ => 10_000_000 / self.hidden,
        };
        match self.batch {
            60_000 => 60_000,
            batch => (affordable.min(60_000) / batch * batch).max(batch),
        }
    }

    pub(crate) fn config(self) -> Config {
        Config {
            epochs: 1,
            batch: match self.batch {
                60_000 => Batch::Full,
                batch => Batch::Mini(batch),
            },
            learning_rate: LearningRate {
                peak: RATE.into(),
                schedule: Schedule::Constant,
                warmup_epochs: 0,
            },
            optimizer: RULE,
            ..Config::default()
        }
    }

    /// The net from which all contestants start.
    pub(crate) fn initial_net(self) -> Net {
        let mut rng = generator(1, Stream::Weights);
        Net::random(&self.widths(), Activation::Sigmoid, Init::Glorot, &mut rng)
    }
}
