//! The arguments of `handwritten augment`.

use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct AugmentArgs {
    /// A data set: a folder or a file of it [default: as for train]
    pub(crate) path: Option<PathBuf>,
    /// The distortion, as for train
    #[arg(long, value_name = "KINDS", default_value = "elastic")]
    pub(crate) distort: String,
    /// The seed of the training
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Epochs of the training
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        allow_negative_numbers = true
    )]
    pub(crate) epochs: NonZeroUsize,
    /// Write the picture, a PNG, into this file, which must be new
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    pub(crate) force: bool,
    /// Take the pictures of a folder as they are, as for train
    #[arg(long)]
    pub(crate) as_is: bool,
}
