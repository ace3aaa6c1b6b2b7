//! Refuses trainings for which there is not enough memory.

use crate::failure::Failure;
use crate::memory::{of_threads, require};
use crate::output::report::dashed;
use crate::setup::Setup;
use handwritten::Workspace;
use handwritten::training::memory::{
    bytes_to_choose_rate, bytes_to_monitor, bytes_to_resume, bytes_to_train, vector_bytes,
};

/// Bytes for drawing the results: pixels of a picture, the text of the others, fonts.
const PICTURES: usize = 32 << 20;

/// Vectors of a net that are allocated while it is saved. A copy of the run has three and the
/// state of the diagnosis; this and its part of the file one each, the file all four again.
/// Another copy may wait until the one before is written.
const SAVING: usize = (3 + 1) + 1 + 4 + (3 + 1);

/// Checks that there is memory for a training with this workspace, which may be that of a run
/// that has been read.
///
/// # Errors
/// Says how much memory the training takes.
pub(super) fn require_for(
    setup: &Setup<'_>,
    workspace: &Workspace,
    threads: usize,
    is_resumed: bool,
) -> Result<(), Failure> {
    let (widths, config) = (&setup.widths[..], &setup.settings.training);
    let images = setup.splits.train.len();
    let run = match is_resumed {
        true => bytes_to_resume(workspace, images, config),
        false => bytes_to_train(workspace, images, config),
    };
    let (kept, start) = bytes_to_monitor(widths);
    let most = start.max(vector_bytes(widths, SAVING));
    let training = [run, Workspace::bytes(widths, 1), kept, most];
    let training = training.into_iter().fold(0, usize::saturating_add);
    // Before the run, in a workspace of its own and with a net.
    let choice = Workspace::bytes(widths, threads)
        .saturating_add(bytes_to_choose_rate(widths))
        .saturating_add(vector_bytes(widths, 1));
    // Neither the thread that saves nor those of the workspace have been started.
    let others = of_threads(threads).saturating_add(PICTURES);
    require(
        training.max(choice).saturating_add(others),
        format_args!("train a net {}", dashed(widths)),
    )
}
