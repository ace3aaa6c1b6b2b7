//! `handwritten classify`: which digits pictures show.

use super::classify_data;
use crate::args::ClassifyArgs;
use crate::committee::Committee;
use crate::failure::Failure;
use crate::output;
use crate::picture::{self, Digit, Form, decode, files};
use crate::setup::Engine;
use handwritten::compute::vector;
use handwritten::data::{Centre, Framing};
use handwritten::files::KnownDataset;
use handwritten::files::model::Metadata;
use serde_json::json;
use std::path::Path;

/// Prints the most probable classes of each digit in each picture, one picture in memory at a
/// time. A picture that cannot be classified is reported on a line of its own, and the others
/// are classified all the same.
pub(super) fn run(args: &ClassifyArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let committee = Committee::read(&args.model, args.shifts)?;
    if let Some(data) = &args.data {
        return classify_data::run(args, engine, &committee, data);
    }
    let mut all_classified = true;
    let mut each = |path: &Path, listed: Result<(), String>| -> Result<(), Failure> {
        match listed.and_then(|()| probabilities(engine, &committee, path)) {
            Ok(digits) => {
                for (i, probs) in digits.iter().enumerate() {
                    let place = Place {
                        path,
                        digit: i + 1,
                        digits: digits.len(),
                    };
                    output::result(&match args.json {
                        true => json(place, probs, committee.about()),
                        false => text(place, probs, committee.about()),
                    })?;
                }
            }
            Err(why) => {
                Failure::new(format!("{}: {why}", path.display())).report();
                all_classified = false;
            }
        }
        Ok(())
    };
    for argument in &args.images {
        files::for_each(argument, &mut each)?;
    }
    match all_classified {
        true => Ok(()),
        false => Err(Failure::reported()),
    }
}

/// Where a digit is.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    /// Its number in the picture, counted from 1 at the left.
    digit: usize,
    /// The number of digits in the picture.
    digits: usize,
}

/// The probability of each class, for each digit in a picture.
fn probabilities(
    engine: Engine,
    committee: &Committee,
    path: &Path,
) -> Result<Vec<Vec<f32>>, String> {
    let pixels = decode::decode(&files::read(path)?)?;
    let form = form(committee.about());
    let classified = |digit: &Digit| {
        let probs = forward(engine, committee, &digit.input)?;
        match vector::max(&probs) < digit.least_probability {
            true => Err(picture::TWO.to_string()),
            false => Ok(probs),
        }
    };
    picture::digits(pixels, form)?
        .iter()
        .map(classified)
        .collect()
}

/// The images that the net of a model was trained on. Files of versions that do not say how
/// ink lies in them have the name of the data set.
fn form(about: &Metadata) -> Form {
    let (rows, columns) = about.image;
    let is_mnist = about.data == KnownDataset::Mnist.to_string();
    let framing = about.framing.or(is_mnist.then_some(Framing::MNIST));
    let digits = (0..10).map(|digit| digit.to_string());
    Form {
        rows,
        columns,
        framing,
        // Characters of other scripts have parts side by side, and no mass in the middle.
        is_row: framing.is_some_and(|framing| framing.centre == Centre::Mass)
            && about.classes.iter().cloned().eq(digits),
        full: f32::from(about.normalisation.largest()) / 255.0,
    }
}

/// The probability of each class for one image.
fn forward(engine: Engine, committee: &Committee, input: &[f32]) -> Result<Vec<f32>, String> {
    let probs = committee.probabilities_of(engine, input);
    match vector::all_finite(engine.isa, &probs) {
        true => Ok(probs),
        false => Err(
            "the model's weights are so large that its outputs on this image are not finite"
                .to_string(),
        ),
    }
}

fn json(place: Place<'_>, probs: &[f32], about: &Metadata) -> String {
    let event = json!({
        "event": "class",
        "image": place.path.display().to_string(),
        "digit": place.digit,
        "digits": place.digits,
        "class": about.classes[vector::argmax(probs)],
        "probabilities": probs,
    });
    event.to_string()
}

fn text(place: Place<'_>, probs: &[f32], about: &Metadata) -> String {
    let names = &about.classes;
    let mut order: Vec<usize> = (0..probs.len()).collect();
    order.sort_by(|&i, &j| probs[j].total_cmp(&probs[i]));
    let share = |&i: &usize| format!("{} {:.1} %", names[i], 100.0 * probs[i]);
    let likely: Vec<String> = order.iter().take(3).map(share).collect();
    let which = match place.digits {
        1 => String::new(),
        digits => format!(", digit {} of {digits}", place.digit),
    };
    format!(
        "{}{which}: {}  ({})",
        place.path.display(),
        names[vector::argmax(probs)],
        likely.join(", ")
    )
}
