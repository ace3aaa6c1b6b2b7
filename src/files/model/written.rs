//! The metadata of a model as JSON.

use crate::data::Framing;
use crate::files::model::error::{ModelError, VERSION};
use crate::files::model::metadata::{Metadata, check};
use crate::net::NetRef;
use crate::net::activation::Activation;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The metadata as they are written in JSON.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    /// Widths of the layers, from the inputs to the classes.
    widths: Vec<usize>,
    activation: String,
    image: (usize, usize),
    normalisation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    framing: Option<WrittenFraming>,
    classes: Vec<String>,
    data: String,
    data_sha256: String,
    split: String,
    seed: u64,
    loss: String,
    best_epoch: usize,
    val_loss: f64,
    // Files of older versions have neither.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    settings: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_fused: Option<bool>,
}

/// A framing as it is written in JSON.
#[derive(Serialize, Deserialize)]
struct WrittenFraming {
    filled: usize,
    centre: String,
    transposed: bool,
    pixels: String,
}

/// The JSON of the metadata of a net, which are checked.
pub(super) fn to_json(net: NetRef<'_>, metadata: &Metadata) -> Result<String, ModelError> {
    check(net.widths(), metadata)?;
    let written = Written {
        version: VERSION,
        widths: net.widths().to_vec(),
        activation: net.activation().name().to_string(),
        image: metadata.image,
        normalisation: metadata.normalisation.to_string(),
        framing: metadata.framing.map(|framing| WrittenFraming {
            filled: framing.filled,
            centre: framing.centre.name().to_string(),
            transposed: framing.is_transposed,
            pixels: framing.pixels.to_string(),
        }),
        classes: metadata.classes.clone(),
        data: metadata.data.clone(),
        data_sha256: metadata.data_sha256.clone(),
        split: metadata.split.name().to_string(),
        seed: metadata.seed,
        loss: metadata.reduction.name().to_string(),
        best_epoch: metadata.best_epoch,
        val_loss: metadata.val_loss,
        settings: metadata.settings.clone(),
        is_fused: metadata.is_fused,
    };
    serde_json::to_string(&written).map_err(ModelError::json)
}

/// Widths, activation and metadata of a net out of JSON, checked.
pub(super) fn from_json(text: &str) -> Result<(Vec<usize>, Activation, Metadata), ModelError> {
    let written: Written = serde_json::from_str(text).map_err(ModelError::json)?;
    if written.version != VERSION {
        return Err(ModelError::Version {
            found: written.version,
        });
    }
    let activation = &written.activation;
    let activation = named("activation", activation)?;
    let framing = written.framing.map(|framing| {
        Ok(Framing {
            filled: framing.filled,
            centre: named("centre of the ink", &framing.centre)?,
            is_transposed: framing.transposed,
            pixels: named("normalisation", &framing.pixels)?,
        })
    });
    let metadata = Metadata {
        image: written.image,
        normalisation: named("normalisation", &written.normalisation)?,
        framing: framing.transpose()?,
        classes: written.classes,
        data: written.data,
        data_sha256: written.data_sha256,
        split: named("split", &written.split)?,
        seed: written.seed,
        reduction: named("loss", &written.loss)?,
        best_epoch: written.best_epoch,
        val_loss: written.val_loss,
        settings: written.settings,
        is_fused: written.is_fused,
    };
    let widths = written.widths;
    check(&widths, &metadata)?;
    Ok((widths, activation, metadata))
}

/// Parses the name of a choice.
fn named<T: FromStr>(what: &'static str, text: &str) -> Result<T, ModelError> {
    text.parse().map_err(|_| ModelError::unknown(what, text))
}
