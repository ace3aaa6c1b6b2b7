//! `handwritten convert`: nets from other programs and for them.

use crate::args::{ConvertModelArgs, OnnxInput, OnnxOutput};
use crate::failure::{Failure, chain};
use crate::memory;
use crate::output;
use crate::output::report::{dashed, grouped};
use crate::run_folder::model;
use handwritten::files;
use handwritten::files::model::{
    Foreign, Model, ModelError, OnnxForm, decode, encode, encode_npz, encode_onnx, import,
};
use serde_json::json;
use std::path::Path;

/// Reads a net and writes it in the format that the name of the new file tells.
pub(super) fn run(args: &ConvertModelArgs) -> Result<(), Failure> {
    let format = Format::of(args)?;
    let path = model::path_of(&args.model)?;
    super::refuse_taken(&[&args.out], args.force)?;
    let model = read(args, &path)?;
    model::remark_on_type(&model, &path);
    let (net, metadata) = (&model.net, &model.metadata);
    // The numbers as bytes, and the file.
    let what = format!("write {}", args.out.display());
    memory::require(3 * size_of_val(net.params()), what)?;
    let bytes = match format {
        Format::Safetensors => encode(net, metadata),
        Format::Npz => encode_npz(net, metadata),
        Format::Onnx(form) => encode_onnx(net, metadata, form),
    };
    let bytes = bytes.map_err(Failure::caused)?;
    files::write_atomic(&args.out, &bytes).map_err(Failure::caused)?;
    let (widths, activation) = (net.widths(), net.activation().name());
    output::result(&if args.json {
        let event = json!({
            "event": "convert",
            "file": args.out.display().to_string(),
            "bytes": bytes.len(),
            "widths": widths,
            "activation": activation,
            "stored": model.stored,
        });
        event.to_string()
    } else {
        format!(
            "wrote {}: a net {}, {activation}, {} bytes",
            args.out.display(),
            dashed(widths),
            grouped(bytes.len() as u64)
        )
    })
}

/// The format of the new file.
enum Format {
    Safetensors,
    Npz,
    Onnx(OnnxForm),
}

impl Format {
    fn of(args: &ConvertModelArgs) -> Result<Self, Failure> {
        let ending = args.out.extension().unwrap_or_default();
        let form = OnnxForm {
            takes_bytes: args.input == OnnxInput::U8,
            gives_probabilities: args.output == OnnxOutput::Softmax,
        };
        let format = match ending.to_str() {
            Some("safetensors") => Self::Safetensors,
            Some("npz") => Self::Npz,
            Some("onnx") => return Ok(Self::Onnx(form)),
            _ => {
                return Err(Failure::usage(format!(
                    "the name of the new file must end in .safetensors, .npz or .onnx, not {}",
                    args.out.display()
                )));
            }
        };
        if form.takes_bytes || form.gives_probabilities {
            return Err(Failure::usage(format!(
                "--input and --output are for ONNX files, and {} is none",
                args.out.display()
            )));
        }
        Ok(format)
    }
}

/// Reads a model, or a net of another program with what the flags say about it.
fn read(args: &ConvertModelArgs, path: &Path) -> Result<Model, Failure> {
    let bytes = model::bytes_of(path)?;
    let failed = |why: ModelError| {
        let failure = Failure::new(format!("cannot read {}: {}", path.display(), chain(&why)));
        match why {
            ModelError::NoActivation => failure.and("--activation names it"),
            ModelError::NoSides { .. } => failure.and("--image names them"),
            _ => failure,
        }
    };
    match decode(&bytes) {
        Err(ModelError::NoMetadata) => {
            let mut about = Foreign::default();
            about.activation = args.activation;
            about.image = args.image;
            about.classes.clone_from(&args.classes);
            import(&bytes, &about).map_err(failed)
        }
        Ok(_) if args.activation.is_some() || args.image.is_some() || args.classes.is_some() => {
            Err(Failure::usage(format!(
                "{} says its activation, images and classes itself: leave --activation, --image \
                 and --classes out",
                path.display()
            )))
        }
        Err(why @ ModelError::Ensemble) => Err(model::unusable(path, &why)),
        model => model.map_err(failed),
    }
}
