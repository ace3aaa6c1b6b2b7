//! `handwritten train`: from settings to a run folder.

use super::args::TrainArgs;
use super::machine::{Clock, Machine};
use super::plot::{LossCurves, confusion_svg, loss_png, loss_svg};
use super::progress::Progress;
use super::report::{self, dashed, grouped};
use super::saving::{CHECKPOINT, HISTORY, Identity, MODEL, Saved, Saver};
use super::settings::Settings;
use super::signals::Signals;
use super::{Failure, find_data, folder, isa, output};
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Dataset, Splits};
use handwritten::files::model::{self, Metadata};
use handwritten::files::{self, KnownDataset};
use handwritten::net::params_len;
use handwritten::training::diagnosis::{Monitor, Observation};
use handwritten::training::{Control, EpochReport, Observer, StepReport, TrainingState};
use handwritten::{Batch, Checkpoint, Evaluation, Isa, Net, Reduction, Workspace, resume};
use serde_json::json;
use std::fs;
use std::hint;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The files of a run.
const FILES: [&str; 7] = [
    MODEL,
    "config.toml",
    HISTORY,
    "loss.svg",
    "loss.png",
    "confusion.svg",
    "machine.toml",
];

/// Trains a net and writes its run, or goes on with one that was interrupted.
pub(super) fn run(args: TrainArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let isa = isa()?;
    let signals = Signals::listen()?;
    let every = Duration::try_from_secs_f64(args.checkpoint_every)
        .map_err(|_| Failure::usage("--checkpoint-every must be a number of seconds, 0 or more"))?;
    let flags = args.settings.flags()?;
    let force = args.place.force;
    let (mut settings, chosen, reopened) = match args.resume {
        None => {
            let settings = flags.resolve()?;
            let files: Vec<&str> = FILES.into_iter().chain([CHECKPOINT]).collect();
            (settings, folder::chosen(args.place, &files)?, None)
        }
        Some(path) => {
            let folder = folder::reopen(path)?;
            let saved = Saved::read(&folder.path)?;
            (saved.settings(&flags)?, None, Some((folder, saved)))
        }
    };
    args.common.pool()?.install(|| {
        let dir = find_data(settings.data.as_deref())?;
        let loaded = files::load(&dir).map_err(Failure::new)?;
        // So that config.toml repeats the run from any folder.
        settings.data = Some(std::path::absolute(&dir).unwrap_or(dir));
        let mut rng = generator(settings.training.seed, Stream::Split);
        let splits = Splits::new(&loaded.train, &loaded.test, settings.split, &mut rng)
            .map_err(Failure::new)?;
        let widths = settings.widths(loaded.train.features(), loaded.train.classes())?;
        refuse_without_memory(&widths)?;
        let identity = Identity {
            settings: settings.to_toml().map_err(Failure::new)?,
            data_sha256: loaded.fingerprint.clone(),
            is_fused: isa.is_fused(),
        };
        let (folder, saved) = match reopened {
            Some((folder, saved)) => {
                saved.refuse_other(&identity)?;
                (folder, Some(saved))
            }
            None => {
                let name = format!("{}-{}", file_name(loaded.source), dashed(&widths));
                (folder::open(chosen, &name, force)?, None)
            }
        };
        let job = Job {
            settings: &settings,
            splits: &splits,
            widths: &widths,
            classes: class_names(loaded.source, loaded.train.classes()),
            source: loaded.source,
            identity,
            folder: &folder.path,
            quiet: args.quiet,
            json: args.common.json,
            isa,
            every,
            signals,
        };
        job.run(&clock, saved)
    })
}

/// Numbers that are in memory for each parameter while a run is saved: three of
/// the run, of its copy and of the file each, a gradient of two workspaces each,
/// and what the diagnosis compares with.
const NUMBERS: usize = 12;

/// Refuses a net for which there is no memory, with which the run would be
/// aborted later.
fn refuse_without_memory(widths: &[usize]) -> Result<(), Failure> {
    let bytes = params_len(widths).saturating_mul(NUMBERS * size_of::<f32>());
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(bytes);
    // Else the compiler may find that nobody uses it, and reserve nothing.
    hint::black_box(&all);
    reserved.map_err(|_| {
        Failure::new(format!(
            "there is not the memory to train a net {}: it takes at least {} MiB",
            dashed(widths),
            grouped((bytes >> 20) as u64)
        ))
    })
}

/// Everything that a run needs.
struct Job<'a> {
    settings: &'a Settings,
    splits: &'a Splits<'a>,
    widths: &'a [usize],
    classes: Vec<String>,
    source: KnownDataset,
    identity: Identity,
    folder: &'a Path,
    quiet: bool,
    json: bool,
    isa: Isa,
    every: Duration,
    signals: Signals,
}

/// Follows a run: shows it, looks for what is wrong, saves it.
struct Follower {
    progress: Progress,
    watch: Monitor,
    saver: Saver,
    /// The failure of a save that the user knows of.
    told: Option<String>,
    signals: Signals,
    /// How often to save, and when it was done last.
    every: Duration,
    saved: Instant,
    /// Whether there is more on disk than how the run begins.
    has_begun: bool,
}

impl Follower {
    /// What to do now, if a save is wanted or not.
    fn then(&self, is_time: bool) -> Control {
        match (self.signals.caught(), is_time) {
            (Some(_), _) => Control::SaveAndStop,
            (None, true) => Control::Save,
            (None, false) => Control::Continue,
        }
    }

    /// Says, once, that saves fail: meanwhile there may be a remedy.
    fn tell_failure(&mut self) {
        let failure = self.saver.failure();
        if let Some(failure) = failure.as_ref().filter(|_| failure != self.told) {
            self.progress.warn(failure);
        }
        self.told = failure;
    }
}

impl Observer for Follower {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.watch.start(now);
        self.progress.start();
    }

    fn on_step(&mut self, step: &StepReport) -> Control {
        self.progress.step(step);
        let since = self.progress.step_ended() - self.saved;
        self.then(since >= self.every)
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        let look = self.watch.observe(epoch, now);
        self.progress.epoch(epoch, look);
        self.tell_failure();
        self.then(true)
    }

    fn on_save(&mut self, run: &Checkpoint) {
        let is_last = self.signals.caught().is_some();
        self.saver.save(run, &self.watch, is_last);
        self.has_begun = true;
        self.saved = Instant::now();
    }
}

impl Job<'_> {
    fn run(&self, clock: &Clock, saved: Option<Saved>) -> Result<(), Failure> {
        let threads = rayon::current_num_threads();
        let config = &self.settings.training;
        self.announce(threads, saved.as_ref())?;

        let workspace = |threads| Workspace::new(self.widths, threads).with_isa(self.isa);
        let mut watch = Monitor::new(workspace(1));
        let mut workspace = workspace(threads);
        let resumed_after = saved.as_ref().map(|saved| saved.run.history.len());
        let mut run = match saved {
            Some(mut saved) => {
                saved.restore(&mut watch)?;
                // Older checkpoints do not hold them.
                saved.run.config.defects = config.defects;
                saved.run
            }
            None => {
                let mut rng = generator(config.seed, Stream::Weights);
                let (activation, init) = (self.settings.activation, self.settings.init);
                let net = Net::random(self.widths, activation, init, &mut rng);
                Checkpoint::new(net, *config)
            }
        };
        let (folder, identity) = (self.folder.to_path_buf(), self.identity.clone());
        let mut follower = Follower {
            saver: Saver::start(folder, identity, &run, &watch)?,
            told: None,
            progress: Progress::new(config.epochs, self.quiet, self.json),
            watch,
            signals: self.signals.clone(),
            every: self.every,
            saved: Instant::now(),
            has_begun: resumed_after.is_some(),
        };
        let began = clock.seconds();
        let Splits {
            train: training,
            val,
            test,
        } = self.splits;
        let result = resume(&mut run, training, val, &mut workspace, &mut follower);
        let ended = clock.seconds();
        let printed = follower.progress.finish();
        follower.saver.finish();
        if result.is_err() && !follower.has_begun {
            // Whoever goes on from there ends here.
            let _ = fs::remove_file(self.folder.join(CHECKPOINT));
        }
        result.map_err(Failure::not_finite)?;
        if !run.is_complete() {
            return match follower.saver.failure() {
                Some(failure) => Err(Failure::new(failure)),
                None => self.stop(&run),
            };
        }
        follower.tell_failure();

        // The only time that the test images are looked at.
        let test = workspace.evaluate(run.best.view(), test, config.objective());
        let seconds = follower.progress.seconds;
        let times = (began, ended);
        let machine = Machine::new(clock, self.isa, threads, resumed_after, times, seconds);
        let written = self.write(&run, follower.watch.observations(), &test, &machine);
        // Not before the run is safe.
        printed?;
        self.conclude(&run, &test, &machine)?;
        written?;
        if !self.quiet {
            output::remark(&format!(
                "\nwrote {}: best network, history, plots, settings",
                self.folder.display()
            ));
        }
        Ok(())
    }

    /// A signal has ended the run for now.
    fn stop(&self, run: &Checkpoint) -> Result<(), Failure> {
        let Some(signal) = self.signals.caught() else {
            return Ok(());
        };
        if self.json {
            let event = json!({
                "event": "stopped",
                "signal": signal.name(),
                "epochs": run.history.len(),
                "steps": run.step,
                "run": self.folder.display().to_string(),
            });
            output::result(&event.to_string())?;
        }
        Err(Failure::stopped(
            signal,
            format!(
                "stopped by {} after {} epochs and {} steps; to go on: {}",
                signal.name(),
                run.history.len(),
                run.step,
                folder::resuming(self.folder)
            ),
        ))
    }

    /// What is about to be trained, and on what.
    fn announce(&self, threads: usize, saved: Option<&Saved>) -> Result<(), Failure> {
        let config = &self.settings.training;
        let Splits { train, val, test } = self.splits;
        let params = params_len(self.widths);
        let data = self.settings.data.as_deref().unwrap_or(Path::new(""));
        if !self.quiet {
            let batch = match config.batch {
                Batch::Full => "full batch".to_string(),
                Batch::Mini(size) => format!("mini-batches of {size}"),
            };
            output::remark(&format!(
                "{} from {}: {} images to train, {} to validate, {} to test",
                self.source,
                from_here(data).display(),
                grouped(train.len() as u64),
                grouped(val.len() as u64),
                grouped(test.len() as u64),
            ));
            output::remark(&format!(
                "net {}, {}, {} parameters; {batch}, seed {}; {}, {}",
                dashed(self.widths),
                self.settings.activation.name(),
                grouped(params as u64),
                config.seed,
                self.isa.name(),
                if threads == 1 {
                    "1 thread".to_string()
                } else {
                    format!("{threads} threads")
                },
            ));
            if let Some(Saved { run, .. }) = saved {
                output::remark(&format!(
                    "going on after {} epochs and {} steps",
                    run.history.len(),
                    run.step
                ));
            }
        }
        if self.json {
            let event = json!({
                "event": "start",
                "data": data.display().to_string(),
                "data_set": self.source.to_string(),
                "data_sha256": self.identity.data_sha256,
                "images": [train.len(), val.len(), test.len()],
                "widths": self.widths,
                "parameters": params,
                "seed": config.seed,
                "epochs": config.epochs,
                "threads": threads,
                "run": self.folder.display().to_string(),
            });
            output::result(&event.to_string())?;
        }
        Ok(())
    }

    /// Writes the files of the run, each whole or not at all.
    fn write(
        &self,
        outcome: &Checkpoint,
        looks: &[Observation],
        test: &Evaluation,
        machine: &Machine,
    ) -> Result<(), Failure> {
        let config = &self.settings.training;
        let history = &outcome.history;
        let train_data: &Dataset = self.splits.train.dataset();
        let best = &history[outcome.best_epoch - 1];
        let about = Metadata {
            image: (train_data.rows(), train_data.columns()),
            classes: self.classes.clone(),
            data: self.source.to_string(),
            data_sha256: self.identity.data_sha256.clone(),
            split: self.settings.split,
            seed: config.seed,
            reduction: config.reduction,
            best_epoch: outcome.best_epoch,
            val_loss: best.val_loss,
        };
        let title = format!("{}, {}", self.source, dashed(self.widths));
        // Sums over sets of different sizes do not fit into one picture, so it
        // shows means whatever the reduction.
        let Splits { train, val, .. } = self.splits;
        let means = |loss: fn(&EpochReport) -> f64, images: usize| -> Vec<f64> {
            let scale = Reduction::Mean.scale(images) / config.reduction.scale(images);
            history.iter().map(|row| loss(row) * scale).collect()
        };
        let epochs: Vec<usize> = history.iter().map(|row| row.epoch).collect();
        let curves = LossCurves {
            title: &title,
            y_label: "Cross-entropy (mean per image, nats)",
            epochs: &epochs,
            train: &means(|row| row.train_loss, train.len()),
            val: &means(|row| row.val_loss, val.len()),
            best_epoch: outcome.best_epoch,
        };
        let confusion_title = format!(
            "{title}: {:.2} % of the test images",
            100.0 * test.confusion.accuracy()
        );
        let confusion = confusion_svg(&confusion_title, &self.classes, test.confusion.counts());
        let png = loss_png(&curves).map_err(Failure::new)?;
        let machine = toml::to_string(machine).map_err(Failure::new)?;
        let contents = [
            model::encode(&outcome.best, &about).map_err(Failure::new)?,
            self.identity.settings.clone().into_bytes(),
            report::history_csv(history, looks).into_bytes(),
            loss_svg(&curves).into_bytes(),
            png,
            confusion.into_bytes(),
            machine.into_bytes(),
        ];
        for (name, bytes) in FILES.iter().zip(contents) {
            files::write_atomic(&self.folder.join(name), &bytes).map_err(Failure::new)?;
        }
        // Nothing is left to go on with.
        match fs::remove_file(self.folder.join(CHECKPOINT)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::new(format!(
                "cannot remove {CHECKPOINT} from {}: {error}",
                self.folder.display()
            ))),
            _ => Ok(()),
        }
    }

    /// What came of it.
    fn conclude(
        &self,
        outcome: &Checkpoint,
        test: &Evaluation,
        machine: &Machine,
    ) -> Result<(), Failure> {
        let best = &outcome.history[outcome.best_epoch - 1];
        if self.json {
            let mut event = report::test_json(test, &self.classes);
            event["best_epoch"] = json!(outcome.best_epoch);
            event["val_loss"] = json!(best.val_loss);
            event["run"] = json!(self.folder.display().to_string());
            output::result(&event.to_string())?;
        } else {
            output::result(&format!(
                "\nlowest validation loss {:.5} after epoch {} of {}; trained for {:.1} s{}",
                best.val_loss,
                outcome.best_epoch,
                outcome.history.len(),
                machine.training_seconds,
                match machine.resumed_after_epochs {
                    Some(_) => " since it went on",
                    None => "",
                }
            ))?;
            output::result(&report::test_text(test, &self.classes))?;
        }
        Ok(())
    }
}

/// A path as it reads from the working folder.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_path_buf()
}

/// How a data set is called in the names of folders.
fn file_name(source: KnownDataset) -> &'static str {
    match source {
        KnownDataset::Mnist => "mnist",
        KnownDataset::FashionMnist => "fashion-mnist",
        _ => "images",
    }
}

/// The names of the classes: for Fashion-MNIST those of its authors, else the
/// labels.
fn class_names(source: KnownDataset, classes: usize) -> Vec<String> {
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
    match source {
        KnownDataset::FashionMnist => FASHION.map(String::from).to_vec(),
        _ => (0..classes).map(|class| class.to_string()).collect(),
    }
}
