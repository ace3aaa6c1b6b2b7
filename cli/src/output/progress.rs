//! The progress of a training run.

use super::live_curve::{LEAST_LINES, LiveCurve};
use super::report::grouped;
use crate::failure::Failure;
use crate::output;
use anstyle::{AnsiColor, Style};
use handwritten::training::diagnosis::{Finding, Observation};
use handwritten::training::{EpochReport, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::fmt::Display;
use std::time::{Duration, Instant};
use terminal_size::{Height, Width, terminal_size_of};

/// Time between two drawings of the curve of losses.
const CURVE_INTERVAL: Duration = Duration::from_millis(100);

/// Prints a line for each epoch, a bar within the epoch and below it the losses so far if stderr
/// is a terminal, and warnings after it; with `json`, an object for each epoch on stdout too.
pub(crate) struct Progress {
    epochs: usize,
    quiet: bool,
    json: bool,
    bar: ProgressBar,
    curve: LiveCurve,
    curve_drawn: Instant,
    epoch_began: Instant,
    step_ended: Instant,
    images: usize,
    /// A bar that counts the epochs of several runs, which then show nothing else.
    shared: Option<ProgressBar>,
    /// Seconds that each epoch's steps took, without validation.
    pub(crate) seconds: Vec<f64>,
    /// Why a result could not be printed.
    failure: Option<Failure>,
}

impl Progress {
    /// Prints the head of the table of `epochs` epochs, unless `quiet`.
    pub(crate) fn new(epochs: usize, quiet: bool, json: bool) -> Self {
        let bar = ProgressBar::hidden();
        if !quiet {
            // A dumb terminal cannot go back to a line.
            if std::env::var_os("TERM").is_none_or(|term| term != "dumb") {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            let style = ProgressStyle::with_template("{prefix:>9} {bar:40} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            let bold = Style::new().bold();
            output::remark(&format!(
                "{bold}{:>9}  {:>12}  {:>12}  {:>9}  {:>8}  {:>9}{bold:#}",
                "epoch", "train loss", "val loss", "val acc.", "rate", "images/s"
            ));
        }
        let now = Instant::now();
        Self {
            epochs,
            quiet,
            json,
            bar,
            curve: LiveCurve::new(),
            curve_drawn: now,
            epoch_began: now,
            step_ended: now,
            images: 0,
            shared: None,
            seconds: Vec::new(),
            failure: None,
        }
    }

    /// Counts epochs by a bar that is that of other runs too, and prints warnings only.
    pub(crate) fn counting(bar: ProgressBar) -> Self {
        Self {
            shared: Some(bar),
            ..Self::new(0, true, false)
        }
    }

    /// Whether the bar is that of other runs too.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Ends the display. Fails if a result could not be printed.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Notes that training begins now.
    pub(crate) fn start(&mut self) {
        self.epoch_began = Instant::now();
    }

    /// Shows a step that has been made now.
    pub(crate) fn step(&mut self, step: &StepReport) {
        self.step_ended = Instant::now();
        self.images += step.examples;
        if self.bar.length() != Some(step.steps as u64) || step.step == 1 {
            self.bar.set_length(step.steps as u64);
            self.bar
                .set_prefix(format!("{}/{}", step.epoch, self.epochs));
        }
        self.bar.set_position(step.step as u64);
        if self.bar.is_hidden() {
            return;
        }
        let share = (step.epoch - 1) as f64 + step.step as f64 / step.steps as f64;
        self.curve.step(share / self.epochs as f64, step.loss);
        // A message costs a string, so there are few.
        if self.step_ended - self.curve_drawn > CURVE_INTERVAL {
            self.curve_drawn = self.step_ended;
            let curve = curve_columns().map(|columns| self.curve.draw(columns));
            let curve = curve.unwrap_or_default();
            self.bar
                .set_message(format!("loss {}{curve}", loss(step.loss)));
        }
    }

    /// The end of the last step.
    pub(crate) fn step_ended(&self) -> Instant {
        self.step_ended
    }

    /// Prints a warning, even if `quiet`.
    pub(crate) fn warn(&self, what: &dyn Display) {
        let bar = self.shared.as_ref().unwrap_or(&self.bar);
        bar.suspend(|| output::warn(what));
    }

    /// Shows an epoch and the observation after it.
    pub(crate) fn epoch(&mut self, row: &EpochReport, observation: &Observation) {
        let seconds = (self.step_ended - self.epoch_began).as_secs_f64();
        let pace = self.images as f64 / seconds.max(1e-9);
        self.seconds.push(seconds);
        let share = row.epoch as f64 / self.epochs as f64;
        self.curve.epoch(share, row.val_loss);
        if let Some(bar) = &self.shared {
            bar.inc(1);
        }
        if !self.quiet {
            self.print(row, pace);
            if let Some(finding) = &observation.finding {
                self.warn(finding);
            }
        }
        if self.json {
            let event = event(row, observation, pace).to_string();
            let printed = self.bar.suspend(|| output::result(&event));
            self.failure = self.failure.take().or(printed.err());
        }
        self.images = 0;
        self.epoch_began = Instant::now();
    }

    /// Prints the line of an epoch.
    fn print(&self, row: &EpochReport, pace: f64) {
        let green = Style::new().fg_color(Some(AnsiColor::Green.into()));
        let best = if row.is_best {
            format!("  {green}best{green:#}")
        } else {
            String::new()
        };
        let line = format!(
            "{:>9}  {:>12}  {:>12}  {:>7.2} %  {:>8}  {:>9}{best}",
            format!("{}/{}", row.epoch, self.epochs),
            loss(row.train_loss),
            loss(row.val_loss),
            100.0 * row.val_accuracy,
            rate(row.learning_rate),
            grouped(pace.round() as u64),
        );
        self.bar.suspend(|| output::remark(&line));
    }
}

/// The columns of the terminal, if it is high enough for a curve. Asked each time, since
/// windows change their size.
fn curve_columns() -> Option<usize> {
    let (Width(columns), Height(lines)) = terminal_size_of(std::io::stderr())?;
    (usize::from(lines) >= LEAST_LINES).then_some(usize::from(columns))
}

/// An epoch as JSON.
fn event(row: &EpochReport, observation: &Observation, pace: f64) -> Value {
    let Observation {
        indicators: signals,
        finding,
        ..
    } = observation;
    let mut event = json!({
        "event": "epoch",
        "epoch": row.epoch,
        "train_loss": row.train_loss,
        "val_loss": row.val_loss,
        "val_accuracy": row.val_accuracy,
        "learning_rate": row.learning_rate,
        "images_per_second": pace,
        "best": row.is_best,
        "gradient_norm": signals.gradient_norm,
        "saturated": signals.saturated,
        "dead": signals.dead,
        "finding": finding.as_ref().map(Finding::name),
        "warning": finding.as_ref().map(ToString::to_string),
    });
    for (l, layer) in (1..).zip(&signals.layers) {
        event[format!("norm_{l}")] = json!(layer.norm);
        event[format!("moved_{l}")] = json!(layer.moved);
    }
    event
}

/// A loss in at most twelve characters, mean or sum.
fn loss(x: f64) -> String {
    if x < 1e5 {
        format!("{x:.5}")
    } else {
        format!("{x:.1}")
    }
}

/// A learning rate in at most eight characters.
fn rate(x: f64) -> String {
    if x == 0.0 || x >= 1e-3 {
        format!("{x:.4}")
    } else {
        format!("{x:.1e}")
    }
}
