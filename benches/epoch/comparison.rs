//! The comparison: equal results first, then timing in turns, then the table.

use crate::case::{Case, cases};
use crate::common::peak::peak;
use crate::common::peers::{by_gemm, by_matrixmultiply};
use crate::common::{Comparison, median, processor};
use crate::ours::{order, ours, workspace};
use crate::peer::Peer;
use handwritten::compute::vector;
use handwritten::data::{Dataset, Subset};
use handwritten::{Isa, Workspace};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Times all contestants on the selected cases.
pub(crate) fn compare(comparison: &Comparison, isa: Isa, data: &Dataset) {
    let is_selected = |case: &Case| comparison.selects(&case.name());
    let cases: Vec<Case> = cases().filter(is_selected).collect();
    if cases.is_empty() {
        comparison.exit_without_case();
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
        if let Some(figures) = pool.install(|| measure(case, isa, data, &pixels)) {
            println!("{}", figures.line());
            let _ = writeln!(table, "{}", figures.csv());
        }
    }
    comparison.write(&table);
}

/// The peers of a case by name. `pixels` are the images as numbers, images × 784.
fn peers<'a>(
    case: Case,
    isa: Isa,
    data: &'a Dataset,
    pixels: &'a [f32],
) -> Vec<(&'static str, Peer<'a>)> {
    let mut peers = vec![("gemm", Peer::new(by_gemm, case, isa, data, pixels))];
    if case.threads == 1 {
        // The crate reads its number of threads once per process.
        let peer = Peer::new(by_matrixmultiply, case, isa, data, pixels);
        peers.push(("matrixmultiply", peer));
    }
    peers
}

/// Checks and times a case; `None` if the pinned strategy cannot train it.
fn measure(case: Case, isa: Isa, data: &Dataset, pixels: &[f32]) -> Option<Figures> {
    let mut workspace = workspace(case, isa)?;
    let images = Subset::new(data, (0..case.images() as u32).collect());
    let mut peers = peers(case, isa, data, pixels);
    check(case, &images, &mut workspace, &mut peers);
    Some(time(case, isa, &images, &mut workspace, &mut peers))
}

/// Compares the weights of all contestants after the first mini-batch.
fn check(
    case: Case,
    images: &Subset<'_>,
    workspace: &mut Workspace,
    peers: &mut [(&str, Peer<'_>)],
) {
    let data = images.dataset();
    let one = Subset::new(data, vec![0]);
    let few = Subset::new(
        data,
        images.indices()[..case.batch.min(images.len())].to_vec(),
    );
    let expected = ours(case, &few, &one, workspace);
    for (name, peer) in peers {
        peer.train(&order(case, &few));
        assert_alike(name, case, &peer.params, expected.view().params());
    }
}

/// Panics if a peer's weights differ from this crate's by more than rounding.
fn assert_alike(name: &str, case: Case, theirs: &[f32], ours: &[f32]) {
    let difference = theirs
        .iter()
        .zip(ours)
        .fold(0.0_f32, |most, (x, y)| most.max((x - y).abs()));
    assert!(
        difference < 1e-3,
        "{name}, {}: weights differ by {difference}",
        case.name()
    );
}

/// Times the peak, this crate and its peers in turn, at least three rounds.
fn time(
    case: Case,
    isa: Isa,
    images: &Subset<'_>,
    workspace: &mut Workspace,
    peers: &mut [(&'static str, Peer<'_>)],
) -> Figures {
    let one = Subset::new(images.dataset(), vec![0]);
    let order = order(case, images);
    let (mut peaks, mut seconds) = (Vec::new(), Vec::new());
    let mut theirs = vec![Vec::new(); peers.len()];
    let begin = Instant::now();
    while peaks.len() < 3 || peaks.len() < 15 && begin.elapsed() < Duration::from_secs(3) {
        peaks.push(peak(isa, case.threads));
        let start = Instant::now();
        ours(case, images, &one, workspace);
        seconds.push(start.elapsed().as_secs_f64());
        for ((_, peer), seconds) in peers.iter_mut().zip(&mut theirs) {
            let start = Instant::now();
            peer.train(&order);
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let epochs = 60_000.0 / images.len() as f64;
    let names = peers.iter().map(|(name, _)| *name);
    Figures {
        case,
        seconds: median(seconds) * epochs,
        peak: median(peaks),
        peers: names
            .zip(theirs)
            .map(|(name, seconds)| (name, median(seconds) * epochs))
            .collect(),
    }
}

/// What was measured of a case.
struct Figures {
    case: Case,
    /// Seconds of 60 000 images.
    seconds: f64,
    /// GFLOP/s of multiply-adds alone.
    peak: f64,
    /// The peers' seconds of 60 000 images.
    peers: Vec<(&'static str, f64)>,
}

impl Figures {
    fn images_per_second(&self) -> f64 {
        60_000.0 / self.seconds
    }

    fn gflops(&self) -> f64 {
        self.case.flops() * self.images_per_second() / 1e9
    }

    /// Name and seconds of the fastest peer.
    fn best(&self) -> (&'static str, f64) {
        let best = self.peers.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        *best.expect("there are peers")
    }

    /// Seconds of the second peer with four decimals, if it was timed.
    fn second_peer(&self) -> Option<String> {
        self.peers
            .get(1)
            .map(|(_, seconds)| format!("{seconds:.4}"))
    }

    /// The row of the CSV.
    fn csv(&self) -> String {
        let Self { seconds, peak, .. } = self;
        let (gflops, (name, best)) = (self.gflops(), self.best());
        format!(
            "{},{},{},{seconds:.5},{:.0},{gflops:.2},{peak:.2},{:.4},{:.5},{},{name},{:.3}",
            self.case.hidden,
            self.case.batch,
            self.case.threads,
            self.images_per_second(),
            gflops / peak,
            self.peers[0].1,
            self.second_peer().as_deref().unwrap_or(""),
            best / seconds
        )
    }

    /// The line on stdout.
    fn line(&self) -> String {
        let Self { case, seconds, .. } = self;
        let steps = (60_000.0 / case.batch as f64).ceil();
        let gflops = self.gflops();
        format!(
            "      {}  {:20} {:9.1} {seconds:8.4} {:9.0} {gflops:8.1} {:6.1} % {:8.4} {:>8} {:6.2}",
            case.threads,
            case.name(),
            seconds * 1e6 / steps,
            self.images_per_second(),
            100.0 * gflops / self.peak,
            self.peers[0].1,
            self.second_peer().as_deref().unwrap_or("·"),
            self.best().1 / seconds
        )
    }
}
