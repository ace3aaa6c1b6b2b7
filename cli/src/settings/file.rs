//! Configuration files: read, and written so that they repeat a run.

use super::flags::{AUTO, BatchSize, Flags, Full, Hidden, Mistakes, RAW};
use super::{Settings, recipes};
use crate::failure::Failure;
use handwritten::Batch;
use handwritten::net::defects::{Defect, Defects};
use handwritten::training::Keep;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

/// Maximum length of a configuration file in bytes: some files never end, such as
/// /dev/zero.
const MAX_FILE: u64 = 1 << 20;

/// The first line of the files that runs write, up to what they say about it.
const WRITTEN: &str = "# Everything that decides this run;";

impl Flags {
    /// Reads a configuration file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(Failure::usage(format!(
                "{} is not a configuration: it has more than {MAX_FILE} bytes",
                path.display()
            )));
        }
        let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let text = String::from_utf8(bytes).map_err(|_| {
            let what = if is_utf16 {
                "is UTF-16"
            } else {
                "is not UTF-8"
            };
            Failure::new(format!("{} {what} text: save it as UTF-8", path.display()))
        })?;
        // A file that a run has written is complete, whatever version wrote it.
        let parsed = match text.starts_with(WRITTEN) {
            true => Self::of_saved_run(&text),
            false => Self::parse(&text),
        };
        parsed.map_err(|why| Failure::usage(format!("{}, {why}", path.display())))
    }

    /// Parses the text of a configuration file. The error is one line that names
    /// the line of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let mut flags = parsed.map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start)];
            let line = before.matches('\n').count() + 1;
            let message = error.message().trim().replace('\n', " ");
            format!("line {line}: {message}")
        })?;
        match flags.recipe.take() {
            Some(name) => {
                let recipe = recipes::find(&name).map_err(|why| format!("recipe: {why}"))?;
                Ok(flags.or(recipe))
            }
            None => Ok(flags),
        }
    }
}

impl Settings {
    /// The configuration file that repeats the run: parsed, it gives equal
    /// settings.
    ///
    /// # Errors
    /// Paths that are not UTF-8, which TOML cannot express.
    pub fn to_toml(&self) -> Result<String, String> {
        let paths = [("the data folder", &self.data), ("the model", &self.from)];
        for (what, path) in paths {
            if let Some(path) = path.as_deref().filter(|path| path.to_str().is_none()) {
                return Err(format!(
                    "the path of {what} {} is not UTF-8, so config.toml cannot hold it: give it \
                     another name or reach it through a link",
                    path.display()
                ));
            }
        }
        let text = toml::to_string(&self.flags()).map_err(|error| error.to_string())?;
        Ok(format!(
            "{WRITTEN} `train --config` with this file repeats it.\n{text}"
        ))
    }

    /// All settings as flags.
    fn flags(&self) -> Flags {
        let training = &self.training;
        let hidden = self.hidden.iter();
        let hidden = hidden.filter_map(|&width| NonZeroUsize::new(width));
        Flags {
            seeds: None,
            ensemble: None,
            data: self.data.clone(),
            // Left out where it is false, so that the files of older runs stay as they are.
            as_is: Some(self.as_is).filter(|&as_is| as_is),
            recipe: None,
            pixels: Some(if self.raw_pixels { RAW } else { AUTO }.to_string()),
            split: Some(self.split.name().to_string()),
            hidden: Some(Hidden(hidden.collect())),
            activation: Some(self.activation.name().to_string()),
            init: Some(self.init.name().to_string()),
            loss: Some(training.reduction.name().to_string()),
            from: self.from.clone(),
            from_sha256: self.from_sha256.clone(),
            epochs: NonZeroUsize::new(training.epochs),
            batch: match training.batch {
                Batch::Full => Some(BatchSize::Full(Full::Full)),
                Batch::Mini(size) => NonZeroUsize::new(size).map(BatchSize::Mini),
            },
            lr: Some(training.learning_rate.peak).filter(|_| !self.rate_is_open),
            schedule: Some(training.learning_rate.schedule.to_string()),
            warmup: Some(training.learning_rate.warmup_epochs),
            momentum: Some(shortest(training.optimizer.momentum)),
            nesterov: Some(training.optimizer.nesterov),
            weight_decay: Some(shortest(training.optimizer.weight_decay)),
            // Left out at 0, so that the files of older runs stay as they are.
            label_smoothing: Some(shortest(training.label_smoothing)).filter(|&share| share > 0.0),
            // Left out where nothing smooths the targets and it is the default, for the same reason.
            keep: Some(training.keep)
                .filter(|&keep| keep != Keep::LowestLoss || training.label_smoothing > 0.0)
                .map(|keep| keep.to_string()),
            average: training.average.map(|average| average.to_string()),
            dropout: Some(shortest(training.dropout)).filter(|&share| share > 0.0),
            distort: training.distortion.map(|distortion| distortion.to_string()),
            patience: training.patience.and_then(NonZeroUsize::new),
            seed: Some(training.seed),
            defects: Some(training.defects)
                .filter(|&defects| defects != Defects::NONE)
                .map(|defects| {
                    let all = Defect::ALL.iter().copied();
                    let made = all.filter(|&defect| defects.has(defect));
                    Mistakes(made.map(|defect| defect.name().to_string()).collect())
                }),
        }
    }
}

/// The double-precision number that prints like `x`: 0.9, not 0.8999999761581421.
fn shortest(x: f32) -> f64 {
    format!("{x}").parse().unwrap_or(f64::from(x))
}
