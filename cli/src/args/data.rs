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
    /// Download a data set into the cache folder, where --data NAME finds it
    ///
    /// Its files are verified by their SHA-256. Those that are there already and right are not
    /// downloaded again, and a download that was interrupted is resumed. HTTPS_PROXY, HTTP_PROXY,
    /// ALL_PROXY and NO_PROXY are honoured; SSL_CERT_FILE names certificates of other authorities
    /// than the usual ones.
    Fetch(FetchArgs),
}

/// A data set that is known by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum NamedSet {
    /// Handwritten digits: 60 000 images to train, 10 000 to test, 12 MB
    Mnist,
    /// Articles of clothing, as many, 31 MB
    Fashion,
    /// Cursive Japanese characters, as many, 21 MB
    Kmnist,
    /// Digits of EMNIST: 240 000 images to train, 40 000 to test, out of an archive of 562 MB
    EmnistDigits,
}

impl NamedSet {
    /// The name, as it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Fashion => "fashion",
            Self::Kmnist => "kmnist",
            Self::EmnistDigits => "emnist-digits",
        }
    }
}

#[derive(Args)]
pub(crate) struct FetchArgs {
    /// The data set
    #[arg(value_enum, value_name = "NAME", default_value = "mnist")]
    pub(crate) set: NamedSet,
    /// Write the files into this folder [default: handwritten/NAME in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Download from this address instead of the mirrors; the names of the files follow it
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Give a mirror up when nothing has arrived for this long
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30.0,
        allow_negative_numbers = true
    )]
    pub(crate) timeout: f64,
    /// Replace files of the same names whose content is another
    #[arg(long)]
    pub(crate) force: bool,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the result only, no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
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
