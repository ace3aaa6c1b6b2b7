//! The training loop: epochs of mini-batches, validation after each, and a
//! copy of the best network.

pub mod checkpoint;
#[doc(hidden)]
pub mod codec;
mod config;
mod crc32;
#[cfg(feature = "std")]
pub mod diagnosis;
#[cfg(feature = "std")]
pub mod gradcheck;
mod observer;
mod order;
mod outcome;
mod report;

use crate::data::Subset;
use crate::net::Net;
use crate::net::defects::Defect;
use crate::net::optimizer::Update;
use crate::step::autotune::Autotuner;
use crate::step::thread_team::Team;
use crate::step::workspace::Workspace;
pub use checkpoint::Checkpoint;
pub use config::{Batch, Config};
pub use observer::{Control, Observer, TrainingState};
use order::Order;
pub use outcome::{NonFiniteError, Outcome};
pub use report::{EpochReport, StepReport};

/// Trains `net` on the examples of `train` and returns the net that had the
/// lowest loss on those of `val`. `workspace` must have been made for nets of
/// its widths.
///
/// # Errors
/// Ends within the step whose loss is infinite or NaN.
///
/// # Panics
/// Panics if the configuration makes no sense (a number is not in the range that
/// [`Config`] and [`LearningRate`] give it), if there are no examples, or where
/// [`Workspace::compute_gradient`] does.
pub fn train(
    net: &mut Net,
    train: &Subset<'_>,
    val: &Subset<'_>,
    config: &Config,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<Outcome, NonFiniteError> {
    let mut run = Checkpoint::new(net.clone(), *config);
    let result = resume(&mut run, train, val, workspace, observer);
    net.copy_from(&run.net);
    result.map(|()| Outcome {
        best: run.best,
        best_epoch: run.best_epoch,
        history: run.history,
    })
}

/// Goes on with a run from where it is, until it is complete or an observer
/// stops it. Examples and `workspace` must be those that it began with, up to
/// the number of threads; then the result has the same bits as if the run had
/// never been interrupted.
///
/// # Errors
/// Ends within the step whose loss is infinite or NaN.
///
/// # Panics
/// Panics where [`train`] does, or if the run has made more steps of its epoch
/// than there are.
pub fn resume(
    run: &mut Checkpoint,
    train: &Subset<'_>,
    val: &Subset<'_>,
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<(), NonFiniteError> {
    Team::with(workspace.threads(), |team| {
        resume_with(team, run, (train, val), workspace, observer)
    })
}

/// The same with a team that stays together for the whole run.
fn resume_with(
    team: &mut Team<'_>,
    run: &mut Checkpoint,
    (train, val): (&Subset<'_>, &Subset<'_>),
    workspace: &mut Workspace,
    observer: &mut impl Observer,
) -> Result<(), NonFiniteError> {
    let config = run.config;
    if let Some(nonsense) = config.nonsense() {
        panic!("{nonsense}");
    }
    assert!(
        !train.is_empty() && !val.is_empty(),
        "training on no examples"
    );
    let rate = config.learning_rate;
    let batch = match config.batch {
        Batch::Full => train.len(),
        Batch::Mini(batch) => batch,
    };
    let steps = train.len().div_ceil(batch);
    assert!(run.step <= steps, "step {} of {steps}", run.step);

    let mut order = Order::new(train, &config);
    order.skip(run.history.len());
    let mut ways = Autotuner::new(
        workspace,
        run.net.view(),
        team.threads(),
        batch,
        config.defects,
    );
    observer.on_start(&state(run, train));

    while !run.is_complete() {
        let epoch = run.history.len() + 1;
        let rate_of = |step| rate.at((epoch - 1) * steps + step - 1, steps, config.epochs);
        let order = order.next_epoch(batch);
        let batches = (1..).zip(order.chunks(batch));
        let mut batches = batches.skip(run.step).peekable();
        while let Some((step, batch)) = batches.next() {
            let data = train.dataset();
            let update = Update {
                rule: config.optimizer,
                learning_rate: rate_of(step) as f32,
                reduction: config.reduction,
                label_smoothing: config.label_smoothing,
            };
            let next = batches.peek().map_or(&[][..], |&(_, next)| next);
            let kept = (&mut run.net, &mut run.velocity[..]);
            let sum = ways.step(team, workspace, kept, data, (batch, next), &update);
            if !sum.is_finite() {
                ways.store(&mut run.net, &mut run.velocity);
                // Shards leave nothing in the workspace.
                workspace.compute_gradient(run.net.view(), data, batch, config.objective());
                let tensor = workspace.first_not_finite(run.net.view());
                return Err(NonFiniteError {
                    epoch,
                    step,
                    tensor,
                });
            }
            run.loss += sum;
            run.step = step;
            let then = observer.on_step(&StepReport {
                epoch,
                step,
                steps,
                examples: batch.len(),
                loss: sum * config.reduction.scale(batch.len()),
            });
            if then != Control::Continue {
                ways.store(&mut run.net, &mut run.velocity);
                observer.on_save(run);
            }
            if then == Control::SaveAndStop {
                return Ok(());
            }
        }

        ways.store(&mut run.net, &mut run.velocity);
        let net = run.net.view();
        let validation = workspace.evaluate_with(team, net, val, config.objective());
        if !validation.loss.is_finite() {
            let tensor = workspace.first_not_finite(net);
            return Err(NonFiniteError {
                epoch,
                step: steps,
                tensor,
            });
        }
        let is_best = validation.loss < run.lowest();
        if is_best || config.defects.has(Defect::AliasedBest) {
            run.best.copy_from(&run.net);
        }
        if is_best {
            run.best_epoch = epoch;
        }
        let row = EpochReport {
            epoch,
            train_loss: run.loss * config.reduction.scale(train.len()),
            val_loss: validation.loss,
            val_accuracy: validation.confusion.accuracy(),
            learning_rate: rate_of(steps),
            is_best,
        };
        run.history.push(row);
        (run.step, run.loss) = (0, 0.0);
        let then = observer.on_epoch(&row, &state(run, train));
        if then != Control::Continue {
            observer.on_save(run);
        }
        if then == Control::SaveAndStop {
            return Ok(());
        }
    }
    Ok(())
}

fn state<'a>(run: &'a Checkpoint, train: &'a Subset<'a>) -> TrainingState<'a> {
    TrainingState {
        net: run.net.view(),
        best: run.best.view(),
        train,
        config: &run.config,
    }
}
