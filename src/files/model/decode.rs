//! Reading model files.

use crate::data::Framing;
use crate::files::model::error::{KEY, ModelError, VERSION};
use crate::files::model::metadata::{
    Metadata, Model, WrittenMetadata, check, check_finite, tensor_names,
};
use crate::net::{Net, layers, params_len};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// Decodes a model file. Unknown tensors and metadata are ignored.
///
/// # Errors
/// Bytes that are no safetensors file, or one with two tensors of one name; metadata that are
/// missing, newer, or contradict themselves or the tensors; numbers that are not finite.
pub fn decode(bytes: &[u8]) -> Result<Model, ModelError> {
    refuse_duplicates(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelError::safetensors)?;
    let text = header
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(KEY))
        .ok_or(ModelError::NoMetadata)?;
    let written: WrittenMetadata = serde_json::from_str(text).map_err(ModelError::json)?;
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

    let tensors = SafeTensors::deserialize(bytes).map_err(ModelError::safetensors)?;
    // At once, but no more than the file has: a vector that grows is copied into one of twice
    // its size.
    let most = bytes.len() / size_of::<f32>();
    let mut params = Vec::with_capacity(params_len(&widths).min(most));
    for (l, layer) in layers(&widths).enumerate() {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let [weight, bias] = tensor_names(l);
        let weights = floats(&tensors, &weight, &[outputs, inputs])?;
        params.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
        params.extend(floats(&tensors, &bias, &[outputs])?);
    }
    Ok(Model {
        net: Net::new(&widths, activation, params),
        metadata,
    })
}

/// Refuses a file in whose header, an object in JSON, two tensors have one name: a parser
/// would silently take the last. What is no such file is left to the parser.
fn refuse_duplicates(bytes: &[u8]) -> Result<(), ModelError> {
    let header = bytes.split_first_chunk().and_then(|(&len, rest)| {
        let len = usize::try_from(u64::from_le_bytes(len)).ok()?;
        serde_json::from_slice(rest.get(..len)?).ok()
    });
    let Some(Names(names)) = header else {
        return Ok(());
    };
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(name.clone())) {
        Some(name) => Err(ModelError::Duplicate { name }),
        None => Ok(()),
    }
}

/// The keys of a JSON object, in order.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// Parses the name of a choice.
fn named<T: FromStr>(what: &'static str, text: &str) -> Result<T, ModelError> {
    text.parse().map_err(|_| ModelError::unknown(what, text))
}

/// Reads a tensor of finite `f32` of that shape.
pub(super) fn floats(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, ModelError> {
    let tensor = tensors.tensor(name).map_err(ModelError::safetensors)?;
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
