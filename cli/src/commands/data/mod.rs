//! `handwritten data`: what a data set is, the same data in another format, and data sets of
//! the internet.

mod convert;
mod fetch;
pub(super) mod sheet;
mod show;

use crate::args::{DataArgs, DataTask};
use crate::failure::Failure;

/// Shows a data set, converts it, or downloads one.
pub(super) fn run(args: &DataArgs) -> Result<(), Failure> {
    match &args.task {
        None => show::run(&args.show),
        Some(DataTask::Convert(args)) => convert::run(args),
        Some(DataTask::Fetch(args)) => fetch::run(args),
    }
}
