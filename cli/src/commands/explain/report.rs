//! The report of `explain`: tables, pictures and curves.

use super::catalogue::{MEAN, MISTAKES, PUBLISHED, Published, REPAIRED, REPAIRS, TRIED, repaired};
use super::{FILES, Run};
use crate::failure::Failure;
use crate::output;
use crate::output::plot::{LossCurves, accuracy_svg, loss_png, loss_svg};
use anstyle::Style;
use handwritten::files;
use handwritten::training::EpochReport;
use handwritten::training::diagnosis::Finding;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

const BOLD: Style = Style::new().bold();

impl Run {
    /// The validation accuracy after the last epoch; none if the loss overflowed.
    fn accuracy(&self) -> Option<f64> {
        let last = self.history.last().filter(|_| self.error.is_none());
        last.map(|row| row.val_accuracy)
    }

    /// The accuracy for a table, or why there is none.
    pub(super) fn shown(&self) -> String {
        match (self.accuracy(), self.error) {
            (Some(accuracy), _) => percent(accuracy),
            (None, error) => match error {
                Some(error) => format!("overflows in epoch {}", error.epoch),
                None => "no epoch".to_string(),
            },
        }
    }

    /// The names of the findings of its diagnosis.
    pub(super) fn findings(&self) -> String {
        let names: Vec<&str> = self.found.iter().map(Finding::name).collect();
        match names[..] {
            [] => "nothing".to_string(),
            _ => names.join(", "),
        }
    }

    /// The validation accuracy after each epoch.
    pub(super) fn curve(&self) -> Vec<f64> {
        self.history.iter().map(|row| row.val_accuracy).collect()
    }
}

/// The results of all trainings.
pub(super) struct Report {
    pub(super) runs: Vec<Run>,
}

impl Report {
    /// The training with these arguments.
    pub(super) fn of(&self, line: &str) -> Result<&Run, Failure> {
        let found = self.runs.iter().find(|run| run.line == line);
        found.ok_or_else(|| Failure::new(format!("no run of {line}")))
    }

    /// Prints the report, or a JSON object for each training.
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
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
            self.repaired()?,
        ];
        output::result(&parts.join("\n\n"))
    }

    /// The published figures beside ours.
    fn published(&self) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}The run that failed to learn, as published and here{BOLD:#}\n\n\
             {:<30}{:<8}{:<17}{:>12}{:>12}",
            "train", "epoch", "", "published", "here"
        );
        for published in &PUBLISHED {
            let (mut line, mut epoch) = (published.line, format!("E({})", published.epoch));
            for [name, theirs, ours] in self.beside(published)? {
                let _ = write!(
                    text,
                    "\n{line:<30}{epoch:<8}{name:<17}{theirs:>12}{ours:>12}"
                );
                (line, epoch) = ("", String::new());
            }
        }
        Ok(text)
    }

    /// The name of each published figure of an epoch, the figure, and ours.
    pub(super) fn beside(&self, published: &Published) -> Result<[[String; 3]; 3], Failure> {
        let run = self.of(published.line)?;
        let Some(row) = run.history.get(published.epoch) else {
            return Err(Failure::new(format!("{} ended early", run.line)));
        };
        let loss = |name: &str, theirs: f64, ours: f64| {
            let [theirs, ours] = [theirs, ours].map(|loss| match loss {
                loss if loss < 100.0 => format!("{loss:.5}"),
                loss => format!("{loss:.2}"),
            });
            [name.to_string(), theirs, ours]
        };
        Ok([
            loss("training loss", published.train_loss, row.train_loss),
            loss("validation loss", published.val_loss, row.val_loss),
            [
                "accuracy".to_string(),
                percent(published.accuracy),
                percent(row.val_accuracy),
            ],
        ])
    }

    /// The three mistakes, repaired in all combinations.
    fn repairs(&self) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}Its mistakes repaired, alone and together: validation accuracy after 20 full \
             batches{BOLD:#}\n\n{:<28}{:>14}{:>19}  {}",
            "repaired", "1 hidden unit", "128 hidden units", "findings of train with 128"
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
        let _ = write!(
            text,
            "\n\nNo single repair passes {} in any epoch, with 1 hidden unit or with 128.\n\
             With 128 hidden units, each mistake costs so many points if it alone is left: {}.\n\
             Each figure is that of train --recipe question+REPAIRS --epochs 20 --hidden UNITS.",
            percent(self.highest_of_single_repairs()?),
            self.costs()?.join(", ")
        );
        Ok(text)
    }

    /// The highest accuracy in any epoch with one mistake repaired.
    pub(super) fn highest_of_single_repairs(&self) -> Result<f64, Failure> {
        let mut highest = 0.0;
        for (repair, _) in MISTAKES {
            for hidden in [1, 128] {
                let curve = self.of(&repaired(repair, hidden))?.curve();
                highest = curve.into_iter().fold(highest, f64::max);
            }
        }
        Ok(highest)
    }

    /// The percentage points that each mistake costs a net of 128 units if all
    /// others are repaired.
    pub(super) fn costs(&self) -> Result<Vec<String>, Failure> {
        let last = |repair: &str| {
            let run = self.of(&repaired(repair, 128))?;
            Ok::<_, Failure>(run.accuracy().unwrap_or(0.0))
        };
        let [.., all] = REPAIRS;
        let mut costs = vec![];
        for (repair, others) in MISTAKES {
            let cost = last(all)? - last(others)?;
            costs.push(format!("{} {:.1}", spelt(repair), 100.0 * cost));
        }
        Ok(costs)
    }

    fn tried(&self) -> Result<String, Failure> {
        let title = "What its author tried: one change each to the published run";
        self.list(title, &TRIED)
    }

    fn repaired(&self) -> Result<String, Failure> {
        self.list("With all mistakes repaired, 128 hidden units", &REPAIRED)
    }

    fn list(&self, title: &str, lines: &[(&str, &str)]) -> Result<String, Failure> {
        let mut text = format!(
            "{BOLD}{title}{BOLD:#}\n\n{:<34}{:>22}  {}",
            "", "validation accuracy", "findings of train"
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
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let history = &self.of(MEAN)?.history;
        let epochs: Vec<usize> = history.iter().map(|row| row.epoch).collect();
        let curves = LossCurves {
            title: "The run that failed to learn: its loss stays at ln 10 = 2.303",
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
            repairs(1, "Mistakes repaired, one hidden unit")?.into_bytes(),
            repairs(128, "Mistakes repaired, 128 hidden units")?.into_bytes(),
            accuracy_svg("What was tried, one change each", &tried).into_bytes(),
            self.csv().into_bytes(),
            self.page()?.into_bytes(),
        ];
        for (name, bytes) in FILES.iter().zip(contents) {
            files::write_atomic(&folder.join(name), &bytes).map_err(Failure::caused)?;
        }
        Ok(())
    }

    /// Every epoch of every training.
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

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Repairs as tables and pictures name them.
pub(super) fn spelt(repair: &str) -> String {
    match repair.trim_start_matches('+') {
        "" => "nothing".to_string(),
        repairs => repairs.replace('+', " + "),
    }
}
