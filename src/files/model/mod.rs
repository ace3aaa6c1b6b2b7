//! Model files: safetensors, with the tensors that PyTorch's
//! `nn.Sequential(nn.Linear, activation, …, nn.Linear)` has.
//!
//! The file's metadata hold everything else that using the net takes ([`Metadata`]).
//! [`encode`] makes bytes and [`decode`] reads them; neither opens a file.
//!
//! ```
//! use handwritten::compute::rng::{Stream, generator};
//! use handwritten::files::model::{Metadata, decode, encode};
//! use handwritten::{Activation, Init, Net};
//!
//! let mut rng = generator(1, Stream::Weights);
//! let net = Net::random(&[4, 3, 2], Activation::Tanh, Init::Glorot, &mut rng);
//! let classes = vec!["left".to_string(), "right".to_string()];
//! let mut metadata = Metadata::new((2, 2), classes);
//! metadata.data = "drawn by hand".to_string();
//! let bytes = encode(&net, &metadata)?;
//! // handwritten::files::write_atomic(Path::new("model.safetensors"), &bytes)?;
//! let model = decode(&bytes)?;
//! assert_eq!((model.net, model.metadata), (net, metadata));
//! # Ok::<(), handwritten::files::model::ModelError>(())
//! ```

mod decode;
mod encode;
mod ensemble;
mod error;
mod import;
mod metadata;
mod npz;
mod onnx;
mod tensors;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod travel_tests;
mod written;

pub use decode::decode;
pub use encode::encode;
pub use ensemble::{decode_ensemble, encode_ensemble};
pub use error::{FormatError, ModelError};
pub use import::{Foreign, import};
pub use metadata::{Metadata, Model, tensor_names};
pub use npz::encode_npz;
pub use onnx::{OnnxForm, encode_onnx};
