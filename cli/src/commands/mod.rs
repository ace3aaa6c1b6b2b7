//! The subcommands of `handwritten`, one module each.

mod bench;
mod classify;
mod classify_data;
mod convert;
mod data;
mod evaluate;
mod explain;
mod export;
mod gradcheck;
mod info;
mod train;
mod verify;

use crate::args::Command;
use crate::failure::Failure;

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Gradcheck(args) => gradcheck::run(*args),
        Command::Info(args) => info::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Data(args) => data::run(&args),
    }
}
