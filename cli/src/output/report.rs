//! The results of a run as text, JSON and CSV.

use anstyle::{Ansi256Color, Style};
use handwritten::Checkpoint;
use handwritten::Evaluation;
use handwritten::net::metrics::Confusion;
use handwritten::training::Keep;
use handwritten::training::diagnosis::{Finding, Observation};
use serde_json::{Value, json};
use std::fmt::Write;

const BOLD: Style = Style::new().bold();

/// The history of a run: one row for each epoch, with the observation after it.
/// Numbers have the digits that identify them. Where another rule than the lowest validation
/// loss chooses the epoch that is kept, a column says which one it is.
pub(crate) fn history_csv(run: &Checkpoint, observations: &[Observation]) -> String {
    let is_told = run.config.keep != Keep::LowestLoss;
    let layers = observations
        .first()
        .map_or(0, |first| first.indicators.layers.len());
    let mut csv = "epoch,train_loss,val_loss,val_accuracy,learning_rate,\
                   gradient_norm,saturated,dead,"
        .to_string();
    for layer in 1..=layers {
        csv += &format!("norm_{layer},moved_{layer},");
    }
    csv += if is_told {
        "kept,finding\n"
    } else {
        "finding\n"
    };
    for (row, observation) in run.history.iter().zip(observations) {
        let (signals, finding) = (&observation.indicators, &observation.finding);
        csv += &format!(
            "{},{},{},{},{},{},{},{},",
            row.epoch,
            row.train_loss,
            row.val_loss,
            row.val_accuracy,
            row.learning_rate,
            signals.gradient_norm,
            signals.saturated,
            signals.dead
        );
        for layer in &signals.layers {
            csv += &format!("{},{},", layer.norm, layer.moved);
        }
        if is_told {
            csv += &format!("{},", u8::from(row.epoch == run.best_epoch));
        }
        csv += finding.as_ref().map_or("", Finding::name);
        csv.push('\n');
    }
    csv
}

/// The figures on the test images as text.
pub(crate) fn test_text(test: &Evaluation, classes: &[String]) -> String {
    let confusion = &test.confusion;
    let (low, high) = confusion.accuracy_interval();
    let mut text = format!(
        "{BOLD}test accuracy {:.2} %{BOLD:#} ({} of {}; 95 % interval {:.2} to {:.2} %), loss {:.4}\n\n",
        100.0 * confusion.accuracy(),
        grouped(confusion.correct()),
        grouped(confusion.total()),
        100.0 * low,
        100.0 * high,
        test.loss
    );
    let name_width = classes
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    text += &format!(
        "{BOLD}{:>name_width$}  precision    recall        F1  images{BOLD:#}\n",
        "class"
    );
    for (class, name) in classes.iter().enumerate() {
        text += &format!(
            "{name:>name_width$}  {:>7.2} %  {:>6.2} %  {:>6.2} %  {:>6}\n",
            100.0 * confusion.precision(class),
            100.0 * confusion.recall(class),
            100.0 * confusion.f1(class),
            confusion.support(class)
        );
    }
    text + "\n" + &confusion_text(confusion, classes, name_width)
}

/// The confusion matrix as a table. A column has the number of its class where the
/// name is too wide.
fn confusion_text(confusion: &Confusion, classes: &[String], name_width: usize) -> String {
    let largest = confusion.counts().iter().max().copied().unwrap_or(0);
    let width = largest.to_string().len().max(3) + 1;
    let mut text =
        format!("{BOLD}confusion matrix{BOLD:#}, rows: true class, columns: predicted\n");
    text += &format!("{:name_width$} ", "");
    for (class, name) in classes.iter().enumerate() {
        let short = if name.chars().count() < width {
            name.clone()
        } else {
            class.to_string()
        };
        let _ = write!(text, "{BOLD}{short:>width$}{BOLD:#}");
    }
    for (name, row) in classes
        .iter()
        .zip(confusion.counts().chunks(confusion.classes()))
    {
        let _ = write!(text, "\n{BOLD}{name:>name_width$}{BOLD:#} ");
        let total: u64 = row.iter().sum();
        for &count in row {
            let shown = if count == 0 {
                "·".to_string()
            } else {
                count.to_string()
            };
            let style = shade(count, total);
            let _ = write!(text, "{style}{shown:>width$}{style:#}");
        }
    }
    text
}

/// The colours of a cell by its share of the true class, over three decades: from light blue
/// on black letters to dark blue on white ones. They are left out where colours are not allowed.
fn shade(count: u64, total: u64) -> Style {
    // Of the palette of 256 colours.
    const BLUES: [u8; 6] = [195, 153, 111, 68, 25, 18];
    if count == 0 {
        return Style::new();
    }
    let share = 1.0 + (count as f64 / total as f64).log10() / 3.0;
    let level = (share.clamp(0.0, 1.0) * 5.0).round() as usize;
    let ink = if level > 3 { 231 } else { 16 };
    Style::new()
        .fg_color(Some(Ansi256Color(ink).into()))
        .bg_color(Some(Ansi256Color(BLUES[level]).into()))
}

/// The figures on the test images as JSON.
pub(crate) fn test_json(test: &Evaluation, classes: &[String]) -> Value {
    let confusion = &test.confusion;
    let (low, high) = confusion.accuracy_interval();
    let per_class: Vec<Value> = classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            json!({
                "class": name,
                "precision": confusion.precision(class),
                "recall": confusion.recall(class),
                "f1": confusion.f1(class),
                "images": confusion.support(class),
            })
        })
        .collect();
    let rows: Vec<&[u64]> = confusion.counts().chunks(confusion.classes()).collect();
    json!({
        "event": "test",
        "loss": test.loss,
        "accuracy": confusion.accuracy(),
        "accuracy_interval_95": [low, high],
        "correct": confusion.correct(),
        "images": confusion.total(),
        "classes": per_class,
        "confusion": rows,
    })
}

/// The widths of a net in the usual notation: 784-128-10.
pub(crate) fn dashed(widths: &[usize]) -> String {
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    widths.join("-")
}

/// A number with its digits in groups of three: 60 000.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 12, 999, 1000, 60_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1 000", "60 000", "1 234 567"]);
    }

    #[test]
    fn the_table_shows_every_count() {
        let mut confusion = Confusion::new(2);
        for (truth, predicted) in [(0, 0), (0, 1), (0, 0), (1, 1)] {
            confusion.add(truth, predicted);
        }
        let names = ["cat", "dog"].map(String::from);
        let table = confusion_text(&confusion, &names, 5);
        let plain = anstream::adapter::strip_str(&table).to_string();
        let expected = "confusion matrix, rows: true class, columns: predicted\n\
                        \x20      cat dog\n  cat    2   1\n  dog    ·   1";
        assert_eq!(plain, expected);
        let shades = [1, 30, 1000].map(|count| shade(count, 1000).get_bg_color());
        assert!(
            shades[0] != shades[1] && shades[1] != shades[2],
            "{shades:?}"
        );
        assert_eq!(shade(0, 5), Style::new());
    }
}
