//! The products of a training step of 784-128-10 and some squares, on one
//! thread and on two. Criterion's elements are multiply-adds: two floating
//! point operations each.
//!
//! ```text
//! cargo bench --bench gemm
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use handwritten::init::{Stream, generator};
use handwritten::{Beta, Context, MatRef, Matrix, gemm};
use rand_core::Rng;

/// m, k, n; whether A and B are transposed views.
type Shape = (&'static str, usize, usize, usize, bool, bool);

const SHAPES: [Shape; 9] = [
    ("square", 64, 64, 64, false, false),
    ("square", 256, 256, 256, false, false),
    ("square", 1024, 1024, 1024, false, false),
    ("forward 1", 1, 784, 128, false, false),
    ("forward 1", 64, 784, 128, false, false),
    ("forward 2", 64, 128, 10, false, false),
    ("gradient of W2", 128, 64, 10, true, false),
    ("back to hidden", 64, 10, 128, false, true),
    ("gradient of W1", 784, 64, 128, true, false),
];

/// A random matrix with integers small enough for sums without rounding.
fn random(rows: usize, cols: usize, rng: &mut impl Rng) -> Matrix {
    Matrix::from_fn(rows, cols, |_, _| (rng.next_u32() % 17) as f32 - 8.0)
}

/// A view of `matrix`, or of its transpose.
fn view(matrix: &Matrix, transposed: bool) -> MatRef<'_> {
    if transposed {
        matrix.view().t()
    } else {
        matrix.view()
    }
}

fn products(criterion: &mut Criterion) {
    let mut rng = generator(1, Stream::Weights);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads for the pool");
        let mut group = criterion.benchmark_group(format!("gemm, {threads} threads"));
        for (name, m, k, n, a_transposed, b_transposed) in SHAPES {
            let a = if a_transposed {
                random(k, m, &mut rng)
            } else {
                random(m, k, &mut rng)
            };
            let b = if b_transposed {
                random(n, k, &mut rng)
            } else {
                random(k, n, &mut rng)
            };
            let (a, b) = (view(&a, a_transposed), view(&b, b_transposed));
            let mut c = Matrix::zeros(m, n);
            let mut packing = Context::packing(threads);
            let mut ctx = Context::new(threads, &mut packing);

            let mut expected = Matrix::zeros(m, n);
            gemm::naive::gemm(a, b, Beta::Zero, expected.view_mut(), ctx.isa());
            pool.install(|| gemm(a, b, Beta::Zero, c.view_mut(), &mut ctx));
            assert_eq!(c, expected, "{name} {m}·{k}·{n}");

            group.throughput(Throughput::Elements((m * k * n) as u64));
            group.bench_function(BenchmarkId::new(name, format!("{m}·{k}·{n}")), |bencher| {
                pool.install(|| {
                    bencher.iter(|| gemm(a, b, Beta::Zero, c.view_mut(), &mut ctx));
                });
            });
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
