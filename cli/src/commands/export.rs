//! `handwritten export`: a trained net as Rust source, its weights in flash memory.

use crate::args::{ExportArgs, Format, Quantize};
use crate::failure::Failure;
use crate::memory;
use crate::output;
use crate::output::report::grouped;
use crate::run_folder::model;
use crate::setup::{self, Engine};
use handwritten::Isa;
use handwritten::data::{Dataset, Normalisation, Subset};
use handwritten::files;
use handwritten::files::model::Model;
use handwritten::net::quantized::{MAX_INPUTS, QuantizedRef, quantize, sums_len, weights_len};
use handwritten::net::{NetRef, activations_len};
use serde_json::json;
use std::fmt::{Debug, Write};
use std::path::Path;

/// Numbers on a line of the source.
const PER_LINE: usize = 12;

/// Maximum number of bytes of a number in the source, such as `-0.000012345679, `.
const BYTES_PER_NUMBER: usize = 18;

/// Writes the source and prints the size of its numbers. If the weights are rounded,
/// it prints first what that costs on all test images.
pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let Format::Rust = args.format;
    let engine = Engine::from_env()?;
    let model = model::read(&args.model)?;
    if !args.force && args.out.symlink_metadata().is_ok() {
        return Err(Failure::new(format!(
            "{} exists: choose another file, or overwrite it with --force",
            args.out.display()
        )));
    }
    let net = model.net.view();
    // The text, which is built once to be as long, and the rounded weights.
    let numbers = net.params().len();
    memory::require(
        numbers * (BYTES_PER_NUMBER + 2),
        format_args!("write {}", args.out.display()),
    )?;
    let mut event = json!({
        "event": "export",
        "file": args.out.display().to_string(),
        "widths": net.widths(),
    });
    let (source, bytes) = match args.quantize {
        None => (source(&model), size_of_val(net.params())),
        Some(Quantize::Int8) => {
            let quantized = Quantized::new(net)?;
            let cost = Cost::measure(
                engine,
                (&model, &args.model),
                &quantized,
                args.data.as_deref(),
            )?;
            event["images"] = json!(cost.images);
            event["correct"] = json!(cost.correct);
            if !args.json {
                output::result(&cost.text())?;
            }
            (quantized.source(&model), quantized.bytes())
        }
    };
    files::write_atomic(&args.out, source.as_bytes()).map_err(Failure::caused)?;
    event["bytes"] = json!(bytes);
    output::result(&if args.json {
        event.to_string()
    } else {
        format!(
            "wrote {}: {} bytes of weights, biases and scales",
            args.out.display(),
            grouped(bytes as u64)
        )
    })
}

/// The cost of rounding, in accuracy.
struct Cost {
    /// Test images.
    images: usize,
    /// Images that are classified correctly with 32 bits and with 8 bits.
    correct: [u64; 2],
}

impl Cost {
    fn measure(
        engine: Engine,
        (model, file): (&Model, &Path),
        quantized: &Quantized<'_>,
        data: Option<&Path>,
    ) -> Result<Self, Failure> {
        let corpus = setup::load_for(model, data)?;
        let net = model.net.view();
        let mut workspace = engine.workspace(net.widths(), 1, 0, file.display())?;
        let all = Subset::all(&corpus.test);
        let evaluation = workspace.evaluate(net, &all, model.metadata.reduction);
        if !evaluation.loss.is_finite() {
            return Err(Failure::new(format!(
                "{}: the weights are so large that the loss is not finite",
                file.display()
            )));
        }
        Ok(Self {
            images: corpus.test.len(),
            correct: [
                evaluation.confusion.correct(),
                quantized.correct(engine.isa, &corpus.test),
            ],
        })
    }

    fn text(&self) -> String {
        let percent = |correct: u64| 100.0 * correct as f64 / self.images as f64;
        let [before, after] = self.correct.map(percent);
        format!(
            "test accuracy {before:.2} % with 32 bits, {after:.2} % with 8 bits: {} on {} test images",
            points([before, after]),
            grouped(self.images as u64)
        )
    }
}

/// The percentage points that are lost or gained from the first accuracy to the
/// second.
fn points([before, after]: [f64; 2]) -> String {
    let lost = before - after;
    match lost < 0.0 {
        true => format!("{:.2} points gained", -lost),
        false => format!("{lost:.2} points lost"),
    }
}

/// The source of a net with its 32-bit weights.
fn source(model: &Model) -> String {
    let net = model.net.view();
    let mut text = head(model, "NetRef");
    array(
        &mut text,
        "For each layer its weights, inputs×outputs, then its biases.",
        ("PARAMS", "f32"),
        net.params(),
    );
    tail(&mut text, model, "NetRef", "&PARAMS");
    text
}

/// A net with 8-bit weights.
struct Quantized<'a> {
    net: NetRef<'a>,
    weights: Vec<i8>,
    scales: Vec<f32>,
    biases: Vec<f32>,
}

impl<'a> Quantized<'a> {
    fn new(net: NetRef<'a>) -> Result<Self, Failure> {
        let widths = net.widths();
        let (_, inputs) = widths.split_last().unwrap_or((&0, &[]));
        if let Some(width) = inputs.iter().find(|&&width| width > MAX_INPUTS) {
            return Err(Failure::new(format!(
                "a layer of {width} inputs is too wide for 8 bits, which take up to {MAX_INPUTS}"
            )));
        }
        let outputs = activations_len(widths, 1);
        let mut own = Self {
            net,
            weights: vec![0; weights_len(widths)],
            scales: vec![0.0; outputs],
            biases: vec![0.0; outputs],
        };
        quantize(net, &mut own.weights, &mut own.scales, &mut own.biases);
        Ok(own)
    }

    /// Number of images that are classified correctly.
    fn correct(&self, isa: Isa, data: &Dataset) -> u64 {
        let widths = self.net.widths();
        let net = QuantizedRef::try_new(
            widths,
            self.net.activation(),
            &self.weights,
            &self.scales,
            &self.biases,
        );
        let net = net.expect("buffers of these widths");
        let mut sums = vec![0; sums_len(widths)];
        let mut activations = vec![0.0; activations_len(widths, 1)];
        let mut is_correct = |i: usize| {
            let class = net.classify(isa, data.image(i), &mut sums, &mut activations);
            class == Some(usize::from(data.label(i)))
        };
        (0..data.len()).filter(|&i| is_correct(i)).count() as u64
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.weights[..]) + 2 * size_of_val(&self.scales[..])
    }

    fn source(&self, model: &Model) -> String {
        let mut text = head(model, "QuantizedRef");
        array(
            &mut text,
            "For each layer its weights, inputs×outputs, as multiples of the output's scale.",
            ("WEIGHTS", "i8"),
            &self.weights,
        );
        array(
            &mut text,
            "The scale of each output of each layer.",
            ("SCALES", "f32"),
            &self.scales,
        );
        array(
            &mut text,
            "The bias of each output of each layer.",
            ("BIASES", "f32"),
            &self.biases,
        );
        tail(
            &mut text,
            model,
            "QuantizedRef",
            "&WEIGHTS, &SCALES, &BIASES",
        );
        text
    }
}

/// The beginning of the source: a description of the net, and its widths.
fn head(model: &Model, class: &str) -> String {
    let (about, widths) = (&model.metadata, model.net.view().widths());
    // Names of data sets and classes come from the model file and may hold any text,
    // so they are quoted.
    let quoted: Vec<String> = about
        .classes
        .iter()
        .map(|name| format!("{name:?}"))
        .collect();
    let mut text = format!(
        "// Written by `handwritten export`. A net for images of {}×{} bytes, row after row,\n\
         // trained on {:?} (SHA-256 {:?}).\n\
         // Classes: {}.\n\
         \n\
         use handwritten::{{Activation, {class}}};\n\
         \n\
         /// Widths of the layers, from the inputs to the classes.\n\
         pub const WIDTHS: [usize; {}] = {widths:?};\n",
        about.image.0,
        about.image.1,
        about.data,
        about.data_sha256,
        quoted.join(", "),
        widths.len(),
    );
    if about.normalisation != Normalisation::RAW {
        array(
            &mut text,
            &format!(
                "What the net takes for each byte of an image: its inputs are {}.",
                about.normalisation
            ),
            ("PIXELS", "u8"),
            &about.normalisation.table(),
        );
    }
    text
}

/// An array of numbers. Debug output of `f32` has the digits that identify it.
fn array<T: Debug>(text: &mut String, about: &str, (name, kind): (&str, &str), numbers: &[T]) {
    let declared = format!("pub static {name}: [{kind}; {}]", numbers.len());
    // At once, because a text that grows is copied into one of twice its size.
    text.reserve_exact(numbers.len() * BYTES_PER_NUMBER + declared.len() + 256);
    let _ = write!(text, "\n/// {about}\n#[rustfmt::skip]\n{declared} = [\n");
    for line in numbers.chunks(PER_LINE) {
        for (i, number) in line.iter().enumerate() {
            let space = if i == 0 { "    " } else { " " };
            let _ = write!(text, "{space}{number:?},");
        }
        text.push('\n');
    }
    text.push_str("];\n");
}

/// The end of the source: the net itself.
fn tail(text: &mut String, model: &Model, class: &str, arrays: &str) {
    let _ = write!(
        text,
        "\n/// The net, to be called where it lies.\n\
         #[rustfmt::skip]\n\
         pub static NET: {class}<'static> =\n    \
         {class}::try_new(&WIDTHS, Activation::{:?}, {arrays})\n        \
         .expect(\"arrays of these widths\");\n",
        model.net.view().activation()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_lost_or_gained() {
        let said = [[96.82, 96.79], [97.0, 97.0], [96.79, 96.82]].map(points);
        let expected = ["0.03 points lost", "0.00 points lost", "0.03 points gained"];
        assert_eq!(said, expected);
    }
}
