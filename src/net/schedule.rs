//! Learning rate schedules.

use crate::compute::vector;
use core::fmt;
use core::str::FromStr;

/// The course of the learning rate after warm-up.
///
/// All arithmetic is in double precision and made of IEEE operations, so the rates have
/// the same bits on every target.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Schedule {
    /// The rate stays at its peak.
    Constant,
    /// The rate is multiplied by `factor` after every `epochs` epochs.
    Step {
        /// Epochs from one fall to the next, at least 1.
        epochs: usize,
        /// The factor of each fall, above 0; at most 1 where it is parsed.
        factor: f64,
    },
    /// The rate falls to zero along half a cosine (Loshchilov and Hutter, *SGDR*,
    /// 2017, eq. 5, one period).
    Cosine,
    /// The rate stays for the share `hold` of the steps, then falls to zero in a straight
    /// line.
    Linear {
        /// The share of the steps in which the rate stays, from 0 to below 1.
        hold: f64,
    },
}

impl fmt::Display for Schedule {
    /// The notation that [`Schedule::from_str`] reads: `constant`, `cosine`, `linear`,
    /// `linear:0.5` (hold) or `step:10:0.5` (epochs, factor).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.pad("constant"),
            Self::Cosine => f.pad("cosine"),
            Self::Linear { hold: 0.0 } => f.pad("linear"),
            Self::Linear { hold } => write!(f, "linear:{hold}"),
            Self::Step { epochs, factor } => write!(f, "step:{epochs}:{factor}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = ParseScheduleError;

    fn from_str(text: &str) -> Result<Self, ParseScheduleError> {
        let (name, numbers) = text.split_once(':').unzip();
        let schedule = match (name.unwrap_or(text), numbers) {
            ("constant", None) => Self::Constant,
            ("cosine", None) => Self::Cosine,
            ("linear", None) => Self::Linear { hold: 0.0 },
            ("linear", Some(hold)) => Self::Linear {
                hold: hold.parse().map_err(|_| ParseScheduleError)?,
            },
            ("step", Some(numbers)) => {
                let (epochs, factor) = numbers.split_once(':').ok_or(ParseScheduleError)?;
                Self::Step {
                    epochs: epochs.parse().map_err(|_| ParseScheduleError)?,
                    factor: factor.parse().map_err(|_| ParseScheduleError)?,
                }
            }
            _ => return Err(ParseScheduleError),
        };
        let is_in_range = match schedule {
            Self::Linear { hold } => (0.0..1.0).contains(&hold),
            Self::Step { epochs, factor } => epochs > 0 && factor > 0.0 && factor <= 1.0,
            Self::Constant | Self::Cosine => true,
        };
        is_in_range.then_some(schedule).ok_or(ParseScheduleError)
    }
}

/// The error of parsing a [`Schedule`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParseScheduleError;

impl fmt::Display for ParseScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be constant, cosine, linear, linear:HOLD with a share from 0 to below 1, \
             or step:EPOCHS:FACTOR with a factor above 0 and at most 1",
        )
    }
}

impl core::error::Error for ParseScheduleError {}

/// A schedule with its peak and its warm-up, counted in steps of one run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LearningRate {
    /// The rate that warm-up reaches and the schedule starts from, above 0.
    pub peak: f64,
    /// The course of the rate after the warm-up.
    pub schedule: Schedule,
    /// Epochs in which the rate rises in equal parts, step by step, to the peak.
    pub warmup_epochs: usize,
}

impl LearningRate {
    /// A rate that begins at `peak`, without warm-up.
    pub const fn new(peak: f64, schedule: Schedule) -> Self {
        Self {
            peak,
            schedule,
            warmup_epochs: 0,
        }
    }

    /// The rate of step `step` (counted from 0) of a run of `epochs` epochs of
    /// `steps` steps each.
    ///
    /// # Panics
    /// Panics with [`Schedule::Step`] if its `epochs` or `steps` are 0.
    pub fn at(&self, step: usize, steps: usize, epochs: usize) -> f64 {
        // Counts beyond all steps that a run can make need not be exact.
        let warmup = self.warmup_epochs.saturating_mul(steps);
        if step < warmup {
            return self.peak * (step + 1) as f64 / warmup as f64;
        }
        let total = epochs.saturating_mul(steps).saturating_sub(warmup);
        let step = step - warmup;
        match self.schedule {
            Schedule::Constant => self.peak,
            Schedule::Step { epochs, factor } => {
                (0..step / epochs.saturating_mul(steps)).fold(self.peak, |rate, _| rate * factor)
            }
            Schedule::Cosine => {
                let progress = step as f64 / total as f64;
                0.5 * self.peak * (1.0 + vector::cos_pi(progress))
            }
            Schedule::Linear { hold } => {
                let progress = step as f64 / total as f64;
                self.peak * ((1.0 - progress) / (1.0 - hold)).min(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn rates(schedule: Schedule, warmup_epochs: usize, epochs: usize) -> Vec<f64> {
        let rate = LearningRate {
            peak: 1.0,
            schedule,
            warmup_epochs,
        };
        (0..2 * epochs)
            .map(|step| rate.at(step, 2, epochs))
            .collect()
    }

    #[test]
    fn constant_stays_and_steps_fall() {
        assert_eq!(rates(Schedule::Constant, 0, 2), [1.0; 4]);
        let halves = Schedule::Step {
            epochs: 2,
            factor: 0.5,
        };
        let expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25];
        assert_eq!(rates(halves, 0, 5), expected);
    }

    #[test]
    fn cosine_falls_from_the_peak_towards_zero() {
        let rates = rates(Schedule::Cosine, 0, 4);
        assert_eq!((rates[0], rates[4]), (1.0, 0.5));
        assert!(rates.windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[7] > 0.0 && rates[7] < 0.04);
    }

    #[test]
    fn a_line_falls_after_the_share_that_it_holds() {
        let half = Schedule::Linear { hold: 0.5 };
        let expected = [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25];
        assert_eq!(rates(half, 0, 4), expected);
        assert_eq!(
            rates(half, 2, 4),
            [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.5]
        );
        let all = Schedule::Linear { hold: 0.0 };
        assert_eq!(rates(all, 0, 2), [1.0, 0.75, 0.5, 0.25]);
    }

    #[test]
    fn warm_up_rises_to_the_peak_and_the_schedule_takes_the_rest() {
        let rates = rates(Schedule::Cosine, 2, 4);
        assert_eq!(rates[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(rates[6], 0.5);
    }

    #[test]
    fn what_is_displayed_is_parsed_again() {
        for text in ["constant", "cosine", "linear", "linear:0.25", "step:10:0.5"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "cosine:1",
            "linear:1",
            "linear:nan",
            "step",
            "step:0:0.5",
            "step:1:0",
            "step:1:2",
            "step:1:0.5:1",
        ] {
            assert_eq!(text.parse::<Schedule>(), Err(ParseScheduleError), "{text}");
        }
    }
}
