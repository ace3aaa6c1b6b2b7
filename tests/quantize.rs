//! Eight-bit nets are compared with exact arithmetic, and with the nets that they are
//! quantized from.

#[path = "common/arms.rs"]
mod arms;

use arms::arms;
use handwritten::compute::rng::{Stream, generator};
use handwritten::net::quantized::{QuantizedRef, quantize, sums_len, weights_len};
use handwritten::net::{activations_len, params_len};
use handwritten::{Activation, Isa, NetRef};
use rand_core::Rng;

const NETS: [&[usize]; 4] = [&[7, 3], &[100, 16, 10], &[784, 30, 10], &[65, 17, 9, 4]];

/// A net of eight bits in memory of its own.
struct Quantized {
    widths: &'static [usize],
    activation: Activation,
    weights: Vec<i8>,
    scales: Vec<f32>,
    biases: Vec<f32>,
}

impl Quantized {
    fn new(net: NetRef<'_>, widths: &'static [usize]) -> Self {
        let outputs = activations_len(widths, 1);
        let mut own = Self {
            widths,
            activation: net.activation(),
            weights: vec![0; weights_len(widths)],
            scales: vec![0.0; outputs],
            biases: vec![0.0; outputs],
        };
        quantize(net, &mut own.weights, &mut own.scales, &mut own.biases);
        own
    }

    fn view(&self) -> QuantizedRef<'_> {
        QuantizedRef::try_new(
            self.widths,
            self.activation,
            &self.weights,
            &self.scales,
            &self.biases,
        )
        .unwrap()
    }
}

/// Weights and biases within ±1/√inputs.
fn random_params(widths: &[usize]) -> Vec<f32> {
    let mut rng = generator(1, Stream::Weights);
    let mut params = Vec::new();
    for shape in widths.windows(2) {
        let limit = 1.0 / (shape[0] as f32).sqrt();
        params.extend((0..(shape[0] + 1) * shape[1]).map(|_| {
            let unit = (rng.next_u32() >> 8) as f32 / 16_777_216.0;
            limit * (2.0 * unit - 1.0)
        }));
    }
    params
}

/// An image of which about half the pixels are zero.
fn random_image(rng: &mut impl Rng, len: usize) -> Vec<u8> {
    let pixel = |bits: u32| if bits & 1 == 0 { 0 } else { (bits >> 24) as u8 };
    (0..len).map(|_| pixel(rng.next_u32())).collect()
}

/// Bound on the relative error of some ten operations in single precision, or of an
/// activation, which is within 3 units in the last place.
const ROUNDING: f64 = 8.0 * f32::EPSILON as f64;

/// σ(z), and the steepest slope of σ.
fn sigma(activation: Activation, z: f64) -> (f64, f64) {
    match activation {
        Activation::Sigmoid => (1.0 / (1.0 + (-z).exp()), 0.25),
        Activation::Tanh => (z.tanh(), 1.0),
        _ => (z.max(0.0), 1.0),
    }
}

/// A number of a definition, and a bound on the error of what is compared with it.
type Bounded = (f64, f64);

/// The definition at the head of the module, with sums of integers and all else in double
/// precision. Where an input lies so near the middle of two integers that rounding in single
/// precision decides between them, the bound covers both.
fn expected(net: &Quantized, image: &[u8]) -> Vec<Bounded> {
    let mut n: Vec<(i64, f64)> = image.iter().map(|&byte| (byte.into(), 0.0)).collect();
    let (mut unit, mut error_of_unit) = (1.0 / 255.0, 0.0);
    let (mut weight, mut output) = (0, 0);
    for (l, shape) in net.widths.windows(2).enumerate() {
        let z = (0..shape[1]).map(|j| {
            let q = |i: usize| i64::from(net.weights[weight + i * shape[1] + j]);
            let sum: i64 = n.iter().enumerate().map(|(i, (n, _))| n * q(i)).sum();
            let off = n
                .iter()
                .enumerate()
                .map(|(i, (_, off))| off * q(i).abs() as f64);
            let (scale, bias) = (f64::from(net.scales[output + j]), net.biases[output + j]);
            let (product, bias) = (sum as f64 * scale * unit, f64::from(bias));
            let error = off.sum::<f64>() * scale * unit
                + sum.abs() as f64 * scale * error_of_unit
                + ROUNDING * (product.abs() + bias.abs());
            (bias + product, error)
        });
        let z: Vec<Bounded> = z.collect();
        (weight, output) = (weight + shape[0] * shape[1], output + shape[1]);
        if l + 2 == net.widths.len() {
            return z;
        }
        let a = z.into_iter().map(|(z, error)| {
            let (a, slope) = sigma(net.activation, z);
            (a, slope * error + ROUNDING * a.abs())
        });
        let a: Vec<Bounded> = a.collect();
        let largest = a.iter().fold(0.0, |max: f64, (a, _)| max.max(a.abs()));
        unit = largest / 255.0;
        error_of_unit = a.iter().fold(0.0, |max: f64, (_, error)| max.max(*error)) / 255.0;
        let integer = |&(a, error): &Bounded| {
            let n = a / unit;
            let error = (error + n.abs() * error_of_unit) / unit + ROUNDING * n.abs();
            let off = (n + error).round() - (n - error).round();
            (n.round() as i64, off)
        };
        n = a.iter().map(integer).collect();
    }
    panic!("a net without layers")
}

/// The logits of a net, and how far eight bits may be from them: half a unit of each weight
/// and of each activation.
fn bounded(net: NetRef<'_>, image: &[u8]) -> Vec<Bounded> {
    let pixels = image.iter().map(|&byte| (f64::from(byte) / 255.0, 0.0));
    let mut x: Vec<Bounded> = pixels.collect();
    for l in 0..net.depth() {
        let layer = net.layer(l);
        let rounding = layer.weights.rows() as f64 * f64::from(f32::EPSILON);
        let z = (0..layer.biases.len()).map(|j| {
            let w = |i: usize| f64::from(layer.weights.at(i, j));
            let largest = (0..x.len()).fold(0.0, |max: f64, i| max.max(w(i).abs()));
            let half = largest / 127.0 / 2.0;
            let (mut z, mut error) = (f64::from(layer.biases[j]), 0.0);
            for (i, &(x, error_of_x)) in x.iter().enumerate() {
                z += x * w(i);
                error += w(i).abs() * error_of_x + (x.abs() + error_of_x) * half;
                error += rounding * (x * w(i)).abs();
            }
            (z, error + ROUNDING * z.abs())
        });
        let z: Vec<Bounded> = z.collect();
        if l + 1 == net.depth() {
            return z;
        }
        let a = z.into_iter().map(|(z, error)| {
            let (a, slope) = sigma(net.activation(), z);
            (a, slope * error + ROUNDING * a.abs())
        });
        x = a.collect();
        let largest = x
            .iter()
            .fold(0.0, |max: f64, (a, error)| max.max(a.abs() + error));
        x.iter_mut()
            .for_each(|(_, error)| *error += largest / 255.0 / 2.0);
    }
    panic!("a net without layers")
}

#[test]
fn logits_are_those_of_the_definition_and_the_same_on_every_arm() {
    let mut rng = generator(2, Stream::Split);
    for widths in NETS {
        for &activation in Activation::ALL {
            let params = random_params(widths);
            let net = Quantized::new(NetRef::new(widths, activation, &params), widths);
            let mut sums = vec![i32::MAX; sums_len(widths)];
            let mut activations = vec![f32::NAN; activations_len(widths, 1)];
            for _ in 0..10 {
                let image = random_image(&mut rng, widths[0]);
                let mut seen: Option<Vec<u32>> = None;
                for isa in arms() {
                    let logits = net
                        .view()
                        .logits(isa, &image, &mut sums, &mut activations)
                        .unwrap();
                    let bits: Vec<u32> = logits.iter().map(|z| z.to_bits()).collect();
                    assert_eq!(*seen.get_or_insert(bits.clone()), bits, "{}", isa.name());
                    for (z, (exact, bound)) in logits.iter().zip(expected(&net, &image)) {
                        let error = (f64::from(*z) - exact).abs();
                        assert!(error <= bound, "{z} for {exact}: {error:e} > {bound:e}");
                    }
                }
            }
        }
    }
}

#[test]
fn logits_are_near_those_of_the_net_itself() {
    let mut rng = generator(2, Stream::Split);
    for widths in NETS {
        let params = random_params(widths);
        let net = NetRef::new(widths, Activation::Sigmoid, &params);
        assert_eq!(params.len(), params_len(widths));
        let eight = Quantized::new(net, widths);
        let (mut sums, len) = (vec![0; sums_len(widths)], activations_len(widths, 1));
        let (mut a, mut b) = (vec![0.0; len], vec![0.0; len]);
        for _ in 0..10 {
            let image = random_image(&mut rng, widths[0]);
            let isa = Isa::detect();
            let logits = net.logits(isa, &image, &mut a).unwrap();
            let quantized = eight.view().logits(isa, &image, &mut sums, &mut b).unwrap();
            let pairs = logits.iter().zip(&*quantized);
            for ((z, q), (exact, bound)) in pairs.zip(bounded(net, &image)) {
                for z in [z, q] {
                    let error = (f64::from(*z) - exact).abs();
                    assert!(error <= bound, "{z} for {exact}: {error:e} > {bound:e}");
                }
            }
            assert_ne!(logits, quantized);
        }
    }
}

#[test]
fn lengths_that_do_not_fit_give_nothing() {
    let widths: &'static [usize] = &[100, 16, 10];
    let params = random_params(widths);
    let net = Quantized::new(NetRef::new(widths, Activation::Tanh, &params), widths);
    let logits = |image: usize, sums: usize, activations: usize| {
        let (image, mut sums) = (vec![1; image], vec![0; sums]);
        let mut activations = vec![0.0; activations];
        let view = net.view();
        let class = view.classify(Isa::detect(), &image, &mut sums, &mut activations);
        let logits = view.logits(Isa::detect(), &image, &mut sums, &mut activations);
        assert_eq!(class.is_some(), logits.is_some());
        logits.is_some()
    };
    assert!(logits(100, 16, 26));
    for (image, sums, activations) in [
        (99, 16, 26),
        (101, 16, 26),
        (100, 15, 26),
        (100, 16, 25),
        (100, 16, 27),
        (0, 0, 0),
    ] {
        assert!(!logits(image, sums, activations));
    }
    let (weights, scales) = (&net.weights[..], &net.scales[..]);
    let with = |weights, scales, biases| {
        QuantizedRef::try_new(widths, Activation::Tanh, weights, scales, biases)
    };
    assert!(with(weights, scales, &net.biases).is_some());
    assert!(with(&weights[1..], scales, &net.biases).is_none());
    assert!(with(weights, &scales[1..], &net.biases).is_none());
    assert!(with(weights, scales, &net.biases[1..]).is_none());
}
