//! Model files: safetensors, with the tensors that PyTorch's
//! `nn.Sequential(nn.Linear, activation, …, nn.Linear)` has.
//!
//! What else a net needs to be used stands in the file's metadata ([`Metadata`]).
//! [`encode`] makes bytes and [`decode`] reads them; neither opens a file.

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
