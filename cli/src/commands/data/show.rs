//! `handwritten data`: what a data set is.

use super::sheet;
use crate::args::ShowArgs;
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::memory;
use crate::output;
use crate::output::report::grouped;
use crate::setup;
use handwritten::data::{Dataset, Normalisation, Orientation};
use handwritten::files::{Parts, write_atomic};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;

/// Bytes that an entry of a set of images takes at most.
const BYTES_PER_IMAGE: usize = 64;

/// Prints what a data set is, and its first images.
pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if let Some(sheet) = args
        .sheet
        .as_deref()
        .filter(|sheet| sheet.exists() && !args.force)
    {
        return Err(Failure::new(format!(
            "{} is there already (--force overwrites it)",
            sheet.display()
        )));
    }
    let mut parts = setup::load_parts(args.path.as_deref(), Fit::as_mnist(args.as_is))?;
    let facts = Facts::of(&mut parts)?;
    if args.json {
        output::result(&facts.json(&parts).to_string())?;
    } else {
        output::result(&facts.text(&parts))?;
    }
    let Some(data) = parts.train.as_ref().or(parts.test.as_ref()) else {
        return Ok(());
    };
    let text = sheet::text(data, &parts.class_names);
    if !args.json && !text.is_empty() {
        output::result(&format!("\n{text}"))?;
    }
    match &args.sheet {
        Some(path) => write_sheet(data, path),
        None => Ok(()),
    }
}

fn write_sheet(data: &Dataset, path: &Path) -> Result<(), Failure> {
    write_atomic(path, &sheet::png(data)?).map_err(Failure::caused)
}

/// Measurements of a data set.
struct Facts {
    /// Of each class, the number of training and test images.
    counts: Vec<[usize; 2]>,
    /// The smallest and the largest pixel of each part that there is, and their mean.
    pixels: Vec<(&'static str, u8, u8, f64)>,
    normalisation: Normalisation,
    orientation: Orientation,
    /// Training images that are there before, test images that are there before, and test
    /// images that are training images too.
    duplicates: [usize; 3],
}

impl Facts {
    /// Measures a data set, and normalises the pixels of its first part: they are shown as a
    /// net would see them, bright on dark.
    fn of(parts: &mut Parts) -> Result<Self, Failure> {
        let halves = [parts.train.as_ref(), parts.test.as_ref()];
        let images: usize = halves.iter().flatten().map(|data| data.len()).sum();
        memory::require(
            images * BYTES_PER_IMAGE,
            "look for images that are there twice",
        )?;
        let mut counts = vec![[0; 2]; parts.class_names.len()];
        for (part, data) in halves.iter().enumerate() {
            for &label in data.map_or(&[][..], Dataset::labels) {
                counts[usize::from(label)][part] += 1;
            }
        }
        let named = ["training", "test"].into_iter().zip(halves);
        let pixels = named.filter_map(|(name, data)| {
            let pixels = data?.pixels();
            let sum: u64 = pixels.iter().map(|&pixel| u64::from(pixel)).sum();
            let (least, most) = (pixels.iter().min(), pixels.iter().max());
            Some((name, *least?, *most?, sum as f64 / pixels.len() as f64))
        });
        let (pixels, duplicates) = (pixels.collect(), duplicates(halves));
        let (mut normalisation, mut orientation) = (Normalisation::RAW, Orientation::Unclear);
        if let Some(data) = parts.train.as_mut().or(parts.test.as_mut()) {
            normalisation = Normalisation::of(data);
            normalisation.apply(data);
            orientation = Orientation::of(data);
        }
        Ok(Self {
            counts,
            pixels,
            normalisation,
            orientation,
            duplicates,
        })
    }

    fn text(&self, parts: &Parts) -> String {
        let count = |part: Option<&Dataset>| grouped(part.map_or(0, Dataset::len) as u64);
        let (train, test) = (parts.train.as_ref(), parts.test.as_ref());
        let sides = train
            .or(test)
            .map_or((0, 0), |data| (data.rows(), data.columns()));
        let pixels = self
            .pixels
            .iter()
            .map(|(part, least, most, mean)| format!("{least} to {most}, mean {mean:.1} ({part})"));
        let pixels: Vec<String> = pixels.collect();
        let [twice, test_twice, in_both] = self.duplicates.map(|n| grouped(n as u64));
        let turned = if parts.is_turned {
            "; rows and columns were exchanged"
        } else {
            ""
        };
        let mut text = format!(
            "data        {}
format      {}
data set    {}
sha256      {}
images      {} to train, {} to test, {}×{} pixels, {} classes
pixels      {}; inputs are {}
shapes      {}{turned}
duplicates  {twice} in training, {test_twice} in test, {in_both} test images are in training too

class  training      test",
            parts.dir.display(),
            parts.format,
            parts.source,
            parts.fingerprint,
            count(train),
            count(test),
            sides.0,
            sides.1,
            self.counts.len(),
            pixels.join(", "),
            self.normalisation,
            self.orientation,
        );
        for (name, [train, test]) in parts.class_names.iter().zip(&self.counts) {
            let [train, test] = [train, test].map(|&n| grouped(n as u64));
            text += &format!("\n{name:>5}{train:>10}{test:>10}");
        }
        text
    }

    fn json(&self, parts: &Parts) -> Value {
        let pixels = self.pixels.iter().map(|(part, least, most, mean)| {
            (
                part.to_string(),
                json!({"least": least, "most": most, "mean": mean}),
            )
        });
        let (train, test) = (parts.train.as_ref(), parts.test.as_ref());
        let sides = train
            .or(test)
            .map_or((0, 0), |data| (data.rows(), data.columns()));
        let [twice, test_twice, in_both] = self.duplicates;
        json!({
            "event": "data",
            "data": parts.dir.display().to_string(),
            "format": parts.format.to_string(),
            "data_set": parts.source.to_string(),
            "data_sha256": parts.fingerprint,
            "image": [sides.0, sides.1],
            "classes": parts.class_names,
            "images": self.counts,
            "pixels": serde_json::Map::from_iter(pixels),
            "normalisation": self.normalisation.to_string(),
            "orientation": self.orientation.to_string(),
            "turned": parts.is_turned,
            "duplicates": {"training": twice, "test": test_twice, "both": in_both},
        })
    }
}

/// Images of each part that are there before, and test images that are training images.
fn duplicates([train, test]: [Option<&Dataset>; 2]) -> [usize; 3] {
    fn distinct(data: &Dataset) -> HashSet<&[u8]> {
        let mut seen = HashSet::with_capacity(data.len());
        seen.extend(data.iter().map(|(image, _)| image));
        seen
    }
    let (in_train, in_test) = (train.map(distinct), test.map(distinct));
    let twice = |data: Option<&Dataset>, seen: &Option<HashSet<&[u8]>>| {
        data.map_or(0, Dataset::len) - seen.as_ref().map_or(0, HashSet::len)
    };
    let both = match (&in_train, test) {
        (Some(train), Some(test)) => test
            .iter()
            .filter(|(image, _)| train.contains(image))
            .count(),
        _ => 0,
    };
    [twice(train, &in_train), twice(test, &in_test), both]
}
