//! Steps and epochs of training 784-H-10 on MNIST, beside the same training
//! written as a plain loop over the products of other crates.
//!
//! ```text
//! cargo bench --bench epoch                         # the comparison
//! cargo bench --bench epoch -- 'H 128'              # some of its nets
//! cargo bench --bench epoch -- 'H 128, batch 1'     # one of them
//! cargo bench --bench epoch -- --criterion          # ours alone, by criterion
//! HANDWRITTEN_STRATEGY=row-parallel cargo bench --bench epoch -- --criterion
//! ```
//!
//! A strategy that is pinned makes all our steps; nets that it cannot train are left
//! out.
//!
//! In the comparison every contestant trains from the same start on the same
//! mini-batches, and is first held to our weights after a few of them. Then the
//! contestants take turns, and so does a loop of nothing but multiply-adds in
//! registers, which is the machine's peak at that moment; what counts is the
//! median over the rounds. Where an epoch takes long a part of one is timed, so
//! that seconds are always those of 60 000 images. The table goes to stdout, its
//! figures to `target/epoch.csv`, or only to `PATH` with `--csv PATH`. Those of
//! some nets go nowhere without it.
//!
//! The loop over a peer's products is what a careful user would write: images
//! as `f32` in memory, all buffers allocated once, biases and their gradients
//! without extra passes; sigmoid, loss and momentum are ours. Only the products
//! and what is fused with them differ.

mod common;

use common::peers::{Operand, by_gemm, by_matrixmultiply};
use common::{Comparison, asked, median, peak, processor};
use criterion::{BenchmarkId, Criterion, Throughput};
use handwritten::compute::rng::{Stream, generator, shuffle};
use handwritten::compute::vector;
use handwritten::data::{Dataset, Subset};
use handwritten::net::defects::Defects;
use handwritten::net::loss::{LossTarget, softmax_cross_entropy};
use handwritten::{
    Activation, Batch, Config, Init, Isa, LearningRate, MatMut, MatRef, Momentum, Net, Schedule,
    Strategy, Workspace, files, train,
};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const RATE: f32 = 0.05;

const RULE: Momentum = Momentum {
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0.0,
};

/// A training of 784-`hidden`-10.
#[derive(Clone, Copy)]
struct Case {
    hidden: usize,
    batch: usize,
    threads: usize,
}

fn cases() -> impl Iterator<Item = Case> {
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
    fn name(self) -> String {
        let Self { hidden, batch, .. } = self;
        format!("H {hidden}, batch {batch}")
    }

    fn widths(self) -> [usize; 3] {
        [784, self.hidden, 10]
    }

    /// Floating point operations of an image's way there and back, zeros
    /// included.
    fn flops(self) -> f64 {
        let first = 2 * 784 * self.hidden;
        let second = 3 * 10 * self.hidden;
        2.0 * (first + second) as f64
    }

    /// How many images are trained on at a time: whole mini-batches, an epoch
    /// where it does not take long.
    fn images(self) -> usize {
        let worth = match self.batch {
            1 => 600_000 / self.hidden,
            _ => 10_000_000 / self.hidden,
        };
        match self.batch {
            60_000 => 60_000,
            batch => (worth.min(60_000) / batch * batch).max(batch),
        }
    }

    fn config(self) -> Config {
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

    fn start(self) -> Net {
        let mut rng = generator(1, Stream::Weights);
        Net::random(&self.widths(), Activation::Sigmoid, Init::Glorot, &mut rng)
    }
}

/// A peer's product, see [`common::peers`].
type Multiply = fn(
    shape: (usize, usize, usize),
    a: Operand<'_>,
    b: Operand<'_>,
    adds: bool,
    c: &mut [f32],
    threads: usize,
);

/// The loop over a peer's products, and its buffers.
struct Peer<'a> {
    multiply: Multiply,
    case: Case,
    isa: Isa,
    data: &'a Dataset,
    /// All images as numbers.
    pixels: &'a [f32],
    params: Vec<f32>,
    velocity: Vec<f32>,
    gradient: Vec<f32>,
    x: Vec<f32>,
    labels: Vec<u8>,
    hidden: Vec<f32>,
    dhidden: Vec<f32>,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
    losses: Vec<f32>,
}

impl<'a> Peer<'a> {
    fn new(multiply: Multiply, case: Case, isa: Isa, data: &'a Dataset, pixels: &'a [f32]) -> Self {
        // Of a full batch so many examples at a time as stay in the caches.
        let rows = case.batch.min(Self::CHUNK);
        let params = case.start().view().params().to_vec();
        Self {
            multiply,
            case,
            isa,
            data,
            pixels,
            velocity: vec![0.0; params.len()],
            gradient: vec![0.0; params.len()],
            params,
            x: vec![0.0; rows * 784],
            labels: vec![0; rows],
            hidden: vec![0.0; rows * case.hidden],
            dhidden: vec![0.0; rows * case.hidden],
            logits: vec![0.0; rows * 10],
            dlogits: vec![0.0; rows * 10],
            losses: vec![0.0; rows],
        }
    }

    const CHUNK: usize = 1024;

    fn train(&mut self, order: &[u32]) {
        for batch in order.chunks(self.case.batch) {
            for (i, chunk) in batch.chunks(Self::CHUNK).enumerate() {
                self.add_gradient(chunk, i > 0, 1.0 / batch.len() as f32);
            }
            let (params, velocity) = (&mut self.params, &mut self.velocity);
            let widths = self.case.widths();
            RULE.step(self.isa, &widths, params, velocity, &self.gradient, RATE);
        }
    }

    fn add_gradient(&mut self, chunk: &[u32], adds: bool, scale: f32) {
        let (rows, h, multiply) = (chunk.len(), self.case.hidden, self.multiply);
        let threads = self.case.threads;
        let images = self.x.chunks_exact_mut(784).zip(&mut self.labels);
        for (&i, (image, label)) in chunk.iter().zip(images) {
            image.copy_from_slice(&self.pixels[i as usize * 784..][..784]);
            *label = self.data.label(i as usize);
        }
        let x = &self.x[..rows * 784];
        let (a, da) = (&mut self.hidden[..rows * h], &mut self.dhidden[..rows * h]);
        let (z, dz) = (
            &mut self.logits[..rows * 10],
            &mut self.dlogits[..rows * 10],
        );
        let (w1, rest) = self.params.split_at(784 * h);
        let (b1, rest) = rest.split_at(h);
        let (w2, b2) = rest.split_at(h * 10);
        for a in a.chunks_exact_mut(h) {
            a.copy_from_slice(b1);
        }
        multiply(
            (rows, 784, h),
            (x, [784, 1]),
            (w1, [h, 1]),
            true,
            a,
            threads,
        );
        vector::sigmoid(self.isa, a);
        for z in z.chunks_exact_mut(10) {
            z.copy_from_slice(b2);
        }
        multiply((rows, h, 10), (a, [h, 1]), (w2, [10, 1]), true, z, threads);
        softmax_cross_entropy(
            self.isa,
            MatRef::new(z, rows, 10),
            &self.labels[..rows],
            LossTarget::new(scale),
            MatMut::new(dz, rows, 10),
            &mut self.losses[..rows],
        );
        multiply(
            (rows, 10, h),
            (dz, [10, 1]),
            (w2, [1, 10]),
            false,
            da,
            threads,
        );
        Activation::Sigmoid.mul_derivative(self.isa, a, da);
        let (dw1, rest) = self.gradient.split_at_mut(784 * h);
        let (db1, rest) = rest.split_at_mut(h);
        let (dw2, db2) = rest.split_at_mut(h * 10);
        multiply(
            (784, rows, h),
            (x, [1, 784]),
            (da, [h, 1]),
            adds,
            dw1,
            threads,
        );
        multiply(
            (h, rows, 10),
            (a, [1, h]),
            (dz, [10, 1]),
            adds,
            dw2,
            threads,
        );
        for (db, d) in [(db1, &*da), (db2, &*dz)] {
            if !adds {
                db.fill(0.0);
            }
            vector::add_rows(self.isa, db, d);
        }
    }
}

/// Ours, with the strategy that `HANDWRITTEN_STRATEGY` pins, if it does. `None` if that
/// cannot make the steps of the case.
fn workspace(case: Case, isa: Isa) -> Option<Workspace> {
    let strategy = Strategy::from_env();
    let strategy = strategy.unwrap_or_else(|error| panic!("HANDWRITTEN_STRATEGY: {error}"));
    let workspace = Workspace::new(&case.widths(), case.threads).with_isa(isa);
    let workspace = workspace.with_strategy(strategy);
    let is_possible = workspace.check_strategy(case.batch, Defects::NONE).is_ok();
    is_possible.then_some(workspace)
}

/// Ours, as a user trains: the order is drawn, one image is validated.
fn ours(case: Case, images: &Subset<'_>, one: &Subset<'_>, workspace: &mut Workspace) -> Net {
    let mut net = case.start();
    let outcome = train(&mut net, images, one, &case.config(), workspace, &mut ());
    outcome.expect("a finite loss");
    net
}

/// The order in which [`train`] takes the images.
fn order(case: Case, images: &Subset<'_>) -> Vec<u32> {
    let mut order = images.indices().to_vec();
    if case.batch < 60_000 {
        shuffle(
            &mut order,
            &mut generator(case.config().seed, Stream::Shuffle),
        );
    }
    order
}

/// Holds a peer's weights to ours: they differ by rounding alone.
fn assert_alike(name: &str, case: Case, theirs: &[f32], ours: &[f32]) {
    let far = theirs
        .iter()
        .zip(ours)
        .fold(0.0_f32, |far, (x, y)| far.max((x - y).abs()));
    assert!(
        far < 1e-3,
        "{name}, {}: weights differ by {far}",
        case.name()
    );
}

/// All contestants on all cases that are asked for.
fn compare(asked: &Comparison, isa: Isa, data: &Dataset) {
    let cases: Vec<Case> = cases().filter(|case| asked.takes(&case.name())).collect();
    if cases.is_empty() {
        asked.refuse();
    }
    let mut pixels = vec![0.0; data.len() * 784];
    for i in 0..data.len() {
        vector::scale_bytes(isa, data.image(i), &mut pixels[i * 784..][..784]);
    }
    let mut table = format!(
        "# {}; {}\nhidden,batch,threads,seconds,images_per_second,gflops,peak_gflops,share_of_peak,\
         gemm,matrixmultiply,best_peer,ratio\n",
        processor(),
        isa.name()
    );
    println!(
        "{}; {}; seconds are those of 60 000 images",
        processor(),
        isa.name()
    );
    println!(
        "threads  net                   step µs  seconds  images/s  GFLOP/s  of peak   \
         gemm  matrixm.  ratio"
    );
    for case in cases {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(case.threads);
        let pool = pool.build().expect("threads for the pool");
        if let Some(line) = pool.install(|| measure(case, isa, data, &pixels, &mut table)) {
            println!("{line}");
        }
    }
    asked.write(&table);
}

fn measure(
    case: Case,
    isa: Isa,
    data: &Dataset,
    pixels: &[f32],
    table: &mut String,
) -> Option<String> {
    let mut workspace = workspace(case, isa)?;
    let images = Subset::new(data, (0..case.images() as u32).collect());
    let one = Subset::new(data, vec![0]);
    let mut peers = vec![("gemm", Peer::new(by_gemm, case, isa, data, pixels))];
    if case.threads == 1 {
        // It reads its number of threads once a process.
        let peer = Peer::new(by_matrixmultiply, case, isa, data, pixels);
        peers.push(("matrixmultiply", peer));
    }
    let few = Subset::new(
        data,
        images.indices()[..case.batch.min(images.len())].to_vec(),
    );
    let expected = ours(case, &few, &one, &mut workspace);
    for (name, peer) in &mut peers {
        peer.train(&order(case, &few));
        assert_alike(name, case, &peer.params, expected.view().params());
    }

    let order = order(case, &images);
    let (mut peaks, mut seconds) = (Vec::new(), Vec::new());
    let mut theirs = vec![Vec::new(); peers.len()];
    let begin = Instant::now();
    while peaks.len() < 3 || peaks.len() < 15 && begin.elapsed() < Duration::from_secs(3) {
        peaks.push(peak(isa, case.threads));
        let start = Instant::now();
        ours(case, &images, &one, &mut workspace);
        seconds.push(start.elapsed().as_secs_f64());
        for ((_, peer), seconds) in peers.iter_mut().zip(&mut theirs) {
            let start = Instant::now();
            peer.train(&order);
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let whole = 60_000.0 / images.len() as f64;
    let (peak, seconds) = (median(peaks), median(seconds) * whole);
    let theirs: Vec<f64> = theirs.into_iter().map(|s| median(s) * whole).collect();
    let best = theirs.iter().copied().fold(f64::INFINITY, f64::min);
    let pace = 60_000.0 / seconds;
    let gflops = case.flops() * pace / 1e9;
    let step = seconds * 1e6 / (60_000.0 / case.batch as f64).ceil();
    let at = theirs.iter().position(|&s| s == best).unwrap_or(0);
    let other = theirs.get(1).map(|s| format!("{s:.4}"));
    let _ = writeln!(
        table,
        "{},{},{},{seconds:.5},{pace:.0},{gflops:.2},{peak:.2},{:.4},{:.5},{},{},{:.3}",
        case.hidden,
        case.batch,
        case.threads,
        gflops / peak,
        theirs[0],
        other.as_deref().unwrap_or(""),
        peers[at].0,
        best / seconds
    );
    Some(format!(
        "      {}  {:20} {step:9.1} {seconds:8.4} {pace:9.0} {gflops:8.1} {:6.1} % {:8.4} {:>8} \
         {:6.2}",
        case.threads,
        case.name(),
        100.0 * gflops / peak,
        theirs[0],
        other.as_deref().unwrap_or("·"),
        best / seconds
    ))
}

/// Our steps and epochs alone; criterion's elements are images.
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
    match asked("epoch") {
        Ok(mut criterion) => {
            alone(&mut criterion, isa, &data);
            criterion.final_summary();
        }
        Err(comparison) => compare(&comparison, isa, &data),
    }
}
