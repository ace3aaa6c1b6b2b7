//! The confusion matrix as tables, and the figures of each class as bars.

use super::html::Html;
use handwritten::net::metrics::Confusion;

/// Classes up to which a matrix is shown: a table of more is wider than any screen.
const MAX_CLASSES: usize = 64;

/// Letters of a name up to which it stands upright above its column.
const SHORT: usize = 3;

/// Levels of shade of a cell, besides none.
const LEVELS: f64 = 6.0;

/// Writes the section of the matrix: all counts, then the mistakes alone.
pub(super) fn section(html: &mut Html, confusion: &Confusion, names: &[String]) {
    html.section("confusion", "Confusion matrix");
    if names.len() > MAX_CLASSES {
        html.paragraph(format_args!(
            "There are {} classes, too many for a table.",
            names.len()
        ));
    } else {
        html.open("div", &[("class", &"pair")]);
        table(html, confusion, names, false);
        table(html, confusion, names, true);
        html.close("div");
    }
    html.close("section");
}

/// Writes a matrix. Without its diagonal the shade says how many mistakes a cell has of those
/// of the fullest one, otherwise the share of the true class on a logarithmic scale.
fn table(html: &mut Html, confusion: &Confusion, names: &[String], mistakes_only: bool) {
    let classes = confusion.classes();
    let counts = confusion.counts();
    let cell = |i: usize, j: usize| counts[i * classes + j];
    let pairs = (0..classes).flat_map(|i| (0..classes).map(move |j| (i, j)));
    let wrong = pairs.filter(|(i, j)| i != j).map(|(i, j)| cell(i, j));
    let most = wrong.max();
    let label = match mistakes_only {
        true => "Mistakes only, without the diagonal",
        false => "All test images; rows are true classes, columns are guesses",
    };
    html.scroll(label);
    html.open(
        "table",
        &[(
            "class",
            &if classes > 20 {
                "matrix many"
            } else {
                "matrix"
            },
        )],
    );
    html.element("caption", &[], label);
    html.open("thead", &[]).open("tr", &[]);
    html.element("td", &[], "");
    for name in names {
        let is_long = name.chars().count() > SHORT;
        html.open("th", &[("scope", &"col")]);
        html.element(
            "span",
            &[(if is_long { "class" } else { "" }, &"upright")],
            name,
        );
        html.close("th");
    }
    html.close("tr").close("thead").open("tbody", &[]);
    for (i, name) in names.iter().enumerate() {
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], name);
        row(html, confusion, i, most.filter(|_| mistakes_only));
        html.close("tr");
    }
    html.close("tbody").close("table").close("div");
}

/// Writes the counts of a true class. With the most mistakes of any cell they are mistakes
/// alone.
fn row(html: &mut Html, confusion: &Confusion, truth: usize, most: Option<u64>) {
    let classes = confusion.classes();
    let counts = &confusion.counts()[truth * classes..][..classes];
    let support = confusion.support(truth).max(1) as f64;
    for (guess, &count) in counts.iter().enumerate() {
        if most.is_some() && truth == guess {
            html.element("td", &[("class", &"own")], "");
            continue;
        }
        let share = match most {
            Some(most) => count as f64 / most.max(1) as f64,
            // Three decades.
            None => 1.0 + (count as f64 / support).log10() / 3.0,
        };
        let level = match count {
            0 => 0,
            _ => (share.clamp(0.0, 1.0) * LEVELS).ceil().max(1.0) as u32,
        };
        let shown = match count {
            0 => "·".to_string(),
            _ => count.to_string(),
        };
        html.element("td", &[("class", &format_args!("s{level}"))], shown);
    }
}

/// Writes the section of the figures of each class.
pub(super) fn classes(html: &mut Html, confusion: &Confusion, names: &[String]) {
    html.section("classes", "Each class");
    html.paragraph(
        "Precision: of the images taken for the class, the share that are of it. Recall: of the \
         images of the class, the share taken for it. F1: their harmonic mean. Bars begin at 0 %.",
    );
    html.scroll("Figures of each class");
    html.open("table", &[("class", &"classes")]);
    html.table_head(&["class", "precision", "recall", "F1", "images"]);
    html.open("tbody", &[]);
    for (class, name) in names.iter().enumerate() {
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], name);
        let shares = [
            (confusion.precision(class), "k0"),
            (confusion.recall(class), "k1"),
            (confusion.f1(class), "k2"),
        ];
        for (share, colour) in shares {
            html.open("td", &[]);
            html.element(
                "span",
                &[("class", &"figure")],
                format_args!("{:.2}\u{a0}%", 100.0 * share),
            );
            let width = format!("width:{:.1}%", 100.0 * share);
            html.open("span", &[("class", &"bar"), ("aria-hidden", &"true")]);
            html.element("span", &[("class", &colour), ("style", &width)], "");
            html.close("span").close("td");
        }
        html.element("td", &[], confusion.support(class))
            .close("tr");
    }
    html.close("tbody")
        .close("table")
        .close("div")
        .close("section");
}
