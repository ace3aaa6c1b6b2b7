//! `handwritten explain`: repeats a published run that failed to learn, and
//! measures what each of its mistakes costs (docs/why-it-did-not-learn.md).

mod catalogue;
mod page;
mod report;

use crate::args::{ExplainArgs, SettingsArgs};
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::memory;
use crate::output;
use crate::run_folder;
use crate::settings::Settings;
use crate::setup::{self, Engine, Setup};
use crate::signals::Signals;
use clap::Parser;
use handwritten::data::Splits;
use handwritten::files::Corpus;
use handwritten::training::diagnosis::{Finding, Monitor};
use handwritten::training::memory::{bytes_to_train, vector_bytes};
use handwritten::training::{Control, EpochReport, NonFiniteError, StepReport, TrainingState};
use handwritten::{Observer, Workspace, train};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::Report;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The files that `explain` writes.
const FILES: [&str; 7] = [
    "question.svg",
    "question.png",
    "repairs-1.svg",
    "repairs-128.svg",
    "tried.svg",
    "runs.csv",
    "report.html",
];

/// Makes all trainings, prints the report and writes it.
pub(super) fn run(args: ExplainArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let signals = Signals::listen()?;
    let force = args.place.force;
    let chosen = run_folder::chosen(args.place, &FILES)?;
    // Before the trainings, which take a minute.
    let folder = run_folder::open(chosen, "explain", force, &signals)?;
    folder.try_writing()?;
    let threads = args.common.threads()?;
    let corpus = setup::load(args.data.as_deref(), args.seed, Fit::as_mnist(false))?;
    let trainer = Trainer {
        engine,
        corpus: &corpus,
        signals: &signals,
        threads,
    };
    let settings = all_settings(args.seed)?;
    require_for(&settings, &trainer)?;
    let runs = trainer.train_all(&settings, args.quiet)?;
    if let Some(signal) = signals.caught() {
        let message = format!("stopped by {}: nothing is written", signal.name());
        return Err(Failure::stopped(signal, message));
    }
    let report = Report { runs };
    let written = report.write(&folder.path);
    report.print(args.common.json)?;
    written?;
    if !args.quiet {
        output::remark(&format!(
            "\nwrote {}: report.html, pictures, all curves",
            folder.path.display()
        ));
    }
    Ok(())
}

/// The result of one training.
struct Run {
    /// The arguments of `train` that repeat it.
    line: String,
    hidden: Vec<usize>,
    history: Vec<EpochReport>,
    /// The findings of its diagnosis.
    found: Vec<Finding>,
    /// The reason why the training ended early, if it did.
    error: Option<NonFiniteError>,
}

/// A line of arguments, parsed as `train` does.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// The arguments and settings of all trainings, the longest first.
fn all_settings(seed: u64) -> Result<Vec<(String, Settings)>, Failure> {
    let mut settings = vec![];
    for line in catalogue::all_lines() {
        let parsed = Line::try_parse_from(["train"].into_iter().chain(line.split(' ')));
        let mut parsed = parsed
            .map_err(Failure::usage)?
            .settings
            .flags()?
            .resolve()?;
        parsed.training.seed = seed;
        settings.push((line, parsed));
    }
    let work = |settings: &Settings| {
        let units: usize = settings.hidden.iter().sum();
        settings.training.epochs * (units + 20)
    };
    settings.sort_by_key(|(_, settings)| std::cmp::Reverse(work(settings)));
    Ok(settings)
}

/// Checks that there is memory for one of the trainings on each thread at a time.
///
/// # Errors
/// Says how much memory they take.
fn require_for(settings: &[(String, Settings)], trainer: &Trainer<'_>) -> Result<(), Failure> {
    let (train, threads) = (&trainer.corpus.train, trainer.threads);
    let mut most = 0;
    for (_, settings) in settings {
        let widths = settings.widths(train.features(), train.classes())?;
        let workspace = trainer.engine.workspace(&widths, 1, 0, "--hidden")?;
        let run = bytes_to_train(&workspace, train.len(), &settings.training);
        let net = vector_bytes(&widths, 1);
        let training = memory::of_monitored_training(&widths, run, 0)
            .saturating_add(Workspace::bytes(&widths, 1))
            .saturating_add(net);
        most = most.max(training);
    }
    let trainings = threads.saturating_mul(most);
    let others = memory::address_space_of_threads(threads - 1).saturating_add(memory::PICTURES);
    memory::require(
        trainings.saturating_add(others),
        format_args!("make {threads} trainings at a time (--threads)"),
    )
}

/// Makes the trainings.
struct Trainer<'a> {
    engine: Engine,
    corpus: &'a Corpus,
    signals: &'a Signals,
    threads: usize,
}

impl Trainer<'_> {
    /// Makes one training on each thread at a time. After a signal the runs are
    /// not complete.
    fn train_all(&self, settings: &[(String, Settings)], quiet: bool) -> Result<Vec<Run>, Failure> {
        let bar = ProgressBar::hidden();
        if !quiet {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} trainings");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        bar.set_length(settings.len() as u64);
        let (next, runs) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while self.signals.caught().is_none() {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some((line, settings)) = settings.get(i) else {
                    break;
                };
                let run = self.train(line, settings);
                let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
                runs.push((i, run));
                bar.inc(1);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.min(settings.len()) {
                // This thread does the work of those that cannot be started.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        bar.finish_and_clear();
        let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Threads finish in any order.
        runs.sort_by_key(|&(i, _)| i);
        runs.into_iter().map(|(_, run)| run).collect()
    }

    fn train(&self, line: &str, settings: &Settings) -> Result<Run, Failure> {
        let setup = Setup::new(settings.clone(), self.corpus, self.engine)?;
        let mut net = setup.net();
        let mut workspace = setup.workspace(1)?;
        let mut notes = Notes {
            monitor: Monitor::new(workspace.clone()),
            history: vec![],
            signals: self.signals,
        };
        let Splits {
            train: images, val, ..
        } = &setup.splits;
        let config = &settings.training;
        let outcome = train(&mut net, images, val, config, &mut workspace, &mut notes);
        Ok(Run {
            line: line.to_string(),
            hidden: settings.hidden.clone(),
            history: notes.history,
            found: notes.monitor.findings().to_vec(),
            error: outcome.err().and_then(|error| error.non_finite()),
        })
    }
}

/// Observes a training: keeps its history and its findings, and stops it at a
/// signal.
struct Notes<'a> {
    monitor: Monitor,
    history: Vec<EpochReport>,
    signals: &'a Signals,
}

impl Observer for Notes<'_> {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.monitor.start(now);
    }

    fn on_step(&mut self, _step: &StepReport) -> Control {
        match self.signals.caught() {
            Some(_) => Control::SaveAndStop,
            None => Control::Continue,
        }
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        self.monitor.observe(epoch, now);
        self.history.push(*epoch);
        Control::Continue
    }
}
