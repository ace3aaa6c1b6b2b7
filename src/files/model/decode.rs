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
/// [`decode_ensemble`]: crate::files::model::decode_ensemble()
///
/// # Errors
/// Bytes that are no such file, or one with two tensors of one name; metadata that are
/// missing, newer, or contradict themselves or the tensors; numbers that are not finite;
/// several nets, which [`decode_ensemble`] reads.
pub fn decode(bytes: &[u8]) -> Result<Model, ModelError> {
    let tensors = Tensors::read(bytes)?;
    match (&tensors.metadata, &tensors.ensemble) {
        (Some(text), _) => model_of(&tensors, text, ""),
        (None, Some(_)) => Err(ModelError::Ensemble),
        (None, None) => Err(ModelError::NoMetadata),
    }
}

/// The model with these metadata, the names of whose tensors begin with `prefix`.
pub(super) fn model_of(
    tensors: &Tensors,
    metadata: &str,
    prefix: &str,
) -> Result<Model, ModelError> {
    let (widths, activation, metadata) = from_json(metadata)?;
    // At once, but no more than the file has: a vector that grows is copied into one of twice
    // its size.
    let most = tensors.numbers();
    let mut params = Vec::with_capacity(params_len(&widths).min(most));
    for (l, layer) in layers(&widths).enumerate() {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let [weight, bias] = tensor_names(l).map(|name| format!("{prefix}{name}"));
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
