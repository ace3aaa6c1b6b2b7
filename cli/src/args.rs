//! The command line: all subcommands and their flags. The settings of a training
//! are in [`crate::settings`].

mod augment;
mod compare;
mod convert;
mod data;
mod report;
mod train;

pub(crate) use augment::AugmentArgs;
pub(crate) use compare::CompareArgs;
pub(crate) use convert::{ConvertModelArgs, OnnxInput, OnnxOutput};
pub(crate) use data::{ConvertArgs, DataArgs, DataFormat, DataTask, FetchArgs, NamedSet, ShowArgs};
pub(crate) use report::{ExplainArgs, ReportArgs, ShowImagesArgs};
pub(crate) use train::{MAX_SEEDS, TrainArgs};

use crate::failure::Failure;
use crate::settings::{Flags, recipes};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::env;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

/// Trains and uses a shallow classifier of handwritten digits.
#[derive(Parser)]
#[command(
    name = "handwritten",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 success; 1 a file, a data set or a model cannot be used; \
                  2 wrong usage; 3 the loss stopped being finite; 4 gradcheck found a wrong \
                  gradient; 130 and 143 stopped by SIGINT and SIGTERM.\n\
                  HANDWRITTEN_ISA=avx512, avx2, neon or portable forces an instruction set; \
                  `handwritten info` lists those of this machine.\n\
                  HANDWRITTEN_STRATEGY=single-thread, data-parallel, column-parallel or \
                  row-parallel forces the way in which threads share a training step."
)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a net; without flags a 784-128-10 sigmoid net on MNIST, to 98 % accuracy
    Train(Box<TrainArgs>),
    /// Evaluate a trained net on its test images
    Evaluate(EvaluateArgs),
    /// Tell whether two models, or trainings of several seeds, differ by more than chance
    ///
    /// Two models are compared on the images that test both (McNemar's exact test), two folders of
    /// `train --seeds` by the test accuracies of the seeds that both have (Student's paired t-test).
    Compare(CompareArgs),
    /// Write the report of a run, or a comparison of several, as one page
    Report(ReportArgs),
    /// Show images in the terminal: single ones, or the mistakes of a run
    Show(ShowImagesArgs),
    /// Train a net again as it was trained, and say whether every bit of it is the same
    ///
    /// The model file holds the settings, the seed and the SHA-256 of its data set, and neither
    /// the number of threads nor the instruction set changes a bit of the result. So whoever has
    /// the images can prove that a model is what such a training gives.
    Verify(VerifyArgs),
    /// Read a net of any program, and write it for another: safetensors, npz or ONNX
    Convert(ConvertModelArgs),
    /// Write a trained net as Rust or C source, for programs that cannot read files
    Export(ExportArgs),
    /// Classify images of digits
    Classify(ClassifyArgs),
    /// Repeat a published run that failed to learn, and measure what each of its mistakes costs
    ///
    /// The run, a 784-1-10 sigmoid net on MNIST in full batches, stayed at 21 % accuracy.
    /// docs/why-it-did-not-learn.md tells the story and gives the results. Repeating it takes
    /// about a minute on two cores.
    Explain(ExplainArgs),
    /// Compare the gradient of a net with central differences of its loss, on real images
    Gradcheck(Box<GradcheckArgs>),
    /// Show what this machine computes with: instruction set, threads, caches, block sizes
    Info(InfoArgs),
    /// Measure how fast this machine trains; takes some fifteen seconds
    Bench(BenchArgs),
    /// Show what a data set is, write it in another format, or download one
    Data(DataArgs),
    /// Write a picture of images before and after the distortion of `train --distort`
    Augment(AugmentArgs),
}

/// A parsed command line.
pub(crate) enum Parsed {
    /// A command to run.
    Command(Command),
    /// Help or the version, which has been printed; with the exit code.
    Printed(ExitCode),
}

/// Parses the command line, and prints help or the version if it asks for them.
///
/// # Errors
/// Says in one line what is wrong with the command line or with
/// `RAYON_NUM_THREADS`.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Parsed, Failure> {
    let error = match Program::try_parse_from(&args) {
        Ok(program) => {
            rayon_threads()?;
            return Ok(Parsed::Command(program.command));
        }
        Err(error) => error,
    };
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed stdout is not a failure.
        let _ = error.print();
        let code = u8::try_from(error.exit_code()).unwrap_or(2);
        return Ok(Parsed::Printed(ExitCode::from(code)));
    }
    Err(Failure::usage(match error.kind() {
        ErrorKind::InvalidUtf8 => not_utf8(&args),
        _ => on_one_line(&error),
    }))
}

/// The message about arguments that are not UTF-8; the parser's error does not name them.
fn not_utf8(args: &[OsString]) -> String {
    let odd = args.iter().filter(|arg| arg.to_str().is_none());
    let odd: Vec<String> = odd.map(|arg| format!("{arg:?}")).collect();
    format!("only paths and --name may be no UTF-8: {}", odd.join(", "))
}

/// The message of a parser's error, without the usage.
fn on_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim);
    let said: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("Usage:"))
        .collect();
    let said = said
        .join("; ")
        .replace("; [", " [")
        .replace(":; ", ": ")
        .replace("For more information, try '--help'.", "see --help");
    said.trim_start_matches("error: ").to_string()
}

/// Flags for the output folder.
#[derive(Args)]
pub(crate) struct PlaceArgs {
    /// Write the results into this folder, which must be new or empty
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(crate) out: Option<PathBuf>,
    /// Write the results into runs/NAME, which must be new or empty [default: a new folder in
    /// runs, named after the data set and the net, or explain]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<OsString>,
    /// Overwrite the results that are in the folder
    #[arg(long)]
    pub(crate) force: bool,
}

/// Flags for settings.
#[derive(Args, Default)]
pub(crate) struct SettingsArgs {
    /// Start from a named configuration; --config and flags override its settings. quick: 98 %
    /// accuracy within a second. plain, shifts and record: 1 000 hidden units, trained for 98.7, 99.1
    /// and 99.4 % of the whole test file, the last two on images that are moved and bent at random.
    /// committee: record from five seeds, and their nets as one model. question: a published run that failed to learn, with all its
    /// mistakes (docs/why-it-did-not-learn.md). question-sum: that run as it was first published,
    /// with the sum of the loss. question+gradient, +velocity, +init, +hidden, +best: that run with
    /// one or more of its mistakes repaired; +softmax, of question-sum only. mended: all of them
    /// repaired, with 128 hidden units
    #[arg(long, value_name = "NAME", value_parser = recipes::find)]
    recipe: Option<Flags>,
    /// Take settings from a file, such as the config.toml of a run; flags override them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl SettingsArgs {
    /// The settings that are given by flags, file or recipe.
    pub(crate) fn flags(self) -> Result<Flags, Failure> {
        let file = self.config.as_deref().map(Flags::read).transpose()?;
        let flags = self.flags.or(file.unwrap_or_default());
        Ok(flags.or(self.recipe.unwrap_or_default()))
    }
}

#[derive(Args)]
pub(crate) struct EvaluateArgs {
    /// The folder of a run, or its model.safetensors
    pub(crate) model: PathBuf,
    /// A data set: a folder or a file of it [default: as for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Take the pictures of a folder as they are, as for train
    #[arg(long)]
    pub(crate) as_is: bool,
    /// Average the probabilities over the copies of each image that are shifted by up to so many
    /// pixels in both directions: 1 for nine copies
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    pub(crate) shifts: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The folder of a run, or its model.safetensors
    #[arg(value_name = "RUN")]
    pub(crate) model: PathBuf,
    /// Folder of the four IDX files of the model's data set [default: the folder that the run
    /// had, else as for train]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The model that the training started from, if it did from a trained net [default: the file
    /// that the run had]
    #[arg(long, value_name = "MODEL")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print the result only, no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The folder of a run, or its model.safetensors
    pub(crate) model: PathBuf,
    /// Format of the file
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) format: Format,
    /// Round the weights, and measure what that costs on all test images
    #[arg(long, value_enum, value_name = "BITS")]
    pub(crate) quantize: Option<Quantize>,
    /// Write this file, which must be new; - is stdout. For C it ends in .c, and the header is
    /// written beside it
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) out: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    pub(crate) force: bool,
    /// The data set that --quantize evaluates on, a folder or a file of it [default: as for train]
    #[arg(long, value_name = "PATH", requires = "quantize")]
    pub(crate) data: Option<PathBuf>,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Format {
    /// A module for the crate `handwritten`, in one file
    Rust,
    /// C99 without library and heap, and its header
    C,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Quantize {
    /// 8-bit integers, with a scale for each output
    Int8,
}

#[derive(Args)]
pub(crate) struct ClassifyArgs {
    /// The folder of a run, or its model.safetensors
    pub(crate) model: PathBuf,
    /// Pictures of any size: PNG, JPEG, PGM, PPM, BMP or WebP, as their content says. A folder
    /// stands for all files in it, @LIST for the paths on the lines of the file LIST, - for a
    /// picture on stdin. Light, paper and ink may be any; for a model of digits that are centred
    /// as MNIST's a picture may show several side by side. Digits are scaled and centred as in the
    /// images that the net was trained on, unless the picture has their size and either its ink
    /// lies as in them or it lies differently in each of them
    #[arg(required_unless_present = "data")]
    pub(crate) images: Vec<PathBuf>,
    /// Classify the test images of a data set, which need no labels, or all images of one without
    /// test images
    #[arg(long, value_name = "PATH", conflicts_with = "images")]
    pub(crate) data: Option<PathBuf>,
    /// Print a table with the number and the class of each image of --data, as Kaggle takes it
    #[arg(long, requires = "data", conflicts_with_all = ["images", "json"])]
    pub(crate) csv: bool,
    /// Average the probabilities over the copies of each image that are shifted by up to so many
    /// pixels in both directions: 1 for nine copies
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    pub(crate) shifts: usize,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct GradcheckArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Number of images whose loss is compared
    #[arg(
        long,
        value_name = "N",
        default_value = "64",
        allow_negative_numbers = true
    )]
    pub(crate) images: NonZeroUsize,
    /// Number of parameters of each tensor that are compared
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        allow_negative_numbers = true
    )]
    pub(crate) parameters: NonZeroUsize,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// A data set: a folder or a file of it [default: as for train]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Maximum number of threads.
const MAX_THREADS: i64 = 1024;

#[derive(Args)]
pub(crate) struct Common {
    /// Threads to compute on; their number changes no bit of the result
    /// [default: RAYON_NUM_THREADS, or the cores that the process may use]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = 1..=MAX_THREADS)]
    pub(crate) threads: Option<i64>,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

impl Common {
    /// The number of threads to compute on.
    pub(crate) fn threads(&self) -> Result<usize, Failure> {
        let named = match self.threads {
            Some(threads) => Some(threads),
            None => rayon_threads()?,
        };
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(named.map_or_else(cores, |threads| threads as usize))
    }
}

/// The number of threads that `RAYON_NUM_THREADS` names, if it does: what programs that
/// compute on several threads are commonly told by.
fn rayon_threads() -> Result<Option<i64>, Failure> {
    let Some(text) = env::var_os("RAYON_NUM_THREADS").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(threads @ 1..=MAX_THREADS) => Ok(Some(threads)),
        _ => Err(Failure::usage(format!(
            "RAYON_NUM_THREADS must be a number from 1 to {MAX_THREADS}, not {text:?}"
        ))),
    }
}
