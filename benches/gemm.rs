//! Products of the net's shapes and squares, beside the same products of other
//! crates.
//!
//! ```text
//! cargo bench --bench gemm                            # the comparison
//! cargo bench --bench gemm -- 'forward 1'             # some of its products
//! HANDWRITTEN_ISA=avx2 cargo bench --bench gemm       # another arm
//! cargo bench --bench gemm -- --criterion forward     # ours alone, by criterion
//! ```
//!
//! In the comparison every contestant computes C = A·B into a C of its own, and
//! is first held to our result; integers make all sums exact. Then the
//! contestants take turns, a few milliseconds each, in as many rounds as fit,
//! and so does a loop of nothing but multiply-adds in registers, which is the
//! machine's peak at that moment. What counts is the median over the rounds.
//! The table goes to stdout, its figures to `target/gemm.csv`, or only to `PATH`
//! with `--csv PATH`. Those of some products go nowhere without it.

mod common;

use common::peers::{by_gemm, by_matrixmultiply};
use common::{Comparison, asked, median, peak, processor};
use criterion::{BenchmarkId, Criterion, Throughput};
use handwritten::compute::gemm::{images_per_list, naive};
use handwritten::compute::rng::{Stream, generator};
use handwritten::compute::vector;
use handwritten::compute::zeros;
use handwritten::data::Dataset;
use handwritten::{Beta, Context, Isa, MatMut, MatRef, Matrix, Product, SparseK, files, gemm};
use rand_core::Rng;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// A product: its name, m, k, n, and which operands are transposed views.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    m: usize,
    k: usize,
    n: usize,
    transposed: (bool, bool),
}

/// The products of real digits, see [`digits`].
const DIGITS: [&str; 2] = ["forward 1, digits", "gradient of W1, digits"];

/// Every product of training and inference, and squares.
fn shapes() -> Vec<Shape> {
    const NO: (bool, bool) = (false, false);
    let mut shapes = Vec::new();
    let mut add = |name, transposed, list: &[(usize, usize, usize)]| {
        shapes.extend(list.iter().map(|&(m, k, n)| Shape {
            name,
            m,
            k,
            n,
            transposed,
        }));
    };
    let squares = [32, 64, 128, 256, 512, 1024, 2048].map(|n| (n, n, n));
    add("square", NO, &squares);
    for images in [1, 32, 64, 128] {
        add(
            "forward 1",
            NO,
            &[30, 128, 500, 1000].map(|hidden| (images, 784, hidden)),
        );
    }
    add("forward 1", NO, &[(256, 784, 1000)]);
    add(
        "forward 1",
        NO,
        &[30, 128, 500].map(|hidden| (60_000, 784, hidden)),
    );
    let forward_2 = [
        (32, 128),
        (128, 128),
        (128, 500),
        (1000, 1000),
        (60_000, 128),
    ];
    add(
        "forward 2",
        NO,
        &forward_2.map(|(images, hidden)| (images, hidden, 10)),
    );
    let gradient_2 = [
        (128, 32),
        (128, 128),
        (500, 1000),
        (30, 60_000),
        (128, 60_000),
    ];
    let gradient_2 = gradient_2.map(|(hidden, images)| (hidden, images, 10));
    add("gradient of W2", (true, false), &gradient_2);
    let back = [
        (32, 128),
        (128, 128),
        (128, 500),
        (1000, 1000),
        (60_000, 128),
    ];
    let back = back.map(|(images, hidden)| (images, 10, hidden));
    add("back to hidden", (false, true), &back);
    let gradient_1 = [(32, 128), (64, 128), (128, 128), (1000, 500), (60_000, 128)];
    let gradient_1 = gradient_1.map(|(images, hidden)| (784, images, hidden));
    add("gradient of W1", (true, false), &gradient_1);
    shapes
}

impl Shape {
    fn title(self) -> String {
        let Self { name, m, k, n, .. } = self;
        format!("{name} {m}·{k}·{n}")
    }

    fn flops(self) -> f64 {
        2.0 * (self.m * self.k * self.n) as f64
    }

    /// Operands of integers so small that no sum rounds.
    fn operands(self, rng: &mut impl Rng) -> (Matrix, Matrix) {
        let mut random = |rows, cols, transposed| {
            let (rows, cols) = if transposed {
                (cols, rows)
            } else {
                (rows, cols)
            };
            Matrix::from_fn(rows, cols, |_, _| (rng.next_u32() % 17) as f32 - 8.0)
        };
        (
            random(self.m, self.k, self.transposed.0),
            random(self.k, self.n, self.transposed.1),
        )
    }
}

fn view(matrix: &Matrix, transposed: bool) -> MatRef<'_> {
    if transposed {
        matrix.view().t()
    } else {
        matrix.view()
    }
}

/// Rows of the definition's product, as many as it can compute at leisure.
fn assert_right(shape: Shape, a: MatRef<'_>, b: MatRef<'_>, c: &[f32], isa: Isa) {
    let (m, n) = (shape.m, shape.n);
    let affordable = (1 << 24) / (shape.k * n) + 1;
    for i in (0..m).step_by(m.div_ceil(affordable)) {
        let mut row = vec![f32::NAN; n];
        let from = a.block(i..i + 1, 0..shape.k);
        naive::gemm(from, b, Beta::Zero, MatMut::new(&mut row, 1, n), isa);
        assert_eq!(row, &c[i * n..][..n], "{} row {i}", shape.name);
    }
}

/// The strides of a stored matrix, from row to row and from column to column.
fn strides((rows, cols): (usize, usize), transposed: bool) -> [usize; 2] {
    if transposed { [1, rows] } else { [cols, 1] }
}

/// What computes the product, into its own C.
type Contestant<'a> = (&'static str, Box<dyn FnMut(&mut [f32]) + Send + 'a>);

fn contestants<'a>(
    shape: Shape,
    (a, b): (&'a Matrix, &'a Matrix),
    threads: usize,
    isa: Isa,
) -> Vec<Contestant<'a>> {
    let Shape { m, k, n, .. } = shape;
    let (ta, tb) = shape.transposed;
    let (a_strides, b_strides) = (strides((m, k), ta), strides((k, n), tb));
    let (va, vb) = (view(a, ta), view(b, tb));
    let (a, b) = (a.as_slice(), b.as_slice());
    let mut packing = Context::packing(threads);
    let mut list: Vec<Contestant<'a>> = vec![(
        "handwritten",
        Box::new(move |c| {
            let mut ctx = Context::new(threads, &mut packing).with_isa(isa);
            gemm(va, vb, Beta::Zero, MatMut::new(c, m, n), &mut ctx);
        }),
    )];
    list.push((
        "gemm",
        Box::new(move |c| by_gemm((m, k, n), (a, a_strides), (b, b_strides), false, c, threads)),
    ));
    let par = match threads {
        1 => faer::Par::Seq,
        _ => faer::Par::rayon(threads),
    };
    let stored = |data: &'a [f32], rows, cols, transposed| {
        if transposed {
            faer::MatRef::from_row_major_slice(data, cols, rows).transpose()
        } else {
            faer::MatRef::from_row_major_slice(data, rows, cols)
        }
    };
    let (fa, fb) = (stored(a, m, k, ta), stored(b, k, n, tb));
    list.push((
        "faer",
        Box::new(move |c| {
            let c = faer::MatMut::from_row_major_slice_mut(c, m, n);
            faer::linalg::matmul::matmul(c, faer::Accum::Replace, fa, fb, 1.0, par);
        }),
    ));
    // These two share their threads out by a variable that the process reads
    // once; they are compared on one.
    if threads == 1 {
        list.push((
            "matrixmultiply",
            Box::new(move |c| {
                by_matrixmultiply((m, k, n), (a, a_strides), (b, b_strides), false, c, threads);
            }),
        ));
        let stored = |data: &'a [f32], rows, cols, transposed| {
            let shape = if transposed {
                (cols, rows)
            } else {
                (rows, cols)
            };
            let view = ndarray::ArrayView2::from_shape(shape, data);
            let view = view.expect("as many elements as the shape has");
            if transposed {
                view.reversed_axes()
            } else {
                view
            }
        };
        let (na, nb) = (stored(a, m, k, ta), stored(b, k, n, tb));
        list.push((
            "ndarray",
            Box::new(move |c| {
                let c = ndarray::ArrayViewMut2::from_shape((m, n), c);
                let mut c = c.expect("as many elements as the shape has");
                ndarray::linalg::general_mat_mul(1.0, &na, &nb, 0.0, &mut c);
            }),
        ));
    }
    list
}

/// Medians of GFLOP/s: of the peak and of each contestant.
fn measure(
    shape: Shape,
    contestants: &mut [Contestant<'_>],
    threads: usize,
    isa: Isa,
) -> (f64, Vec<f64>) {
    const TURN: f64 = 0.003;
    let mut c = vec![0.0; shape.m * shape.n];
    let mut peaks = Vec::new();
    let mut paces = vec![Vec::new(); contestants.len()];
    let mut calls = vec![0; contestants.len()];
    for ((_, compute), calls) in contestants.iter_mut().zip(&mut calls) {
        let start = Instant::now();
        compute(&mut c);
        *calls = (TURN / start.elapsed().as_secs_f64()).clamp(1.0, 1e6) as usize;
    }
    let start = Instant::now();
    while peaks.len() < 7 || peaks.len() < 31 && start.elapsed() < Duration::from_millis(600) {
        peaks.push(peak(isa, threads));
        // Another one begins each round, so that what the one before leaves in
        // the caches favours nobody.
        for turn in 0..contestants.len() {
            let at = (peaks.len() + turn) % contestants.len();
            let start = Instant::now();
            for _ in 0..calls[at] {
                contestants[at].1(&mut c);
            }
            let seconds = start.elapsed().as_secs_f64();
            paces[at].push(shape.flops() * calls[at] as f64 / seconds / 1e9);
        }
    }
    (median(peaks), paces.into_iter().map(median).collect())
}

/// All contestants on all products that are asked for.
fn compare(asked: &Comparison, isa: Isa) {
    let mut shapes = shapes();
    shapes.retain(|shape| asked.takes(&shape.title()));
    let with_digits = DIGITS.iter().any(|name| asked.takes(name));
    if shapes.is_empty() && !with_digits {
        asked.refuse();
    }
    let mut table = format!(
        "# {}; {}\n{}",
        processor(),
        isa.name(),
        "product,m,k,n,threads,arm,gflops,peak_gflops,share_of_peak,gemm,faer,matrixmultiply,\
         ndarray,best_peer,ratio\n"
    );
    println!("{}; {}", processor(), isa.name());
    println!("threads product             m·k·n       GFLOP/s  of peak  best peer           ratio");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads for the pool");
        let mut ratios: Vec<f64> = Vec::new();
        let mut rng = generator(1, Stream::Weights);
        for &shape in &shapes {
            let Shape { name, m, k, n, .. } = shape;
            let (a, b) = shape.operands(&mut rng);
            let mut contestants = contestants(shape, (&a, &b), threads, isa);
            let (peak, paces) = pool.install(|| {
                let mut ours = vec![f32::NAN; m * n];
                contestants[0].1(&mut ours);
                let (ta, tb) = shape.transposed;
                assert_right(shape, view(&a, ta), view(&b, tb), &ours, isa);
                for (peer, compute) in &mut contestants[1..] {
                    let mut theirs = vec![f32::NAN; m * n];
                    compute(&mut theirs);
                    assert!(theirs == ours, "{peer}: {}", shape.title());
                }
                measure(shape, &mut contestants, threads, isa)
            });
            let ours = paces[0];
            let peers = contestants.iter().map(|(peer, _)| *peer).zip(paces).skip(1);
            let peers: Vec<(&str, f64)> = peers.collect();
            let best = peers.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            let &(peer, best) = best.expect("there are peers");
            if name != "square" {
                ratios.push(ours / best);
            }
            println!(
                "{threads:7} {name:15} {:>15} {ours:9.1} {:6.1} %  {peer:14} {best:6.1}  {:5.2}",
                format!("{m}·{k}·{n}"),
                100.0 * ours / peak,
                ours / best
            );
            let pace_of = |name| {
                let pace = peers.iter().find(|(peer, _)| *peer == name);
                pace.map_or_else(String::new, |(_, pace)| format!("{pace:.2}"))
            };
            let _ = writeln!(
                table,
                "{name},{m},{k},{n},{threads},{},{ours:.2},{peak:.2},{:.4},{},{},{},{},{peer},{:.4}",
                isa.name(),
                ours / peak,
                pace_of("gemm"),
                pace_of("faer"),
                pace_of("matrixmultiply"),
                pace_of("ndarray"),
                ours / best
            );
        }
        if !ratios.is_empty() {
            let logs: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
            let mean = (logs / ratios.len() as f64).exp();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let summary = format!(
                "On {threads} thread{}: {mean:.2} times the best peer in the geometric mean \
                 without the squares, at least {least:.2}.",
                if threads == 1 { "" } else { "s" }
            );
            println!("{summary}");
            let _ = writeln!(table, "# {summary}");
        }
    }
    if with_digits {
        digits(isa, &mut table);
    }
    asked.write(&table);
}

/// Mini-batches of real digits, whose zeros are found and left out: the pace as
/// if all were computed, beside the peak of those that are.
fn digits(isa: Isa, table: &mut String) {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");
    let data = files::find(None, &[Path::new(own)]).and_then(|dir| files::load(&dir));
    let train: Dataset = data.expect("MNIST is in the repository").train;
    let mut rng = generator(2, Stream::Shuffle);
    for (images, hidden) in [(64, 128), (128, 128), (64, 500), (128, 500)] {
        let weights = Matrix::from_fn(784, hidden, |_, _| rng.next_u32() as f32 / 2e9 - 1.0);
        let dz = Matrix::from_fn(images, hidden, |_, _| rng.next_u32() as f32 / 2e9 - 1.0);
        let mut packing = Context::packing(1);
        let mut ctx = Context::new(1, &mut packing).with_isa(isa);
        let (mut z, mut dw) = (vec![0.0; images * hidden], vec![0.0; 784 * hidden]);
        let mut x = vec![0.0; images * 784];
        let (mut masks, mut steps, mut cuts) = (
            vec![0; images],
            vec![0; zeros::BLOCK / zeros::GROUP * 784],
            [0; _],
        );
        let flops = 2.0 * (images * 784 * hidden) as f64 / 1e9;
        let (mut peaks, mut forward, mut gradient) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..300 {
            let mut bytes = Vec::new();
            for _ in 0..images {
                bytes.extend_from_slice(train.image(rng.next_u32() as usize % train.len()));
            }
            vector::scale_bytes(isa, &bytes, &mut x);
            let x = MatRef::new(&x, images, 784);

            let start = Instant::now();
            for first in (0..images).step_by(images_per_list(isa)) {
                let rows = first..images.min(first + images_per_list(isa));
                let panel = &bytes[rows.start * 784..rows.end * 784];
                let count = zeros::columns(isa, panel, 784, &mut steps);
                let z = &mut z[rows.start * hidden..rows.end * hidden];
                Product::new(x.block(rows.clone(), 0..784), weights.view())
                    .sparse_k(SparseK::new(isa, 784, &steps[..count]))
                    .compute(MatMut::new(z, rows.len(), hidden), &mut ctx);
            }
            forward.push(flops / start.elapsed().as_secs_f64());

            let start = Instant::now();
            for block in (0..784).step_by(zeros::BLOCK) {
                zeros::groups(isa, &bytes, 784, block, &mut masks);
                let columns = block..784.min(block + zeros::BLOCK);
                let groups = columns.len() / zeros::GROUP;
                let steps = zeros::lists(isa, &masks, groups, &mut steps, &mut cuts);
                let dw = &mut dw[columns.start * hidden..columns.end * hidden];
                let rows = columns.len();
                Product::new(x.block(0..images, columns).t(), dz.view())
                    .sparse_k(steps)
                    .compute(MatMut::new(dw, rows, hidden), &mut ctx);
            }
            gradient.push(flops / start.elapsed().as_secs_f64());
            if peaks.len() < 31 {
                peaks.push(peak(isa, 1));
            }
        }
        let peak = median(peaks);
        for (name, (m, k), paces) in [
            (DIGITS[0], (images, 784), forward),
            (DIGITS[1], (784, images), gradient),
        ] {
            let pace = median(paces);
            println!(
                "      1 {name:22} {:>15} {pace:7.1} {:6.1} %",
                format!("{m}·{k}·{hidden}"),
                100.0 * pace / peak
            );
            let name = name.replace(',', "");
            let _ = writeln!(
                table,
                "{name},{m},{k},{hidden},1,{},{pace:.2},{peak:.2},{:.4},,,,,,",
                isa.name(),
                pace / peak
            );
        }
    }
}

/// Our products alone; criterion's elements are floating point operations.
fn ours(criterion: &mut Criterion, isa: Isa) {
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
    match asked("gemm") {
        Ok(mut criterion) => {
            ours(&mut criterion, isa);
            criterion.final_summary();
        }
        Err(comparison) => compare(&comparison, isa),
    }
}
