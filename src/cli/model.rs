//! The model file: safetensors, with the tensors that PyTorch's
//! `nn.Sequential(nn.Linear, activation, …, nn.Linear)` has.

use super::Failure;
use super::settings::by_name;
use crate::data::Split;
use crate::io::{self, Loaded};
use crate::{Activation, Net, Reduction};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The one key of the file's metadata. Its value is JSON: the order of several
/// keys would differ from run to run.
const KEY: &str = "handwritten";
const VERSION: u32 = 1;
/// How pixels become inputs.
const NORMALISATION: &str = "pixel / 255";

/// A trained net, what it is for and where it comes from.
pub(super) struct Model {
    pub(super) net: Net,
    pub(super) about: About,
}

/// What the file says besides the tensors.
#[derive(Serialize, Deserialize)]
pub(super) struct About {
    version: u32,
    /// Widths of the layers, from the inputs to the classes.
    widths: Vec<usize>,
    activation: String,
    /// Rows and columns of an image.
    pub(super) image: (usize, usize),
    normalisation: String,
    /// Names of the classes.
    pub(super) classes: Vec<String>,
    /// The data set, the SHA-256 of its contents, and how it was split.
    pub(super) data: String,
    pub(super) data_sha256: String,
    split: String,
    pub(super) seed: u64,
    /// How losses were reduced.
    loss: String,
    /// The epoch after which the validation loss was lowest, and that loss.
    best_epoch: usize,
    val_loss: f64,
}

/// Where a net comes from.
pub(super) struct Origin<'a> {
    pub(super) image: (usize, usize),
    pub(super) classes: &'a [String],
    pub(super) data: String,
    pub(super) data_sha256: String,
    pub(super) split: Split,
    pub(super) seed: u64,
    pub(super) reduction: Reduction,
    pub(super) best_epoch: usize,
    pub(super) val_loss: f64,
}

/// The tensors of layer `l` (from 0): activations take a place of their own in
/// `nn.Sequential`.
fn names(l: usize) -> [String; 2] {
    [format!("{}.weight", 2 * l), format!("{}.bias", 2 * l)]
}

/// The file of a net: the same net and origin give the same bytes.
pub(super) fn encode(net: &Net, origin: Origin<'_>) -> Result<Vec<u8>, Failure> {
    let net = net.view();
    let about = About {
        version: VERSION,
        widths: net.widths().to_vec(),
        activation: net.activation().name().to_string(),
        image: origin.image,
        normalisation: NORMALISATION.to_string(),
        classes: origin.classes.to_vec(),
        data: origin.data,
        data_sha256: origin.data_sha256,
        split: origin.split.name().to_string(),
        seed: origin.seed,
        loss: origin.reduction.name().to_string(),
        best_epoch: origin.best_epoch,
        val_loss: origin.val_loss,
    };
    let mut tensors = Vec::new();
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let [weight, bias] = names(l);
        // PyTorch's weights are outputs×inputs.
        let transposed =
            (0..outputs).flat_map(|j| (0..inputs).map(move |i| layer.weights.at(i, j)));
        tensors.push((weight, [outputs, inputs].to_vec(), bytes(transposed)));
        tensors.push((
            bias,
            [outputs].to_vec(),
            bytes(layer.biases.iter().copied()),
        ));
    }
    let mut views = Vec::new();
    for (name, shape, data) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), data).map_err(Failure::new)?;
        views.push((name, view));
    }
    let about = serde_json::to_string(&about).map_err(Failure::new)?;
    serialize(views, Some([(KEY.to_string(), about)].into())).map_err(Failure::new)
}

fn bytes(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

impl Model {
    /// Reads a model file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        decode(&bytes).map_err(|why| {
            Failure::new(format!(
                "{} is no model of this program: {why}",
                path.display()
            ))
        })
    }

    /// Loads the data in a folder, or where there are any if it is `None`. Their
    /// images must be such as the model is for.
    pub(super) fn load_data(&self, dir: Option<&Path>) -> Result<Loaded, Failure> {
        let dir = io::find(dir).map_err(Failure::new)?;
        let loaded = io::load(&dir).map_err(Failure::new)?;
        let (about, size) = (&self.about, (loaded.test.rows(), loaded.test.columns()));
        if size != about.image || loaded.test.classes() > about.classes.len() {
            return Err(Failure::new(format!(
                "the model is for {}×{} images of {} classes, those in {} are {}×{} of {}",
                about.image.0,
                about.image.1,
                about.classes.len(),
                dir.display(),
                size.0,
                size.1,
                loaded.test.classes()
            )));
        }
        Ok(loaded)
    }

    /// How its data were split.
    pub(super) fn split(&self) -> Option<Split> {
        by_name(Split::ALL, Split::name, &self.about.split)
    }

    /// How its losses were reduced.
    pub(super) fn reduction(&self) -> Reduction {
        by_name(Reduction::ALL, Reduction::name, &self.about.loss).unwrap_or(Reduction::Mean)
    }
}

fn decode(bytes: &[u8]) -> Result<Model, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let about = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(KEY));
    let about = about.ok_or_else(|| format!("its metadata have no \"{KEY}\""))?;
    let about: About = serde_json::from_str(about).map_err(|error| error.to_string())?;
    if about.version != VERSION {
        return Err(format!(
            "its version is {}, this program knows {VERSION}",
            about.version
        ));
    }
    if about.normalisation != NORMALISATION {
        return Err(format!(
            "its pixels are normalised as {}",
            about.normalisation
        ));
    }
    let activation = by_name(Activation::ALL, Activation::name, &about.activation)
        .ok_or_else(|| format!("its activation is \"{}\"", about.activation))?;
    let (&inputs, &outputs) = match &about.widths[..] {
        [inputs, .., outputs] if !about.widths.contains(&0) => (inputs, outputs),
        _ => return Err(format!("its layers have the widths {:?}", about.widths)),
    };
    let (rows, columns) = about.image;
    if rows.checked_mul(columns) != Some(inputs) {
        return Err(format!(
            "{rows}×{columns} pixels do not make {inputs} inputs"
        ));
    }
    if about.classes.len() != outputs || outputs > 256 {
        return Err(format!(
            "{} classes for {outputs} outputs",
            about.classes.len()
        ));
    }

    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut params = Vec::new();
    for (l, shape) in about.widths.windows(2).enumerate() {
        let (inputs, outputs) = (shape[0], shape[1]);
        let [weight, bias] = names(l);
        let weights = floats(&tensors, &weight, &[outputs, inputs])?;
        params.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
        params.extend(floats(&tensors, &bias, &[outputs])?);
    }
    Ok(Model {
        net: Net::new(&about.widths, activation, params),
        about,
    })
}

/// A tensor of finite `f32` of that shape.
fn floats(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        return Err(format!(
            "tensor {name} is {:?} {:?}, expected F32 {shape:?}",
            tensor.dtype(),
            tensor.shape()
        ));
    }
    let (quads, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect();
    if !crate::vector::all_finite(crate::Isa::detect(), &values) {
        return Err(format!("tensor {name} holds numbers that are not finite"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;
    use crate::init::{Stream, generator};

    fn encoded() -> (Net, Vec<u8>) {
        let mut rng = generator(1, Stream::Weights);
        let net = Net::random(&[6, 4, 3], Activation::Tanh, Init::Question, &mut rng);
        let origin = Origin {
            image: (2, 3),
            classes: &["a", "b", "c"].map(String::from),
            data: "letters".to_string(),
            data_sha256: "00ff".to_string(),
            split: Split::Standard,
            seed: u64::MAX,
            reduction: Reduction::Sum,
            best_epoch: 3,
            val_loss: 0.1,
        };
        let bytes = encode(&net, origin).unwrap();
        (net, bytes)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let (net, bytes) = encoded();
        let model = decode(&bytes).unwrap();
        assert_eq!(model.net, net);
        assert_eq!(model.split(), Some(Split::Standard));
        assert_eq!(model.reduction(), Reduction::Sum);
        assert_eq!(model.about.seed, u64::MAX);
        assert_eq!(encoded().1, bytes);
    }

    #[test]
    fn weights_lie_as_pytorch_has_them() {
        let (net, bytes) = encoded();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let weight = floats(&tensors, "2.weight", &[3, 4]).unwrap();
        assert_eq!(weight[4 * 2 + 1], net.view().layer(1).weights.at(1, 2));
        assert_eq!(
            floats(&tensors, "2.bias", &[3]).unwrap(),
            net.view().layer(1).biases
        );
    }

    #[test]
    fn no_cut_and_no_flipped_header_is_taken_or_panics() {
        let (_, bytes) = encoded();
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut at {len}");
        }
        let header =
            8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        for i in 0..header {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[i] ^= 1 << bit;
                if let Ok(model) = decode(&bytes) {
                    // What may change without notice is text and the seed.
                    assert_eq!(model.net.view().widths(), [6, 4, 3]);
                }
            }
        }
    }

    #[test]
    fn broken_weights_are_refused() {
        let (_, mut bytes) = encoded();
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = decode(&bytes).err().unwrap();
        assert!(
            error.contains("tensor 2.weight holds numbers that are not finite"),
            "{error}"
        );
    }
}
