//! `handwritten bench`: how fast this machine trains.

use super::args::BenchArgs;
use super::recipes;
use super::report::grouped;
use super::{Failure, find_data, isa, output};
use handwritten::compute::gemm::{Context, Sizes};
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Split, Splits, Subset};
use handwritten::files;
use handwritten::training::{Control, EpochReport, Observer, TrainingState};
use handwritten::{
    Activation, Batch, Beta, Config, Init, Isa, LearningRate, Matrix, Net, Schedule, Workspace,
    gemm, train,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// The net and the mini-batches whose epochs are timed.
const WIDTHS: [usize; 3] = [784, 128, 10];
const BATCH: usize = 128;

/// Trainings that race for the accuracy, each from a seed of its own.
const SEEDS: u64 = 9;
const GOAL: f64 = 0.98;

/// Measures and reports.
pub(super) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let isa = isa()?;
    let pool = args.common.pool()?;
    let threads = pool.current_num_threads();
    pool.install(|| {
        let dir = find_data(args.data.as_deref())?;
        let start = Instant::now();
        let data = files::load(&dir).map_err(Failure::new)?;
        let loading = start.elapsed().as_secs_f64();
        if data.train.features() != WIDTHS[0] || data.train.classes() != WIDTHS[2] {
            return Err(Failure::new("the bench needs images like MNIST's"));
        }

        let kernel = micro_kernel(isa);
        let images = Subset::all(&data.train);
        let alone = epoch(isa, &images, 1);
        let together = match threads {
            1 => alone,
            _ => epoch(isa, &images, threads),
        };
        let race = race(isa, &data, threads)?;
        let pace = |seconds: f64| images.len() as f64 / seconds;
        let [features, hidden, classes] = WIDTHS;
        let dense = 2.0 * (2 * features * hidden + 3 * hidden * classes) as f64;
        let share = |seconds: f64| dense * pace(seconds) / 1e9 / kernel;
        if args.common.json {
            let event = json!({
                "event": "bench",
                "instruction_set": isa.name(),
                "threads": threads,
                "loading_seconds": loading,
                "micro_kernel_gflops": kernel,
                "epoch_seconds": [alone, together],
                "to_98_percent": {
                    "median_seconds": race.median,
                    "reached": race.reached,
                    "seeds": SEEDS,
                },
            });
            return output::result(&event.to_string());
        }
        let of_threads = match threads {
            1 => String::new(),
            _ => format!(
                "\n                 {together:.4} s on {threads}: {} images/s, {:.1} times the pace of one",
                grouped(pace(together).round() as u64),
                alone / together
            ),
        };
        let goal = match race.median {
            Some(seconds) => format!("{seconds:.2} s"),
            None => "not reached".to_string(),
        };
        output::result(&format!(
            "instruction set  {}\n\
             loading          {loading:.3} s for the four files\n\
             micro-kernel     {kernel:.0} GFLOP/s on operands in L1, on one thread\n\
             epoch            {alone:.4} s on one thread: {} images/s, {:.0} % of the micro-kernel's \
             pace if zeros counted{of_threads}\n\
             to 98 %          {goal}, the median of {SEEDS} seeds, of which {} reach it on the \
             validation images (--recipe quick)",
            isa.name(),
            grouped(pace(alone).round() as u64),
            100.0 * share(alone),
            race.reached,
        ))
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// GFLOP/s of the micro-kernel: a few tiles of C, and operands that stay in L1.
fn micro_kernel(isa: Isa) -> f64 {
    const STEPS: usize = 128;
    let (rows, columns) = Sizes::of(isa).tile;
    let rows = 4 * rows;
    let a = Matrix::from_fn(rows, STEPS, |i, p| (i + p) as f32);
    let b = Matrix::from_fn(STEPS, columns, |p, j| (p + j) as f32);
    let mut c = Matrix::zeros(rows, columns);
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing).with_isa(isa);
    let flops = (2 * rows * STEPS * columns * 1000) as f64;
    let rounds = (0..31).map(|_| {
        let start = Instant::now();
        for _ in 0..1000 {
            gemm(a.view(), b.view(), Beta::Zero, c.view_mut(), &mut ctx);
        }
        flops / start.elapsed().as_secs_f64() / 1e9
    });
    median(rounds.collect())
}

/// Seconds of an epoch of the question's net.
fn epoch(isa: Isa, images: &Subset<'_>, threads: usize) -> f64 {
    let config = Config {
        epochs: 1,
        batch: Batch::Mini(BATCH),
        learning_rate: LearningRate {
            peak: 0.1,
            schedule: Schedule::Constant,
            warmup_epochs: 0,
        },
        ..Config::default()
    };
    let one = Subset::new(images.dataset(), vec![0]);
    let mut rng = generator(1, Stream::Weights);
    let start = Net::random(&WIDTHS, Activation::Sigmoid, Init::Glorot, &mut rng);
    let mut workspace = Workspace::new(&WIDTHS, threads).with_isa(isa);
    let began = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < 5 || seconds.len() < 51 && began.elapsed() < Duration::from_secs(4) {
        let mut net = start.clone();
        let begin = Instant::now();
        let trained = train(&mut net, images, &one, &config, &mut workspace, &mut ());
        trained.expect("a rate so low keeps the loss finite");
        seconds.push(begin.elapsed().as_secs_f64());
    }
    median(seconds)
}

/// How the trainings of the quick recipe went.
struct Race {
    /// Of the seconds until the goal, evaluation after each epoch included;
    /// none unless most reached it.
    median: Option<f64>,
    reached: usize,
}

/// Notes when the accuracy is reached.
struct Finish {
    began: Instant,
    seconds: Option<f64>,
}

impl Observer for Finish {
    fn on_epoch(&mut self, row: &EpochReport, _now: &TrainingState<'_>) -> Control {
        if row.val_accuracy >= GOAL && self.seconds.is_none() {
            self.seconds = Some(self.began.elapsed().as_secs_f64());
        }
        Control::Continue
    }
}

fn race(isa: Isa, data: &files::Corpus, threads: usize) -> Result<Race, Failure> {
    let settings = recipes::find("quick").map_err(Failure::new)?.resolve()?;
    let widths = settings.widths(WIDTHS[0], WIDTHS[2])?;
    let mut seconds = Vec::new();
    for seed in 1..=SEEDS {
        let mut rng = generator(seed, Stream::Split);
        let splits = Splits::new(&data.train, &data.test, Split::Question, &mut rng);
        let splits = splits.map_err(Failure::new)?;
        let mut finish = Finish {
            began: Instant::now(),
            seconds: None,
        };
        let mut rng = generator(seed, Stream::Weights);
        let mut net = Net::random(&widths, settings.activation, settings.init, &mut rng);
        let config = Config {
            seed,
            ..settings.training
        };
        let mut workspace = Workspace::new(&widths, threads).with_isa(isa);
        let Splits { train: t, val, .. } = &splits;
        train(&mut net, t, val, &config, &mut workspace, &mut finish)
            .map_err(Failure::not_finite)?;
        seconds.push(finish.seconds.unwrap_or(f64::INFINITY));
    }
    let reached = seconds.iter().filter(|s| s.is_finite()).count();
    let median = Some(median(seconds)).filter(|s| s.is_finite());
    Ok(Race { median, reached })
}
