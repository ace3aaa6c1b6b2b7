//! A net that a training starts from, instead of random weights.

use super::Flags;
use super::flags::Hidden;
use crate::failure::Failure;
use crate::output::report::dashed;
use crate::run_folder::model;
use handwritten::files::model::Model;
use handwritten::net::params_len;
use handwritten::{Activation, Net};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// A trained net to start from.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    net: Net,
    path: PathBuf,
}

impl Flags {
    /// Reads the model that the net is to start from, if these settings name one, and completes
    /// them by its hidden layers, its activation and the SHA-256 of its file.
    ///
    /// # Errors
    /// A file that is no model, or another one than the settings say; other layers than its own.
    pub(crate) fn with_start(mut self) -> Result<(Self, Option<Start>), Failure> {
        let Some(named) = &self.from else {
            return match &self.from_sha256 {
                None => Ok((self, None)),
                Some(sha256) => Err(Failure::usage(format!(
                    "the run started from a trained net whose file has the SHA-256 {sha256}: --from \
                     names it"
                ))),
            };
        };
        let path = model::path_of(named)?;
        let (model, sha256) = read(&path)?;
        if let Some(expected) = self.from_sha256.as_ref().filter(|&known| *known != sha256) {
            return Err(Failure::new(format!(
                "{} is not the model that the run started from: its SHA-256 is {sha256}, not \
                 {expected}",
                path.display()
            )));
        }
        let net = model.net;
        let (widths, activation) = (net.widths(), net.activation());
        let inner = &widths[1..widths.len() - 1];
        let hidden = Hidden(
            inner
                .iter()
                .copied()
                .filter_map(NonZeroUsize::new)
                .collect(),
        );
        if self.hidden.as_ref().is_some_and(|given| *given != hidden) {
            return Err(Failure::usage(format!(
                "hidden is that of the net in {}, which is {}: leave --hidden out",
                path.display(),
                dashed(widths)
            )));
        }
        let name = self.activation.as_deref();
        if inner.is_empty() {
            self.activation
                .get_or_insert(Activation::Sigmoid.name().to_string());
        } else if name.is_some_and(|name| name != activation.name()) {
            return Err(Failure::usage(format!(
                "activation is that of the net in {}, which is {}: leave --activation out",
                path.display(),
                activation.name()
            )));
        } else {
            self.activation = Some(activation.name().to_string());
        }
        self.hidden = Some(hidden);
        self.from_sha256 = Some(sha256);
        // Absolute, so that config.toml repeats the run from any folder.
        self.from = Some(std::path::absolute(&path).unwrap_or(path.clone()));
        Ok((self, Some(Start { net, path })))
    }

    /// Whether the net does not start from random weights.
    pub(crate) fn starts_from_a_net(&self) -> bool {
        self.from_sha256.is_some()
    }

    /// These settings with the model that the net starts from at another path.
    pub(crate) fn starting_from(self, path: Option<&Path>) -> Self {
        let from = path.map(Path::to_path_buf).or(self.from);
        Self { from, ..self }
    }
}

/// A model and the SHA-256 of its file in hexadecimal digits.
fn read(path: &Path) -> Result<(Model, String), Failure> {
    // Once: the hash is that of the bytes that are taken.
    let bytes = model::bytes_of(path)?;
    let mut sha256 = String::new();
    for byte in Sha256::digest(&bytes) {
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok((model::of_bytes(&bytes, path)?, sha256))
}

impl Start {
    /// The net with the weights to start from, of layers of these widths: the last layer of
    /// `random` if the classes are others.
    pub(crate) fn net(&self, random: Net) -> Net {
        if self.net.widths() == random.widths() {
            return self.net.clone();
        }
        let kept = params_len(&self.net.widths()[..self.net.depth()]);
        let mut net = random;
        net.params_mut()[..kept].copy_from_slice(&self.net.params()[..kept]);
        net
    }

    /// Refuses images of another size than those that the net is for.
    pub(crate) fn refuse_other_images(&self, widths: &[usize]) -> Result<(), Failure> {
        match widths[0] == self.net.widths()[0] {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "the net in {} takes images of {} pixels, the data have {}",
                self.path.display(),
                self.net.widths()[0],
                widths[0]
            ))),
        }
    }
}
