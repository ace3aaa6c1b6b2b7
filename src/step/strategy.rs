//! Strategies of a training step, and the rule for which are tried.

use crate::compute::aligned::CACHE_LINE;
use crate::compute::gemm::MAX_IMAGES_PER_LIST;
#[cfg(feature = "std")]
use crate::compute::names::UnknownNameError;
use crate::compute::names::named;
use crate::compute::zeros;
use crate::net::defects::Defects;
use crate::step::pass::CHUNK;
use core::fmt;

/// Minimum number of pixels of an image, and of images of a mini-batch, whose rows of
/// W1 are worth sharing out: a block of pixels for either thread, and two lists of
/// images.
const MIN_PIXELS: usize = 2 * zeros::BLOCK;
const MIN_IMAGES: usize = 2 * MAX_IMAGES_PER_LIST;

/// A way to share a training step out among threads. None changes a bit of any result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Strategy {
    /// One thread makes the whole step.
    SingleThread,
    /// Threads share out the examples, then the parameters.
    DataParallel,
    /// Each thread keeps some columns of W1, the weights of some hidden units, from
    /// step to step.
    ColumnParallel,
    /// Two threads keep half of the rows of W1 each, the weights of half of the pixels,
    /// from step to step.
    RowParallel,
}

named! { Strategy, "strategy":
    SingleThread = "single-thread",
    DataParallel = "data-parallel",
    ColumnParallel = "column-parallel",
    RowParallel = "row-parallel",
}

impl Strategy {
    /// The strategy that the environment variable `HANDWRITTEN_STRATEGY` names, `None`
    /// if the variable is not set or empty.
    ///
    /// # Errors
    /// Returns an error for a name that no strategy has.
    #[cfg(feature = "std")]
    pub fn from_env() -> Result<Option<Self>, UnknownNameError> {
        match std::env::var_os("HANDWRITTEN_STRATEGY") {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse().map(Some),
            _ => Ok(None),
        }
    }
}

/// The error of a strategy that cannot make the steps it is pinned for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StrategyError {
    /// The strategy.
    pub strategy: Strategy,
    obstacle: Obstacle,
}

impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not possible: ", self.strategy)?;
        match self.obstacle {
            Obstacle::Threads => write!(f, "it needs a second thread"),
            Obstacle::Work => write!(f, "so small a step is not worth a second thread"),
            Obstacle::Depth => write!(f, "it needs a net with one hidden layer"),
            Obstacle::Defects => write!(f, "it makes no mistakes on purpose"),
            Obstacle::Batch => write!(f, "it needs mini-batches of at most {CHUNK} examples"),
            Obstacle::Units => write!(f, "it needs more than {CACHE_LINE} hidden units"),
            Obstacle::Pixels => write!(f, "it needs images of at least {MIN_PIXELS} pixels"),
            Obstacle::Images => {
                write!(f, "it needs mini-batches of at least {MIN_IMAGES} examples")
            }
        }
    }
}

impl core::error::Error for StrategyError {}

/// The reason why a strategy cannot make a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    /// There is one thread.
    Threads,
    /// The work is not worth more than one thread.
    Work,
    /// The net has no hidden layer, or several.
    Depth,
    /// Mistakes are to be made on purpose.
    Defects,
    /// Mini-batches are several chunks.
    Batch,
    /// There are no two shards of hidden units.
    Units,
    /// Images have too few pixels.
    Pixels,
    /// Mini-batches have too few images.
    Images,
}

/// The steps that strategies are chosen for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload<'a> {
    /// The widths of the net's layers.
    pub(crate) widths: &'a [usize],
    /// Examples of a step.
    pub(crate) batch: usize,
    /// The threads that there are.
    pub(crate) threads: usize,
    /// The threads that so much work is worth.
    pub(crate) worth: usize,
    pub(crate) defects: Defects,
}

impl Workload<'_> {
    /// The strategies that are tried, in this order: the table of [`crate::step`].
    pub(crate) fn tried(self) -> impl Iterator<Item = Strategy> {
        let workload = Self {
            threads: self.threads.min(self.worth),
            ..self
        };
        let all = Strategy::ALL.iter().copied();
        all.filter(move |&strategy| workload.is_tried(strategy))
    }

    /// Whether a strategy is worth a trial.
    fn is_tried(self, strategy: Strategy) -> bool {
        let is_possible = |strategy| self.check(strategy).is_ok();
        let rows = self.threads == 2 && is_possible(Strategy::RowParallel);
        // With a shard for each thread, sharing out the examples was never the fastest
        // (docs/performance.md).
        let has_shard_each =
            rows || is_possible(Strategy::ColumnParallel) && self.column_shards() == self.threads;
        is_possible(strategy)
            && match strategy {
                Strategy::SingleThread => self.threads == 1 || self.batch <= CHUNK,
                Strategy::DataParallel => !has_shard_each,
                Strategy::ColumnParallel => true,
                Strategy::RowParallel => rows,
            }
    }

    /// Whether a strategy can make the steps.
    ///
    /// # Errors
    /// Returns what keeps it from that.
    pub(crate) fn check(self, strategy: Strategy) -> Result<(), StrategyError> {
        let obstacles: &[(bool, Obstacle)] = match strategy {
            Strategy::SingleThread => &[],
            Strategy::DataParallel => &[
                (self.threads < 2, Obstacle::Threads),
                (self.worth < 2, Obstacle::Work),
            ],
            Strategy::ColumnParallel => &[
                (self.threads < 2, Obstacle::Threads),
                (self.column_shards() < 2, Obstacle::Units),
            ],
            Strategy::RowParallel => &[
                (self.threads < 2, Obstacle::Threads),
                (self.widths[0] < MIN_PIXELS, Obstacle::Pixels),
                (self.batch < MIN_IMAGES, Obstacle::Images),
            ],
        };
        let of_shards = match strategy {
            Strategy::ColumnParallel | Strategy::RowParallel => self.obstacle_of_shards(),
            Strategy::SingleThread | Strategy::DataParallel => None,
        };
        let of_strategy = obstacles.iter().find(|(is_there, _)| *is_there);
        match of_shards.or(of_strategy.map(|&(_, obstacle)| obstacle)) {
            None => Ok(()),
            Some(obstacle) => Err(StrategyError { strategy, obstacle }),
        }
    }

    /// Whether the net can be kept in shards, one or more.
    pub(crate) fn has_shards(self) -> bool {
        self.obstacle_of_shards().is_none()
    }

    /// The reason why the net cannot be sharded.
    fn obstacle_of_shards(self) -> Option<Obstacle> {
        let obstacles = [
            (self.widths.len() != 3, Obstacle::Depth),
            (self.defects != Defects::NONE, Obstacle::Defects),
            (self.batch > CHUNK, Obstacle::Batch),
        ];
        let found = obstacles.into_iter().find(|(is_there, _)| *is_there);
        found.map(|(_, obstacle)| obstacle)
    }

    /// The number of shards of whole cache lines of hidden units: one for each thread,
    /// or fewer of a small net.
    pub(crate) fn column_shards(self) -> usize {
        self.threads.min(self.widths[1].div_ceil(CACHE_LINE))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::net::defects::Defect;
    use std::vec::Vec;

    /// A row of the table at the head of the folder: conditions, and strategies.
    fn rows() -> Vec<(Vec<&'static str>, Vec<Strategy>)> {
        let lines = include_str!("mod.rs").lines();
        let rows = lines.filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
        let rows = rows.skip(1).map(|row| {
            let mut cells: Vec<&str> = row.split(" | ").collect();
            let strategies = cells.pop().unwrap().split(", ");
            let strategies = strategies.map(|name| name.trim_matches('`').parse().unwrap());
            (cells, strategies.collect())
        });
        rows.collect()
    }

    /// Whether a number meets the condition of a cell.
    fn meets(cell: &str, number: usize, threads: usize) -> bool {
        let of = |bound: &str| match bound {
            "threads" => threads,
            _ => bound.parse().unwrap(),
        };
        match cell.split_once(' ') {
            None => cell == "any" || number == of(cell),
            Some(("≥", bound)) => number >= of(bound),
            Some((">", bound)) => number > of(bound),
            Some(("≠", bound)) => number != of(bound),
            Some(_) => panic!("condition {cell}"),
        }
    }

    #[test]
    fn the_table_of_the_folder_says_which_strategies_are_tried() {
        let rows = rows();
        let mut used = std::vec![0; rows.len()];
        let hidden = [&[][..], &[1], &[16], &[17], &[30], &[48], &[500], &[40, 30]];
        let pixels = [1, 127, 128, 784];
        let batches = [1, 11, 12, 64, 256, 257, 60_000];
        let defects = [Defects::NONE, Defects::NONE.with(Defect::AliasedBest)];
        for (hidden, pixels) in hidden.iter().flat_map(|h| pixels.map(|p| (h, p))) {
            let widths = [&[pixels][..], hidden, &[10]].concat();
            for (batch, defects) in batches.iter().flat_map(|&b| defects.map(|d| (b, d))) {
                for (threads, worth) in [(1, 9), (9, 1), (2, 9), (9, 2), (3, 3), (4, 9), (9, 9)] {
                    let workload = Workload {
                        widths: &widths,
                        batch,
                        threads,
                        worth,
                        defects,
                    };
                    let tried: Vec<Strategy> = workload.tried().collect();
                    let threads = threads.min(worth);
                    let depth = match (hidden.len(), defects) {
                        (1, Defects::NONE) => 1,
                        (1, _) => 2,
                        (depth, _) => depth,
                    };
                    let lines = hidden.first().map_or(0, |units| units.div_ceil(16));
                    let numbers = [depth, lines, pixels, batch, threads];
                    let fits = |cells: &[&str]| {
                        let mut cells = cells.iter().zip(numbers);
                        cells.all(|(cell, number)| meets(cell, number, threads))
                    };
                    let row = rows.iter().position(|(cells, _)| fits(cells)).unwrap();
                    assert_eq!(tried, rows[row].1, "row {row}, {workload:?}");
                    assert!(tried.iter().all(|&one| workload.check(one).is_ok()));
                    used[row] += 1;
                }
            }
        }
        assert!(used.iter().all(|&count| count > 0), "{used:?}");
        assert_eq!(used.len(), 8);
    }

    #[test]
    fn names_lead_to_their_strategies() {
        for &strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse(), Ok(strategy));
        }
        assert!("examples".parse::<Strategy>().is_err());
    }
}
