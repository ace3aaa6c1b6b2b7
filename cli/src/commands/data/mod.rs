//! `handwritten data`: what a data set is, and the same data in another format.

mod convert;
pub(super) mod sheet;
mod show;

use crate::args::{DataArgs, DataTask};
use crate::failure::Failure;

/// Shows a data set, or converts it.
pub(super) fn run(args: &DataArgs) -> Result<(), Failure> {
    match &args.task {
        None => show::run(&args.show),
        Some(DataTask::Convert(args)) => convert::run(args),
    }
}
