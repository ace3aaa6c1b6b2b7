//! Steps and epochs of training 784-H-10 on random pixels, on one thread and
//! on two. Criterion's elements are images.
//!
//! ```text
//! cargo bench --bench epoch
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use handwritten::data::{Dataset, Subset};
use handwritten::init::{Stream, generator};
use handwritten::{Activation, Batch, Config, Init, Net, Workspace, train};
use rand_core::Rng;

const IMAGES: usize = 6_000;

/// Random digits; of their pixels 81 % are zero, as in MNIST.
fn digits() -> Dataset {
    let mut rng = generator(1, Stream::Split);
    let mut pixel = || {
        let random = rng.next_u32();
        if random % 100 < 81 {
            0
        } else {
            (random >> 24) as u8
        }
    };
    let pixels = (0..IMAGES * 784).map(|_| pixel()).collect();
    let labels = (0..IMAGES).map(|i| (i % 10) as u8).collect();
    Dataset::new(pixels, 28, 28, labels).expect("as many labels as images")
}

/// One tenth of an epoch of MNIST with its validation: 6 000 images to learn
/// from and 500 to validate.
fn epochs(criterion: &mut Criterion) {
    let digits = digits();
    let training = Subset::all(&digits);
    let val = Subset::new(&digits, (0..500).collect());
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads for the pool");
        let mut group = criterion.benchmark_group(format!("epoch / 10, {threads} threads"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(IMAGES as u64));
        for hidden in [30, 128] {
            for batch in [Batch::Mini(32), Batch::Mini(128), Batch::Full] {
                let widths = [784, hidden, 10];
                let config = Config {
                    epochs: 1,
                    batch,
                    ..Config::default()
                };
                let mut workspace = Workspace::new(&widths, threads);
                let mut rng = generator(1, Stream::Weights);
                let net = Net::random(&widths, Activation::Sigmoid, Init::Glorot, &mut rng);
                let id = BenchmarkId::new(format!("784-{hidden}-10"), format!("{batch:?}"));
                group.bench_function(id, |bencher| {
                    pool.install(|| {
                        bencher.iter(|| {
                            let mut net = net.clone();
                            let outcome =
                                train(&mut net, &training, &val, &config, &mut workspace, &mut ());
                            outcome.expect("a finite loss").history[0].train_loss
                        });
                    });
                });
            }
        }
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);
