//! `handwritten verify`: trains a net again, and compares it with its file.

use crate::args::VerifyArgs;
use crate::failure::Failure;
use crate::memory;
use crate::output;
use crate::output::report::{dashed, grouped};
use crate::run_folder::{CONFIG, model};
use crate::settings::{Flags, Settings, Start};
use crate::setup::{self, Engine, Setup};
use crate::signals::Signals;
use handwritten::data::{Normalisation, Splits};
use handwritten::files::Corpus;
use handwritten::files::model::{Metadata, Model, tensor_names};
use handwritten::training::memory::bytes_to_train;
use handwritten::training::{Control, EpochReport, StepReport, TrainingState};
use handwritten::{Checkpoint, NetRef, Observer, resume};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Trains the net of a model file again, and says whether all bits are the same.
pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let path = model::path_of(&args.model)?;
    let models = model::read_all(&path)?;
    let count = models.len();
    for (number, model) in (1..).zip(&models) {
        let verified = verify(args, &signals, &path, model, (number, count));
        verified.map_err(|failure| match count {
            1 => failure,
            _ => failure.of(&format!("net {number} of {count}")),
        })?;
    }
    Ok(())
}

/// Trains one of so many nets of a file again.
fn verify(
    args: &VerifyArgs,
    signals: &Signals,
    path: &Path,
    model: &Model,
    (number, count): (usize, usize),
) -> Result<(), Failure> {
    let engine = engine_for(&model.metadata, path)?;
    let (mut settings, start) = settings_of(&model.metadata, path, args.from.as_deref())?;
    let threads = args.common.threads()?;
    let (corpus, normalisation) = load(&mut settings, args.data.as_deref(), model, path)?;
    let setup = Setup::new(settings, &corpus, engine)?.starting_from(start)?;
    refuse_contradictions(&setup, normalisation, model, path)?;
    let started = Instant::now();
    let again = train_again(&setup, threads, args.quiet || args.common.json, signals)?;
    let seconds = started.elapsed().as_secs_f64();
    let differences = differences(model.net.view(), again.best.view());
    if args.common.json {
        let mut event = json!({
            "event": "verify",
            "same": differences.is_empty(),
            "differences": differences.iter().map(Difference::json).collect::<Vec<_>>(),
            "seconds": seconds,
            "isa": engine.isa.name(),
            "threads": threads,
            "model": path.display().to_string(),
        });
        if count > 1 {
            event["net"] = json!(number);
        }
        output::result(&event.to_string())?;
    }
    refuse_another(&differences, &again, &model.metadata, path)?;
    if !args.common.json {
        let which = match count {
            1 => String::new(),
            _ => format!("net {number} of {count} "),
        };
        output::result(&format!(
            "{which}trained again in {seconds:.1} s ({}, {threads} {}): the same model, bit for bit",
            engine.isa.name(),
            if threads == 1 { "thread" } else { "threads" }
        ))?;
    }
    Ok(())
}

/// The engine, with an instruction set that rounds as that of the training.
fn engine_for(about: &Metadata, path: &Path) -> Result<Engine, Failure> {
    let engine = Engine::from_env()?;
    let Some(is_fused) = about.is_fused else {
        return Ok(engine);
    };
    engine.with_rounding(is_fused).ok_or_else(|| {
        Failure::new(format!(
            "{} was trained {} fused multiply-adds, and no instruction set of this machine \
             computes so",
            path.display(),
            if is_fused { "with" } else { "without" }
        ))
    })
}

/// Refuses a file whose settings are those of another net than it holds.
fn refuse_contradictions(
    setup: &Setup<'_>,
    normalisation: Normalisation,
    model: &Model,
    path: &Path,
) -> Result<(), Failure> {
    if normalisation != model.metadata.normalisation {
        return Err(Failure::new(format!(
            "the inputs of {} are {}, where its settings give {normalisation}",
            path.display(),
            model.metadata.normalisation
        )));
    }
    let (net, activation) = (model.net.view(), setup.settings.activation);
    if (net.widths(), net.activation()) != (&setup.widths, activation) {
        return Err(Failure::new(format!(
            "{} holds a net {} of {}, where its settings are those of a net {} of {activation}",
            path.display(),
            dashed(net.widths()),
            net.activation(),
            dashed(&setup.widths),
        )));
    }
    Ok(())
}

/// Refuses a file that does not hold what the training has given again.
fn refuse_another(
    differences: &[Difference],
    again: &Checkpoint,
    about: &Metadata,
    path: &Path,
) -> Result<(), Failure> {
    let path = path.display();
    if let Some(first) = differences.first() {
        let others = match differences.len() {
            1 => String::new(),
            more => format!(", and {} more tensors differ", more - 1),
        };
        return Err(Failure::new(format!(
            "trained again, {path} is another model: {first}{others}"
        )));
    }
    let (best, epoch) = (&again.history[again.best_epoch - 1], again.best_epoch);
    if (epoch, best.val_loss) != (about.best_epoch, about.val_loss) {
        return Err(Failure::new(format!(
            "trained again, {path} has the same weights, but their validation loss is {} after \
             epoch {epoch}, not {} after epoch {} as the file says",
            best.val_loss, about.val_loss, about.best_epoch
        )));
    }
    Ok(())
}

/// The settings of the training, and the net that it started from: those in the model file, or in
/// a file of an older version those in the config.toml beside it. `named` is the file of that net.
fn settings_of(
    about: &Metadata,
    path: &Path,
    named: Option<&Path>,
) -> Result<(Settings, Option<Start>), Failure> {
    let beside = path.with_file_name(CONFIG);
    let unusable = |from: &Path, why: String| {
        Failure::new(format!(
            "the settings in {} cannot be used: {why}",
            from.display()
        ))
    };
    let config = || {
        let text = fs::read_to_string(&beside);
        let flags = text.map_err(|error| error.to_string());
        flags.and_then(|text| Flags::of_saved_run(&text))
    };
    let (flags, from) = match (&about.settings[..], beside.is_file()) {
        ("", false) => {
            return Err(Failure::new(format!(
                "{} does not hold the settings of its training, and there is no {} either",
                path.display(),
                beside.display()
            )));
        }
        ("", true) => (config(), &*beside),
        (text, _) => (Flags::of_saved_run(text), path),
    };
    let flags = flags.map_err(|why| unusable(from, why))?;
    // Where files were: a model does not say that.
    let before = config().ok().and_then(|flags| flags.resolve().ok());
    let named = named.or(before.as_ref().and_then(|before| before.from.as_deref()));
    let (flags, start) = match flags.starts_from_a_net() {
        true => flags.starting_from(named).with_start()?,
        false => (flags, None),
    };
    let mut settings = flags
        .resolve()
        .map_err(|failure| unusable(from, failure.to_string()))?;
    if settings.rate_is_open {
        return Err(unusable(from, "they name no learning rate".to_string()));
    }
    settings.data = settings.data.or(before.and_then(|before| before.data));
    Ok((settings, start))
}

/// Loads the data set that the model was trained on, normalised as its settings say: from the
/// folder that is named, or the one that the run had, or the first of the default folders.
fn load(
    settings: &mut Settings,
    named: Option<&Path>,
    model: &Model,
    path: &Path,
) -> Result<(Corpus, Normalisation), Failure> {
    let folders: Vec<Option<PathBuf>> = match (named, settings.data.take()) {
        (Some(named), _) => vec![Some(named.to_path_buf())],
        (None, Some(before)) => vec![Some(before), None],
        (None, None) => vec![None],
    };
    let mut last = None;
    for folder in folders {
        settings.data = folder;
        match setup::load_normalised(settings) {
            Ok((corpus, normalisation)) => {
                if corpus.fingerprint == model.metadata.data_sha256 {
                    return Ok((corpus, normalisation));
                }
                last = Some(Failure::new(format!(
                    "{} was trained on other images than those in {}: on {}, SHA-256 {}; --data \
                     names their folder",
                    path.display(),
                    corpus.dir.display(),
                    model.metadata.data,
                    model.metadata.data_sha256
                )));
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::new("no data set")))
}

/// Trains the net from its first weights to the end.
fn train_again(
    setup: &Setup<'_>,
    threads: usize,
    quiet: bool,
    signals: &Signals,
) -> Result<Checkpoint, Failure> {
    let mut workspace = setup.training_workspace(threads)?;
    let (Splits { train, val, .. }, config) = (&setup.splits, &setup.settings.training);
    let bytes = bytes_to_train(&workspace, train.len(), config);
    memory::require(
        bytes.saturating_add(memory::address_space_of_threads(threads - 1)),
        format_args!("train a net {} again", dashed(&setup.widths)),
    )?;
    let mut run = Checkpoint::new(setup.net(), *config);
    let mut watch = Watch::new(config.epochs, quiet, signals);
    let result = resume(&mut run, train, val, &mut workspace, &mut watch);
    watch.bar.finish_and_clear();
    result?;
    match signals.caught() {
        Some(signal) if !run.is_complete() => Err(Failure::stopped(
            signal,
            format!(
                "stopped by {} after {} epochs",
                signal.name(),
                run.history.len()
            ),
        )),
        _ => Ok(run),
    }
}

/// Shows the epochs, and stops the training at a signal.
struct Watch<'a> {
    bar: ProgressBar,
    signals: &'a Signals,
}

impl<'a> Watch<'a> {
    /// Shows nothing if `quiet`.
    fn new(epochs: usize, quiet: bool, signals: &'a Signals) -> Self {
        let bar = ProgressBar::hidden();
        if !quiet {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} epochs");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        bar.set_length(epochs as u64);
        Self { bar, signals }
    }
}

impl Observer for Watch<'_> {
    fn on_step(&mut self, _: &StepReport) -> Control {
        match self.signals.caught() {
            Some(_) => Control::SaveAndStop,
            None => Control::Continue,
        }
    }

    fn on_epoch(&mut self, _: &EpochReport, _: &TrainingState<'_>) -> Control {
        self.bar.inc(1);
        Control::Continue
    }
}

/// A tensor whose numbers are not those of the file.
struct Difference {
    /// Its name in the file.
    tensor: String,
    /// How many numbers differ, and of how many.
    counts: [usize; 2],
    /// The place of the first one: output and, for weights, input.
    place: Vec<usize>,
    /// That number, in the file and trained again.
    values: [f32; 2],
}

impl Difference {
    fn json(&self) -> Value {
        json!({
            "tensor": self.tensor,
            "different": self.counts[0],
            "numbers": self.counts[1],
            "place": self.place,
            "in_file": self.values[0],
            "trained_again": self.values[1],
        })
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [different, all] = self.counts.map(|count| grouped(count as u64));
        let [in_file, again] = self.values;
        write!(
            f,
            "of tensor {} {different} of {all} numbers differ, the first at {:?}: {in_file:e} in \
             the file, {again:e} trained again",
            self.tensor, self.place
        )
    }
}

/// The tensors that differ in any bit, in the order and with the names of the file.
///
/// # Panics
/// Panics if the nets have other widths.
fn differences(in_file: NetRef<'_>, again: NetRef<'_>) -> Vec<Difference> {
    assert_eq!(in_file.widths(), again.widths(), "widths of one training");
    let mut found = vec![];
    for l in 0..in_file.depth() {
        let [one, other] = [in_file.layer(l), again.layer(l)];
        let (inputs, outputs) = (one.weights.rows(), one.weights.cols());
        let weights = (0..outputs).flat_map(|j| (0..inputs).map(move |i| vec![j, i]));
        let weights = weights.map(|at| {
            let values = [one, other].map(|layer| layer.weights.at(at[1], at[0]));
            (at, values)
        });
        let biases = (0..outputs).map(|j| (vec![j], [one.biases[j], other.biases[j]]));
        let [weight, bias] = tensor_names(l);
        found.extend(difference(weight, weights));
        found.extend(difference(bias, biases));
    }
    found
}

/// The difference of a tensor, if it has one.
fn difference(
    tensor: String,
    numbers: impl Iterator<Item = (Vec<usize>, [f32; 2])>,
) -> Option<Difference> {
    let (mut counts, mut first) = ([0, 0], None);
    for (place, values) in numbers {
        counts[1] += 1;
        let [one, other] = values.map(f32::to_bits);
        if one != other {
            counts[0] += 1;
            first.get_or_insert((place, values));
        }
    }
    let (place, values) = first?;
    Some(Difference {
        tensor,
        counts,
        place,
        values,
    })
}
