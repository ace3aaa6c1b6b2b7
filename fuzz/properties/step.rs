//! One step of training of a random small net, on every arm, against the same
//! step in plain `f64`: loss, gradient, velocity and parameters differ by no more
//! than the roundings of single precision can add up to.
//!
//! The bound is a running error analysis (Higham, *Accuracy and Stability of
//! Numerical Algorithms*, section 3.3): each number carries how far from it a
//! single-precision computation may be, in whatever order it sums.

use handwritten::data::Dataset;
use handwritten::net::params_len;
use handwritten::{Activation, Isa, Momentum, Net, Reduction, Update, Workspace};

/// What a rounding changes at most, as a share: 2⁻²⁴, and a little for the
/// products of such changes and for the roundings of `f64`.
const ROUNDING: f64 = 1.01 / 16_777_216.0;

/// What it changes at most near zero, where the share is no bound.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// A number, and how far from it single precision may be.
#[derive(Clone, Copy, Debug)]
struct Number {
    x: f64,
    off: f64,
}

fn exact(x: impl Into<f64>) -> Number {
    Number {
        x: x.into(),
        off: 0.0,
    }
}

impl Number {
    /// The same after so many roundings.
    fn rounded(self, roundings: f64) -> Self {
        let change = ROUNDING * (self.x.abs() + self.off) + TINY;
        Self {
            off: self.off + roundings * change,
            ..self
        }
    }

    fn plus(self, other: Self) -> Self {
        let (x, off) = (self.x + other.x, self.off + other.off);
        Self { x, off }.rounded(1.0)
    }

    fn minus(self, other: Self) -> Self {
        let (x, off) = (self.x - other.x, self.off + other.off);
        Self { x, off }.rounded(1.0)
    }

    fn times(self, other: Self) -> Self {
        let off = self.x.abs() * other.off + (other.x.abs() + other.off) * self.off;
        let x = self.x * other.x;
        Self { x, off }.rounded(1.0)
    }

    /// Divided by a number that is at least 1 for certain.
    fn over(self, other: Self) -> Self {
        let x = self.x / other.x;
        let off = (self.off + x.abs() * other.off) / (other.x - other.off).max(1.0);
        Self { x, off }.rounded(1.0)
    }

    /// `self.x` is the value of a function whose slope is at most `slope` at all
    /// places where its argument may be.
    fn of(x: f64, argument: Self, slope: f64) -> Self {
        let off = slope * argument.off;
        Self { x, off }
    }

    /// Within 2 units in the last place, which are four roundings.
    fn exp(self) -> Self {
        Self::of(self.x.exp(), self, (self.x + self.off).exp()).rounded(4.0)
    }

    /// As exact, of a number that is at least 1 for certain.
    fn ln(self) -> Self {
        Self::of(self.x.ln(), self, 1.0 / (self.x - self.off).max(1.0)).rounded(4.0)
    }

    /// Where the argument may be that is nearest to 0.
    fn nearest_to_zero(self) -> f64 {
        self.x.signum() * (self.x.abs() - self.off).max(0.0)
    }
}

/// The sum, in whatever order it is made.
fn sum(terms: impl Iterator<Item = Number>) -> Number {
    let (mut total, mut size, mut count) = (exact(0.0), 0.0, 0.0);
    for term in terms {
        total.x += term.x;
        total.off += term.off;
        size += term.x.abs() + term.off;
        count += 1.0;
    }
    total.off += count * (ROUNDING * size + TINY);
    total
}

/// σ(z), within 3 units in the last place, and σ′(z) as it is computed of σ(z).
fn activate(activation: Activation, z: Number) -> (Number, Number) {
    let one = exact(1.0);
    match activation {
        Activation::Sigmoid => {
            let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
            let steepest = sigmoid(z.nearest_to_zero());
            let slope = steepest * (1.0 - steepest);
            let a = Number::of(sigmoid(z.x), z, slope).rounded(6.0);
            (a, a.times(one.minus(a)))
        }
        Activation::Tanh => {
            let slope = 1.0 - z.nearest_to_zero().tanh().powi(2);
            let a = Number::of(z.x.tanh(), z, slope).rounded(6.0);
            (a, one.minus(a.times(a)))
        }
        Activation::Relu if z.x > z.off => (z, one),
        Activation::Relu if z.x < -z.off => (exact(0.0), exact(0.0)),
        // It may be on either side of the kink.
        Activation::Relu => {
            let a = Number::of(z.x.max(0.0), z, 1.0);
            (a, Number { x: 0.5, off: 0.5 })
        }
        other => panic!("this net has no {other:?}"),
    }
}

/// A net and the examples of a step.
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
    /// The case that bytes describe: up to three hidden layers of up to 18
    /// units, up to 20 images of up to 40 pixels. None if they are too few.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&[depth, shape, batch, rule, rate], elements) = bytes.split_first_chunk()?;
        let mut elements = elements.iter().copied().cycle();
        let mut next = || elements.next().unwrap_or(1);
        let mut widths = vec![1 + usize::from(next() % 40)];
        widths.extend((0..depth % 4).map(|_| 1 + usize::from(next() % 18)));
        widths.push(2 + usize::from(shape % 9));
        let (len, images) = (params_len(&widths), 1 + usize::from(batch % 20));
        // Sums of so many of them stay far from where `exp` overflows.
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
                label_smoothing: f32::from(batch / 20) / 13.0,
            },
            widths,
            params,
            velocity,
            pixels,
            labels,
        })
    }

    /// The sum of the losses, and the gradient of the reduced loss by labels that
    /// are smoothed so far.
    fn gradient(&self, smoothing: f32) -> (Number, Vec<Number>) {
        let depth = self.widths.len() - 1;
        let w: Vec<Number> = self.params.iter().copied().map(exact).collect();
        let scale = exact(self.update.reduction.scale(self.labels.len())).rounded(1.0);
        let smoothing = exact(smoothing);
        let common = scale.times(smoothing);
        let own = scale.times(exact(1.0).minus(smoothing));
        let mut losses = vec![];
        // What each example adds to each element of the gradient.
        let mut terms = vec![vec![]; w.len()];
        for (image, &label) in self.pixels.chunks(self.widths[0]).zip(&self.labels) {
            let x = image.iter().map(|&pixel| exact(f32::from(pixel) / 255.0));
            let mut a = vec![x.collect::<Vec<_>>()];
            let mut slopes = vec![];
            let mut start = 0;
            for l in 0..depth {
                let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
                let z = (0..outputs).map(|j| {
                    let weights = w[start + j..].iter().step_by(outputs);
                    let products = a[l].iter().zip(weights).map(|(a, &w)| a.times(w));
                    sum(products.chain([w[start + inputs * outputs + j]]))
                });
                let z: Vec<Number> = z.collect();
                start += (inputs + 1) * outputs;
                if l + 1 < depth {
                    let both = z.into_iter().map(|z| activate(self.activation, z));
                    let (values, slope): (Vec<_>, Vec<_>) = both.unzip();
                    a.push(values);
                    slopes.push(slope);
                } else {
                    a.push(z);
                }
            }

            let (z, label) = (&a[depth], usize::from(label));
            let max = z.iter().fold(z[0], |max, z| Number {
                x: max.x.max(z.x),
                off: max.off.max(z.off),
            });
            let powers: Vec<Number> = z.iter().map(|z| z.minus(max).exp()).collect();
            // One of them is 1, as exact arithmetic has it and as single
            // precision does.
            let total = sum(powers.iter().copied());
            losses.push(total.ln().minus(z[label].minus(max)));
            let common = common.over(exact(z.len() as f64));
            let mut dz: Vec<Number> = powers
                .iter()
                .map(|power| power.over(total).times(scale).minus(common))
                .collect();
            dz[label] = dz[label].minus(own);

            for l in (0..depth).rev() {
                let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
                start -= (inputs + 1) * outputs;
                for (i, a) in a[l].iter().enumerate() {
                    for (j, dz) in dz.iter().enumerate() {
                        terms[start + i * outputs + j].push(a.times(*dz));
                    }
                }
                for (j, dz) in dz.iter().enumerate() {
                    terms[start + inputs * outputs + j].push(*dz);
                }
                if l > 0 {
                    let rows = w[start..].chunks(outputs);
                    let da = rows.map(|row| sum(row.iter().zip(&dz).map(|(w, dz)| w.times(*dz))));
                    let slopes = &slopes[l - 1];
                    dz = da.zip(slopes).map(|(da, s)| da.times(*s)).collect();
                }
            }
        }
        let gradient = terms.into_iter().map(|terms| sum(terms.into_iter()));
        (sum(losses.into_iter()), gradient.collect())
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
        let moved = (0..gradient.len()).map(|i| {
            let (w, v) = (exact(self.params[i]), exact(self.velocity[i]));
            let decay = exact(if is_bias[i] { 0.0 } else { rule.weight_decay });
            let down = rate.times(gradient[i].plus(decay.times(w)));
            let v = momentum.times(v).minus(down);
            let way = if rule.nesterov {
                momentum.times(v).minus(down)
            } else {
                v
            };
            (w.plus(way), v)
        });
        moved.unzip()
    }
}

/// Fails unless single precision is as near as it must be.
fn assert_near(found: &[f32], expected: &[Number], what: &str, isa: Isa) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(found) - expected.x).abs();
        assert!(
            off <= expected.off,
            "{}: {what} {i} is {found:e}, off by {off:e} from {expected:?}",
            isa.name()
        );
    }
}

pub(crate) fn check(bytes: &[u8]) {
    let Some(case) = Case::of(bytes) else {
        return;
    };
    let (loss, gradient) = case.gradient(0.0);
    let (_, smoothed) = case.gradient(case.update.label_smoothing);
    let (params, velocity) = case.step(&smoothed);

    let (pixels, labels) = (case.pixels.clone(), case.labels.clone());
    let data = Dataset::new(pixels, 1, case.widths[0], labels).unwrap();
    let batch: Vec<u32> = (0..).take(data.len()).collect();
    let reduction = case.update.reduction;
    for isa in Isa::available() {
        let mut net = Net::new(&case.widths, case.activation, case.params.clone());
        let mut workspace = Workspace::new(&case.widths, 1).with_isa(isa);
        let found = workspace.compute_gradient(net.view(), &data, &batch, reduction);
        let off = (found - loss.x).abs();
        assert!(off <= loss.off, "loss {found} off by {off} from {loss:?}");
        assert_near(workspace.gradient(), &gradient, "gradient", isa);

        let mut moved = case.velocity.clone();
        let again = workspace.step(&mut net, &mut moved, &data, &batch, &case.update);
        assert_eq!(again.to_bits(), found.to_bits());
        assert_near(&moved, &velocity, "velocity", isa);
        assert_near(net.view().params(), &params, "parameter", isa);
    }
}
