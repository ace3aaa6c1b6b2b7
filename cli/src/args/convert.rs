//! The flags of `handwritten convert`.

use clap::Args;
use handwritten::Activation;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Args)]
pub(crate) struct ConvertModelArgs {
    /// The folder of a run, a model file, or a safetensors or npz file with the weights and biases
    /// of any program
    pub(crate) model: PathBuf,
    /// Write this file, which must be new: its name ends in .safetensors, .npz or .onnx
    pub(crate) out: PathBuf,
    /// Activation of the hidden layers, which files of other programs do not say
    #[arg(long, value_parser = Activation::from_str)]
    pub(crate) activation: Option<Activation>,
    /// Rows and columns of an image, which files of other programs do not say [default: square]
    #[arg(long, value_name = "ROWSxCOLUMNS", value_parser = sides)]
    pub(crate) image: Option<(usize, usize)>,
    /// Names of the classes, separated by commas, which files of other programs do not say
    /// [default: their numbers]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) classes: Option<Vec<String>>,
    /// Inputs of the ONNX file: bytes of images, which it divides by 255, or numbers from 0 to 1
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) input: OnnxInput,
    /// Outputs of the ONNX file: logits, or their softmax
    #[arg(long, value_enum, default_value = "logits")]
    pub(crate) output: OnnxOutput,
    /// Overwrite the file
    #[arg(long)]
    pub(crate) force: bool,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnnxInput {
    /// Bytes
    U8,
    /// Numbers
    F32,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnnxOutput {
    /// Logits
    Logits,
    /// Probabilities
    Softmax,
}

/// Rows and columns, such as 28x28.
fn sides(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once(['x', '×']);
    let sides = sides.and_then(|(rows, columns)| Some((rows.parse().ok()?, columns.parse().ok()?)));
    sides.ok_or_else(|| "rows and columns are expected, such as 28x28".to_string())
}
