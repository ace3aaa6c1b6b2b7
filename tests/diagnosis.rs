//! The diagnosis of a run: it names each of the mistakes of the run in
//! `docs/why-it-did-not-learn.md`, and says nothing about runs that learn.

#![cfg(feature = "std")]

use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Subset;
use handwritten::net::defects::Defect;
use handwritten::training::diagnosis::{Finding, Monitor};
use handwritten::training::{Control, EpochReport, TrainingState};
use handwritten::{
    Activation, Batch, Config, Init, LearningRate, Momentum, Net, Observer, Reduction, Schedule,
    Workspace, files, train,
};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of the digits.
fn folder() -> Result<PathBuf, files::IoError> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    files::find(None, &[Path::new(own)])
}

/// Real digits: 3 000 to train, 500 to validate.
fn digits() -> (Subset<'static>, Subset<'static>) {
    static DATA: OnceLock<files::Corpus> = OnceLock::new();
    let data = DATA.get_or_init(|| files::load(&folder().unwrap()).unwrap());
    let train = Subset::new(&data.train, (0..3000).collect());
    (train, Subset::new(&data.test, (0..500).collect()))
}

/// Whether there are no digits: the published package comes without data.
fn is_skipped() -> bool {
    let is_skipped = folder().is_err();
    if is_skipped {
        eprintln!("skipped: the published package comes without data");
    }
    is_skipped
}

/// A net, how it starts, and how it is trained.
#[derive(Clone, Debug)]
struct Run {
    hidden: &'static [usize],
    activation: Activation,
    init: Init,
    config: Config,
}

/// Watches a run.
struct Watched {
    watch: Monitor,
}

impl Observer for Watched {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.watch.start(now);
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        self.watch.observe(epoch, now);
        Control::Continue
    }
}

impl Run {
    /// A 784-32-10 sigmoid net, trained properly in mini-batches.
    fn healthy() -> Self {
        Self {
            hidden: &[32],
            activation: Activation::Sigmoid,
            init: Init::Glorot,
            config: Config {
                epochs: 3,
                ..Config::default()
            },
        }
    }

    /// That net, trained with full batches.
    fn full_batch() -> Self {
        let mut run = Self::healthy();
        run.config = Config {
            epochs: 12,
            batch: Batch::Full,
            learning_rate: constant(0.6),
            optimizer: Momentum {
                momentum: 0.9,
                nesterov: false,
                weight_decay: 0.0,
            },
            ..Config::default()
        };
        run
    }

    fn with(mut self, defect: Defect) -> Self {
        self.config.defects = self.config.defects.with(defect);
        self
    }

    /// Trains the net and returns the findings.
    fn watch(&self) -> Watched {
        let (training, val) = digits();
        let widths: Vec<usize> = [784]
            .iter()
            .chain(self.hidden)
            .chain(&[10])
            .copied()
            .collect();
        let mut rng = generator(self.config.seed, Stream::Weights);
        let mut net = Net::random(&widths, self.activation, self.init, &mut rng);
        let mut workspace = Workspace::new(&widths, 1);
        let mut watched = Watched {
            watch: Monitor::new(workspace.clone()),
        };
        let (config, observer) = (&self.config, &mut watched);
        // A run may overflow; what was found before counts.
        let _ = train(&mut net, &training, &val, config, &mut workspace, observer);
        watched
    }

    /// The names of what is found.
    fn names(&self) -> Vec<&'static str> {
        self.watch()
            .watch
            .findings()
            .iter()
            .map(Finding::name)
            .collect()
    }
}

fn constant(peak: f64) -> LearningRate {
    LearningRate {
        peak,
        schedule: Schedule::Constant,
        warmup_epochs: 0,
    }
}

/// The run that did not learn.
fn question() -> Run {
    let mut run = Run::full_batch();
    run.hidden = &[1];
    run.init = Init::Question;
    run.config.defects = Defect::ALL.iter().copied().collect();
    run
}

#[test]
fn every_mistake_of_the_question_is_named() {
    if is_skipped() {
        return;
    }
    let named = question().names();
    for name in [
        "raw-logit-gradient",
        "saturated",
        "narrow",
        "whole-matrix-softmax",
        "shrinking",
        "aliased-best",
        "guessing",
    ] {
        assert!(named.contains(&name), "{name} is not among {named:?}");
    }
}

#[test]
fn a_mistake_is_named_where_it_is_the_only_one() {
    if is_skipped() {
        return;
    }
    let with = |run: Run, change: fn(&mut Run)| {
        let mut run = run;
        change(&mut run);
        run
    };
    let (mini, full) = (Run::healthy(), Run::full_batch());
    for &reduction in Reduction::ALL {
        for (run, name) in [
            (
                mini.clone().with(Defect::RawLogitGradient),
                "raw-logit-gradient",
            ),
            (
                full.clone().with(Defect::RawLogitGradient),
                "raw-logit-gradient",
            ),
            (mini.clone().with(Defect::MomentumOnWeights), "shrinking"),
            (full.clone().with(Defect::MomentumOnWeights), "shrinking"),
            (
                mini.clone().with(Defect::WholeMatrixSoftmax),
                "whole-matrix-softmax",
            ),
            (
                full.clone().with(Defect::WholeMatrixSoftmax),
                "whole-matrix-softmax",
            ),
            // With as many units not every epoch is the best so far.
            (
                with(full.clone().with(Defect::AliasedBest), |run| {
                    run.hidden = &[128];
                }),
                "aliased-best",
            ),
            (
                with(mini.clone(), |run| run.init = Init::Question),
                "saturated",
            ),
            (with(full.clone(), |run| run.hidden = &[1]), "narrow"),
            (with(full.clone(), |run| run.hidden = &[20, 3]), "narrow"),
            (
                with(full.clone(), |run| {
                    (run.activation, run.init) = (Activation::Relu, Init::Question);
                }),
                "dead",
            ),
            (
                with(full.clone(), |run| run.config.learning_rate.peak = 1e-7),
                "standing",
            ),
            (
                with(full.clone(), |run| run.config.learning_rate.peak = 1e-3),
                "rate-too-low",
            ),
        ] {
            let mut run = run;
            run.config.reduction = reduction;
            if reduction == Reduction::Sum {
                let images = match run.config.batch {
                    Batch::Full => 3000.0,
                    Batch::Mini(batch) => batch as f64,
                };
                run.config.learning_rate.peak /= images;
            }
            let named = run.names();
            assert!(
                named.contains(&name),
                "{name} is not among {named:?}: {run:?}"
            );
        }
    }
}

#[test]
fn one_thing_is_said_an_epoch_and_each_once() {
    if is_skipped() {
        return;
    }
    let watched = question().watch();
    let said = watched
        .watch
        .observations()
        .iter()
        .filter_map(|look| look.finding);
    let said: Vec<Finding> = said.collect();
    assert_eq!(watched.watch.observations().len(), 12);
    assert_eq!(said, watched.watch.findings());
    assert!(said.len() >= 7);
    for (i, finding) in said.iter().enumerate() {
        assert!(!finding.to_string().contains('\n'));
        assert!(said[..i].iter().all(|other| other.name() != finding.name()));
    }
    // Findings from before the first step come first.
    assert_eq!(
        watched.watch.observations()[0].finding,
        Some(Finding::RawLogitGradient)
    );
}

#[test]
fn runs_that_learn_are_left_alone() {
    if is_skipped() {
        return;
    }
    std::thread::scope(|scope| {
        for seed in 1..=20 {
            scope.spawn(move || learn_in_peace(seed));
        }
    });
}

/// Runs that learn, one for each seed, for which the diagnosis is empty.
fn learn_in_peace(seed: u64) {
    for (hidden, activation, init, rate) in [
        (&[128][..], Activation::Sigmoid, Init::Glorot, 0.6),
        (&[32], Activation::Tanh, Init::Glorot, 0.3),
        (&[64], Activation::Relu, Init::He, 0.1),
        (&[40, 20], Activation::Tanh, Init::Glorot, 0.3),
        (&[40, 20], Activation::Relu, Init::He, 0.1),
        (&[], Activation::Sigmoid, Init::Glorot, 0.3),
    ] {
        for mut run in [Run::healthy(), Run::full_batch()] {
            (run.hidden, run.activation, run.init) = (hidden, activation, init);
            run.config.seed = seed;
            run.config.learning_rate.peak = rate;
            let watched = run.watch();
            assert_eq!(watched.watch.findings(), [], "{run:?}");
            let mut looks = watched.watch.observations().iter();
            assert!(looks.all(|look| look.finding.is_none()));
        }
    }
}

#[test]
fn signals_are_what_their_names_say() {
    if is_skipped() {
        return;
    }
    // One step an epoch without momentum, so that a weight moves by the rate
    // times its derivative; the probe is all there is.
    let (training, val) = digits();
    let few = Subset::new(training.dataset(), (0..100).collect());
    let widths = [784, 8, 10];
    let config = Config {
        epochs: 1,
        batch: Batch::Full,
        learning_rate: constant(0.5),
        optimizer: Momentum {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        reduction: Reduction::Sum,
        ..Config::default()
    };
    let mut rng = generator(1, Stream::Weights);
    let start = Net::random(&widths, Activation::Relu, Init::He, &mut rng);
    let (mut net, mut workspace) = (start.clone(), Workspace::new(&widths, 1));
    let mut watched = Watched {
        watch: Monitor::new(workspace.clone()),
    };
    train(&mut net, &few, &val, &config, &mut workspace, &mut watched).unwrap();
    let signals = &watched.watch.observations()[0].indicators;

    let length =
        |xs: &mut dyn Iterator<Item = f32>| xs.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    for (l, layer) in signals.layers.iter().enumerate() {
        let (now, before) = (net.view().layer(l).weights, start.view().layer(l).weights);
        let (now, before) = (now.as_slice(), before.as_slice());
        assert_eq!(layer.norm, length(&mut now.iter().copied()));
        let way = length(&mut now.iter().zip(before).map(|(x, y)| x - y));
        assert_eq!(layer.moved, way / length(&mut before.iter().copied()));
    }
    // Of the mean, whatever is trained.
    workspace.compute_gradient(net.view(), few.dataset(), few.indices(), Reduction::Sum);
    let expected = length(&mut workspace.gradient().iter().copied());
    assert_eq!(signals.gradient_norm, 1.0 / 100.0 * expected);

    let hidden = net.view().activation_of(0, workspace.activations());
    let dead = (0..8).filter(|&j| (0..100).all(|i| hidden.at(i, j) == 0.0));
    assert_eq!(signals.dead, dead.count() as f64 / 8.0);
    assert_eq!(signals.saturated, 0.0);
}
