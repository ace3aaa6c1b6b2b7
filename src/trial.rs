//! Which way to share steps out, found by trying.
//!
//! How long it takes to pass a cache line from core to core differs by a factor
//! of ten between machines, and on a virtual one from minute to minute. So every
//! now and then some steps are made in each of the ways that there are, and the
//! others in the one that was fastest. No way changes a bit of any result.

use alloc::vec::Vec;

/// Steps made in each way, and how many of them do not count because the caches
/// hold what the way before left.
const STEPS: usize = 6;
#[cfg(feature = "rayon")]
const COLD: usize = 2;

/// Steps after which a trial begins again.
#[cfg(feature = "rayon")]
const AGAIN: usize = 2000;

/// A way to share a step out among threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Not at all.
    Alone,
    /// By examples, then by parameters ([`crate::share`]).
    Examples,
    /// By hidden units ([`crate::units`]).
    Units,
}

/// A trial of the ways, again and again.
#[derive(Debug)]
pub(crate) struct Trial {
    /// The ways that are tried, and the fewest seconds that a step took each.
    ways: Vec<(Way, f64)>,
    /// Steps since the trial began.
    steps: usize,
}

impl Trial {
    /// A trial of these ways.
    pub(crate) fn new(ways: &[Way]) -> Self {
        Self {
            ways: ways.iter().map(|&way| (way, f64::INFINITY)).collect(),
            steps: 0,
        }
    }

    /// The way of the next step: the one that is being tried, or the fastest.
    pub(crate) fn way(&self) -> Way {
        if let Some(&(way, _)) = self.ways.get(self.steps / STEPS) {
            return way;
        }
        let ways = self.ways.iter();
        let fastest = ways.min_by(|one, other| one.1.total_cmp(&other.1));
        fastest.map_or(Way::Alone, |&(way, _)| way)
    }

    /// Makes the next step, and times it if there is something to find out.
    pub(crate) fn step<R>(&mut self, step: impl FnOnce() -> R) -> R {
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
        if self.steps == AGAIN {
            self.steps = 0;
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
    fn chosen(ways: &[Way], seconds: impl Fn(Way) -> f64) -> Way {
        let mut trial = Trial::new(ways);
        for round in 0..3 {
            for step in 0..ways.len() * STEPS {
                assert_eq!(trial.way(), ways[step / STEPS], "round {round}");
                // What is slow by accident, or because it is new, does not count.
                let hindered = step % STEPS < COLD || step.is_multiple_of(3);
                let factor = if hindered { 100.0 } else { 1.0 };
                trial.took(factor * seconds(trial.way()));
            }
            let way = trial.way();
            for _ in ways.len() * STEPS..AGAIN {
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
            Way::Alone => 3.0,
            Way::Examples => 1.0,
            Way::Units => 2.0,
        };
        let all = [Way::Alone, Way::Examples, Way::Units];
        assert_eq!(chosen(&all, of), Way::Examples);
        assert_eq!(chosen(&all, |way| 1.0 / of(way)), Way::Alone);
        assert_eq!(chosen(&[Way::Alone, Way::Units], of), Way::Units);
        assert_eq!(Trial::new(&[Way::Examples]).way(), Way::Examples);
    }
}
