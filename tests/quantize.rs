//! Eight-bit nets are compared with exact arithmetic, and with the nets that they are
//! quantized from.

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

/// The definition at the head of the module, with sums of integers and all else in double
/// precision.
fn expected(net: &Quantized, image: &[u8]) -> Vec<f64> {
    let (mut x, mut unit): (Vec<f64>, f64) = (
        image.iter().map(|&byte| f64::from(byte) / 255.0).collect(),
        1.0 / 255.0,
    );
    let (mut weight, mut output) = (0, 0);
    for (l, shape) in net.widths.windows(2).enumerate() {
        let n: Vec<i64> = x.iter().map(|x| (x / unit).round() as i64).collect();
        let z = (0..shape[1]).map(|j| {
            let q = |i: usize| i64::from(net.weights[weight + i * shape[1] + j]);
            let sum: i64 = n.iter().enumerate().map(|(i, n)| n * q(i)).sum();
            let scale = f64::from(net.scales[output + j]) * unit;
            f64::from(net.biases[output + j]) + sum as f64 * scale
        });
        let z: Vec<f64> = z.collect();
        (weight, output) = (weight + shape[0] * shape[1], output + shape[1]);
        if l + 2 == net.widths.len() {
            return z;
        }
        let sigma = |z: f64| match net.activation {
            Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Activation::Tanh => z.tanh(),
            _ => z.max(0.0),
        };
        x = z.into_iter().map(sigma).collect();
        unit = x.iter().fold(0.0, |max: f64, x| max.max(x.abs())) / 255.0;
    }
    x
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
                for isa in Isa::available() {
                    let logits = net
                        .view()
                        .logits(isa, &image, &mut sums, &mut activations)
                        .unwrap();
                    let bits: Vec<u32> = logits.iter().map(|z| z.to_bits()).collect();
                    assert_eq!(*seen.get_or_insert(bits.clone()), bits, "{}", isa.name());
                    // An activation that lies between two integers may go either
                    // way, which moves a logit by a 255th of a weight.
                    for (z, exact) in logits.iter().zip(expected(&net, &image)) {
                        assert!((f64::from(*z) - exact).abs() < 0.01, "{z} {exact}");
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
            for (z, q) in logits.iter().zip(&*quantized) {
                assert!((z - q).abs() < 0.02, "{z} {q}");
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
