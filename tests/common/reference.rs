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
//! bias or from 0 on, and each product is a multiply-add of its chain. Of the crate's
//! arithmetic only its functions of one number are called, whose polynomials define their
//! bits: sigmoid, tanh, relu, exp and ln.

use handwritten::compute::{isa::InstructionSet, vector};
use handwritten::net::optimizer::Update;
use handwritten::{Activation, Isa};

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
                self.activation.apply(portable(), &mut z);
            }
            a.push(z);
        }
        a
    }

    /// The gradient by the logits, B×classes, and the sum of the losses −ln softmax(z)[label].
    pub(crate) fn loss(&self, logits: &[f32], labels: &[u8], update: &Update) -> (Vec<f32>, f64) {
        let classes = logits.len() / labels.len();
        let scale = update.reduction.scale(labels.len()) as f32;
        let smoothing = update.label_smoothing;
        let (mut dlogits, mut loss) = (vec![], 0.0);
        for (z, &label) in logits.chunks(classes).zip(labels) {
            let max = z.iter().fold(f32::NEG_INFINITY, |max, &z| max.max(z));
            let mut exps: Vec<f32> = z.iter().map(|z| z - max).collect();
            vector::exp(portable(), &mut exps);
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
            loss += f64::from(vector::ln(sum) - (z[usize::from(label)] - max));
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

/// The instruction set without intrinsics, whose functions of one number are plain Rust.
fn portable() -> Isa {
    Isa::new(InstructionSet::Portable).unwrap()
}

mod tests {
    use super::*;
    use handwritten::{Momentum, Reduction};

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
}
