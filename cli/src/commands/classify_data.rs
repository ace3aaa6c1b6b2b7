//! `handwritten classify --data`: the classes of the images of a data set.

use crate::args::ClassifyArgs;
use crate::failure::Failure;
use crate::output;
use crate::setup::Engine;
use handwritten::compute::vector;
use handwritten::files;
use handwritten::files::model::Model;
use handwritten::net::{activations_len, loss};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// Prints the class of each image, numbered from 1.
pub(super) fn run(
    args: &ClassifyArgs,
    engine: Engine,
    model: &Model,
    data: &Path,
) -> Result<(), Failure> {
    let about = &model.metadata;
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
    let net = model.net.view();
    let mut activations = vec![0.0; activations_len(net.widths(), 1)];
    let mut text = String::new();
    if args.csv {
        text += "ImageId,Label\n";
    }
    for (number, (image, _)) in (1..).zip(images.iter()) {
        let probs = net.logits(engine.isa, image, &mut activations);
        let probs = probs.filter(|logits| vector::all_finite(engine.isa, logits));
        let Some(probs) = probs else {
            return Err(Failure::new(format!(
                "{}: the model's weights are so large that its outputs on image {number} are not \
                 finite",
                data.display()
            )));
        };
        loss::softmax(engine.isa, probs);
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
                "probabilities": &*probs,
            });
            writeln!(text, "{event}")
        } else {
            writeln!(text, "{number}: {class}  ({:.1} %)", 100.0 * probs[best])
        };
        written.expect("a String takes whatever is written");
    }
    output::result(text.trim_end())
}

/// The name of a class as a field of a table.
fn quoted(name: &str) -> String {
    match name.contains([',', '"', ' ']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_string(),
    }
}
