//! `handwritten bench`: how fast this machine trains.

use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::output;
use crate::output::report::grouped;
use crate::settings::{Flags, Settings, recipes};
use crate::setup::{self, Engine, Setup};
use handwritten::compute::gemm::{Context, Sizes};
use handwritten::data::Splits;
use handwritten::files::Corpus;
use handwritten::training::{Control, EpochReport, Observer, StepReport, TrainingState};
use handwritten::{Beta, Config, Isa, Matrix, Strategy, Workspace, gemm, train};
use serde_json::json;
use std::fmt::{self, Display};
use std::time::{Duration, Instant};

/// The training whose epochs are timed: a 784-128-10 sigmoid net.
const TIMED: &str = "hidden = [128]\nbatch = 128\nlr = 0.1\nschedule = \"constant\"";

/// Maximum number of epochs of one training. A wrong choice among the strategies of a step
/// stays for up to 2000 steps, more than four epochs, until they are tried again.
const EPOCHS: usize = 12;
/// The first epochs of each training that are not counted: threads and caches are cold, and
/// the first trials of the strategies take place.
const WARMUP_EPOCHS: usize = 2;

/// No epoch of a training begins after this time but the first few.
const MAX_TRAINING_TIME: Duration = Duration::from_millis(1500);
const MIN_EPOCHS: usize = WARMUP_EPOCHS + 3;

/// Pairs of trainings, on one thread and on all, so that both suffer alike if the speed of
/// the machine drifts. Every other pair begins with all threads.
const MAX_ROUNDS: usize = 6;
/// No round begins after this time but the first two.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Trainings with the recipe `quick`, each from a seed of its own, that are timed
/// until they reach an accuracy.
const MAX_SEEDS: u64 = 9;
const GOAL: f64 = 0.98;
/// No such training begins after this time but the first three.
const MAX_RACE_TIME: Duration = Duration::from_secs(5);

/// Measures and reports.
pub(super) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let threads = args.common.threads()?;
    let start = Instant::now();
    let corpus = setup::load(args.data.as_deref(), 1, Fit::as_mnist(false))?;
    let loading_seconds = start.elapsed().as_secs_f64();
    if corpus.train.features() != 784 || corpus.train.classes() != 10 {
        return Err(Failure::new(format!(
            "{}: the bench needs images of 28×28 pixels in 10 classes, as MNIST's are",
            corpus.dir.display()
        )));
    }
    let settings = Flags::parse(TIMED).map_err(Failure::new)?.resolve()?;
    let setup = Setup::new(settings, &corpus, engine)?;
    let results = Results {
        isa: engine.isa,
        threads,
        loading_seconds,
        images: setup.splits.train.len(),
        flops_per_image: dense_flops(&setup.widths),
        rounds: Rounds::measure(&setup, threads)?,
        race: race(&corpus, engine, threads)?,
    };
    output::result(&match args.common.json {
        true => results.json(),
        false => results.text(),
    })
}

/// Everything that is measured.
struct Results {
    isa: Isa,
    threads: usize,
    loading_seconds: f64,
    /// Images in an epoch.
    images: usize,
    flops_per_image: f64,
    rounds: Rounds,
    race: Race,
}

impl Results {
    fn json(&self) -> String {
        let event = json!({
            "event": "bench",
            "instruction_set": self.isa.name(),
            "threads": self.threads,
            "loading_seconds": self.loading_seconds,
            "micro_kernel_gflops": self.rounds.kernel_gflops,
            "strategies": self.rounds.strategy_names(),
            "epoch_seconds": self.rounds.epochs.each_ref().map(Timings::median),
            "epoch_seconds_range": self.rounds.epochs.each_ref().map(Timings::range),
            "speedup": self.rounds.speedups.median(),
            "speedup_range": self.rounds.speedups.range(),
            "to_98_percent": {
                "median_seconds": self.race.median,
                "reached": self.race.reached,
                "seeds": self.race.seeds,
            },
        });
        event.to_string()
    }

    fn text(&self) -> String {
        let [alone, together] = &self.rounds.epochs;
        let pace = |timings: &Timings| self.images as f64 / timings.median();
        let rounded = |timings: &Timings| grouped(pace(timings).round() as u64);
        let share = self.flops_per_image * pace(alone) / 1e9 / self.rounds.kernel_gflops;
        let on_all = match self.threads {
            1 => String::new(),
            threads => {
                let (lowest, highest) = self.rounds.speedups.range();
                format!(
                    "\n                 {together} on {threads}: {} images/s, {:.2} times as fast \
                     ({lowest:.2} to {highest:.2})",
                    rounded(together),
                    self.rounds.speedups.median()
                )
            }
        };
        let strategies = self.rounds.strategy_names().join(", ");
        let goal = match self.race.median {
            Some(seconds) => format!("{seconds:.2} s"),
            None => "not reached".to_string(),
        };
        format!(
            "instruction set  {}\n\
             loading          {:.3} s for the four files\n\
             micro-kernel     {:.0} GFLOP/s on operands in L1, on one thread\n\
             epoch            {alone} on one thread: {} images/s{on_all}\n\
             step             {strategies}: how threads share it, by trial or as HANDWRITTEN_STRATEGY says\n\
             of the kernel    {:.0} % on one thread, if products with pixels that are 0 count\n\
             to 98 %          {goal}, the median of {} seeds, of which {} reach it on the \
             validation images (--recipe quick)\n\
             \n\
             epoch: 784-128-10 in mini-batches of 128, as train runs it but without validation; \
             the median\n\
             of {} trainings, in brackets the fastest and the slowest epoch{}",
            self.isa.name(),
            self.loading_seconds,
            self.rounds.kernel_gflops,
            rounded(alone),
            100.0 * share,
            self.race.seeds,
            self.race.reached,
            self.rounds.speedups.values.len(),
            if self.threads > 1 {
                "; one thread and all threads in turn,\ntimes as fast: the median of these pairs, in \
                 brackets the lowest and the highest"
            } else {
                ""
            },
        )
    }
}

fn median(values: Vec<f64>) -> f64 {
    Timings::new(values).median()
}

/// GFLOP/s of the micro-kernel on a few tiles of C, with operands that stay in L1:
/// several samples of some milliseconds each.
fn micro_kernel(isa: Isa) -> [f64; 7] {
    const STEPS: usize = 128;
    let (rows, columns) = Sizes::of(isa).tile;
    let rows = 4 * rows;
    let a = Matrix::from_fn(rows, STEPS, |i, p| (i + p) as f32);
    let b = Matrix::from_fn(STEPS, columns, |p, j| (p + j) as f32);
    let mut c = Matrix::zeros(rows, columns);
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing).with_isa(isa);
    let flops = (2 * rows * STEPS * columns * 1000) as f64;
    [(); 7].map(|()| {
        let start = Instant::now();
        for _ in 0..1000 {
            gemm(a.view(), b.view(), Beta::Zero, c.view_mut(), &mut ctx);
        }
        flops / start.elapsed().as_secs_f64() / 1e9
    })
}

/// Floating-point operations that an image takes in a step of a net with one hidden
/// layer, if none of its pixels is zero.
fn dense_flops(widths: &[usize]) -> f64 {
    let [features, hidden, classes] = widths else {
        return 0.0;
    };
    // W1 has a forward product and a gradient; W2 has a product back as well.
    2.0 * (2 * features * hidden + 3 * hidden * classes) as f64
}

/// Values that were measured, in ascending order.
struct Timings {
    values: Vec<f64>,
}

impl Timings {
    fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { values }
    }

    /// The value in the middle, or the mean of the two in the middle.
    fn median(&self) -> f64 {
        let count = self.values.len();
        (self.values[(count - 1) / 2] + self.values[count / 2]) / 2.0
    }

    /// The lowest and the highest.
    fn range(&self) -> (f64, f64) {
        (self.values[0], self.values[self.values.len() - 1])
    }
}

impl Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fastest, slowest) = self.range();
        write!(f, "{:.4} s ({fastest:.4} to {slowest:.4})", self.median())
    }
}

/// Measurements that are taken in turn.
struct Rounds {
    kernel_gflops: f64,
    /// Seconds of epochs on one thread, and on all.
    epochs: [Timings; 2],
    /// How many times as fast all threads were as one, of each round.
    speedups: Timings,
    /// Strategies at the end of the trainings on all threads, each once.
    strategies: Vec<Strategy>,
}

impl Rounds {
    fn measure(setup: &Setup<'_>, threads: usize) -> Result<Self, Failure> {
        let mut workspaces = vec![setup.workspace(1)?];
        if threads > 1 {
            workspaces.push(setup.training_workspace(threads)?);
        }
        let (mut gflops, mut seconds) = (vec![], [vec![], vec![]]);
        let (mut speedups, mut strategies) = (vec![], vec![]);
        let began = Instant::now();
        for round in 0..MAX_ROUNDS {
            if round >= 2 && began.elapsed() > MAX_TIME {
                break;
            }
            gflops.extend(micro_kernel(setup.engine.isa));
            let mut medians = [0.0; 2];
            for turn in 0..workspaces.len() {
                let which = (round + turn) % workspaces.len();
                let epochs = training(setup, &mut workspaces[which])?;
                seconds[which].extend_from_slice(&epochs);
                medians[which] = median(epochs);
            }
            if threads == 1 {
                medians[1] = medians[0];
            }
            speedups.push(medians[0] / medians[1]);
            let chosen = workspaces.last().and_then(Workspace::chosen_strategy);
            strategies.extend(chosen.filter(|chosen| !strategies.contains(chosen)));
        }
        if threads == 1 {
            let [alone, together] = &mut seconds;
            together.clone_from(alone);
        }
        Ok(Self {
            kernel_gflops: median(gflops),
            epochs: seconds.map(Timings::new),
            speedups: Timings::new(speedups),
            strategies,
        })
    }

    fn strategy_names(&self) -> Vec<&'static str> {
        self.strategies.iter().map(|one| one.name()).collect()
    }
}

/// Trains a net as `train` does. Returns the seconds of the epochs that count.
fn training(setup: &Setup<'_>, workspace: &mut Workspace) -> Result<Vec<f64>, Failure> {
    let Splits {
        train: images, val, ..
    } = &setup.splits;
    let config = Config {
        epochs: EPOCHS,
        ..setup.settings.training
    };
    let (mut net, mut stopwatch) = (setup.net(), Stopwatch::new());
    train(&mut net, images, val, &config, workspace, &mut stopwatch)?;
    Ok(stopwatch.epochs.split_off(WARMUP_EPOCHS))
}

/// Times the steps of each epoch, as `train` does: without validation.
struct Stopwatch {
    training_began: Instant,
    began: Instant,
    step_ended: Instant,
    epochs: Vec<f64>,
}

impl Stopwatch {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            training_began: now,
            began: now,
            step_ended: now,
            epochs: vec![],
        }
    }
}

impl Observer for Stopwatch {
    fn on_start(&mut self, _now: &TrainingState<'_>) {
        self.began = Instant::now();
    }

    fn on_step(&mut self, _step: &StepReport) -> Control {
        self.step_ended = Instant::now();
        Control::Continue
    }

    fn on_epoch(&mut self, _epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        let seconds = self.step_ended - self.began;
        self.epochs.push(seconds.as_secs_f64());
        self.began = Instant::now();
        let is_late = self.training_began.elapsed() > MAX_TRAINING_TIME;
        match is_late && self.epochs.len() >= MIN_EPOCHS {
            true => Control::SaveAndStop,
            false => Control::Continue,
        }
    }
}

/// Time of `quick` to reach the accuracy.
struct Race {
    /// The median over the seeds in seconds, with evaluation after each epoch; none
    /// unless most seeds reached the accuracy.
    median: Option<f64>,
    reached: usize,
    /// Number of trainings.
    seeds: usize,
}

/// Notes when a training reaches the accuracy.
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

fn race(corpus: &Corpus, engine: Engine, threads: usize) -> Result<Race, Failure> {
    let mut settings: Settings = recipes::find("quick").map_err(Failure::new)?.resolve()?;
    let mut seconds = Vec::new();
    let race_began = Instant::now();
    for seed in 1..=MAX_SEEDS {
        if seed > 3 && race_began.elapsed() > MAX_RACE_TIME {
            break;
        }
        settings.training.seed = seed;
        let setup = Setup::new(settings.clone(), corpus, engine)?;
        let Splits {
            train: images, val, ..
        } = &setup.splits;
        let mut finish = Finish {
            began: Instant::now(),
            seconds: None,
        };
        let mut net = setup.net();
        let mut workspace = setup.training_workspace(threads)?;
        let config = &settings.training;
        train(&mut net, images, val, config, &mut workspace, &mut finish)?;
        seconds.push(finish.seconds.unwrap_or(f64::INFINITY));
    }
    let reached = seconds.iter().filter(|s| s.is_finite()).count();
    let seeds = seconds.len();
    let median = Some(median(seconds)).filter(|s| s.is_finite());
    Ok(Race {
        median,
        reached,
        seeds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_have_a_median_and_a_range() {
        let odd = Timings::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.median(), odd.range()), (2.0, (1.0, 3.0)));
        assert_eq!(odd.to_string(), "2.0000 s (1.0000 to 3.0000)");
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![f64::INFINITY, 1.0]), f64::INFINITY);
    }
}
