//! The mistakes of the run in `docs/why-it-did-not-learn.md`, compared with its own code,
//! which is called the question here.

#![cfg(feature = "std")]

#[expect(dead_code, reason = "the oracle knows the right rules")]
mod common;

use common::{Oracle, UNIT, examples, random_images, random_params, rounding, widen};
use handwritten::data::{Dataset, Subset};
use handwritten::net::defects::{Defect, Defects};
use handwritten::training::Outcome;
use handwritten::{
    Activation, Batch, Config, LearningRate, Momentum, Net, Reduction, Schedule, Workspace, train,
};

const WIDTHS: [usize; 3] = [19, 7, 4];
const RATE: f64 = 1e-3;
const MOMENTUM: f64 = 0.5;

/// The question's net in `f64`, with the names and the order of its Python:
/// W (outputs×inputs) and b of both layers.
struct Asked {
    weights: [Vec<Vec<f64>>; 2],
    bias: [Vec<f64>; 2],
}

impl Asked {
    fn new(params: &[f32]) -> Self {
        let mut rest = widen(params);
        let mut take = |inputs: usize, outputs: usize| {
            let w: Vec<f64> = rest.drain(..inputs * outputs).collect();
            let b: Vec<f64> = rest.drain(..outputs).collect();
            let column = |j: usize| w[j..].iter().step_by(outputs).copied().collect();
            ((0..outputs).map(column).collect(), b)
        };
        let (w1, b1) = take(WIDTHS[0], WIDTHS[1]);
        let (w2, b2) = take(WIDTHS[1], WIDTHS[2]);
        Self {
            weights: [w1, w2],
            bias: [b1, b2],
        }
    }

    /// The parameters in the crate's order.
    fn params(&self) -> Vec<f64> {
        let mut params = vec![];
        for (w, b) in self.weights.iter().zip(&self.bias) {
            params.extend((0..w[0].len()).flat_map(|i| w.iter().map(move |row| row[i])));
            params.extend(b);
        }
        params
    }

    /// The output of each layer for an image: `expit` of the hidden sums, then the sums of
    /// the output layer without an activation.
    fn predict(&self, x: &[f64]) -> [Vec<f64>; 2] {
        let sums = |layer: usize, z: &[f64]| -> Vec<f64> {
            let rows = self.weights[layer].iter().zip(&self.bias[layer]);
            rows.map(|(row, b)| row.iter().zip(z).map(|(w, z)| w * z).sum::<f64>() + b)
                .collect()
        };
        let hidden: Vec<f64> = sums(0, x)
            .iter()
            .map(|a| 1.0 / (1.0 + (-a).exp()))
            .collect();
        let out = sums(1, &hidden);
        [hidden, out]
    }

    /// `cross_entropy` of all images, the softmax normalised over the matrix.
    fn loss(&self, images: &[(&[f64], usize)]) -> f64 {
        let out: Vec<_> = images
            .iter()
            .map(|(x, _)| self.predict(x)[1].clone())
            .collect();
        let sum: f64 = out.iter().flatten().map(|y| y.exp()).sum();
        let loss = |(y, (_, t)): (&Vec<f64>, &(_, usize))| -(y[*t].exp() / sum).ln();
        out.iter().zip(images).map(loss).sum()
    }

    /// `back_prop` and `learning_rule`.
    fn learn(&mut self, images: &[(&[f64], usize)]) {
        let mut dw = [
            vec![vec![0.0; WIDTHS[0]]; WIDTHS[1]],
            vec![vec![0.0; WIDTHS[1]]; WIDTHS[2]],
        ];
        let mut db = [vec![0.0; WIDTHS[1]], vec![0.0; WIDTHS[2]]];
        for &(x, t) in images {
            let [hidden, mut deltas] = self.predict(x);
            // y − t.
            deltas[t] -= 1.0;
            let below: Vec<f64> = (0..WIDTHS[1])
                .map(|i| {
                    let rows = self.weights[1].iter().zip(&deltas);
                    let back: f64 = rows.map(|(row, delta)| row[i] * delta).sum();
                    hidden[i] * (1.0 - hidden[i]) * back
                })
                .collect();
            for (layer, (deltas, z)) in [(&below, x), (&deltas, &hidden)].into_iter().enumerate() {
                for (j, delta) in deltas.iter().enumerate() {
                    db[layer][j] += delta;
                    for (dw, z) in dw[layer][j].iter_mut().zip(z) {
                        *dw += delta * z;
                    }
                }
            }
        }
        let update = |w: &mut f64, de: f64| {
            *w -= RATE * de;
            *w = -RATE * de + MOMENTUM * *w;
        };
        for layer in 0..2 {
            for (w, de) in self.weights[layer]
                .iter_mut()
                .flatten()
                .zip(dw[layer].iter().flatten())
            {
                update(w, *de);
            }
            for (b, de) in self.bias[layer].iter_mut().zip(&db[layer]) {
                update(b, *de);
            }
        }
    }
}

fn config(epochs: usize) -> Config {
    Config {
        epochs,
        batch: Batch::Full,
        learning_rate: LearningRate {
            peak: RATE,
            schedule: Schedule::Constant,
            warmup_epochs: 0,
        },
        optimizer: Momentum {
            momentum: MOMENTUM as f32,
            nesterov: false,
            weight_decay: 0.0,
        },
        reduction: Reduction::Sum,
        ..Config::default()
    }
}

fn start() -> Net {
    Net::new(&WIDTHS, Activation::Sigmoid, random_params(&WIDTHS, 5))
}

/// The net after a run, and the outcome of the run.
fn run(data: &Dataset, defects: Defects, config: &Config, threads: usize) -> (Net, Outcome) {
    let (mut net, all) = (start(), Subset::all(data));
    let mut workspace = Workspace::new(&WIDTHS, threads);
    let config = &Config { defects, ..*config };
    let outcome = train(&mut net, &all, &all, config, &mut workspace, &mut ());
    (net, outcome.unwrap())
}

#[test]
fn together_they_are_the_questions_own_code() {
    // More images than one chunk has.
    let data = random_images(700, WIDTHS[0], WIDTHS[2], 3);
    let (x, labels) = examples(&data, Subset::all(&data).indices());
    let labels = labels.iter().map(|&t| usize::from(t));
    let images: Vec<(&[f64], usize)> = x.chunks(WIDTHS[0]).zip(labels).collect();
    let mut asked = Asked::new(start().view().params());
    let (net, outcome) = run(&data, Defect::ALL.iter().copied().collect(), &config(6), 1);
    let length = |xs: &mut dyn Iterator<Item = f64>| xs.map(|x| x * x).sum::<f64>().sqrt();
    // The bound of the error of all parameters, to first order.
    let mut bound = 0.0;
    for row in &outcome.history {
        // Losses of single examples, summed in double precision.
        let close = |x: f64, y: f64| (x / y - 1.0).abs() < rounding(&WIDTHS, 1);
        assert!(close(row.train_loss, asked.loss(&images)), "{row:?}");
        let before = asked.params();
        asked.learn(&images);
        assert!(close(row.val_loss, asked.loss(&images)), "{row:?}");
        // A step keeps half of the error before it, and adds that of the gradient, in which
        // it moves, and those of four operations on the parameters.
        let after = asked.params();
        let moved = before
            .iter()
            .zip(&after)
            .map(|(w, next)| next - MOMENTUM * w);
        bound = MOMENTUM * bound
            + rounding(&WIDTHS, images.len()) * length(&mut moved.into_iter())
            + 4.0 * UNIT * length(&mut after.iter().copied());
    }
    let found = widen(net.view().params());
    let pairs = found.iter().zip(asked.params());
    let error = length(&mut pairs.map(|(found, asked)| found - asked));
    assert!(error < bound, "off by {error:e} of {bound:e}");
    // With this mistake the best net is an alias of the last, whichever was best.
    assert_eq!(outcome.best, net);
}

#[test]
fn each_of_them_matters() {
    let data = random_images(300, WIDTHS[0], WIDTHS[2], 3);
    let of = |defects| run(&data, defects, &config(5), 1);
    let (right, outcome) = of(Defects::NONE);
    for &defect in Defect::ALL {
        let (net, with) = of(Defects::NONE.with(defect));
        let moves = matches!(defect, Defect::RawLogitGradient | Defect::MomentumOnWeights);
        assert_eq!(net != right, moves, "{defect:?}");
        let first = |outcome: &Outcome| outcome.history[0].train_loss;
        let excess = first(&with) - first(&outcome);
        match defect {
            Defect::WholeMatrixSoftmax => {
                let (x, labels) = examples(&data, Subset::all(&data).indices());
                let places = labels.iter().map(|&t| usize::from(t));
                let images: Vec<(&[f64], usize)> = x.chunks(WIDTHS[0]).zip(places).collect();
                let oracle = Oracle {
                    widths: WIDTHS.to_vec(),
                    activation: Activation::Sigmoid,
                    params: widen(start().view().params()),
                };
                let (each, _) = oracle.gradient(&x, &labels, Reduction::Sum);
                let whole = Asked::new(start().view().params()).loss(&images);
                let bound = rounding(&WIDTHS, 1) * (whole + each);
                assert!((excess - (whole - each)).abs() < bound, "{excess}");
            }
            _ => assert_eq!(excess, 0.0, "{defect:?}"),
        }
    }
}

#[test]
fn the_best_is_the_last_only_with_the_mistake() {
    let data = random_images(60, WIDTHS[0], WIDTHS[2], 3);
    // So high a rate that no epoch is as good as the first.
    let mut config = config(4);
    config.learning_rate.peak = 1.0;
    let (net, outcome) = run(&data, Defects::NONE, &config, 1);
    assert!(outcome.best_epoch < 4 && outcome.best != net);
    let aliased = Defects::NONE.with(Defect::AliasedBest);
    let (last, outcome_of_aliased) = run(&data, aliased, &config, 1);
    assert_eq!(last, net);
    assert_eq!(outcome_of_aliased.best, net);
    assert_eq!(outcome_of_aliased.best_epoch, outcome.best_epoch);
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit_of_them() {
    let data = random_images(300, WIDTHS[0], WIDTHS[2], 3);
    for batch in [Batch::Full, Batch::Mini(50)] {
        let config = Config { batch, ..config(3) };
        let defects: Defects = Defect::ALL.iter().copied().collect();
        let alone = run(&data, defects, &config, 1);
        let together = run(&data, defects, &config, 3);
        assert_eq!(together, alone);
    }
}
