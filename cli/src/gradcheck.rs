//! `handwritten gradcheck`: the gradients of a net beside central differences.

use super::args::GradcheckArgs;
use super::report::{dashed, grouped};
use super::{Failure, find_data, isa, output};
use anstyle::{AnsiColor, Style};
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Splits;
use handwritten::files;
use handwritten::net::Tensor;
use handwritten::training::gradcheck::{Comparison, TOLERANCE, check_net};
use handwritten::{Net, Workspace};
use serde_json::json;

/// Compares the gradient of each tensor of the net that `train` would start
/// from, on the first images that it would learn from.
pub(super) fn run(args: GradcheckArgs) -> Result<(), Failure> {
    let isa = isa()?;
    let settings = args.settings.resolve()?;
    let dir = find_data(settings.data.as_deref())?;
    let loaded = files::load(&dir).map_err(Failure::new)?;
    let config = &settings.training;
    let mut rng = generator(config.seed, Stream::Split);
    let splits =
        Splits::new(&loaded.train, &loaded.test, settings.split, &mut rng).map_err(Failure::new)?;
    let widths = settings.widths(loaded.train.features(), loaded.train.classes())?;
    let mut rng = generator(config.seed, Stream::Weights);
    let net = Net::random(&widths, settings.activation, settings.init, &mut rng);
    let mut workspace = Workspace::new(&widths, 1).with_isa(isa);
    let (data, indices) = (splits.train.dataset(), splits.train.indices());
    let batch = &indices[..indices.len().min(args.images.get())];
    let (reduction, count) = (config.reduction, args.parameters.get());
    let checked = check_net(
        &mut workspace,
        net.view(),
        data,
        batch,
        config.objective(),
        count,
    );

    if args.json {
        for (tensor, found) in &checked {
            output::result(&event(*tensor, found).to_string())?;
        }
    } else {
        output::result(&format!(
            "net {}, {}, first weights {}, seed {}: gradient of the {} of the loss over {} images{}\n",
            dashed(&widths),
            settings.activation.name(),
            settings.init.name(),
            config.seed,
            reduction.name(),
            grouped(batch.len() as u64),
            if config.label_smoothing > 0.0 {
                ", labels not smoothed"
            } else {
                ""
            },
        ))?;
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

fn is_wrong(found: &Comparison) -> bool {
    found.error > TOLERANCE
}

/// A line for each tensor, in columns.
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
    text + "\n\nanalytic and differences: of the parameter where they are farthest apart; \
            worst error: that distance as a share of the largest derivative checked"
}

/// The same for a program.
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
