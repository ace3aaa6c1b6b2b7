//! The settings of a training run: from flags, from a file, and resolved.

use super::Failure;
use super::report::dashed;
use clap::Args;
use clap::builder::PossibleValuesParser;
use handwritten::compute::UnknownNameError;
use handwritten::data::Split;
use handwritten::net::defects::{Defect, Defects};
use handwritten::net::{MAX_DEPTH, checked_params_len};
use handwritten::{Activation, Batch, Config, Init, LearningRate, Momentum, Reduction, Schedule};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What may be set, each by a flag, by a line of a configuration file, or not
/// at all.
#[derive(Args, Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flags {
    /// The folder of the four IDX files, gz or raw [default: the first that holds any of them:
    /// data/mnist where the program was built from, data/mnist in the working directory,
    /// handwritten/mnist in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// question: the training file trains; the test file, cut in halves by class and seed,
    /// validates and tests; standard: a twelfth of the training file validates, the rest of it
    /// trains, the test file tests [default: question]
    #[arg(long, value_parser = names(Split::ALL, Split::name))]
    split: Option<String>,
    /// Widths of the hidden layers, such as 128 or 500,300, or none [default: 128]
    #[arg(long, value_name = "WIDTHS", allow_negative_numbers = true)]
    hidden: Option<Hidden>,
    /// Activation of the hidden layers [default: sigmoid]
    #[arg(long, value_parser = names(Activation::ALL, Activation::name))]
    activation: Option<String>,
    /// How the first weights are drawn [default: he for relu, else glorot]
    #[arg(long, value_parser = names(Init::ALL, Init::name))]
    init: Option<String>,
    /// Take the mean or the sum of the loss over the examples [default: mean]
    #[arg(long, value_parser = names(Reduction::ALL, Reduction::name))]
    loss: Option<String>,
    /// Passes over the training images [default: 20]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<NonZeroUsize>,
    /// Images a step, or full [default: 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch: Option<BatchSize>,
    /// Learning rate, above 0 [default: 0.4]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Course of the learning rate: constant, cosine, linear (to zero), linear:HOLD (after that
    /// share of the steps), or step:EPOCHS:FACTOR [default: cosine]
    #[arg(long, value_name = "COURSE")]
    schedule: Option<String>,
    /// Epochs in which the learning rate rises to its value [default: 0]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    warmup: Option<usize>,
    /// Share of the velocity that is kept from step to step, from 0 to below 1 [default: 0.9]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Nesterov's form of momentum
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    nesterov: Option<bool>,
    /// L2 decay of the weights, 0 or more [default: 3e-5]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Share of each target that all classes have in common, from 0 to below 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    label_smoothing: Option<f64>,
    /// Stop after so many epochs without a lower validation loss [default: never]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    patience: Option<NonZeroUsize>,
    /// Where all randomness comes from [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Make these mistakes of the question's, to see what they do: raw-logit-gradient,
    /// momentum-on-weights, aliased-best and whole-matrix-softmax, with commas between them
    #[arg(long, value_name = "LIST")]
    defects: Option<Mistakes>,
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|&choice| name(choice)))
}

/// Widths of hidden layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Hidden(Vec<NonZeroUsize>);

/// The widest hidden layer: activations of wider ones would not fit memory.
const MAX_WIDTH: usize = 1 << 20;

/// The longest configuration file in bytes: some never end, such as /dev/zero.
const MAX_FILE: u64 = 1 << 20;

/// The most parameters: training keeps four numbers for each.
const MAX_PARAMS: usize = 1 << 28;

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(vec![]));
        }
        let width = |part: &str| part.trim().parse().ok();
        let widths: Option<Vec<_>> = text.split(',').map(width).collect();
        widths
            .map(Self)
            .ok_or_else(|| "expected widths above 0 with commas between them, or none".to_string())
    }
}

/// Examples a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number above 0, or \"full\"")]
enum BatchSize {
    Mini(NonZeroUsize),
    Full(Full),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Full {
    #[serde(rename = "full")]
    Full,
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full(Full::Full)),
            _ => text
                .parse()
                .map(Self::Mini)
                .map_err(|_| "expected a number above 0, or full".to_string()),
        }
    }
}

/// Mistakes to make on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Mistakes(Vec<String>);

impl FromStr for Mistakes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').filter(|&name| name != "none");
        Ok(Self(names.map(|name| name.trim().to_string()).collect()))
    }
}

/// The settings of a training run, of which none is open.
///
/// Parsed from the text of a configuration file, whose lines are the flags of
/// `train`: every line is checked, and what is not given takes its default. An
/// error is one line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) data: Option<PathBuf>,
    pub(super) split: Split,
    pub(super) hidden: Vec<usize>,
    pub(super) activation: Activation,
    pub(super) init: Init,
    pub(super) training: Config,
}

impl Flags {
    /// Reads a configuration file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        if text.len() as u64 > MAX_FILE {
            return Err(Failure::usage(format!(
                "{} is no configuration: it has more than {MAX_FILE} bytes",
                path.display()
            )));
        }
        Self::parse(&text).map_err(|why| Failure::usage(format!("{}, {why}", path.display())))
    }

    /// Reads the text of one; an error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start)];
            let line = before.matches('\n').count() + 1;
            let message = error.message().trim().replace('\n', " ");
            format!("line {line}: {message}")
        })
    }

    /// The same without a mistake.
    pub(super) fn without(mut self, defect: Defect) -> Self {
        if let Some(Mistakes(names)) = &mut self.defects {
            names.retain(|name| name != defect.name());
        }
        self
    }

    /// These flags, and where one is not given that of `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            split: self.split.or(other.split),
            hidden: self.hidden.or(other.hidden),
            activation: self.activation.or(other.activation),
            init: self.init.or(other.init),
            loss: self.loss.or(other.loss),
            epochs: self.epochs.or(other.epochs),
            batch: self.batch.or(other.batch),
            lr: self.lr.or(other.lr),
            schedule: self.schedule.or(other.schedule),
            warmup: self.warmup.or(other.warmup),
            momentum: self.momentum.or(other.momentum),
            nesterov: self.nesterov.or(other.nesterov),
            weight_decay: self.weight_decay.or(other.weight_decay),
            label_smoothing: self.label_smoothing.or(other.label_smoothing),
            patience: self.patience.or(other.patience),
            seed: self.seed.or(other.seed),
            defects: self.defects.or(other.defects),
        }
    }

    /// Checks everything that is given and fills in what is not.
    pub(super) fn resolve(self) -> Result<Settings, Failure> {
        if self.data.as_deref() == Some(Path::new("")) {
            return Err(Failure::usage("data must name a folder, and is empty"));
        }
        let default = Config::default();
        let activation = named("activation", self.activation)?.unwrap_or(Activation::Sigmoid);
        let init = named("init", self.init)?.unwrap_or(match activation {
            Activation::Relu => Init::He,
            _ => Init::Glorot,
        });
        let training = Config {
            epochs: self.epochs.map_or(default.epochs, NonZeroUsize::get),
            batch: match self.batch {
                None => default.batch,
                Some(BatchSize::Full(_)) => Batch::Full,
                Some(BatchSize::Mini(size)) => Batch::Mini(size.get()),
            },
            learning_rate: LearningRate {
                peak: number("lr", self.lr, "above 0", |x| x > 0.0)?
                    .unwrap_or(default.learning_rate.peak),
                schedule: match self.schedule {
                    None => default.learning_rate.schedule,
                    Some(text) => schedule(&text)?,
                },
                warmup_epochs: self.warmup.unwrap_or(default.learning_rate.warmup_epochs),
            },
            optimizer: Momentum {
                momentum: number("momentum", self.momentum, "from 0 to below 1", |x| {
                    (0.0..1.0).contains(&x)
                })?
                .map_or(default.optimizer.momentum, |x| x as f32),
                nesterov: self.nesterov.unwrap_or(default.optimizer.nesterov),
                weight_decay: number("weight-decay", self.weight_decay, "0 or more", |x| x >= 0.0)?
                    .map_or(default.optimizer.weight_decay, |x| x as f32),
            },
            reduction: named("loss", self.loss)?.unwrap_or(default.reduction),
            defects: defects(self.defects)?,
            label_smoothing: number(
                "label-smoothing",
                self.label_smoothing,
                "from 0 to below 1",
                |x| (0.0..1.0).contains(&x),
            )?
            .map_or(default.label_smoothing, |x| x as f32),
            patience: self.patience.map(NonZeroUsize::get),
            seed: self.seed.unwrap_or(default.seed),
        };
        Ok(Settings {
            data: self.data,
            split: named("split", self.split)?.unwrap_or(Split::Question),
            hidden: match self.hidden {
                None => vec![128],
                Some(Hidden(widths)) => {
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
                    widths.into_iter().map(NonZeroUsize::get).collect()
                }
            },
            activation,
            init,
            training,
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

/// A finite number in the range that `is_in` tells.
fn number(
    flag: &str,
    value: Option<f64>,
    range: &str,
    is_in: fn(f64) -> bool,
) -> Result<Option<f64>, Failure> {
    let Some(x) = value else { return Ok(None) };
    let is_in = |x: f64| x.is_finite() && is_in(x);
    // What is used is a single-precision number, in which tiny values vanish and
    // huge ones are infinite.
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

/// The mistakes that are named.
fn defects(mistakes: Option<Mistakes>) -> Result<Defects, Failure> {
    let Mistakes(names) = mistakes.unwrap_or(Mistakes(vec![]));
    let defects = names.into_iter().filter_map(|name| {
        let found = named("defects", Some(name));
        found.transpose()
    });
    defects.collect()
}

fn schedule(text: &str) -> Result<Schedule, Failure> {
    let parsed = text.parse::<Schedule>();
    parsed.map_err(|error| Failure::usage(format!("schedule {error}, not {text:?}")))
}

impl FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let flags = Flags::parse(text)?;
        flags.resolve().map_err(|failure| failure.message)
    }
}

impl Settings {
    /// The widths of the net for images of so many pixels and so many classes.
    /// Refuses a net that would not fit memory.
    pub(super) fn widths(&self, features: usize, classes: usize) -> Result<Vec<usize>, Failure> {
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

    /// The first setting in which others differ, and both values. Where the data
    /// lie does not count.
    pub(super) fn first_difference(
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
        let differs = |name: &&String| *name != "data" && own.get(*name) != other.get(*name);
        Ok(names.find(differs).map(|name| {
            let values = [own.get(name), other.get(name)].map(shown);
            let [own, other] = values;
            (name.replace('_', "-"), own, other)
        }))
    }

    /// The configuration file that repeats them: parsed, it gives equal
    /// settings.
    ///
    /// # Errors
    /// A data folder whose name is not Unicode, which TOML cannot write.
    pub fn to_toml(&self) -> Result<String, String> {
        let training = &self.training;
        let flags = Flags {
            data: self.data.clone(),
            split: Some(self.split.name().to_string()),
            hidden: Some(Hidden(
                self.hidden
                    .iter()
                    .filter_map(|&width| NonZeroUsize::new(width))
                    .collect(),
            )),
            activation: Some(self.activation.name().to_string()),
            init: Some(self.init.name().to_string()),
            loss: Some(training.reduction.name().to_string()),
            epochs: NonZeroUsize::new(training.epochs),
            batch: match training.batch {
                Batch::Full => Some(BatchSize::Full(Full::Full)),
                Batch::Mini(size) => NonZeroUsize::new(size).map(BatchSize::Mini),
            },
            lr: Some(training.learning_rate.peak),
            schedule: Some(training.learning_rate.schedule.to_string()),
            warmup: Some(training.learning_rate.warmup_epochs),
            momentum: Some(shortest(training.optimizer.momentum)),
            nesterov: Some(training.optimizer.nesterov),
            weight_decay: Some(shortest(training.optimizer.weight_decay)),
            // So runs begun before it was known have the same lines.
            label_smoothing: Some(shortest(training.label_smoothing)).filter(|&share| share > 0.0),
            patience: training.patience.and_then(NonZeroUsize::new),
            seed: Some(training.seed),
            defects: Some(training.defects)
                .filter(|&defects| defects != Defects::NONE)
                .map(|defects| {
                    let made = Defect::ALL
                        .iter()
                        .copied()
                        .filter(|&defect| defects.has(defect));
                    Mistakes(made.map(|defect| defect.name().to_string()).collect())
                }),
        };
        let text = toml::to_string(&flags).map_err(|error| error.to_string())?;
        Ok(format!(
            "# Everything that decides this run; `train --config` with this file repeats it.\n{text}"
        ))
    }
}

/// The double-precision number that looks like `x` when printed: 0.9, not
/// 0.8999999761581421.
fn shortest(x: f32) -> f64 {
    format!("{x}").parse().unwrap_or(f64::from(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "",
            "hidden = [500, 300]\nactivation = \"relu\"\nbatch = \"full\"\nlr = 1e-5\n",
            "hidden = []\nschedule = \"step:10:0.5\"\npatience = 3\nseed = 18446744073709551615",
            "split = \"standard\"\nnesterov = true\nmomentum = 0.95\nweight_decay = 1e-4\nwarmup = 2",
            "schedule = \"linear\"",
            "schedule = \"linear:0.65\"\ninit = \"lecun\"",
            "defects = [\"momentum-on-weights\", \"aliased-best\"]",
            "data = \"elsewhere\"\ninit = \"question\"\nloss = \"sum\"\nbatch = 7",
        ] {
            let settings: Settings = text.parse().unwrap();
            let written = settings.to_toml().unwrap();
            assert_eq!(written.parse(), Ok(settings), "{written}");
        }
    }

    #[test]
    fn nothing_given_is_the_default() {
        let settings: Settings = "".parse().unwrap();
        assert_eq!(settings.training, Config::default());
        assert_eq!(settings.hidden, [128]);
        let settings: Settings = "activation = \"relu\"".parse().unwrap();
        assert_eq!(settings.init, Init::He);
    }

    #[test]
    fn every_wrong_value_is_named() {
        for (text, message) in [
            ("lr = 0.0", "lr must be a number above 0, not 0"),
            ("lr = nan", "lr must be a number above 0, not NaN"),
            ("lr = -1e60", "lr must be a number above 0, not -1e60"),
            ("lr = inf", "lr must be a number above 0, not inf"),
            (
                "lr = 1e60",
                "lr must be a number above 0 in single precision too, where 1e60 is inf",
            ),
            (
                "lr = 1e-60",
                "above 0 in single precision too, where 1e-60 is 0.0",
            ),
            (
                "momentum = 0.999999999999",
                "to below 1 in single precision too, where 0.999999999999 is 1.0",
            ),
            (
                "momentum = 1.0",
                "momentum must be a number from 0 to below 1",
            ),
            (
                "weight_decay = -1.0",
                "weight-decay must be a number 0 or more",
            ),
            (
                "schedule = \"step:0:0.5\"",
                "schedule must be constant, cosine, linear",
            ),
            ("schedule = \"linear:1\"", "not \"linear:1\""),
            ("schedule = \"sine\"", "not \"sine\""),
            // One line, whatever it names.
            ("split = \"a\\nb\"", "not \"a\\nb\""),
            (
                "activation = \"softplus\"",
                "one of sigmoid, relu, tanh, not \"softplus\"",
            ),
            ("hidden = [0]", "nonzero"),
            ("epochs = 0", "nonzero"),
            ("batch = \"half\"", "expected a number above 0, or \"full\""),
            (
                "defects = [\"luck\"]",
                "defects must be one of raw-logit-gradient, momentum-on-weights",
            ),
            ("rate = 1", "unknown field `rate`"),
        ] {
            let error = text.parse::<Settings>().unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = Flags {
            epochs: NonZeroUsize::new(5),
            seed: Some(2),
            ..Flags::default()
        };
        let flags = Flags {
            seed: Some(3),
            ..Flags::default()
        };
        let settings = flags.or(file).resolve().unwrap();
        assert_eq!((settings.training.epochs, settings.training.seed), (5, 3));
    }
}
