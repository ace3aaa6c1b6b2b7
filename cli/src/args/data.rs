//! The arguments of `handwritten data`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) task: Option<DataTask>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Subcommand)]
pub(crate) enum DataTask {
    /// Write a data set as IDX, CSV or npz
    Convert(ConvertArgs),
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// A data set: a folder or a file of it [default: as for train]
    pub(crate) path: Option<PathBuf>,
    /// Write the first images of each class as a PNG picture into this file, which must be new
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long)]
    pub(crate) force: bool,
    /// Take the pictures of a folder as they are, as for train
    #[arg(long)]
    pub(crate) as_is: bool,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// A data set: a folder or a file of it
    pub(crate) input: PathBuf,
    /// Write this: a folder of IDX files or of tables, an .npz archive, or a .csv table
    pub(crate) output: PathBuf,
    /// Format of the files [default: by the ending of the output: npz, csv, else idx]
    #[arg(long, value_enum)]
    pub(crate) format: Option<DataFormat>,
    /// Overwrite files of the same names
    #[arg(long)]
    pub(crate) force: bool,
    /// Take the pictures of a folder as they are, as for train
    #[arg(long)]
    pub(crate) as_is: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DataFormat {
    /// Four files, as MNIST has them
    Idx,
    /// A table for each part
    Csv,
    /// An archive of arrays, as Keras has them
    Npz,
}
