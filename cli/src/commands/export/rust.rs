//! Trained nets as Rust source.

use super::Quantized;
use handwritten::data::Normalisation;
use handwritten::files::model::Model;
use std::fmt::{Debug, Write};

/// Numbers on a line of the source.
const PER_LINE: usize = 12;

/// Maximum number of bytes of a number in the source, such as `-0.000012345679, `.
pub(super) const BYTES_PER_NUMBER: usize = 18;

/// The source of a net, with its weights rounded to 8 bits if there are such.
pub(super) fn source(model: &Model, quantized: Option<&Quantized<'_>>) -> String {
    quantized.map_or_else(|| of_net(model), |quantized| of_quantized(model, quantized))
}

/// The source of a net with its 32-bit weights.
fn of_net(model: &Model) -> String {
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

/// The source of a net with its weights rounded to 8 bits.
fn of_quantized(model: &Model, quantized: &Quantized<'_>) -> String {
    let mut text = head(model, "QuantizedRef");
    array(
        &mut text,
        "For each layer its weights, inputs×outputs, as multiples of the output's scale.",
        ("WEIGHTS", "i8"),
        &quantized.weights,
    );
    array(
        &mut text,
        "The scale of each output of each layer.",
        ("SCALES", "f32"),
        &quantized.scales,
    );
    array(
        &mut text,
        "The bias of each output of each layer.",
        ("BIASES", "f32"),
        &quantized.biases,
    );
    tail(
        &mut text,
        model,
        "QuantizedRef",
        "&WEIGHTS, &SCALES, &BIASES",
    );
    text
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
