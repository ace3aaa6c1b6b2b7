//! Pictures of weights, and of what pixels contribute to an answer.

use super::html::Html;
use super::{Run, image};
use crate::failure::Failure;
use handwritten::MatRef;
use handwritten::compute::vector;
use handwritten::net::attribution::UnitEffect;

/// Maximum number of units with a picture, which has some 1 400 bytes.
pub(crate) const MAX_UNITS: usize = 256;

/// Share of the weights that the scale of their colours covers: a few that are far beyond the
/// others would leave the rest pale.
const COVERED: f64 = 0.995;

/// Classes named for a unit on each side at most.
const NAMED: usize = 3;

/// Maximum number of classes whose answer is taken apart.
const MAX_CLASSES: usize = 64;

/// The end of the scale of colours for the weights of these columns.
pub(crate) fn scale_of(weights: MatRef<'_>, columns: &[usize]) -> f32 {
    let rows = 0..weights.rows();
    let sizes = rows.flat_map(|i| columns.iter().map(move |&j| weights.at(i, j).abs()));
    let mut sizes: Vec<f32> = sizes.collect();
    if sizes.is_empty() {
        return 0.0;
    }
    let at = ((sizes.len() - 1) as f64 * COVERED) as usize;
    *sizes.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The weights of a column: one of each input.
pub(crate) fn column(weights: MatRef<'_>, j: usize) -> Vec<f32> {
    (0..weights.rows()).map(|i| weights.at(i, j)).collect()
}

/// The classes that a unit speaks for and against: those with at least half of its largest
/// effect, the largest first.
pub(crate) fn classes_of(effect: &UnitEffect) -> [Vec<usize>; 2] {
    let largest = effect
        .effects
        .iter()
        .fold(0.0, |most: f64, e| most.max(e.abs()));
    [1.0, -1.0].map(|sign| {
        let mut classes: Vec<usize> = (0..effect.effects.len())
            .filter(|&class| largest > 0.0 && sign * effect.effects[class] >= largest / 2.0)
            .collect();
        classes.sort_by(|&a, &b| {
            let [a, b] = [a, b].map(|class| sign * effect.effects[class]);
            b.total_cmp(&a)
        });
        classes.truncate(NAMED);
        classes
    })
}

/// Writes the section of the weights: those of the first hidden layer or, without one, of the
/// classes.
pub(super) fn section(html: &mut Html, run: &Run<'_>) -> Result<(), Failure> {
    let weights = run.net.layer(0).weights;
    if run.net.depth() == 1 {
        return of_classes(html, run, weights);
    }
    let units = &run.found.units;
    let shown = &units[..units.len().min(MAX_UNITS)];
    let columns: Vec<usize> = shown.iter().map(|unit| unit.unit).collect();
    let largest = scale_of(weights, &columns);
    html.section("units", "Hidden units");
    html.paragraph(format_args!(
        "The weights of {} from each pixel, those first that matter most to the classes: \
         importance is the norm of how far an activation one standard deviation above the mean \
         moves the logits. For and against name the classes with at least half of a unit's \
         largest effect; the last line has its number and its importance.{}",
        match units.len() - shown.len() {
            0 => format!("all {} units of the first hidden layer", units.len()),
            _ => format!(
                "the {} most important of {} units of the first hidden layer",
                shown.len(),
                units.len()
            ),
        },
        match run.net.depth() {
            2 => "",
            _ => " Units of later layers see no pixels, so they have no picture.",
        }
    ));
    scale(html, largest);
    html.open("ul", &[("class", &"pictures units")]);
    for effect in shown {
        let source = image::signed(&column(weights, effect.unit), run.about.image, largest)?;
        let [speaks_for, against] = classes_of(effect).map(|classes| {
            let names: Vec<&str> = classes.iter().map(|&class| run.class(class)).collect();
            names.join(", ")
        });
        let said = |what: &str, names: &str| match names {
            "" => String::new(),
            names => format!("{what} {names}"),
        };
        let (pro, contra) = (said("for", &speaks_for), said("against", &against));
        let alt = format!("Weights of unit {}: {pro} {contra}", effect.unit);
        html.open("li", &[]);
        html.image(&source, &alt, 84);
        html.element("span", &[], pro);
        html.element("span", &[], contra);
        let number = format_args!("{} · {:.2}", effect.unit, effect.importance);
        html.element("span", &[("class", &"number")], number);
        html.close("li");
    }
    html.close("ul").close("section");
    Ok(())
}

fn of_classes(html: &mut Html, run: &Run<'_>, weights: MatRef<'_>) -> Result<(), Failure> {
    let columns: Vec<usize> = (0..weights.cols().min(MAX_UNITS)).collect();
    let largest = scale_of(weights, &columns);
    html.section("units", "Weights of each class");
    html.paragraph("The net has no hidden layer: each class has one weight for each pixel.");
    scale(html, largest);
    html.open("ul", &[("class", &"pictures units")]);
    for class in columns {
        let source = image::signed(&column(weights, class), run.about.image, largest)?;
        let alt = format!("Weights of class {}", run.class(class));
        html.open("li", &[]);
        html.image(&source, &alt, 84);
        html.element("span", &[], run.class(class)).close("li");
    }
    html.close("ul").close("section");
    Ok(())
}

/// Writes the scale of colours of numbers from `-largest` to `largest`.
fn scale(html: &mut Html, largest: f32) {
    html.open("p", &[("class", &"scale")]);
    html.text(format_args!("−{largest:.3}"));
    html.open("span", &[("class", &"diverging"), ("aria-hidden", &"true")])
        .close("span");
    html.text(format_args!("+{largest:.3}"));
    html.close("p");
}

/// Writes the section of one image of each class, and what its pixels add to the answer.
pub(super) fn pixels(html: &mut Html, run: &Run<'_>) -> Result<(), Failure> {
    html.section("pixels", "What each pixel added to the answer");
    html.paragraph(
        "The first test image of each class that was answered rightly, and gradient × input: the \
         gradient of the winning logit by each pixel, times the pixel. Orange pixels speak for the \
         answer, blue ones against it; each picture has a scale of its own.",
    );
    html.open("ul", &[("class", &"pictures answers")]);
    let predictions = &run.found.predictions;
    for class in 0..run.about.classes.len().min(MAX_CLASSES) {
        let of_class = |&i: &usize| predictions.truth(i) == class;
        let all = || (0..predictions.len()).filter(of_class);
        let Some(i) = all()
            .find(|&i| predictions.is_right(i))
            .or_else(|| all().next())
        else {
            continue;
        };
        let mut input = vec![0.0; run.image(i).len()];
        vector::scale_bytes(run.isa, run.image(i), &mut input);
        let answer = predictions.predicted(i);
        let parts = run.net.gradient_times_input(run.isa, &input, answer);
        let largest = parts
            .iter()
            .fold(0.0, |most: f32, part| most.max(part.abs()));
        let name = run.class(answer);
        let share = super::mistakes::percent(predictions.confidence(i));
        let original = image::grey(run.image(i), run.about.image)?;
        let alt = format!("Image {} of class {}", run.number(i), run.class(class));
        html.open("li", &[]);
        html.image(&original, &alt, 84);
        let source = image::signed(&parts, run.about.image, largest)?;
        let alt = format!("Contribution of its pixels to the answer {name}");
        html.image(&source, &alt, 84);
        html.element("span", &[], format_args!("{name} {share}"));
        html.element(
            "span",
            &[("class", &"number")],
            format_args!("#{}", run.number(i)),
        );
        html.close("li");
    }
    html.close("ul").close("section");
    Ok(())
}
