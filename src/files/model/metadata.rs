//! The content of a model file: a net and its metadata.

use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::data::{Framing, Normalisation, Split};
use crate::files::model::error::{MAX_NAME, ModelError};
use crate::net::loss::Reduction;
use crate::net::{Net, are_widths};

/// A trained net and its metadata.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Model {
    /// The net.
    pub net: Net,
    /// The metadata of the net.
    pub metadata: Metadata,
    /// The type of the numbers in the file in the words of safetensors: F32, or another that
    /// some program has converted it to. F16 and BF16 are widened without a change, F64 is
    /// rounded to the nearest `f32`.
    pub stored: &'static str,
}

/// The metadata of a trained net: what it classifies and how it was trained.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The rows and columns of an image; their product is the number of inputs.
    pub image: (usize, usize),
    /// How the bytes of an image become inputs.
    pub normalisation: Normalisation,
    /// How ink lies in the training images, once normalised; `None` if it does not lie alike in
    /// most, or in a file of an older version, which does not say.
    pub framing: Option<Framing>,
    /// The names of the classes, one for each output.
    pub classes: Vec<String>,
    /// The name of the data set.
    pub data: String,
    /// The SHA-256 of the data set, as [`Corpus::fingerprint`].
    ///
    /// [`Corpus::fingerprint`]: crate::files::Corpus::fingerprint
    pub data_sha256: String,
    /// The split of the data set.
    pub split: Split,
    /// The seed of the training.
    pub seed: u64,
    /// The reduction of the losses.
    pub reduction: Reduction,
    /// The epoch whose net was kept, by [`Config::keep`], counted from 1.
    ///
    /// [`Config::keep`]: crate::Config::keep
    pub best_epoch: usize,
    /// The validation loss of the net.
    pub val_loss: f64,
    /// All settings of the training, in the words of the program that made it; empty if they
    /// are not known.
    pub settings: String,
    /// Whether the training fused multiply-adds ([`Isa::is_fused`]), if it is known. With the
    /// settings and the data set it decides every bit of the net.
    pub is_fused: Option<bool>,
}

impl Metadata {
    /// Metadata of a net for images of `rows` by `columns` pixels and these classes, of whose
    /// training nothing is known: names are empty, numbers are 0, split and reduction are
    /// the default and [`Reduction::Mean`], pixels are taken raw, and the framing is unknown.
    /// What is known is assigned to the fields.
    pub fn new((rows, columns): (usize, usize), classes: Vec<String>) -> Self {
        Self {
            image: (rows, columns),
            normalisation: Normalisation::RAW,
            framing: None,
            classes,
            data: String::new(),
            data_sha256: String::new(),
            split: Split::default(),
            seed: 0,
            reduction: Reduction::Mean,
            best_epoch: 0,
            val_loss: 0.0,
            settings: String::new(),
            is_fused: None,
        }
    }
}

/// The names of the tensors of layer `l`, counted from 0, in a model file: its weights
/// (outputs × inputs) and its biases. Activations take a place of their own in
/// `nn.Sequential`.
pub fn tensor_names(l: usize) -> [String; 2] {
    [format!("{}.weight", 2 * l), format!("{}.bias", 2 * l)]
}

/// Refuses widths that no net has, and facts that do not fit a net of these widths.
pub(super) fn check(widths: &[usize], metadata: &Metadata) -> Result<(), ModelError> {
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
    if let Some(Framing { filled, .. }) = metadata.framing
        && (rows != columns || !(1..=rows).contains(&filled))
    {
        return Err(ModelError::Framing {
            filled,
            rows,
            columns,
        });
    }
    let classes = metadata.classes.len();
    // A label is a byte.
    if classes != outputs || outputs > 256 {
        return Err(ModelError::Classes { classes, outputs });
    }
    if !metadata.classes.iter().all(|name| is_name(name)) {
        return Err(ModelError::Name { what: "a class" });
    }
    if !is_name(&metadata.data) {
        return Err(ModelError::Name {
            what: "the data set",
        });
    }
    if !metadata.val_loss.is_finite() {
        return Err(ModelError::not_finite("the validation loss"));
    }
    Ok(())
}

/// Whether a text can be shown in a table or on a line.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// Refuses a tensor with a number that is infinite or none.
pub(super) fn check_finite(tensor: &str, values: &[f32]) -> Result<(), ModelError> {
    if vector::all_finite(Isa::detect(), values) {
        Ok(())
    } else {
        Err(ModelError::not_finite(&format!("tensor {tensor}")))
    }
}
