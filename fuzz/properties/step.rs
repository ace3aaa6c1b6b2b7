//! One training step of a random small net with an instruction set, compared with a
//! step in plain `f64`: loss, gradient, velocity and parameters differ by no more than the
//! sum of the rounding errors of single precision.
//!
//! The bound is a running error analysis (Higham, *Accuracy and Stability of Numerical
//! Algorithms*, section 3.3): each number carries a bound on the error of a
//! single-precision computation of it, whatever the order of sums.

use handwritten::data::Dataset;
use handwritten::net::params_len;
use handwritten::{Activation, Isa, Momentum, Net, Reduction, Update, Workspace};

/// Maximum relative error of a rounding: 2⁻²⁴, and 1 % for products of errors and for the
/// roundings of `f64`.
const ROUNDING: f64 = 1.01 / 16_777_216.0;

/// Maximum absolute error of a rounding near zero, where the relative one is no bound.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// A number, and a bound on the error of its single-precision value.
#[derive(Clone, Copy, Debug)]
struct Number {
    x: f64,
    error: f64,
}

fn exact(x: impl Into<f64>) -> Number {
    Number {
        x: x.into(),
        error: 0.0,
    }
}

impl Number {
    /// Adds the errors of so many roundings.
    fn rounded(self, roundings: f64) -> Self {
        let change = ROUNDING * (self.x.abs() + self.error) + TINY;
        Self {
            error: self.error + roundings * change,
            ..self
        }
    }

    fn plus(self, other: Self) -> Self {
        let (x, error) = (self.x + other.x, self.error + other.error);
        Self { x, error }.rounded(1.0)
    }

    fn minus(self, other: Self) -> Self {
        let (x, error) = (self.x - other.x, self.error + other.error);
        Self { x, error }.rounded(1.0)
    }

    fn times(self, other: Self) -> Self {
        let error = self.x.abs() * other.error + (other.x.abs() + other.error) * self.error;
        let x = self.x * other.x;
        Self { x, error }.rounded(1.0)
    }

    /// Divides by a number whose exact value is at least 1.
    fn over(self, other: Self) -> Self {
        let x = self.x / other.x;
        let error = (self.error + x.abs() * other.error) / (other.x - other.error).max(1.0);
        Self { x, error }.rounded(1.0)
    }

    /// The value `x` of a function whose derivative is at most `slope` for all arguments
    /// within the error of `argument`.
    fn image(x: f64, argument: Self, slope: f64) -> Self {
        let error = slope * argument.error;
        Self { x, error }
    }

    /// `exp`, accurate to 2 units in the last place, which count as four roundings.
    fn exp(self) -> Self {
        Self::image(self.x.exp(), self, (self.x + self.error).exp()).rounded(4.0)
    }

    /// `ln` of a number whose exact value is at least 1, accurate to 2 units in the last
    /// place.
    fn ln(self) -> Self {
        Self::image(self.x.ln(), self, 1.0 / (self.x - self.error).max(1.0)).rounded(4.0)
    }

    /// The value within the error that is nearest to 0.
    fn nearest_to_zero(self) -> f64 {
        self.x.signum() * (self.x.abs() - self.error).max(0.0)
    }
}

/// A sum whose terms are added one after another; the bound holds for every order.
#[derive(Clone, Copy)]
struct Sum {
    total: Number,
    size: f64,
    count: f64,
}

impl Sum {
    const EMPTY: Self = Self {
        total: Number { x: 0.0, error: 0.0 },
        size: 0.0,
        count: 0.0,
    };

    fn add(&mut self, term: Number) {
        self.total.x += term.x;
        self.total.error += term.error;
        self.size += term.x.abs() + term.error;
        self.count += 1.0;
    }

    fn result(self) -> Number {
        Number {
            error: self.total.error + self.count * (ROUNDING * self.size + TINY),
            ..self.total
        }
    }
}

/// The sum of all terms.
fn sum(terms: impl Iterator<Item = Number>) -> Number {
    let mut sum = Sum::EMPTY;
    terms.for_each(|term| sum.add(term));
    sum.result()
}

/// σ(z), accurate to 3 units in the last place, and σ′(z), computed from σ(z).
fn activate(activation: Activation, z: Number) -> (Number, Number) {
    let one = exact(1.0);
    match activation {
        Activation::Sigmoid => {
            let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
            let steepest = sigmoid(z.nearest_to_zero());
            let slope = steepest * (1.0 - steepest);
            let a = Number::image(sigmoid(z.x), z, slope).rounded(6.0);
            (a, a.times(one.minus(a)))
        }
        Activation::Tanh => {
            let slope = 1.0 - z.nearest_to_zero().tanh().powi(2);
            let a = Number::image(z.x.tanh(), z, slope).rounded(6.0);
            (a, one.minus(a.times(a)))
        }
        Activation::Relu if z.x > z.error => (z, one),
        Activation::Relu if z.x < -z.error => (exact(0.0), exact(0.0)),
        // Within the error z may lie on either side of the kink.
        Activation::Relu => {
            let a = Number::image(z.x.max(0.0), z, 1.0);
            (a, Number { x: 0.5, error: 0.5 })
        }
        other => panic!("this net has no {other:?}"),
    }
}

/// The forward pass of one image.
struct Pass {
    /// The inputs of each layer; those of the first are the pixels.
    inputs: Vec<Vec<Number>>,
    /// The derivatives of the activations of each hidden layer.
    slopes: Vec<Vec<Number>>,
    logits: Vec<Number>,
}

/// The loss of softmax and cross-entropy for one example, not scaled or smoothed, and the
/// gradient by the logits of `scale` times the loss with label smoothing.
fn cross_entropy(
    z: &[Number],
    label: u8,
    scale: Number,
    smoothing: Number,
) -> (Number, Vec<Number>) {
    let label = usize::from(label);
    let max = z.iter().fold(z[0], |max, z| Number {
        x: max.x.max(z.x),
        error: max.error.max(z.error),
    });
    let powers: Vec<Number> = z.iter().map(|z| z.minus(max).exp()).collect();
    // The power of the maximum is 1, both in exact arithmetic and in single precision.
    let total = sum(powers.iter().copied());
    let loss = total.ln().minus(z[label].minus(max));
    let of_each = scale.times(smoothing).over(exact(z.len() as f64));
    let of_label = scale.times(exact(1.0).minus(smoothing));
    let mut dz: Vec<Number> = powers
        .iter()
        .map(|power| power.over(total).times(scale).minus(of_each))
        .collect();
    dz[label] = dz[label].minus(of_label);
    (loss, dz)
}

/// A net and the mini-batch of a step.
struct Case {
    widths: Vec<usize>,
    activation: Activation,
    params: Vec<f32>,
    velocity: Vec<f32>,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    update: Update,
}

impl Case {
    /// The case that bytes describe: up to two hidden layers of up to 18 units, up to 5
    /// images of up to 40 pixels. `None` if there are too few bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[depth, shape, batch, rule, rate], elements) = bytes.split_first_chunk()?;
        let mut elements = elements.iter().copied().cycle();
        let mut next = || elements.next().unwrap_or(1);
        let mut widths = vec![1 + usize::from(next() % 40)];
        widths.extend((0..depth % 3).map(|_| 1 + usize::from(next() % 18)));
        widths.push(2 + usize::from(shape % 9));
        let (len, images) = (params_len(&widths), 1 + usize::from(batch % 5));
        // So small that no sum is large enough for `exp` to overflow.
        let mut real = |limit: f32| f32::from(next() as i8) / 127.0 * limit;
        let params = (0..len).map(|_| real(1.0)).collect();
        let velocity = (0..len).map(|_| real(0.1)).collect();
        let pixels = (0..images * widths[0]).map(|_| next()).collect();
        let labels = (0..images).map(|_| next() % (2 + shape % 9)).collect();
        Some(Self {
            activation: Activation::ALL[usize::from(depth >> 2) % Activation::ALL.len()],
            update: Update {
                rule: Momentum {
                    momentum: f32::from(rule % 8) / 8.1,
                    nesterov: rule & 8 != 0,
                    weight_decay: f32::from(rule >> 4) / 100.0,
                },
                learning_rate: f32::from(rate) / 99.0,
                reduction: Reduction::ALL[usize::from(shape >> 7)],
                label_smoothing: f32::from(batch / 5) / 52.0,
            },
            widths,
            params,
            velocity,
            pixels,
            labels,
        })
    }

    /// The sum of the losses, and the gradient of the reduced loss with label smoothing
    /// `smoothing`.
    fn gradient(&self, smoothing: f32) -> (Number, Vec<Number>) {
        let w: Vec<Number> = self.params.iter().copied().map(exact).collect();
        let scale = exact(self.update.reduction.scale(self.labels.len())).rounded(1.0);
        let mut losses = vec![];
        // For each element of the gradient, the contributions of the examples.
        let mut sums = vec![Sum::EMPTY; w.len()];
        for (image, &label) in self.pixels.chunks(self.widths[0]).zip(&self.labels) {
            let pass = self.forward(&w, image);
            let (loss, dlogits) = cross_entropy(&pass.logits, label, scale, exact(smoothing));
            losses.push(loss);
            self.backward(&w, &pass, dlogits, &mut sums);
        }
        let gradient = sums.into_iter().map(Sum::result);
        (sum(losses.into_iter()), gradient.collect())
    }

    /// The forward pass of one image.
    fn forward(&self, w: &[Number], image: &[u8]) -> Pass {
        let x = image.iter().map(|&pixel| exact(f32::from(pixel) / 255.0));
        let (mut inputs, mut slopes) = (vec![x.collect::<Vec<_>>()], vec![]);
        let mut start = 0;
        loop {
            let l = slopes.len();
            let (rows, columns) = (self.widths[l], self.widths[l + 1]);
            let z = (0..columns).map(|j| {
                let weights = w[start + j..].iter().step_by(columns);
                let products = inputs[l].iter().zip(weights).map(|(a, &w)| a.times(w));
                sum(products.chain([w[start + rows * columns + j]]))
            });
            let z: Vec<Number> = z.collect();
            start += (rows + 1) * columns;
            if l + 2 == self.widths.len() {
                return Pass {
                    inputs,
                    slopes,
                    logits: z,
                };
            }
            let both = z.into_iter().map(|z| activate(self.activation, z));
            let (values, slope): (Vec<_>, Vec<_>) = both.unzip();
            inputs.push(values);
            slopes.push(slope);
        }
    }

    /// The backward pass of one image from the gradient by the logits. Adds to `sums` the
    /// contribution to each element of the gradient.
    fn backward(&self, w: &[Number], pass: &Pass, dlogits: Vec<Number>, sums: &mut [Sum]) {
        let mut dz = dlogits;
        let mut start = w.len();
        for l in (0..pass.inputs.len()).rev() {
            let (rows, columns) = (self.widths[l], self.widths[l + 1]);
            start -= (rows + 1) * columns;
            for (i, a) in pass.inputs[l].iter().enumerate() {
                for (j, dz) in dz.iter().enumerate() {
                    sums[start + i * columns + j].add(a.times(*dz));
                }
            }
            for (j, dz) in dz.iter().enumerate() {
                sums[start + rows * columns + j].add(*dz);
            }
            if l > 0 {
                let weights = w[start..].chunks(columns);
                let da = weights.map(|row| sum(row.iter().zip(&dz).map(|(w, dz)| w.times(*dz))));
                let slopes = &pass.slopes[l - 1];
                dz = da.zip(slopes).map(|(da, s)| da.times(*s)).collect();
            }
        }
    }

    /// The parameters and velocities after the step.
    fn step(&self, gradient: &[Number]) -> (Vec<Number>, Vec<Number>) {
        let Update {
            rule,
            learning_rate,
            ..
        } = self.update;
        let (momentum, rate) = (exact(rule.momentum), exact(learning_rate));
        let mut is_bias = vec![];
        for shape in self.widths.windows(2) {
            is_bias.extend(vec![false; shape[0] * shape[1]]);
            is_bias.extend(vec![true; shape[1]]);
        }
        let updated = (0..gradient.len()).map(|i| {
            let (w, v) = (exact(self.params[i]), exact(self.velocity[i]));
            let decay = exact(if is_bias[i] { 0.0 } else { rule.weight_decay });
            let down = rate.times(gradient[i].plus(decay.times(w)));
            let v = momentum.times(v).minus(down);
            let change = if rule.nesterov {
                momentum.times(v).minus(down)
            } else {
                v
            };
            (w.plus(change), v)
        });
        updated.unzip()
    }
}

/// Panics if a single-precision value differs by more than the bound.
fn assert_near(found: &[f32], expected: &[Number], what: &str, isa: Isa) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected.x).abs();
        assert!(
            error <= expected.error,
            "{}: {what} {i} is {found:e}, off by {error:e} from {expected:?}",
            isa.name()
        );
    }
}

/// Checks the case that bytes describe with an instruction set.
pub(crate) fn check(bytes: &[u8], isa: Isa) {
    let Some(case) = Case::from_bytes(bytes) else {
        return;
    };
    let (loss, gradient) = case.gradient(0.0);
    let (params, velocity) = match case.update.label_smoothing {
        0.0 => case.step(&gradient),
        smoothing => case.step(&case.gradient(smoothing).1),
    };

    let (pixels, labels) = (case.pixels.clone(), case.labels.clone());
    let data = Dataset::new(pixels, 1, case.widths[0], labels).unwrap();
    let batch: Vec<u32> = (0..).take(data.len()).collect();
    let reduction = case.update.reduction;
    let mut net = Net::new(&case.widths, case.activation, case.params.clone());
    let mut workspace = Workspace::new(&case.widths, 1).with_isa(isa);
    let found = workspace.compute_gradient(net.view(), &data, &batch, reduction);
    let error = (found - loss.x).abs();
    assert!(
        error <= loss.error,
        "{}: loss {found} off by {error} from {loss:?}",
        isa.name()
    );
    assert_near(workspace.gradient(), &gradient, "gradient", isa);

    let mut updated = case.velocity.clone();
    let again = workspace.step(&mut net, &mut updated, &data, &batch, &case.update);
    assert_eq!(again.to_bits(), found.to_bits());
    assert_near(&updated, &velocity, "velocity", isa);
    assert_near(net.view().params(), &params, "parameter", isa);
}
