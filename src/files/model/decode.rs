//! Reading model files.

use crate::files::model::error::ModelError;
use crate::files::model::metadata::{Model, tensor_names};
use crate::files::model::tensors::Tensors;
use crate::files::model::written::from_json;
use crate::net::{Net, layers, params_len};

/// Decodes a model file, or an `.npz` archive that [`encode_npz`] has written. Unknown tensors
/// and metadata are ignored. Numbers of other types than `f32`, to which other programs may have
/// converted the file, are converted back ([`Model::stored`]).
///
/// [`encode_npz`]: crate::files::model::encode_npz
///
/// # Errors
/// Bytes that are no such file, or one with two tensors of one name; metadata that are
/// missing, newer, or contradict themselves or the tensors; numbers that are not finite.
pub fn decode(bytes: &[u8]) -> Result<Model, ModelError> {
    let tensors = Tensors::read(bytes)?;
    let text = tensors.metadata.as_ref().ok_or(ModelError::NoMetadata)?;
    let (widths, activation, metadata) = from_json(text)?;
    // At once, but no more than the file has: a vector that grows is copied into one of twice
    // its size.
    let mut params = Vec::with_capacity(params_len(&widths).min(bytes.len()));
    for (l, layer) in layers(&widths).enumerate() {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let [weight, bias] = tensor_names(l);
        let weights = tensors.floats(&weight, &[outputs, inputs])?;
        params.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
        params.extend(tensors.floats(&bias, &[outputs])?);
    }
    Ok(Model {
        net: Net::new(&widths, activation, params),
        metadata,
        stored: tensors.stored,
    })
}
