//! Sets up a command: the instruction set, the data set found, loaded and split, the
//! net drawn, the workspace allocated.
//!
//! All commands set up through this module, so that all of them start from the
//! same bits.

use crate::failure::Failure;
use crate::memory;
use crate::output::report::dashed;
use crate::settings::Settings;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Normalisation, Split, Splits};
use handwritten::files::model::Model;
use handwritten::files::{self, Corpus};
use handwritten::training::memory::{bytes_to_choose_rate, vector_bytes};
use handwritten::training::{ChosenRate, choose_rate};
use handwritten::{Batch, Isa, Net, Strategy, Workspace};
use std::fmt::Display;
use std::iter;
use std::path::{Path, PathBuf};

/// Instruction set and strategy from the environment.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// The fastest instruction set, or the one that `HANDWRITTEN_ISA` names.
    pub(crate) isa: Isa,
    /// The strategy of training steps that `HANDWRITTEN_STRATEGY` pins, if it does.
    strategy: Option<Strategy>,
}

impl Engine {
    /// Reads the environment.
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let isa = Isa::from_env();
        let isa = isa.map_err(|error| Failure::usage(format!("HANDWRITTEN_ISA: {error}")))?;
        let strategy = Strategy::from_env();
        let strategy =
            strategy.map_err(|error| Failure::usage(format!("HANDWRITTEN_STRATEGY: {error}")))?;
        Ok(Self { isa, strategy })
    }

    /// The engine with an instruction set of this machine whose multiply-adds are fused, or
    /// are not, as asked for; `None` if it has none.
    pub(crate) fn with_rounding(self, is_fused: bool) -> Option<Self> {
        let available: Vec<Isa> = Isa::available().collect();
        let mut sets = iter::once(self.isa).chain(available.into_iter().rev());
        let isa = sets.find(|isa| isa.is_fused() == is_fused)?;
        Some(Self { isa, ..self })
    }

    /// A workspace for nets of these widths, on at most `threads` threads, and room for so
    /// many vectors of as many numbers as such a net has parameters. `origin` is the flag or
    /// the file that the widths come from.
    pub(crate) fn workspace(
        self,
        widths: &[usize],
        threads: usize,
        vectors: usize,
        origin: impl Display,
    ) -> Result<Workspace, Failure> {
        let vectors = vector_bytes(widths, vectors);
        let others = memory::address_space_of_threads(threads - 1).saturating_add(vectors);
        let bytes = Workspace::bytes(widths, threads).saturating_add(others);
        memory::require(
            bytes,
            format_args!("compute with a net {} ({origin})", dashed(widths)),
        )?;
        Ok(Workspace::new(widths, threads).with_isa(self.isa))
    }
}

/// The folder of the data set: the one that is named, or the first that holds one,
/// beginning with that of the checkout that the program was built in.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");
    files::find(named, &[&checkout.join("mnist")]).map_err(Failure::caused)
}

/// Bytes that splitting a data set takes for each image: its number in a shuffled list, in
/// one of two parts and in the subset.
const BYTES_PER_IMAGE: usize = 3 * size_of::<u32>();

/// Loads the data set in a folder, or without one the first that is found in the
/// default folders.
pub(crate) fn load(folder: Option<&Path>) -> Result<Corpus, Failure> {
    let folder = find(folder)?;
    let corpus = files::load(&folder).map_err(Failure::caused)?;
    let images = corpus.train.len() + corpus.test.len();
    memory::require(
        images * BYTES_PER_IMAGE,
        format_args!("split {images} images of {}", folder.display()),
    )?;
    Ok(corpus)
}

/// Loads a data set as [`load`] does, and normalises its pixels: as suits the training
/// images, or not at all if they are to be taken raw.
pub(crate) fn load_normalised(settings: &Settings) -> Result<(Corpus, Normalisation), Failure> {
    let mut corpus = load(settings.data.as_deref())?;
    let normalisation = match settings.raw_pixels {
        true => Normalisation::RAW,
        false => Normalisation::of(&corpus.train),
    };
    normalisation.apply(&mut corpus.train);
    normalisation.apply(&mut corpus.test);
    Ok((corpus, normalisation))
}

/// Loads a data set as [`load`] does, with its test images normalised as those that the model
/// was trained on, and refuses it if its images do not fit the model.
pub(crate) fn load_for(model: &Model, folder: Option<&Path>) -> Result<Corpus, Failure> {
    let mut corpus = load(folder)?;
    let (rows, columns) = model.metadata.image;
    let classes = model.metadata.classes.len();
    let test = &corpus.test;
    if (test.rows(), test.columns()) != (rows, columns) || test.classes() > classes {
        return Err(Failure::new(format!(
            "the model is for {rows}×{columns} images of {classes} classes, \
             those in {} are {}×{} of {}",
            corpus.dir.display(),
            test.rows(),
            test.columns(),
            test.classes()
        )));
    }
    model.metadata.normalisation.apply(&mut corpus.test);
    Ok(corpus)
}

/// Splits a data set into training, validation and test images.
pub(crate) fn split(corpus: &Corpus, split: Split, seed: u64) -> Result<Splits<'_>, Failure> {
    let mut rng = generator(seed, Stream::Split);
    Splits::new(&corpus.train, &corpus.test, split, &mut rng).map_err(Failure::caused)
}

/// A training that can begin.
pub(crate) struct Setup<'a> {
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) splits: Splits<'a>,
    /// Widths of the layers of the net, from the pixels to the classes.
    pub(crate) widths: Vec<usize>,
}

impl<'a> Setup<'a> {
    /// Splits the data set and fits the net to it.
    pub(crate) fn new(
        settings: Settings,
        corpus: &'a Corpus,
        engine: Engine,
    ) -> Result<Self, Failure> {
        let splits = split(corpus, settings.split, settings.training.seed)?;
        let widths = settings.widths(corpus.train.features(), corpus.train.classes())?;
        Ok(Self {
            settings,
            engine,
            splits,
            widths,
        })
    }

    /// The net with its initial weights.
    pub(crate) fn net(&self) -> Net {
        let Settings {
            activation,
            init,
            training,
            ..
        } = &self.settings;
        let mut rng = generator(training.seed, Stream::Weights);
        Net::random(&self.widths, *activation, *init, &mut rng)
    }

    /// Chooses the learning rate if the settings leave it open. Returns what it was
    /// chosen by, or none if it was given.
    pub(crate) fn choose_rate(&mut self, threads: usize) -> Result<Option<ChosenRate>, Failure> {
        if !self.settings.rate_is_open {
            return Ok(None);
        }
        let mut workspace = self.workspace(threads)?;
        memory::require(
            bytes_to_choose_rate(&self.widths),
            format_args!(
                "choose a learning rate for a net {} (--hidden)",
                dashed(&self.widths)
            ),
        )?;
        let net = self.net();
        let config = &mut self.settings.training;
        let chosen = choose_rate(net.view(), &self.splits.train, config, &mut workspace);
        config.learning_rate.peak = chosen.rate;
        self.settings.rate_is_open = false;
        Ok(Some(chosen))
    }

    /// A workspace for the net, on at most `threads` threads, and room for the net.
    pub(crate) fn workspace(&self, threads: usize) -> Result<Workspace, Failure> {
        self.engine.workspace(&self.widths, threads, 1, "--hidden")
    }

    /// The workspace of the training on `threads` threads, with the strategy that the
    /// environment pins. Refuses a strategy that cannot make the training's steps.
    pub(crate) fn training_workspace(&self, threads: usize) -> Result<Workspace, Failure> {
        let workspace = self.workspace(threads)?.with_strategy(self.engine.strategy);
        let config = &self.settings.training;
        let batch = match config.batch {
            Batch::Mini(images) => images,
            Batch::Full => self.splits.train.len(),
        };
        workspace
            .check_strategy(batch, config.defects)
            .map_err(|error| Failure::usage(format!("HANDWRITTEN_STRATEGY: {error}")))?;
        Ok(workspace)
    }
}
