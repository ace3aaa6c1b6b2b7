//! Pictures of single test images: mistakes, and answers that were right but not sure.

use super::html::Html;
use super::{Run, count, image};
use crate::failure::Failure;
use std::collections::BTreeMap;

/// Maximum number of mistakes with a picture, which has some 700 bytes.
const MAX_MISTAKES: usize = 600;

/// Number of right answers with a picture.
const LEAST_SURE: usize = 24;

/// Writes the section of the mistakes, grouped by what was taken for what.
pub(super) fn section(html: &mut Html, run: &Run<'_>) -> Result<(), Failure> {
    let predictions = &run.found.predictions;
    let (all, images) = (predictions.mistakes(), predictions.len() as u64);
    html.section("mistakes", "Every mistake");
    if all.is_empty() {
        html.paragraph(format_args!(
            "There is none: all {} test images are right.",
            count(images)
        ));
        html.close("section");
        return Ok(());
    }
    let shown = &all[..all.len().min(MAX_MISTAKES)];
    let which = match all.len() - shown.len() {
        0 => String::new(),
        _ => format!(", of which the {} most confident are shown", shown.len()),
    };
    html.paragraph(format_args!(
        "{} of {} test images{which}. The number after # is the place of the image in the test \
         file; the share is the probability of the wrong answer.",
        count(all.len() as u64),
        count(images),
    ));
    html.open("div", &[("class", &"groups"), ("id", &"groups")]);
    for ((truth, guess), members) in groups(run, shown) {
        let name = format!("{} taken for {}", run.class(truth), run.class(guess));
        html.open(
            "div",
            &[
                ("class", &"group"),
                ("data-truth", &truth),
                ("data-guess", &guess),
            ],
        );
        html.open("h3", &[]).text(&name);
        html.element(
            "span",
            &[("class", &"count")],
            format_args!(" {}", members.len()),
        );
        html.close("h3").open("ul", &[("class", &"pictures")]);
        for i in members {
            let share = percent(predictions.confidence(i));
            let alt = format!("Image {}: {name}, with {share}", run.number(i));
            let caption = format!("{}→{} {share}", run.class(truth), run.class(guess));
            picture(html, run, i, &alt, &caption)?;
        }
        html.close("ul").close("div");
    }
    html.close("div").close("section");
    Ok(())
}

/// The classes of a mistake, true and guessed.
type Pair = (usize, usize);

/// The mistakes of each pair of classes; the pair with the most of them first, then that with
/// the most confident one.
fn groups(run: &Run<'_>, mistakes: &[usize]) -> Vec<(Pair, Vec<usize>)> {
    let predictions = &run.found.predictions;
    let mut found: BTreeMap<Pair, Vec<usize>> = BTreeMap::new();
    for &i in mistakes {
        let pair = (predictions.truth(i), predictions.predicted(i));
        found.entry(pair).or_default().push(i);
    }
    let mut groups: Vec<_> = found.into_iter().collect();
    let confidence = |members: &[usize]| predictions.confidence(members[0]);
    groups.sort_by(|(_, a), (_, b)| {
        let by_count = b.len().cmp(&a.len());
        by_count.then(confidence(b).total_cmp(&confidence(a)))
    });
    groups
}

/// Writes the section of the right answers that were the least sure.
pub(super) fn least_sure(html: &mut Html, run: &Run<'_>) -> Result<(), Failure> {
    let predictions = &run.found.predictions;
    html.section("unsure", "Right, but least sure");
    html.paragraph("Right answers with the lowest probability, and the class that came second.");
    html.open("ul", &[("class", &"pictures")]);
    for i in predictions.least_sure().into_iter().take(LEAST_SURE) {
        let (class, shares) = (predictions.predicted(i), predictions.probabilities(i));
        let others = (0..shares.len()).filter(|&other| other != class);
        let second = others.max_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        let (name, share) = (run.class(class), percent(shares[class]));
        let then = second.map_or(String::new(), |second| {
            format!(", then {} {}", run.class(second), percent(shares[second]))
        });
        let alt = format!("Image {}: {name} with {share}{then}", run.number(i));
        picture(html, run, i, &alt, &format!("{name} {share}{then}"))?;
    }
    html.close("ul").close("section");
    Ok(())
}

/// Writes one test image with its number and a caption, as an item of a list.
pub(super) fn picture(
    html: &mut Html,
    run: &Run<'_>,
    i: usize,
    alt: &str,
    caption: &str,
) -> Result<(), Failure> {
    let source = image::grey(run.image(i), run.about.image)?;
    html.open("li", &[]);
    html.image(&source, alt, 56);
    html.element("span", &[], caption);
    html.element(
        "span",
        &[("class", &"number")],
        format_args!("#{}", run.number(i)),
    );
    html.close("li");
    Ok(())
}

/// A probability, with as many digits as tell it from 100 %.
pub(super) fn percent(share: f32) -> String {
    match 100.0 * f64::from(share) {
        share if share > 99.99 && share < 100.0 => ">99.99\u{a0}%".to_string(),
        share if share > 99.0 && share < 100.0 => format!("{share:.2}\u{a0}%"),
        share => format!("{share:.1}\u{a0}%"),
    }
}
