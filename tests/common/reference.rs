//! The definition of a training step, in plain loops over single numbers.
//!
//! With B examples, and for each layer D inputs and H outputs; X is the input of the
//! first layer and A of the layer below is that of any other:
//!
//! ```text
//! forward                           backward, from dZ = (softmax(Z) − Y)·scale of the last layer
//!   Z = b + X·W        B×H            dW = Xᵀ·dZ           D×H    db = Σ rows dZ   H
//!   A = σ(Z)           B×H            dZ below = dZ·Wᵀ ⊙ σ′(Z below)               B×D
//! ```
//!
//! Each sum is one chain in ascending order of the index that is summed over, from the
//! bias or from 0 on, and each product is a multiply-add of its chain. The functions of one
//! number have the polynomials of Cephes (S. L. Moshier, netlib.org/cephes, `single/`), with
//! its coefficients to eight digits, and the order of operations written here.
//!
//! Of the crate, this file uses the names of the choices (activation, reduction, rule of the
//! update), and none of its arithmetic.

use handwritten::net::optimizer::Update;
use handwritten::{Activation, Reduction};

/// A net in training.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) widths: Vec<usize>,
    pub(crate) activation: Activation,
    /// For each layer W (inputs×outputs, row-major), then b.
    pub(crate) params: Vec<f32>,
    /// Laid out like the parameters.
    pub(crate) velocity: Vec<f32>,
    /// Whether a multiply-add of a product rounds once, or the product and the sum each.
    pub(crate) is_fused: bool,
}

/// Where the parameters of a layer lie.
#[derive(Clone, Copy)]
struct Layer {
    start: usize,
    inputs: usize,
    outputs: usize,
}

impl Layer {
    /// The place of the weight from input `i` to output `j`.
    fn w(self, i: usize, j: usize) -> usize {
        self.start + i * self.outputs + j
    }

    /// The place of the bias of output `j`.
    fn b(self, j: usize) -> usize {
        self.start + self.inputs * self.outputs + j
    }
}

impl Reference {
    /// Makes one training step and returns the sum of the examples' losses before it.
    ///
    /// Shapes: `x` B×inputs, `labels` B.
    pub(crate) fn step(&mut self, x: &[f32], labels: &[u8], update: &Update) -> f64 {
        let a = self.forward(x, labels.len());
        let (dlogits, loss) = self.loss(&a[a.len() - 1], labels, update);
        let gradient = self.backward(&a, dlogits, labels.len());
        self.update(&gradient, update);
        loss
    }

    /// The inputs of each layer in turn, and the logits: B×widths[0], …, B×classes.
    pub(crate) fn forward(&self, x: &[f32], examples: usize) -> Vec<Vec<f32>> {
        let mut a = vec![x.to_vec()];
        for (l, layer) in self.layers().into_iter().enumerate() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let mut z = vec![0.0; examples * outputs];
            for e in 0..examples {
                for j in 0..outputs {
                    let mut sum = self.params[layer.b(j)];
                    for i in 0..inputs {
                        let w = self.params[layer.w(i, j)];
                        sum = self.multiply_add(a[l][e * inputs + i], w, sum);
                    }
                    z[e * outputs + j] = sum;
                }
            }
            if l + 2 < self.widths.len() {
                for z in &mut z {
                    *z = self.sigma(*z);
                }
            }
            a.push(z);
        }
        a
    }

    /// The gradient by the logits, B×classes, and the sum of the losses −ln softmax(z)[label].
    pub(crate) fn loss(&self, logits: &[f32], labels: &[u8], update: &Update) -> (Vec<f32>, f64) {
        let classes = logits.len() / labels.len();
        let scale = match update.reduction {
            Reduction::Mean => (1.0 / labels.len() as f64) as f32,
            Reduction::Sum => 1.0,
            other => panic!("the reference has no {other:?}"),
        };
        let smoothing = update.label_smoothing;
        let (mut dlogits, mut loss) = (vec![], 0.0);
        for (z, &label) in logits.chunks(classes).zip(labels) {
            let max = z.iter().fold(f32::NEG_INFINITY, |max, &z| max.max(z));
            let exps: Vec<f32> = z.iter().map(|z| exp(z - max)).collect();
            let mut sum = 0.0;
            for exp in &exps {
                sum += exp;
            }
            for (j, exp) in exps.iter().enumerate() {
                let mut dz = exp / sum * scale - scale * smoothing / classes as f32;
                if j == usize::from(label) {
                    dz -= scale * (1.0 - smoothing);
                }
                dlogits.push(dz);
            }
            loss += f64::from(ln(sum) - (z[usize::from(label)] - max));
        }
        (dlogits, loss)
    }

    /// The gradient by the parameters, from that by the logits and what
    /// [`forward`](Self::forward) returned.
    pub(crate) fn backward(&self, a: &[Vec<f32>], dlogits: Vec<f32>, examples: usize) -> Vec<f32> {
        let (mut gradient, mut dz) = (vec![0.0; self.params.len()], dlogits);
        for (l, layer) in self.layers().into_iter().enumerate().rev() {
            let (inputs, outputs, a) = (layer.inputs, layer.outputs, &a[l]);
            for j in 0..outputs {
                for e in 0..examples {
                    gradient[layer.b(j)] += dz[e * outputs + j];
                }
                for i in 0..inputs {
                    let mut sum = 0.0;
                    for e in 0..examples {
                        sum = self.multiply_add(a[e * inputs + i], dz[e * outputs + j], sum);
                    }
                    gradient[layer.w(i, j)] = sum;
                }
            }
            if l == 0 {
                break;
            }
            let mut below = vec![0.0; examples * inputs];
            for e in 0..examples {
                for i in 0..inputs {
                    let mut sum = 0.0;
                    for j in 0..outputs {
                        let w = self.params[layer.w(i, j)];
                        sum = self.multiply_add(dz[e * outputs + j], w, sum);
                    }
                    below[e * inputs + i] = sum * self.slope(a[e * inputs + i]);
                }
            }
            dz = below;
        }
        gradient
    }

    /// Moves the parameters; only weights decay.
    ///
    /// ```text
    /// v ← μ·v − η·(g + λ·w)
    /// w ← w + v              or, after Nesterov, w ← w + μ·v − η·(g + λ·w)
    /// ```
    pub(crate) fn update(&mut self, gradient: &[f32], update: &Update) {
        let (rule, rate) = (update.rule, update.learning_rate);
        for layer in self.layers() {
            let weights = (layer.start..layer.b(0)).map(|at| (at, rule.weight_decay));
            let biases = (layer.b(0)..layer.b(layer.outputs)).map(|at| (at, 0.0));
            for (at, decay) in weights.chain(biases) {
                let (w, v) = (&mut self.params[at], &mut self.velocity[at]);
                let down = rate * (gradient[at] + decay * *w);
                *v = rule.momentum * *v - down;
                // Subnormal velocities end where no decay keeps them alive.
                if decay == 0.0 && v.abs() < f32::MIN_POSITIVE {
                    *v = 0.0;
                }
                *w += match rule.nesterov {
                    true => rule.momentum * *v - down,
                    false => *v,
                };
            }
        }
    }

    fn layers(&self) -> Vec<Layer> {
        let mut start = 0;
        let layer = |shape: &[usize]| {
            let (inputs, outputs) = (shape[0], shape[1]);
            let layer = Layer {
                start,
                inputs,
                outputs,
            };
            start = layer.b(outputs);
            layer
        };
        self.widths.windows(2).map(layer).collect()
    }

    /// `a · b + c`.
    fn multiply_add(&self, a: f32, b: f32, c: f32) -> f32 {
        match self.is_fused {
            true => a.mul_add(b, c),
            false => a * b + c,
        }
    }

    fn sigma(&self, z: f32) -> f32 {
        match self.activation {
            Activation::Sigmoid => sigmoid(z),
            Activation::Relu if z < 0.0 => 0.0,
            Activation::Relu => z,
            Activation::Tanh => tanh(z),
            other => panic!("the reference has no {other:?}"),
        }
    }

    /// σ′(z) where a = σ(z).
    fn slope(&self, a: f32) -> f32 {
        match self.activation {
            Activation::Sigmoid => a * (1.0 - a),
            Activation::Relu => f32::from(u8::from(a > 0.0)),
            Activation::Tanh => 1.0 - a * a,
            other => panic!("the reference has no {other:?}"),
        }
    }
}

/// ln 2 in two parts: a product of the first, which has ten bits, and an exponent is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// eˣ = 2ⁿ·eʳ with x = n·ln 2 + r and |r| ≤ ln 2 / 2; the polynomial is that of `expf.c`.
fn exp(x: f32) -> f32 {
    const P: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    // Beyond these bounds eˣ is rounded to 0 or to infinity.
    let x = x.clamp(-104.0, 89.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let e_to_r = horner(&P, r) * (r * r) + r + 1.0;
    // All numbers of f32 are normal ones of f64, where the product is exact: it is rounded once.
    let two_to_n = f64::from_bits(((n as i64 + 1023) as u64) << 52);
    (f64::from(e_to_r) * two_to_n) as f32
}

/// ln x = n·ln 2 + ln(1 + r) with x = 2ⁿ·(1 + r) and √½ ≤ 1 + r < √2; the polynomial is
/// that of `logf.c`. x is a sum of exponentials of which one is e⁰, so it is not below 1.
fn ln(x: f32) -> f32 {
    const P: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    if !(1.0..f32::INFINITY).contains(&x) {
        assert!(x.is_nan() || x == f32::INFINITY, "ln {x}");
        return x;
    }
    let (mut m, mut n) = (x, 0.0);
    while m >= 1.0 {
        (m, n) = (m / 2.0, n + 1.0);
    }
    if m < std::f32::consts::FRAC_1_SQRT_2 {
        (m, n) = (m * 2.0, n - 1.0);
    }
    let r = m - 1.0;
    let square = r * r;
    let rest = horner(&P, r) * r * square + n * LN_2_LOW - 0.5 * square;
    r + rest + n * LN_2_HIGH
}

/// 1 / (1 + e⁻ˣ) = eˣ / (1 + eˣ), whichever has the exponential that is at most 1.
fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// tanh x, near zero by the polynomial of `tanhf.c`, elsewhere by ±(1 − 2 / (e^2|x| + 1)).
fn tanh(x: f32) -> f32 {
    const P: [f32; 5] = [
        -5.704_988_7e-3,
        2.063_909e-2,
        -5.373_971_6e-2,
        1.333_144_2e-1,
        -3.333_328e-1,
    ];
    if x.abs() < 0.625 {
        let square = x * x;
        return horner(&P, square) * square * x + x;
    }
    let positive = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x < 0.0 { -positive } else { positive }
}

/// The polynomial with these coefficients, that of the highest power first.
fn horner(coefficients: &[f32], x: f32) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = sum * x + coefficient;
    }
    sum
}

mod tests {
    use super::*;
    use handwritten::compute::vector;
    use handwritten::{Isa, Momentum};

    /// Two inputs, one hidden unit, two classes; all velocities are 1.
    ///
    /// ```text
    /// W1 = ½    b1 = ½    W2 = −96 32    b2 = 128 0
    ///      −1
    /// ```
    fn tiny(is_fused: bool) -> Reference {
        Reference {
            widths: vec![2, 1, 2],
            activation: Activation::Relu,
            params: vec![0.5, -1.0, 0.5, -96.0, 32.0, 128.0, 0.0],
            velocity: vec![1.0; 7],
            is_fused,
        }
    }

    const UPDATE: Update = Update {
        rule: Momentum {
            momentum: 0.5,
            nesterov: false,
            weight_decay: 0.5,
        },
        learning_rate: 0.25,
        reduction: Reduction::Mean,
        label_smoothing: 0.0,
    };

    #[test]
    fn a_step_of_two_examples_is_that_worked_by_hand() {
        let (x, labels) = ([3.0, 1.0, 1.0, 2.0], [1, 1]);
        for is_fused in [false, true] {
            let mut net = tiny(is_fused);
            // Z1 = ½ + 3/2 − 1 = 1 and ½ + ½ − 2 = −1, so A = 1 and 0;
            // Z2 = (128 − 96, 0 + 32) and (128, 0).
            let a = net.forward(&x, 2);
            assert_eq!(a[1..], [vec![1.0, 0.0], vec![32.0, 32.0, 128.0, 0.0]]);
            // softmax = (½, ½), and (1, 0) since e⁻¹²⁸ is below all numbers; Y = (0, 1).
            let (dlogits, loss) = net.loss(&a[2], &labels, &UPDATE);
            assert_eq!(dlogits, [0.25, -0.25, 0.5, -0.5]);
            assert_eq!(loss, f64::from(2_f32.ln()) + 128.0);
            // dA = −96·¼ − 32·¼ = −32 and −64, σ′ = 1 and 0, so dZ1 = −32 and 0.
            let gradient = net.backward(&a, dlogits.clone(), 2);
            assert_eq!(gradient, [-96.0, -32.0, -32.0, 0.25, -0.25, 0.75, -0.75]);
            // v = ½ − ¼·(dW + ½·W), of biases ½ − ¼·db.
            net.update(&gradient, &UPDATE);
            let velocity = [24.4375, 8.625, 8.5, 12.4375, -3.4375, 0.3125, 0.6875];
            assert_eq!(net.velocity, velocity);
            let params = [24.9375, 7.625, 9.0, -83.5625, 28.5625, 128.3125, 0.6875];
            assert_eq!(net.params, params);
            // All of it in one call.
            let mut whole = tiny(is_fused);
            assert_eq!(whole.step(&x, &labels, &UPDATE), loss);
            assert_eq!((whole.params, whole.velocity), (net.params, net.velocity));
        }
    }

    #[test]
    fn variants_of_the_update_are_those_worked_by_hand() {
        let gradient = [-96.0, -32.0, -32.0, 0.25, -0.25, 0.75, -0.75];
        // w + ½·v − ¼·(dW + ½·W) with v as above.
        let mut net = tiny(true);
        let mut update = UPDATE;
        update.rule.nesterov = true;
        net.update(&gradient, &update);
        let params = [
            36.65625, 11.4375, 12.75, -77.84375, 26.34375, 127.96875, 0.53125,
        ];
        assert_eq!(net.params, params);
        // v = ½ − ¼·g for weights too.
        update.rule.weight_decay = 0.0;
        net.update(&gradient, &update);
        let mut net = tiny(true);
        net.update(&gradient, &update);
        let velocity = [24.5, 8.5, 8.5, 0.4375, 0.5625, 0.3125, 0.6875];
        assert_eq!(net.velocity, velocity);
        // Without a gradient, half the least normal velocity is none.
        net.velocity.fill(f32::MIN_POSITIVE);
        net.update(&[0.0; 7], &update);
        assert_eq!(net.velocity, [0.0; 7]);
    }

    #[test]
    fn smoothed_labels_are_those_worked_by_hand() {
        let update = Update {
            label_smoothing: 0.5,
            reduction: Reduction::Sum,
            ..UPDATE
        };
        // softmax = (½, ½) and (1, 0), Y = (¼, ¾) and (¾, ¼).
        let (dlogits, _) = tiny(true).loss(&[32.0, 32.0, 128.0, 0.0], &[1, 0], &update);
        assert_eq!(dlogits, [0.25, -0.25, 0.25, -0.25]);
    }

    #[test]
    fn slopes_are_those_worked_by_hand() {
        for (activation, slopes) in [
            (Activation::Sigmoid, [0.25, 0.1875, 0.0]),
            (Activation::Tanh, [0.75, 0.9375, 1.0]),
            (Activation::Relu, [1.0, 1.0, 0.0]),
        ] {
            let net = Reference {
                activation,
                ..tiny(true)
            };
            assert_eq!([0.5, 0.25, 0.0].map(|a| net.slope(a)), slopes);
        }
    }

    /// 2²⁴ + 1 is rounded to 2²⁴, so a chain from 2²⁴ on loses each 1, and one that ends
    /// there does not.
    #[test]
    fn chains_go_up_from_the_bias_and_from_the_first_example() {
        let large = 16_777_216.0;
        let mut net = Reference {
            widths: vec![2, 1],
            params: vec![1.0, 1.0, large],
            ..tiny(true)
        };
        assert_eq!(net.forward(&[1.0, 1.0], 1)[1], [large]);
        net.params[2] = 1.0;
        assert_eq!(net.forward(&[1.0, large], 1)[1], [large + 2.0]);
        assert_eq!(net.forward(&[large, 1.0], 1)[1], [large]);
        // dW = 1·2²⁴ + 1·1 + 1·1 and 1·1 + 1·1 + 1·2²⁴, db alike.
        let a = [vec![1.0; 6]];
        let down = net.backward(&a, vec![large, 1.0, 1.0], 3);
        assert_eq!(down, [large, large, large]);
        let up = net.backward(&a, vec![1.0, 1.0, large], 3);
        assert_eq!(up, [large + 2.0, large + 2.0, large + 2.0]);
        // dZ below = dZ·Wᵀ, over the outputs.
        let net = Reference {
            widths: vec![1, 1, 3],
            params: vec![1.0; 8],
            ..tiny(true)
        };
        let a = [vec![1.0], vec![1.0]];
        assert_eq!(net.backward(&a, vec![large, 1.0, 1.0], 1)[0], large);
        assert_eq!(net.backward(&a, vec![1.0, 1.0, large], 1)[0], large + 2.0);
    }

    /// (1 + ε)² = 1 + 2ε + ε²: rounding the product alone loses ε².
    #[test]
    fn multiply_adds_round_once_or_twice() {
        let x = 1.0 + f32::EPSILON;
        let rest = -1.0 - 2.0 * f32::EPSILON;
        let lost = f32::EPSILON * f32::EPSILON;
        assert_eq!(tiny(true).multiply_add(x, x, rest), lost);
        assert_eq!(tiny(false).multiply_add(x, x, rest), 0.0);
    }

    /// About a million numbers of both signs, among them 0, the subnormal ones and
    /// infinity; then NaN.
    fn numbers() -> impl Iterator<Item = f32> {
        let bits = (0..=f32::INFINITY.to_bits()).step_by(4099);
        let signs = bits.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]);
        signs.chain([f32::NAN])
    }

    /// The distance from the truth in units of the last place of the number nearest to it.
    fn ulps(x: f32, truth: f64) -> f64 {
        let nearest = (truth as f32).abs();
        if x == truth as f32 || x.is_nan() && truth.is_nan() {
            return 0.0;
        }
        let ulp = f32::from_bits(nearest.to_bits() + 1) - nearest;
        (f64::from(x) - truth).abs() / f64::from(ulp)
    }

    #[test]
    fn functions_have_their_values_at_numbers_known_by_hand() {
        assert_eq!(
            [exp(0.0), exp(-104.0), exp(89.0)],
            [1.0, 0.0, f32::INFINITY]
        );
        assert_eq!([ln(1.0), ln(f32::INFINITY)], [0.0, f32::INFINITY]);
        assert_eq!([-104.0, 0.0, 104.0].map(sigmoid), [0.0, 0.5, 1.0]);
        assert_eq!([-104.0, 0.0, 104.0].map(tanh), [-1.0, 0.0, 1.0]);
    }

    /// In units of the last place, exp and ln are within 2, half of one for each of four: the
    /// polynomial (Cephes states a relative error of at most 2⁻²³), its argument, the last two
    /// additions. Sigmoid and tanh add a half for each of an addition and a division: 3.
    #[test]
    fn functions_are_those_of_double_precision_but_for_rounding() {
        let sigmoid_64 = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut worst = [0.0_f64; 4];
        for x in numbers() {
            let (wide, at_least_1) = (f64::from(x), x.is_nan() || x >= 1.0);
            for (worst, error) in worst.iter_mut().zip([
                ulps(exp(x), wide.exp()),
                ulps(sigmoid(x), sigmoid_64(wide)),
                ulps(tanh(x), wide.tanh()),
                if at_least_1 {
                    ulps(ln(x), wide.ln())
                } else {
                    0.0
                },
            ]) {
                *worst = worst.max(error);
            }
        }
        assert!(worst[0] <= 2.0 && worst[3] <= 2.0, "exp, ln: {worst:?}");
        assert!(
            worst[1] <= 3.0 && worst[2] <= 3.0,
            "sigmoid, tanh: {worst:?}"
        );
    }

    #[test]
    fn functions_have_the_bits_of_the_crate_with_every_instruction_set() {
        type Functions = (fn(f32) -> f32, fn(Isa, &mut [f32]));
        let xs: Vec<f32> = numbers().collect();
        let pairs: [Functions; 3] = [
            (exp, vector::exp),
            (sigmoid, vector::sigmoid),
            (tanh, vector::tanh),
        ];
        for isa in crate::arms::arms() {
            for (ours, theirs) in pairs {
                let mut ys = xs.clone();
                theirs(isa, &mut ys);
                for (&x, y) in xs.iter().zip(ys) {
                    let ours = ours(x);
                    assert!(same(ours, y), "f({x}) = {ours}, {y} with {}", isa.name());
                }
            }
        }
        for &x in xs.iter().filter(|x| x.is_nan() || **x >= 1.0) {
            assert!(same(ln(x), vector::ln(x)), "ln {x}");
        }
    }

    fn same(x: f32, y: f32) -> bool {
        x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan()
    }
}
