//! Products of the net's shapes and squares, compared with the same products of other
//! crates.
//!
//! ```text
//! cargo bench --bench gemm                            # the comparison
//! cargo bench --bench gemm -- 'forward 1'             # some of its products
//! HANDWRITTEN_ISA=avx2 cargo bench --bench gemm       # another instruction set
//! cargo bench --bench gemm -- --criterion forward     # this crate alone, by criterion
//! ```
//!
//! In the comparison each contestant computes C = A·B into a C of its own. The results are
//! first compared for equality; the elements are integers, so that all sums are exact. Then
//! the contestants are timed in turn, a few milliseconds each, for as many rounds as fit,
//! and so is a loop of multiply-adds in registers, which measures the machine's peak at
//! that moment. The result is the median over the rounds. The table goes to stdout. Its
//! figures go to `target/gemm.csv`, or to `PATH` with `--csv PATH`; with a filter they are
//! written only if `--csv` is given.

#[path = "../common/mod.rs"]
mod common;
mod comparison;
mod contestants;
mod digits;
mod shape;

use common::{Mode, mode};
use comparison::compare;
use contestants::contestants;
use criterion::{BenchmarkId, Criterion, Throughput};
use handwritten::Isa;
use handwritten::compute::rng::{Stream, generator};
use shape::{Shape, shapes};
use std::time::Duration;

/// Times this crate alone; criterion's elements are floating-point operations.
fn alone(criterion: &mut Criterion, isa: Isa) {
    let mut rng = generator(1, Stream::Weights);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads for the pool");
        let mut group = criterion.benchmark_group(format!("gemm, {threads} threads"));
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(500));
        for shape in shapes().into_iter().filter(|shape| shape.flops() < 1e9) {
            let Shape { name, m, k, n, .. } = shape;
            let (a, b) = shape.operands(&mut rng);
            let mut c = vec![0.0; m * n];
            group.throughput(Throughput::Elements(shape.flops() as u64));
            let mut contestants = contestants(shape, (&a, &b), threads, isa);
            let compute = &mut contestants[0].1;
            let id = BenchmarkId::new(name, format!("{m}·{k}·{n}"));
            group.bench_function(id, |bencher| {
                pool.install(|| bencher.iter(|| compute(&mut c)));
            });
        }
    }
}

fn main() {
    let isa = Isa::from_env().unwrap_or_else(|error| panic!("HANDWRITTEN_ISA: {error}"));
    match mode("gemm") {
        Mode::Alone(mut criterion) => {
            alone(&mut criterion, isa);
            criterion.final_summary();
        }
        Mode::Comparison(comparison) => compare(&comparison, isa),
    }
}
