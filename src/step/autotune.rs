//! The choice of the strategy that makes the steps of a run, by trial.
//!
//! Now and then some steps are made with each of the strategies that are tried; all
//! others with the one that was the fastest. No strategy changes a bit of any result.

use crate::compute::isa::Isa;
use crate::compute::memory::Buffers;
use crate::compute::thread_team::Team;
use crate::data::ImageSource;
use crate::net::Net;
use crate::net::activation::Activation;
use crate::net::defects::Defects;
use crate::net::dropout::Dropout;
use crate::net::optimizer::Update;
use crate::step::shard::Shape;
use crate::step::sharded::ShardedNet;
use crate::step::strategy::{Strategy, StrategyError, Workload};
use crate::step::workspace::Workspace;
use alloc::{vec, vec::Vec};

/// Steps that each strategy makes in a trial. The fastest of those after the warm-up
/// counts, so an interruption does not decide. A trial of three strategies is 18 steps, less
/// than 1 % of `MAX_INTERVAL`: the epochs of docs/performance.md, *Strategies*, are within 4 %
/// of the fastest pinned strategy (Zen 5) but for one, 6 %.
const STEPS: usize = 6;

/// Steps of a strategy in a trial that do not count, because the caches hold the data of
/// the strategy before.
#[cfg(feature = "rayon")]
const WARMUP_STEPS: usize = 2;

/// Steps after which the first trial, with cold caches and threads that have just been
/// woken, is repeated: 20 ms at 90 µs a step, and 7 % of it are the trial. Each interval is
/// twice the one before, up to [`MAX_INTERVAL`].
#[cfg(feature = "rayon")]
const FIRST_INTERVAL: usize = 250;

/// Maximum number of steps from one trial to the next: 0.2 s at 90 µs a step
/// (128 images, 128 hidden units), while the pace of threads changes from minute to minute.
#[cfg(feature = "rayon")]
const MAX_INTERVAL: usize = 2000;

impl Workspace {
    /// The strategies among which steps of `batch` examples are tried when a net is trained
    /// without mistakes: those of the table of [`step`](crate::step) or, if one is pinned,
    /// that one if it is possible.
    pub fn strategies(&self, batch: usize) -> Vec<Strategy> {
        let workload = self.workload(batch, Defects::NONE);
        let is_possible = |&pinned: &Strategy| workload.check(pinned).is_ok();
        match self.pinned_strategy() {
            Some(pinned) => Some(pinned).filter(is_possible).into_iter().collect(),
            None => workload.tried().collect(),
        }
    }

    /// Checks that the pinned strategy, if one is, can make steps of `batch` examples
    /// with these mistakes.
    ///
    /// # Errors
    /// Returns an error that says what the strategy lacks. [`train`] returns it too.
    ///
    /// [`train`]: crate::training::train
    pub fn check_strategy(&self, batch: usize, defects: Defects) -> Result<(), StrategyError> {
        let workload = self.workload(batch, defects);
        self.pinned_strategy()
            .map_or(Ok(()), |pinned| workload.check(pinned))
    }
}

/// Makes the steps of a run, each with the strategy that is tried or the fastest.
#[derive(Debug)]
pub(crate) struct Autotuner {
    timings: Timings,
    /// The net in shards, for the strategies that keep it so.
    sharded: Vec<(Strategy, ShardedNet)>,
    /// The strategy whose shards hold the parameters as they are; `None` while the net
    /// itself holds them.
    holder: Option<Strategy>,
    defects: Defects,
}

impl Autotuner {
    /// Strategies for steps of up to `batch` examples on the threads of `workspace`: the
    /// one that is pinned, or those of the table of [`crate::step`].
    ///
    /// # Errors
    /// Returns an error if the pinned strategy cannot make the steps.
    pub(crate) fn new(
        workspace: &Workspace,
        activation: Activation,
        batch: usize,
        defects: Defects,
    ) -> Result<Self, StrategyError> {
        let workload = workspace.workload(batch, defects);
        let strategies = strategies(workspace, workload)?;
        let buffers = &mut Buffers::allocating();
        Ok(Self {
            sharded: sharded(&strategies, workload, activation, workspace.isa(), buffers),
            timings: Timings::new(&strategies),
            holder: None,
            defects,
        })
    }

    /// The number of bytes that [`Autotuner::new`] allocates for the shards of all strategies:
    /// none if the pinned strategy cannot make the steps.
    pub(crate) fn bytes(workspace: &Workspace, batch: usize, defects: Defects) -> usize {
        let workload = workspace.workload(batch, defects);
        let strategies = strategies(workspace, workload).unwrap_or_default();
        Buffers::count(|buffers| {
            // Buffers do not depend on the activation.
            let activation = Activation::Sigmoid;
            sharded(&strategies, workload, activation, workspace.isa(), buffers)
        })
    }

    /// Makes a step of training with the mini-batch that comes first, as
    /// [`Workspace::step`] does; the other one is that of the step after it.
    pub(crate) fn step(
        &mut self,
        team: &mut Team<'_>,
        workspace: &mut Workspace,
        (net, velocity): (&mut Net, &mut [f32]),
        data: &dyn ImageSource,
        (batch, next): (&[u32], &[u32]),
        (update, dropout): (&Update, Option<Dropout>),
    ) -> f64 {
        let strategy = self.timings.strategy();
        let is_sharded = self.sharded.iter().any(|&(other, _)| other == strategy);
        let holder = is_sharded.then_some(strategy);
        if holder != self.holder {
            self.store(net, velocity);
            self.holder = holder;
            if let Some(shards) = find(&mut self.sharded, holder) {
                shards.load(net.view().params(), velocity);
            }
        }
        let (timings, defects) = (&mut self.timings, self.defects);
        let mut shards = find(&mut self.sharded, holder);
        let mut step = |team: &mut Team<'_>| match &mut shards {
            Some(shards) => shards.step(team, data, (batch, next), (update, dropout)),
            None => {
                let rules = (update, defects, dropout);
                workspace.step_with(team, net, velocity, data, batch, rules)
            }
        };
        let loss = timings.step(|| match strategy {
            Strategy::SingleThread => step(&mut team.alone()),
            _ => step(team),
        });
        workspace.note_strategy(self.timings.fastest);
        loss
    }

    /// Gives parameters and velocities back to the net, if shards hold them.
    pub(crate) fn store(&mut self, net: &mut Net, velocity: &mut [f32]) {
        if let Some(shards) = find(&mut self.sharded, self.holder) {
            shards.store(net.params_mut(), velocity);
        }
    }
}

/// The shards of a strategy.
fn find(
    sharded: &mut [(Strategy, ShardedNet)],
    strategy: Option<Strategy>,
) -> Option<&mut ShardedNet> {
    let found = sharded
        .iter_mut()
        .find(|(other, _)| Some(*other) == strategy);
    found.map(|(_, shards)| shards)
}

/// The strategies of a run: the one that is pinned, or those that are tried.
///
/// # Errors
/// Returns an error if the pinned strategy cannot make the steps.
fn strategies(
    workspace: &Workspace,
    workload: Workload<'_>,
) -> Result<Vec<Strategy>, StrategyError> {
    match workspace.pinned_strategy() {
        Some(pinned) => workload.check(pinned).map(|()| vec![pinned]),
        None => Ok(workload.tried().collect()),
    }
}

/// The net in shards, for each of the strategies that keeps it so.
fn sharded(
    strategies: &[Strategy],
    workload: Workload<'_>,
    activation: Activation,
    isa: Isa,
    buffers: &mut Buffers,
) -> Vec<(Strategy, ShardedNet)> {
    if !workload.has_shards() {
        return vec![];
    }
    let net = Shape::new(workload.widths, activation);
    let shards = |&strategy: &Strategy| {
        let sharded = shards(strategy, workload, net, isa, buffers)?;
        Some((strategy, sharded))
    };
    strategies.iter().filter_map(shards).collect()
}

/// The net in the shards of a strategy, if that keeps it in shards.
fn shards(
    strategy: Strategy,
    workload: Workload<'_>,
    net: Shape,
    isa: Isa,
    buffers: &mut Buffers,
) -> Option<ShardedNet> {
    let batch = workload.batch;
    match strategy {
        Strategy::SingleThread => Some(ShardedNet::by_columns(net, 1, batch, isa, buffers)),
        Strategy::DataParallel => None,
        Strategy::ColumnParallel => {
            let count = workload.column_shards();
            Some(ShardedNet::by_columns(net, count, batch, isa, buffers))
        }
        #[cfg(feature = "rayon")]
        Strategy::RowParallel => Some(ShardedNet::by_rows(net, batch, isa, buffers)),
        #[cfg(not(feature = "rayon"))]
        Strategy::RowParallel => None,
    }
}

/// The course of the trials.
#[derive(Debug)]
struct Timings {
    /// The strategies that are tried, each with the fewest seconds that a step took it.
    tried: Vec<(Strategy, f64)>,
    /// The fastest in the last trial that is over.
    fastest: Option<Strategy>,
    /// Steps since the trial began.
    steps: usize,
    /// Steps with which the trial begins again.
    #[cfg(feature = "rayon")]
    interval: usize,
}

impl Timings {
    /// The first trial of these strategies, at least one. A single one is the fastest.
    fn new(tried: &[Strategy]) -> Self {
        Self {
            tried: tried.iter().map(|&one| (one, f64::INFINITY)).collect(),
            fastest: match tried {
                &[only] => Some(only),
                _ => None,
            },
            steps: 0,
            #[cfg(feature = "rayon")]
            interval: FIRST_INTERVAL,
        }
    }

    /// The strategy of the next step: the one that is being tried, or the fastest.
    fn strategy(&self) -> Strategy {
        match (self.tried.get(self.steps / STEPS), self.fastest) {
            (Some(&(tried, _)), _) => tried,
            (None, fastest) => fastest.unwrap_or(Strategy::SingleThread),
        }
    }

    /// Makes the next step, and times it if there is a choice.
    fn step<R>(&mut self, step: impl FnOnce() -> R) -> R {
        #[cfg(feature = "rayon")]
        if self.tried.len() > 1 {
            let start = std::time::Instant::now();
            let result = step();
            self.note(start.elapsed().as_secs_f64());
            return result;
        }
        step()
    }

    /// Notes how long a step took.
    #[cfg(feature = "rayon")]
    fn note(&mut self, seconds: f64) {
        if let Some((_, fewest)) = self.tried.get_mut(self.steps / STEPS)
            && self.steps % STEPS >= WARMUP_STEPS
        {
            *fewest = fewest.min(seconds);
        }
        self.steps += 1;
        if self.steps == self.tried.len() * STEPS {
            let tried = self.tried.iter();
            let fastest = tried.min_by(|one, other| one.1.total_cmp(&other.1));
            self.fastest = fastest.map(|&(strategy, _)| strategy);
        }
        if self.steps == self.interval {
            self.steps = 0;
            self.interval = MAX_INTERVAL.min(2 * self.interval);
            for (_, fewest) in &mut self.tried {
                *fewest = f64::INFINITY;
            }
        }
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use Strategy::{ColumnParallel, DataParallel, RowParallel, SingleThread};

    /// The strategy after a trial in which the strategies take so long.
    fn chosen(tried: &[Strategy], seconds: impl Fn(Strategy) -> f64) -> Strategy {
        let mut timings = Timings::new(tried);
        for round in 0..3 {
            for step in 0..tried.len() * STEPS {
                let strategy = timings.strategy();
                assert_eq!(strategy, tried[step / STEPS], "round {round}");
                // What is slow by accident, or because it is new, does not count.
                let hindered = step % STEPS < WARMUP_STEPS || step.is_multiple_of(3);
                let factor = if hindered { 100.0 } else { 1.0 };
                timings.note(factor * seconds(strategy));
            }
            let strategy = timings.strategy();
            assert_eq!(timings.fastest, Some(strategy));
            for _ in tried.len() * STEPS..timings.interval {
                assert_eq!(timings.strategy(), strategy);
                timings.note(1.0);
            }
        }
        for _ in 0..tried.len() * STEPS {
            timings.note(seconds(timings.strategy()));
        }
        timings.strategy()
    }

    #[test]
    fn the_fastest_strategy_is_used_and_tried_again_later() {
        let of = |strategy| match strategy {
            SingleThread => 3.0,
            DataParallel => 1.0,
            ColumnParallel => 2.0,
            RowParallel => 4.0,
        };
        let all = Strategy::ALL;
        assert_eq!(chosen(all, of), DataParallel);
        assert_eq!(chosen(all, |strategy| 1.0 / of(strategy)), RowParallel);
        let some = [SingleThread, ColumnParallel];
        assert_eq!(chosen(&some, of), ColumnParallel);
        assert_eq!(Timings::new(&[DataParallel]).strategy(), DataParallel);
    }
}
