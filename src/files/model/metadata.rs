//! What a model file holds: a net, and facts about it.

use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::data::Split;
use crate::files::model::error::ModelError;
use crate::net::loss::Reduction;
use crate::net::{Net, are_widths};
use serde::{Deserialize, Serialize};

/// How pixels become inputs.
pub(super) const NORMALISATION: &str = "pixel / 255";

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
pub(super) struct WrittenMetadata {
    pub(super) version: u32,
    /// Widths of the layers, from the inputs to the classes.
    pub(super) widths: Vec<usize>,
    pub(super) activation: String,
    pub(super) image: (usize, usize),
    pub(super) normalisation: String,
    pub(super) classes: Vec<String>,
    pub(super) data: String,
    pub(super) data_sha256: String,
    pub(super) split: String,
    pub(super) seed: u64,
    pub(super) loss: String,
    pub(super) best_epoch: usize,
    pub(super) val_loss: f64,
}

/// The names of the weights and biases of layer `l`, counted from 0: activations take
/// a place of their own in `nn.Sequential`.
pub(super) fn tensor_names(l: usize) -> [String; 2] {
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

/// Refuses a tensor with a number that is infinite or none.
pub(super) fn check_finite(tensor: &str, values: &[f32]) -> Result<(), ModelError> {
    if vector::all_finite(Isa::detect(), values) {
        Ok(())
    } else {
        Err(ModelError::not_finite(&format!("tensor {tensor}")))
    }
}
