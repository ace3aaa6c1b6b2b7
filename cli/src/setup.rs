//! Sets up a command: the instruction set, the data set found, loaded and split, the
//! net drawn, the workspace allocated.
//!
//! All commands set up through this module, so that all of them start from the
//! same bits.

use crate::args::NamedSet;
use crate::failure::Failure;
use crate::image_folder::{self, Fit};
use crate::memory;
use crate::output::report::dashed;
use crate::settings::{Settings, Start};
use clap::ValueEnum;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Dataset, Normalisation, Split, Splits};
use handwritten::files::model::Model;
use handwritten::files::{self, Corpus, IoError, KnownDataset, Parts, cache_folder};
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

/// The data set: the folder or file that is named, a data set of [`NamedSet`] in the cache
/// folder, or, for MNIST and where nothing is named, the first folder that holds one,
/// beginning with that of the checkout that the program was built in.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let set = named.filter(|path| path.symlink_metadata().is_err());
    let set = set.and_then(|path| NamedSet::from_str(path.to_str()?, false).ok());
    if let Some(set) = set.filter(|set| *set != NamedSet::Mnist) {
        let folder = cache_folder(set.name()).filter(|folder| folder.is_dir());
        return folder.ok_or_else(|| {
            let name = set.name();
            Failure::new(format!(
                "{name} is not in the cache folder: `handwritten data fetch {name}` downloads it"
            ))
        });
    }
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");
    let named = named.filter(|_| set.is_none());
    files::find(named, &[&checkout.join("mnist")]).map_err(|error| {
        let is_help_wanted = matches!(error, IoError::NoData { .. });
        let failure = Failure::caused(error);
        match is_help_wanted {
            true => failure.and("`handwritten data fetch` downloads MNIST into the last of them"),
            false => failure,
        }
    })
}

/// Bytes that splitting a data set takes for each image: its number in a shuffled list, in
/// one of two parts and in the subset.
const BYTES_PER_IMAGE: usize = 3 * size_of::<u32>();

/// Loads the parts of the data set that is named, or of the first that is found in the
/// default folders. Pictures are brought to one size by `fit`.
pub(crate) fn load_parts(named: Option<&Path>, fit: Fit) -> Result<Parts, Failure> {
    let path = find(named)?;
    let parts = match files::load_parts(&path) {
        Err(error @ IoError::NothingFound { .. }) => {
            let pictures = image_folder::load(&path, fit)?;
            pictures.ok_or_else(|| Failure::caused(error))?
        }
        parts => parts.map_err(Failure::caused)?,
    };
    let images = [&parts.train, &parts.test].map(|part| part.as_ref().map_or(0, Dataset::len));
    let images = images[0] + images[1];
    memory::require(
        images * BYTES_PER_IMAGE,
        format_args!("split {images} images of {}", path.display()),
    )?;
    Ok(parts)
}

/// Loads a data set with training and test images, as [`load_parts`] does. The seed draws test
/// images where there are none.
pub(crate) fn load(named: Option<&Path>, seed: u64, fit: Fit) -> Result<Corpus, Failure> {
    let parts = load_parts(named, fit)?;
    parts.into_corpus(seed).map_err(Failure::caused)
}

/// Loads a data set as [`load`] does, and normalises its pixels: as suits the training
/// images, or not at all if they are to be taken raw.
pub(crate) fn load_normalised(settings: &Settings) -> Result<(Corpus, Normalisation), Failure> {
    let fit = Fit::as_mnist(settings.as_is);
    let mut corpus = load(settings.data.as_deref(), settings.training.seed, fit)?;
    let normalisation = match settings.raw_pixels {
        true => Normalisation::RAW,
        false => Normalisation::of(&corpus.train),
    };
    normalisation.apply(&mut corpus.train);
    normalisation.apply(&mut corpus.test);
    Ok((corpus, normalisation))
}

/// The images that a model is evaluated on.
pub(crate) struct TestImages {
    /// All test images, with the labels of the model's classes, and normalised as those that
    /// the model was trained on.
    pub(crate) images: Dataset,
    /// The numbers of those that tested the run of the model, if this is its data set.
    pub(crate) own: Option<Vec<u32>>,
    pub(crate) source: KnownDataset,
    pub(crate) dir: PathBuf,
}

/// Loads the test images of a data set for a model, or all images where nothing says which
/// are test images, and refuses those that do not fit the model.
pub(crate) fn load_for(
    model: &Model,
    named: Option<&Path>,
    as_is: bool,
) -> Result<TestImages, Failure> {
    let about = &model.metadata;
    let (rows, columns) = about.image;
    let fit = Fit {
        sides: (rows, columns),
        as_is,
        is_model: true,
    };
    let parts = load_parts(named, fit)?;
    let (source, dir) = (parts.source, parts.dir.clone());
    let names = parts.class_names.clone();
    let is_own = parts.fingerprint == about.data_sha256;
    let (mut images, own) = if is_own && parts.train.is_some() {
        let corpus = parts.into_corpus(about.seed).map_err(Failure::caused)?;
        let test = split(&corpus, about.split, about.seed)?
            .test
            .indices()
            .to_vec();
        (corpus.test, Some(test))
    } else {
        let images = parts.test.or(parts.train);
        (images.ok_or_else(|| Failure::new("no images"))?, None)
    };
    let classes = number_classes(&mut images, &names, &about.classes);
    if (images.rows(), images.columns()) != (rows, columns) || classes.is_err() {
        return Err(Failure::new(format!(
            "the model is for {rows}×{columns} images of {} classes, \
             those in {} are {}×{} of {}{}",
            about.classes.len(),
            dir.display(),
            images.rows(),
            images.columns(),
            images.classes(),
            classes.err().unwrap_or_default()
        )));
    }
    about.normalisation.apply(&mut images);
    Ok(TestImages {
        images,
        own,
        source,
        dir,
    })
}

/// Gives images the labels of the model's classes: those of the same names or, where the data
/// set has numbers alone and the model names, of the same numbers. The error is the end of a
/// sentence.
fn number_classes(
    images: &mut Dataset,
    names: &[String],
    classes: &[String],
) -> Result<(), String> {
    let mut places = [0; 256];
    let mut unknown = None;
    for &label in images.labels() {
        let name = names.get(usize::from(label));
        match name.and_then(|name| classes.iter().position(|class| class == name)) {
            Some(place) => places[usize::from(label)] = place as u8,
            None => unknown = unknown.or(Some(label)),
        }
    }
    let Some(label) = unknown else {
        images.map_labels(|label| places[usize::from(label)]);
        return Ok(());
    };
    let are_numbers = (0..)
        .zip(names)
        .all(|(number, name)| *name == number.to_string());
    match are_numbers && images.classes() <= classes.len() {
        true => Ok(()),
        false if are_numbers => Err(String::new()),
        false => {
            let name = names.get(usize::from(label)).map_or("?", String::as_str);
            Err(format!(", among them {name}"))
        }
    }
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
    start: Option<Start>,
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
            start: None,
        })
    }

    /// The training, starting from a trained net if one is given.
    pub(crate) fn starting_from(mut self, start: Option<Start>) -> Result<Self, Failure> {
        if let Some(start) = &start {
            start.refuse_other_images(&self.widths)?;
        }
        self.start = start;
        Ok(self)
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
        let random = Net::random(&self.widths, *activation, *init, &mut rng);
        match &self.start {
            Some(start) => start.net(random),
            None => random,
        }
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
