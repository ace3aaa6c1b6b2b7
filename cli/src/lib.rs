//! The programs: what parses flags, prints, draws and writes runs.
//!
//! Exit codes: 0 success, 1 a file, a data set or a model is not as it must
//! be, 2 wrong usage, 3 the loss stopped being finite, 4 `gradcheck` found a
//! wrong gradient, 130 and 143 stopped by SIGINT and SIGTERM. Every failure is
//! one line on stderr. Results go to stdout, progress and remarks to stderr; a
//! reader that closes stdout early is no failure.

mod args;
mod bench;
mod classify;
mod evaluate;
mod explain;
mod export;
mod folder;
mod gradcheck;
mod info;
mod machine;
mod model;
mod output;
mod picture;
mod plot;
mod progress;
mod recipes;
mod report;
mod run;
mod saving;
mod settings;
mod signals;

use anstyle::{AnsiColor, Style};
use args::{Command, Program};
use clap::Parser;
use clap::error::ErrorKind;
use handwritten::{Isa, files};
use signals::Signal;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use settings::Settings;

/// Runs the program `handwritten` with the process's arguments.
pub fn handwritten() -> ExitCode {
    start(std::env::args_os().collect())
}

/// Runs the program `train`, which is `handwritten train`.
pub fn train() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    args.splice(..args.len().min(1), ["handwritten".into(), "train".into()]);
    start(args)
}

fn start(args: Vec<OsString>) -> ExitCode {
    let program = match Program::try_parse_from(args) {
        Ok(program) => program,
        Err(error) => return refuse(&error),
    };
    if let Err(failure) = args::check_rayon_threads() {
        return fail(&failure);
    }
    let result = match program.command {
        Command::Train(args) => run::run(*args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Gradcheck(args) => gradcheck::run(*args),
        Command::Info(args) => info::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Prints help or the version where they are asked for, and says on one line
/// what is wrong with the arguments where they are wrong.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed stdout is no failure.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
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
    fail(&Failure::usage(said.trim_start_matches("error: ")))
}

fn fail(failure: &Failure) -> ExitCode {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    output::remark(&match failure.is_error {
        true => format!("{red}error:{red:#} {failure}"),
        false => failure.to_string(),
    });
    ExitCode::from(failure.code)
}

/// The instruction set to compute with: the fastest, or the one that
/// HANDWRITTEN_ISA names.
fn isa() -> Result<Isa, Failure> {
    Isa::from_env().map_err(|error| Failure::usage(format!("HANDWRITTEN_ISA: {error}")))
}

/// The folder of the data: the one that is named, or the first that holds any, from
/// the one beside this program's source on.
fn find_data(explicit: Option<&Path>) -> Result<PathBuf, Failure> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");
    files::find(explicit, &[&own.join("mnist")]).map_err(Failure::new)
}

/// Why the program ends without success: one line, and the exit code.
#[derive(Debug)]
struct Failure {
    message: String,
    code: u8,
    /// Whether something is wrong; else it is only over.
    is_error: bool,
}

impl Failure {
    /// A file, a data set or a model is not as it must be.
    fn new(error: impl fmt::Display) -> Self {
        Self {
            message: format!("{error}"),
            code: 1,
            is_error: true,
        }
    }

    /// A flag or a configuration is wrong.
    fn usage(error: impl fmt::Display) -> Self {
        Self {
            message: format!("{error}"),
            code: 2,
            is_error: true,
        }
    }

    /// A gradient is not that of the loss.
    fn wrong_gradient(error: impl fmt::Display) -> Self {
        Self {
            message: format!("{error}"),
            code: 4,
            is_error: true,
        }
    }

    /// A signal has ended the program in order.
    fn stopped(signal: Signal, message: impl fmt::Display) -> Self {
        Self {
            message: format!("{message}"),
            code: signal.exit_code(),
            is_error: false,
        }
    }

    /// The loss stopped being finite.
    fn not_finite(error: impl fmt::Display) -> Self {
        Self {
            message: format!("{error}"),
            code: 3,
            is_error: true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
