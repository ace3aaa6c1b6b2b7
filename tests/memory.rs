//! The bytes that are counted before a run are those that it allocates. Follows every
//! allocation of the process, so this is the only test of its program.

#![cfg(feature = "rayon")]

#[path = "common/allocator.rs"]
mod allocator;
#[path = "common/images.rs"]
mod images;

use allocator::{Watch, Watched};
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Subset;
use handwritten::training::diagnosis::Monitor;
use handwritten::training::{Average, TrainingState, choose_rate, memory};
use handwritten::{Activation, Batch, Config, Init, Net, Observer, Workspace, train};
use images::images;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Following;

/// Bytes that are allocated, and the most that were since [`peak`] began.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl Watch for Following {
    fn allocate(&self, size: usize) -> bool {
        let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
        PEAK.fetch_max(live, Ordering::Relaxed);
        true
    }

    fn release(&self, size: usize) {
        LIVE.fetch_sub(size, Ordering::Relaxed);
    }
}

#[global_allocator]
static ALLOCATOR: Watched<Following> = Watched(Following);

/// The bytes that a call has allocated at its peak, beyond those before it.
fn peak<R>(call: impl FnOnce() -> R) -> (usize, R) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = call();
    (PEAK.load(Ordering::Relaxed) - before, result)
}

/// Measures the start of a monitor, then forgets the peak so far: the check of the memory of
/// a run reserves all of it at once.
struct Follower {
    monitor: Monitor,
    start: usize,
}

impl Observer for Follower {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        (self.start, ()) = peak(|| self.monitor.start(now));
        PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Bytes that are not counted: lists of layers and of threads, reports.
const SMALL_THINGS: usize = 32 << 10;

/// Asserts that a number of bytes is the counted one, up to small things.
fn assert_counted(what: &str, bytes: usize, counted: usize) {
    assert!(
        bytes.abs_diff(counted) <= SMALL_THINGS,
        "{what}: {counted} bytes are counted, {bytes} allocated"
    );
}

#[test]
fn what_is_counted_is_what_is_allocated() {
    let data = images(1000);
    let all = Subset::all(&data);
    for widths in [&[784, 200, 10][..], &[784, 16, 10], &[784, 40, 30, 10]] {
        for batch in [Batch::Mini(64), Batch::Full] {
            for threads in [1, 2, 3] {
                compare(widths, &all, batch, threads);
            }
        }
    }
}

fn compare(widths: &[usize], all: &Subset<'_>, batch: Batch, threads: usize) {
    let named = |what| format!("{what} of {widths:?}, {batch:?}, {threads} threads");
    let (bytes, mut workspace) = peak(|| Workspace::new(widths, threads));
    let counted = Workspace::bytes(widths, threads);
    assert_counted(&named("workspace"), bytes, counted);

    let config = Config {
        epochs: 1,
        batch,
        average: (threads == 2).then_some(Average::LastEpochs(1)),
        ..Config::default()
    };
    let mut rng = generator(1, Stream::Weights);
    let mut net = Net::random(widths, Activation::Tanh, Init::Glorot, &mut rng);
    let (bytes, _) = peak(|| choose_rate(net.view(), all, &config, &mut workspace));
    let counted = memory::bytes_to_choose_rate(widths);
    assert_counted(&named("rate"), bytes, counted);

    let monitor = Monitor::new(Workspace::new(widths, 1));
    let mut follower = Follower { monitor, start: 0 };
    let before = LIVE.load(Ordering::Relaxed);
    let counted = memory::bytes_to_train(&workspace, all.len(), &config);
    let result = train(&mut net, all, all, &config, &mut workspace, &mut follower);
    result.unwrap();
    let memory::MonitorBytes { kept, start, .. } = memory::bytes_to_monitor(widths);
    let bytes = PEAK.load(Ordering::Relaxed) - before - kept;
    assert_counted(&named("run"), bytes, counted);
    // The check of the gradient lists the parameters of one tensor, not of all.
    let most = kept + start + SMALL_THINGS;
    assert!(follower.start <= most, "{}", named("monitor"));
}
