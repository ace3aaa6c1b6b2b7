//! The settings of a training run: where they come from, and their values.

mod file;
mod flags;
pub(crate) mod recipes;
mod start;
#[cfg(test)]
mod tests;

pub(crate) use flags::Flags;
pub(crate) use start::Start;

use crate::failure::Failure;
use crate::output::report::dashed;
use flags::{BatchSize, Hidden, Mistakes, PIXELS, RAW};
use handwritten::compute::UnknownNameError;
use handwritten::data::{Distortion, Split};
use handwritten::net::defects::Defects;
use handwritten::net::{MAX_DEPTH, checked_params_len};
use handwritten::training::Average;
use handwritten::{Activation, Batch, Config, Init, LearningRate, Momentum, Schedule};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Maximum width of a hidden layer: the activations of wider ones would not fit
/// memory.
const MAX_WIDTH: usize = 1 << 20;

/// Maximum number of parameters: 1 GiB of 32-bit numbers, of which a training
/// holds several copies.
const MAX_PARAMS: usize = 1 << 28;

/// The settings of a training run, complete and checked.
///
/// Parsed from the text of a configuration file, whose keys are the flags of
/// `train`. Every value is checked, and what is not given takes its default. An
/// error is one line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(crate) data: Option<PathBuf>,
    /// Whether pictures of a folder are taken as they are.
    pub(crate) as_is: bool,
    /// Whether the bytes of the images are taken as they are, whatever their range and
    /// ground.
    pub(crate) raw_pixels: bool,
    pub(crate) split: Split,
    pub(crate) hidden: Vec<usize>,
    pub(crate) activation: Activation,
    pub(crate) init: Init,
    /// The model that the net starts from, and the SHA-256 of its file.
    pub(crate) from: Option<PathBuf>,
    pub(crate) from_sha256: Option<String>,
    /// Whether the learning rate is not given: it is chosen when net and data are known,
    /// and until then the one of `training` means nothing.
    pub(crate) rate_is_open: bool,
    pub(crate) training: Config,
}

impl FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let flags = Flags::parse(text)?;
        flags.resolve().map_err(|failure| failure.to_string())
    }
}

impl Flags {
    /// Checks all values that are given and fills in the defaults of the others.
    pub(crate) fn resolve(self) -> Result<Settings, Failure> {
        if self.data.as_deref() == Some(Path::new("")) {
            return Err(Failure::usage("data must name a folder, and is empty"));
        }
        if let Some(pixels) = self
            .pixels
            .as_ref()
            .filter(|&pixels| !PIXELS.contains(&&**pixels))
        {
            return Err(Failure::usage(format!(
                "pixels must be one of {}, not {pixels:?}",
                PIXELS.join(", ")
            )));
        }
        let activation = named("activation", self.activation.clone())?;
        let activation = activation.unwrap_or(Activation::Sigmoid);
        let init = named("init", self.init.clone())?;
        Ok(Settings {
            activation,
            init: init.unwrap_or(Init::suited_to(activation)),
            raw_pixels: self.pixels.as_deref() == Some(RAW),
            rate_is_open: self.lr.is_none(),
            training: self.training()?,
            split: named("split", self.split)?.unwrap_or(Split::Question),
            hidden: widths(self.hidden)?,
            from: self.from,
            from_sha256: self.from_sha256,
            as_is: self.as_is.unwrap_or(false),
            data: self.data,
        })
    }

    fn training(&self) -> Result<Config, Failure> {
        let default = Config::default();
        let reduction = named("loss", self.loss.clone())?;
        let keep = named("keep", self.keep.clone())?;
        let config = Config {
            epochs: self.epochs.map_or(default.epochs, NonZeroUsize::get),
            batch: match self.batch {
                None => default.batch,
                Some(BatchSize::Full(_)) => Batch::Full,
                Some(BatchSize::Mini(size)) => Batch::Mini(size.get()),
            },
            learning_rate: self.learning_rate(default.learning_rate)?,
            optimizer: self.optimizer(default.optimizer)?,
            reduction: reduction.unwrap_or(default.reduction),
            defects: defects(self.defects.clone())?,
            label_smoothing: number("label-smoothing", self.label_smoothing, SHARE)?
                .map_or(default.label_smoothing, |x| x as f32),
            keep: default.keep,
            average: average(self.average.as_deref())?,
            dropout: number("dropout", self.dropout, UP_TO_MOST)?
                .map_or(default.dropout, |x| x as f32),
            distortion: distortion(self.distort.as_deref())?,
            patience: self.patience.map(NonZeroUsize::get),
            seed: self.seed.unwrap_or(default.seed),
        };
        Ok(config.with_keep(keep.unwrap_or(config.suited_keep())))
    }

    fn learning_rate(&self, default: LearningRate) -> Result<LearningRate, Failure> {
        let peak = number("lr", self.lr, ("above 0", |x| x > 0.0))?;
        Ok(LearningRate {
            peak: peak.unwrap_or(default.peak),
            schedule: match &self.schedule {
                None => default.schedule,
                Some(text) => schedule(text)?,
            },
            warmup_epochs: self.warmup.unwrap_or(default.warmup_epochs),
        })
    }

    fn optimizer(&self, default: Momentum) -> Result<Momentum, Failure> {
        let decay = ("0 or more", (|x| x >= 0.0) as fn(f64) -> bool);
        Ok(Momentum {
            momentum: number("momentum", self.momentum, SHARE)?
                .map_or(default.momentum, |x| x as f32),
            nesterov: self.nesterov.unwrap_or(default.nesterov),
            weight_decay: number("weight-decay", self.weight_decay, decay)?
                .map_or(default.weight_decay, |x| x as f32),
        })
    }
}

/// The choice that a flag names.
fn named<T: FromStr<Err = UnknownNameError>>(
    flag: &str,
    text: Option<String>,
) -> Result<Option<T>, Failure> {
    let parsed = text.map(|text| {
        text.parse().map_err(|error: UnknownNameError| {
            let names = error.names().join(", ");
            Failure::usage(format!("{flag} must be one of {names}, not {text:?}"))
        })
    });
    parsed.transpose()
}

/// A range of numbers: its description, and whether a number lies in it.
type Range = (&'static str, fn(f64) -> bool);

const SHARE: Range = ("from 0 to below 1", |x| (0.0..1.0).contains(&x));

const UP_TO_MOST: Range = ("from 0 to 0.99", |x| (0.0..=0.99 + 1e-6).contains(&x));

/// A finite number in a range, in double and in single precision.
fn number(flag: &str, value: Option<f64>, (range, is_in): Range) -> Result<Option<f64>, Failure> {
    let Some(x) = value else { return Ok(None) };
    let is_in = |x: f64| x.is_finite() && is_in(x);
    // Training uses single precision, in which tiny values become 0 and huge ones
    // infinite.
    let single = x as f32;
    match (is_in(x), is_in(single.into())) {
        (true, true) => Ok(value),
        (true, false) => Err(Failure::usage(format!(
            "{flag} must be a number {range} in single precision too, where {x:?} is {single:?}"
        ))),
        (false, _) => Err(Failure::usage(format!(
            "{flag} must be a number {range}, not {x:?}"
        ))),
    }
}

fn widths(hidden: Option<Hidden>) -> Result<Vec<usize>, Failure> {
    let Some(Hidden(widths)) = hidden else {
        return Ok(vec![128]);
    };
    if let Some(width) = widths.iter().find(|width| width.get() > MAX_WIDTH) {
        return Err(Failure::usage(format!(
            "hidden layers have at most {MAX_WIDTH} units, not {width}"
        )));
    }
    if widths.len() >= MAX_DEPTH {
        return Err(Failure::usage(format!(
            "a net has at most {} hidden layers, not {}",
            MAX_DEPTH - 1,
            widths.len()
        )));
    }
    Ok(widths.into_iter().map(NonZeroUsize::get).collect())
}

fn defects(mistakes: Option<Mistakes>) -> Result<Defects, Failure> {
    let Mistakes(names) = mistakes.unwrap_or(Mistakes(vec![]));
    let defects = names.into_iter().filter_map(|name| {
        let found = named("defects", Some(name));
        found.transpose()
    });
    defects.collect()
}

/// The distortion of this text; `None` if it moves nothing.
pub(crate) fn distortion(text: Option<&str>) -> Result<Option<Distortion>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let parsed = text.parse::<Distortion>();
    let parsed =
        parsed.map_err(|error| Failure::usage(format!("distort {error}, not {text:?}")))?;
    Ok(Some(parsed).filter(|distortion| !distortion.is_none()))
}

fn schedule(text: &str) -> Result<Schedule, Failure> {
    let parsed = text.parse::<Schedule>();
    parsed.map_err(|error| Failure::usage(format!("schedule {error}, not {text:?}")))
}

/// The average that a flag asks for.
fn average(text: Option<&str>) -> Result<Option<Average>, Failure> {
    let text = text.filter(|&text| text != "none");
    let parsed = text.map(|text| {
        let parsed = text.parse::<Average>();
        parsed.map_err(|error| Failure::usage(format!("average {error}, or none, not {text:?}")))
    });
    parsed.transpose()
}

impl Settings {
    /// The widths of the net for images of `features` pixels and `classes`
    /// classes. Refuses a net with too many parameters.
    pub(crate) fn widths(&self, features: usize, classes: usize) -> Result<Vec<usize>, Failure> {
        let hidden = self.hidden.iter().copied();
        let widths: Vec<usize> = [features]
            .into_iter()
            .chain(hidden)
            .chain([classes])
            .collect();
        if checked_params_len(&widths).is_none_or(|params| params > MAX_PARAMS) {
            return Err(Failure::usage(format!(
                "a net {} has more than {MAX_PARAMS} parameters",
                dashed(&widths)
            )));
        }
        Ok(widths)
    }

    /// These settings with another seed.
    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        let training = self.training.with_seed(seed);
        Self {
            training,
            ..self.clone()
        }
    }

    /// The name of the first setting in which `other` differs, and both values.
    /// The paths of the data and of the model that the net starts from do not count.
    pub(crate) fn first_difference(
        &self,
        other: &Self,
    ) -> Result<Option<(String, String, String)>, Failure> {
        let table = |settings: &Self| {
            let text = settings.to_toml().map_err(Failure::new)?;
            text.parse::<toml::Table>().map_err(Failure::new)
        };
        let (own, other) = (table(self)?, table(other)?);
        let shown = |value: Option<&toml::Value>| {
            value.map_or("not set".to_string(), |value| value.to_string())
        };
        let mut names = own.keys().chain(other.keys());
        let is_path = |name: &str| ["data", "from"].contains(&name);
        let differs = |name: &&String| !is_path(name) && own.get(*name) != other.get(*name);
        Ok(names.find(differs).map(|name| {
            let values = [own.get(name), other.get(name)].map(shown);
            let [own, other] = values;
            (name.replace('_', "-"), own, other)
        }))
    }
}
