//! Model files: safetensors, with the tensors that PyTorch's
//! `nn.Sequential(nn.Linear, activation, …, nn.Linear)` has.
//!
//! The file's metadata hold everything else that using the net takes ([`Metadata`]).
//! [`encode`] makes bytes and [`decode`] reads them; neither opens a file.
//!
//! ```
//! use handwritten::compute::rng::{Stream, generator};
//! use handwritten::data::{Normalisation, Split};
//! use handwritten::files::model::{Metadata, decode, encode};
//! use handwritten::{Activation, Init, Net, Reduction};
//!
//! let mut rng = generator(1, Stream::Weights);
//! let net = Net::random(&[4, 3, 2], Activation::Tanh, Init::Glorot, &mut rng);
//! let metadata = Metadata {
//!     normalisation: Normalisation::RAW,
//!     image: (2, 2),
//!     classes: vec!["left".to_string(), "right".to_string()],
//!     data: "drawn by hand".to_string(),
//!     data_sha256: String::new(),
//!     split: Split::Standard,
//!     seed: 1,
//!     reduction: Reduction::Mean,
//!     best_epoch: 1,
//!     val_loss: 0.5,
//! };
//! let bytes = encode(&net, &metadata)?;
//! // handwritten::files::write_atomic(Path::new("model.safetensors"), &bytes)?;
//! let model = decode(&bytes)?;
//! assert_eq!((model.net, model.metadata), (net, metadata));
//! # Ok::<(), handwritten::files::model::ModelError>(())
//! ```

mod decode;
mod encode;
mod error;
mod metadata;
#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::encode;
pub use error::{FormatError, ModelError};
pub use metadata::{Metadata, Model};
