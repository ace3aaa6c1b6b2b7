//! `handwritten explain`: why the net of the question did not learn.

use super::args::{ExplainArgs, SettingsArgs};
use super::plot::{LossCurves, accuracy_svg, loss_png, loss_svg};
use super::settings::Settings;
use super::{Failure, find_data, folder, isa, output};
use anstyle::Style;
use clap::Parser;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Splits;
use handwritten::files;
use handwritten::training::diagnosis::{Finding, Monitor};
use handwritten::training::{Control, EpochReport, NonFiniteError, TrainingState};
use handwritten::{Isa, Net, Observer, Workspace, train};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

const BOLD: Style = Style::new().bold();

/// The files that it leaves.
const FILES: [&str; 6] = [
    "question.svg",
    "question.png",
    "repairs-1.svg",
    "repairs-128.svg",
    "tried.svg",
    "runs.csv",
];

/// What was published about an epoch, which the question counts from 0.
struct Published {
    line: &'static str,
    epoch: usize,
    train_loss: f64,
    val_loss: f64,
    /// From 0 to 1.
    accuracy: f64,
}

const SUM: &str = "--recipe question-sum";
const MEAN: &str = "--recipe question";
const PUBLISHED: [Published; 4] = [
    Published {
        line: SUM,
        epoch: 0,
        train_loss: 798_288.753_771_431_9,
        val_loss: 54_096.504_099_671_97,
        accuracy: 0.121,
    },
    Published {
        line: SUM,
        epoch: 49,
        train_loss: 797_869.389_223_322_3,
        val_loss: 54_061.020_634_629_69,
        accuracy: 0.2126,
    },
    Published {
        line: MEAN,
        epoch: 0,
        train_loss: 2.303_327_661_318_069_5,
        val_loss: 2.302_157_233_965_492_5,
        accuracy: 0.1096,
    },
    Published {
        line: MEAN,
        epoch: 199,
        train_loss: 2.291_698_348_153_564_4,
        val_loss: 2.291_534_301_644_172_7,
        accuracy: 0.2106,
    },
];

/// The three mistakes of which each alone keeps a net of 128 units from
/// learning, in all combinations of their repairs.
const REPAIRS: [&str; 8] = [
    "",
    "+gradient",
    "+velocity",
    "+init",
    "+gradient+velocity",
    "+gradient+init",
    "+velocity+init",
    "+gradient+velocity+init",
];

/// What the question says was tried: one change each.
const TRIED: [(&str, &str); 8] = [
    (
        "500 hidden units",
        "--recipe question --epochs 10 --hidden 500",
    ),
    (
        "three hidden layers",
        "--recipe question --epochs 20 --hidden 100,100,100",
    ),
    ("ten times the rate", "--recipe question --epochs 20 --lr 6"),
    (
        "a tenth of the rate",
        "--recipe question --epochs 20 --lr 0.06",
    ),
    ("momentum 0", "--recipe question --epochs 20 --momentum 0"),
    (
        "momentum 0.5",
        "--recipe question --epochs 20 --momentum 0.5",
    ),
    (
        "momentum 0.99",
        "--recipe question --epochs 20 --momentum 0.99",
    ),
    ("relu", "--recipe question --epochs 20 --activation relu"),
];

/// What is left to choose once everything is mended.
const MENDED: [(&str, &str); 2] = [
    ("50 full batches", "--recipe mended"),
    ("20 epochs of mini-batches", "--hidden 128 --epochs 20"),
];

/// The arguments of `train` for a repair at one width.
fn repaired(repair: &str, hidden: usize) -> String {
    format!("--recipe question{repair} --epochs 20 --hidden {hidden}")
}

/// Trains everything, and says what came of it.
pub(super) fn run(args: ExplainArgs) -> Result<(), Failure> {
    let isa = isa()?;
    let force = args.place.force;
    let chosen = folder::chosen(args.place, &FILES)?;
    // Before the trainings, which take a minute.
    let folder = folder::open(chosen, "explain", force)?;
    folder.try_writing()?;
    args.common.pool()?.install(|| {
        let dir = find_data(args.data.as_deref())?;
        let data = files::load(&dir).map_err(Failure::new)?;
        let mut lines = vec![SUM.to_string(), MEAN.to_string()];
        for hidden in [1, 128] {
            lines.extend(REPAIRS.iter().map(|repair| repaired(repair, hidden)));
        }
        let others = TRIED.iter().chain(&MENDED);
        lines.extend(others.map(|(_, line)| line.to_string()));
        let runs = train_all(isa, &data, &lines, args.seed, args.quiet)?;
        let report = Report { runs };
        let written = report.write(&folder.path);
        report.print(args.common.json)?;
        written?;
        if !args.quiet {
            output::remark(&format!(
                "\nwrote {}: pictures, all curves",
                folder.path.display()
            ));
        }
        Ok(())
    })
}

/// One training.
struct Run {
    /// The arguments of `train` that make it.
    line: String,
    hidden: Vec<usize>,
    history: Vec<EpochReport>,
    /// What its diagnosis found.
    found: Vec<Finding>,
    /// Why it ended early.
    error: Option<NonFiniteError>,
}

/// Parses a line of arguments as `train` does.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Keeps the history, and the findings.
struct Notes {
    watch: Monitor,
    history: Vec<EpochReport>,
}

impl Observer for Notes {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.watch.start(now);
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        self.watch.observe(epoch, now);
        self.history.push(*epoch);
        Control::Continue
    }
}

/// Trains with each line of arguments: one run a thread, the longest first.
fn train_all(
    isa: Isa,
    data: &files::Corpus,
    lines: &[String],
    seed: u64,
    quiet: bool,
) -> Result<Vec<Run>, Failure> {
    let mut settings = vec![];
    for line in lines {
        let parsed = Line::try_parse_from(["train"].into_iter().chain(line.split(' ')));
        let mut parsed = parsed.map_err(Failure::usage)?.settings.resolve()?;
        parsed.training.seed = seed;
        settings.push((line, parsed));
    }
    let work = |settings: &Settings| {
        let units: usize = settings.hidden.iter().sum();
        settings.training.epochs * (units + 20)
    };
    settings.sort_by_key(|(_, settings)| std::cmp::Reverse(work(settings)));

    let bar = ProgressBar::hidden();
    if !quiet {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} trainings");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
    bar.set_length(settings.len() as u64);
    let (next, runs) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    rayon::broadcast(|_| {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some((line, settings)) = settings.get(i) else {
                break;
            };
            let run = train_one(isa, data, line, settings);
            let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.push((i, run));
            bar.inc(1);
        }
    });
    bar.finish_and_clear();
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Not in the order in which they happened to end.
    runs.sort_by_key(|&(i, _)| i);
    runs.into_iter().map(|(_, run)| run).collect()
}

fn train_one(
    isa: Isa,
    data: &files::Corpus,
    line: &str,
    settings: &Settings,
) -> Result<Run, Failure> {
    let config = &settings.training;
    let mut rng = generator(config.seed, Stream::Split);
    let splits = Splits::new(&data.train, &data.test, settings.split, &mut rng);
    let splits = splits.map_err(Failure::new)?;
    let widths = settings.widths(data.train.features(), data.train.classes())?;
    let mut rng = generator(config.seed, Stream::Weights);
    let mut net = Net::random(&widths, settings.activation, settings.init, &mut rng);
    let mut workspace = Workspace::new(&widths, 1).with_isa(isa);
    let mut notes = Notes {
        watch: Monitor::new(workspace.clone()),
        history: vec![],
    };
    let Splits {
        train: training,
        val,
        ..
    } = &splits;
    let outcome = train(&mut net, training, val, config, &mut workspace, &mut notes);
    Ok(Run {
        line: line.to_string(),
        hidden: settings.hidden.clone(),
        history: notes.history,
        found: notes.watch.findings().to_vec(),
        error: outcome.err().and_then(|error| error.non_finite()),
    })
}

impl Run {
    /// The share of validation images that it classifies at last; none if its
    /// loss overflowed.
    fn accuracy(&self) -> Option<f64> {
        let last = self.history.last().filter(|_| self.error.is_none());
        last.map(|row| row.val_accuracy)
    }

    fn shown(&self) -> String {
        match (self.accuracy(), self.error) {
            (Some(accuracy), _) => percent(accuracy),
            (None, error) => match error {
                Some(error) => format!("overflows in epoch {}", error.epoch),
                None => "no epoch".to_string(),
            },
        }
    }

    fn findings(&self) -> String {
        let names: Vec<&str> = self.found.iter().map(Finding::name).collect();
        match names[..] {
            [] => "nothing".to_string(),
            _ => names.join(", "),
        }
    }

    fn curve(&self) -> Vec<f64> {
        self.history.iter().map(|row| row.val_accuracy).collect()
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A repair as a table names it.
fn spelt(repair: &str) -> String {
    match repair.trim_start_matches('+') {
        "" => "nothing".to_string(),
        mended => mended.replace('+', " + "),
    }
}

/// All runs, to be told of.
struct Report {
    runs: Vec<Run>,
}

impl Report {
    /// The run that these arguments made.
    fn of(&self, line: &str) -> Result<&Run, Failure> {
        let found = self.runs.iter().find(|run| run.line == line);
        found.ok_or_else(|| Failure::new(format!("no run of {line}")))
    }

    fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            for run in &self.runs {
                let names: Vec<&str> = run.found.iter().map(Finding::name).collect();
                let event = json!({
                    "event": "run",
                    "train": run.line,
                    "hidden": run.hidden,
                    "epochs": run.history.len(),
                    "val_accuracy": run.accuracy(),
                    "val_loss": run.history.last().map(|row| row.val_loss),
                    "findings": names,
                });
                output::result(&event.to_string())?;
            }
            return Ok(());
        }
        let parts = [
            self.published()?,
            self.repairs()?,
            self.tried()?,
            self.mended()?,
        ];
        output::result(&parts.join("\n\n"))
    }

    /// The run that did not learn, beside what its author saw.
    fn published(&self) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}The run as it was published, and here{BOLD:#}\n\n\
             {:<30}{:<8}{:<17}{:>12}{:>12}",
            "train", "epoch", "", "published", "here"
        );
        for published in &PUBLISHED {
            let run = self.of(published.line)?;
            let Some(row) = run.history.get(published.epoch) else {
                return Err(Failure::new(format!("{} ended early", run.line)));
            };
            let loss = |loss: f64| match loss {
                loss if loss < 100.0 => format!("{loss:.5}"),
                loss => format!("{loss:.2}"),
            };
            let (mut line, mut epoch) = (published.line, format!("E({})", published.epoch));
            for (name, theirs, ours) in [
                (
                    "training loss",
                    loss(published.train_loss),
                    loss(row.train_loss),
                ),
                (
                    "validation loss",
                    loss(published.val_loss),
                    loss(row.val_loss),
                ),
                (
                    "accuracy",
                    percent(published.accuracy),
                    percent(row.val_accuracy),
                ),
            ] {
                let _ = write!(
                    text,
                    "\n{line:<30}{epoch:<8}{name:<17}{theirs:>12}{ours:>12}"
                );
                (line, epoch) = ("", String::new());
            }
        }
        Ok(text)
    }

    /// The three mistakes, mended in all combinations.
    fn repairs(&self) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}Its mistakes mended, alone and together: validation accuracy after 20 full \
             batches{BOLD:#}\n\n{:<28}{:>14}{:>19}  {}",
            "mended", "1 hidden unit", "128 hidden units", "what train says of the latter"
        );
        for repair in REPAIRS {
            let [one, many] = [1, 128].map(|hidden| self.of(&repaired(repair, hidden)));
            let (one, many) = (one?, many?);
            let _ = write!(
                text,
                "\n{:<28}{:>14}{:>19}  {}",
                spelt(repair),
                one.shown(),
                many.shown(),
                many.findings()
            );
        }
        let last = |repair: &str, hidden| {
            let run = self.of(&repaired(repair, hidden))?;
            Ok::<_, Failure>(run.accuracy().unwrap_or(0.0))
        };
        let [.., all] = REPAIRS;
        let (mut highest, mut costs) = (0.0, vec![]);
        for (mended, others) in [
            ("+gradient", "+velocity+init"),
            ("+velocity", "+gradient+init"),
            ("+init", "+gradient+velocity"),
        ] {
            for hidden in [1, 128] {
                let curve = self.of(&repaired(mended, hidden))?.curve();
                highest = curve.into_iter().fold(highest, f64::max);
            }
            let cost = last(all, 128)? - last(others, 128)?;
            costs.push(format!("{} {:.1}", spelt(mended), 100.0 * cost));
        }
        let _ = write!(
            text,
            "\n\nNo single repair passes {} in any epoch, with one unit or with 128.\n\
             Left as the only mistake among 128 units, each costs so many points: {}.\n\
             Each figure is that of train --recipe question+REPAIRS --epochs 20 --hidden UNITS.",
            percent(highest),
            costs.join(", ")
        );
        Ok(text)
    }

    fn tried(&self) -> Result<String, Failure> {
        let title = "What was tried: one change each to the run as it was";
        self.list(title, &TRIED)
    }

    fn mended(&self) -> Result<String, Failure> {
        self.list("With everything mended, 128 hidden units", &MENDED)
    }

    fn list(&self, title: &str, lines: &[(&str, &str)]) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}{title}{BOLD:#}\n\n{:<34}{:>22}  {}",
            "", "validation accuracy", "what train says"
        );
        for (name, line) in lines {
            let run = self.of(line)?;
            let _ = write!(text, "\n{name:<34}{:>22}  {}", run.shown(), run.findings());
        }
        for (name, line) in lines {
            let _ = write!(text, "\n{name}: train {line}");
        }
        Ok(text)
    }

    /// Writes the pictures and all curves.
    fn write(&self, folder: &std::path::Path) -> Result<(), Failure> {
        let history = &self.of(MEAN)?.history;
        let epochs: Vec<usize> = history.iter().map(|row| row.epoch).collect();
        let curves = LossCurves {
            title: "The question's run: its loss stays at ln 10 = 2.303",
            y_label: "Cross-entropy (mean per image, nats)",
            epochs: &epochs,
            train: &history.iter().map(|row| row.train_loss).collect::<Vec<_>>(),
            val: &history.iter().map(|row| row.val_loss).collect::<Vec<_>>(),
            best_epoch: 0,
        };
        let repairs = |hidden: usize, title| {
            let names = REPAIRS.map(spelt);
            let mut runs = vec![];
            for (name, repair) in names.iter().zip(REPAIRS) {
                runs.push((name.as_str(), self.of(&repaired(repair, hidden))?.curve()));
            }
            Ok::<_, Failure>(accuracy_svg(title, &runs))
        };
        let mut tried = vec![];
        for (name, line) in TRIED {
            tried.push((name, self.of(line)?.curve()));
        }
        let contents = [
            loss_svg(&curves).into_bytes(),
            loss_png(&curves).map_err(Failure::new)?,
            repairs(1, "Mistakes mended, one hidden unit")?.into_bytes(),
            repairs(128, "Mistakes mended, 128 hidden units")?.into_bytes(),
            accuracy_svg("What was tried, one change each", &tried).into_bytes(),
            self.csv().into_bytes(),
        ];
        for (name, bytes) in FILES.iter().zip(contents) {
            files::write_atomic(&folder.join(name), &bytes).map_err(Failure::new)?;
        }
        Ok(())
    }

    /// Every epoch of every run.
    fn csv(&self) -> String {
        let mut csv = "train,epoch,train_loss,val_loss,val_accuracy\n".to_string();
        for Run { line, history, .. } in &self.runs {
            for row in history {
                let EpochReport {
                    epoch,
                    train_loss,
                    val_loss,
                    val_accuracy,
                    ..
                } = row;
                let _ = writeln!(
                    csv,
                    "\"{line}\",{epoch},{train_loss},{val_loss},{val_accuracy}"
                );
            }
        }
        csv
    }
}
