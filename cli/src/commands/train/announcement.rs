//! The remarks before a training.

use super::Job;
use crate::failure::Failure;
use crate::output;
use crate::output::report::{dashed, grouped};
use crate::run_folder::Saved;
use handwritten::Batch;
use handwritten::data::{Normalisation, Splits};
use handwritten::files::Corpus;
use handwritten::net::params_len;
use handwritten::training::{ChosenRate, RateBound};
use serde_json::json;
use std::path::{Path, PathBuf};

impl Job<'_> {
    /// Says what is about to be trained, and on what.
    pub(super) fn announce(&self, threads: usize, saved: Option<&Saved>) -> Result<(), Failure> {
        if !self.quiet {
            self.announce_text(threads, saved);
        }
        if !self.json {
            return Ok(());
        }
        let Splits { train, val, test } = &self.setup.splits;
        let config = &self.settings().training;
        let event = json!({
            "event": "start",
            "data": self.data().display().to_string(),
            "data_set": self.corpus.source.to_string(),
            "data_sha256": self.identity.data_sha256,
            "images": [train.len(), val.len(), test.len()],
            "widths": self.setup.widths,
            "parameters": params_len(&self.setup.widths),
            "seed": config.seed,
            "epochs": config.epochs,
            "learning_rate": config.learning_rate.peak,
            "learning_rate_bound": self.chosen_rate.map(|chosen| chosen.bound.to_string()),
            "normalisation": self.normalisation.to_string(),
            "threads": threads,
            "run": self.folder.path.display().to_string(),
        });
        output::result(&event.to_string())
    }

    fn announce_text(&self, threads: usize, saved: Option<&Saved>) {
        let Splits { train, val, test } = &self.setup.splits;
        let config = &self.settings().training;
        output::remark(&format!(
            "{} from {}: {} images to train, {} to validate, {} to test",
            self.corpus.source,
            from_here(self.data()).display(),
            grouped(train.len() as u64),
            grouped(val.len() as u64),
            grouped(test.len() as u64),
        ));
        notes(self.corpus)
            .iter()
            .for_each(|note| output::remark(note));
        let batch = match config.batch {
            Batch::Full => "full batch".to_string(),
            Batch::Mini(size) => format!("mini-batches of {size}"),
        };
        let threads = match threads {
            1 => "1 thread".to_string(),
            _ => format!("{threads} threads"),
        };
        output::remark(&format!(
            "net {}, {}, {} parameters; {batch}, seed {}; {}, {threads}",
            dashed(&self.setup.widths),
            self.settings().activation.name(),
            grouped(params_len(&self.setup.widths) as u64),
            config.seed,
            self.setup.engine.isa.name(),
        ));
        if self.normalisation != Normalisation::RAW {
            output::remark(&format!(
                "pixels are normalised: inputs are {} (--pixels raw leaves them as they are)",
                self.normalisation
            ));
        }
        if let Some(ChosenRate { rate, bound, .. }) = self.chosen_rate {
            let why = match bound {
                RateBound::Rehearsal => format!("the best of several in {bound}"),
                _ => format!("as high as {bound} allows"),
            };
            output::remark(&format!("learning rate {rate}, {why} (--lr takes another)"));
        }
        if let Some(Saved { run, .. }) = saved {
            output::remark(&format!(
                "resuming after {} epochs and {} steps",
                run.history.len(),
                run.step
            ));
        }
    }
}

/// A path as it reads from the working folder.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_path_buf()
}

/// Lines on what nobody would expect of a data set.
pub(super) fn notes(corpus: &Corpus) -> Vec<String> {
    let mut notes = vec![];
    if corpus.is_split {
        notes.push(format!(
            "there are no test images: {} images, drawn by the seed, are left out of training",
            grouped(corpus.test.len() as u64)
        ));
    }
    if corpus.is_turned {
        notes.push("images are turned upright: EMNIST has rows and columns exchanged".to_string());
    }
    notes
}
