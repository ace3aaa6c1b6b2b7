//! A training step allocates nothing. Counts every allocation of the process,
//! so this is the only test of its program.

#![cfg(feature = "rayon")]
#![allow(unsafe_code)]

use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Dataset, Subset};
use handwritten::training::{Control, StepReport};
use handwritten::{Activation, Batch, Config, Init, Net, Observer, Workspace, train};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: GlobalAlloc::alloc requires a layout of non-zero size, which goes on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` comes from `alloc` above, hence from System with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
fn a_step_allocates_nothing() {
    let pixels = (0..2000 * 784).map(|i| (i * 31 % 7 / 6 * i % 256) as u8);
    let labels = (0..2000).map(|i| (i % 10) as u8).collect();
    let data = Dataset::new(pixels.collect(), 28, 28, labels).unwrap();
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
            }
        }
    }
}
