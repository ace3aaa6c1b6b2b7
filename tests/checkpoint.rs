//! Checkpoints: their bytes, and runs that are resumed from them.

#![cfg(feature = "alloc")]

#[expect(dead_code, reason = "runs are compared with runs, not with the oracle")]
mod common;

use common::{random_images, random_params, relative_error, rounding, widen};
use handwritten::data::{Distortion, Subset};
use handwritten::net::defects::{Defect, Defects};
use handwritten::training::checkpoint::CheckpointError;
use handwritten::training::{Average, Control, EpochReport, Keep, StepReport, TrainingState};
use handwritten::{
    Activation, Batch, Checkpoint, Config, LearningRate, Momentum, Net, Observer, Reduction,
    Schedule, Workspace, resume,
};

const WIDTHS: [usize; 3] = [23, 9, 4];

/// Runs that differ in everything that a checkpoint keeps.
fn configurations() -> Vec<(Activation, Config)> {
    let config = |batch, schedule, nesterov, reduction, patience| Config {
        defects: Defects::NONE,
        epochs: 4,
        batch,
        learning_rate: LearningRate {
            peak: 0.05,
            schedule,
            warmup_epochs: 1,
        },
        optimizer: Momentum {
            momentum: 0.9,
            nesterov,
            weight_decay: 1e-3,
        },
        reduction,
        label_smoothing: if nesterov { 0.0 } else { 0.1 },
        keep: Keep::LowestLoss,
        average: None,
        distortion: None,
        dropout: 0.0,
        patience,
        seed: u64::MAX - 3,
    };
    let falling = Schedule::Step {
        epochs: 2,
        factor: 0.5,
    };
    let mini = Batch::Mini(7);
    vec![
        (
            Activation::Sigmoid,
            config(mini, Schedule::Cosine, false, Reduction::Mean, None),
        ),
        (
            Activation::Tanh,
            config(mini, falling, true, Reduction::Sum, Some(3)),
        ),
        (
            Activation::Relu,
            config(
                Batch::Full,
                Schedule::Constant,
                false,
                Reduction::Mean,
                Some(9),
            ),
        ),
        (
            Activation::Relu,
            config(
                mini,
                Schedule::Linear { hold: 0.25 },
                true,
                Reduction::Mean,
                None,
            ),
        ),
    ]
}

/// Runs of what version 5 of the format is the first to store, besides all others.
fn all_configurations() -> Vec<(Activation, Config)> {
    let mut all = configurations();
    for (i, &keep) in [Keep::HighestAccuracy, Keep::Last].iter().enumerate() {
        let (activation, config) = configurations()[i];
        all.push((activation, config.with_keep(keep)));
    }
    for (i, average) in [Average::Ema { decay: 0.7 }, Average::LastEpochs(2)]
        .iter()
        .enumerate()
    {
        let (activation, config) = configurations()[i];
        all.push((activation, config.with_average(*average)));
    }
    let (activation, config) = configurations()[1];
    all.push((activation, config.with_dropout(0.25)));
    for (i, distortion) in [Distortion::ELASTIC, Distortion::SHIFT].iter().enumerate() {
        let (activation, config) = configurations()[i];
        all.push((activation, config.with_distortion(*distortion)));
    }
    all
}

/// A run with a mistake made on purpose, which version 4 of the format is the first to
/// store.
fn with_a_mistake() -> (Activation, Config) {
    let (activation, config) = configurations().remove(3);
    let defects = Defects::NONE.with(Defect::RawLogitGradient);
    let learning_rate = LearningRate {
        peak: 0.005,
        ..config.learning_rate
    };
    let config = Config {
        learning_rate,
        ..config
    };
    (activation, config.with_defects(defects))
}

/// A run of what version 5 of the format is the first to store.
fn of_version_5() -> (Activation, Config) {
    let (activation, config) = configurations().remove(0);
    let config = config
        .with_keep(Keep::Last)
        .with_average(Average::Ema { decay: 0.7 })
        .with_distortion(Distortion::ELASTIC)
        .with_dropout(0.25);
    (activation, config)
}

fn begun(activation: Activation, config: Config) -> Checkpoint {
    Checkpoint::new(
        Net::new(&WIDTHS, activation, random_params(&WIDTHS, 5)),
        config,
    )
}

/// Saves at each opportunity, or stops the run at one of them.
#[derive(Default)]
struct Saves {
    stop_at: Option<usize>,
    seen: usize,
    saved: Vec<Vec<u8>>,
}

impl Saves {
    fn then(&mut self) -> Control {
        self.seen += 1;
        match self.stop_at {
            Some(at) if at == self.seen => Control::SaveAndStop,
            Some(_) => Control::Continue,
            None => Control::Save,
        }
    }
}

impl Observer for Saves {
    fn on_step(&mut self, _step: &StepReport) -> Control {
        self.then()
    }

    fn on_epoch(&mut self, _epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        self.then()
    }

    fn on_save(&mut self, run: &Checkpoint) {
        self.saved.push(run.to_bytes(b"more"));
    }
}

/// The end of a run, and the checkpoints that it saved.
fn go_on(mut run: Checkpoint, saves: &mut Saves, threads: usize) -> Checkpoint {
    let data = random_images(50, WIDTHS[0], WIDTHS[2], 4);
    let all = Subset::all(&data);
    let mut workspace = Workspace::new(&WIDTHS, threads);
    resume(&mut run, &all, &all, &mut workspace, saves).unwrap();
    run
}

#[test]
fn whatever_the_step_a_run_goes_on_bit_for_bit() {
    for (activation, config) in all_configurations() {
        let mut saves = Saves::default();
        let whole = go_on(begun(activation, config), &mut saves, 1);
        assert!(whole.is_complete());
        let steps = match config.batch {
            Batch::Full => 1,
            Batch::Mini(_) => 8,
        };
        assert_eq!(saves.saved.len(), 4 * (steps + 1));
        for (i, bytes) in saves.saved.iter().enumerate() {
            let (run, attachment) = Checkpoint::from_bytes(bytes).unwrap();
            assert_eq!(attachment, b"more");
            assert_eq!(run.history.len(), (i + 1) / (steps + 1));
            assert_eq!(go_on(run, &mut Saves::default(), 1), whole, "save {i}");

            // Stopping there is the same as saving there.
            let mut stops = Saves {
                stop_at: Some(i + 1),
                ..Saves::default()
            };
            let stopped = go_on(begun(activation, config), &mut stops, 1);
            assert_eq!(stops.saved, [&bytes[..]]);
            assert_eq!(&stopped.to_bytes(b"more"), bytes);
        }
    }
}

/// A run that is interrupted and resumed after each step and epoch.
#[test]
fn a_run_may_be_interrupted_any_number_of_times() {
    for (activation, config) in all_configurations() {
        let whole = go_on(begun(activation, config), &mut Saves::default(), 1);
        let mut run = begun(activation, config);
        let mut times = 0;
        while !run.is_complete() {
            let mut stops = Saves {
                stop_at: Some(1 + times % 3),
                ..Saves::default()
            };
            run = go_on(run, &mut stops, 1);
            let bytes = run.to_bytes(&[]);
            (run, _) = Checkpoint::from_bytes(&bytes).unwrap();
            times += 1;
        }
        assert!(times >= 3);
        assert_eq!(run, whole);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_may_change_in_between() {
    let data = random_images(300, 203, 10, 4);
    let all = Subset::all(&data);
    let widths = [203, 70, 10];
    let config = Config {
        epochs: 3,
        batch: Batch::Mini(50),
        average: Some(Average::Ema { decay: 0.5 }),
        ..Config::default()
    };
    let go_on = |run: &mut Checkpoint, stop_at, threads| {
        let mut stops = Saves {
            stop_at,
            ..Saves::default()
        };
        let mut workspace = Workspace::new(&widths, threads);
        resume(run, &all, &all, &mut workspace, &mut stops).unwrap();
    };
    let net = Net::new(&widths, Activation::Sigmoid, random_params(&widths, 5));
    let mut whole = Checkpoint::new(net.clone(), config);
    go_on(&mut whole, Some(1000), 1);
    for first in 1..=21 {
        let mut run = Checkpoint::new(net.clone(), config);
        go_on(&mut run, Some(first), 3);
        go_on(&mut run, Some(5), 2);
        go_on(&mut run, Some(1000), 1);
        assert_eq!(run, whole, "after {first}");
    }
}

/// A run in the middle of its second epoch.
fn saved() -> (Checkpoint, Vec<u8>) {
    let (activation, config) = configurations().remove(1);
    let mut stops = Saves {
        stop_at: Some(12),
        ..Saves::default()
    };
    let run = go_on(begun(activation, config), &mut stops, 1);
    assert_eq!((run.history.len(), run.step), (1, 3));
    (run, stops.saved.remove(0))
}

#[test]
fn bytes_are_the_run_and_nothing_else() {
    for (activation, config) in all_configurations() {
        for run in [
            begun(activation, config),
            go_on(begun(activation, config), &mut Saves::default(), 1),
        ] {
            for attachment in [&b""[..], b"x", &[0; 1000]] {
                let bytes = run.to_bytes(attachment);
                let decoded = Checkpoint::from_bytes(&bytes).unwrap();
                assert_eq!(decoded, (run.clone(), attachment.to_vec()));
            }
        }
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_found() {
    let (_, bytes) = saved();
    for len in 0..bytes.len() {
        let error = Checkpoint::from_bytes(&bytes[..len]).unwrap_err();
        let is_right = match len {
            0..8 => error == CheckpointError::Magic,
            _ => matches!(error, CheckpointError::Length { found, .. } if found == len),
        };
        assert!(is_right, "cut at {len}: {error:?}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = Checkpoint::from_bytes(&longer).unwrap_err();
    assert!(matches!(error, CheckpointError::Length { .. }), "{error:?}");
    for i in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[i] ^= 1 << bit;
            let error = Checkpoint::from_bytes(&bytes).unwrap_err();
            match i {
                0..8 => assert_eq!(error, CheckpointError::Magic),
                // The byte may also be an older version, to which the checksum does not belong.
                8..12 => assert!(matches!(
                    error,
                    CheckpointError::Version { .. } | CheckpointError::Checksum
                )),
                12..20 => assert!(matches!(error, CheckpointError::Length { .. })),
                _ => assert_eq!(error, CheckpointError::Checksum, "bit {bit} of {i}"),
            }
        }
    }
}

/// Content that is wrong under a right checksum, as only a program can write it.
#[test]
fn content_that_makes_no_sense_is_refused() {
    let (_, good) = saved();
    let end = good.len() - 4;
    let sealed = |at: usize, value: &[u8]| {
        let mut bytes = good[..end].to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        let crc = bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320)
            })
        });
        bytes.extend((!crc).to_le_bytes());
        bytes
    };
    assert_eq!(sealed(20, &good[20..28]), good);
    let huge = u64::MAX.to_le_bytes();
    let mut held_for_ever = [0; 17];
    held_for_ever[0] = 3;
    held_for_ever[9..].copy_from_slice(&1.0_f64.to_le_bytes());
    // Epochs, learning rate, schedule, Nesterov, reduction, smoothing, defects, keep, average, distortion, dropout;
    // activation, the number of widths, a width.
    for (at, value) in [
        (20, &0_u64.to_le_bytes()[..]),
        (36, &(-1.0_f64).to_le_bytes()),
        (36, &f64::NAN.to_le_bytes()),
        (44, &[4]),
        (44, &held_for_ever),
        (77, &[2]),
        (78, &[9]),
        (95, &1.0_f32.to_le_bytes()),
        (95, &f32::NAN.to_le_bytes()),
        (99, &[16]),
        (100, &[3]),
        (101, &[3]),
        (101, &[1]),
        (101, &[2]),
        (118, &[2]),
        (119, &1.0_f32.to_le_bytes()),
        (123, &[9]),
        (124, &huge),
        (124, &[1]),
        (132, &huge),
        (132, &[0; 8]),
        (132, &(1_u64 << 40).to_le_bytes()),
    ] {
        let error = Checkpoint::from_bytes(&sealed(at, value)).unwrap_err();
        assert_eq!(error, CheckpointError::Content, "{value:?} at {at}");
    }
}

#[test]
fn a_version_once_written_is_read_for_ever() {
    let configuration = |which| configurations().remove(which);
    let versions = [
        (configuration(1), &include_bytes!("checkpoint-v1.ckpt")[..]),
        (configuration(0), &include_bytes!("checkpoint-v2.ckpt")[..]),
        (configuration(3), &include_bytes!("checkpoint-v3.ckpt")[..]),
        (with_a_mistake(), &include_bytes!("checkpoint-v4.ckpt")[..]),
        (of_version_5(), &include_bytes!("checkpoint-v5.ckpt")[..]),
    ];
    for ((activation, config), bytes) in versions {
        let (run, attachment) = Checkpoint::from_bytes(bytes).unwrap();
        assert_eq!(attachment, b"more");
        assert_eq!(run.config, config);
        assert_eq!(run.net.view().widths(), WIDTHS);
        assert_eq!(run.net.view().activation(), activation);
        assert_eq!((run.history.len(), run.step, run.best_epoch), (1, 3, 1));
        // It ends where the run that wrote it ended, but for rounding: that run had fused
        // multiply-adds, and the older ones had another order of the examples in a step. To
        // first order each step is off by as much as its gradient.
        let end = go_on(run, &mut Saves::default(), 1);
        let whole = go_on(begun(activation, config), &mut Saves::default(), 1);
        let [start, end, whole] =
            [&begun(activation, config), &end, &whole].map(|run| widen(run.net.view().params()));
        let batch = match config.batch {
            Batch::Mini(batch) => batch,
            _ => 50,
        };
        let steps = config.epochs * 50_usize.div_ceil(batch);
        let way = |params: &[f64]| -> Vec<f64> {
            let pairs = params.iter().zip(&start);
            pairs.map(|(w, start)| w - start).collect()
        };
        let bound = steps as f64 * rounding(&WIDTHS, batch);
        let error = relative_error(&way(&end), &way(&whole));
        assert!(error < bound, "{error:e} of the way, {bound:e} at most");
    }
}

#[test]
fn a_newer_version_says_so() {
    let (_, mut bytes) = saved();
    bytes[8] = 6;
    let error = Checkpoint::from_bytes(&bytes).unwrap_err();
    assert_eq!(error, CheckpointError::Version { found: 6 });
    assert!(
        error.to_string().contains("a newer one wrote it"),
        "{error}"
    );
}
