//! `handwritten train`: from settings to the folder of a run.

mod announcement;
mod follower;
mod memory;
mod results;
mod seeds;
mod verdict;

use crate::args::{MAX_SEEDS, PlaceArgs, TrainArgs};
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Progress;
use crate::output::report::dashed;
use crate::report;
use crate::run_folder::{
    self, CHECKPOINT, Clock, FILES, Folder, Identity, Machine, Saved, Saver, resume_command,
};
use crate::settings::{Flags, Settings};
use crate::setup::{self, Engine, Setup};
use crate::signals::{Signal, Signals};
use follower::Follower;
use handwritten::data::{Normalisation, Splits};
use handwritten::files::{Corpus, KnownDataset};
use handwritten::training::diagnosis::Monitor;
use handwritten::training::{ChosenRate, TrainError};
use handwritten::{Checkpoint, Workspace, resume};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, mem};

/// The process that trains, since its start.
struct Process {
    clock: Clock,
    engine: Engine,
    signals: Signals,
}

/// Trains a net and writes its run, or resumes one that was interrupted; or nets from several
/// seeds.
pub(super) fn run(mut args: TrainArgs) -> Result<(), Failure> {
    // First of all, so that no signal is lost while a configuration file is read.
    let process = Process {
        clock: Clock::start(),
        engine: Engine::from_env()?,
        signals: Signals::listen()?,
    };
    let flags = mem::take(&mut args.settings).flags()?;
    let is_unfinished = args.resume.as_deref().is_some_and(seeds::is_unfinished);
    if args.resume.is_none() {
        args.seeds = args.seeds.or(flags.seeds);
        args.ensemble |= flags.ensemble.unwrap_or(false);
    }
    if let Some(seeds) = args.seeds.filter(|seeds| !(1..=MAX_SEEDS).contains(seeds)) {
        return Err(Failure::usage(format!(
            "seeds must be a number from 1 to {MAX_SEEDS}, not {seeds}"
        )));
    }
    if args.ensemble && args.seeds.is_none() {
        return Err(Failure::usage(
            "an ensemble takes several seeds: add --seeds",
        ));
    }
    match args.seeds.is_some() || is_unfinished {
        true => seeds::run(process, args, flags),
        false => run_one(process, args, flags),
    }
}

/// Trains one net, or resumes its training.
fn run_one(process: Process, args: TrainArgs, flags: Flags) -> Result<(), Failure> {
    let Process {
        clock,
        engine,
        signals,
    } = process;
    let save_interval = save_interval(&args)?;
    let (flags, start) = match args.resume {
        None => flags.with_start()?,
        Some(_) => (flags, None),
    };
    let force = args.place.force;
    let (mut settings, chosen, reopened) = match args.resume {
        None => (flags.resolve()?, new_folder(args.place)?, None),
        Some(path) => {
            let folder = Folder::lock(path)?;
            let saved = Saved::read(&folder.path)?;
            (saved.settings(&flags)?, None, Some((folder, saved)))
        }
    };
    let threads = args.common.threads()?;
    let (corpus, normalisation) = setup::load_normalised(&settings)?;
    // Absolute, so that config.toml repeats the run from any folder.
    let data = std::path::absolute(&corpus.dir).unwrap_or_else(|_| corpus.dir.clone());
    settings.data = Some(data);
    let mut setup = Setup::new(settings, &corpus, engine)?.starting_from(start)?;
    let workspace = setup.training_workspace(threads)?;
    memory::require_for(&setup, &workspace, threads, reopened.is_some(), 1)?;
    let chosen_rate = setup.choose_rate(threads)?;
    let identity = identity(&setup, &corpus)?;
    let (folder, saved) = match reopened {
        Some((folder, saved)) => {
            saved.refuse_other(&identity)?;
            (folder, Some(saved))
        }
        None => {
            let name = folder_name(corpus.source, &setup.widths);
            (run_folder::open(chosen, &name, force, &signals)?, None)
        }
    };
    let job = Job {
        setup: &setup,
        classes: class_names(&corpus),
        corpus: &corpus,
        normalisation,
        chosen_rate,
        identity,
        folder: &folder,
        threads,
        quiet: args.quiet,
        has_report: !args.no_report,
        json: args.common.json,
        save_interval,
        signals,
    };
    job.run(&clock, saved, workspace)
}

/// Everything besides the checkpoint that decides the bits of a training.
fn identity(setup: &Setup<'_>, corpus: &Corpus) -> Result<Identity, Failure> {
    Ok(Identity {
        settings: setup.settings.to_toml().map_err(Failure::new)?,
        data_sha256: corpus.fingerprint.clone(),
        is_fused: setup.engine.isa.is_fused(),
    })
}

/// The interval at which runs are saved.
fn save_interval(args: &TrainArgs) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(args.checkpoint_every)
        .map_err(|_| Failure::usage("--checkpoint-every must be a number of seconds, 0 or more"))
}

/// The folder that the flags name for a new run, if they name one.
fn new_folder(place: PlaceArgs) -> Result<Option<PathBuf>, Failure> {
    let files = FILES.into_iter().chain(report::FILES).chain([CHECKPOINT]);
    let files: Vec<&str> = files.collect();
    run_folder::chosen(place, &files)
}

/// Everything that a run needs.
struct Job<'a> {
    setup: &'a Setup<'a>,
    classes: Vec<String>,
    corpus: &'a Corpus,
    normalisation: Normalisation,
    /// The choice of the learning rate, if none was given.
    chosen_rate: Option<ChosenRate>,
    identity: Identity,
    folder: &'a Folder,
    threads: usize,
    quiet: bool,
    has_report: bool,
    json: bool,
    save_interval: Duration,
    signals: Signals,
}

/// A run that has ended, or that a signal has stopped.
struct Trained {
    run: Checkpoint,
    follower: Follower,
    /// Whether all results of the training could be printed.
    printed: Result<(), Failure>,
    /// Epochs that were complete when the run was resumed.
    resumed_after: Option<usize>,
    /// Seconds since the start of the program at which the training began and ended.
    seconds: (f64, f64),
}

impl Job<'_> {
    fn settings(&self) -> &Settings {
        &self.setup.settings
    }

    fn run(
        &self,
        clock: &Clock,
        saved: Option<Saved>,
        mut workspace: Workspace,
    ) -> Result<(), Failure> {
        self.announce(self.threads, saved.as_ref())?;
        let config = &self.settings().training;
        let progress = Progress::new(config.epochs, self.quiet, self.json);
        let mut trained = self.train(clock, saved, &mut workspace, progress)?;
        let follower = &mut trained.follower;
        if !trained.run.is_complete() {
            return match (follower.save_failure(), self.signals.caught()) {
                (Some(failure), _) => Err(Failure::new(failure)),
                (None, Some(signal)) => self.stop(signal, &trained.run),
                (None, None) => Ok(()),
            };
        }
        follower.warn_of_failed_saves();

        // The only time that the test images are looked at.
        let (run, test) = (&trained.run, &self.setup.splits.test);
        let evaluation = workspace.evaluate(run.best.view(), test, config.objective());
        let machine = self.machine(clock, &trained);
        let monitor = trained.follower.monitor();
        let written = self.write(run, monitor, &evaluation, &machine, &mut workspace);
        // The results are on disk before an error of stdout ends the program.
        trained.printed?;
        self.conclude(run, &evaluation, &machine)?;
        self.say_last(run, monitor);
        written
    }

    /// Makes the epochs that are left, or some of them if a signal comes.
    fn train(
        &self,
        clock: &Clock,
        saved: Option<Saved>,
        workspace: &mut Workspace,
        progress: Progress,
    ) -> Result<Trained, Failure> {
        let config = &self.settings().training;
        let chosen = self.chosen_rate.map(|chosen| chosen.rate);
        let mut monitor = Monitor::new(self.setup.workspace(1)?).with_chosen_rate(chosen);
        let resumed_after = saved.as_ref().map(|saved| saved.run.history.len());
        let mut run = match saved {
            Some(saved) => {
                saved.restore(&mut monitor)?;
                saved.into_run(self.settings())
            }
            None => Checkpoint::new(self.setup.net(), *config),
        };
        let folder = self.folder.path.clone();
        let saver = Saver::start(folder, self.identity.clone(), &run, &monitor)?;
        let saves_end = progress.is_shared();
        let (interval, signals) = (self.save_interval, self.signals.clone());
        let is_resumed = resumed_after.is_some();
        let follower = Follower::new(progress, monitor, saver, signals, interval, is_resumed);
        let mut follower = follower.saving_end(saves_end);

        let began = clock.seconds();
        let Splits { train, val, .. } = &self.setup.splits;
        let result = resume(&mut run, train, val, workspace, &mut follower);
        let ended = clock.seconds();
        let printed = follower.finish();
        if result.is_err() && !follower.has_saved() {
            // Resumed from its first step, it would fail in the same way.
            let _ = fs::remove_file(self.folder.path.join(CHECKPOINT));
        }
        let (rate, advised) = (config.learning_rate.peak, follower.monitor().advised_rate());
        result.map_err(|error| failure_of(error, rate, advised))?;
        Ok(Trained {
            run,
            follower,
            printed,
            resumed_after,
            seconds: (began, ended),
        })
    }

    /// Describes the machine and the time of a training.
    fn machine(&self, clock: &Clock, trained: &Trained) -> Machine {
        let (isa, threads) = (self.setup.engine.isa, self.threads);
        let epochs = trained.follower.epoch_seconds();
        Machine::new(
            clock,
            isa,
            threads,
            trained.resumed_after,
            trained.seconds,
            epochs,
        )
    }

    /// Says what was wrong with a run that did not learn, and where its files are.
    fn say_last(&self, run: &Checkpoint, monitor: &Monitor) {
        if let Some(said) = self.verdict(run, monitor) {
            output::warn(&said);
        }
        if !self.quiet {
            output::remark(&format!(
                "\nwrote {}: best network, history, plots, settings{}",
                self.folder.path.display(),
                if self.has_report { ", report.html" } else { "" }
            ));
        }
    }

    /// Says how to resume the run that a signal has stopped.
    fn stop(&self, signal: Signal, run: &Checkpoint) -> Result<(), Failure> {
        let folder = &self.folder.path;
        if self.json {
            let event = json!({
                "event": "stopped",
                "signal": signal.name(),
                "epochs": run.history.len(),
                "steps": run.step,
                "run": folder.display().to_string(),
            });
            output::result(&event.to_string())?;
        }
        Err(Failure::stopped(
            signal,
            format!(
                "stopped by {} after {} epochs and {} steps; to resume: {}",
                signal.name(),
                run.history.len(),
                run.step,
                resume_command(folder)
            ),
        ))
    }

    /// The folder of the data set.
    fn data(&self) -> &Path {
        self.settings().data.as_deref().unwrap_or(Path::new(""))
    }
}

/// The failure of a training. If its loss overflowed at a rate above the advised one, it
/// names that.
fn failure_of(error: TrainError, rate: f64, advised: Option<f64>) -> Failure {
    let advised = advised.filter(|&advised| rate > advised && error.non_finite().is_some());
    let failure = Failure::from(error);
    match advised {
        Some(advised) => failure.and(&format!(
            "the learning rate is {rate}, take {advised} for this net and batch size"
        )),
        None => failure,
    }
}

/// The name of a new run's folder, such as mnist-784-128-10.
fn folder_name(source: KnownDataset, widths: &[usize]) -> String {
    let data = match source {
        KnownDataset::Mnist => "mnist",
        KnownDataset::FashionMnist => "fashion-mnist",
        _ => "images",
    };
    format!("{data}-{}", dashed(widths))
}

/// The names of the classes: for Fashion-MNIST those of its authors, otherwise those of the
/// data set.
fn class_names(corpus: &Corpus) -> Vec<String> {
    const FASHION: [&str; 10] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];
    match corpus.source {
        KnownDataset::FashionMnist => FASHION.map(String::from).to_vec(),
        _ => corpus.class_names[..corpus.train.classes()].to_vec(),
    }
}
