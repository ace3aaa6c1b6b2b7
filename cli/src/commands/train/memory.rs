//! Refuses trainings for which there is not enough memory.

use crate::failure::Failure;
use crate::memory::{PICTURES, address_space_of_threads, of_monitored_training, require};
use crate::output::report::dashed;
use crate::report;
use crate::setup::Setup;
use handwritten::training::memory::{
    bytes_to_choose_rate, bytes_to_resume, bytes_to_train, vector_bytes,
};
use handwritten::{Config, Workspace};

/// Vectors in the part of the file that has the state of the diagnosis.
const DIAGNOSIS: usize = 1;

/// Vectors that are allocated while a run is saved. A second copy may wait until the one
/// before is written.
fn vectors_to_save(config: &Config) -> usize {
    // In a copy of the run: its net, velocity, best net and average, and the parameters that the
    // diagnosis keeps. The file has as many.
    let copy = 3 + usize::from(config.average.is_some()) + 1;
    copy + DIAGNOSIS + copy + copy
}

/// Checks that there is memory for `runs` trainings side by side, each with a workspace like this,
/// which may be that of a run that has been read.
///
/// # Errors
/// Says how much memory the training takes.
pub(super) fn require_for(
    setup: &Setup<'_>,
    workspace: &Workspace,
    threads: usize,
    is_resumed: bool,
    runs: usize,
) -> Result<(), Failure> {
    let (widths, config) = (&setup.widths[..], &setup.settings.training);
    let images = setup.splits.train.len();
    let run = match is_resumed {
        true => bytes_to_resume(workspace, images, config),
        false => bytes_to_train(workspace, images, config),
    };
    let training =
        of_monitored_training(widths, run, vector_bytes(widths, vectors_to_save(config)));
    // Before the run, in a workspace of its own and with a net.
    let choice = Workspace::bytes(widths, threads)
        .saturating_add(bytes_to_choose_rate(widths))
        .saturating_add(vector_bytes(widths, 1));
    // Neither the thread that saves nor those of the workspace have been started.
    let others = address_space_of_threads(threads)
        .saturating_add(PICTURES)
        .saturating_add(report::bytes(widths, setup.splits.test.len()));
    require(
        training
            .max(choice)
            .saturating_add(others)
            .saturating_mul(runs),
        format_args!("train a net {} (--hidden, --batch)", dashed(widths)),
    )
}
