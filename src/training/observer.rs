//! Observers of a run in progress.

use crate::data::Subset;
use crate::net::NetRef;
use crate::training::checkpoint::Checkpoint;
use crate::training::config::Config;
use crate::training::report::{EpochReport, StepReport};

/// The state of a run between two steps, as an observer sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TrainingState<'a> {
    /// The net in training.
    pub net: NetRef<'a>,
    /// The net to keep so far ([`Checkpoint::best`]).
    pub best: NetRef<'a>,
    /// The training examples.
    pub train: &'a Subset<'a>,
    /// The configuration of the run.
    pub config: &'a Config,
}

/// The answer of an observer: what happens before the next step.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Control {
    /// Goes on with the next step.
    #[default]
    Continue,
    /// Calls [`Observer::on_save`], then goes on.
    Save,
    /// Calls [`Observer::on_save`], then ends the run.
    SaveAndStop,
}

/// Follows a training run: sees each step and epoch, may save the run and end it.
///
/// All methods have a default that does nothing. They are called on the thread that
/// called [`train`] or [`resume`], while the other threads of the run wait. Those belong to
/// its workspace, so an observer may call whatever it likes of rayon.
///
/// ```
/// use handwritten::compute::rng::{Stream, generator};
/// use handwritten::data::{Dataset, Subset};
/// use handwritten::training::{Control, EpochReport, TrainingState};
/// use handwritten::{Activation, Checkpoint, Config, Init, Net, Observer, Workspace, train};
///
/// /// Stops when the validation accuracy is high enough, and keeps the run as bytes.
/// #[derive(Default)]
/// struct UntilGood {
///     saved: Vec<u8>,
/// }
///
/// impl Observer for UntilGood {
///     fn on_epoch(&mut self, epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
///         match epoch.val_accuracy > 0.99 {
///             true => Control::SaveAndStop,
///             false => Control::Continue,
///         }
///     }
///
///     fn on_save(&mut self, run: &Checkpoint) {
///         self.saved = run.to_bytes(b"");
///     }
/// }
///
/// let data = Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1])?;
/// let all = Subset::all(&data);
/// let mut rng = generator(1, Stream::Weights);
/// let mut net = Net::random(&[2, 4, 2], Activation::Tanh, Init::Glorot, &mut rng);
/// let mut workspace = Workspace::new(net.widths(), 1);
/// let mut observer = UntilGood::default();
/// let config = Config::default().with_epochs(200);
/// let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut observer)?;
/// assert!(outcome.history.len() < 200 && !observer.saved.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`train`]: crate::training::train()
/// [`resume`]: crate::training::resume()
pub trait Observer {
    /// Called once, before the first step of a run or of its continuation.
    fn on_start(&mut self, _now: &TrainingState<'_>) {}
    /// Called after each step.
    fn on_step(&mut self, _step: &StepReport) -> Control {
        Control::Continue
    }
    /// Called after each epoch, with the state after it.
    fn on_epoch(&mut self, _epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        Control::Continue
    }
    /// Called after a step or an epoch whose answer asks for it.
    fn on_save(&mut self, _run: &Checkpoint) {}
}

/// Ignores the run.
impl Observer for () {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        (**self).on_start(now);
    }

    fn on_step(&mut self, step: &StepReport) -> Control {
        (**self).on_step(step)
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        (**self).on_epoch(epoch, now)
    }

    fn on_save(&mut self, run: &Checkpoint) {
        (**self).on_save(run);
    }
}
