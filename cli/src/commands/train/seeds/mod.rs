//! `train --seeds`: trainings that differ in their seed alone, each in a folder of its own
//! within one, and a table of all.

mod plan;
mod seed;
mod table;

use super::announcement::notes;
use super::{Process, class_names, folder_name, memory};
use crate::args::TrainArgs;
use crate::committee::Committee;
use crate::failure::Failure;
use crate::output;
use crate::output::report::{dashed, grouped};
use crate::run_folder::{
    self, CONFIG, Clock, ENSEMBLE, Folder, MODEL, SEEDS, SEEDS_TABLE, model, resume_command,
};
use crate::settings::{Flags, Settings, Start};
use crate::setup::{self, Engine};
use crate::signals::{Signal, Signals};
use handwritten::data::Normalisation;
use handwritten::files::model::{Metadata, Model, encode_ensemble};
use handwritten::files::{self, Corpus};
use handwritten::{Evaluation, Net};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plan::Plan;
use seed::Seed;
use serde_json::json;
use std::fs;
use std::panic;
use std::path::Path;
use std::thread;
use std::time::Duration;
use table::{Row, Table};

/// The files beside the folders of the seeds.
const FILES: [&str; 5] = [MODEL, ENSEMBLE, CONFIG, SEEDS, SEEDS_TABLE];

/// Whether the folder holds trainings of several seeds that are not complete.
pub(super) fn is_unfinished(folder: &Path) -> bool {
    folder.join(SEEDS).is_file()
}

/// The command, the threads and the display, which all seeds share.
struct Common<'a> {
    clock: &'a Clock,
    engine: Engine,
    signals: Signals,
    save_interval: Duration,
    /// The number of threads of all trainings together.
    threads: usize,
    quiet: bool,
    has_report: bool,
    json: bool,
    /// Counts the epochs of all trainings.
    bar: ProgressBar,
}

/// Trains a net from each of several seeds, or resumes such trainings.
pub(super) fn run(process: Process, args: TrainArgs, flags: Flags) -> Result<(), Failure> {
    let common = Common {
        clock: &process.clock,
        engine: process.engine,
        signals: process.signals,
        save_interval: super::save_interval(&args)?,
        threads: args.common.threads()?,
        quiet: args.quiet,
        has_report: !args.no_report,
        json: args.common.json,
        bar: ProgressBar::hidden(),
    };
    let force = args.place.force;
    let (plan, mut settings, start, reopened, chosen) = match args.resume {
        None => {
            let (flags, start) = flags.with_start()?;
            let settings = flags.resolve()?;
            let plan = Plan::new(&settings, args.seeds.unwrap_or(1), args.ensemble)?;
            let chosen = run_folder::chosen(args.place, &FILES)?;
            (plan, settings, start, None, chosen)
        }
        Some(path) => {
            let folder = Folder::lock(path)?;
            let plan = Plan::read(&folder.path)?;
            let (settings, start) = plan.settings(flags)?;
            (plan, settings, start, Some(folder), None)
        }
    };
    let (seeds, ensemble) = (plan.seeds(&settings), plan.ensemble);
    let corpora = load(&mut settings, &seeds)?;
    let (corpus, _) = &corpora[0];
    plan.refuse_own_tests(settings.split, corpus)?;
    let folder = match reopened {
        Some(folder) => {
            plan.refuse_other(&corpus.fingerprint)?;
            folder
        }
        None => {
            let widths = settings.widths(corpus.train.features(), corpus.train.classes())?;
            let name = format!("{}-seeds", folder_name(corpus.source, &widths));
            let folder = run_folder::open(chosen, &name, force, &common.signals)?;
            plan.begin(&folder.path, &settings, &corpus.fingerprint)?;
            folder
        }
    };
    let mut all = open(&common, &folder.path, &settings, start, &corpora, &seeds)?;
    common.announce(&folder.path, &settings, corpus, &all)?;
    common.finish(&folder.path, &mut all, ensemble)
}

/// Loads the data set once, or where its test images are drawn by the seed, for each seed.
fn load(settings: &mut Settings, seeds: &[u64]) -> Result<Vec<(Corpus, Normalisation)>, Failure> {
    let first = setup::load_normalised(settings)?;
    let dir = &first.0.dir;
    settings.data = Some(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
    let mut all = vec![first];
    if all[0].0.is_split {
        for &seed in &seeds[1..] {
            all.push(setup::load_normalised(&settings.with_seed(seed))?);
        }
    }
    Ok(all)
}

/// Creates or opens the folder of each seed.
fn open<'a>(
    common: &Common<'_>,
    folder: &Path,
    settings: &Settings,
    start: Option<Start>,
    corpora: &'a [(Corpus, Normalisation)],
    seeds: &[u64],
) -> Result<Vec<Seed<'a>>, Failure> {
    let opened = seeds.iter().enumerate().map(|(i, &seed)| {
        let data = &corpora[i.min(corpora.len() - 1)];
        let settings = settings.with_seed(seed);
        Seed::open(common.engine, folder, settings, start.clone(), data)
    });
    opened.collect()
}

impl Common<'_> {
    /// Says what is about to be trained.
    fn announce(
        &self,
        folder: &Path,
        settings: &Settings,
        corpus: &Corpus,
        all: &[Seed<'_>],
    ) -> Result<(), Failure> {
        let setup = &all[0].setup;
        let (first, last) = (settings.training.seed, all[all.len() - 1].seed);
        let splits = &setup.splits;
        let complete = all.iter().filter(|seed| seed.is_complete()).count();
        if !self.quiet {
            let images = [&splits.train, &splits.val, &splits.test];
            let [train, val, test] = images.map(|part| grouped(part.len() as u64));
            output::remark(&format!(
                "{}: {train} images to train, {val} to validate, {test} to test",
                corpus.source
            ));
            notes(corpus).iter().for_each(|note| output::remark(note));
            output::remark(&format!(
                "nets {}, {}, seeds {first} to {last}; {}, {} at a time of {} {}",
                dashed(&setup.widths),
                settings.activation.name(),
                self.engine.isa.name(),
                self.threads.min(all.len()),
                (self.threads / all.len()).max(1),
                if self.threads / all.len() > 1 {
                    "threads"
                } else {
                    "thread"
                },
            ));
            if complete > 0 {
                output::remark(&format!("{complete} of them are complete already"));
            }
        }
        if !self.json {
            return Ok(());
        }
        let event = json!({
            "event": "start",
            "data_set": corpus.source.to_string(),
            "data_sha256": corpus.fingerprint,
            "images": [splits.train.len(), splits.val.len(), splits.test.len()],
            "widths": setup.widths,
            "seeds": all.iter().map(|seed| seed.seed).collect::<Vec<_>>(),
            "complete": complete,
            "epochs": settings.training.epochs,
            "threads": self.threads,
            "run": folder.display().to_string(),
        });
        output::result(&event.to_string())
    }

    /// Trains what is not complete, and writes the results.
    fn finish(&self, folder: &Path, all: &mut [Seed<'_>], ensemble: bool) -> Result<(), Failure> {
        let trained = self.train(all);
        self.bar.finish_and_clear();
        if trained.is_err() && !all.iter().any(Seed::is_saved) {
            // Resumed, they would fail in the same way.
            for name in [SEEDS, CONFIG] {
                let _ = fs::remove_file(folder.join(name));
            }
        }
        trained?;
        let complete = all.iter().filter(|seed| seed.is_trained()).count();
        match self.signals.caught() {
            Some(signal) if complete < all.len() => self.stop(signal, folder, complete, all),
            _ => self.conclude(folder, all, ensemble),
        }
    }

    /// Trains what is not complete: as many nets at a time as there are threads, which takes less
    /// time than all threads for one net after the other; the last ones share the threads.
    /// Returns early if a signal comes.
    fn train(&self, all: &mut [Seed<'_>]) -> Result<(), Failure> {
        let mut left: Vec<&mut Seed<'_>> =
            all.iter_mut().filter(|seed| !seed.is_complete()).collect();
        self.show(&left);
        while !left.is_empty() && self.signals.caught().is_none() {
            let group = left.drain(..left.len().min(self.threads)).collect();
            self.train_group(group)?;
        }
        Ok(())
    }

    /// Says how to resume the trainings that a signal has stopped.
    fn stop(
        &self,
        signal: Signal,
        folder: &Path,
        complete: usize,
        all: &[Seed<'_>],
    ) -> Result<(), Failure> {
        if self.json {
            let event = json!({
                "event": "stopped",
                "signal": signal.name(),
                "complete": complete,
                "run": folder.display().to_string(),
            });
            output::result(&event.to_string())?;
        }
        let (name, count) = (signal.name(), all.len());
        let how = resume_command(folder);
        let message =
            format!("stopped by {name}, {complete} of {count} seeds trained; to resume: {how}");
        Err(Failure::stopped(signal, message))
    }

    /// Trains some nets side by side.
    fn train_group(&self, group: Vec<&mut Seed<'_>>) -> Result<(), Failure> {
        let (runs, threads) = (group.len(), self.threads / group.len());
        let mut begun = vec![];
        for seed in group {
            let workspace = seed.setup.training_workspace(threads)?;
            begun.push((seed, workspace));
        }
        for (seed, workspace) in &begun {
            memory::require_for(&seed.setup, workspace, threads, seed.is_resumed(), runs)?;
        }
        let results: Vec<Result<(), Failure>> = thread::scope(|scope| {
            let trainings: Vec<_> = begun
                .into_iter()
                .map(|(seed, workspace)| {
                    let thread = thread::Builder::new().name(format!("seed {}", seed.seed));
                    thread.spawn_scoped(scope, move || seed.train(self, workspace, threads))
                })
                .collect();
            let ended = trainings.into_iter().map(|training| match training {
                Ok(training) => training
                    .join()
                    .unwrap_or_else(|why| panic::resume_unwind(why)),
                Err(error) => Err(Failure::new(format!("cannot train: {error}"))),
            });
            ended.collect()
        });
        results.into_iter().collect()
    }

    /// Shows how many of the epochs of these seeds have been made.
    fn show(&self, left: &[&mut Seed<'_>]) {
        if !self.quiet && !left.is_empty() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} epochs");
            self.bar
                .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        let epochs = left.iter().map(|seed| seed.epochs_left() as u64);
        self.bar.set_length(epochs.sum());
    }

    /// Writes all nets as one model, and evaluates it on the test images.
    fn ensemble(&self, folder: &Path, all: &[Seed<'_>]) -> Result<Evaluation, Failure> {
        let models = all.iter().map(|seed| model::read(&seed.folder.path));
        let models = models.collect::<Result<Vec<Model>, Failure>>()?;
        let members: Vec<(&Net, &Metadata)> = models
            .iter()
            .map(|model| (&model.net, &model.metadata))
            .collect();
        let bytes = encode_ensemble(&members).map_err(Failure::caused)?;
        files::write_atomic(&folder.join(ENSEMBLE), &bytes).map_err(Failure::caused)?;
        let setup = &all[0].setup;
        let mut workspace = setup.workspace(self.threads)?;
        Committee::new(models).evaluate(&mut workspace, &setup.splits.test)
    }

    /// Opens the test set for all nets, writes their files, the table and the best net, and
    /// prints the results.
    fn conclude(&self, folder: &Path, all: &mut [Seed<'_>], ensemble: bool) -> Result<(), Failure> {
        let mut rows: Vec<Row> = vec![];
        for seed in all.iter_mut() {
            rows.push(seed.test(self)?);
        }
        let keep = all[0].setup.settings.training.keep;
        let ensemble = match ensemble {
            true => Some(self.ensemble(folder, all)?),
            false => None,
        };
        let table = Table::new(rows, ensemble, keep);
        let best = &all[table.best()];
        let path = best.folder.path.join(MODEL);
        let model = fs::read(&path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        for (name, bytes) in [(SEEDS_TABLE, table.csv().into_bytes()), (MODEL, model)] {
            files::write_atomic(&folder.join(name), &bytes).map_err(Failure::caused)?;
        }
        fs::remove_file(folder.join(SEEDS)).map_err(|error| {
            Failure::new(format!(
                "cannot remove {SEEDS} from {}: {error}",
                folder.display()
            ))
        })?;
        match self.json {
            true => table
                .events(folder)
                .iter()
                .try_for_each(|event| output::result(event))?,
            false => output::result(&table.text())?,
        }
        if !self.quiet {
            output::remark(&format!(
                "\nwrote {}: the best network, seeds.csv, a folder for each seed",
                folder.display()
            ));
        }
        Ok(())
    }
}
