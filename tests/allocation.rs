//! A training step allocates nothing, nor do answers for many images. Counts every allocation
//! of the process, so this is the only test of its program.

#![cfg(feature = "rayon")]

#[path = "common/allocator.rs"]
mod allocator;
#[path = "common/images.rs"]
mod images;

use allocator::{Watch, Watched};
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Subset;
use handwritten::training::{Control, StepReport};
use handwritten::{Activation, Batch, Config, Init, Net, Observer, Workspace, train};
use images::images;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Watch for Counting {
    fn allocate(&self, _: usize) -> bool {
        COUNT.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn release(&self, _: usize) {}
}

#[global_allocator]
static ALLOCATOR: Watched<Counting> = Watched(Counting);

/// The pixels of 300 images.
static PIXELS: &[u8] = &[128; 300 * 784];

/// Number of allocations up to the end of each step.
struct Counts(Vec<usize>);

impl Observer for Counts {
    fn on_step(&mut self, _step: &StepReport) -> Control {
        assert!(self.0.len() < self.0.capacity());
        self.0.push(COUNT.load(Ordering::Relaxed));
        Control::Continue
    }
}

#[test]
fn a_step_and_an_answer_allocate_nothing() {
    let data = images(2000);
    let all = Subset::all(&data);
    for widths in [&[784, 64, 10][..], &[784, 40, 30, 10]] {
        for batch in [Batch::Mini(1), Batch::Mini(64), Batch::Mini(300)] {
            let config = Config {
                epochs: 1,
                batch,
                ..Config::default()
            };
            for threads in [1, 2] {
                let mut rng = generator(1, Stream::Weights);
                let mut net = Net::random(widths, Activation::Tanh, Init::Glorot, &mut rng);
                let mut counts = Counts(Vec::with_capacity(2000));
                let mut workspace = Workspace::new(widths, threads);
                train(&mut net, &all, &all, &config, &mut workspace, &mut counts).unwrap();
                // The other thread starts at some time, and the test's own
                // thread may print; a step that allocates does so every time.
                let counts = &counts.0[..];
                let changes = counts.windows(2).filter(|pair| pair[0] != pair[1]);
                let changes = changes.count();
                assert!(
                    changes <= 2,
                    "{widths:?}, {batch:?}, {threads} threads: {changes} of {} steps",
                    counts.len()
                );

                let (mut logits, mut classes) = ([0.0; 3000], [0; 300]);
                let before = COUNT.load(Ordering::Relaxed);
                for _ in 0..20 {
                    workspace.logits(net.view(), PIXELS, &mut logits);
                    workspace.classify(net.view(), PIXELS, &mut classes);
                }
                let changes = COUNT.load(Ordering::Relaxed) - before;
                assert!(changes < 20, "{widths:?}, {threads} threads: {changes}");
            }
        }
    }
}
