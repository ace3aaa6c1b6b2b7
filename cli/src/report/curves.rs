//! Curves of a run over its epochs: losses, validation accuracy and learning rate.

use super::history::Row;
use super::html::Html;
use super::svg::{Chart, Panel, Scale, Series};
use handwritten::Reduction;

/// Widths of a chart in pixels, for phones and for larger screens; the page shows one of them.
pub(super) const WIDTHS: [(f64, &str); 2] = [(340.0, "narrow"), (760.0, "wide")];

/// Draws the section of a run whose best epoch is this one.
pub(super) fn section(html: &mut Html, rows: &[Row], best: usize, reduction: Reduction) {
    html.section("curves", "Training");
    if rows.is_empty() {
        html.paragraph("The folder of the run has no history.csv, so there are no curves.");
        html.close("section");
        return;
    }
    let last = rows.len();
    let chart = chart(rows, best, reduction);
    html.open("figure", &[]);
    legend(
        html,
        &["training loss", "validation loss"].map(String::from),
    );
    for (width, class) in WIDTHS {
        chart.draw(html, width, class);
    }
    html.element(
        "figcaption",
        &[],
        format_args!(
            "{}, validation accuracy and learning rate of {last} {}. The dashed line marks the \
             epoch whose net was kept.",
            match reduction {
                Reduction::Sum => "Sum of the cross-entropy",
                _ => "Mean cross-entropy",
            },
            if last == 1 { "epoch" } else { "epochs" }
        ),
    );
    html.close("figure").close("section");
}

fn chart(rows: &[Row], best: usize, reduction: Reduction) -> Chart<'static> {
    let series = |class: &str, number: fn(&Row) -> f64| Series {
        class: class.to_string(),
        points: rows
            .iter()
            .map(|row| (row.epoch as f64, number(row)))
            .collect(),
    };
    let epochs = |pick: fn(f64, f64) -> f64| {
        let all = rows.iter().map(|row| row.epoch as f64);
        all.reduce(pick).unwrap_or(1.0)
    };
    let (first, last) = (epochs(f64::min), epochs(f64::max));
    let margin = ((last - first) * 0.02).max(0.1);
    let is_there = rows.iter().any(|row| row.epoch == best);
    Chart {
        title: "Training over the epochs",
        description: "Both losses, the validation accuracy and the learning rate.",
        x_label: "Epoch",
        x: (first - margin.min(0.9), last + margin),
        x_step: 1.0,
        panels: vec![
            Panel {
                label: match reduction {
                    Reduction::Sum => "Loss (sum, nats)",
                    _ => "Loss (nats per image)",
                },
                height: 220.0,
                scale: Scale::Losses,
                series: vec![
                    series("c0", |row| row.train_loss),
                    series("c1", |row| row.val_loss),
                ],
            },
            Panel {
                label: "Validation accuracy (%)",
                height: 110.0,
                scale: Scale::Linear,
                series: vec![series("c1", |row| 100.0 * row.val_accuracy)],
            },
            Panel {
                label: "Learning rate",
                height: 80.0,
                scale: Scale::FromZero,
                series: vec![series("c2", |row| row.learning_rate)],
            },
        ],
        mark: is_there.then(|| (best as f64, format!("best: epoch {best}"))),
    }
}

/// Names of the curves with their colours, in the order of the classes `c0`, `c1`, ….
pub(super) fn legend(html: &mut Html, names: &[String]) {
    html.open("ul", &[("class", &"legend")]);
    for (i, name) in names.iter().enumerate() {
        html.open("li", &[]);
        html.open(
            "span",
            &[
                ("class", &format_args!("swatch k{}", i % 8)),
                ("aria-hidden", &"true"),
            ],
        );
        html.close("span").text(name).close("li");
    }
    html.close("ul");
}
