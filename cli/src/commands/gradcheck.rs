//! `handwritten gradcheck`: the gradients of a net beside central differences.

use crate::args::GradcheckArgs;
use crate::failure::Failure;
use crate::memory;
use crate::output;
use crate::output::report::{dashed, grouped};
use crate::setup::{self, Engine, Setup};
use anstyle::{AnsiColor, Style};
use handwritten::net::Tensor;
use handwritten::training::gradcheck::{Comparison, TOLERANCE, check_net};
use handwritten::training::memory::{bytes_to_check_gradient, vector_bytes};
use serde_json::json;

/// Compares the gradient of each tensor of the net that `train` would start from,
/// on the first of its training images.
pub(super) fn run(args: GradcheckArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let (flags, start) = args.settings.flags()?.with_start()?;
    let settings = flags.resolve()?;
    let objective = settings.training.objective();
    let (corpus, _) = setup::load_normalised(&settings)?;
    let setup = Setup::new(settings, &corpus, engine)?.starting_from(start)?;
    let mut workspace = setup.workspace(1)?;
    let bytes = vector_bytes(&setup.widths, 1) + bytes_to_check_gradient(&setup.widths);
    memory::require(
        bytes,
        format_args!(
            "check the gradients of a net {} (--hidden)",
            dashed(&setup.widths)
        ),
    )?;
    let train = &setup.splits.train;
    let batch = &train.indices()[..train.len().min(args.images.get())];
    let checked = check_net(
        &mut workspace,
        setup.net().view(),
        train.dataset(),
        batch,
        objective,
        args.parameters.get(),
    );

    if args.json {
        for (tensor, found) in &checked {
            output::result(&event(*tensor, found).to_string())?;
        }
    } else {
        output::result(&title(&setup, batch.len()))?;
        output::result(&table(&checked))?;
    }
    let wrong = checked.iter().filter(|(_, found)| is_wrong(found));
    let wrong: Vec<String> = wrong.map(|(tensor, _)| tensor.to_string()).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::wrong_gradient(format!(
        "the gradient by {} is not that of the loss",
        wrong.join(" and by ")
    )))
}

/// The title of the table: the net and the loss.
fn title(setup: &Setup<'_>, images: usize) -> String {
    let config = &setup.settings.training;
    format!(
        "net {}, {}, initial weights {}, seed {}: gradient of the {} of the loss over {} images{}\n",
        dashed(&setup.widths),
        setup.settings.activation.name(),
        setup.settings.init.name(),
        config.seed,
        config.reduction.name(),
        grouped(images as u64),
        if config.label_smoothing > 0.0 {
            ", labels not smoothed"
        } else {
            ""
        },
    )
}

fn is_wrong(found: &Comparison) -> bool {
    found.error > TOLERANCE
}

/// A row for each tensor.
fn table(checked: &[(Tensor, Comparison)]) -> String {
    let (bold, red) = (
        Style::new().bold(),
        Style::new().fg_color(Some(AnsiColor::Red.into())),
    );
    let mut text = format!(
        "{bold}{:<24}{:>10}{:>14}{:>14}{:>14}{:>14}{bold:#}",
        "gradient by", "checked", "largest", "analytic", "differences", "worst error"
    );
    for (tensor, found) in checked {
        let name = tensor.to_string();
        text += &format!(
            "\n{:<24}{:>10}{:>14.3e}{:>14.6e}{:>14.6e}{:>14.1e}",
            name.trim_start_matches("the "),
            found.checked,
            found.largest,
            found.analytic,
            found.numeric,
            found.error,
        );
        if is_wrong(found) {
            text += &format!("  {red}wrong{red:#}");
        }
    }
    text + "\n\nanalytic and differences: both derivatives by the parameter where they differ \
            most; worst error: their distance as a share of the largest derivative checked"
}

/// A tensor's row as JSON.
fn event(tensor: Tensor, found: &Comparison) -> serde_json::Value {
    json!({
        "event": "gradient",
        "tensor": tensor.to_string(),
        "checked": found.checked,
        "largest": found.largest,
        "analytic": found.analytic,
        "differences": found.numeric,
        "error": found.error,
        "wrong": is_wrong(found),
    })
}
