//! The subcommands of `handwritten`, one module each.

mod augment;
mod bench;
mod classify;
mod classify_data;
mod compare;
mod convert;
mod data;
mod evaluate;
mod explain;
mod export;
mod gradcheck;
mod info;
mod report;
mod show;
mod train;
mod verify;

use crate::args::Command;
use crate::failure::Failure;
use std::path::Path;

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Gradcheck(args) => gradcheck::run(*args),
        Command::Info(args) => info::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Augment(args) => augment::run(&args),
    }
}

/// Refuses to overwrite one of these files without `force`.
fn refuse_taken(files: &[&Path], force: bool) -> Result<(), Failure> {
    let is_there = |file: &&&Path| file.symlink_metadata().is_ok();
    match files.iter().find(is_there) {
        Some(file) if !force => Err(Failure::new(format!(
            "{} exists: choose another file, or overwrite it with --force",
            file.display()
        ))),
        _ => Ok(()),
    }
}
