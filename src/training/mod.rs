//! The training loop: epochs of mini-batches, validation after each, and a copy
//! of the best net.
//!
//! [`train`] makes a run from a net, and [`resume`] goes on with one from a
//! [`Checkpoint`]; [`train_with`] and [`resume_with`] do so on images that the caller makes. A
//! [`Config`] says how, an [`Observer`] follows.

mod average;
pub mod checkpoint;
#[doc(hidden)]
pub mod codec;
mod config;
mod crc32;
mod curvature;
#[cfg(feature = "std")]
pub mod diagnosis;
#[cfg(feature = "std")]
pub mod gradcheck;
mod images;
mod keep;
pub mod memory;
mod observer;
mod order;
mod outcome;
mod rate;
mod rehearsal;
mod report;
mod run;
mod stored_config;

use crate::compute::memory::check_available;
use crate::data::{Distorter, Subset};
use crate::net::Net;
use crate::step::workspace::Workspace;
pub use average::{Average, ParseAverageError};
pub use checkpoint::Checkpoint;
pub use config::{Batch, Config, ConfigError};
pub use curvature::{largest_curvature, largest_stable_rate};
pub use images::EpochImages;
use images::Unchanged;
pub use keep::Keep;
pub use observer::{Control, Observer, TrainingState};
pub use outcome::{NonFiniteError, Outcome, TrainError};
pub use rate::{ChosenRate, RateBound, choose_rate};
pub use report::{EpochReport, StepReport};

/// Trains `net` on the examples of `train` and returns the net that had the lowest loss
/// on the examples of `val`, or that of another epoch as [`Config::keep`] says. `workspace`
/// must have been made for nets of its widths.
///
/// The steps are made on the calling thread and on those of `workspace`, on none of a pool
/// of rayon; see [`resume`].
///
/// ```
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::data::{Dataset, Subset};
/// use handwritten::{Activation, Config, Init, Net, Workspace, train};
///
/// // Two images of two pixels, ink at the left and at the right.
/// let data = Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1])?;
/// let all = Subset::all(&data);
/// let mut rng = generator(1, Stream::Weights);
/// let mut net = Net::random(&[2, 4, 2], Activation::Tanh, Init::Glorot, &mut rng);
/// let mut workspace = Workspace::new(net.widths(), 1);
///
/// let config = Config::default().with_epochs(50);
/// let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ())?;
/// assert_eq!((outcome.best.classify(&[200, 0]), outcome.best.classify(&[0, 200])), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Before the first step: a configuration that [`Config::validate`] refuses, a subset
/// without examples, a pinned strategy that cannot make the steps, and fewer bytes of memory
/// than [`memory::bytes_to_train`] says. Within the step that shows it: a loss that is
/// infinite or NaN; `net` is left as the last step made it.
///
/// # Panics
/// Panics where [`Workspace::compute_gradient`] does: if widths, images or labels do
/// not fit one another.
pub fn train(
    net: &mut Net,
    train: &Subset<'_>,
    val: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<Outcome, TrainError> {
    check_available(memory::bytes_to_train(workspace, train.len(), config))?;
    let mut run = Checkpoint::new(net.clone(), *config);
    let result = resume(&mut run, train, val, workspace, observer);
    finish(run, net, result)
}

/// [`train()`] on images that the caller makes, one for each example of the training set, which
/// is the first one of `sets`; the second one validates. [`Config::distortion`] is not applied.
///
/// # Errors
/// Returns the errors of [`train()`].
///
/// # Panics
/// Panics where [`train()`] does, and where `images` does.
pub fn train_with(
    net: &mut Net,
    images: &mut dyn EpochImages,
    sets: (&Subset<'_>, &Subset<'_>),
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<Outcome, TrainError> {
    check_available(memory::bytes_to_train(workspace, sets.0.len(), config))?;
    let mut run = Checkpoint::new(net.clone(), *config);
    let result = resume_with(&mut run, images, sets, workspace, observer);
    finish(run, net, result)
}

/// Gives the net of a run that has ended back, and its outcome.
fn finish(
    run: Checkpoint,
    net: &mut Net,
    result: Result<(), TrainError>,
) -> Result<Outcome, TrainError> {
    net.copy_from(&run.net);
    result.map(|()| Outcome {
        best: run.best,
        best_epoch: run.best_epoch,
        history: run.history,
    })
}

/// Continues a run until it is complete or an observer ends it.
///
/// Examples and `workspace` must be those that the run began with, up to the number
/// of threads; then the result has the same bits as if the run had never been
/// interrupted.
///
/// # Threads
/// The steps are made on the calling thread and on those of `workspace`
/// ([`Workspace::new`]). The observer is called on the calling thread, while the others
/// wait for work: awake for some milliseconds, then asleep. A run neither uses nor holds
/// a thread of any rayon pool, so an observer may use the pool that it is called in, or
/// another one, as any code may. A run called in a pool has the threads of its workspace
/// besides those of the pool; where many runs share a pool, make their workspaces for one
/// thread each. Without the feature `rayon` there is one thread.
///
/// # Errors
/// Returns the errors of [`train`], with the memory that [`memory::bytes_to_resume`] says, and
/// [`TrainError::StepBeyondEpoch`] if the run was saved in the middle of a longer epoch than
/// these examples make.
///
/// # Panics
/// Panics where [`train`] does, and if the parts of `run` do not fit one another or its
/// configuration.
pub fn resume(
    run: &mut Checkpoint,
    train: &Subset<'_>,
    val: &Subset<'_>,
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<(), TrainError> {
    run.config.validate()?;
    check_available(memory::bytes_to_resume(workspace, train.len(), &run.config))?;
    let Config {
        distortion,
        seed,
        epochs,
        ..
    } = run.config;
    let data = train.dataset();
    match distortion {
        None => resume_with(run, &mut Unchanged(data), (train, val), workspace, observer),
        Some(distortion) => {
            let images = Distorter::new(data, distortion, seed, epochs);
            let images = &mut images.with_isa(workspace.isa());
            resume_with(run, images, (train, val), workspace, observer)
        }
    }
}

/// [`resume`] on images that the caller makes, one for each example of the training set, which
/// is the first one of `sets`; the second one validates. [`Config::distortion`] is not applied.
///
/// # Errors
/// Returns the errors of [`resume`].
///
/// # Panics
/// Panics where [`resume`] does, and where `images` does.
pub fn resume_with(
    run: &mut Checkpoint,
    images: &mut dyn EpochImages,
    (train, val): (&Subset<'_>, &Subset<'_>),
    workspace: &mut Workspace,
    observer: &mut (impl Observer + ?Sized),
) -> Result<(), TrainError> {
    run.config.validate()?;
    let has_average = (run.average.is_some(), run.config.average.is_some());
    assert_eq!(has_average.0, has_average.1, "an average and its rule");
    if train.is_empty() || val.is_empty() {
        return Err(TrainError::NoExamples);
    }
    let batch = match run.config.batch {
        Batch::Full => train.len(),
        Batch::Mini(batch) => batch,
    };
    let steps = train.len().div_ceil(batch);
    if run.step > steps {
        let step = run.step;
        return Err(TrainError::StepBeyondEpoch { step, steps });
    }
    check_available(memory::bytes_to_resume(workspace, train.len(), &run.config))?;
    run::go_on(run, images, (train, val), batch, workspace, observer)
}
