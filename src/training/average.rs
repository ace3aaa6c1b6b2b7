//! Averages of the parameters over epochs.

use core::fmt;
use core::str::FromStr;

/// An average of the parameters at the ends of epochs, which a run validates and keeps
/// instead of the net in training.
///
/// Each epoch adds its parameters p to the average a by `a += w·(p − a)`, each operation
/// rounded to `f32`, so that the result has the same bits on every target and any number of
/// threads. Nothing is added to a step: parameters are read once an epoch.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Average {
    /// The exponential moving average: after epoch T, the parameters after epoch t count in
    /// proportion to `decay^(T − t)`. There is no bias to the start: w = (1 − decay) /
    /// (1 − decay^T).
    Ema {
        /// The share that an epoch leaves to those before it, above 0 and below 1.
        decay: f64,
    },
    /// The mean of the last so many epochs, at least 1, of [`Config::epochs`]; in the epochs
    /// before these, the net itself.
    ///
    /// [`Config::epochs`]: crate::Config::epochs
    LastEpochs(usize),
}

impl Average {
    /// Whether the numbers are in their ranges.
    pub(super) fn is_valid(self) -> bool {
        match self {
            // 0 is the net itself.
            Self::Ema { decay } => decay > 0.0 && decay < 1.0,
            Self::LastEpochs(count) => count > 0,
        }
    }

    /// The weight of the parameters after an epoch, counted from 1, of so many.
    fn weight(self, epoch: usize, epochs: usize) -> f32 {
        match self {
            Self::Ema { decay } => {
                let left = (0..epoch).fold(1.0, |left, _| left * decay);
                ((1.0 - decay) / (1.0 - left)) as f32
            }
            Self::LastEpochs(count) => {
                let before = epochs.saturating_sub(count);
                let number = epoch.saturating_sub(before).max(1);
                (1.0 / number as f64) as f32
            }
        }
    }

    /// Adds the parameters after an epoch, counted from 1, of so many.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub(super) fn add(self, average: &mut [f32], params: &[f32], epoch: usize, epochs: usize) {
        assert_eq!(average.len(), params.len(), "an average and parameters");
        let weight = self.weight(epoch, epochs);
        if weight == 1.0 {
            average.copy_from_slice(params);
            return;
        }
        for (average, &param) in average.iter_mut().zip(params) {
            *average += weight * (param - *average);
        }
    }
}

impl fmt::Display for Average {
    /// The notation that [`Average::from_str`] reads: `ema:0.9` (decay) or `last:10`
    /// (epochs).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ema { decay } => write!(f, "ema:{decay}"),
            Self::LastEpochs(count) => write!(f, "last:{count}"),
        }
    }
}

impl FromStr for Average {
    type Err = ParseAverageError;

    fn from_str(text: &str) -> Result<Self, ParseAverageError> {
        let average = match text.split_once(':') {
            Some(("ema", decay)) => decay.parse().ok().map(|decay| Self::Ema { decay }),
            Some(("last", count)) => count.parse().ok().map(Self::LastEpochs),
            _ => None,
        };
        average
            .filter(|average| average.is_valid())
            .ok_or(ParseAverageError)
    }
}

/// The error of parsing an [`Average`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParseAverageError;

impl fmt::Display for ParseAverageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be ema:DECAY with a number above 0 and below 1, or last:EPOCHS with a number \
             above 0",
        )
    }
}

impl core::error::Error for ParseAverageError {}
