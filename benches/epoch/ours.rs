//! Training by this crate, as a user calls it.

use crate::case::Case;
use handwritten::compute::rng::{Stream, generator, shuffle};
use handwritten::data::Subset;
use handwritten::net::defects::Defects;
use handwritten::{Isa, Net, Strategy, Workspace, train};

/// The workspace of a case, with the strategy that `HANDWRITTEN_STRATEGY` pins, if it is
/// set. `None` if that strategy cannot train the case.
pub(crate) fn workspace(case: Case, isa: Isa) -> Option<Workspace> {
    let strategy = Strategy::from_env();
    let strategy = strategy.unwrap_or_else(|error| panic!("HANDWRITTEN_STRATEGY: {error}"));
    let workspace = Workspace::new(&case.widths(), case.threads).with_isa(isa);
    let workspace = workspace.with_strategy(strategy);
    let is_possible = workspace.check_strategy(case.batch, Defects::NONE).is_ok();
    is_possible.then_some(workspace)
}

/// Trains for one epoch, shuffling included, and validates on `one` image.
pub(crate) fn ours(
    case: Case,
    images: &Subset<'_>,
    one: &Subset<'_>,
    workspace: &mut Workspace,
) -> Net {
    let mut net = case.initial_net();
    let outcome = train(&mut net, images, one, &case.config(), workspace, &mut ());
    outcome.expect("a finite loss");
    net
}

/// The order in which [`train`] takes the images.
pub(crate) fn order(case: Case, images: &Subset<'_>) -> Vec<u32> {
    let mut order = images.indices().to_vec();
    if case.batch < 60_000 {
        shuffle(
            &mut order,
            &mut generator(case.config().seed, Stream::Shuffle),
        );
    }
    order
}
