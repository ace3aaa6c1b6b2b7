//! Writing model files.

use crate::files::model::error::{KEY, ModelError};
use crate::files::model::metadata::{Metadata, check_finite, tensor_names};
use crate::files::model::written::to_json;
use crate::net::{Net, NetRef};
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
    let metadata = to_json(net, metadata)?;
    let tensors = tensors_of(net)?;
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        views.push((
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(ModelError::safetensors)?,
        ));
    }
    let metadata = [(KEY.to_string(), metadata)].into();
    serialize(views, Some(metadata)).map_err(ModelError::safetensors)
}

/// Name, shape and bytes of a tensor.
type Encoded = (String, Vec<usize>, Vec<u8>);

/// The tensors of a net, as PyTorch has them: weights outputs×inputs.
pub(super) fn tensors_of(net: NetRef<'_>) -> Result<Vec<Encoded>, ModelError> {
    let mut tensors = Vec::new();
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let [weight, bias] = tensor_names(l);
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
    Ok(tensors)
}
