//! Reports of steps and epochs.

/// The report of a training step.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct StepReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// The number of steps of an epoch.
    pub steps: usize,
    /// The number of examples of the mini-batch.
    pub examples: usize,
    /// The reduced loss of the mini-batch before the step.
    pub loss: f64,
}

/// The report of an epoch: a row of the history.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The reduced loss over the training examples, each taken just before the
    /// step that learned from it.
    pub train_loss: f64,
    /// The reduced loss over the validation examples after the epoch.
    pub val_loss: f64,
    /// The share of validation examples that are classified rightly after the epoch.
    pub val_accuracy: f64,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Whether the net after this epoch is the one to keep so far ([`Config::keep`]).
    ///
    /// [`Config::keep`]: crate::Config::keep
    pub is_best: bool,
}
