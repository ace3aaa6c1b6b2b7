//! The arguments of the commands that show results: `report` and `explain`.

use super::{Common, PlaceArgs};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The folders of one or several runs, or their model files
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// The data set of the runs, a folder or a file of it [default: where the run had it, else as
    /// for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Write the comparison of several runs into this file, which must be new
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    pub(crate) out: PathBuf,
    /// Overwrite that file
    #[arg(long)]
    pub(crate) force: bool,
    /// Open the page in the browser
    #[arg(long)]
    pub(crate) open: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
#[group(id = "which", required = true)]
pub(crate) struct WhichArgs {
    /// The places of test images in their file, from 0, with commas between them
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub(crate) index: Vec<usize>,
    /// The test images that a run gets wrong, the most confident first
    #[arg(long, value_name = "RUN", conflicts_with = "index")]
    pub(crate) mistakes: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ShowImagesArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Maximum number of mistakes
    #[arg(
        long,
        value_name = "N",
        default_value_t = 12,
        allow_negative_numbers = true
    )]
    pub(crate) count: usize,
    /// A data set: a folder or a file of it [default: where the run had it, else as for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A data set: a folder or a file of it [default: as for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Seed of all random numbers
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print results only, no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
