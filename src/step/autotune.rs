//! Which way to share steps out, found by trying.
//!
//! How long it takes to pass a cache line from core to core differs by a factor
//! of ten between machines, and on a virtual one from minute to minute. So every
//! now and then some steps are made in each of the ways that there are, and the
//! others in the one that was fastest. No way changes a bit of any result.

use crate::data::Dataset;
use crate::net::defects::Defects;
use crate::net::optimizer::Update;
use crate::net::{Net, NetRef};
use crate::step::thread_team::Team;
use crate::step::workspace::Workspace;
use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;

/// Steps made in each way, and how many of them do not count because the caches
/// hold what the way before left.
const STEPS: usize = 6;
#[cfg(feature = "rayon")]
const COLD: usize = 2;

/// Steps after which a trial begins again: at first, when caches are cold and
/// threads have just been woken, and at most.
#[cfg(feature = "rayon")]
const SOON: usize = 250;
#[cfg(feature = "rayon")]
const AGAIN: usize = 2000;

/// A way to share a step out among threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Strategy {
    /// Not at all.
    Alone,
    /// By examples, then by parameters ([`crate::step::share`]).
    DataParallel,
    /// By what these parts of the net have. The first are of one thread.
    Parts(usize),
}

/// A net in parts that threads keep to themselves from step to step.
pub(crate) trait Parts: fmt::Debug + Send {
    /// Takes over parameters and velocities.
    fn load(&mut self, params: &[f32], velocity: &[f32]);

    /// Gives them back.
    fn store(&self, params: &mut [f32], velocity: &mut [f32]);

    /// Makes a step with the examples of `data` that have the indices `batch`,
    /// no more of them than there is room for, and returns the sum of their
    /// losses before it. Where that is not finite no parameter moves.
    ///
    /// Gathers those of `next` meanwhile, for the step after this.
    fn step(
        &mut self,
        team: &mut Team<'_>,
        data: &Dataset,
        batches: (&[u32], &[u32]),
        update: &Update,
    ) -> f64;
}

/// The ways in which the steps of a run may be shared out, and what they need.
#[derive(Debug)]
pub(crate) struct Autotuner {
    trial: Timings,
    parts: Vec<Box<dyn Parts>>,
    /// Who has the parameters as they are: parts, or with any other way the net
    /// itself.
    now: Strategy,
    defects: Defects,
}

impl Autotuner {
    /// Ways for mini-batches of so many examples, on so many threads.
    pub(crate) fn new(
        workspace: &Workspace,
        net: NetRef<'_>,
        threads: usize,
        batch: usize,
        defects: Defects,
    ) -> Self {
        let threads = threads.min(workspace.threads_for(batch));
        let mut parts = workspace.parts(net, 1, batch, defects);
        let mut ways = vec![match parts[..] {
            [] => Strategy::Alone,
            _ => Strategy::Parts(0),
        }];
        if threads > 1 {
            if workspace.is_large(batch) {
                ways.clear();
            }
            ways.push(Strategy::DataParallel);
            let first = parts.len();
            parts.extend(workspace.parts(net, threads, batch, defects));
            ways.extend((first..parts.len()).map(Strategy::Parts));
        }
        Self {
            trial: Timings::new(&ways),
            parts,
            now: Strategy::Alone,
            defects,
        }
    }

    /// Makes a step of training with the mini-batch that comes first, as
    /// [`Workspace::step`] does; the other one comes after it.
    pub(crate) fn step(
        &mut self,
        team: &mut Team<'_>,
        workspace: &mut Workspace,
        (net, velocity): (&mut Net, &mut [f32]),
        data: &Dataset,
        (batch, next): (&[u32], &[u32]),
        update: &Update,
    ) -> f64 {
        let way = self.trial.way();
        if way != self.now {
            self.store(net, velocity);
            if let Strategy::Parts(parts) = way {
                self.parts[parts].load(net.view().params(), velocity);
            }
            self.now = way;
        }
        let (parts, defects) = (&mut self.parts, self.defects);
        let mut step = |team: &mut Team<'_>| match way {
            Strategy::Parts(at) => parts[at].step(team, data, (batch, next), update),
            _ => workspace.step_with(team, net, velocity, data, batch, (update, defects)),
        };
        self.trial.step(|| match way {
            Strategy::Alone | Strategy::Parts(0) => step(&mut team.alone()),
            _ => step(team),
        })
    }

    /// Gives parameters and velocities back to the net, if it does not have them.
    pub(crate) fn store(&self, net: &mut Net, velocity: &mut [f32]) {
        if let Strategy::Parts(parts) = self.now {
            self.parts[parts].store(net.params_mut(), velocity);
        }
    }
}

/// A trial of the ways, again and again.
#[derive(Debug)]
struct Timings {
    /// The ways that are tried, and the fewest seconds that a step took each.
    ways: Vec<(Strategy, f64)>,
    /// Steps since the trial began, and with how many it begins again.
    steps: usize,
    #[cfg(feature = "rayon")]
    last: usize,
}

impl Timings {
    /// A trial of these ways.
    fn new(ways: &[Strategy]) -> Self {
        Self {
            ways: ways.iter().map(|&way| (way, f64::INFINITY)).collect(),
            steps: 0,
            #[cfg(feature = "rayon")]
            last: SOON,
        }
    }

    /// The way of the next step: the one that is being tried, or the fastest.
    fn way(&self) -> Strategy {
        if let Some(&(way, _)) = self.ways.get(self.steps / STEPS) {
            return way;
        }
        let ways = self.ways.iter();
        let fastest = ways.min_by(|one, other| one.1.total_cmp(&other.1));
        fastest.map_or(Strategy::Alone, |&(way, _)| way)
    }

    /// Makes the next step, and times it if there is something to find out.
    fn step<R>(&mut self, step: impl FnOnce() -> R) -> R {
        #[cfg(feature = "rayon")]
        if self.ways.len() > 1 {
            let start = std::time::Instant::now();
            let result = step();
            self.took(start.elapsed().as_secs_f64());
            return result;
        }
        step()
    }

    /// Notes how long a step took.
    #[cfg(feature = "rayon")]
    fn took(&mut self, seconds: f64) {
        if let Some((_, fewest)) = self.ways.get_mut(self.steps / STEPS)
            && self.steps % STEPS >= COLD
        {
            *fewest = fewest.min(seconds);
        }
        self.steps += 1;
        if self.steps == self.last {
            self.steps = 0;
            self.last = AGAIN.min(2 * self.last);
            for (_, fewest) in &mut self.ways {
                *fewest = f64::INFINITY;
            }
        }
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;

    /// The way after a trial in which the ways take so long.
    fn chosen(ways: &[Strategy], seconds: impl Fn(Strategy) -> f64) -> Strategy {
        let mut trial = Timings::new(ways);
        for round in 0..3 {
            for step in 0..ways.len() * STEPS {
                assert_eq!(trial.way(), ways[step / STEPS], "round {round}");
                // What is slow by accident, or because it is new, does not count.
                let hindered = step % STEPS < COLD || step.is_multiple_of(3);
                let factor = if hindered { 100.0 } else { 1.0 };
                trial.took(factor * seconds(trial.way()));
            }
            let way = trial.way();
            for _ in ways.len() * STEPS..trial.last {
                assert_eq!(trial.way(), way);
                trial.took(1.0);
            }
        }
        for _ in 0..ways.len() * STEPS {
            trial.took(seconds(trial.way()));
        }
        trial.way()
    }

    #[test]
    fn the_fastest_way_is_taken_and_tried_again_later() {
        let of = |way| match way {
            Strategy::Alone => 3.0,
            Strategy::DataParallel => 1.0,
            Strategy::Parts(1) => 2.0,
            Strategy::Parts(_) => 4.0,
        };
        let all = [
            Strategy::Alone,
            Strategy::DataParallel,
            Strategy::Parts(1),
            Strategy::Parts(2),
        ];
        assert_eq!(chosen(&all, of), Strategy::DataParallel);
        assert_eq!(chosen(&all, |way| 1.0 / of(way)), Strategy::Parts(2));
        assert_eq!(
            chosen(&[Strategy::Alone, Strategy::Parts(1)], of),
            Strategy::Parts(1)
        );
        assert_eq!(
            Timings::new(&[Strategy::DataParallel]).way(),
            Strategy::DataParallel
        );
    }
}
