//! `handwritten train`: from settings to a run folder.

use super::args::TrainArgs;
use super::model::{self, Origin};
use super::plot::{LossCurves, confusion_svg, loss_png, loss_svg};
use super::progress::Progress;
use super::report::{self, grouped};
use super::settings::{Flags, Settings};
use super::{Failure, output};
use crate::data::{Dataset, Splits};
use crate::init::{Stream, generator};
use crate::io::{self, Source};
use crate::train::Outcome;
use crate::{Batch, Isa, Net, Reduction, Workspace, train};
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Trains a net and writes its run.
pub(super) fn run(args: TrainArgs) -> Result<(), Failure> {
    let file = args.config.as_deref().map(Flags::read).transpose()?;
    let mut settings = args.flags.or(file.unwrap_or_default()).resolve()?;
    let named = match (args.out, args.name) {
        (Some(out), _) => Some(out),
        (None, Some(name)) => Some(run_named(&name)?),
        (None, None) => None,
    };
    if let Some(folder) = named.as_deref().filter(|_| !args.force) {
        refuse_a_full_folder(folder)?;
    }
    let pool = args.common.pool()?;
    pool.install(|| {
        let began = Clock::start();
        let dir = io::find(settings.data.as_deref()).map_err(Failure::new)?;
        let loaded = io::load(&dir).map_err(Failure::new)?;
        settings.data = Some(dir);
        let mut rng = generator(settings.training.seed, Stream::Split);
        let splits = Splits::new(&loaded.train, &loaded.test, settings.split, &mut rng)
            .map_err(Failure::new)?;
        let mut widths = vec![loaded.train.features()];
        widths.extend(&settings.hidden);
        widths.push(loaded.train.classes());

        let folder = match named {
            Some(folder) => make_folder(&folder).map(|()| folder),
            None => next_folder(loaded.source, &widths),
        }?;
        let job = Job {
            settings: &settings,
            splits: &splits,
            widths: &widths,
            classes: class_names(loaded.source, loaded.train.classes()),
            source: loaded.source,
            fingerprint: &loaded.fingerprint,
            folder: &folder,
            quiet: args.quiet,
            json: args.common.json,
        };
        job.run(&began).inspect_err(|_| {
            // Succeeds only if nothing is in it.
            let _ = fs::remove_dir(&folder);
        })
    })
}

/// Everything that a run needs.
struct Job<'a> {
    settings: &'a Settings,
    splits: &'a Splits<'a>,
    widths: &'a [usize],
    classes: Vec<String>,
    source: Source,
    fingerprint: &'a str,
    folder: &'a Path,
    quiet: bool,
    json: bool,
}

impl Job<'_> {
    fn run(&self, began: &Clock) -> Result<(), Failure> {
        let threads = rayon::current_num_threads();
        let config = &self.settings.training;
        self.announce(threads)?;

        let mut rng = generator(config.seed, Stream::Weights);
        let (activation, init) = (self.settings.activation, self.settings.init);
        let mut net = Net::random(self.widths, activation, init, &mut rng);
        let mut workspace = Workspace::new(self.widths, threads);
        let mut progress = Progress::new(config.epochs, self.quiet, self.json);
        let ready = began.seconds();
        let Splits {
            train: training,
            val,
            test,
        } = self.splits;
        let outcome = train(
            &mut net,
            training,
            val,
            config,
            &mut workspace,
            &mut progress,
        );
        progress.finish()?;
        let outcome = outcome.map_err(Failure::not_finite)?;
        let trained = began.seconds();

        // The only time that the test images are looked at.
        let test = workspace.evaluate(outcome.best.view(), test, config.reduction);
        let machine = Machine {
            started: began.timestamp(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            instruction_set: Isa::detect().name().to_string(),
            fused_multiply_add: Isa::detect().is_fused(),
            threads,
            ready_after_seconds: ready,
            training_seconds: trained - ready,
            epoch_seconds: progress.seconds,
        };
        self.write(&outcome, &test, &machine)?;
        self.conclude(&outcome, &test, trained - ready)
    }

    /// What is about to be trained, and on what.
    fn announce(&self, threads: usize) -> Result<(), Failure> {
        let config = &self.settings.training;
        let Splits { train, val, test } = self.splits;
        let params = crate::net::params_len(self.widths);
        let data = self.settings.data.as_deref().unwrap_or(Path::new(""));
        if !self.quiet {
            let batch = match config.batch {
                Batch::Full => "full batch".to_string(),
                Batch::Mini(size) => format!("mini-batches of {size}"),
            };
            output::remark(&format!(
                "{} from {}: {} images to train, {} to validate, {} to test",
                self.source,
                data.display(),
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
                Isa::detect().name(),
                if threads == 1 {
                    "1 thread".to_string()
                } else {
                    format!("{threads} threads")
                },
            ));
        }
        if self.json {
            let event = json!({
                "event": "start",
                "data": data.display().to_string(),
                "data_set": self.source.to_string(),
                "data_sha256": self.fingerprint,
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
        outcome: &Outcome,
        test: &crate::Evaluation,
        machine: &Machine,
    ) -> Result<(), Failure> {
        let config = &self.settings.training;
        let history = &outcome.history;
        let train_data: &Dataset = self.splits.train.dataset();
        let best = &history[outcome.best_epoch - 1];
        let origin = Origin {
            image: (train_data.rows(), train_data.columns()),
            classes: &self.classes,
            data: self.source.to_string(),
            data_sha256: self.fingerprint.to_string(),
            split: self.settings.split,
            seed: config.seed,
            best_epoch: outcome.best_epoch,
            val_loss: best.val_loss,
        };
        let title = format!("{}, {}", self.source, dashed(self.widths));
        let column =
            |value: fn(&crate::train::Epoch) -> f64| history.iter().map(value).collect::<Vec<_>>();
        let epochs: Vec<usize> = history.iter().map(|row| row.epoch).collect();
        let curves = LossCurves {
            title: &title,
            y_label: match config.reduction {
                Reduction::Mean => "Cross-entropy (mean, nats)",
                Reduction::Sum => "Cross-entropy (sum, nats)",
            },
            epochs: &epochs,
            train: &column(|row| row.train_loss),
            val: &column(|row| row.val_loss),
            best_epoch: outcome.best_epoch,
        };
        let confusion_title = format!(
            "{title}: {:.2} % of the test images",
            100.0 * test.confusion.accuracy()
        );
        let confusion = confusion_svg(&confusion_title, &self.classes, test.confusion.counts());
        let png = loss_png(&curves).map_err(Failure::new)?;
        let machine = toml::to_string(machine).map_err(Failure::new)?;
        for (name, bytes) in [
            ("config.toml", self.settings.to_toml()?.into_bytes()),
            ("history.csv", report::history_csv(history).into_bytes()),
            ("loss.svg", loss_svg(&curves).into_bytes()),
            ("loss.png", png),
            ("confusion.svg", confusion.into_bytes()),
            ("machine.toml", machine.into_bytes()),
            ("model.safetensors", model::encode(&outcome.best, origin)?),
        ] {
            io::write_atomic(&self.folder.join(name), &bytes).map_err(Failure::new)?;
        }
        Ok(())
    }

    /// What came of it.
    fn conclude(
        &self,
        outcome: &Outcome,
        test: &crate::Evaluation,
        seconds: f64,
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
                "\nlowest validation loss {:.5} after epoch {} of {}; trained for {seconds:.1} s",
                best.val_loss,
                outcome.best_epoch,
                outcome.history.len()
            ))?;
            output::result(&report::test_text(test, &self.classes))?;
        }
        if !self.quiet {
            output::remark(&format!(
                "\nwrote {}: best network, history, plots, settings",
                self.folder.display()
            ));
        }
        Ok(())
    }
}

/// What depends on the machine and the moment; nothing else that a run writes
/// does.
#[derive(Serialize)]
struct Machine {
    started: String,
    version: String,
    target: String,
    instruction_set: String,
    fused_multiply_add: bool,
    threads: usize,
    ready_after_seconds: f64,
    training_seconds: f64,
    epoch_seconds: Vec<f64>,
}

/// When the program began, and how long ago.
struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    fn start() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    fn seconds(&self) -> f64 {
        self.instant.elapsed().as_secs_f64()
    }

    fn timestamp(&self) -> String {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        chrono::DateTime::from_timestamp(seconds, 0)
            .map_or_else(String::new, |time| time.to_rfc3339())
    }
}

/// The folder of a run of that name.
fn run_named(name: &str) -> Result<PathBuf, Failure> {
    let plain = Path::new(name).file_name() == Some(name.as_ref());
    if plain {
        Ok(Path::new("runs").join(name))
    } else {
        Err(Failure::usage(format!(
            "--name must be a plain name, not \"{name}\"; --out takes a path"
        )))
    }
}

fn refuse_a_full_folder(folder: &Path) -> Result<(), Failure> {
    let full = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => folder.symlink_metadata().is_ok(),
    };
    if full {
        return Err(Failure::new(format!(
            "{} exists and is not an empty folder: choose another with --out, or overwrite the run in it with --force",
            folder.display()
        )));
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))
}

/// A new folder in `runs`, named after data and net, numbered from the second
/// of the same name on.
fn next_folder(source: Source, widths: &[usize]) -> Result<PathBuf, Failure> {
    let runs = Path::new("runs");
    make_folder(runs)?;
    let data = match source {
        Source::Mnist => "mnist",
        Source::FashionMnist => "fashion-mnist",
        Source::Unknown => "images",
    };
    let base = format!("{data}-{}", dashed(widths));
    for number in 1.. {
        let folder = runs.join(if number == 1 {
            base.clone()
        } else {
            format!("{base}.{number}")
        });
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Failure::new(format!(
                    "cannot make {}: {error}",
                    folder.display()
                )));
            }
            Ok(()) => return Ok(folder),
        }
    }
    unreachable!("a folder cannot hold all numbers")
}

/// The widths of a net as people write them: 784-128-10.
fn dashed(widths: &[usize]) -> String {
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    widths.join("-")
}

/// The names of the classes: for Fashion-MNIST those of its authors, else the
/// labels.
fn class_names(source: Source, classes: usize) -> Vec<String> {
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
        Source::FashionMnist => FASHION.map(String::from).to_vec(),
        _ => (0..classes).map(|class| class.to_string()).collect(),
    }
}
