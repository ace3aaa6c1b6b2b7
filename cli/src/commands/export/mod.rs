//! `handwritten export`: a trained net as Rust or C source, its weights in flash memory.

mod c;
mod rust;

use crate::args::{ExportArgs, Format, Quantize};
use crate::failure::Failure;
use crate::memory;
use crate::output;
use crate::output::report::grouped;
use crate::run_folder::model;
use crate::setup::{self, Engine};
use handwritten::Isa;
use handwritten::data::{Dataset, Subset};
use handwritten::files;
use handwritten::files::model::Model;
use handwritten::net::quantized::{MAX_INPUTS, QuantizedRef, quantize, sums_len, weights_len};
use handwritten::net::{NetRef, activations_len};
use serde_json::json;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// Writes the source and prints the size of its numbers. If the weights are rounded,
/// it prints first what that costs on all test images.
pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let target = Target::of(args)?;
    let model = model::read(&args.model)?;
    target.refuse_taken(args.force)?;
    let net = model.net.view();
    // The text, which is built once to be as long, and the rounded weights.
    let numbers = net.params().len();
    let per_number = match args.format {
        Format::Rust => rust::BYTES_PER_NUMBER,
        Format::C => c::BYTES_PER_NUMBER,
    };
    memory::require(
        numbers * (per_number + 2),
        format_args!("write {}", args.out.display()),
    )?;
    let mut event = json!({
        "event": "export",
        "file": args.out.display().to_string(),
        "widths": net.widths(),
    });
    let quantized = match args.quantize {
        None => None,
        Some(Quantize::Int8) => Some(Quantized::new(net)?),
    };
    if let Some(quantized) = &quantized {
        let (named, data) = ((&model, &*args.model), args.data.as_deref());
        let cost = Cost::measure(engine, named, quantized, data)?;
        event["images"] = json!(cost.images);
        event["correct"] = json!(cost.correct);
        if !args.json {
            target.say(&cost.text())?;
        }
    }
    let bytes = quantized
        .as_ref()
        .map_or(size_of_val(net.params()), Quantized::bytes);
    target.write(&model, quantized.as_ref())?;
    event["bytes"] = json!(bytes);
    if args.json {
        return output::result(&event.to_string());
    }
    target.say(&format!(
        "wrote {target}: {} bytes of weights, biases and scales",
        grouped(bytes as u64)
    ))
}

/// Where the source goes.
enum Target<'a> {
    /// Rust source, into a file.
    Rust(&'a Path),
    /// C source, into a file, and its header into the other.
    C(&'a Path, PathBuf),
    /// Either on stdout.
    Stdout(Format),
}

impl<'a> Target<'a> {
    fn of(args: &'a ExportArgs) -> Result<Self, Failure> {
        let out = args.out.as_path();
        if out == Path::new("-") {
            return match args.json {
                true => Err(Failure::usage(
                    "--json and the source cannot both go to stdout: name a file with --out",
                )),
                false => Ok(Self::Stdout(args.format)),
            };
        }
        match args.format {
            Format::Rust => Ok(Self::Rust(out)),
            Format::C if out.extension().is_some_and(|end| end == "c") => {
                Ok(Self::C(out, out.with_extension("h")))
            }
            Format::C => Err(Failure::usage(format!(
                "--out must name a file that ends in .c, or -, not {}; its header is written \
                 beside it",
                out.display()
            ))),
        }
    }

    /// Refuses to overwrite a file without `force`.
    fn refuse_taken(&self, force: bool) -> Result<(), Failure> {
        let files = match self {
            Self::Rust(file) => vec![*file],
            Self::C(file, header) => vec![*file, header],
            Self::Stdout(_) => vec![],
        };
        super::refuse_taken(&files, force)
    }

    /// Writes the source of the model, with the rounded weights if there are any.
    fn write(&self, model: &Model, quantized: Option<&Quantized<'_>>) -> Result<(), Failure> {
        let save = |file: &Path, text: &str| {
            files::write_atomic(file, text.as_bytes()).map_err(Failure::caused)
        };
        match self {
            Self::Rust(file) => save(file, &rust::source(model, quantized)),
            Self::C(file, header) => {
                let source = c::Source::new(model, quantized, file)?;
                save(header, &source.header())?;
                save(file, &source.with_header_included())
            }
            Self::Stdout(Format::Rust) => output::result(rust::source(model, quantized).trim_end()),
            Self::Stdout(Format::C) => {
                let source = c::Source::new(model, quantized, Path::new("model.c"))?;
                output::result(source.alone().trim_end())
            }
        }
    }

    /// Prints a result, which must not get into source on stdout.
    fn say(&self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout(_) => {
                output::remark(text);
                Ok(())
            }
            _ => output::result(text),
        }
    }
}

impl Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rust(file) => write!(f, "{}", file.display()),
            Self::C(file, header) => write!(f, "{} and {}", file.display(), header.display()),
            Self::Stdout(_) => f.write_str("the source"),
        }
    }
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
        let test = setup::load_for(model, data, false)?.images;
        let net = model.net.view();
        let mut workspace = engine.workspace(net.widths(), 1, 0, file.display())?;
        let all = Subset::all(&test);
        let evaluation = workspace.evaluate(net, &all, model.metadata.reduction);
        if !evaluation.loss.is_finite() {
            return Err(Failure::new(format!(
                "{}: the weights are so large that the loss is not finite",
                file.display()
            )));
        }
        Ok(Self {
            images: test.len(),
            correct: [
                evaluation.confusion.correct(),
                quantized.correct(engine.isa, &test),
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
