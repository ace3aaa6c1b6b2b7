//! Training runs: they agree with the `f64` net, and the loop keeps its promises about
//! order, best net, patience, repetition and divergence.

#![cfg(feature = "alloc")]

#[path = "common/arms.rs"]
mod arms;
mod common;
#[path = "common/reference.rs"]
mod reference;

use arms::arms;
use common::{
    Oracle, UNIT, examples, random_images, random_params, relative_error, rounding, tensors, widen,
};
use handwritten::compute::rng::{Stream, generator, shuffle};
use handwritten::data::{Dataset, Subset};
use handwritten::net::Tensor;
use handwritten::net::defects::Defects;
use handwritten::net::optimizer::Update;
use handwritten::training::{
    Average, ConfigError, Control, EpochReport, Keep, NonFiniteError, Outcome, StepReport,
    TrainError, TrainingState,
};
use handwritten::{
    Activation, Batch, Checkpoint, Config, Isa, LearningRate, Momentum, Net, Observer, Reduction,
    Schedule, Workspace, resume, train,
};
use rand_core::Rng;
use reference::Reference;

const PLAIN: Momentum = Momentum {
    momentum: 0.0,
    nesterov: false,
    weight_decay: 0.0,
};

const HEAVY: Momentum = Momentum {
    momentum: 0.9,
    ..PLAIN
};

fn constant(peak: f64) -> LearningRate {
    LearningRate {
        peak,
        schedule: Schedule::Constant,
        warmup_epochs: 0,
    }
}

fn random_net(widths: &[usize], activation: Activation) -> Net {
    Net::new(widths, activation, random_params(widths, 5))
}

/// An observer that keeps all reports.
#[derive(Default, Clone, PartialEq, Debug)]
struct Log {
    steps: Vec<StepReport>,
    epochs: Vec<EpochReport>,
    /// The number of steps before the end of each epoch.
    ends: Vec<usize>,
}

impl Observer for Log {
    fn on_step(&mut self, step: &StepReport) -> Control {
        self.steps.push(*step);
        Control::Continue
    }

    fn on_epoch(&mut self, epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        self.epochs.push(*epoch);
        self.ends.push(self.steps.len());
        Control::Continue
    }
}

/// The fastest instruction set, or the one that the environment names: a
/// sanitizer of threads does not see what wide vectors read and write.
fn isa() -> Isa {
    #[cfg(feature = "std")]
    return Isa::from_env().unwrap();
    #[cfg(not(feature = "std"))]
    Isa::detect()
}

fn workspace(widths: &[usize], threads: usize) -> Workspace {
    Workspace::new(widths, threads).with_isa(isa())
}

/// A run from `net`: the last net, the outcome of the run and its reports.
fn try_run(
    net: &Net,
    (data, val): (&Subset<'_>, &Subset<'_>),
    config: &Config,
    threads: usize,
) -> (Net, Result<Outcome, TrainError>, Log) {
    let (mut net, mut log) = (net.clone(), Log::default());
    let mut workspace = workspace(net.view().widths(), threads);
    let outcome = train(&mut net, data, val, config, &mut workspace, &mut log);
    (net, outcome, log)
}

fn run(net: &Net, data: &Subset<'_>, val: &Subset<'_>, config: &Config) -> (Net, Outcome, Log) {
    let (net, outcome, log) = try_run(net, (data, val), config, 1);
    (net, outcome.unwrap(), log)
}

fn bits(net: &Net) -> Vec<u32> {
    net.view().params().iter().map(|w| w.to_bits()).collect()
}

/// The learning rate of a step, counted from 0, by the textbook.
fn rate(rate: &LearningRate, step: usize, steps: usize, epochs: usize) -> f64 {
    let (t, warmup) = (step as f64, (rate.warmup_epochs * steps) as f64);
    if t < warmup {
        return rate.peak * (t + 1.0) / warmup;
    }
    let t = t - warmup;
    match rate.schedule {
        Schedule::Constant => rate.peak,
        Schedule::Step { epochs, factor } => {
            let falls = t as usize / (epochs * steps);
            rate.peak * factor.powi(falls as i32)
        }
        Schedule::Cosine => {
            let part = t / ((epochs * steps) as f64 - warmup);
            rate.peak * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
        }
        Schedule::Linear { hold } => {
            let part = t / ((epochs * steps) as f64 - warmup);
            let falls = (part - hold) / (1.0 - hold);
            rate.peak * if part < hold { 1.0 } else { 1.0 - falls }
        }
        other => panic!("this net has no {other:?}"),
    }
}

/// A step with all images in `f64`: the parameters after it, and the losses before it and
/// after it.
fn oracle_step(net: &Net, data: &Subset<'_>, config: &Config) -> (Vec<f64>, [f64; 2]) {
    let mut oracle = Oracle {
        widths: net.view().widths().to_vec(),
        activation: net.view().activation(),
        params: widen(net.view().params()),
    };
    let (x, labels) = examples(data.dataset(), data.indices());
    let (reduction, smoothing) = (config.reduction, f64::from(config.label_smoothing));
    let (before, gradient) = oracle.smoothed_gradient(&x, &labels, reduction, smoothing);
    let mut velocity = vec![0.0; oracle.params.len()];
    let rate = rate(&config.learning_rate, 0, 1, config.epochs);
    oracle.step(&mut velocity, &gradient, &config.optimizer, rate);
    let (after, _) = oracle.gradient(&x, &labels, reduction);
    let reduced = |sum: f64| match reduction {
        Reduction::Mean => sum / labels.len() as f64,
        _ => sum,
    };
    (oracle.params, [before, after].map(reduced))
}

/// Fails unless each tensor has moved from `start` as `expected` has, but for the error of the
/// gradient, `share` of the way, and for the roundings of a step: six operations on what it
/// moves, and one of the parameters.
fn assert_moved(net: &Net, start: &Net, expected: &[f64], share: f64, name: &str) {
    let length = |xs: &[f64]| xs.iter().map(|x| x * x).sum::<f64>().sqrt();
    let start = widen(start.view().params());
    let from_start = |params: &[f64]| -> Vec<f64> {
        let pairs = params.iter().zip(&start);
        pairs.map(|(w, start)| w - start).collect()
    };
    let moved = from_start(&widen(net.view().params()));
    let way = from_start(expected);
    for (number, tensor) in tensors(net.view().widths()).into_iter().enumerate() {
        let (moved, way) = (&moved[tensor.clone()], &way[tensor.clone()]);
        let error = relative_error(moved, way);
        let bound = share + UNIT * (6.0 + length(&expected[tensor]) / length(way));
        assert!(
            error <= bound,
            "{name}: tensor {number} is off by {error:e} of its way, {bound:e} at most"
        );
    }
}

/// One of each of what a configuration can choose, combined so that each
/// choice meets each kind of others.
fn configurations(epochs: usize) -> Vec<(Activation, Config)> {
    let optimizers = [
        PLAIN,
        HEAVY,
        Momentum {
            nesterov: true,
            ..HEAVY
        },
        Momentum {
            weight_decay: 0.02,
            ..HEAVY
        },
        Momentum {
            nesterov: true,
            weight_decay: 0.02,
            ..HEAVY
        },
    ];
    let schedules = [
        (Schedule::Constant, 0),
        (Schedule::Cosine, 0),
        (Schedule::Cosine, 1),
        (Schedule::Linear { hold: 0.0 }, 0),
        (Schedule::Linear { hold: 0.4 }, 1),
        (
            Schedule::Step {
                epochs: 1,
                factor: 0.5,
            },
            0,
        ),
        (
            Schedule::Step {
                epochs: 2,
                factor: 0.1,
            },
            1,
        ),
    ];
    let mut all = Vec::new();
    for (o, optimizer) in optimizers.into_iter().enumerate() {
        for (s, (schedule, warmup_epochs)) in schedules.into_iter().enumerate() {
            let reduction = Reduction::ALL[(o + s) % 2];
            // The sum over four examples is four times their mean.
            let peak = match reduction {
                Reduction::Mean => 0.04,
                _ => 0.01,
            };
            let config = Config {
                distortion: None,
                dropout: 0.0,
                defects: Defects::NONE,
                epochs,
                batch: Batch::Mini(4),
                learning_rate: LearningRate {
                    peak,
                    schedule,
                    warmup_epochs: warmup_epochs.min(epochs - 1),
                },
                optimizer,
                reduction,
                label_smoothing: [0.0, 0.3][(o + s / 2) % 2],
                keep: Keep::LowestLoss,
                average: None,
                patience: None,
                seed: (o * 5 + s) as u64,
            };
            all.push((Activation::ALL[(o + 2 * s) % 3], config));
        }
    }
    all
}

const WIDTHS: [usize; 4] = [19, 11, 7, 5];

/// Nets of that size: several layers, and one whose units are more than a cache
/// line of them but no whole ones.
const ALL_WIDTHS: [&[usize]; 2] = [&WIDTHS, &[19, 37, 5]];

/// Widths and activation of a net.
fn kind(net: &Net) -> (&[usize], Activation) {
    (net.view().widths(), net.view().activation())
}

/// Each configuration with each of the nets.
fn nets(epochs: usize) -> Vec<(Net, Config)> {
    let configurations = configurations(epochs);
    let with = |widths| {
        let configurations = configurations.iter();
        configurations.map(move |&(activation, config)| (random_net(widths, activation), config))
    };
    ALL_WIDTHS.into_iter().flat_map(with).collect()
}

#[test]
fn one_step_is_that_of_the_f64_net() {
    let data = random_images(4, WIDTHS[0], WIDTHS[3], 1);
    let all = Subset::all(&data);
    for (start, config) in nets(1) {
        let bound = rounding(start.view().widths(), data.len());
        for batch in [Batch::Full, Batch::Mini(4)] {
            let config = Config { batch, ..config };
            let (net, outcome, log) = run(&start, &all, &all, &config);
            let (params, [before, after]) = oracle_step(&start, &all, &config);
            let name = format!("{:?} {config:?}", kind(&start));
            assert_moved(&net, &start, &params, bound, &name);
            assert_eq!((log.steps.len(), outcome.history.len()), (1, 1));
            assert!((log.steps[0].loss / before - 1.0).abs() < bound, "{name}");
            assert!((outcome.history[0].val_loss / after - 1.0).abs() < bound);
        }
    }
}

#[test]
fn a_hundred_steps_are_those_of_the_definition() {
    // 25 steps an epoch, the last of them with two examples.
    let data = random_images(98, WIDTHS[0], WIDTHS[3], 2);
    let val = random_images(33, WIDTHS[0], WIDTHS[3], 3);
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let of = |data: &Dataset, batch: &[u32]| -> (Vec<f32>, Vec<u8>) {
        let pixels = batch.iter().flat_map(|&i| data.image(i as usize));
        let labels = batch.iter().map(|&i| data.label(i as usize));
        (
            pixels.map(|&pixel| f32::from(pixel) / 255.0).collect(),
            labels.collect(),
        )
    };
    for (start, config) in nets(4) {
        let (net, outcome, log) = run(&start, &all, &val, &config);
        let name = format!("{:?} {config:?}", kind(&start));
        assert_eq!(log.steps.len(), 100);
        let mut reference = Reference {
            widths: start.view().widths().to_vec(),
            activation: start.view().activation(),
            params: start.view().params().to_vec(),
            velocity: vec![0.0; start.view().params().len()],
            is_fused: isa().is_fused(),
        };
        let mut rng = generator(config.seed, Stream::Shuffle);
        let mut update = Update {
            rule: config.optimizer,
            learning_rate: 0.0,
            reduction: config.reduction,
            label_smoothing: config.label_smoothing,
        };
        for (epoch, row) in outcome.history.iter().enumerate() {
            let mut order = all.indices().to_vec();
            shuffle(&mut order, &mut rng);
            let mut loss = 0.0;
            for (number, batch) in order.chunks_mut(4).enumerate() {
                batch.sort_by_key(|&i| data.label(i as usize));
                let rate = config.learning_rate.at(epoch * 25 + number, 25, 4);
                assert_rate(rate, &config.learning_rate, epoch * 25 + number);
                assert!(number < 24 || row.learning_rate == rate);
                update.learning_rate = rate as f32;
                let (x, labels) = of(&data, batch);
                loss += reference.step(&x, &labels, &update);
            }
            assert_eq!(row.train_loss, loss * config.reduction.scale(98), "{name}");
            let (x, labels) = of(val.dataset(), val.indices());
            let logits = reference.forward(&x, labels.len()).pop().unwrap();
            let (_, loss) = reference.loss(&logits, &labels, &update);
            assert_eq!(row.val_loss, loss * config.reduction.scale(33), "{name}");
        }
        assert!(net.view().params() == reference.params, "{name}");
    }
}

/// Fails unless this is the rate of a step by the textbook, of four epochs of 25 steps. Where
/// the rate is near 0, so is the sum of 1 and a cosine: the error is a share of the peak, of
/// some eight operations.
fn assert_rate(found: f64, learning_rate: &LearningRate, step: usize) {
    let expected = rate(learning_rate, step, 25, 4);
    let bound = 4.0 * f64::EPSILON * learning_rate.peak;
    assert!((found - expected).abs() <= bound, "{found} for {expected}");
}

/// The loop in pieces: gradients of a workspace, which are those by the labels
/// alone, and steps of the optimiser.
#[test]
fn the_pieces_make_the_run_bit_for_bit() {
    let data = random_images(50, WIDTHS[0], WIDTHS[3], 4);
    let all = Subset::all(&data);
    for (start, config) in nets(3) {
        let config = Config {
            label_smoothing: 0.0,
            ..config
        };
        let widths = start.view().widths();
        let (net, ..) = run(&start, &all, &all, &config);

        let mut pieces = start.clone();
        let mut workspace = workspace(widths, 1);
        let mut velocity = vec![0.0; start.view().params().len()];
        let mut rng = generator(config.seed, Stream::Shuffle);
        let mut done = 0;
        for _ in 0..3 {
            let mut order = all.indices().to_vec();
            shuffle(&mut order, &mut rng);
            for batch in order.chunks_mut(4) {
                batch.sort_by_key(|&i| data.label(i as usize));
                workspace.compute_gradient(pieces.view(), &data, batch, config.reduction);
                let rate = config.learning_rate.at(done, 13, 3) as f32;
                let gradient = workspace.gradient();
                let params = pieces.params_mut();
                config
                    .optimizer
                    .step(isa(), widths, params, &mut velocity, gradient, rate);
                done += 1;
            }
        }
        assert_eq!(bits(&pieces), bits(&net), "{config:?}");
    }
}

#[test]
fn ten_images_are_learnt_by_heart() {
    let data = random_images(10, 64, 10, 6);
    let all = Subset::all(&data);
    for &activation in Activation::ALL {
        let config = Config {
            epochs: 300,
            batch: Batch::Full,
            learning_rate: constant(0.1),
            optimizer: HEAVY,
            ..Config::default()
        };
        let (net, outcome, _) = run(&random_net(&[64, 30, 10], activation), &all, &all, &config);
        let last = outcome.history.last().unwrap();
        // On average the right labels have a probability above 99 %.
        let known = -0.99_f64.ln();
        assert!(
            last.train_loss < known,
            "{activation:?}: {}",
            last.train_loss
        );
        let mut workspace = workspace(&[64, 30, 10], 1);
        let evaluation = workspace.evaluate(net.view(), &all, Reduction::Mean);
        assert!(evaluation.loss < known);
        assert_eq!(evaluation.confusion.correct(), 10);
    }
}

/// Noisy images of four kinds, some with the label of another: a net learns
/// the kinds first, then the noise, and so its validation loss falls and rises.
fn noisy(count: usize, seed: u64) -> Dataset {
    let mut rng = generator(seed, Stream::Split);
    let mut draw = |n: u32| rng.next_u32() % n;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let kind = draw(4);
        for pixel in 0..32 {
            let ink = if pixel / 8 == kind { 60 } else { 0 };
            pixels.push((ink + draw(196)) as u8);
        }
        let label = if draw(5) == 0 { draw(4) } else { kind };
        labels.push(label as u8);
    }
    Dataset::new(pixels, 4, 8, labels).unwrap()
}

/// A run that overfits, without patience: the net it starts from, and its
/// configuration.
fn overfitting() -> (Net, Config) {
    let config = Config {
        epochs: 60,
        batch: Batch::Mini(8),
        learning_rate: constant(0.1),
        optimizer: HEAVY,
        ..Config::default()
    };
    (random_net(&[32, 24, 4], Activation::Tanh), config)
}

#[test]
fn the_best_net_is_a_copy_from_the_epoch_of_lowest_validation_loss() {
    let (data, val) = (noisy(60, 1), noisy(200, 2));
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let (start, config) = overfitting();
    let (last, outcome, log) = run(&start, &all, &val, &config);
    let losses: Vec<f64> = outcome.history.iter().map(|row| row.val_loss).collect();

    // The first of the lowest, neither at the beginning nor at the end.
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best_epoch = 1 + losses.iter().position(|&loss| loss == lowest).unwrap();
    assert_eq!(outcome.best_epoch, best_epoch);
    assert!(1 < best_epoch && best_epoch < 50, "{losses:?}");
    assert!(losses[59] > 1.2 * lowest, "{losses:?}");

    let mut workspace = workspace(&[32, 24, 4], 1);
    let mut loss = |net: &Net| workspace.evaluate(net.view(), &val, Reduction::Mean).loss;
    assert_eq!(loss(&outcome.best), lowest);
    assert_eq!(loss(&last), losses[59]);
    assert_ne!(bits(&outcome.best), bits(&last));

    // At a constant rate, the net of an epoch is that of a run of so many.
    let short = Config {
        epochs: best_epoch,
        ..config
    };
    let (then, ..) = run(&start, &all, &val, &short);
    assert_eq!(bits(&outcome.best), bits(&then));

    let mut lowest = f64::INFINITY;
    for row in &log.epochs {
        assert_eq!(row.is_best, row.val_loss < lowest);
        lowest = lowest.min(row.val_loss);
    }
}

#[test]
fn patience_ends_the_run_so_many_epochs_after_the_best() {
    let (data, val) = (noisy(60, 1), noisy(200, 2));
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let (start, config) = overfitting();
    let (_, whole, _) = run(&start, &all, &val, &config);
    for patience in [1, 2, 5, 20, 60] {
        let mut since = 0;
        let end = whole.history.iter().position(|row| {
            since = if row.is_best { 0 } else { since + 1 };
            since == patience
        });
        let end = end.map_or(60, |row| row + 1);
        let config = Config {
            patience: Some(patience),
            ..config
        };
        let (_, outcome, log) = run(&start, &all, &val, &config);
        assert_eq!(outcome.history, whole.history[..end], "patience {patience}");
        assert_eq!(log.epochs, outcome.history);
        assert_eq!(end == 60, patience == 60);
        let best = outcome.history.iter().rfind(|row| row.is_best).unwrap();
        assert_eq!(outcome.best_epoch, best.epoch);
    }
}

/// Keeps the parameters after each epoch.
#[derive(Default)]
struct Nets(Vec<Vec<f32>>);

impl Observer for Nets {
    fn on_epoch(&mut self, _: &EpochReport, now: &TrainingState<'_>) -> Control {
        self.0.push(now.net.params().to_vec());
        Control::Continue
    }
}

#[test]
fn averages_are_those_of_plain_loops() {
    let (data, val) = (noisy(60, 1), noisy(200, 2));
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let (start, config) = overfitting();
    let config = config.with_epochs(7).with_keep(Keep::Last);
    let (last, ..) = run(&start, &all, &val, &config);
    let ema = Average::Ema { decay: 0.75 };
    for average in [ema, Average::LastEpochs(3), Average::LastEpochs(99)] {
        let config = config.with_average(average);
        let (mut net, mut nets) = (start.clone(), Nets::default());
        let mut workspace = workspace(start.widths(), 1);
        let outcome = train(&mut net, &all, &val, &config, &mut workspace, &mut nets).unwrap();
        // The average does not reach the training.
        assert_eq!(bits(&net), bits(&last));
        let mut mean = start.clone();
        for (epoch, params) in (1..).zip(&nets.0) {
            let first = match average {
                Average::LastEpochs(3) => 5,
                _ => 1,
            };
            let weight = match average {
                _ if epoch < first => 1.0,
                Average::Ema { .. } => 0.25 / (1.0 - 0.75_f64.powi(epoch)),
                _ => 1.0 / f64::from(epoch - first + 1),
            };
            for (mean, &param) in mean.params_mut().iter_mut().zip(params) {
                // The first one is exact.
                *mean = match weight {
                    1.0 => param,
                    weight => *mean + weight as f32 * (param - *mean),
                };
            }
            let evaluated = workspace.evaluate(mean.view(), &val, Reduction::Mean);
            let row = outcome.history[epoch as usize - 1];
            assert_eq!(row.val_loss, evaluated.loss, "{average}, epoch {epoch}");
            assert_eq!(row.val_accuracy, evaluated.confusion.accuracy());
        }
        assert_eq!(bits(&outcome.best), bits(&mean), "{average}");
        // In double precision the last average is the weighted mean of all epochs.
        let weight = |epoch: usize| match average {
            Average::Ema { decay } => decay.powi(7 - epoch as i32),
            Average::LastEpochs(count) => f64::from(u8::from(epoch + count > 7)),
            _ => unreachable!("two kinds"),
        };
        let whole: f64 = (1..=7).map(weight).sum();
        for (i, &mean) in mean.params().iter().enumerate() {
            let terms = (1..=7).map(|epoch| weight(epoch) * f64::from(nets.0[epoch - 1][i]));
            let exact = terms.sum::<f64>() / whole;
            let largest = nets.0.iter().map(|net| net[i].abs()).fold(0.0, f32::max);
            // Seven updates of three roundings each, of numbers up to twice the largest.
            let bound = 42.0 * f64::from(f32::EPSILON * largest);
            assert!(
                (f64::from(mean) - exact).abs() <= bound,
                "{average}: {mean} {exact}"
            );
        }
    }
}

#[test]
fn averages_are_read_as_they_are_written() {
    for average in [Average::Ema { decay: 0.9 }, Average::LastEpochs(12)] {
        assert_eq!(average.to_string().parse(), Ok(average));
        assert!(Config::default().with_average(average).validate().is_ok());
    }
    for text in [
        "", "ema", "ema:0", "ema:1", "ema:nan", "last:0", "last:-1", "mean:3",
    ] {
        assert!(text.parse::<Average>().is_err(), "{text}");
    }
    for average in [Average::Ema { decay: f64::NAN }, Average::LastEpochs(0)] {
        let error = Config::default()
            .with_average(average)
            .validate()
            .unwrap_err();
        assert!(matches!(error, ConfigError::Average { .. }));
    }
}

/// The epoch that a rule keeps of these, counted from 1.
fn chosen(keep: Keep, history: &[EpochReport]) -> usize {
    let better = |one: &&EpochReport, other: &&EpochReport| match keep {
        Keep::LowestLoss => other.val_loss.total_cmp(&one.val_loss),
        Keep::HighestAccuracy => one
            .val_accuracy
            .total_cmp(&other.val_accuracy)
            .then(other.val_loss.total_cmp(&one.val_loss)),
        _ => one.epoch.cmp(&other.epoch),
    };
    // Of equal ones the last that is seen, which is the first of the history.
    history.iter().rev().max_by(better).unwrap().epoch
}

#[test]
fn the_rule_decides_which_net_is_kept_and_nothing_else() {
    let (data, val) = (noisy(60, 1), noisy(200, 2));
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let (start, config) = overfitting();
    let mut differ = false;
    for seed in 1..=4 {
        let config = config.with_seed(seed);
        let (last, lowest, _) = run(&start, &all, &val, &config);
        for &keep in Keep::ALL {
            let config = config.with_keep(keep);
            let (net, outcome, _) = run(&start, &all, &val, &config);
            assert_eq!(bits(&net), bits(&last));
            let kept = outcome.best_epoch;
            assert_eq!(kept, chosen(keep, &outcome.history), "{keep}");
            for (i, row) in outcome.history.iter().enumerate() {
                assert_eq!(row.val_loss, lowest.history[i].val_loss);
                let is_best = chosen(keep, &outcome.history[..=i]) == i + 1;
                assert_eq!(row.is_best, is_best, "{keep}, epoch {}", i + 1);
            }
            let (then, ..) = run(&start, &all, &val, &config.with_epochs(kept));
            assert_eq!(bits(&outcome.best), bits(&then));
            differ |= keep == Keep::HighestAccuracy && kept != lowest.best_epoch;
        }
    }
    assert!(differ, "both rules choose the same epochs");
}

#[test]
fn patience_waits_for_a_better_epoch_whichever_is_kept() {
    let (data, val) = (noisy(60, 1), noisy(200, 2));
    let (all, val) = (Subset::all(&data), Subset::all(&val));
    let (start, config) = overfitting();
    for (keep, rule) in [
        (Keep::HighestAccuracy, Keep::HighestAccuracy),
        (Keep::Last, Keep::LowestLoss),
    ] {
        let config = config.with_keep(keep).with_patience(3);
        let (last, outcome, _) = run(&start, &all, &val, &config);
        let better = chosen(rule, &outcome.history);
        assert_eq!(outcome.history.len(), better + 3, "{keep}");
        if keep == Keep::Last {
            assert_eq!(bits(&outcome.best), bits(&last));
        }
    }
}

#[test]
fn the_rule_follows_smoothing_schedule_and_patience() {
    let smooth = Config::default().with_label_smoothing(0.1);
    let constant = smooth.with_learning_rate(0.1, Schedule::Constant);
    for (config, keep) in [
        (Config::default(), Keep::LowestLoss),
        (smooth, Keep::Last),
        (smooth.with_patience(5), Keep::HighestAccuracy),
        (constant, Keep::HighestAccuracy),
    ] {
        assert_eq!(config.suited_keep(), keep, "{config:?}");
    }
}

#[test]
fn no_examples_have_no_loss_and_no_classes() {
    let (widths, data) = ([3, 4, 2], random_images(2, 3, 2, 1));
    let (net, none) = (
        random_net(&widths, Activation::Tanh),
        Subset::new(&data, vec![]),
    );
    for &reduction in Reduction::ALL {
        let evaluation = workspace(&widths, 1).evaluate(net.view(), &none, reduction);
        assert_eq!((evaluation.loss, evaluation.confusion.total()), (0.0, 0));
    }
}

/// A rate so small that no parameter moves: the loss of a step names its
/// examples.
fn standstill(batch: Batch, epochs: usize, seed: u64) -> Config {
    Config {
        distortion: None,
        dropout: 0.0,
        defects: Defects::NONE,
        epochs,
        batch,
        learning_rate: constant(1e-30),
        optimizer: PLAIN,
        reduction: Reduction::Sum,
        label_smoothing: 0.0,
        keep: Keep::LowestLoss,
        average: None,
        patience: None,
        seed,
    }
}

#[test]
fn of_equal_validation_losses_the_first_is_best() {
    let data = random_images(10, WIDTHS[0], WIDTHS[3], 13);
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Tanh);
    let config = Config {
        patience: Some(3),
        ..standstill(Batch::Full, 9, 1)
    };
    let (_, outcome, _) = run(&start, &all, &all, &config);
    let best: Vec<bool> = outcome.history.iter().map(|row| row.is_best).collect();
    assert_eq!(best, [true, false, false, false]);
    assert_eq!(outcome.best_epoch, 1);
}

#[test]
fn each_epoch_has_every_example_once_in_an_order_of_its_own() {
    let data = random_images(40, 19, 5, 7);
    // Not all examples, and not in the order of the file.
    let indices: Vec<u32> = (0..31).map(|i| (i * 9 + 3) % 40).collect();
    let (some, all) = (Subset::new(&data, indices.clone()), Subset::all(&data));
    let start = random_net(&WIDTHS, Activation::Tanh);
    let mut workspace = workspace(&WIDTHS, 1);
    let mut alone = |i: u32| workspace.compute_gradient(start.view(), &data, &[i], Reduction::Sum);
    let mut expected: Vec<u64> = indices.iter().map(|&i| alone(i).to_bits()).collect();
    expected.sort_unstable();

    let mut orders = Vec::new();
    for seed in [1, 2] {
        let config = standstill(Batch::Mini(1), 3, seed);
        let (net, _, log) = run(&start, &some, &all, &config);
        assert_eq!(bits(&net), bits(&start));
        let losses: Vec<u64> = log.steps.iter().map(|step| step.loss.to_bits()).collect();
        for order in losses.chunks(31) {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, expected);
            assert!(!orders.contains(&order.to_vec()), "an order came twice");
            orders.push(order.to_vec());
        }
    }
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_seed_fixes_every_bit() {
    let data = random_images(98, WIDTHS[0], WIDTHS[3], 2);
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Sigmoid);
    let config = Config {
        epochs: 3,
        batch: Batch::Mini(8),
        ..Config::default()
    };
    let first = run(&start, &all, &all, &config);
    let again = run(&start, &all, &all, &config);
    assert_eq!(bits(&first.0), bits(&again.0));
    assert_eq!((&first.1, &first.2), (&again.1, &again.2));
    let other = run(&start, &all, &all, &Config { seed: 2, ..config });
    assert_ne!(bits(&first.0), bits(&other.0));
}

#[test]
fn arms_that_round_alike_make_the_same_run() {
    let data = random_images(50, WIDTHS[0], WIDTHS[3], 4);
    let all = Subset::all(&data);
    let config = Config {
        epochs: 2,
        batch: Batch::Mini(12),
        optimizer: Momentum {
            nesterov: true,
            weight_decay: 0.02,
            ..HEAVY
        },
        label_smoothing: 0.1,
        ..Config::default()
    };
    for widths in ALL_WIDTHS {
        for &activation in Activation::ALL {
            let start = random_net(widths, activation);
            let mut of_class = [None, None];
            for isa in arms() {
                let mut net = start.clone();
                let mut workspace = Workspace::new(widths, 1).with_isa(isa);
                let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ());
                let found = (bits(&net), outcome.unwrap());
                let first = of_class[usize::from(isa.is_fused())].get_or_insert(found.clone());
                assert_eq!(found, *first, "{:?}, {}", kind(&start), isa.name());
            }
        }
    }
}

/// A workspace that has been used for something else before.
#[test]
fn what_a_workspace_did_before_does_not_matter() {
    let data = random_images(98, WIDTHS[0], WIDTHS[3], 2);
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Sigmoid);
    let config = Config {
        epochs: 2,
        batch: Batch::Mini(10),
        ..Config::default()
    };
    let (fresh, expected, _) = run(&start, &all, &all, &config);
    let mut workspace = workspace(&WIDTHS, 1);
    let broken = Net::new(
        &WIDTHS,
        Activation::Relu,
        vec![f32::NAN; start.view().params().len()],
    );
    workspace.evaluate(broken.view(), &all, Reduction::Sum);
    let mut net = start.clone();
    let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ());
    assert_eq!(outcome.unwrap(), expected);
    assert_eq!(bits(&net), bits(&fresh));
}

#[test]
fn a_full_batch_is_one_step_an_epoch_in_the_given_order() {
    let data = random_images(300, WIDTHS[0], WIDTHS[3], 8);
    let order: Vec<u32> = (0..300).map(|i| (i * 7) % 300).collect();
    let backwards: Vec<u32> = order.iter().rev().copied().collect();
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Sigmoid);
    let config = Config {
        epochs: 2,
        batch: Batch::Full,
        learning_rate: constant(0.5),
        optimizer: PLAIN,
        ..Config::default()
    };
    let by_hand = |order: &[u32]| {
        let (mut net, mut workspace) = (start.clone(), workspace(&WIDTHS, 1));
        let mut velocity = vec![0.0; net.view().params().len()];
        for _ in 0..2 {
            workspace.compute_gradient(net.view(), &data, order, Reduction::Mean);
            let gradient = workspace.gradient();
            PLAIN.step(
                isa(),
                &WIDTHS,
                net.params_mut(),
                &mut velocity,
                gradient,
                0.5,
            );
        }
        bits(&net)
    };
    let some = Subset::new(&data, order.clone());
    let (net, _, log) = run(&start, &some, &all, &config);
    assert_eq!(bits(&net), by_hand(&order));
    assert_ne!(bits(&net), by_hand(&backwards), "the order leaves no trace");
    assert_eq!(log.ends, [1, 2]);
    assert!(
        log.steps
            .iter()
            .all(|step| (step.steps, step.examples) == (1, 300))
    );
}

#[test]
fn the_observer_sees_every_step_and_epoch() {
    let data = random_images(23, WIDTHS[0], WIDTHS[3], 9);
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Tanh);
    // Batches that divide the examples, that do not, of one and beyond all.
    for (batch, steps, rest) in [(23, 1, 23), (5, 5, 3), (1, 23, 1), (22, 2, 1), (99, 1, 23)] {
        for &reduction in Reduction::ALL {
            let config = Config {
                epochs: 3,
                batch: Batch::Mini(batch),
                learning_rate: constant(0.01),
                reduction,
                ..Config::default()
            };
            let (_, outcome, log) = run(&start, &all, &all, &config);
            assert_eq!(log.ends, [steps, 2 * steps, 3 * steps]);
            assert_eq!(log.epochs, outcome.history);
            for (number, step) in log.steps.iter().enumerate() {
                let last = step.step == steps;
                assert_eq!(step.epoch, number / steps + 1);
                assert_eq!(step.step, number % steps + 1);
                assert_eq!(step.steps, steps);
                assert_eq!(step.examples, if last { rest } else { batch });
            }
            for (row, steps) in log.epochs.iter().zip(log.steps.chunks(steps)) {
                assert_eq!(row.epoch, steps[0].epoch);
                let (mut sum, mut examples) = (0.0, 0);
                for step in steps {
                    sum += step.loss / reduction.scale(step.examples);
                    examples += step.examples;
                }
                assert_eq!(examples, 23);
                let loss = sum * reduction.scale(23);
                // Scaled and summed in another order, three roundings for each step.
                let bound = (3 * steps.len()) as f64 * f64::EPSILON / 2.0;
                assert!((row.train_loss / loss - 1.0).abs() < bound);
            }
        }
    }
}

#[cfg(feature = "rayon")]
mod threads {
    use super::*;

    /// Images of which most pixels are zero.
    fn images(count: usize, features: usize) -> Dataset {
        let pixel = |at: usize| match (at * 31) % 7 {
            0 => (at % 251) as u8,
            _ => 0,
        };
        let pixels = (0..count * features).map(pixel).collect();
        let labels = (0..count).map(|i| (i * 7 % 10) as u8).collect();
        Dataset::new(pixels, 1, features, labels).unwrap()
    }

    #[test]
    fn their_number_changes_no_bit() {
        // So large that steps are shared out, and so many that each way of it
        // is tried: by examples, and where there is one hidden layer and a
        // mini-batch is one chunk by hidden units too.
        let data = images(300, 203);
        let all = Subset::all(&data);
        for (widths, batch) in [
            (&[203, 70, 10][..], Batch::Mini(50)),
            (&[203, 37, 10], Batch::Mini(64)),
            (&[203, 70, 10], Batch::Mini(290)),
            (&[203, 70, 10], Batch::Full),
            (&[203, 60, 50, 10], Batch::Mini(50)),
            (&[203, 10], Batch::Full),
        ] {
            for &activation in Activation::ALL {
                let start = random_net(widths, activation);
                let config = Config {
                    epochs: 5,
                    batch,
                    learning_rate: constant(0.05),
                    ..Config::default()
                };
                let trained = |threads| {
                    let (net, outcome, log) = try_run(&start, (&all, &all), &config, threads);
                    (bits(&net), outcome.unwrap(), log)
                };
                let alone = trained(1);
                for threads in [2, 3, 16] {
                    assert_eq!(trained(threads), alone, "{widths:?}, {threads} threads");
                }
            }
        }
    }

    #[test]
    fn a_loss_that_is_not_finite_is_found_alike() {
        let data = images(300, 203);
        let all = Subset::all(&data);
        let start = random_net(&[203, 70, 10], Activation::Relu);
        let config = Config {
            epochs: 3,
            batch: Batch::Mini(128),
            learning_rate: constant(1e30),
            ..Config::default()
        };
        let failed = |threads| {
            let (net, outcome, _) = try_run(&start, (&all, &all), &config, threads);
            (outcome.unwrap_err(), bits(&net))
        };
        assert_eq!(failed(2), failed(1));
    }
}

mod divergence {
    use super::*;

    /// Two images, ink at the left and at the right.
    fn two() -> Dataset {
        Dataset::new(vec![255, 0, 0, 255], 1, 2, vec![0, 1]).unwrap()
    }

    /// The overflow that has ended a run.
    fn non_finite(outcome: Result<Outcome, TrainError>) -> NonFiniteError {
        match outcome.unwrap_err() {
            TrainError::NonFinite(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn error(net: &Net, config: &Config) -> (NonFiniteError, Net, Log) {
        let data = two();
        let all = Subset::all(&data);
        let (net, outcome, log) = try_run(net, (&all, &all), config, 1);
        (non_finite(outcome), net, log)
    }

    fn full(epochs: usize, peak: f64) -> Config {
        Config {
            epochs,
            batch: Batch::Full,
            learning_rate: constant(peak),
            optimizer: PLAIN,
            ..Config::default()
        }
    }

    /// The net 2-2-2 with these weights and no biases.
    fn net(activation: Activation, w1: [f32; 4], w2: [f32; 4]) -> Net {
        let mut params = vec![0.0; 12];
        params[..4].copy_from_slice(&w1);
        params[6..10].copy_from_slice(&w2);
        Net::new(&[2, 2, 2], activation, params)
    }

    const ONE: [f32; 4] = [1.0, 0.0, 0.0, 1.0];

    /// The first pass of a net, which is not finite.
    fn first(net: &Net) -> Tensor {
        let (error, after, log) = error(net, &full(1, 0.1));
        assert_eq!((error.epoch, error.step), (1, 1));
        assert_eq!((log.steps.len(), log.epochs.len()), (0, 0));
        assert_eq!(bits(&after), bits(net), "a step with a broken gradient");
        error.tensor
    }

    #[test]
    fn broken_parameters_are_named() {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            // Relu must not make a zero of it.
            for &activation in Activation::ALL {
                for (place, tensor) in [
                    (1, Tensor::Weights(1)),
                    (5, Tensor::Biases(1)),
                    (8, Tensor::Weights(2)),
                    (11, Tensor::Biases(2)),
                ] {
                    let mut net = net(activation, ONE, ONE);
                    net.params_mut()[place] = broken;
                    let data = two();
                    let all = Subset::all(&data);
                    let (_, outcome, _) = try_run(&net, (&all, &all), &full(1, 0.1), 1);
                    // An infinite input of a hidden unit may merely saturate it.
                    if outcome.is_err() {
                        assert_eq!(
                            non_finite(outcome).tensor,
                            tensor,
                            "{activation:?} {broken}"
                        );
                    } else {
                        assert!(broken.is_infinite() && place < 6);
                    }
                }
            }
        }
        let mut net = net(Activation::Relu, ONE, ONE);
        net.params_mut()[0] = f32::NAN;
        assert_eq!(first(&net), Tensor::Weights(1));
        let (error, ..) = error(&net, &full(1, 0.1));
        assert_eq!(
            error.to_string(),
            "the loss stopped being finite in epoch 1, step 1: the weights of layer 1 \
             overflowed first"
        );
    }

    #[test]
    fn overflow_on_the_way_up_is_named() {
        // 3·10³⁸ · 1 twice is beyond f32 in one unit.
        let mut hidden = net(Activation::Relu, [3e38, 0.0, 0.0, 1.0], ONE);
        hidden.params_mut()[4] = 3e38;
        assert_eq!(first(&hidden), Tensor::Activations(1));
        // Hidden units of 10³⁰, finite, and logits of 10⁶⁰, not.
        let logits = net(
            Activation::Relu,
            [1e30, 0.0, 0.0, 1.0],
            [1e30, 0.0, 0.0, 1.0],
        );
        assert_eq!(first(&logits), Tensor::Logits);
        // Saturated units of 1 each, weighted so that they overflow together.
        let sigmoid = net(Activation::Sigmoid, [90.0; 4], [3e38, 0.0, 3e38, 0.0]);
        assert_eq!(first(&sigmoid), Tensor::Logits);
        // Finite logits whose distance is not.
        let loss = net(Activation::Relu, ONE, [-3e38, 3e38, 3e38, -3e38]);
        assert_eq!(first(&loss), Tensor::Loss);
    }

    /// After a pass over many examples, one over few.
    #[test]
    fn what_an_earlier_pass_left_is_not_blamed() {
        let data = random_images(300, 2, 2, 11);
        let mut workspace = workspace(&[2, 2, 2], 1);
        let all = Subset::all(&data);
        let hot = net(Activation::Relu, [3e38; 4], ONE);
        workspace.evaluate(hot.view(), &all, Reduction::Sum);
        let mut net = net(Activation::Relu, ONE, [-3e38, 3e38, 3e38, -3e38]);
        let data = two();
        let all = Subset::all(&data);
        let outcome = train(&mut net, &all, &all, &full(1, 0.1), &mut workspace, &mut ());
        assert_eq!(non_finite(outcome).tensor, Tensor::Loss);
    }

    #[test]
    fn an_absurd_rate_ends_within_the_step_that_shows_it() {
        // The first step leaves weights and biases of 10²⁹: hidden units of
        // 10²⁹ whatever the image, and logits of 10⁵⁸.
        let start = net(Activation::Relu, ONE, ONE);
        let one_by_one = Config {
            batch: Batch::Mini(1),
            ..full(5, 1e30)
        };
        let (found, _, log) = error(&start, &one_by_one);
        assert_eq!((found.epoch, found.step), (1, 2));
        assert_eq!(found.tensor, Tensor::Logits);
        assert_eq!((log.steps.len(), log.epochs.len()), (1, 0));

        // At the end of an epoch it is validation that shows it.
        let (found, _, log) = error(&start, &full(5, 1e30));
        assert_eq!((found.epoch, found.step), (1, 1));
        assert_eq!(found.tensor, Tensor::Logits);
        assert_eq!((log.steps.len(), log.epochs.len()), (1, 0));
    }

    #[test]
    fn the_epoch_that_breaks_is_named() {
        let start = net(Activation::Relu, ONE, ONE);
        for (factor, tensor) in [(1e32, Tensor::Logits), (1e42, Tensor::Weights(1))] {
            let mut config = full(5, 1e-3);
            config.learning_rate.schedule = Schedule::Step { epochs: 2, factor };
            let (found, _, log) = error(&start, &config);
            assert_eq!((found.epoch, found.step, found.tensor), (3, 1, tensor));
            assert_eq!((log.steps.len(), log.epochs.len()), (3, 2));
            assert!(log.steps.iter().all(|step| step.loss.is_finite()));
        }
    }

    /// One bright image before 600 black ones, which meet no weight.
    #[test]
    fn an_image_that_breaks_is_not_hidden_by_later_ones() {
        let mut pixels = vec![0; 2 * 601];
        pixels[0] = 255;
        let data = Dataset::new(pixels, 1, 2, (0..601).map(|i| (i % 2) as u8).collect()).unwrap();
        let (black, all) = (Subset::new(&data, vec![1, 2]), Subset::all(&data));
        let start = net(
            Activation::Relu,
            [1e30, 0.0, 0.0, 1.0],
            [1e30, 0.0, 0.0, 1.0],
        );
        let config = Config {
            batch: Batch::Mini(1),
            ..full(1, 1e-3)
        };
        let (_, outcome, log) = try_run(&start, (&black, &all), &config, 1);
        let found = non_finite(outcome);
        assert_eq!((found.epoch, found.step), (1, 2));
        assert_eq!(found.tensor, Tensor::Logits);
        assert_eq!((log.steps.len(), log.epochs.len()), (2, 0));

        let (_, outcome, _) = try_run(&start, (&all, &black), &full(1, 1e-3), 1);
        let found = non_finite(outcome);
        assert_eq!((found.epoch, found.step), (1, 1));
        assert_eq!(found.tensor, Tensor::Logits);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let data = two();
        let (all, none) = (Subset::all(&data), Subset::new(&data, Vec::new()));
        let net = net(Activation::Relu, ONE, ONE);
        let sound = full(1, 0.1);
        let course = |schedule| Config {
            learning_rate: LearningRate {
                schedule,
                ..sound.learning_rate
            },
            ..sound
        };
        let zero_batch = Config {
            batch: Batch::Mini(0),
            ..sound
        };
        let all_smooth = Config {
            label_smoothing: 1.0,
            ..sound
        };
        let no_patience = Config {
            patience: Some(0),
            ..sound
        };
        let all_held = Schedule::Linear { hold: 1.0 };
        let no_fall = Schedule::Step {
            epochs: 0,
            factor: 0.5,
        };
        assert!(try_run(&net, (&all, &all), &sound, 1).1.is_ok());
        let rate = |peak| TrainError::Config(ConfigError::LearningRate { peak });
        let schedule = |schedule| TrainError::Config(ConfigError::Schedule { schedule });
        let smoothing = 1.0;
        for (data, val, config, error) in [
            (&none, &all, sound, TrainError::NoExamples),
            (&all, &none, sound, TrainError::NoExamples),
            (&all, &all, full(0, 0.1), ConfigError::NoEpochs.into()),
            (&all, &all, full(1, 0.0), rate(0.0)),
            (&all, &all, full(1, -0.1), rate(-0.1)),
            (&all, &all, full(1, f64::INFINITY), rate(f64::INFINITY)),
            (&all, &all, course(no_fall), schedule(no_fall)),
            (&all, &all, course(all_held), schedule(all_held)),
            (&all, &all, zero_batch, ConfigError::EmptyBatch.into()),
            (
                &all,
                &all,
                all_smooth,
                ConfigError::LabelSmoothing { smoothing }.into(),
            ),
            (&all, &all, no_patience, ConfigError::NoPatience.into()),
        ] {
            let (after, outcome, log) = try_run(&net, (data, val), &config, 1);
            assert_eq!(outcome, Err(error), "{config:?}");
            assert_eq!((after, log), (net.clone(), Log::default()));
        }
        let (_, outcome, _) = try_run(&net, (&all, &all), &full(1, f64::NAN), 1);
        assert!(outcome.unwrap_err().to_string().contains("NaN"));
    }

    /// Saved in the middle of an epoch of more examples.
    #[test]
    fn a_run_in_the_middle_of_another_epoch_is_refused() {
        let data = two();
        let all = Subset::all(&data);
        let mut run = Checkpoint::new(net(Activation::Relu, ONE, ONE), full(1, 0.1));
        run.step = 2;
        let mut workspace = workspace(&[2, 2, 2], 1);
        let error = resume(&mut run, &all, &all, &mut workspace, &mut ()).unwrap_err();
        assert_eq!(error, TrainError::StepBeyondEpoch { step: 2, steps: 1 });
    }

    #[test]
    fn an_error_that_is_passed_on_is_said_once() {
        use std::error::Error;
        let error = TrainError::from(ConfigError::NoEpochs);
        assert_eq!(error.to_string(), "training for no epochs");
        assert!(error.source().is_none());
        assert_eq!(error.non_finite(), None);
    }
}

/// An observer as a trait object, and one behind a mutable reference.
#[test]
fn observers_may_be_trait_objects() {
    let data = random_images(30, WIDTHS[0], WIDTHS[3], 1);
    let all = Subset::all(&data);
    let start = random_net(&WIDTHS, Activation::Tanh);
    let (_, config) = configurations(2).remove(0);
    let (_, _, expected) = run(&start, &all, &all, &config);
    let train_with = |observer: &mut dyn Observer| {
        let mut workspace = workspace(&WIDTHS, 1);
        train(
            &mut start.clone(),
            &all,
            &all,
            &config,
            &mut workspace,
            observer,
        )
        .unwrap();
    };
    let mut log = Log::default();
    train_with(&mut log);
    assert_eq!(log, expected);
    let mut log = Log::default();
    let mut lent = &mut log;
    train_with(&mut lent);
    assert_eq!(log, expected);
}

/// The published package is without the data, and so without this test.
#[cfg(feature = "std")]
#[test]
fn two_epochs_of_the_default_learn_mnist() {
    use handwritten::data::{Split, Splits};
    use handwritten::{Init, files};

    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    if !dir.join("train-images-idx3-ubyte.gz").exists() {
        eprintln!("skipped: {} holds no MNIST", dir.display());
        return;
    }
    let loaded = files::load(&dir).unwrap();
    assert_eq!(loaded.source, files::KnownDataset::Mnist);
    let mut rng = generator(1, Stream::Split);
    let splits = Splits::new(&loaded.train, &loaded.test, Split::Question, &mut rng).unwrap();
    let mut rng = generator(1, Stream::Weights);
    let start = Net::random(&[784, 128, 10], Activation::Sigmoid, Init::Glorot, &mut rng);
    let config = Config {
        epochs: 2,
        ..Config::default()
    };
    let (_, outcome, log) = try_run(&start, (&splits.train, &splits.val), &config, 2);
    let outcome = outcome.unwrap();
    assert_eq!(log.ends, [938, 1876]);
    assert_eq!(outcome.best_epoch, 2);
    let accuracy = outcome.history[1].val_accuracy;
    assert!(accuracy > 0.95, "{accuracy}");
}
