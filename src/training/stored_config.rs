//! Configurations as checkpoints hold them.

use crate::data::Distortion;
use crate::net::defects::Defects;
use crate::net::loss::Reduction;
use crate::net::optimizer::Momentum;
use crate::net::schedule::{LearningRate, Schedule};
use crate::training::average::Average;
use crate::training::codec::{Reader, Writer};
use crate::training::config::{Batch, Config};
use crate::training::keep::Keep;

/// Writes a configuration as the version of today has it.
pub(super) fn write_config(w: &mut Writer, config: &Config) {
    w.usize(config.epochs);
    w.usize(match config.batch {
        Batch::Full => 0,
        Batch::Mini(size) => size,
    });
    let rate = config.learning_rate;
    w.f64(rate.peak);
    let (kind, epochs, factor) = match rate.schedule {
        Schedule::Constant => (0, 0, 0.0),
        Schedule::Step { epochs, factor } => (1, epochs, factor),
        Schedule::Cosine => (2, 0, 0.0),
        Schedule::Linear { hold } => (3, 0, hold),
    };
    w.u8(kind);
    w.usize(epochs);
    w.f64(factor);
    w.usize(rate.warmup_epochs);
    let rule = config.optimizer;
    w.f32s(&[rule.momentum, rule.weight_decay]);
    w.u8(rule.nesterov.into());
    w.u8(position(Reduction::ALL, config.reduction));
    w.usize(config.patience.unwrap_or(0));
    w.u64(config.seed);
    w.f32s(&[config.label_smoothing]);
    w.u8(config.defects.bits());
    w.u8(position(Keep::ALL, config.keep));
    let (kind, decay, count) = match config.average {
        None => (0, 0.0, 0),
        Some(Average::Ema { decay }) => (1, decay, 0),
        Some(Average::LastEpochs(count)) => (2, 0.0, count),
    };
    w.u8(kind);
    w.f64(decay);
    w.usize(count);
    w.u8(config.distortion.is_some().into());
    if let Some(distortion) = config.distortion {
        w.f32s(&distortion.numbers());
    }
    w.f32s(&[config.dropout]);
}

/// Reads a configuration that `version` of the format has written.
pub(super) fn read_config(r: &mut Reader<'_>, version: u32) -> Option<Config> {
    let epochs = r.usize()?;
    let batch = match r.usize()? {
        0 => Batch::Full,
        size => Batch::Mini(size),
    };
    let peak = r.f64()?;
    let schedule = match (r.u8()?, r.usize()?, r.f64()?) {
        (0, ..) => Schedule::Constant,
        (1, epochs, factor) => Schedule::Step { epochs, factor },
        (2, ..) => Schedule::Cosine,
        (3, _, hold) => Schedule::Linear { hold },
        _ => return None,
    };
    let warmup_epochs = r.usize()?;
    let rates = r.f32s(2)?;
    Some(Config {
        epochs,
        batch,
        learning_rate: LearningRate {
            peak,
            schedule,
            warmup_epochs,
        },
        optimizer: Momentum {
            momentum: rates[0],
            weight_decay: rates[1],
            nesterov: r.bool()?,
        },
        reduction: *Reduction::ALL.get(usize::from(r.u8()?))?,
        patience: Some(r.usize()?).filter(|&patience| patience > 0),
        seed: r.u64()?,
        label_smoothing: match version {
            1 => 0.0,
            _ => r.f32s(1)?[0],
        },
        defects: match version {
            1..=3 => Defects::NONE,
            _ => Defects::from_bits(r.u8()?)?,
        },
        keep: match version {
            1..=4 => Keep::LowestLoss,
            _ => *Keep::ALL.get(usize::from(r.u8()?))?,
        },
        average: match version {
            1..=4 => None,
            _ => read_average(r)?,
        },
        distortion: match version {
            1..=4 => None,
            _ => read_distortion(r)?,
        },
        dropout: match version {
            1..=4 => 0.0,
            _ => r.f32s(1)?[0],
        },
    })
    .filter(|config| config.validate().is_ok())
}

/// Reads an average, or that there is none.
fn read_average(r: &mut Reader<'_>) -> Option<Option<Average>> {
    Some(match (r.u8()?, r.f64()?, r.usize()?) {
        (0, ..) => None,
        (1, decay, _) => Some(Average::Ema { decay }),
        (2, _, count) => Some(Average::LastEpochs(count)),
        _ => return None,
    })
}

/// Reads a distortion, or that there is none.
fn read_distortion(r: &mut Reader<'_>) -> Option<Option<Distortion>> {
    if !r.bool()? {
        return Some(None);
    }
    let numbers = r.f32s(8)?.try_into().ok()?;
    Some(Some(Distortion::from_numbers(numbers)))
}

/// The number of a choice in the file: its position among all choices.
pub(super) fn position<T: PartialEq>(all: &[T], choice: T) -> u8 {
    let found = all.iter().position(|other| *other == choice);
    found.expect("a choice is among all choices") as u8
}
