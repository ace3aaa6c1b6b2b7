//! Model files of ensembles: several nets, each as a file of its own would hold it.

use crate::files::model::decode::model_of;
use crate::files::model::encode::tensors_of;
use crate::files::model::error::{ENSEMBLE_KEY, ModelError};
use crate::files::model::metadata::{Metadata, Model};
use crate::files::model::tensors::Tensors;
use crate::files::model::written::to_json;
use crate::net::Net;
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

/// Encodes nets as one model file. Their answer is the mean of their probabilities
/// ([`MeanProbabilities`]), in the order in which they are given.
///
/// The tensors of net k, counted from 0, have the names of a file of its own after `k/`, such as
/// `0/2.weight`, and the metadata `handwritten-ensemble` are a JSON array of those of the nets.
/// Equal nets and metadata give equal bytes, and [`decode_ensemble`] gives both again.
///
/// [`MeanProbabilities`]: crate::MeanProbabilities
///
/// # Errors
/// No nets; nets that differ in their widths, or metadata in images, normalisation or classes;
/// and the errors of [`encode`](crate::files::model::encode()).
pub fn encode_ensemble(members: &[(&Net, &Metadata)]) -> Result<Vec<u8>, ModelError> {
    check_members(members)?;
    let mut tensors = Vec::new();
    let mut metadata = Vec::new();
    for (k, (net, about)) in members.iter().enumerate() {
        metadata.push(to_json(net.view(), about)?);
        let own = tensors_of(net.view())?.into_iter();
        tensors.extend(own.map(|(name, shape, bytes)| (prefix(k) + &name, shape, bytes)));
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        views.push((name, view.map_err(ModelError::safetensors)?));
    }
    let metadata = format!("[{}]", metadata.join(","));
    let metadata = [(ENSEMBLE_KEY.to_string(), metadata)].into();
    serialize(views, Some(metadata)).map_err(ModelError::safetensors)
}

/// Decodes a model file into the nets of an ensemble, in their order; a file of one net into that
/// one.
///
/// # Errors
/// Those of [`decode`](crate::files::model::decode()), and members that
/// [`encode_ensemble`] would refuse.
pub fn decode_ensemble(bytes: &[u8]) -> Result<Vec<Model>, ModelError> {
    let tensors = Tensors::read(bytes)?;
    if let Some(text) = &tensors.metadata {
        return Ok(vec![model_of(&tensors, text, "")?]);
    }
    let text = tensors.ensemble.as_ref().ok_or(ModelError::NoMetadata)?;
    let members: Vec<Value> = serde_json::from_str(text).map_err(ModelError::json)?;
    let members = members.iter().enumerate();
    let models: Result<Vec<Model>, ModelError> = members
        .map(|(k, about)| model_of(&tensors, &about.to_string(), &prefix(k)))
        .collect();
    let models = models?;
    let pairs: Vec<(&Net, &Metadata)> = models
        .iter()
        .map(|model| (&model.net, &model.metadata))
        .collect();
    check_members(&pairs)?;
    Ok(models)
}

/// The beginning of the names of the tensors of net k.
fn prefix(k: usize) -> String {
    format!("{k}/")
}

/// Refuses nets that do not classify the same images into the same classes.
fn check_members(members: &[(&Net, &Metadata)]) -> Result<(), ModelError> {
    let Some(((first, about), others)) = members.split_first() else {
        return Err(ModelError::Members { what: "number" });
    };
    for (net, other) in others {
        let what = if net.widths() != first.widths() {
            "widths"
        } else if other.image != about.image {
            "images"
        } else if other.normalisation != about.normalisation {
            "normalisation"
        } else if other.classes != about.classes {
            "classes"
        } else {
            continue;
        };
        return Err(ModelError::Members { what });
    }
    Ok(())
}
