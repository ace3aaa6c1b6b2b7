//! Settings as the user gives them: as flags of `train`, as lines of a configuration
//! file, or not at all.

use clap::Args;
use clap::builder::PossibleValuesParser;
use handwritten::data::Split;
use handwritten::net::defects::Defect;
use handwritten::training::Keep;
use handwritten::{Activation, Init, Reduction};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

/// The choices of `--pixels`.
pub(super) const PIXELS: [&str; 2] = [AUTO, RAW];
pub(super) const AUTO: &str = "auto";
pub(super) const RAW: &str = "raw";

/// Settings that are given, each checked for its syntax only.
/// [`Flags::resolve`] checks their values and fills in the defaults.
#[derive(Args, Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flags {
    /// Seeds to train from and whether their nets become an ensemble, in a recipe or a configuration
    /// file; the flags of these names are those of `train`.
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub(crate) seeds: Option<u64>,
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub(crate) ensemble: Option<bool>,
    /// A data set: a folder or a file of it. IDX files, CSV, npz or npy, or a folder of pictures
    /// for each class; or mnist, fashion, kmnist or emnist-digits, as `handwritten data fetch`
    /// has downloaded it [default: the first of these that holds any of MNIST's four files:
    /// data/mnist where the program was built, data/mnist in the working directory,
    /// handwritten/mnist in the user's cache folder]
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// Take the pictures of a folder as they are, which must all have one size, instead of scaling
    /// and centring each as classify does
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(super) as_is: Option<bool>,
    /// A recipe in a configuration file; the flag of this name is beside these.
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub(super) recipe: Option<String>,
    /// Meaning of the bytes of the images. auto: pixels that use less than half of the range of a
    /// byte, such as 0 and 1 or 0 to 16, are stretched to it, and dark digits on a bright ground
    /// are inverted; MNIST's stay as they are. raw: all stay as they are [default: auto]
    #[arg(long, value_name = "RULE", value_parser = PIXELS)]
    pub(super) pixels: Option<String>,
    /// Which images train, validate and test. question: the training file trains, and the test
    /// file is cut into two halves with equal shares of each class, of which one validates and
    /// one tests. standard: a twelfth of the training file validates, the rest of it trains, and
    /// the test file tests [default: question]
    #[arg(long, value_parser = names(Split::ALL, Split::name))]
    pub(super) split: Option<String>,
    /// Widths of the hidden layers, such as 128 or 500,300, or none [default: 128]
    #[arg(long, value_name = "WIDTHS", allow_negative_numbers = true)]
    pub(super) hidden: Option<Hidden>,
    /// Activation function of the hidden layers [default: sigmoid]
    #[arg(long, value_parser = names(Activation::ALL, Activation::name))]
    pub(super) activation: Option<String>,
    /// Distribution of the initial weights; question is a normal distribution with mean -0.1 and
    /// deviation 0.02, which saturates every sigmoid [default: he for relu, glorot for tanh,
    /// glorot-sigmoid for sigmoid]
    #[arg(long, value_parser = names(Init::ALL, Init::name))]
    pub(super) init: Option<String>,
    /// Train on the mean or on the sum of the loss over the images of a step [default: mean]
    #[arg(long, value_parser = names(Reduction::ALL, Reduction::name))]
    pub(super) loss: Option<String>,
    /// Start from the weights of a trained net (the folder of a run, or a model file) instead of
    /// random ones. The hidden layers and the activation are those of that net; where the data have
    /// another number of classes, its last layer is drawn anew
    #[arg(long, value_name = "MODEL")]
    pub(super) from: Option<PathBuf>,
    /// The SHA-256 of that model file, so that a repeated run starts from no other.
    #[arg(skip)]
    pub(super) from_sha256: Option<String>,
    /// Passes over the training images [default: 20]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) epochs: Option<NonZeroUsize>,
    /// Images in a step, or full for all of them [default: 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) batch: Option<BatchSize>,
    /// Learning rate, above 0 [default: chosen by a rule for the net, the batch and the images
    /// (docs/defaults.md)]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(super) lr: Option<f64>,
    /// Schedule of the learning rate: constant; cosine or linear, both to 0 at the end;
    /// linear:HOLD, constant for that share of the steps and linear after it; or
    /// step:EPOCHS:FACTOR, multiplied by FACTOR every so many epochs [default: cosine]
    #[arg(long, value_name = "SCHEDULE")]
    pub(super) schedule: Option<String>,
    /// Epochs over which the learning rate rises to its value [default: 0]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    pub(super) warmup: Option<usize>,
    /// Momentum: the share of the velocity that a step keeps, from 0 to below 1 [default: 0.9]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(super) momentum: Option<f64>,
    /// Use Nesterov momentum
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(super) nesterov: Option<bool>,
    /// L2 weight decay, 0 or more [default: 3e-5]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(super) weight_decay: Option<f64>,
    /// Label smoothing: the share of each target that is spread evenly over all classes, from 0
    /// to below 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(super) label_smoothing: Option<f64>,
    /// The epoch whose net is kept, by its validation loss or accuracy, or the last one [default:
    /// lowest-loss; with --label-smoothing, under which the lowest loss comes too early, last if the
    /// schedule falls to 0 and there is no --patience, else highest-accuracy]
    #[arg(long, value_parser = names(Keep::ALL, Keep::name))]
    pub(super) keep: Option<String>,
    /// Validate and keep an average of the weights at the ends of epochs: ema:DECAY, in which an
    /// epoch leaves that share to those before it; last:EPOCHS, the mean of the last so many; or
    /// none [default: none]
    #[arg(long, value_name = "AVERAGE")]
    pub(super) average: Option<String>,
    /// Leave each hidden unit out of each training image with this probability, from 0 to 0.99
    /// [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(super) dropout: Option<f64>,
    /// Distort the training images at random, in another way each epoch: none; shift, by up to a
    /// pixel along each axis; elastic, all kinds as strong as suits MNIST, weaker over the last
    /// epochs; or numbers, alone or after a name: rotation (most degrees), scaling (most relative
    /// change of an axis), shear, shift (most pixels), elastic (root mean square of the
    /// displacement in pixels), smoothness (of that displacement, in pixels), hold (share of the
    /// epochs at full strength), end (factor of all strengths in the last one), such as
    /// elastic,rotation=15 [default: none]
    #[arg(long, value_name = "KINDS")]
    pub(super) distort: Option<String>,
    /// Stop after this many epochs without a lower validation loss, or with --keep highest-accuracy
    /// without a higher accuracy [default: never]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    pub(super) patience: Option<NonZeroUsize>,
    /// Seed of all random numbers [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Mistakes to make on purpose, to see what they do, separated by commas:
    /// raw-logit-gradient, momentum-on-weights, aliased-best, whole-matrix-softmax, or none
    /// [default: none]
    #[arg(long, value_name = "LIST")]
    pub(super) defects: Option<Mistakes>,
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|&choice| name(choice)))
}

impl Flags {
    /// Removes a mistake from the settings.
    pub(super) fn without(mut self, defect: Defect) -> Self {
        if let Some(Mistakes(names)) = &mut self.defects {
            names.retain(|name| name != defect.name());
        }
        self
    }

    /// The settings of a run that was saved, complete. Versions that did not know `pixels`
    /// took them raw, and those that did not know `keep` kept the lowest loss.
    pub(crate) fn of_saved_run(text: &str) -> Result<Self, String> {
        let mut flags = Self::parse(text)?;
        flags.pixels.get_or_insert(RAW.to_string());
        flags.keep.get_or_insert(Keep::LowestLoss.to_string());
        Ok(flags)
    }

    /// Completes the settings by those of `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            seeds: self.seeds.or(other.seeds),
            ensemble: self.ensemble.or(other.ensemble),
            data: self.data.or(other.data),
            as_is: self.as_is.or(other.as_is),
            recipe: self.recipe.or(other.recipe),
            pixels: self.pixels.or(other.pixels),
            split: self.split.or(other.split),
            hidden: self.hidden.or(other.hidden),
            activation: self.activation.or(other.activation),
            init: self.init.or(other.init),
            loss: self.loss.or(other.loss),
            from: self.from.or(other.from),
            from_sha256: self.from_sha256.or(other.from_sha256),
            epochs: self.epochs.or(other.epochs),
            batch: self.batch.or(other.batch),
            lr: self.lr.or(other.lr),
            schedule: self.schedule.or(other.schedule),
            warmup: self.warmup.or(other.warmup),
            momentum: self.momentum.or(other.momentum),
            nesterov: self.nesterov.or(other.nesterov),
            weight_decay: self.weight_decay.or(other.weight_decay),
            label_smoothing: self.label_smoothing.or(other.label_smoothing),
            keep: self.keep.or(other.keep),
            average: self.average.or(other.average),
            dropout: self.dropout.or(other.dropout),
            distort: self.distort.or(other.distort),
            patience: self.patience.or(other.patience),
            seed: self.seed.or(other.seed),
            defects: self.defects.or(other.defects),
        }
    }
}

/// Widths of hidden layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hidden(pub(super) Vec<NonZeroUsize>);

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

/// Examples in a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number above 0, or \"full\"")]
pub(super) enum BatchSize {
    Mini(NonZeroUsize),
    Full(Full),
}

/// All examples, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Full {
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

/// Names of mistakes to make on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl FromStr for Mistakes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').filter(|&name| name != "none");
        Ok(Self(names.map(|name| name.trim().to_string()).collect()))
    }
}
