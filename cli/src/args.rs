//! Flags of all subcommands.

use super::Failure;
use super::recipes;
use super::settings::{Flags, Settings};
use clap::{Args, Parser, Subcommand};
use std::env;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Trains and uses a shallow classifier of handwritten digits.
#[derive(Parser)]
#[command(
    name = "handwritten",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 success, 1 a file, a data set or a model is not as it must be, \
                  2 wrong usage, 3 the loss stopped being finite, 4 gradcheck found a wrong gradient, \
                  130 and 143 stopped by SIGINT and SIGTERM.\n\
                  HANDWRITTEN_ISA=avx512, avx2, neon or portable forces an instruction set; \
                  `handwritten info` shows which there are."
)]
pub(super) struct Program {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Train a net; without flags the question's own, mended, on real MNIST
    Train(Box<TrainArgs>),
    /// Repeat the test figures of a trained net from its file
    Evaluate(EvaluateArgs),
    /// Write a trained net as Rust source, to be called where it lies in flash
    Export(ExportArgs),
    /// Classify images of digits
    Classify(ClassifyArgs),
    /// Show why the net of the question did not learn: its run repeated, each mistake mended
    Explain(ExplainArgs),
    /// Compare the gradient of a net with central differences of its loss, on real images
    Gradcheck(Box<GradcheckArgs>),
    /// Show what this machine computes with: instruction set, threads, caches, block sizes
    Info(InfoArgs),
    /// Measure how fast this machine trains: half a minute for a table of a few lines
    Bench(BenchArgs),
}

#[derive(Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Go on with the run in this folder, which was interrupted
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "name", "force"])]
    pub(super) resume: Option<PathBuf>,
    /// Save the run as often as this, besides after each epoch: 0 is after each step
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5.0,
        allow_negative_numbers = true
    )]
    pub(super) checkpoint_every: f64,
    #[command(flatten)]
    pub(super) common: Common,
    /// Print results only: no progress, no line for each epoch
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Where a run is written.
#[derive(Args)]
pub(super) struct PlaceArgs {
    /// Write the run into this folder, which must be new or empty
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(super) out: Option<PathBuf>,
    /// Write the run into runs/NAME, which must be new or empty [default: named after what it is]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Overwrite the run that is in the folder
    #[arg(long)]
    pub(super) force: bool,
}

/// Where settings come from.
#[derive(Args)]
pub(super) struct SettingsArgs {
    /// Start from a named configuration, over which a file's settings and flags win: quick, 98 %
    /// within a second; question, the run that did not learn, mistakes and all;
    /// question-sum, the same as it was published first; question+gradient, +velocity, +init,
    /// +hidden, +best, the same with one or more of its mistakes mended, of question-sum +softmax
    /// as well; mended, with all of them
    #[arg(long, value_name = "NAME", value_parser = recipes::find)]
    recipe: Option<Flags>,
    /// Take settings from a file, such as the config.toml of a run; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl SettingsArgs {
    /// Reads the file if there is one, checks all and fills in the rest.
    pub(super) fn resolve(self) -> Result<Settings, Failure> {
        self.flags()?.resolve()
    }

    /// Reads the file if there is one: what is given, whichever way.
    pub(super) fn flags(self) -> Result<Flags, Failure> {
        let file = self.config.as_deref().map(Flags::read).transpose()?;
        let flags = self.flags.or(file.unwrap_or_default());
        Ok(flags.or(self.recipe.unwrap_or_default()))
    }
}

#[derive(Args)]
pub(super) struct EvaluateArgs {
    /// The model.safetensors of a run
    pub(super) model: PathBuf,
    /// The folder of the four IDX files [default: as for train]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The model.safetensors of a run
    pub(super) model: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value = "rust")]
    pub(super) format: Format,
    /// Round the weights, and say what that costs on all test images
    #[arg(long, value_enum, value_name = "BITS")]
    pub(super) quantize: Option<Quantize>,
    /// Write this file, which must be new
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    pub(super) force: bool,
    /// The folder of the four IDX files, which --quantize evaluates on [default: as for train]
    #[arg(long, value_name = "DIR", requires = "quantize")]
    pub(super) data: Option<PathBuf>,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Format {
    /// A module for the crate `handwritten`, all of it in one file
    Rust,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Quantize {
    /// Integers of eight bits, with a scale for each output
    Int8,
}

#[derive(Args)]
pub(super) struct ClassifyArgs {
    /// The model.safetensors of a run
    pub(super) model: PathBuf,
    /// PNG files, of any size, with one digit each in any colour on an even
    /// ground; it is scaled and centred as in MNIST, unless the image is of the
    /// net's own size and its ink lies so already or the net learnt other data
    #[arg(required = true)]
    pub(super) images: Vec<PathBuf>,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// The folder of the four IDX files [default: as for train]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Where all randomness comes from
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) common: Common,
    /// Print results only: no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Args)]
pub(super) struct GradcheckArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    /// The number of images whose loss is taken
    #[arg(
        long,
        value_name = "N",
        default_value = "64",
        allow_negative_numbers = true
    )]
    pub(super) images: NonZeroUsize,
    /// The number of parameters of each tensor that are compared
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        allow_negative_numbers = true
    )]
    pub(super) parameters: NonZeroUsize,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Args)]
pub(super) struct BenchArgs {
    /// The folder of the four IDX files [default: as for train]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The most threads to compute on.
const MAX_THREADS: i64 = 1024;

#[derive(Args)]
pub(super) struct Common {
    /// Threads to compute on; they change the speed and not a bit of the result
    /// [default: RAYON_NUM_THREADS, or the cores that the process may use]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = 1..=MAX_THREADS)]
    pub(super) threads: Option<i64>,
    /// Print results as JSON lines on stdout
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    /// The pool of threads to compute in.
    pub(super) fn pool(&self) -> Result<rayon::ThreadPool, Failure> {
        rayon::ThreadPoolBuilder::new()
            // Zero leaves the number to rayon.
            .num_threads(self.threads.map_or(0, |threads| threads as usize))
            .build()
            .map_err(|error| {
                let number = self.threads.map_or(String::new(), |n| format!("{n} "));
                Failure::new(format!("cannot start {number}threads: {error}"))
            })
    }
}

/// Refuses a RAYON_NUM_THREADS that rayon would not heed, or would be busy
/// with for minutes.
pub(super) fn check_rayon_threads() -> Result<(), Failure> {
    let Some(text) = env::var_os("RAYON_NUM_THREADS").filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(1..=MAX_THREADS) => Ok(()),
        _ => Err(Failure::usage(format!(
            "RAYON_NUM_THREADS must be a number from 1 to {MAX_THREADS}, not {text:?}"
        ))),
    }
}
