//! The training from one of several seeds, in a folder of its own.

use super::table::Row;
use super::{Common, class_names};
use crate::commands::train::{Job, Trained, identity};
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Progress;
use crate::run_folder::{CHECKPOINT, Folder, MODEL, Saved, model};
use crate::settings::{Flags, Settings, Start};
use crate::setup::{Engine, Setup};
use handwritten::Workspace;
use handwritten::data::Normalisation;
use handwritten::files::Corpus;
use handwritten::files::model::Model;
use handwritten::training::ChosenRate;
use std::path::{Path, PathBuf};

/// The folder of the training from a seed.
pub(super) fn folder_of(folder: &Path, seed: u64) -> PathBuf {
    folder.join(format!("seed-{seed}"))
}

/// The training from a seed, which is the one that `train --seed` makes, bit for bit.
pub(super) struct Seed<'a> {
    pub(super) seed: u64,
    pub(super) setup: Setup<'a>,
    pub(super) folder: Folder,
    data: &'a (Corpus, Normalisation),
    state: State,
    chosen_rate: Option<ChosenRate>,
}

/// How far a training is.
enum State {
    New,
    Saved(Box<Saved>),
    Trained(Box<Trained>),
    /// Its files are written.
    Complete(Box<Model>),
}

impl<'a> Seed<'a> {
    /// Creates or opens the folder of the training with these settings, and reads how far it is.
    pub(super) fn open(
        engine: Engine,
        folder: &Path,
        settings: Settings,
        start: Option<Start>,
        data: &'a (Corpus, Normalisation),
    ) -> Result<Self, Failure> {
        let seed = settings.training.seed;
        let folder = Folder::create(&folder_of(folder, seed))?;
        let has = |name: &str| folder.path.join(name).is_file();
        let (state, own) = if has(CHECKPOINT) {
            let saved = Saved::read(&folder.path)?;
            let own = saved.settings(&Flags::default())?;
            (State::Saved(Box::new(saved)), Some(own))
        } else if has(MODEL) {
            let model = model::read(&folder.path)?;
            let own = Flags::of_saved_run(&model.metadata.settings).map_err(Failure::new)?;
            (State::Complete(Box::new(model)), Some(own.resolve()?))
        } else {
            (State::New, None)
        };
        let settings = match own {
            Some(own) => same(settings, &own, &folder.path)?,
            None => settings,
        };
        Ok(Self {
            seed,
            setup: Setup::new(settings, &data.0, engine)?.starting_from(start)?,
            folder,
            data,
            state,
            chosen_rate: None,
        })
    }

    /// Whether all files are written.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete(_))
    }

    /// Whether all epochs are made.
    pub(super) fn is_trained(&self) -> bool {
        match &self.state {
            State::New | State::Saved(_) => false,
            State::Trained(trained) => trained.run.is_complete(),
            State::Complete(_) => true,
        }
    }

    /// Whether its folder holds anything to go on with.
    pub(super) fn is_saved(&self) -> bool {
        [CHECKPOINT, MODEL]
            .iter()
            .any(|name| self.folder.path.join(name).is_file())
    }

    /// Whether it begins from a checkpoint.
    pub(super) fn is_resumed(&self) -> bool {
        matches!(self.state, State::Saved(_))
    }

    /// The number of epochs that are not made yet.
    pub(super) fn epochs_left(&self) -> usize {
        let epochs = self.setup.settings.training.epochs;
        match &self.state {
            State::New => epochs,
            State::Saved(saved) => epochs.saturating_sub(saved.run.history.len()),
            State::Trained(_) | State::Complete(_) => 0,
        }
    }

    /// Everything that the run needs.
    fn job(&self, common: &Common<'_>, threads: usize) -> Result<Job<'_>, Failure> {
        let (corpus, normalisation) = self.data;
        Ok(Job {
            setup: &self.setup,
            classes: class_names(corpus),
            corpus,
            normalisation: *normalisation,
            chosen_rate: self.chosen_rate,
            identity: identity(&self.setup, corpus)?,
            folder: &self.folder,
            threads,
            quiet: true,
            has_report: common.has_report,
            json: false,
            save_interval: common.save_interval,
            signals: common.signals.clone(),
        })
    }

    /// Makes the epochs that are left, or some of them if a signal comes. The checkpoint holds
    /// them all at the end.
    pub(super) fn train(
        &mut self,
        common: &Common<'_>,
        mut workspace: Workspace,
        threads: usize,
    ) -> Result<(), Failure> {
        self.chosen_rate = self.setup.choose_rate(threads)?;
        let saved = match std::mem::replace(&mut self.state, State::New) {
            State::Saved(saved) => Some(*saved),
            _ => None,
        };
        let job = self.job(common, threads)?;
        if let Some(saved) = &saved {
            saved.refuse_other(&job.identity)?;
        }
        let progress = Progress::counting(common.bar.clone());
        let trained = job
            .train(common.clock, saved, &mut workspace, progress)
            .map_err(|failure| failure.of(&format!("seed {}", self.seed)))?;
        if let Some(failure) = trained.follower.save_failure() {
            return Err(Failure::new(failure));
        }
        self.state = State::Trained(Box::new(trained));
        Ok(())
    }

    /// Evaluates the net on the images that validate and test, and writes the files of the run
    /// if they are not there yet.
    pub(super) fn test(&mut self, common: &Common<'_>) -> Result<Row, Failure> {
        let mut workspace = self.setup.workspace(common.threads)?;
        let (net, epoch) = match &self.state {
            State::Trained(trained) => (trained.run.best.view(), trained.run.best_epoch),
            State::Complete(model) => (model.net.view(), model.metadata.best_epoch),
            _ => return Err(Failure::new(format!("seed {} is not trained", self.seed))),
        };
        let splits = &self.setup.splits;
        let objective = self.setup.settings.training.objective();
        let val = workspace.evaluate(net, &splits.val, objective);
        let test = workspace.evaluate(net, &splits.test, objective);
        if let State::Trained(trained) = &self.state {
            let job = self.job(common, common.threads)?;
            let machine = job.machine(common.clock, trained);
            let monitor = trained.follower.monitor();
            job.write(&trained.run, monitor, &test, &machine, &mut workspace)?;
            if let Some(said) = job.verdict(&trained.run, trained.follower.monitor()) {
                output::warn(&format!("seed {}: {said}", self.seed));
            }
        }
        Ok(Row {
            seed: self.seed,
            epoch,
            val,
            test,
        })
    }
}

/// The settings of a training that was begun, which must be those that are asked for. The
/// learning rate may have been chosen since.
fn same(mut asked: Settings, own: &Settings, folder: &Path) -> Result<Settings, Failure> {
    if asked.rate_is_open {
        asked.rate_is_open = false;
        asked.training.learning_rate.peak = own.training.learning_rate.peak;
    }
    match asked.first_difference(own)? {
        None => Ok(asked),
        Some((name, asked, own)) => Err(Failure::new(format!(
            "{} holds another training, whose {name} is {own}, not {asked}",
            folder.display()
        ))),
    }
}
