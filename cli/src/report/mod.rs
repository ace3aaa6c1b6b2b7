//! The report of a run: one page that shows how training went, what the net gets wrong, and
//! what its hidden units look for; and the pictures of it as files.
//!
//! A page is one file that needs nothing else: pictures are data URIs, charts inline SVG. It is
//! the same, byte for byte, whether it is written at the end of a training or from the folder
//! of the run.

mod calibration;
mod compare;
mod confusion;
mod curves;
pub(crate) mod document;
mod facts;
mod history;
mod html;
mod image;
mod mistakes;
mod page;
mod pictures;
mod source;
mod svg;
mod units;

pub(crate) use compare::html as comparison;
pub(crate) use source::Source;

use crate::failure::Failure;
use crate::output::report::{dashed, grouped, test_json};
use handwritten::data::Subset;
use handwritten::files::model::Metadata;
use handwritten::files::write_atomic;
use handwritten::{Examination, Isa, NetRef, Workspace};
use history::Row;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// The page.
pub(crate) const PAGE: &str = "report.html";

/// The files of a report, in the order in which they are written.
pub(crate) const FILES: [&str; 4] = ["mistakes.png", "units.png", "calibration.svg", PAGE];

/// Bytes that a report allocates at most besides text and pictures, for a net of these widths
/// and so many test images: the predictions, the effects of the units, the gradients of a chunk
/// of 256 images by two layers, and the weights that a picture shows.
pub(crate) fn bytes(widths: &[usize], images: usize) -> usize {
    let classes = widths.last().copied().unwrap_or(0);
    let widest = widths[1..].iter().copied().max().unwrap_or(0);
    let predictions = images.saturating_mul(4 * classes + 24);
    let units = widths[1].saturating_mul(24 * classes + 128);
    let gradients = widest.saturating_mul(2 * 4 * 256);
    let weights = widths[0].saturating_mul(4 * (units::MAX_UNITS + 8));
    [predictions, units, gradients, weights]
        .into_iter()
        .fold(0, usize::saturating_add)
}

/// The texts of a run's folder that a report takes its facts from; empty where a file is not
/// there.
#[derive(Clone, Default)]
pub(crate) struct Texts {
    /// history.csv.
    pub(crate) history: String,
    /// machine.toml.
    pub(crate) machine: String,
    /// The SHA-256 of the model file, in hexadecimal digits.
    pub(crate) model_sha256: String,
}

/// A run, as a report shows it.
pub(crate) struct Run<'a> {
    /// The name of its folder.
    name: String,
    isa: Isa,
    net: NetRef<'a>,
    about: &'a Metadata,
    rows: Vec<Row>,
    machine: toml::Table,
    model_sha256: String,
    test: &'a Subset<'a>,
    found: Examination,
}

impl<'a> Run<'a> {
    /// Examines a net on the test images of its run.
    ///
    /// # Errors
    /// The loss on the test images is not finite.
    pub(crate) fn new(
        folder: &Path,
        isa: Isa,
        (net, about): (NetRef<'a>, &'a Metadata),
        texts: Texts,
        test: &'a Subset<'a>,
        workspace: &mut Workspace,
    ) -> Result<Self, Failure> {
        let found = workspace.examine(net, test, about.reduction);
        if !found.evaluation.loss.is_finite() {
            return Err(Failure::new(
                "there is no report: the weights are so large that the loss on the test images is \
                 not finite",
            ));
        }
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name: name.unwrap_or_else(|| "run".to_string()),
            isa,
            net,
            about,
            rows: history::rows(&texts.history),
            machine: texts.machine.parse().unwrap_or_default(),
            model_sha256: texts.model_sha256,
            test,
            found,
        })
    }

    /// Writes the files of the report into a folder, each completely or not at all.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let calibration = self.found.predictions.calibration(calibration::BINS);
        let title = format!("{}: confidence and accuracy", self.title());
        // In the order of `FILES`.
        let contents = [
            pictures::mistakes(self)?,
            pictures::units(self)?,
            calibration::svg(&calibration, &title).into_bytes(),
            page::html(self)?.into_bytes(),
        ];
        for (name, bytes) in FILES.iter().zip(contents) {
            write_atomic(&folder.join(name), &bytes).map_err(Failure::caused)?;
        }
        Ok(())
    }

    /// The mistakes, the most confident first: the place of each in the test file, its
    /// pixels, and a caption.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = (u32, &[u8], String)> {
        let predictions = &self.found.predictions;
        predictions.mistakes().into_iter().map(|i| {
            let classes = [predictions.truth(i), predictions.predicted(i)];
            let [truth, guess] = classes.map(|class| self.class(class));
            let share = mistakes::percent(predictions.confidence(i));
            (
                self.number(i),
                self.image(i),
                format!("{truth}→{guess} {share}"),
            )
        })
    }

    /// The rows and columns of an image.
    pub(crate) fn image_sides(&self) -> (usize, usize) {
        self.about.image
    }

    /// The figures of the report as JSON.
    pub(crate) fn json(&self) -> Value {
        let predictions = &self.found.predictions;
        let calibration = predictions.calibration(calibration::BINS);
        let bins = calibration.bins().iter().map(|bin| {
            json!({
                "images": bin.count,
                "confidence": bin.confidence(),
                "accuracy": bin.accuracy(),
            })
        });
        let mut event = test_json(&self.found.evaluation, &self.about.classes);
        event["event"] = json!("report");
        event["expected_calibration_error"] = json!(calibration.expected_error());
        event["calibration"] = bins.collect();
        event["mistakes"] = predictions
            .mistakes()
            .iter()
            .map(|&i| self.number(i))
            .collect();
        let units = self.found.units.iter();
        event["units"] = units
            .map(|unit| json!([unit.unit, unit.importance]))
            .collect();
        event
    }

    /// Data and net, which tell the run in pictures.
    fn title(&self) -> String {
        format!("{}, {}", self.about.data, dashed(self.net.widths()))
    }

    /// The name of a class.
    fn class(&self, class: usize) -> &str {
        self.about.classes.get(class).map_or("?", String::as_str)
    }

    /// The pixels of test image `i`.
    fn image(&self, i: usize) -> &[u8] {
        self.test.dataset().image(self.test.indices()[i] as usize)
    }

    /// The place of test image `i` in its file.
    fn number(&self, i: usize) -> u32 {
        self.test.indices()[i]
    }

    /// A text of machine.toml.
    fn machine(&self, key: &str) -> Option<String> {
        self.machine.get(key).map(|value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// A number that no line of a page breaks.
fn count(n: u64) -> String {
    grouped(n).replace(' ', "\u{a0}")
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
