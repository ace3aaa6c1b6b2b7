//! The sections of a page that are text and tables: the answer, the diagnosis, the settings.

use super::history::meaning;
use super::html::Html;
use super::{Run, count};
use crate::output::report::dashed;
use handwritten::Reduction;
use handwritten::net::params_len;
use toml::{Table, Value};

/// Writes the answer: how good the net is, and how to get it again.
pub(super) fn answer(html: &mut Html, run: &Run<'_>) {
    let confusion = &run.found.evaluation.confusion;
    html.section("answer", "The answer");
    html.open("p", &[("class", &"accuracy")]);
    let accuracy = confusion.accuracy();
    html.element(
        "strong",
        &[("id", &"accuracy"), ("data-accuracy", &accuracy)],
        format_args!("{:.2}\u{a0}%", 100.0 * accuracy),
    );
    html.text(format_args!(
        " of {} test images are classified rightly",
        count(confusion.total())
    ));
    html.close("p");
    figures(html, run);
    html.paragraph("This command gives the same net, bit for bit:");
    html.open("pre", &[("tabindex", &0)])
        .element("code", &[("id", &"command")], command(run))
        .close("pre");
    html.close("section");
}

/// Writes the figures beside the accuracy.
fn figures(html: &mut Html, run: &Run<'_>) {
    let evaluation = &run.found.evaluation;
    let confusion = &evaluation.confusion;
    let (low, high) = confusion.accuracy_interval();
    html.open("dl", &[("class", &"facts")]);
    let mut fact = |name: &str, value: String| {
        html.open("div", &[])
            .element("dt", &[], name)
            .element("dd", &[], value)
            .close("div");
    };
    fact(
        "right",
        format!(
            "{} of {}",
            count(confusion.correct()),
            count(confusion.total())
        ),
    );
    fact(
        "95 % interval",
        format!("{:.2} to {:.2} %", 100.0 * low, 100.0 * high),
    );
    let sum = match run.about.reduction {
        Reduction::Sum => " (sum)",
        _ => "",
    };
    fact("test loss", format!("{:.4}{sum}", evaluation.loss));
    fact(
        "best epoch",
        format!(
            "{} of {}, validation loss {:.5}",
            run.about.best_epoch,
            run.rows.len(),
            run.about.val_loss
        ),
    );
    if let Some(seconds) = run
        .machine
        .get("training_seconds")
        .and_then(Value::as_float)
    {
        let since = match run.machine.contains_key("resumed_after_epochs") {
            true => " since it was resumed",
            false => "",
        };
        fact("training time", format!("{seconds:.1} s{since}"));
    }
    fact("net", net(run));
    html.close("dl");
}

fn net(run: &Run<'_>) -> String {
    let widths = run.net.widths();
    format!(
        "{}, {}, {} parameters",
        dashed(widths),
        run.net.activation(),
        count(params_len(widths) as u64)
    )
}

/// The command that repeats the run: its settings as flags. A run that started from another
/// net, and one whose model does not say its settings, is repeated by its config.toml.
pub(super) fn command(run: &Run<'_>) -> String {
    let settings: Table = run.about.settings.parse().unwrap_or_default();
    if settings.is_empty() || settings.contains_key("from_sha256") {
        return "train --config config.toml".to_string();
    }
    let mut command = "train".to_string();
    for (key, value) in &settings {
        let value = match value {
            Value::Array(values) if values.is_empty() => "none".to_string(),
            Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
            Value::Boolean(false) => continue,
            Value::Boolean(true) => {
                command += &format!(" --{}", key.replace('_', "-"));
                continue;
            }
            other => plain(other),
        };
        command += &format!(" --{} {value}", key.replace('_', "-"));
    }
    command
}

/// A value as a flag takes it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // TOML writes 1e-5 for what Rust would write in full.
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// Writes the diagnosis of each epoch that had one.
pub(super) fn diagnosis(html: &mut Html, run: &Run<'_>) {
    html.section("diagnosis", "Diagnosis");
    let found: Vec<_> = run
        .rows
        .iter()
        .filter(|row| !row.finding.is_empty())
        .collect();
    if found.is_empty() {
        html.paragraph("Nothing was found wrong in any epoch.");
        html.close("section");
        return;
    }
    html.scroll("Findings");
    html.open("table", &[("class", &"texts")]);
    html.table_head(&["epoch", "finding", "meaning", "saturated", "dead"]);
    html.open("tbody", &[]);
    for row in found {
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], row.epoch);
        html.element("td", &[], &row.finding);
        html.element("td", &[], meaning(&row.finding));
        for share in [row.saturated, row.dead] {
            let shown = match share.is_finite() {
                true => format!("{:.1} %", 100.0 * share),
                false => "–".to_string(),
            };
            html.element("td", &[], shown);
        }
        html.close("tr");
    }
    html.close("tbody").close("table").close("div");
    html.paragraph("Saturated and dead are shares of the hidden activations and units.");
    html.close("section");
}

/// Name and value of everything that decided the run, and of where it ran.
pub(super) fn settings_of(run: &Run<'_>) -> Vec<(String, String)> {
    let settings: Table = run.about.settings.parse().unwrap_or_default();
    let mut all: Vec<(String, String)> = settings
        .iter()
        .map(|(key, value)| {
            let shown = match value {
                Value::Array(values) if values.is_empty() => "none".to_string(),
                Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
                other => plain(other),
            };
            (key.replace('_', " "), shown)
        })
        .collect();
    if settings.is_empty() {
        all.push(("seed".to_string(), run.about.seed.to_string()));
        all.push(("split".to_string(), run.about.split.to_string()));
    }
    all.push(("inputs".to_string(), run.about.normalisation.to_string()));
    all.push(("data".to_string(), run.about.data.clone()));
    all.push(("data SHA-256".to_string(), run.about.data_sha256.clone()));
    all.push(("model SHA-256".to_string(), run.model_sha256.clone()));
    for (key, name) in [
        ("instruction_set", "instruction set"),
        ("fused_multiply_add", "fused multiply-add"),
        ("threads", "threads"),
        ("target", "machine"),
        ("version", "version of handwritten"),
        ("started", "started"),
    ] {
        all.extend(run.machine(key).map(|value| (name.to_string(), value)));
    }
    all
}

/// Writes the settings, the data and the machine.
pub(super) fn settings(html: &mut Html, run: &Run<'_>) {
    html.section("settings", "Settings, data and machine");
    html.scroll("Settings");
    html.open("table", &[("class", &"texts")]);
    html.table_head(&["setting", "value"]);
    html.open("tbody", &[]);
    for (name, value) in settings_of(run) {
        html.open("tr", &[])
            .element("th", &[("scope", &"row")], name);
        html.element("td", &[], value).close("tr");
    }
    html.close("tbody")
        .close("table")
        .close("div")
        .close("section");
}
