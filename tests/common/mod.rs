//! The whole net in plain `f64`, one example and one loop at a time: the oracle
//! of gradients and training. It shares no arithmetic with the crate.

use handwritten::compute::rng::{Stream, generator};
use handwritten::data::Dataset;
use handwritten::{Activation, Momentum, Reduction};
use rand_core::Rng;
use std::ops::Range;

/// A net whose parameters lie as those of `handwritten::NetRef`: for each
/// layer W (inputs×outputs, row-major), then b.
#[derive(Clone)]
pub(crate) struct Oracle {
    pub(crate) widths: Vec<usize>,
    pub(crate) activation: Activation,
    pub(crate) params: Vec<f64>,
}

impl Oracle {
    /// The sum of the examples' losses, and the gradient of the reduced loss.
    pub(crate) fn gradient(
        &self,
        x: &[f64],
        labels: &[u8],
        reduction: Reduction,
    ) -> (f64, Vec<f64>) {
        self.smoothed_gradient(x, labels, reduction, 0.0)
    }

    /// The sum of the examples' losses without smoothing, and the gradient of the reduced
    /// loss with label smoothing.
    pub(crate) fn smoothed_gradient(
        &self,
        x: &[f64],
        labels: &[u8],
        reduction: Reduction,
        smoothing: f64,
    ) -> (f64, Vec<f64>) {
        let scale = match reduction {
            Reduction::Mean => 1.0 / labels.len() as f64,
            Reduction::Sum => 1.0,
            other => panic!("the oracle has no {other:?}"),
        };
        let depth = self.widths.len() - 1;
        let (mut total, mut gradient) = (0.0, vec![0.0; self.params.len()]);
        for (x, &label) in x.chunks(self.widths[0]).zip(labels) {
            // The output of each layer, beginning with the inputs.
            let mut a = vec![x.to_vec()];
            let mut start = 0;
            for l in 0..depth {
                let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
                let mut z = self.params[start + inputs * outputs..][..outputs].to_vec();
                for (e, w) in self.params[start..][..inputs * outputs].iter().enumerate() {
                    z[e % outputs] += a[l][e / outputs] * w;
                }
                start += (inputs + 1) * outputs;
                if l + 1 < depth {
                    z.iter_mut().for_each(|z| *z = self.sigma(*z));
                }
                a.push(z);
            }

            let mut dz = a[depth].clone();
            let max = dz.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = dz.iter().map(|z| (z - max).exp()).sum();
            total += sum.ln() + max - dz[usize::from(label)];
            let shared = smoothing / dz.len() as f64;
            dz.iter_mut()
                .for_each(|z| *z = scale * ((*z - max).exp() / sum - shared));
            dz[usize::from(label)] -= scale * (1.0 - smoothing);

            for l in (0..depth).rev() {
                let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
                start -= (inputs + 1) * outputs;
                let mut da = vec![0.0; inputs];
                for e in 0..inputs * outputs {
                    let (i, j) = (e / outputs, e % outputs);
                    gradient[start + e] += a[l][i] * dz[j];
                    da[i] += self.params[start + e] * dz[j];
                }
                for j in 0..outputs {
                    gradient[start + inputs * outputs + j] += dz[j];
                }
                dz = da
                    .iter()
                    .zip(&a[l])
                    .map(|(d, a)| d * self.slope(*a))
                    .collect();
            }
        }
        (total, gradient)
    }

    fn sigma(&self, z: f64) -> f64 {
        match self.activation {
            Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Activation::Relu => z.max(0.0),
            Activation::Tanh => z.tanh(),
            other => panic!("this net has no {other:?}"),
        }
    }

    /// σ′(z) where a = σ(z).
    fn slope(&self, a: f64) -> f64 {
        match self.activation {
            Activation::Sigmoid => a * (1.0 - a),
            Activation::Relu => f64::from(u8::from(a > 0.0)),
            Activation::Tanh => 1.0 - a * a,
            other => panic!("this net has no {other:?}"),
        }
    }

    /// v ← μ·v − η·(g + λ·w), then w ← w + v, or w ← w + μ·v − η·(g + λ·w)
    /// after Nesterov; λ is 0 for biases.
    pub(crate) fn step(
        &mut self,
        velocity: &mut [f64],
        gradient: &[f64],
        rule: &Momentum,
        rate: f64,
    ) {
        let momentum = f64::from(rule.momentum);
        for (number, tensor) in tensors(&self.widths).into_iter().enumerate() {
            let biases = number % 2 == 1;
            let decay = f64::from(if biases { 0.0 } else { rule.weight_decay });
            for i in tensor {
                let down = -rate * (gradient[i] + decay * self.params[i]);
                velocity[i] = momentum * velocity[i] + down;
                self.params[i] += if rule.nesterov {
                    momentum * velocity[i] + down
                } else {
                    velocity[i]
                };
            }
        }
    }
}

/// Ranges of the weights and biases of each layer, in turn.
pub(crate) fn tensors(widths: &[usize]) -> Vec<Range<usize>> {
    let mut end = 0;
    let lens = widths.windows(2).flat_map(|w| [w[0] * w[1], w[1]]);
    lens.map(|len| {
        end += len;
        end - len..end
    })
    .collect()
}

/// The Euclidean distance of `x` from `y`, relative to the length of `y`.
pub(crate) fn relative_error(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len());
    let square = |sum: f64, x: f64| sum + x * x;
    let error = x.iter().zip(y).map(|(x, y)| x - y).fold(0.0, square);
    (error / y.iter().copied().fold(0.0, square)).sqrt()
}

/// The unit roundoff u of `f32`: an operation rounds by up to this share of its result.
pub(crate) const UNIT: f64 = f32::EPSILON as f64 / 2.0;

/// Bound on the rounding error of an `f32` gradient relative to its length, and of the loss of
/// an example.
///
/// An element passes through one chain for each layer on the way up (as long
/// as the layer is wide, and some ten operations of the activation), again on
/// the way down, and through the sum over the examples. Every operation rounds
/// by up to u = 2⁻²⁴: n of them by up to γₙ of the sum of the absolute terms
/// (Higham, *Accuracy and Stability*, section 3.5), but since roundings point
/// both ways by about √n·u. The other √n is left for terms that cancel.
pub(crate) fn rounding(widths: &[usize], batch: usize) -> f64 {
    let n = batch + widths.iter().map(|width| 2 * (width + 10)).sum::<usize>();
    n as f64 * UNIT
}

/// The numbers in double precision.
pub(crate) fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

/// Weights and biases uniform within ±√(3 / inputs), so that each layer hands
/// on about the variance that it got.
pub(crate) fn random_params(widths: &[usize], seed: u64) -> Vec<f32> {
    let mut rng = generator(seed, Stream::Weights);
    let mut params = Vec::new();
    for shape in widths.windows(2) {
        let limit = (3.0 / shape[0] as f32).sqrt();
        params.extend((0..(shape[0] + 1) * shape[1]).map(|_| {
            let unit = rng.next_u32() as f32 / u32::MAX as f32;
            limit * (2.0 * unit - 1.0)
        }));
    }
    params
}

/// Random images of one row, about half of their pixels 0 as in MNIST, with
/// random labels.
pub(crate) fn random_images(count: usize, features: usize, classes: usize, seed: u64) -> Dataset {
    let mut rng = generator(seed, Stream::Split);
    let pixels = (0..count * features)
        .map(|_| rng.next_u32().to_be_bytes())
        .map(|[ink, grey, ..]| if ink < 128 { 0 } else { grey })
        .collect();
    let labels = (0..count)
        .map(|_| (rng.next_u32() as usize % classes) as u8)
        .collect();
    Dataset::new(pixels, 1, features, labels).unwrap()
}

/// Pixels and labels of the images that `indices` name, as the oracle takes
/// them.
pub(crate) fn examples(data: &Dataset, indices: &[u32]) -> (Vec<f64>, Vec<u8>) {
    let images = indices.iter().flat_map(|&i| data.image(i as usize));
    let labels = indices.iter().map(|&i| data.label(i as usize)).collect();
    let pixels = images.map(|&pixel| f64::from(f32::from(pixel) / 255.0));
    (pixels.collect(), labels)
}
