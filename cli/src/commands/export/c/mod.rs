//! Trained nets as C99: one file and its header, without library, heap and mutable state.
//!
//! The functions are the texts in this folder. They compute what [`NetRef::logits`] and
//! [`QuantizedRef::logits`] do, in the same order, so with the same bits.
//!
//! [`NetRef::logits`]: handwritten::NetRef::logits
//! [`QuantizedRef::logits`]: handwritten::QuantizedRef::logits

use super::Quantized;
use crate::failure::Failure;
use handwritten::Activation;
use handwritten::data::Normalisation;
use handwritten::files::model::Model;
use handwritten::net::params_len;
use handwritten::net::quantized::{sums_len, weights_len};
use std::fmt::Write;
use std::path::Path;

/// Numbers on a line of the source.
const PER_LINE: usize = 8;

/// Maximum number of bytes of a number in the source, such as `-0x1.fffffep-126f, `.
pub(super) const BYTES_PER_NUMBER: usize = 20;

/// The source of a net.
pub(super) struct Source<'a> {
    model: &'a Model,
    quantized: Option<&'a Quantized<'a>>,
    /// The name of the file without its ending, for the `#include`.
    stem: String,
    /// The beginning of all names in the source.
    prefix: String,
}

impl<'a> Source<'a> {
    /// The source of a net, with its weights rounded to 8 bits if there are such, for a file
    /// of this name.
    pub(super) fn new(
        model: &'a Model,
        quantized: Option<&'a Quantized<'a>>,
        file: &Path,
    ) -> Result<Self, Failure> {
        let stem = file.file_stem().unwrap_or_default().to_str();
        let is_plain = |stem: &&str| !stem.contains(['"', '\\', '\n']);
        let Some(stem) = stem.filter(is_plain) else {
            return Err(Failure::usage(format!(
                "no C file can include a header whose name has quotes, backslashes or bytes that \
                 are not UTF-8, as {} has",
                file.display()
            )));
        };
        Ok(Self {
            model,
            quantized,
            stem: stem.to_string(),
            prefix: identifier(stem),
        })
    }

    /// The header.
    pub(super) fn header(&self) -> String {
        let guard = format!("{}_H", self.prefix.to_uppercase());
        format!(
            "{}\n#ifndef {guard}\n#define {guard}\n\n#ifdef __cplusplus\nextern \"C\" {{\n\
             #endif\n\n{}\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
            self.about(),
            self.declarations()
        )
    }

    /// The source, for a header beside it.
    pub(super) fn with_header_included(&self) -> String {
        self.text(&format!("#include \"{}.h\"\n", self.stem))
    }

    /// The source with all that the header declares.
    pub(super) fn alone(&self) -> String {
        self.text(&self.declarations())
    }

    fn widths(&self) -> &[usize] {
        self.model.net.widths()
    }

    /// The comment at the head of both files.
    fn about(&self) -> String {
        let about = &self.model.metadata;
        let widths: Vec<String> = self.widths().iter().map(ToString::to_string).collect();
        // Names come from the model file and may hold the end of a comment.
        let data = format!("{:?}, SHA-256 {:?}", about.data, about.data_sha256);
        let data = data.replace("*/", "* /");
        format!(
            "/* Written by `handwritten export`. A net {} for images of {}x{} bytes, row after\n   \
             row, trained on {data}.\n   \
             Compiled with -std=c99, or with -ffp-contract=off, it has the bits of the crate. */\n",
            widths.join("-"),
            about.image.0,
            about.image.1,
        )
    }

    /// The sizes, and what programs call.
    fn declarations(&self) -> String {
        let (prefix, widths) = (&self.prefix, self.widths());
        let upper = prefix.to_uppercase();
        format!(
            "/* Bytes of an image, and classes. */\n\
             #define {upper}_INPUTS {}\n\
             #define {upper}_CLASSES {}\n\
             \n\
             /* The names of the classes, in UTF-8. */\n\
             extern const char *const {prefix}_class_names[{upper}_CLASSES];\n\
             \n\
             /* Computes the logits of an image. */\n\
             void {prefix}_logits(const unsigned char image[{upper}_INPUTS],\n    \
             float logits[{upper}_CLASSES]);\n\
             \n\
             /* Returns the class of the largest logit of an image. */\n\
             int {prefix}_classify(const unsigned char image[{upper}_INPUTS]);\n",
            widths[0],
            widths[widths.len() - 1],
        )
    }

    /// The source after these declarations.
    fn text(&self, declarations: &str) -> String {
        let upper = self.prefix.to_uppercase();
        let (is_deep, is_small) = (self.widths().len() > 2, self.quantized.is_some());
        let mut text = format!("{}\n{declarations}\n", self.about());
        let activation = self.model.net.activation();
        if is_small || is_deep && activation != Activation::Relu {
            text.push_str("#include <stdint.h>\n\n");
        }
        if is_small {
            let most = sums_len(self.widths());
            let _ = writeln!(text, "#define MOST_OUTPUTS {most}\n");
        } else {
            let multiply_add = include_str!("multiply_add.c");
            text.push_str(&multiply_add.replace("PREFIX", &upper));
        }
        self.arrays(&mut text);
        self.class_names(&mut text);
        text.push_str(match (is_small, is_deep) {
            (false, false) => include_str!("first_f32.c"),
            (false, true) => concat!(include_str!("first_f32.c"), include_str!("next_f32.c")),
            (true, false) => include_str!("first_int8.c"),
            (true, true) => concat!(include_str!("first_int8.c"), include_str!("next_int8.c")),
        });
        if is_deep {
            text.push_str(match activation {
                Activation::Relu => include_str!("relu.c"),
                Activation::Sigmoid => concat!(include_str!("exp.c"), include_str!("sigmoid.c")),
                // `Activation` may grow; the tests export every one.
                _ => concat!(include_str!("exp.c"), include_str!("tanh.c")),
            });
        }
        self.logits(&mut text);
        self.classify(&mut text);
        text
    }

    /// The numbers, and the table of pixels.
    fn arrays(&self, text: &mut String) {
        let normalisation = self.model.metadata.normalisation;
        if normalisation == Normalisation::RAW {
            text.push_str("#define PIXEL(byte) (byte)\n\n");
        } else {
            let about =
                format!("What the net takes for each byte: its inputs are {normalisation}.");
            let table = normalisation.table();
            array(
                text,
                &about,
                "unsigned char",
                "pixels",
                &table,
                u8::to_string,
            );
            text.push_str("#define PIXEL(byte) pixels[byte]\n\n");
        }
        let float = |x: &f32| hexadecimal(*x);
        match self.quantized {
            None => {
                let about = "For each layer its weights, inputs x outputs, then its biases.";
                array(
                    text,
                    about,
                    "float",
                    "params",
                    self.model.net.params(),
                    float,
                );
            }
            Some(Quantized {
                weights,
                scales,
                biases,
                ..
            }) => {
                let about = "For each layer its weights, inputs x outputs, as multiples of the \
                             output's scale.";
                array(
                    text,
                    about,
                    "signed char",
                    "weights",
                    weights,
                    i8::to_string,
                );
                let about = "The scale of each output of each layer.";
                array(text, about, "float", "scales", scales, float);
                let about = "The bias of each output of each layer.";
                array(text, about, "float", "biases", biases, float);
            }
        }
    }

    /// The names of the classes.
    fn class_names(&self, text: &mut String) {
        let names = self.model.metadata.classes.iter();
        let names: Vec<String> = names.map(|name| string(name)).collect();
        let _ = writeln!(
            text,
            "const char *const {}_class_names[] = {{{}}};\n",
            self.prefix,
            names.join(", ")
        );
    }

    /// The function that computes logits.
    fn logits(&self, text: &mut String) {
        let (prefix, widths) = (&self.prefix, self.widths());
        let upper = prefix.to_uppercase();
        let depth = widths.len() - 1;
        let _ = writeln!(
            text,
            "void {prefix}_logits(const unsigned char image[{upper}_INPUTS],\n    \
             float logits[{upper}_CLASSES])\n{{"
        );
        // Activations lie in two buffers in turn.
        let hidden = &widths[1..depth];
        for (name, first) in [("a", 0), ("b", 1)] {
            if let Some(most) = hidden.iter().skip(first).step_by(2).max() {
                let _ = writeln!(text, "    float {name}[{most}];");
            }
        }
        let buffer = |l: usize| match l {
            _ if l == depth => "logits",
            _ if l % 2 == 1 => "a",
            _ => "b",
        };
        for l in 0..depth {
            let (inputs, outputs) = (widths[l], widths[l + 1]);
            let numbers = match self.quantized {
                None => format!("params + {}", params_len(&widths[..=l])),
                Some(_) => {
                    let (weights, outputs) = (
                        weights_len(&widths[..=l]),
                        widths[1..=l].iter().sum::<usize>(),
                    );
                    format!("weights + {weights}, scales + {outputs}, biases + {outputs}")
                }
            };
            let (layer, x) = match l {
                0 => ("first_layer", "image"),
                _ => ("next_layer", buffer(l)),
            };
            let z = buffer(l + 1);
            let _ = writeln!(
                text,
                "    {layer}({numbers}, {x}, {inputs}, {z}, {outputs});"
            );
            if l + 1 < depth {
                let _ = writeln!(text, "    activate({z}, {outputs});");
            }
        }
        text.push_str("}\n\n");
    }

    /// The function that classifies.
    fn classify(&self, text: &mut String) {
        let (prefix, widths) = (&self.prefix, self.widths());
        let (upper, classes) = (prefix.to_uppercase(), widths[widths.len() - 1]);
        let _ = write!(
            text,
            "int {prefix}_classify(const unsigned char image[{upper}_INPUTS])\n\
             {{\n    \
             float logits[{classes}];\n    \
             int best = 0, j;\n    \
             {prefix}_logits(image, logits);\n    \
             for (j = 1; j < {classes}; j++) {{\n        \
             /* A NaN, which is not equal to itself, is passed over. */\n        \
             if (logits[j] == logits[j] && !(logits[j] <= logits[best])) {{\n            \
             best = j;\n        \
             }}\n    \
             }}\n    \
             return best;\n\
             }}\n"
        );
    }
}

/// An array of constants.
fn array<T>(
    text: &mut String,
    about: &str,
    kind: &str,
    name: &str,
    numbers: &[T],
    shown: impl Fn(&T) -> String,
) {
    // At once, because a text that grows is copied into one of twice its size.
    text.reserve_exact(numbers.len() * BYTES_PER_NUMBER + about.len() + 256);
    let _ = writeln!(
        text,
        "/* {about} */\nstatic const {kind} {name}[{}] = {{",
        numbers.len()
    );
    for line in numbers.chunks(PER_LINE) {
        let line: Vec<String> = line.iter().map(&shown).collect();
        let _ = writeln!(text, "    {},", line.join(", "));
    }
    text.push_str("};\n\n");
}

/// A finite number as a hexadecimal constant of C99, which every compiler reads exactly.
fn hexadecimal(x: f32) -> String {
    let (bits, sign) = (x.to_bits(), if x.is_sign_negative() { "-" } else { "" });
    let (exponent, fraction) = ((bits >> 23 & 0xff) as i32, (bits & 0x7f_ffff) << 1);
    match (exponent, fraction) {
        (0, 0) => format!("{sign}0.0f"),
        (0, _) => format!("{sign}0x0.{fraction:06x}p-126f"),
        _ => format!("{sign}0x1.{fraction:06x}p{}f", exponent - 127),
    }
}

/// A text as a string constant: what is not plain ASCII in octal, and question marks too, which
/// are part of trigraphs.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' | ..0x20 | 0x7f.. => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted.push('"');
    quoted
}

/// A name of C made of the name of a file.
fn identifier(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = stem.chars().map(plain).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("net_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_exactly() {
        for (x, text) in [
            (0.0, "0.0f"),
            (-0.0, "-0.0f"),
            (1.0, "0x1.000000p0f"),
            (-0.1, "-0x1.99999ap-4f"),
            (f32::MAX, "0x1.fffffep127f"),
            (f32::MIN_POSITIVE, "0x1.000000p-126f"),
            (f32::from_bits(1), "0x0.000002p-126f"),
        ] {
            assert_eq!(hexadecimal(x), text);
        }
    }

    #[test]
    fn names_are_those_of_c() {
        for (stem, name) in [
            ("digits", "digits"),
            ("my-net.v2", "my_net_v2"),
            ("7", "net_7"),
            ("größer", "gr__er"),
            ("", "net_"),
        ] {
            assert_eq!(identifier(stem), name);
        }
    }

    #[test]
    fn names_of_classes_are_strings_of_c() {
        assert_eq!(string("T-shirt/top"), "\"T-shirt/top\"");
        assert_eq!(string("a\"\\ü??/"), r#""a\042\134\303\274\077\077/""#);
    }
}
