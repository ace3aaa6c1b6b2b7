//! Contributions of the inputs of an image, and of the units of the first hidden layer, to the
//! logits.

use crate::compute::gemm::Context;
use crate::compute::isa::Isa;
use crate::compute::matrix::MatRef;
use crate::compute::vector;
use crate::net::{NetRef, activations_len};
use alloc::{vec, vec::Vec};

/// A unit of the first hidden layer, and how much it matters to the classes.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct UnitEffect {
    /// The number of the unit, from 0.
    pub unit: usize,
    /// The mean of its activation over the examples.
    pub mean: f64,
    /// The standard deviation of its activation over the examples.
    pub deviation: f64,
    /// How much an activation of one standard deviation above the mean moves each logit,
    /// relative to the mean of all logits (C numbers, whose sum is 0): the deviation times the
    /// gradient of the logit by the activation. A positive number speaks for the class.
    pub effects: Vec<f64>,
    /// The Euclidean norm of the effects. A softmax does not change where all logits move
    /// alike, so a unit with the same weight to every class has none.
    pub importance: f64,
}

/// Collects activations of the first hidden layer over examples, and the gradients of the
/// logits by them.
pub(crate) struct UnitStatistics {
    /// Of each unit the number of examples, the mean and the sum of squared distances from it
    /// (Welford, *Note on a Method for Calculating Corrected Sums of Squares*, 1962).
    moments: Vec<(f64, f64)>,
    examples: usize,
    /// Gradients of the logits by the activations, units×classes, as sums over `weighed`
    /// examples.
    gradients: Vec<f64>,
    weighed: usize,
}

impl UnitStatistics {
    /// Of a net without hidden layers there are no units.
    pub(crate) fn new(net: NetRef<'_>) -> Self {
        let widths = net.widths();
        let units = if net.depth() > 1 { widths[1] } else { 0 };
        Self {
            moments: vec![(0.0, 0.0); units],
            examples: 0,
            gradients: vec![0.0; units * widths[net.depth()]],
            weighed: 0,
        }
    }

    /// Adds examples that have been passed through the net; `activations` are those of all
    /// layers. Gradients are added if `with_gradients`, and with the first examples always.
    pub(crate) fn add(
        &mut self,
        net: NetRef<'_>,
        activations: &[f32],
        with_gradients: bool,
        ctx: &mut Context<'_>,
    ) {
        if self.moments.is_empty() {
            return;
        }
        if with_gradients || self.weighed == 0 {
            self.add_gradients(net, activations, ctx);
        }
        let units = net.activation_of(0, activations);
        for i in 0..units.rows() {
            self.examples += 1;
            for ((mean, squares), &a) in self.moments.iter_mut().zip(units.row(i)) {
                let before = f64::from(a) - *mean;
                *mean += before / self.examples as f64;
                *squares += before * (f64::from(a) - *mean);
            }
        }
    }

    /// Adds the gradients of the logits by the activations of the first hidden layer.
    fn add_gradients(&mut self, net: NetRef<'_>, activations: &[f32], ctx: &mut Context<'_>) {
        let (widths, depth) = (net.widths(), net.depth());
        let classes = widths[depth];
        let rows = activations.len() / activations_len(widths, 1);
        for class in 0..classes {
            // dZ of the layer after the first hidden one, from that of the logits.
            let mut dz = vec![0.0; rows * classes];
            dz.iter_mut()
                .skip(class)
                .step_by(classes)
                .for_each(|d| *d = 1.0);
            for l in (2..depth).rev() {
                let x = net.activation_of(l - 1, activations);
                let mut below = vec![0.0; rows * widths[l]];
                net.layer_backward(l, MatRef::new(&dz, rows, widths[l + 1]), x, &mut below, ctx);
                dz = below;
            }
            let mut sums = vec![0.0; widths[2]];
            for row in dz.chunks_exact(widths[2]) {
                sums.iter_mut()
                    .zip(row)
                    .for_each(|(sum, &d)| *sum += f64::from(d));
            }
            let weights = net.layer(1).weights;
            for unit in 0..widths[1] {
                let by_unit = weights.row(unit).iter().zip(&sums);
                let by_unit = by_unit.map(|(&w, sum)| f64::from(w) * sum);
                self.gradients[unit * classes + class] += by_unit.sum::<f64>();
            }
        }
        self.weighed += rows;
    }

    /// The effects of the units, the most important first.
    pub(crate) fn into_effects(self) -> Vec<UnitEffect> {
        let units = self.moments.len();
        let classes = self.gradients.len() / units.max(1);
        let weighed = self.weighed.max(1) as f64;
        let effect = |unit: usize| {
            let (mean, squares) = self.moments[unit];
            let deviation = vector::sqrt(squares / self.examples.max(1) as f64);
            let gradients = &self.gradients[unit * classes..][..classes];
            let middle = gradients.iter().sum::<f64>() / classes as f64;
            let effects = gradients.iter().map(|g| deviation * (g - middle) / weighed);
            let effects: Vec<f64> = effects.collect();
            UnitEffect {
                unit,
                mean,
                deviation,
                importance: vector::sqrt(effects.iter().map(|e| e * e).sum()),
                effects,
            }
        };
        let mut all: Vec<UnitEffect> = (0..units).map(effect).collect();
        all.sort_by(|a, b| b.importance.total_cmp(&a.importance));
        all
    }
}

impl NetRef<'_> {
    /// The contribution of each input of an image to the logit of a class: the gradient of the
    /// logit by the input, times the input (*gradient × input*; Shrikumar et al., *Not Just a
    /// Black Box*, 2016).
    ///
    /// Of a net without hidden layers, or with one layer of relu and without biases, the numbers
    /// add up to the logit, without the bias; of other nets they are its linear part around
    /// the image.
    ///
    /// Shapes: `image` holds the D inputs, and so does the result.
    ///
    /// # Panics
    /// Panics if the image has another number of inputs than the net, or if there is no such
    /// class.
    pub fn gradient_times_input(&self, isa: Isa, image: &[f32], class: usize) -> Vec<f32> {
        let (widths, depth) = (self.widths(), self.depth());
        assert_eq!(image.len(), widths[0], "inputs of an image");
        assert!(class < widths[depth], "class {class} of {}", widths[depth]);
        let mut packing = Context::packing(1);
        let mut ctx = Context::new(1, &mut packing).with_isa(isa);
        let mut activations = vec![0.0; activations_len(widths, 1)];
        self.forward(
            MatRef::new(image, 1, image.len()),
            &mut activations,
            &mut ctx,
        );
        let mut dz = vec![0.0; widths[depth]];
        dz[class] = 1.0;
        for l in (1..depth).rev() {
            let x = self.activation_of(l - 1, &activations);
            let mut below = vec![0.0; widths[l]];
            let above = MatRef::new(&dz, 1, dz.len());
            self.layer_backward(l, above, x, &mut below, &mut ctx);
            dz = below;
        }
        let weights = self.layer(0).weights;
        let contribution = |(i, &x): (usize, &f32)| {
            let by_input = weights.row(i).iter().zip(&dz).map(|(&w, &d)| w * d);
            x * by_input.sum::<f32>()
        };
        image.iter().enumerate().map(contribution).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rng::{Stream, generator};
    use crate::net::Net;
    use crate::net::activation::Activation;
    use crate::net::init::Init;

    fn net(widths: &[usize], activation: Activation) -> Net {
        let mut rng = generator(7, Stream::Weights);
        Net::random(widths, activation, Init::Glorot, &mut rng)
    }

    fn logit(net: &Net, image: &[f32], class: usize) -> f64 {
        let mut ctx = Context::with_threads(1);
        let mut activations = vec![0.0; activations_len(net.widths(), 1)];
        let x = MatRef::new(image, 1, image.len());
        f64::from(net.view().forward(x, &mut activations, &mut ctx).row(0)[class])
    }

    #[test]
    fn inputs_of_a_linear_net_add_up_to_its_logit() {
        let net = net(&[5, 3], Activation::Sigmoid);
        let image = [0.5, 0.0, 1.0, 0.25, 0.75];
        let parts = net.view().gradient_times_input(Isa::detect(), &image, 2);
        assert_eq!(parts[1], 0.0);
        // Six roundings of numbers below 2 each.
        let sum: f64 = parts.iter().map(|&part| f64::from(part)).sum();
        assert!((sum - logit(&net, &image, 2)).abs() < 12.0 * f64::from(f32::EPSILON));
    }

    #[test]
    fn contributions_are_the_slope_times_the_input() {
        for (widths, activation) in [
            (&[4, 6, 3][..], Activation::Sigmoid),
            (&[4, 6, 5, 3], Activation::Tanh),
        ] {
            let net = net(widths, activation);
            let image = [0.5, 0.25, 1.0, 0.75];
            let parts = net.view().gradient_times_input(Isa::detect(), &image, 1);
            for (i, &part) in parts.iter().enumerate() {
                // A step of 2⁻⁶ leaves an error of its square, and rounding one of 2⁻²⁴ · 2⁶.
                let step = 1.0 / 64.0;
                let moved = [step, -step].map(|step| {
                    let mut image = image;
                    image[i] += step;
                    logit(&net, &image, 1)
                });
                let slope = (moved[0] - moved[1]) / (2.0 * f64::from(step));
                let expected = slope * f64::from(image[i]);
                assert!(
                    (f64::from(part) - expected).abs() < 1e-3,
                    "{part} {expected}"
                );
                assert!(part.abs() > 1e-3, "nothing to compare: {part}");
            }
        }
    }

    #[test]
    fn effects_are_those_of_the_weights_and_of_the_spread() {
        // Two units, W2 = (3, 1) and (0, 0); activations 0.25 and 0.75 of the first.
        let params = vec![0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let net = Net::new(&[1, 2, 2], Activation::Relu, params);
        let mut statistics = UnitStatistics::new(net.view());
        // Both units of both examples, then the logits, which nothing reads.
        let activations = [0.25, 5.0, 0.75, 9.0, 0.0, 0.0, 0.0, 0.0];
        let mut ctx = Context::with_threads(1);
        statistics.add(net.view(), &activations, true, &mut ctx);
        let effects = statistics.into_effects();
        assert_eq!((effects[0].unit, effects[0].mean), (0, 0.5));
        assert_eq!(effects[0].deviation, 0.25);
        assert_eq!(effects[0].effects, [0.25, -0.25]);
        assert_eq!((effects[1].unit, effects[1].importance), (1, 0.0));
    }

    #[test]
    fn effects_of_a_deep_net_are_mean_slopes() {
        let net = net(&[3, 4, 5, 2], Activation::Tanh);
        let mut ctx = Context::with_threads(1);
        let images = [0.1, 0.9, 0.4, 0.7, 0.2, 0.8];
        let mut activations = vec![0.0; activations_len(net.widths(), 2)];
        net.view()
            .forward(MatRef::new(&images, 2, 3), &mut activations, &mut ctx);
        let mut statistics = UnitStatistics::new(net.view());
        statistics.add(net.view(), &activations, true, &mut ctx);
        // The layers after the first, as a net whose inputs are its activations.
        let first = 3 * 4 + 4;
        let rest = Net::new(&[4, 5, 2], Activation::Tanh, net.params()[first..].to_vec());
        for effect in statistics.into_effects() {
            let slopes = [0, 1].map(|class| {
                let rows = activations[..8].chunks_exact(4).map(|row| {
                    let row: Vec<f32> = row.to_vec();
                    let parts = rest.view().gradient_times_input(Isa::detect(), &row, class);
                    f64::from(parts[effect.unit]) / f64::from(row[effect.unit])
                });
                rows.sum::<f64>() / 2.0
            });
            let expected = effect.deviation * (slopes[0] - slopes[1]) / 2.0;
            // Relative to numbers below 1, of some twenty roundings.
            assert!((effect.effects[0] - expected).abs() < 1e-5, "{effect:?}");
            assert!((effect.effects[0] + effect.effects[1]).abs() < 1e-12);
        }
    }
}
