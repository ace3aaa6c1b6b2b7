//! Models as archives of arrays, for NumPy.

use crate::files::formats::{BYTES, zip_of_arrays};
use crate::files::model::encode::tensors_of;
use crate::files::model::error::{KEY, ModelError};
use crate::files::model::metadata::Metadata;
use crate::files::model::written::to_json;
use crate::net::Net;

/// Encodes a net and its metadata as an `.npz` archive: the tensors with the names, shapes and
/// bits that [`encode`] gives them, and the metadata as the array of bytes `handwritten`.
/// [`decode`] gives both again.
///
/// [`encode`]: crate::files::model::encode()
/// [`decode`]: crate::files::model::decode()
///
/// # Errors
/// Returns the errors of [`encode`].
pub fn encode_npz(net: &Net, metadata: &Metadata) -> Result<Vec<u8>, ModelError> {
    let json = to_json(net.view(), metadata)?;
    let tensors = tensors_of(net.view())?;
    let arrays = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), "<f4", shape.clone(), &bytes[..]));
    let metadata = (KEY.to_string(), BYTES, vec![json.len()], json.as_bytes());
    let arrays: Vec<_> = arrays.chain([metadata]).collect();
    Ok(zip_of_arrays(&arrays))
}
