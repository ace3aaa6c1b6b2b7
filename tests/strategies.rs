//! Each strategy of a training step, pinned, has the bits of the definition of a step; a
//! strategy that is not possible is an error.

#![cfg(feature = "rayon")]

#[path = "common/arms.rs"]
mod arms;
#[path = "common/reference.rs"]
mod reference;

use arms::arms;
use handwritten::compute::rng::{Stream, generator, shuffle};
use handwritten::data::{Dataset, Distorter, Distortion, ImageSource, Subset};
use handwritten::net::defects::{Defect, Defects};
use handwritten::net::dropout::Dropout;
use handwritten::net::loss::{LossTarget, softmax_cross_entropy};
use handwritten::net::optimizer::Update;
use handwritten::net::{activations_len, params_len};
use handwritten::training::{Control, EpochImages, StepReport, TrainError, resume_with};
use handwritten::{
    Activation, Batch, Checkpoint, Config, Context, Isa, LearningRate, MatMut, MatRef, Momentum,
    Net, Observer, Reduction, Schedule, Strategy, Workspace, resume,
};
use reference::Reference;

const ROWS: usize = 7;
const COLUMNS: usize = 29;
const FEATURES: usize = ROWS * COLUMNS;
const CLASSES: usize = 10;

/// Images of which most pixels are zero, some in all images.
fn images(count: usize) -> Dataset {
    let pixel = |at: usize| match (at / FEATURES * 5 + at % FEATURES * 31) % 7 {
        0 if at % FEATURES > 20 => (at % 251) as u8,
        _ => 0,
    };
    let pixels = (0..count * FEATURES).map(pixel).collect();
    let labels = (0..count).map(|i| (i * 7 % CLASSES) as u8).collect();
    Dataset::new(pixels, ROWS, COLUMNS, labels).unwrap()
}

/// A net whose parameters are scattered between −0.1 and 0.1, biases too.
fn net(widths: &[usize], activation: Activation) -> Net {
    let param = |i: usize| (i * 7919 % 1009) as f32 / 5045.0 - 0.1;
    let params = (0..params_len(widths)).map(param).collect();
    Net::new(widths, activation, params)
}

fn config(batch: usize) -> Config {
    Config {
        epochs: 2,
        batch: Batch::Mini(batch),
        learning_rate: LearningRate {
            peak: 0.05,
            schedule: Schedule::Constant,
            warmup_epochs: 0,
        },
        optimizer: Momentum {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.01,
        },
        reduction: Reduction::Mean,
        label_smoothing: 0.1,
        ..Config::default()
    }
}

/// Bits of parameters, of velocities, and of the training loss of each epoch.
type Bits = (Vec<u32>, Vec<u32>, Vec<u64>);

fn bits(params: &[f32], velocity: &[f32], losses: impl Iterator<Item = f64>) -> Bits {
    let of = |xs: &[f32]| xs.iter().map(|x| x.to_bits()).collect();
    (of(params), of(velocity), losses.map(f64::to_bits).collect())
}

fn update(config: &Config) -> Update {
    Update {
        rule: config.optimizer,
        learning_rate: config.learning_rate.peak as f32,
        reduction: config.reduction,
        label_smoothing: config.label_smoothing,
    }
}

/// The mini-batches of each epoch: shuffled, then each sorted by label.
fn epochs(data: &Dataset, config: &Config) -> Vec<Vec<Vec<u32>>> {
    let Batch::Mini(batch) = config.batch else {
        panic!("a full batch is not shuffled")
    };
    let mut rng = generator(config.seed, Stream::Shuffle);
    let epoch = |_| {
        let mut order: Vec<u32> = (0..).take(data.len()).collect();
        shuffle(&mut order, &mut rng);
        let sorted = |batch: &[u32]| {
            let mut batch = batch.to_vec();
            batch.sort_by_key(|&i| data.label(i as usize));
            batch
        };
        order.chunks(batch).map(sorted).collect()
    };
    (0..config.epochs).map(epoch).collect()
}

/// The images of an epoch, counted from 1, each distorted as the configuration says.
fn distorted(data: &Dataset, config: &Config, epoch: usize) -> Dataset {
    let Some(distortion) = config.distortion else {
        return data.clone();
    };
    let mut distorter = Distorter::new(data, distortion, config.seed, config.epochs);
    distorter.start_epoch(epoch);
    let mut pixels = data.pixels().to_vec();
    for (index, image) in (0..).zip(pixels.chunks_exact_mut(FEATURES)) {
        distorter.write(index, 0, image);
    }
    Dataset::new(pixels, ROWS, COLUMNS, data.labels().to_vec()).unwrap()
}

/// A step of the definition that can be followed by hand: Z1 = 1·1 + ½·2 − 1 = 1 = A, both
/// logits are 0, so dZ2 = (−½, ½) and dZ1 = −½·1 + ½·(−1) = −1.
#[test]
fn a_step_known_by_hand() {
    let mut reference = Reference {
        widths: vec![2, 1, 2],
        activation: Activation::Relu,
        params: vec![1.0, 2.0, -1.0, 1.0, -1.0, -1.0, 1.0],
        velocity: vec![0.0; 7],
        is_fused: true,
    };
    let update = Update {
        rule: Momentum {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        learning_rate: 0.5,
        reduction: Reduction::Mean,
        label_smoothing: 0.0,
    };
    let loss = reference.step(&[1.0, 0.5], &[0], &update);
    assert_eq!(loss as f32, std::f32::consts::LN_2);
    assert_eq!(
        reference.params,
        [1.5, 2.25, -0.5, 1.25, -1.25, -0.75, 0.75]
    );
}

/// Training by the definition of a step, in plain loops.
fn defined(start: &Net, data: &Dataset, config: &Config, is_fused: bool) -> Bits {
    let net = start.view();
    let mut reference = Reference {
        widths: net.widths().to_vec(),
        activation: net.activation(),
        params: net.params().to_vec(),
        velocity: vec![0.0; net.params().len()],
        is_fused,
    };
    let mut losses = vec![];
    for (number, epoch) in (1..).zip(epochs(data, config)) {
        let data = &distorted(data, config, number);
        let mut loss = 0.0;
        for batch in epoch {
            let pixels = batch.iter().flat_map(|&i| data.image(i as usize));
            let x: Vec<f32> = pixels.map(|&pixel| f32::from(pixel) / 255.0).collect();
            let labels: Vec<u8> = batch.iter().map(|&i| data.label(i as usize)).collect();
            loss += reference.step(&x, &labels, &update(config));
        }
        losses.push(loss * config.reduction.scale(data.len()));
    }
    bits(&reference.params, &reference.velocity, losses.into_iter())
}

/// Training by the public passes of a net, one after another over the whole mini-batch.
fn by_passes(start: &Net, data: &Dataset, config: &Config, isa: Isa) -> Bits {
    let widths = start.view().widths();
    let mut net = start.clone();
    let mut velocity = vec![0.0; net.view().params().len()];
    let mut losses = vec![];
    for (number, epoch) in (1..).zip(epochs(data, config)) {
        let data = &distorted(data, config, number);
        let mut sum = 0.0;
        for batch in epoch {
            let (gradient, loss) = gradient(&net, data, &batch, config, isa);
            let (params, rate) = (net.params_mut(), config.learning_rate.peak as f32);
            config
                .optimizer
                .step(isa, widths, params, &mut velocity, &gradient, rate);
            sum += loss;
        }
        losses.push(sum * config.reduction.scale(data.len()));
    }
    bits(net.view().params(), &velocity, losses.into_iter())
}

/// The gradient by the public passes, and the sum of the losses.
fn gradient(
    net: &Net,
    data: &Dataset,
    batch: &[u32],
    config: &Config,
    isa: Isa,
) -> (Vec<f32>, f64) {
    let (net, rows) = (net.view(), batch.len());
    let (mut pixels, mut labels) = (vec![0.0; rows * FEATURES], vec![0; rows]);
    data.gather(batch, &mut pixels, &mut labels);
    let x = MatRef::new(&pixels, rows, FEATURES);
    let mut activations = vec![0.0; activations_len(net.widths(), rows)];
    let (mut deltas, mut losses) = (activations.clone(), vec![0.0; rows]);
    let mut packing = Context::packing(1);
    let ctx = &mut Context::new(1, &mut packing).with_isa(isa);
    let target = LossTarget {
        scale: config.reduction.scale(rows) as f32,
        label_smoothing: config.label_smoothing,
    };
    let logits = net.forward(x, &mut activations, ctx);
    let start = deltas.len() - rows * CLASSES;
    let dlogits = MatMut::new(&mut deltas[start..], rows, CLASSES);
    softmax_cross_entropy(isa, logits, &labels, target, dlogits, &mut losses);
    let mut gradient = vec![0.0; net.params().len()];
    net.backward(x, &activations, &mut deltas, &mut gradient, ctx);
    (gradient, losses.into_iter().map(f64::from).sum())
}

/// Training in the crate's loop.
fn trained(start: &Net, data: &Dataset, config: &Config, workspace: &mut Workspace) -> Bits {
    let all = Subset::all(data);
    let mut run = Checkpoint::new(start.clone(), *config);
    resume(&mut run, &all, &all, workspace, &mut ()).unwrap();
    let losses = run.history.iter().map(|epoch| epoch.train_loss);
    bits(run.net.view().params(), &run.velocity, losses)
}

/// A rule of training for the net and batch of these numbers: alternately that of
/// [`config`], and plain momentum on the sum of the losses of distorted images.
fn rule(number: usize, batch: usize) -> Config {
    let config = config(batch);
    if number.is_multiple_of(2) {
        return config;
    }
    Config {
        learning_rate: LearningRate {
            peak: 0.001,
            ..config.learning_rate
        },
        optimizer: Momentum {
            momentum: 0.5,
            nesterov: false,
            weight_decay: 0.0,
        },
        reduction: Reduction::Sum,
        label_smoothing: 0.0,
        distortion: Some(Distortion::ELASTIC),
        ..config
    }
}

#[test]
fn every_strategy_makes_the_steps_of_the_definition() {
    let mut runs = [0; Strategy::ALL.len()];
    let activations = Activation::ALL.iter().cycle();
    let all_widths = [
        &[FEATURES, CLASSES][..],
        &[FEATURES, 1, CLASSES],
        &[FEATURES, 30, CLASSES],
        &[FEATURES, 33, CLASSES],
        &[FEATURES, 128, CLASSES],
        &[FEATURES, 40, 30, CLASSES],
    ];
    for ((widths, &activation), first) in all_widths.into_iter().zip(activations).zip(0..) {
        for (batch, number) in [1, 7, 64, 256, 300].into_iter().zip(first..) {
            let (data, config) = (images(2 * batch + 5), rule(number, batch));
            let start = net(widths, activation);
            // Once for each rounding of a multiply-add, which alone tells the instruction
            // sets' bits apart.
            let by_class = [false, true].map(|is_fused| defined(&start, &data, &config, is_fused));
            for isa in arms() {
                let expected = &by_class[usize::from(isa.is_fused())];
                let name = format!("{widths:?}, batch {batch}, {}", isa.name());
                assert!(
                    by_passes(&start, &data, &config, isa) == *expected,
                    "{name}"
                );
                for threads in [1, 2, 3] {
                    for (&strategy, runs) in Strategy::ALL.iter().zip(&mut runs) {
                        let workspace = Workspace::new(widths, threads).with_isa(isa);
                        let mut workspace = workspace.with_strategy(Some(strategy));
                        if workspace.check_strategy(batch, Defects::NONE).is_err() {
                            continue;
                        }
                        assert_eq!(workspace.strategies(batch), [strategy]);
                        let found = trained(&start, &data, &config, &mut workspace);
                        let name = format!("{strategy}, {threads} threads, {name}");
                        assert!(found == *expected, "{name}");
                        assert_eq!(workspace.chosen_strategy(), Some(strategy), "{name}");
                        *runs += 1;
                    }
                }
            }
        }
    }
    // Of 90 cases for each instruction set.
    let isas = arms().len();
    assert_eq!(runs, [90, 28, 24, 16].map(|runs| runs * isas));
}

/// The images of a data set with targets of their own: certain ones, which say what the labels say,
/// or doubtful ones of different weights.
struct Targets<'a> {
    data: &'a Dataset,
    are_certain: bool,
}

impl ImageSource for Targets<'_> {
    fn features(&self) -> usize {
        self.data.features()
    }

    fn label(&self, index: u32) -> u8 {
        self.data.label(index as usize)
    }

    fn write(&self, index: u32, first: usize, pixels: &mut [u8]) {
        self.data.write(index, first, pixels);
    }

    fn target_classes(&self) -> usize {
        CLASSES
    }

    fn write_target(&self, index: u32, target: &mut [f32]) {
        let label = usize::from(self.label(index));
        for (class, y) in target.iter_mut().enumerate() {
            let doubt = ((index as usize + 3 * class) % 7) as f32 / 30.0;
            let is_label = f32::from(u8::from(class == label));
            *y = if self.are_certain {
                is_label
            } else {
                0.8 * is_label + doubt
            };
        }
    }
}

impl EpochImages for Targets<'_> {
    fn start_epoch(&mut self, _epoch: usize) {}
}

#[test]
fn every_strategy_takes_the_targets_of_the_source() {
    let batch = 64;
    let (data, config) = (images(2 * batch + 5), config(batch));
    let all = Subset::all(&data);
    for widths in [&[FEATURES, 33, CLASSES][..], &[FEATURES, 40, 30, CLASSES]] {
        let start = net(widths, Activation::Tanh);
        let trained_on = |workspace: &mut Workspace, are_certain| {
            let mut run = Checkpoint::new(start.clone(), config);
            let mut images = Targets {
                data: &data,
                are_certain,
            };
            resume_with(&mut run, &mut images, (&all, &all), workspace, &mut ()).unwrap();
            let losses = run.history.iter().map(|epoch| epoch.train_loss);
            bits(run.net.view().params(), &run.velocity, losses)
        };
        let by_labels = trained(&start, &data, &config, &mut Workspace::new(widths, 1));
        let doubtful = trained_on(&mut Workspace::new(widths, 1), false);
        assert_ne!(by_labels, doubtful);
        for (threads, &strategy) in [1, 2, 3].into_iter().flat_map(|threads| {
            Strategy::ALL
                .iter()
                .map(move |strategy| (threads, strategy))
        }) {
            let mut workspace = Workspace::new(widths, threads).with_strategy(Some(strategy));
            if workspace.check_strategy(batch, Defects::NONE).is_err() {
                continue;
            }
            let name = format!("{strategy}, {threads} threads, {widths:?}");
            assert_eq!(trained_on(&mut workspace, true), by_labels, "{name}");
            assert_eq!(trained_on(&mut workspace, false), doubtful, "{name}");
        }
    }
}

#[test]
fn every_strategy_leaves_the_same_units_out() {
    let batch = 64;
    let (data, config) = (images(2 * batch + 5), config(batch).with_dropout(0.3));
    for (widths, &activation) in [&[FEATURES, 33, CLASSES][..], &[FEATURES, 40, 30, CLASSES]]
        .into_iter()
        .flat_map(|widths| {
            Activation::ALL
                .iter()
                .map(move |activation| (widths, activation))
        })
    {
        let start = net(widths, activation);
        let of = |workspace: &mut Workspace| trained(&start, &data, &config, workspace);
        let expected = of(&mut Workspace::new(widths, 1));
        assert_ne!(
            expected,
            trained(
                &start,
                &data,
                &config.with_dropout(0.0),
                &mut Workspace::new(widths, 1)
            )
        );
        for threads in [1, 2, 3] {
            for &strategy in Strategy::ALL {
                let mut workspace = Workspace::new(widths, threads).with_strategy(Some(strategy));
                if workspace.check_strategy(batch, Defects::NONE).is_ok() {
                    let name = format!("{strategy}, {threads} threads, {widths:?}, {activation}");
                    assert_eq!(of(&mut workspace), expected, "{name}");
                }
            }
        }
    }
}

/// A step with one image: units that are left out have no part in it, as if their weights in
/// the next layer were 0 and could not move.
#[test]
fn a_step_without_some_units_is_that_of_a_smaller_net() {
    let data = images(1);
    let widths = [FEATURES, 33, CLASSES];
    for &activation in Activation::ALL {
        let mut config = config(1)
            .with_dropout(0.5)
            .with_epochs(1)
            .with_momentum(0.0);
        config.optimizer.weight_decay = 0.0;
        config.label_smoothing = 0.0;
        let start = net(&widths, activation);
        let mut mask = [1.0; 33];
        Dropout::new(0.5, config.seed, 1)
            .unwrap()
            .apply(0, &[0], 0, &mut mask);
        let mut smaller = start.clone();
        let second = FEATURES * 33 + 33;
        for (unit, _) in mask.iter().enumerate().filter(|&(_, &kept)| kept == 0.0) {
            smaller.params_mut()[second + unit * CLASSES..][..CLASSES].fill(0.0);
        }
        let mut workspace = Workspace::new(&widths, 1);
        workspace.compute_gradient(smaller.view(), &data, &[0], Reduction::Mean);
        let mut expected = start.view().params().to_vec();
        for (i, (w, g)) in expected.iter_mut().zip(workspace.gradient()).enumerate() {
            let unit = i.wrapping_sub(second) / CLASSES;
            let is_out = i >= second && mask.get(unit) == Some(&0.0);
            *w -= if is_out { 0.0 } else { 0.05 * g };
        }
        let all = Subset::all(&data);
        let mut run = Checkpoint::new(start, config);
        resume(&mut run, &all, &all, &mut workspace, &mut ()).unwrap();
        for (i, (w, expected)) in run.net.view().params().iter().zip(&expected).enumerate() {
            assert!(
                (w - expected).abs() < 1e-7,
                "{activation}, parameter {i}: {w}, {expected}"
            );
        }
        // The net that is kept has half of each weight of the second layer.
        let (kept, raw) = (run.best.view().params(), run.net.view().params());
        let halved = second..second + 33 * CLASSES;
        assert!(halved.clone().all(|i| kept[i] == raw[i] / 2.0));
        assert_eq!(kept[..halved.start], raw[..halved.start]);
        assert_eq!(kept[halved.end..], raw[halved.end..]);
    }
}

/// Fails on the first step.
struct NoStep;

impl Observer for NoStep {
    fn on_step(&mut self, _step: &StepReport) -> Control {
        panic!("a step has been made");
    }
}

#[test]
fn an_impossible_strategy_is_an_error_before_the_first_step() {
    use Strategy::{ColumnParallel, DataParallel, RowParallel};
    let raw = Defects::NONE.with(Defect::RawLogitGradient);
    let wide = &[FEATURES, 40, CLASSES][..];
    for (strategy, widths, batch, threads, defects, reason) in [
        (
            DataParallel,
            wide,
            64,
            1,
            Defects::NONE,
            "it needs a second thread",
        ),
        (
            DataParallel,
            wide,
            1,
            2,
            Defects::NONE,
            "so small a step is not worth a second thread",
        ),
        (
            ColumnParallel,
            wide,
            64,
            1,
            Defects::NONE,
            "it needs a second thread",
        ),
        (
            ColumnParallel,
            &[FEATURES, 16, CLASSES],
            64,
            2,
            Defects::NONE,
            "it needs more than 16 hidden units",
        ),
        (
            ColumnParallel,
            &[FEATURES, CLASSES],
            64,
            2,
            Defects::NONE,
            "it needs a net with one hidden layer",
        ),
        (
            RowParallel,
            wide,
            257,
            2,
            Defects::NONE,
            "it needs mini-batches of at most 256 examples",
        ),
        (
            RowParallel,
            wide,
            11,
            2,
            Defects::NONE,
            "it needs mini-batches of at least 12 examples",
        ),
        (
            RowParallel,
            wide,
            64,
            2,
            raw,
            "it makes no mistakes on purpose",
        ),
    ] {
        let (data, start) = (images(300), net(widths, Activation::Tanh));
        let all = Subset::all(&data);
        let config = Config {
            defects,
            ..config(batch)
        };
        let mut workspace = Workspace::new(widths, threads).with_strategy(Some(strategy));
        let message = format!("{strategy} is not possible: {reason}");
        let error = workspace.check_strategy(batch, defects).unwrap_err();
        assert_eq!(
            (error.strategy, error.to_string()),
            (strategy, message.clone())
        );
        if defects == Defects::NONE {
            assert_eq!(workspace.strategies(batch), []);
        }
        let mut run = Checkpoint::new(start, config);
        let result = resume(&mut run, &all, &all, &mut workspace, &mut NoStep);
        assert_eq!(result, Err(TrainError::Strategy(error)));
        assert!(run.history.is_empty() && run.step == 0);
    }
}

#[test]
fn the_chosen_strategy_is_one_of_those_that_were_tried() {
    let widths = &[FEATURES, 40, CLASSES][..];
    let (data, start) = (images(300), net(widths, Activation::Sigmoid));
    let mut workspace = Workspace::new(widths, 2);
    assert_eq!(workspace.chosen_strategy(), None);
    let tried = workspace.strategies(50);
    assert_eq!(
        tried,
        [
            Strategy::SingleThread,
            Strategy::ColumnParallel,
            Strategy::RowParallel
        ]
    );
    // An epoch has six steps, a trial three times six.
    let one = Config {
        epochs: 1,
        ..config(50)
    };
    let four = Config { epochs: 4, ..one };
    trained(&start, &data, &one, &mut workspace);
    assert_eq!(workspace.chosen_strategy(), None);
    trained(&start, &data, &four, &mut workspace);
    let chosen = workspace.chosen_strategy().unwrap();
    assert!(tried.contains(&chosen), "{chosen}");
}
