//! `handwritten train`: from settings to the folder of a run.

mod follower;
mod memory;
mod results;
mod verdict;

use crate::args::{PlaceArgs, TrainArgs};
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Progress;
use crate::output::report::{dashed, grouped};
use crate::run_folder::{
    self, CHECKPOINT, Clock, FILES, Folder, Identity, Machine, Saved, Saver, resume_command,
};
use crate::settings::Settings;
use crate::setup::{self, Engine, Setup};
use crate::signals::{Signal, Signals};
use follower::Follower;
use handwritten::data::{Normalisation, Splits};
use handwritten::files::{Corpus, KnownDataset};
use handwritten::net::params_len;
use handwritten::training::diagnosis::Monitor;
use handwritten::training::{ChosenRate, RateBound, TrainError};
use handwritten::{Batch, Checkpoint, Workspace, resume};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Trains a net and writes its run, or resumes one that was interrupted.
pub(super) fn run(args: TrainArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let engine = Engine::from_env()?;
    let signals = Signals::listen()?;
    let save_interval = Duration::try_from_secs_f64(args.checkpoint_every)
        .map_err(|_| Failure::usage("--checkpoint-every must be a number of seconds, 0 or more"))?;
    let flags = args.settings.flags()?;
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
    memory::require_for(&setup, &workspace, threads, reopened.is_some())?;
    let chosen_rate = setup.choose_rate(threads)?;
    let identity = Identity {
        settings: setup.settings.to_toml().map_err(Failure::new)?,
        data_sha256: corpus.fingerprint.clone(),
        is_fused: engine.isa.is_fused(),
    };
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
        json: args.common.json,
        save_interval,
        signals,
    };
    job.run(&clock, saved, workspace)
}

/// The folder that the flags name for a new run, if they name one.
fn new_folder(place: PlaceArgs) -> Result<Option<PathBuf>, Failure> {
    let files: Vec<&str> = FILES.into_iter().chain([CHECKPOINT]).collect();
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
    json: bool,
    save_interval: Duration,
    signals: Signals,
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
        let threads = self.threads;
        let config = &self.settings().training;
        self.announce(threads, saved.as_ref())?;

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
        let progress = Progress::new(config.epochs, self.quiet, self.json);
        let (interval, signals) = (self.save_interval, self.signals.clone());
        let is_resumed = resumed_after.is_some();
        let mut follower = Follower::new(progress, monitor, saver, signals, interval, is_resumed);

        let began = clock.seconds();
        let Splits { train, val, test } = &self.setup.splits;
        let result = resume(&mut run, train, val, &mut workspace, &mut follower);
        let ended = clock.seconds();
        let printed = follower.finish();
        if result.is_err() && !follower.has_saved() {
            // Resumed from its first step, it would fail in the same way.
            let _ = fs::remove_file(self.folder.path.join(CHECKPOINT));
        }
        let (rate, advised) = (config.learning_rate.peak, follower.monitor().advised_rate());
        result.map_err(|error| failure_of(error, rate, advised))?;
        if !run.is_complete() {
            return match (follower.save_failure(), self.signals.caught()) {
                (Some(failure), _) => Err(Failure::new(failure)),
                (None, Some(signal)) => self.stop(signal, &run),
                (None, None) => Ok(()),
            };
        }
        follower.warn_of_failed_saves();

        // The only time that the test images are looked at.
        let evaluation = workspace.evaluate(run.best.view(), test, config.objective());
        let seconds = follower.epoch_seconds();
        let isa = self.setup.engine.isa;
        let machine = Machine::new(clock, isa, threads, resumed_after, (began, ended), seconds);
        let monitor = follower.monitor();
        let written = self.write(&run, monitor.observations(), &evaluation, &machine);
        // The results are on disk before an error of stdout ends the program.
        printed?;
        self.conclude(&run, &evaluation, &machine)?;
        self.say_last(&run, monitor);
        written
    }

    /// Says what was wrong with a run that did not learn, and where its files are.
    fn say_last(&self, run: &Checkpoint, monitor: &Monitor) {
        if let Some(said) = self.verdict(run, monitor) {
            output::warn(&said);
        }
        if !self.quiet {
            output::remark(&format!(
                "\nwrote {}: best network, history, plots, settings",
                self.folder.path.display()
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

    /// Says what is about to be trained, and on what.
    fn announce(&self, threads: usize, saved: Option<&Saved>) -> Result<(), Failure> {
        if !self.quiet {
            self.announce_text(threads, saved);
        }
        if !self.json {
            return Ok(());
        }
        let Splits { train, val, test } = &self.setup.splits;
        let config = &self.settings().training;
        let event = json!({
            "event": "start",
            "data": self.data().display().to_string(),
            "data_set": self.corpus.source.to_string(),
            "data_sha256": self.identity.data_sha256,
            "images": [train.len(), val.len(), test.len()],
            "widths": self.setup.widths,
            "parameters": params_len(&self.setup.widths),
            "seed": config.seed,
            "epochs": config.epochs,
            "learning_rate": config.learning_rate.peak,
            "learning_rate_bound": self.chosen_rate.map(|chosen| chosen.bound.to_string()),
            "normalisation": self.normalisation.to_string(),
            "threads": threads,
            "run": self.folder.path.display().to_string(),
        });
        output::result(&event.to_string())
    }

    fn announce_text(&self, threads: usize, saved: Option<&Saved>) {
        let Splits { train, val, test } = &self.setup.splits;
        let config = &self.settings().training;
        output::remark(&format!(
            "{} from {}: {} images to train, {} to validate, {} to test",
            self.corpus.source,
            from_here(self.data()).display(),
            grouped(train.len() as u64),
            grouped(val.len() as u64),
            grouped(test.len() as u64),
        ));
        notes(self.corpus)
            .iter()
            .for_each(|note| output::remark(note));
        let batch = match config.batch {
            Batch::Full => "full batch".to_string(),
            Batch::Mini(size) => format!("mini-batches of {size}"),
        };
        let threads = match threads {
            1 => "1 thread".to_string(),
            _ => format!("{threads} threads"),
        };
        output::remark(&format!(
            "net {}, {}, {} parameters; {batch}, seed {}; {}, {threads}",
            dashed(&self.setup.widths),
            self.settings().activation.name(),
            grouped(params_len(&self.setup.widths) as u64),
            config.seed,
            self.setup.engine.isa.name(),
        ));
        if self.normalisation != Normalisation::RAW {
            output::remark(&format!(
                "pixels are normalised: inputs are {} (--pixels raw leaves them as they are)",
                self.normalisation
            ));
        }
        if let Some(ChosenRate { rate, bound, .. }) = self.chosen_rate {
            let why = match bound {
                RateBound::Rehearsal => format!("the best of several in {bound}"),
                _ => format!("as high as {bound} allows"),
            };
            output::remark(&format!("learning rate {rate}, {why} (--lr takes another)"));
        }
        if let Some(Saved { run, .. }) = saved {
            output::remark(&format!(
                "resuming after {} epochs and {} steps",
                run.history.len(),
                run.step
            ));
        }
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

/// A path as it reads from the working folder.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_path_buf()
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

/// Lines on what nobody would expect of a data set.
fn notes(corpus: &Corpus) -> Vec<String> {
    let mut notes = vec![];
    if corpus.is_split {
        notes.push(format!(
            "there are no test images: {} images, drawn by the seed, are left out of training",
            grouped(corpus.test.len() as u64)
        ));
    }
    if corpus.is_turned {
        notes.push("images are turned upright: EMNIST has rows and columns exchanged".to_string());
    }
    notes
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
