//! Writing model files.

use crate::files::model::error::{KEY, ModelError, VERSION};
use crate::files::model::metadata::{
    Metadata, WrittenFraming, WrittenMetadata, check, check_finite, tensor_names,
};
use crate::net::Net;
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};

/// Encodes a net and its metadata as a model file. Equal nets and metadata give equal
/// bytes, and [`decode`] gives both again.
///
/// [`decode`]: crate::files::model::decode()
///
/// # Errors
/// Metadata that do not fit the net, and numbers that are not finite: everything that
/// [`decode`] would refuse.
pub fn encode(net: &Net, metadata: &Metadata) -> Result<Vec<u8>, ModelError> {
    let net = net.view();
    check(net.widths(), metadata)?;
    let written = WrittenMetadata {
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
    let mut tensors = Vec::new();
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let [weight, bias] = tensor_names(l);
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
        views.push((
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(ModelError::safetensors)?,
        ));
    }
    let metadata = serde_json::to_string(&written).map_err(ModelError::json)?;
    let metadata = [(KEY.to_string(), metadata)].into();
    serialize(views, Some(metadata)).map_err(ModelError::safetensors)
}
