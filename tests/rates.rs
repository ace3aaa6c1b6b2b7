//! The learning rate that is chosen where none is given, and the curvature behind it.

#![cfg(feature = "std")]

use handwritten::compute::rng::{Stream, generator};
use handwritten::data::{Dataset, Subset};
use handwritten::rand_core::Rng;
use handwritten::training::{RateBound, choose_rate, largest_curvature, largest_stable_rate};
use handwritten::{Activation, Batch, Config, Init, Net, Reduction, Schedule, Workspace};

/// Images of 4×4 pixels with noise, and labels at random.
fn noise(count: usize, classes: u32) -> Dataset {
    let mut rng = generator(7, Stream::Shuffle);
    let pixels = (0..16 * count)
        .map(|_| (rng.next_u32() % 256) as u8)
        .collect();
    let labels = (0..count)
        .map(|_| (rng.next_u32() % classes) as u8)
        .collect();
    Dataset::new(pixels, 4, 4, labels).unwrap()
}

fn net(widths: &[usize], activation: Activation) -> Net {
    let mut rng = generator(3, Stream::Weights);
    Net::random(widths, activation, Init::suited_to(activation), &mut rng)
}

/// The largest eigenvalue of the Hessian of a net without hidden layers, whose loss is
/// convex: that of Σ x·xᵀ ⊗ (diag p − p·pᵀ) / n, with a 1 for the biases after the pixels of x.
fn exact(net: &Net, data: &Dataset) -> f64 {
    let (inputs, classes) = (data.features(), data.classes());
    let images: Vec<(Vec<f64>, Vec<f64>)> = data
        .iter()
        .map(|(pixels, _)| {
            let logits = net.logits(pixels);
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exps: Vec<f64> = logits.iter().map(|z| f64::from(z - top).exp()).collect();
            let sum: f64 = exps.iter().sum();
            let mut x: Vec<f64> = pixels
                .iter()
                .map(|&pixel| f64::from(pixel) / 255.0)
                .collect();
            x.push(1.0);
            (x, exps.iter().map(|e| e / sum).collect())
        })
        .collect();
    let mut v: Vec<f64> = (0..(inputs + 1) * classes)
        .map(|i| 1.0 + (i % 7) as f64)
        .collect();
    let mut largest = 0.0;
    for _ in 0..500 {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        let mut hv = vec![0.0; v.len()];
        for (x, p) in &images {
            let along: Vec<f64> = (0..classes)
                .map(|c| {
                    x.iter()
                        .enumerate()
                        .map(|(i, x)| x * v[i * classes + c])
                        .sum()
                })
                .collect();
            let mean: f64 = along.iter().zip(p).map(|(a, p)| a * p).sum();
            for (i, x) in x.iter().enumerate() {
                for c in 0..classes {
                    hv[i * classes + c] += x * p[c] * (along[c] - mean) / images.len() as f64;
                }
            }
        }
        largest = v.iter().zip(&hv).map(|(v, hv)| v * hv).sum();
        v = hv;
    }
    largest
}

#[test]
fn the_curvature_of_a_convex_loss_is_that_of_its_hessian() {
    for classes in [2, 5] {
        let data = noise(200, classes);
        let net = net(&[16, classes as usize], Activation::Sigmoid);
        let mut workspace = Workspace::new(net.widths(), 1);
        let all = Subset::all(&data);
        for &reduction in Reduction::ALL {
            let found = largest_curvature(net.view(), &all, reduction.into(), &mut workspace);
            let exact = exact(&net, &data);
            // A Rayleigh quotient is never above; eight iterations from the gradient come
            // near, and the central differences of f32 add 10⁻³ at most: rounding of a
            // gradient, 2⁻²⁴ · 16, over the distance, 10⁻³ of a norm of about 2.
            let ratio = found / exact;
            assert!((0.8..1.002).contains(&ratio), "{classes}: {found}, {exact}");
        }
    }
}

#[test]
fn threads_change_no_bit_of_a_rate() {
    let data = noise(700, 10);
    let all = Subset::all(&data);
    for &activation in Activation::ALL {
        let net = net(&[16, 40, 20, 10], activation);
        let found = [1, 2, 3].map(|threads| {
            let mut workspace = Workspace::new(net.widths(), threads);
            let config = Config::default().with_batch(Batch::Full);
            let chosen = choose_rate(net.view(), &all, &config, &mut workspace);
            (chosen.rate.to_bits(), chosen.stable.to_bits())
        });
        assert_eq!(found, [found[0]; 3], "{activation}");
    }
}

#[test]
fn rates_follow_batch_momentum_schedule_and_reduction() {
    let data = noise(700, 10);
    let all = Subset::all(&data);
    let net = net(&[16, 8, 10], Activation::Sigmoid);
    let rate = |config: Config| {
        let mut workspace = Workspace::new(net.widths(), 1);
        choose_rate(net.view(), &all, &config, &mut workspace)
    };
    // Long enough that the length of the run does not count.
    let default = Config::default().with_epochs(10_000);
    let chosen = rate(default);
    assert_eq!((chosen.rate, chosen.bound), (0.6, RateBound::Noise));
    assert_eq!(rate(default.with_batch(Batch::Mini(16))).rate, 0.15);
    let decided = |images| {
        let chosen = rate(default.with_batch(Batch::Mini(images)));
        (chosen.rate, chosen.bound)
    };
    assert_eq!(decided(192), (1.8, RateBound::Noise));
    // Too short for a rehearsal: 400 steps take (1000 / 400)^¼ of 1.8, 200 steps (1000 / 200)^¼.
    for (batch, rate_of_short) in [(Batch::Mini(384), 2.3), (Batch::Full, 2.7)] {
        let chosen = rate(default.with_batch(batch).with_epochs(200));
        assert_eq!(
            (chosen.rate, chosen.bound),
            (rate_of_short, RateBound::LargeBatch)
        );
    }
    assert_eq!(rate(default.with_momentum(0.8)).rate, 1.2);
    assert_eq!(
        rate(default.with_learning_rate(1.0, Schedule::Constant)).rate,
        0.3
    );
    let sum = rate(default.with_reduction(Reduction::Sum));
    assert_eq!(sum.rate, 0.0094);
    assert_eq!(sum.stable, chosen.stable / 64.0);
    // A run of a sixteenth of 1000 steps takes twice the rate.
    let short = default.with_batch(Batch::Mini(7)).with_epochs(1);
    assert!(rate(short).rate > rate(default.with_batch(Batch::Mini(7))).rate * 2.0);

    // Without momentum the noise would allow 6.
    let plain = rate(default.with_momentum(0.0));
    assert_eq!(plain.bound, RateBound::Curvature);
    let share = plain.rate / (0.85 * plain.stable);
    assert!((share - 1.0).abs() < 0.05, "{plain:?}");
    assert_eq!(largest_stable_rate(2.0, 0.5), 1.5);
}

/// Images of 4×4 pixels with noise, which the brightness of one pixel labels; then pixels are
/// divided by a number that depends on the place of the image.
fn learnable(count: usize, divisor: fn(usize) -> u8) -> Dataset {
    let data = noise(count, 10);
    let labels = data.iter().map(|(pixels, _)| pixels[5] / 26).collect();
    let pixels = data.pixels().iter().enumerate();
    let pixels = pixels.map(|(i, pixel)| pixel / divisor(i / 16)).collect();
    Dataset::new(pixels, 4, 4, labels).unwrap()
}

/// The rates that are chosen for two runs, which no number of threads changes.
fn chosen(net: &Net, runs: [(&Dataset, Config); 2]) -> [(f64, RateBound); 2] {
    let found = [1, 2, 3].map(|threads| {
        let mut workspace = Workspace::new(net.widths(), threads);
        runs.map(|(data, config)| {
            let chosen = choose_rate(net.view(), &Subset::all(data), &config, &mut workspace);
            (chosen.rate, chosen.bound)
        })
    });
    assert_eq!(found, [found[0]; 3]);
    found[0]
}

#[test]
fn long_full_batches_are_rehearsed() {
    let (few, many) = (learnable(8191, |_| 1), learnable(8192, |_| 1));
    let net = net(&[16, 20, 10], Activation::Relu);
    // Of 17 epochs a rehearsal of the start would be more than a twentieth.
    let config = Config::default().with_batch(Batch::Full).with_epochs(17);
    let config = config.with_momentum(0.0);
    let [(few, bound), (many, other)] = chosen(&net, [(&few, config), (&many, config)]);
    assert_eq!((bound, other), (RateBound::Curvature, RateBound::Rehearsal));
    // Both begin from the same images.
    let multiple = many / few;
    assert!((1.4..3.2).contains(&multiple), "{few} {many}");
}

#[test]
fn the_start_of_large_batches_is_rehearsed() {
    // The curvature is that of the first 512 images, a rehearsal takes the first 200: it finds
    // a rate too high if they are brighter than the others, and may find it too low if they
    // are darker.
    let bright = learnable(1000, |i| if i < 200 { 1 } else { 8 });
    let dark = learnable(1000, |i| if i < 200 { 8 } else { 1 });
    let net = net(&[16, 20, 20, 20, 10], Activation::Tanh);
    // Five or three multiples, 12 steps on 200 images each: a twentieth of these runs, and more
    // than that of runs that are an epoch shorter.
    let multiples = [(Batch::Mini(1000), 240), (Batch::Full, 144)].map(|(batch, epochs)| {
        [&bright, &dark].map(|data| {
            let config = Config::default().with_batch(batch);
            let runs = [epochs - 1, epochs].map(|epochs| (data, config.with_epochs(epochs)));
            let [(rate, bound), (rehearsed, other)] = chosen(&net, runs);
            assert_eq!(
                (bound, other),
                (RateBound::LargeBatch, RateBound::Rehearsal)
            );
            rehearsed / rate
        })
    });
    let [[lower, higher], [full_lower, unchanged]] = multiples;
    assert!(lower < 0.75 && full_lower < 0.75, "{multiples:?}");
    assert!(higher > 1.3, "{multiples:?}");
    // Rates have two digits, and that of the longer run is lower by the fourth root of 143/144.
    assert!((0.98..=1.0).contains(&unchanged), "{multiples:?}");
}

#[test]
fn a_rehearsal_leaves_the_rate_where_all_losses_are_alike() {
    // Labels at random: eight layers of sigmoids stay at the loss of guessing.
    let data = noise(1000, 10);
    let widths = [vec![16], vec![20; 8], vec![10]].concat();
    let config = Config::default().with_batch(Batch::Full);
    let runs = [143, 144].map(|epochs| (&data, config.with_epochs(epochs)));
    let [(rate, _), (rehearsed, bound)] = chosen(&net(&widths, Activation::Sigmoid), runs);
    assert_eq!(bound, RateBound::Rehearsal);
    assert!(
        (0.98..=1.0).contains(&(rehearsed / rate)),
        "{rate} {rehearsed}"
    );
}

#[test]
fn a_loss_that_overflows_leaves_the_rate_to_the_batch() {
    let data = noise(50, 10);
    let all = Subset::all(&data);
    let mut net = net(&[16, 8, 10], Activation::Relu);
    net.params_mut().iter_mut().for_each(|w| *w = f32::MAX);
    let mut workspace = Workspace::new(net.widths(), 1);
    let chosen = choose_rate(net.view(), &all, &Config::default(), &mut workspace);
    assert!(chosen.rate.is_finite() && chosen.rate > 0.0, "{chosen:?}");
    assert_eq!(chosen.bound, RateBound::Noise);

    // Nor has a rehearsal a best rate if none of its losses is finite.
    let data = noise(8192, 10);
    let config = Config::default().with_batch(Batch::Full).with_epochs(3);
    let chosen = choose_rate(net.view(), &Subset::all(&data), &config, &mut workspace);
    assert!(chosen.rate.is_finite() && chosen.rate > 0.0, "{chosen:?}");
    assert_eq!(chosen.bound, RateBound::LargeBatch);
}
