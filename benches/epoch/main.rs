//! Training of 784-H-10 on MNIST, by the step and by the epoch, compared with the same
//! training written as a plain loop over the products of other crates.
//!
//! ```text
//! cargo bench --bench epoch                         # the comparison
//! cargo bench --bench epoch -- 'H 128'              # some of its nets
//! cargo bench --bench epoch -- 'H 128, batch 1'     # one of them
//! cargo bench --bench epoch -- --criterion          # this crate alone, by criterion
//! HANDWRITTEN_STRATEGY=row-parallel cargo bench --bench epoch -- --criterion
//! ```
//!
//! `HANDWRITTEN_STRATEGY` pins the strategy of this crate's steps. Cases that the strategy
//! cannot train are left out.
//!
//! In the comparison all contestants train from the same parameters on the same
//! mini-batches. After a few mini-batches their weights are compared with this crate's.
//! Then the contestants are timed in turn, and so is a loop of multiply-adds in registers,
//! which measures the machine's peak at that moment; the result is the median over the
//! rounds. Where an epoch takes long, only a part of it is timed and scaled, so that
//! seconds are always those of 60 000 images. The table goes to stdout. Its figures go to
//! `target/epoch.csv`, or to `PATH` with `--csv PATH`; with a filter they are written only
//! if `--csv` is given.
//!
//! The loop over a peer's products is what a careful user would write: images as `f32` in
//! memory, all buffers allocated once, biases and their gradients without extra passes.
//! Sigmoid, loss and momentum are this crate's. Only the products and what is fused with
//! them differ.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod comparison;
mod ours;
mod peer;

use case::cases;
use common::{Mode, mode};
use comparison::compare;
use criterion::{BenchmarkId, Criterion, Throughput};
use handwritten::data::{Dataset, Subset};
use handwritten::{Isa, files};
use ours::{ours, workspace};
use std::path::Path;

/// Times this crate alone; criterion's elements are images.
fn alone(criterion: &mut Criterion, isa: Isa, data: &Dataset) {
    let one = Subset::new(data, vec![0]);
    for case in cases() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(case.threads);
        let pool = pool.build().expect("threads for the pool");
        let Some(mut workspace) = pool.install(|| workspace(case, isa)) else {
            continue;
        };
        let mut group = criterion.benchmark_group(format!("epoch, {} threads", case.threads));
        group.sample_size(10);
        let images = Subset::new(data, (0..case.images() as u32).collect());
        group.throughput(Throughput::Elements(images.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(case.name()), |bencher| {
            pool.install(|| bencher.iter(|| ours(case, &images, &one, &mut workspace)));
        });
    }
}

fn main() {
    let isa = Isa::from_env().unwrap_or_else(|error| panic!("HANDWRITTEN_ISA: {error}"));
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");
    let loaded = files::find(None, &[Path::new(own)]).and_then(|dir| files::load(&dir));
    let data = loaded.expect("MNIST is in the repository").train;
    match mode("epoch") {
        Mode::Alone(mut criterion) => {
            alone(&mut criterion, isa, &data);
            criterion.final_summary();
        }
        Mode::Comparison(comparison) => compare(&comparison, isa, &data),
    }
}
