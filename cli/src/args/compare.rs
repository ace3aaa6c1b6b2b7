//! The flags of `handwritten compare`.

use super::Common;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The folder of a run or of several seeds, or a model file
    pub(crate) one: PathBuf,
    /// Another one
    pub(crate) other: PathBuf,
    /// The data set whose test images two models are compared on, a folder or a file of it [default:
    /// as for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Take the pictures of a folder as they are, as for train
    #[arg(long)]
    pub(crate) as_is: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}
