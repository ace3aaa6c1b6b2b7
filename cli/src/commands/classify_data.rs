//! `handwritten classify --data`: the classes of the images of a data set.

use crate::args::ClassifyArgs;
use crate::committee::{Committee, copied};
use crate::failure::Failure;
use crate::output;
use crate::setup::Engine;
use handwritten::compute::vector;
use handwritten::data::{Dataset, Subset};
use handwritten::files;
use handwritten::net::{activations_len, loss};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// Prints the class of each image, numbered from 1.
pub(super) fn run(
    args: &ClassifyArgs,
    engine: Engine,
    committee: &Committee,
    data: &Path,
) -> Result<(), Failure> {
    let about = committee.about();
    let mut images = files::load_images(data).map_err(Failure::caused)?;
    let sides = (images.rows(), images.columns());
    if sides != about.image {
        return Err(Failure::new(format!(
            "the model is for {}×{} images, those in {} are {}×{}",
            about.image.0,
            about.image.1,
            data.display(),
            sides.0,
            sides.1
        )));
    }
    about.normalisation.apply(&mut images);
    let answers = answers(engine, committee, &images)?;
    let mut text = String::new();
    if args.csv {
        text += "ImageId,Label\n";
    }
    for (number, probs) in (1..).zip(answers.chunks_exact(about.classes.len())) {
        if !vector::all_finite(engine.isa, probs) {
            return Err(Failure::new(format!(
                "{}: the model's weights are so large that its outputs on image {number} are not \
                 finite",
                data.display()
            )));
        }
        let best = vector::argmax(probs);
        let class = &about.classes[best];
        let written = if args.csv {
            writeln!(text, "{number},{}", quoted(class))
        } else if args.json {
            let event = json!({
                "event": "class",
                "data": data.display().to_string(),
                "image": number,
                "class": class,
                "probabilities": probs,
            });
            writeln!(text, "{event}")
        } else {
            writeln!(text, "{number}: {class}  ({:.1} %)", 100.0 * probs[best])
        };
        written.expect("a String takes whatever is written");
    }
    output::result(text.trim_end())
}

/// The probability of each class, for each image.
fn answers(engine: Engine, committee: &Committee, images: &Dataset) -> Result<Vec<f32>, Failure> {
    let Some(net) = committee.only() else {
        let widths = committee.widths();
        let mut workspace = engine.workspace(widths, 1, 0, "the model")?;
        let (pixels, _) = copied(&Subset::all(images))?;
        return committee.probabilities(&mut workspace, &pixels);
    };
    let mut activations = vec![0.0; activations_len(net.widths(), 1)];
    let mut answers = vec![];
    for (image, _) in images.iter() {
        match net.logits(engine.isa, image, &mut activations) {
            Some(logits) => {
                loss::softmax(engine.isa, logits);
                answers.extend_from_slice(logits);
            }
            None => answers.extend(committee.about().classes.iter().map(|_| f32::NAN)),
        }
    }
    Ok(answers)
}

/// The name of a class as a field of a table.
fn quoted(name: &str) -> String {
    match name.contains([',', '"', ' ']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_string(),
    }
}
