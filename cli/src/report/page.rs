//! The page of a run: its sections in their order.

use super::html::Html;
use super::{Run, calibration, confusion, curves, facts, mistakes, units};
use crate::failure::Failure;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Sections with their links, in the order of the page.
const SECTIONS: [(&str, &str); 11] = [
    ("answer", "Answer"),
    ("curves", "Training"),
    ("confusion", "Confusion"),
    ("classes", "Classes"),
    ("mistakes", "Mistakes"),
    ("unsure", "Least sure"),
    ("calibration", "Calibration"),
    ("units", "Units"),
    ("pixels", "Pixels"),
    ("diagnosis", "Diagnosis"),
    ("settings", "Settings"),
];

/// The page.
pub(super) fn html(run: &Run<'_>) -> Result<String, Failure> {
    let mut html = Html::default();
    let confusion = &run.found.evaluation.confusion;
    let names = &run.about.classes;
    let title = format!("{}: {:.2} %", run.name, 100.0 * confusion.accuracy());
    begin(&mut html, &title, &run.name, &SECTIONS);
    facts::answer(&mut html, run);
    curves::section(
        &mut html,
        &run.rows,
        run.about.best_epoch,
        run.about.reduction,
    );
    confusion::section(&mut html, confusion, names);
    confusion::classes(&mut html, confusion, names);
    mistakes::section(&mut html, run)?;
    mistakes::least_sure(&mut html, run)?;
    calibration::section(
        &mut html,
        &run.found.predictions.calibration(calibration::BINS),
    );
    units::section(&mut html, run)?;
    units::pixels(&mut html, run)?;
    facts::diagnosis(&mut html, run);
    facts::settings(&mut html, run);
    end(&mut html);
    Ok(html.finish())
}

/// Begins a page with a heading and links to its sections.
pub(super) fn begin(html: &mut Html, title: &str, heading: &str, sections: &[(&str, &str)]) {
    html.raw("<!DOCTYPE html>\n")
        .open("html", &[("lang", &"en")])
        .open("head", &[]);
    html.raw("<meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    // Without an icon of its own a browser would ask the server for one.
    html.raw("<link rel=\"icon\" href=\"data:,\">");
    html.element("title", &[], title);
    html.raw("<style>")
        .raw(STYLE)
        .raw("</style>")
        .close("head")
        .open("body", &[]);
    html.open("header", &[]).element("h1", &[], heading);
    if !sections.is_empty() {
        html.open("nav", &[("aria-label", &"Sections")])
            .open("ul", &[]);
        for (id, name) in sections {
            html.open("li", &[]);
            html.element("a", &[("href", &format_args!("#{id}"))], name)
                .close("li");
        }
        html.close("ul").close("nav");
    }
    html.close("header").raw("\n").open("main", &[]);
}

/// Ends a page.
pub(super) fn end(html: &mut Html) {
    html.close("main").raw("\n").open("footer", &[]);
    html.paragraph(format_args!(
        "Written by handwritten {}. Colours of curves and bars are of Okabe and Ito's palette, \
         which the colour-blind can tell apart; pictures of weights go from its blue through white \
         to its vermilion.",
        env!("CARGO_PKG_VERSION")
    ));
    html.close("footer");
    html.raw("<script>").raw(SCRIPT).raw("</script>");
    html.close("body").close("html").raw("\n");
}
