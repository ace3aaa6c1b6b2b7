//! Model files: safetensors, with the tensors that PyTorch's
//! `nn.Sequential(nn.Linear, activation, …, nn.Linear)` has.
//!
//! What else a net needs to be used stands in the file's metadata ([`Metadata`]).
//! This module makes and reads bytes; it opens no file.

use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::data::Split;
use crate::net::Net;
use crate::net::loss::Reduction;
use crate::net::{are_widths, layers};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The one key of the file's metadata. Its value is JSON: the order of several
/// keys would differ from run to run.
const KEY: &str = "handwritten";
const VERSION: u32 = 1;
/// How pixels become inputs.
const NORMALISATION: &str = "pixel / 255";

/// A trained net, what it is for and where it comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    /// The net.
    pub net: Net,
    /// What the file says besides its parameters.
    pub metadata: Metadata,
}

/// What a net is for and where it comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Metadata {
    /// Rows and columns of an image: their product is the number of inputs.
    pub image: (usize, usize),
    /// Names of the classes, one for each output.
    pub classes: Vec<String>,
    /// The data set.
    pub data: String,
    /// The SHA-256 of its contents, as [`Corpus::fingerprint`].
    ///
    /// [`Corpus::fingerprint`]: crate::files::Corpus::fingerprint
    pub data_sha256: String,
    /// How it was split.
    pub split: Split,
    /// Where the randomness of the training came from.
    pub seed: u64,
    /// How losses were reduced.
    pub reduction: Reduction,
    /// The epoch after which the validation loss was lowest.
    pub best_epoch: usize,
    /// That loss.
    pub val_loss: f64,
}

/// The metadata in the form in which they are written.
#[derive(Serialize, Deserialize)]
struct WrittenMetadata {
    version: u32,
    /// Widths of the layers, from the inputs to the classes.
    widths: Vec<usize>,
    activation: String,
    image: (usize, usize),
    normalisation: String,
    classes: Vec<String>,
    data: String,
    data_sha256: String,
    split: String,
    seed: u64,
    loss: String,
    best_epoch: usize,
    val_loss: f64,
}

/// The tensors of layer `l` (from 0): activations take a place of their own in
/// `nn.Sequential`.
fn names(l: usize) -> [String; 2] {
    [format!("{}.weight", 2 * l), format!("{}.bias", 2 * l)]
}

/// The file of a net: the same net and facts give the same bytes, and
/// [`decode`] gives the same net and facts again.
///
/// # Errors
/// What [`decode`] would refuse: facts that do not fit the net, and numbers that
/// are not finite.
pub fn encode(net: &Net, metadata: &Metadata) -> Result<Vec<u8>, ModelError> {
    let net = net.view();
    check(net.widths(), metadata)?;
    let written = WrittenMetadata {
        version: VERSION,
        widths: net.widths().to_vec(),
        activation: net.activation().name().to_string(),
        image: metadata.image,
        normalisation: NORMALISATION.to_string(),
        classes: metadata.classes.clone(),
        data: metadata.data.clone(),
        data_sha256: metadata.data_sha256.clone(),
        split: metadata.split.name().to_string(),
        seed: metadata.seed,
        loss: metadata.reduction.name().to_string(),
        best_epoch: metadata.best_epoch,
        val_loss: metadata.val_loss,
    };
    let mut tensors = Vec::new();
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let [weight, bias] = names(l);
        // PyTorch's weights are outputs×inputs.
        let weights = (0..outputs).flat_map(|j| (0..inputs).map(move |i| layer.weights.at(i, j)));
        let biases = layer.biases.iter().copied();
        for (name, shape, values) in [
            (weight, vec![outputs, inputs], weights.collect::<Vec<_>>()),
            (bias, vec![outputs], biases.collect()),
        ] {
            check_finite(&name, &values)?;
            let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
            tensors.push((name, shape, bytes));
        }
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
    }
    let metadata = serde_json::to_string(&written)?;
    Ok(serialize(
        views,
        Some([(KEY.to_string(), metadata)].into()),
    )?)
}

/// Reads a model file. Tensors and metadata that it does not know are passed
/// over.
///
/// # Errors
/// Bytes that are no safetensors file, metadata that are missing, newer or
/// contradict themselves or the tensors, and numbers that are not finite.
pub fn decode(bytes: &[u8]) -> Result<Model, ModelError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let text = header
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(KEY))
        .ok_or(ModelError::NoMetadata)?;
    let written: WrittenMetadata = serde_json::from_str(text)?;
    if written.version != VERSION {
        return Err(ModelError::Version {
            found: written.version,
        });
    }
    if written.normalisation != NORMALISATION {
        return Err(ModelError::unknown("normalisation", &written.normalisation));
    }
    let activation = &written.activation;
    let activation = named("activation", activation)?;
    let metadata = Metadata {
        image: written.image,
        classes: written.classes,
        data: written.data,
        data_sha256: written.data_sha256,
        split: named("split", &written.split)?,
        seed: written.seed,
        reduction: named("loss", &written.loss)?,
        best_epoch: written.best_epoch,
        val_loss: written.val_loss,
    };
    let widths = written.widths;
    check(&widths, &metadata)?;

    let tensors = SafeTensors::deserialize(bytes)?;
    let mut params = Vec::new();
    for (l, layer) in layers(&widths).enumerate() {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let [weight, bias] = names(l);
        let weights = floats(&tensors, &weight, &[outputs, inputs])?;
        params.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
        params.extend(floats(&tensors, &bias, &[outputs])?);
    }
    Ok(Model {
        net: Net::new(&widths, activation, params),
        metadata,
    })
}

/// Whether there is a net of these widths, and the facts are those of one.
fn check(widths: &[usize], metadata: &Metadata) -> Result<(), ModelError> {
    if !are_widths(widths) {
        return Err(ModelError::Widths {
            found: widths.to_vec(),
        });
    }
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let (rows, columns) = metadata.image;
    if rows.checked_mul(columns) != Some(inputs) {
        return Err(ModelError::Image {
            rows,
            columns,
            inputs,
        });
    }
    let classes = metadata.classes.len();
    // A label is a byte.
    if classes != outputs || outputs > 256 {
        return Err(ModelError::Classes { classes, outputs });
    }
    if !metadata.val_loss.is_finite() {
        return Err(ModelError::not_finite("the validation loss"));
    }
    Ok(())
}

/// The choice that has this name.
fn named<T: FromStr>(what: &'static str, text: &str) -> Result<T, ModelError> {
    text.parse().map_err(|_| ModelError::unknown(what, text))
}

/// A tensor of finite `f32` of that shape.
fn floats(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
    let tensor = tensors.tensor(name)?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        return Err(ModelError::Tensor {
            name: name.to_string(),
            found: format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            expected: format!("{:?} {shape:?}", Dtype::F32),
        });
    }
    let (quads, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect();
    check_finite(name, &values)?;
    Ok(values)
}

fn check_finite(tensor: &str, values: &[f32]) -> Result<(), ModelError> {
    if vector::all_finite(Isa::detect(), values) {
        Ok(())
    } else {
        Err(ModelError::not_finite(&format!("tensor {tensor}")))
    }
}

/// Why bytes are no model, or a net with its facts is none.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelError {
    /// The bytes are no safetensors file, or a tensor is not in it.
    Safetensors {
        /// What the crate `safetensors` says.
        why: String,
    },
    /// A safetensors file of something else: its metadata have no key
    /// `handwritten`.
    NoMetadata,
    /// The value of that key is not the JSON that it should be.
    Json {
        /// What the crate `serde_json` says.
        why: String,
    },
    /// A format of another version than this one, 1.
    Version {
        /// The version there is.
        found: u32,
    },
    /// A name that stands for nothing here.
    Unknown {
        /// What it should name.
        what: &'static str,
        /// The name there is.
        found: String,
    },
    /// Widths that no net has: less than two, too many, or a 0 among them.
    Widths {
        /// The widths, from the inputs to the classes.
        found: Vec<usize>,
    },
    /// Images of another size than the net takes.
    Image {
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
        /// Inputs of the net.
        inputs: usize,
    },
    /// Names of more or fewer classes than the net tells apart, or of more than
    /// 256.
    Classes {
        /// The number of names.
        classes: usize,
        /// Outputs of the net.
        outputs: usize,
    },
    /// A tensor of another type or shape than the widths ask for.
    Tensor {
        /// The tensor.
        name: String,
        /// Its type and shape.
        found: String,
        /// Those that it should have.
        expected: String,
    },
    /// A number is infinite or none.
    NotFinite {
        /// Where it stands.
        what: String,
    },
}

impl ModelError {
    fn unknown(what: &'static str, found: &str) -> Self {
        Self::Unknown {
            what,
            found: found.to_string(),
        }
    }

    fn not_finite(what: &str) -> Self {
        Self::NotFinite {
            what: what.to_string(),
        }
    }
}

impl From<SafeTensorError> for ModelError {
    fn from(error: SafeTensorError) -> Self {
        Self::Safetensors {
            why: error.to_string(),
        }
    }
}

impl From<serde_json::Error> for ModelError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json {
            why: error.to_string(),
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safetensors { why } => f.write_str(why),
            Self::NoMetadata => write!(f, "its metadata have no \"{KEY}\""),
            Self::Json { why } => write!(f, "its metadata: {why}"),
            Self::Version { found } => {
                write!(f, "its version is {found}, this program knows {VERSION}")
            }
            Self::Unknown { what, found } => write!(f, "its {what} is \"{found}\""),
            Self::Widths { found } => write!(f, "its layers have the widths {found:?}"),
            Self::Image {
                rows,
                columns,
                inputs,
            } => write!(f, "{rows}×{columns} pixels do not make {inputs} inputs"),
            Self::Classes { classes, outputs } => {
                write!(f, "{classes} classes for {outputs} outputs")
            }
            Self::Tensor {
                name,
                found,
                expected,
            } => write!(f, "tensor {name} is {found}, expected {expected}"),
            Self::NotFinite { what } => write!(f, "{what} is not finite"),
        }
    }
}

impl std::error::Error for ModelError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};
    use crate::net::activation::Activation;
    use crate::net::init::Init;

    fn model() -> Model {
        let mut rng = generator(1, Stream::Weights);
        Model {
            net: Net::random(&[6, 4, 3], Activation::Tanh, Init::Question, &mut rng),
            metadata: Metadata {
                image: (2, 3),
                classes: ["a", "b", "c"].map(String::from).to_vec(),
                data: "letters".to_string(),
                data_sha256: "00ff".to_string(),
                split: Split::Standard,
                seed: u64::MAX,
                reduction: Reduction::Sum,
                best_epoch: 3,
                val_loss: 0.1,
            },
        }
    }

    fn encoded(model: &Model) -> Vec<u8> {
        encode(&model.net, &model.metadata).unwrap()
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let model = model();
        let bytes = encoded(&model);
        assert_eq!(decode(&bytes).unwrap(), model);
        assert_eq!(encoded(&model), bytes);
    }

    #[test]
    fn weights_lie_as_pytorch_has_them() {
        let model = model();
        let bytes = encoded(&model);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let weight = floats(&tensors, "2.weight", &[3, 4]).unwrap();
        let layer = model.net.view().layer(1);
        assert_eq!(weight[4 * 2 + 1], layer.weights.at(1, 2));
        assert_eq!(floats(&tensors, "2.bias", &[3]).unwrap(), layer.biases);
    }

    #[test]
    fn no_cut_and_no_flipped_header_is_taken_or_panics() {
        let bytes = encoded(&model());
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
                    // What may change without notice is text and numbers of
                    // where the net comes from.
                    assert_eq!(model.net.view().widths(), [6, 4, 3]);
                }
            }
        }
    }

    #[test]
    fn broken_weights_are_refused_by_both() {
        let mut model = model();
        let mut bytes = encoded(&model);
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = decode(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "tensor 2.weight is not finite");

        let mut params = model.net.view().params().to_vec();
        params[0] = f32::INFINITY;
        model.net = Net::new(&[6, 4, 3], Activation::Tanh, params);
        let error = encode(&model.net, &model.metadata).unwrap_err();
        assert_eq!(error.to_string(), "tensor 0.weight is not finite");
    }

    /// Every value between its neighbours is read as it was written, and what
    /// JSON cannot write is refused.
    #[test]
    fn a_loss_is_read_to_the_last_bit_or_refused() {
        let mut model = model();
        let mut rng = generator(2, Stream::Weights);
        for _ in 0..1_000 {
            model.metadata.val_loss = f64::from_bits(rand_core::Rng::next_u64(&mut rng));
            match encode(&model.net, &model.metadata) {
                Ok(bytes) => assert_eq!(decode(&bytes).unwrap(), model),
                Err(error) => {
                    assert!(!model.metadata.val_loss.is_finite());
                    assert_eq!(error.to_string(), "the validation loss is not finite");
                }
            }
        }
    }

    #[test]
    fn facts_that_do_not_fit_the_net_are_refused() {
        let model = model();
        let refused = |change: fn(&mut Metadata)| {
            let mut metadata = model.metadata.clone();
            change(&mut metadata);
            encode(&model.net, &metadata).unwrap_err().to_string()
        };
        assert_eq!(
            refused(|metadata| metadata.image = (usize::MAX, 3)),
            format!("{}×3 pixels do not make 6 inputs", usize::MAX)
        );
        assert_eq!(
            refused(|metadata| metadata.classes.truncate(2)),
            "2 classes for 3 outputs"
        );
    }

    /// Eighteen widths: one more than any net has.
    #[test]
    fn more_layers_than_a_net_has_are_refused() {
        let bytes = encoded(&model());
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let deep = format!("[{}6,4,3]", "6,".repeat(15));
        let metadata = header.metadata().as_ref().unwrap()[KEY].replace("[6,4,3]", &deep);
        let none: [(&str, TensorView<'_>); 0] = [];
        let bytes = serialize(none, Some([(KEY.to_string(), metadata)].into())).unwrap();
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, ModelError::Widths { found } if found.len() == 18));
    }
}
