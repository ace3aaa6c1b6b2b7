//! The comparison: equal results first, then timing in turns, then the table.

use crate::common::peak::peak;
use crate::common::{Comparison, median, processor};
use crate::contestants::{Contestant, contestants};
use crate::digits::{NAMES, digits};
use crate::shape::{Shape, shapes, view};
use handwritten::compute::gemm::naive;
use handwritten::compute::rng::{Stream, generator};
use handwritten::{Beta, Isa, MatMut, MatRef, Matrix};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Times all contestants on the selected products.
pub(crate) fn compare(comparison: &Comparison, isa: Isa) {
    let mut shapes = shapes();
    shapes.retain(|shape| comparison.selects(&shape.title()));
    let with_digits = NAMES.iter().any(|name| comparison.selects(name));
    if shapes.is_empty() && !with_digits {
        comparison.exit_without_case();
    }
    let mut table = format!(
        "# {}; {}\n{}",
        processor(),
        isa.name(),
        "product,m,k,n,threads,arm,gflops,peak_gflops,share_of_peak,gemm,faer,matrixmultiply,\
         ndarray,best_peer,ratio,pool\n"
    );
    println!("{}; {}", processor(), isa.name());
    println!("threads product             m·k·n       GFLOP/s  of peak  best peer           ratio");
    for (threads, is_in_pool) in [(1, true), (2, true), (2, false)] {
        compare_on(threads, is_in_pool, &shapes, isa, &mut table);
    }
    if with_digits {
        digits(isa, &mut table);
    }
    comparison.write(&table);
}

/// Times all contestants on products, and sums up the ratios to the best peer. They are
/// called in a pool of as many threads, or outside any pool.
fn compare_on(threads: usize, is_in_pool: bool, shapes: &[Shape], isa: Isa, table: &mut String) {
    let pool = is_in_pool.then(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads for the pool")
    });
    if !is_in_pool {
        println!("Called outside any pool:");
    }
    let mut ratios: Vec<f64> = Vec::new();
    let mut rng = generator(1, Stream::Weights);
    for &shape in shapes {
        let (a, b) = shape.operands(&mut rng);
        let mut contestants = contestants(shape, (&a, &b), threads, isa);
        let mut both = || {
            check(shape, (&a, &b), &mut contestants, isa);
            measure(shape, &mut contestants, threads, isa)
        };
        let (peak, speeds) = match &pool {
            Some(pool) => pool.install(both),
            None => both(),
        };
        let names = contestants.iter().map(|(name, _)| *name);
        let figures = Figures {
            shape,
            threads,
            is_in_pool,
            peak,
            ours: speeds[0],
            peers: names.zip(speeds).skip(1).collect(),
        };
        if shape.name != "square" {
            ratios.push(figures.ratio());
        }
        println!("{}", figures.line());
        let _ = writeln!(table, "{}", figures.csv(isa));
    }
    if !ratios.is_empty() {
        let summary = summary(threads, is_in_pool, &ratios);
        println!("{summary}");
        let _ = writeln!(table, "# {summary}");
    }
}

/// Compares this crate's product with its definition, and the peers' with this crate's.
fn check(shape: Shape, (a, b): (&Matrix, &Matrix), contestants: &mut [Contestant<'_>], isa: Isa) {
    let mut ours = vec![f32::NAN; shape.m * shape.n];
    contestants[0].1(&mut ours);
    let (ta, tb) = shape.transposed;
    assert_right(shape, view(a, ta), view(b, tb), &ours, isa);
    for (peer, compute) in &mut contestants[1..] {
        let mut theirs = vec![f32::NAN; shape.m * shape.n];
        compute(&mut theirs);
        assert!(theirs == ours, "{peer}: {}", shape.title());
    }
}

/// Compares with the definition as many rows as the definition computes in short time.
fn assert_right(shape: Shape, a: MatRef<'_>, b: MatRef<'_>, c: &[f32], isa: Isa) {
    let (m, n) = (shape.m, shape.n);
    let affordable = (1 << 24) / (shape.k * n) + 1;
    for i in (0..m).step_by(m.div_ceil(affordable)) {
        let mut row = vec![f32::NAN; n];
        let a_row = a.block(i..i + 1, 0..shape.k);
        naive::gemm(a_row, b, Beta::Zero, MatMut::new(&mut row, 1, n), isa);
        assert_eq!(row, &c[i * n..][..n], "{} row {i}", shape.name);
    }
}

/// Medians of GFLOP/s: of the peak and of each contestant.
fn measure(
    shape: Shape,
    contestants: &mut [Contestant<'_>],
    threads: usize,
    isa: Isa,
) -> (f64, Vec<f64>) {
    // Seconds.
    const TURN: f64 = 0.003;
    let mut c = vec![0.0; shape.m * shape.n];
    let mut peaks = Vec::new();
    let mut speeds = vec![Vec::new(); contestants.len()];
    let mut calls = vec![0; contestants.len()];
    for ((_, compute), calls) in contestants.iter_mut().zip(&mut calls) {
        let start = Instant::now();
        compute(&mut c);
        *calls = (TURN / start.elapsed().as_secs_f64()).clamp(1.0, 1e6) as usize;
    }
    let start = Instant::now();
    while peaks.len() < 7 || peaks.len() < 31 && start.elapsed() < Duration::from_millis(600) {
        peaks.push(peak(isa, threads));
        // Each round begins with another contestant, so that the caches' content after the
        // contestant before favours nobody.
        for turn in 0..contestants.len() {
            let at = (peaks.len() + turn) % contestants.len();
            let start = Instant::now();
            for _ in 0..calls[at] {
                contestants[at].1(&mut c);
            }
            let seconds = start.elapsed().as_secs_f64();
            speeds[at].push(shape.flops() * calls[at] as f64 / seconds / 1e9);
        }
    }
    (median(peaks), speeds.into_iter().map(median).collect())
}

/// What was measured of a product, in GFLOP/s.
struct Figures {
    shape: Shape,
    threads: usize,
    is_in_pool: bool,
    /// Multiply-adds alone.
    peak: f64,
    ours: f64,
    peers: Vec<(&'static str, f64)>,
}

impl Figures {
    /// Name and speed of the fastest peer.
    fn best(&self) -> (&'static str, f64) {
        let best = self.peers.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        *best.expect("there are peers")
    }

    /// This crate's speed relative to the best peer's.
    fn ratio(&self) -> f64 {
        self.ours / self.best().1
    }

    /// The line on stdout.
    fn line(&self) -> String {
        let Shape { name, m, k, n, .. } = self.shape;
        let Self { threads, ours, .. } = self;
        let (peer, best) = self.best();
        format!(
            "{threads:7} {name:15} {:>15} {ours:9.1} {:6.1} %  {peer:14} {best:6.1}  {:5.2}",
            format!("{m}·{k}·{n}"),
            100.0 * ours / self.peak,
            self.ratio()
        )
    }

    /// The row of the CSV.
    fn csv(&self, isa: Isa) -> String {
        let Shape { name, m, k, n, .. } = self.shape;
        let Self {
            threads,
            peak,
            ours,
            ..
        } = self;
        let speed_of = |name| {
            let speed = self.peers.iter().find(|(peer, _)| *peer == name);
            speed.map_or_else(String::new, |(_, speed)| format!("{speed:.2}"))
        };
        format!(
            "{name},{m},{k},{n},{threads},{},{ours:.2},{peak:.2},{:.4},{},{},{},{},{},{:.4},{}",
            isa.name(),
            ours / peak,
            speed_of("gemm"),
            speed_of("faer"),
            speed_of("matrixmultiply"),
            speed_of("ndarray"),
            self.best().0,
            self.ratio(),
            if self.is_in_pool { "yes" } else { "no" }
        )
    }
}

/// A sentence on the ratios to the best peer.
fn summary(threads: usize, is_in_pool: bool, ratios: &[f64]) -> String {
    let logs: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    let mean = (logs / ratios.len() as f64).exp();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    format!(
        "On {threads} thread{}{}: {mean:.2} times the best peer in the geometric mean \
         without the squares, at least {least:.2}.",
        if threads == 1 { "" } else { "s" },
        if is_in_pool {
            ""
        } else {
            ", called outside any pool"
        }
    )
}
