//! Flags of `train`.

use super::{Common, PlaceArgs, SettingsArgs};
use clap::Args;
use std::path::PathBuf;

/// Maximum number of seeds of one training.
pub(crate) const MAX_SEEDS: u64 = 1000;

#[derive(Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Resume the interrupted run in this folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "name", "force", "seeds"])]
    pub(crate) resume: Option<PathBuf>,
    /// Train from so many seeds, --seed and those after it, side by side on the threads. Each run is
    /// the one of that seed alone and gets a folder of its own in that of the results; the table
    /// with mean, deviation and interval goes to seeds.csv, the best net by validation to
    /// model.safetensors. The test images are opened once all are trained
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=MAX_SEEDS))]
    pub(crate) seeds: Option<u64>,
    /// Keep the nets of all seeds as one model too, ensemble.safetensors, whose answer is the mean of
    /// their probabilities. Takes --split standard, with which all have the same test images
    #[arg(long, requires = "seeds")]
    pub(crate) ensemble: bool,
    /// Save the run at this interval too, besides after each epoch; 0 saves after each step
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5.0,
        allow_negative_numbers = true
    )]
    pub(crate) checkpoint_every: f64,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print results only, no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Write no report.html and no pictures of mistakes and hidden units
    #[arg(long)]
    pub(crate) no_report: bool,
}
