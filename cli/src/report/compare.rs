//! The page that compares several runs: results, curves on one chart, settings that differ, and
//! the mistakes that only one of them makes.

use super::curves::{WIDTHS, legend};
use super::history::Row;
use super::html::Html;
use super::svg::{Chart, Panel, Scale, Series};
use super::{Run, calibration, count, facts, mistakes, page};
use crate::failure::Failure;
use crate::output::report::dashed;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// Maximum number of mistakes of a run with a picture.
const MAX_MISTAKES: usize = 120;

const SECTIONS: [(&str, &str); 4] = [
    ("results", "Results"),
    ("curves", "Training"),
    ("settings", "Settings"),
    ("mistakes", "Mistakes"),
];

/// The page that compares these runs.
pub(crate) fn html(runs: &[Run<'_>]) -> Result<String, Failure> {
    let names = names(runs);
    let heading = format!("{} runs compared", runs.len());
    let mut html = Html::default();
    page::begin(&mut html, &heading, &heading, &SECTIONS);
    results(&mut html, runs, &names);
    curves(&mut html, runs, &names);
    settings(&mut html, runs, &names);
    own_mistakes(&mut html, runs, &names)?;
    page::end(&mut html);
    Ok(html.finish())
}

/// The names of the runs, numbered where two folders have the same.
fn names(runs: &[Run<'_>]) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = vec![];
    for run in runs {
        let times = seen.entry(&run.name).or_default();
        *times += 1;
        all.push(match times {
            1 => run.name.clone(),
            times => format!("{} ({times})", run.name),
        });
    }
    all
}

fn results(html: &mut Html, runs: &[Run<'_>], names: &[String]) {
    html.section("results", "Results");
    html.scroll("Table of results");
    html.open("table", &[("class", &"texts")]);
    html.table_head(&[
        "run",
        "test accuracy",
        "95 % interval",
        "test loss",
        "calibration error",
        "best epoch",
        "training time",
        "net",
    ]);
    html.open("tbody", &[]);
    for (run, name) in runs.iter().zip(names) {
        let evaluation = &run.found.evaluation;
        let confusion = &evaluation.confusion;
        let (low, high) = confusion.accuracy_interval();
        let calibration = run.found.predictions.calibration(calibration::BINS);
        let seconds = run
            .machine
            .get("training_seconds")
            .and_then(Value::as_float);
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], name);
        let cells = [
            format!("{:.2}\u{a0}%", 100.0 * confusion.accuracy()),
            format!("{:.2} to {:.2}\u{a0}%", 100.0 * low, 100.0 * high),
            format!("{:.4}", evaluation.loss),
            format!("{:.2}\u{a0}%", 100.0 * calibration.expected_error()),
            format!("{} of {}", run.about.best_epoch, run.rows.len()),
            seconds.map_or("–".to_string(), |seconds| format!("{seconds:.1}\u{a0}s")),
            format!("{}, {}", dashed(run.net.widths()), run.net.activation()),
        ];
        for cell in cells {
            html.element("td", &[], cell);
        }
        html.close("tr");
    }
    html.close("tbody")
        .close("table")
        .close("div")
        .close("section");
}

fn curves(html: &mut Html, runs: &[Run<'_>], names: &[String]) {
    html.section("curves", "Training");
    let epochs = || {
        runs.iter()
            .flat_map(|run| &run.rows)
            .map(|row| row.epoch as f64)
    };
    let (Some(first), Some(last)) = (epochs().reduce(f64::min), epochs().reduce(f64::max)) else {
        html.paragraph("No run has a history.csv, so there are no curves.");
        html.close("section");
        return;
    };
    let panel = |label, scale, number: fn(&Row) -> f64| Panel {
        label,
        height: 170.0,
        scale,
        series: (runs.iter().enumerate())
            .map(|(i, run)| Series {
                class: format!("c{}", i % 8),
                points: run
                    .rows
                    .iter()
                    .map(|row| (row.epoch as f64, number(row)))
                    .collect(),
            })
            .collect(),
    };
    let margin = ((last - first) * 0.02).max(0.1);
    let chart = Chart {
        title: "Training of all runs over the epochs",
        description: "Validation loss, training loss and validation accuracy.",
        x_label: "Epoch",
        x: (first - margin.min(0.9), last + margin),
        x_step: 1.0,
        panels: vec![
            panel("Validation loss (nats)", Scale::Losses, |row| row.val_loss),
            panel("Training loss (nats)", Scale::Losses, |row| row.train_loss),
            panel("Validation accuracy (%)", Scale::Linear, |row| {
                100.0 * row.val_accuracy
            }),
        ],
        mark: None,
    };
    html.open("figure", &[]);
    legend(html, names);
    for (width, class) in WIDTHS {
        chart.draw(html, width, class);
    }
    html.element(
        "figcaption",
        &[],
        match runs.len() {
            0..=8 => "Losses are as each run reports them, mean or sum.",
            _ => {
                "Losses are as each run reports them, mean or sum. Colours repeat after eight runs."
            }
        },
    );
    html.close("figure").close("section");
}

fn settings(html: &mut Html, runs: &[Run<'_>], names: &[String]) {
    html.section("settings", "Settings that differ");
    let all: Vec<BTreeMap<String, String>> = runs
        .iter()
        .map(|run| facts::settings_of(run).into_iter().collect())
        .collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let differ = |key: &&&String| all.iter().any(|own| own.get(**key) != all[0].get(**key));
    let differing: Vec<&&String> = keys.iter().filter(differ).collect();
    if differing.is_empty() {
        html.paragraph("None: all settings are the same.")
            .close("section");
        return;
    }
    html.scroll("Table of settings");
    html.open("table", &[("class", &"texts")]);
    let head: Vec<&str> = ["setting"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    html.table_head(&head);
    html.open("tbody", &[]);
    for key in differing {
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], key);
        for own in &all {
            html.element("td", &[], own.get(*key).map_or("–", String::as_str));
        }
        html.close("tr");
    }
    html.close("tbody")
        .close("table")
        .close("div")
        .close("section");
}

/// Writes the mistakes that one run makes and all others do not, on the images that tested all.
fn own_mistakes(html: &mut Html, runs: &[Run<'_>], names: &[String]) -> Result<(), Failure> {
    html.section("mistakes", "Mistakes that only one makes");
    if runs
        .iter()
        .any(|run| run.about.data_sha256 != runs[0].about.data_sha256)
    {
        html.paragraph("The runs were tested on different data sets.")
            .close("section");
        return Ok(());
    }
    let tested = |run: &Run<'_>| -> BTreeSet<u32> { run.test.indices().iter().copied().collect() };
    let common = runs
        .iter()
        .map(tested)
        .reduce(|a, b| &a & &b)
        .unwrap_or_default();
    let wrong = runs.iter().map(|run| {
        let mistakes = run.found.predictions.mistakes().into_iter();
        let numbers = mistakes.map(|i| run.number(i));
        numbers
            .filter(|number| common.contains(number))
            .collect::<BTreeSet<u32>>()
    });
    let wrong: Vec<BTreeSet<u32>> = wrong.collect();
    let all = wrong
        .iter()
        .cloned()
        .reduce(|a, b| &a & &b)
        .unwrap_or_default();
    html.paragraph(format_args!(
        "{} images tested all {} runs, and {} of them are mistakes of every run.",
        count(common.len() as u64),
        runs.len(),
        count(all.len() as u64)
    ));
    for (own, (run, name)) in runs.iter().zip(names).enumerate() {
        let others = wrong.iter().enumerate().filter(|&(other, _)| other != own);
        let others: BTreeSet<u32> = others
            .flat_map(|(_, numbers)| numbers.iter().copied())
            .collect();
        let is_own = |number| common.contains(&number) && !others.contains(&number);
        html.element("h3", &[], name);
        pictures(html, run, &is_own, wrong[own].len())?;
    }
    html.close("section");
    Ok(())
}

/// Writes the mistakes of a run, of so many, that only it makes.
fn pictures(
    html: &mut Html,
    run: &Run<'_>,
    is_own: &dyn Fn(u32) -> bool,
    of: usize,
) -> Result<(), Failure> {
    let predictions = &run.found.predictions;
    let mut only = predictions.mistakes();
    only.retain(|&i| is_own(run.number(i)));
    let shown = match only.len() > MAX_MISTAKES {
        true => format!(", of which the {MAX_MISTAKES} most confident are shown"),
        false => String::new(),
    };
    html.paragraph(format_args!(
        "{} of its {} mistakes{shown}.",
        count(only.len() as u64),
        count(of as u64)
    ));
    html.open("ul", &[("class", &"pictures")]);
    for i in only.into_iter().take(MAX_MISTAKES) {
        let classes = [predictions.truth(i), predictions.predicted(i)];
        let [truth, guess] = classes.map(|class| run.class(class));
        let share = mistakes::percent(predictions.confidence(i));
        let alt = format!(
            "Image {}: {truth} taken for {guess}, with {share}",
            run.number(i)
        );
        mistakes::picture(html, run, i, &alt, &format!("{truth}→{guess} {share}"))?;
    }
    html.close("ul");
    Ok(())
}
