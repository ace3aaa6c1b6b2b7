//! The tensors of a file: safetensors, or an `.npz` archive.

use crate::files::formats::{Elements, Npz, foreign, half};
use crate::files::model::error::{ENSEMBLE_KEY, KEY, ModelError};
use crate::files::model::metadata::check_finite;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::io::Cursor;

/// Maximum length of the header of a safetensors file, that of the crate `safetensors`.
const MAX_HEADER: u64 = 100_000_000;

/// A tensor of a file.
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// The type of the numbers, in the words of safetensors.
    pub(super) kind: String,
    /// The numbers, or none if the type has no fractions.
    pub(super) values: Option<Vec<f32>>,
}

/// The content of a file.
pub(super) struct Tensors {
    pub(super) all: Vec<Tensor>,
    /// The metadata of a model, if the file has them.
    pub(super) metadata: Option<String>,
    /// The metadata of an ensemble, if the file has them.
    pub(super) ensemble: Option<String>,
    /// See [`Model::stored`](super::Model::stored).
    pub(super) stored: &'static str,
}

impl Tensors {
    /// Reads a file, whose format is told by its content.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        match bytes.starts_with(b"PK\x03\x04") {
            true => Self::of_npz(bytes),
            false => Self::of_safetensors(bytes),
        }
    }

    fn of_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        // Where no header begins after its length, which may be any bytes.
        if bytes.get(8) != Some(&b'{')
            && let Some(what) = foreign(&bytes[..bytes.len().min(512)])
        {
            return Err(ModelError::Foreign { what });
        }
        refuse_cut(bytes)?;
        refuse_duplicates(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelError::safetensors)?;
        let metadata = header.metadata().as_ref();
        let entry = |key| metadata.and_then(|entries| entries.get(key)).cloned();
        let (metadata, ensemble) = (entry(KEY), entry(ENSEMBLE_KEY));
        let tensors = SafeTensors::deserialize(bytes).map_err(ModelError::safetensors)?;
        let mut stored = "F32";
        let mut all = Vec::new();
        for (name, view) in tensors.iter() {
            let (kind, values) = numbers(&view);
            if values.is_some() && kind != "F32" {
                stored = kind;
            }
            all.push(Tensor {
                name: name.to_string(),
                shape: view.shape().to_vec(),
                kind: format!("{:?}", view.dtype()),
                values,
            });
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self {
            all,
            metadata,
            ensemble,
            stored,
        })
    }

    fn of_npz(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut archive = Npz::open(Cursor::new(bytes)).map_err(ModelError::npz)?;
        let names: Vec<String> = archive.names().into_iter().map(String::from).collect();
        let (mut all, mut metadata) = (Vec::new(), None);
        for name in names {
            if name == KEY {
                let text = archive.read(&name, Elements::Labels);
                let text = text.map_err(ModelError::npz)?.bytes;
                metadata = Some(String::from_utf8_lossy(&text).into_owned());
                continue;
            }
            // Single numbers, such as an epoch, are no tensors of a net.
            if archive.shape(&name).is_err() {
                continue;
            }
            let array = archive.read(&name, Elements::Numbers);
            let array = array.map_err(ModelError::npz)?;
            let (quads, _) = array.bytes.as_chunks();
            let values = quads.iter().map(|&quad| f32::from_le_bytes(quad));
            all.push(Tensor {
                values: Some(values.collect()),
                shape: array.shape,
                kind: "F32".to_string(),
                name,
            });
        }
        Ok(Self {
            all,
            metadata,
            ensemble: None,
            stored: "F32",
        })
    }

    /// The number of all numbers.
    pub(super) fn numbers(&self) -> usize {
        let numbers = self.all.iter().flat_map(|tensor| &tensor.values);
        numbers.map(Vec::len).sum()
    }

    /// The finite numbers of a tensor of that shape.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<&[f32], ModelError> {
        let found = self.all.iter().find(|tensor| tensor.name == name);
        let tensor = found.ok_or_else(|| ModelError::NoTensor {
            name: name.to_string(),
        })?;
        match &tensor.values {
            Some(values) if tensor.shape == shape => {
                check_finite(name, values)?;
                Ok(values)
            }
            _ => Err(ModelError::Tensor {
                name: name.to_string(),
                found: format!("{} {:?}", tensor.kind, tensor.shape),
                expected: format!("F32 {shape:?}"),
            }),
        }
    }
}

/// The type of a tensor and its numbers; none of types without fractions.
fn numbers(view: &TensorView<'_>) -> (&'static str, Option<Vec<f32>>) {
    let pairs = || view.data().as_chunks().0.iter();
    match view.dtype() {
        Dtype::F32 => {
            let quads = view.data().as_chunks().0.iter();
            (
                "F32",
                Some(quads.map(|&quad| f32::from_le_bytes(quad)).collect()),
            )
        }
        Dtype::F16 => {
            let numbers = pairs().map(|&pair| half(u16::from_le_bytes(pair)) as f32);
            ("F16", Some(numbers.collect()))
        }
        Dtype::BF16 => {
            let widened = |pair| f32::from_bits(u32::from(u16::from_le_bytes(pair)) << 16);
            ("BF16", Some(pairs().map(|&pair| widened(pair)).collect()))
        }
        Dtype::F64 => {
            let eights = view.data().as_chunks().0.iter();
            let numbers = eights.map(|&eight| f64::from_le_bytes(eight) as f32);
            ("F64", Some(numbers.collect()))
        }
        _ => ("", None),
    }
}

/// Refuses a file that is shorter than its header says.
fn refuse_cut(bytes: &[u8]) -> Result<(), ModelError> {
    let Some((&len, rest)) = bytes.split_first_chunk() else {
        return Ok(());
    };
    let len = u64::from_le_bytes(len);
    let found = bytes.len() as u64;
    // Longer headers are no headers.
    if len > MAX_HEADER {
        return Ok(());
    }
    if (rest.len() as u64) < len {
        let expected = 8 + len;
        return Err(ModelError::Truncated { found, expected });
    }
    let header = serde_json::from_slice(&rest[..len as usize]);
    let header: serde_json::Map<String, serde_json::Value> = header.unwrap_or_default();
    let ends = header
        .values()
        .filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    let expected = ends.max().unwrap_or(0).saturating_add(8 + len);
    match found < expected {
        true => Err(ModelError::Truncated { found, expected }),
        false => Ok(()),
    }
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
