//! The plan of several trainings, which the file `seeds.toml` holds until all are complete.

use super::seed::folder_of;
use crate::args::MAX_SEEDS;
use crate::failure::Failure;
use crate::run_folder::{self, CHECKPOINT, CONFIG, MODEL, SEEDS};
use crate::settings::{Flags, Settings, Start};
use handwritten::data::Split;
use handwritten::files::{self, Corpus};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The seeds and the settings of trainings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The number of seeds, of which the first is that of the settings.
    count: u64,
    /// Whether all nets are kept as one model.
    pub(super) ensemble: bool,
    /// The SHA-256 of the data set.
    data_sha256: String,
    /// The content of the config.toml beside it.
    settings: String,
}

impl Plan {
    /// A plan to train from so many seeds, beginning with that of the settings.
    ///
    /// # Errors
    /// Seeds beyond the range of a number.
    pub(super) fn new(settings: &Settings, count: u64, ensemble: bool) -> Result<Self, Failure> {
        let first = settings.training.seed;
        if first.checked_add(count - 1).is_none() {
            return Err(Failure::usage(format!(
                "there are no {count} seeds from {first} on: the largest is {}",
                u64::MAX
            )));
        }
        Ok(Self {
            count,
            ensemble,
            data_sha256: String::new(),
            settings: String::new(),
        })
    }

    /// Refuses an ensemble whose nets would have other test images each, which some of them were
    /// chosen by.
    pub(super) fn refuse_own_tests(&self, split: Split, corpus: &Corpus) -> Result<(), Failure> {
        match (self.ensemble, split) {
            (true, _) if corpus.is_split => Err(Failure::usage(
                "--ensemble takes a data set with test images: here each seed draws its own",
            )),
            (true, Split::Question) => Err(Failure::usage(
                "--ensemble takes --split standard: with --split question each seed has its own test \
                 images, which validate other seeds",
            )),
            _ => Ok(()),
        }
    }

    /// Writes the plan into a folder, in which nothing of earlier trainings is taken for one of
    /// these.
    pub(super) fn begin(
        mut self,
        folder: &Path,
        settings: &Settings,
        fingerprint: &str,
    ) -> Result<(), Failure> {
        self.data_sha256 = fingerprint.to_string();
        self.settings = settings.to_toml().map_err(Failure::new)?;
        let seeds = self.seeds(settings);
        let own = seeds.into_iter().map(|seed| folder_of(folder, seed));
        for run in own.chain([folder.to_path_buf()]) {
            for name in [MODEL, CHECKPOINT] {
                run_folder::remove(&run.join(name))?;
            }
        }
        let text = toml::to_string(&self).map_err(Failure::new)?;
        for (name, text) in [(CONFIG, &self.settings), (SEEDS, &text)] {
            files::write_atomic(&folder.join(name), text.as_bytes()).map_err(Failure::caused)?;
        }
        Ok(())
    }

    /// Reads the plan in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(SEEDS);
        let unusable =
            |why: String| Failure::new(format!("{} cannot be used: {why}", path.display()));
        let text = fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
        let plan: Self = toml::from_str(&text)
            .map_err(|error| unusable(error.message().trim().replace('\n', " ")))?;
        match plan.count {
            1..=MAX_SEEDS => Ok(plan),
            count => Err(unusable(format!("it has {count} seeds"))),
        }
    }

    /// The settings, with the net that they start from. Refuses `flags` that differ from them.
    pub(super) fn settings(&self, flags: Flags) -> Result<(Settings, Option<Start>), Failure> {
        let saved = Flags::of_saved_run(&self.settings).map_err(Failure::new)?;
        let (asked, start) = flags.or(saved.clone()).with_start()?;
        let (settings, asked) = (saved.resolve()?, asked.resolve()?);
        match settings.first_difference(&asked)? {
            // The data may have moved.
            None => Ok((asked, start)),
            Some((name, own, other)) => Err(Failure::usage(format!(
                "{name} is {own} in the trainings to be resumed, not {other}"
            ))),
        }
    }

    /// Refuses to go on with other data.
    pub(super) fn refuse_other(&self, fingerprint: &str) -> Result<(), Failure> {
        match self.data_sha256 == fingerprint {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "the trainings to be resumed were started with another data set, whose SHA-256 is \
                 {}",
                self.data_sha256
            ))),
        }
    }

    /// The seeds of all trainings.
    pub(super) fn seeds(&self, settings: &Settings) -> Vec<u64> {
        let first = settings.training.seed;
        (0..self.count).map(|i| first.saturating_add(i)).collect()
    }
}
