//! The programs `handwritten` and `train`.
//!
//! Results go to stdout; progress, warnings and errors go to stderr. Each failure
//! is one line on stderr. A reader that closes stdout early is not a failure.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | a file, a data set or a model cannot be used |
//! | 2 | wrong usage: a flag, a configuration or an environment variable |
//! | 3 | the loss stopped being finite |
//! | 4 | `gradcheck` found a wrong gradient |
//! | 130, 143 | stopped by SIGINT or SIGTERM |

mod args;
mod commands;
mod committee;
mod failure;
mod image_folder;
mod memory;
mod output;
mod picture;
mod report;
mod run_folder;
mod settings;
mod setup;
mod signals;
mod statistics;

use std::ffi::OsString;
use std::process::ExitCode;

// Public so that fuzzing can parse configuration files and pictures.
#[doc(hidden)]
pub use picture::decode::{Pixels, decode as decode_picture};
#[doc(hidden)]
pub use settings::Settings;

/// Runs the program `handwritten` with the arguments of the process.
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
    let result = match args::parse(args) {
        Ok(args::Parsed::Command(command)) => {
            let ready = memory::keep_free_blocks().and_then(|()| signals::survive_file_limits());
            ready.and_then(|()| commands::run(command))
        }
        Ok(args::Parsed::Printed(code)) => return code,
        Err(failure) => Err(failure),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
