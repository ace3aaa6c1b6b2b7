//! Pages of prose, tables and curves, which commands put together.

use super::curves::{WIDTHS, legend};
use super::html::Html;
use super::page;
use super::svg::{Chart, Panel, Scale, Series};

/// A part of a page.
pub(crate) enum Part {
    /// A heading of a section, to which all parts until the next one belong.
    Heading(String),
    /// A paragraph.
    Prose(String),
    /// A table: the names of its columns, and its rows, whose first cell names them.
    Table {
        head: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    /// Curves over epochs, each with a name, and the label of their axis.
    Curves {
        label: &'static str,
        caption: String,
        curves: Vec<(String, Vec<f64>)>,
    },
}

/// The page with this title.
pub(crate) fn page(title: &str, parts: &[Part]) -> String {
    let mut html = Html::default();
    page::begin(&mut html, title, title, &[]);
    let (mut sections, mut name) = (0, "");
    for part in parts {
        match part {
            Part::Heading(heading) => {
                if sections > 0 {
                    html.close("section");
                }
                sections += 1;
                name = heading;
                html.section(&format!("part-{sections}"), heading);
            }
            Part::Prose(text) => drop(html.paragraph(text)),
            Part::Table { head, rows } => table(&mut html, name, head, rows),
            Part::Curves {
                label,
                caption,
                curves,
            } => draw(&mut html, label, caption, curves),
        }
    }
    if sections > 0 {
        html.close("section");
    }
    page::end(&mut html);
    html.finish()
}

fn table(html: &mut Html, name: &str, head: &[String], rows: &[Vec<String>]) {
    html.scroll(&format!("{name}: {}", head.join(", ")));
    html.open("table", &[("class", &"texts")]);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    html.table_head(&head).open("tbody", &[]);
    for row in rows {
        html.open("tr", &[]);
        for (i, cell) in row.iter().enumerate() {
            match i {
                0 => html.element("th", &[("scope", &"row")], cell),
                _ => html.element("td", &[], cell),
            };
        }
        html.close("tr");
    }
    html.close("tbody").close("table").close("div");
}

fn draw(html: &mut Html, label: &str, caption: &str, curves: &[(String, Vec<f64>)]) {
    let longest = curves.iter().map(|(_, curve)| curve.len()).max();
    let last = longest.unwrap_or(0).max(1) as f64;
    let margin = ((last - 1.0) * 0.02).max(0.1);
    let series = curves.iter().enumerate().map(|(i, (_, curve))| Series {
        class: format!("c{}", i % 8),
        points: (1..)
            .zip(curve)
            .map(|(epoch, &y)| (f64::from(epoch), y))
            .collect(),
    });
    let chart = Chart {
        title: caption,
        description: label,
        x_label: "Epoch",
        x: (1.0 - margin.min(0.9), last + margin),
        x_step: 1.0,
        panels: vec![Panel {
            label,
            height: 240.0,
            // Losses here lie within a decade, and accuracies are no ratios.
            scale: Scale::Linear,
            series: series.collect(),
        }],
        mark: None,
    };
    html.open("figure", &[]);
    let names: Vec<String> = curves.iter().map(|(name, _)| name.clone()).collect();
    legend(html, &names);
    for (width, class) in WIDTHS {
        chart.draw(html, width, class);
    }
    html.element("figcaption", &[], caption).close("figure");
}
