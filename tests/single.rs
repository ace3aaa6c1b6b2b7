//! Passes over one example have the bits of passes over mini-batches, with every
//! instruction set of this machine.

#![cfg(feature = "alloc")]

#[path = "common/arms.rs"]
mod arms;

use arms::arms;
use handwritten::compute::rng::{Stream, generator};
use handwritten::compute::vector;
use handwritten::data::Dataset;
use handwritten::net::{activations_len, loss, params_len};
use handwritten::{
    Activation, Context, Isa, MatRef, MeanProbabilities, Momentum, Net, NetMut, NetRef, Reduction,
    Update, Workspace,
};
use rand_core::Rng;

/// Nets with no hidden layer, one and two, of widths around those of vectors.
const NETS: [&[usize]; 5] = [
    &[7, 3],
    &[31, 1, 2],
    &[100, 16, 10],
    &[784, 30, 10],
    &[65, 17, 9, 4],
];

/// Weights and biases in [−½, ½).
fn random_params(widths: &[usize]) -> Vec<f32> {
    let mut rng = generator(1, Stream::Weights);
    let unit = |bits: u32| (bits >> 8) as f32 / 16_777_216.0;
    (0..params_len(widths))
        .map(|_| unit(rng.next_u32()) - 0.5)
        .collect()
}

/// Images of one row, about three quarters of their pixels zero.
fn random_images(count: usize, features: usize, classes: usize) -> Dataset {
    let mut rng = generator(1, Stream::Split);
    let pixels = (0..count * features).map(|_| match rng.next_u32().to_be_bytes() {
        [0..192, ..] => 0,
        [_, pixel, ..] => pixel,
    });
    let pixels = pixels.collect();
    let labels = (0..count).map(|i| (i % classes) as u8).collect();
    Dataset::new(pixels, 1, features, labels).unwrap()
}

fn bits(xs: &[f32]) -> Vec<u32> {
    xs.iter().map(|x| x.to_bits()).collect()
}

/// The pixels of the first `count` images, side by side.
fn pixels(data: &Dataset, count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| data.image(i).to_vec()).collect()
}

#[test]
fn answers_to_many_images_are_those_to_each() {
    for isa in arms() {
        for widths in NETS {
            let (params, last) = (random_params(widths), widths[widths.len() - 1]);
            let net = NetRef::new(widths, Activation::Tanh, &params);
            // One more than two chunks of 256.
            let images = pixels(&random_images(513, widths[0], last), 513);
            let mut activations = vec![0.0; activations_len(widths, 1)];
            let (mut expected, mut expected_classes) = (vec![], vec![]);
            for image in images.chunks_exact(widths[0]) {
                let logits = net.logits(isa, image, &mut activations).unwrap();
                expected.extend_from_slice(logits);
                expected_classes.push(vector::argmax(logits));
            }
            for threads in [1, 2, 3] {
                let mut workspace = Workspace::new(widths, threads).with_isa(isa);
                for count in [0, 1, 5, 6, 7, 255, 256, 257, 513] {
                    let images = &images[..count * widths[0]];
                    let (mut logits, mut classes) = (vec![f32::NAN; count * last], vec![99; count]);
                    workspace.logits(net, images, &mut logits);
                    workspace.classify(net, images, &mut classes);
                    assert_eq!(
                        bits(&logits),
                        bits(&expected[..count * last]),
                        "{widths:?}, {}, {count} images on {threads} threads",
                        isa.name()
                    );
                    assert_eq!(classes, expected_classes[..count]);
                }
            }
        }
    }
}

/// An image moved down and to the right, with zeros where it uncovers pixels.
fn moved(image: &[u8], (rows, columns): (usize, usize), down: isize, right: isize) -> Vec<u8> {
    let at = |i: isize, len: usize| usize::try_from(i).ok().filter(|&i| i < len);
    let pixel = |place: usize| {
        let row = at((place / columns) as isize - down, rows)?;
        let column = at((place % columns) as isize - right, columns)?;
        Some(image[row * columns + column])
    };
    (0..rows * columns)
        .map(|place| pixel(place).unwrap_or(0))
        .collect()
}

#[test]
fn mean_probabilities_are_those_of_plain_loops() {
    let (widths, sides) = ([12, 5, 3], (3, 4));
    let params = random_params(&widths);
    let reversed: Vec<f32> = params.iter().rev().copied().collect();
    // One more than four chunks of 256.
    let images = pixels(&random_images(1025, 12, 3), 1025);
    for isa in arms() {
        let one = NetRef::new(&widths, Activation::Relu, &params);
        let other = NetRef::new(&widths, Activation::Tanh, &reversed);
        for (nets, shifts) in [
            (&[one][..], 0),
            (&[one, other], 0),
            (&[one], 1),
            (&[other, one], 2),
        ] {
            let mut expected = vec![];
            let mut activations = vec![0.0; activations_len(&widths, 1)];
            for image in images.chunks_exact(12) {
                let mut sums = [0.0; 3];
                for down in -shifts..=shifts {
                    for right in -shifts..=shifts {
                        let copy = moved(image, sides, down, right);
                        for net in nets {
                            let probs = net.logits(isa, &copy, &mut activations).unwrap();
                            loss::softmax(isa, probs);
                            sums.iter_mut().zip(probs).for_each(|(sum, p)| *sum += *p);
                        }
                    }
                }
                let share = 1.0 / ((2 * shifts + 1).pow(2) as usize * nets.len()) as f32;
                expected.extend(sums.map(|sum| sum * share));
            }
            let mut mean = MeanProbabilities::new(sides, 3, shifts as usize);
            for (threads, count) in [(1, 1025), (3, 1025), (2, 7), (1, 0)] {
                let mut workspace = Workspace::new(&widths, threads).with_isa(isa);
                let mut probs = vec![f32::NAN; count * 3];
                mean.compute(&mut workspace, nets, &images[..count * 12], &mut probs);
                assert_eq!(
                    bits(&probs),
                    bits(&expected[..count * 3]),
                    "{shifts}, {threads}"
                );
            }
        }
    }
}

#[test]
fn weights_that_are_not_finite_show_where_all_images_are_zero() {
    let mut params = random_params(&[4, 3, 2]);
    params[7] = f32::INFINITY;
    let net = NetRef::new(&[4, 3, 2], Activation::Sigmoid, &params);
    let mut logits = [0.0; 4];
    Workspace::new(net.widths(), 1).logits(net, &[0; 8], &mut logits);
    assert!(logits.iter().all(|logit| logit.is_nan()));
}

#[test]
#[should_panic(expected = "5 bytes of images of 4")]
fn half_an_image_is_refused() {
    let params = random_params(&[4, 3, 2]);
    let net = NetRef::new(&[4, 3, 2], Activation::Sigmoid, &params);
    Workspace::new(net.widths(), 1).classify(net, &[0; 5], &mut [0]);
}

#[test]
#[should_panic(expected = "logits of 2 images")]
fn logits_of_other_images_are_refused() {
    let params = random_params(&[4, 3, 2]);
    let net = NetRef::new(&[4, 3, 2], Activation::Sigmoid, &params);
    Workspace::new(net.widths(), 1).logits(net, &[0; 8], &mut [0.0; 3]);
}

#[test]
fn logits_have_the_bits_of_the_batch() {
    const IMAGES: usize = 9;
    for isa in arms() {
        for widths in NETS {
            for &activation in Activation::ALL {
                let (params, last) = (random_params(widths), widths[widths.len() - 1]);
                let net = NetRef::new(widths, activation, &params);
                let data = random_images(IMAGES, widths[0], last);
                let mut x = vec![0.0; IMAGES * widths[0]];
                vector::scale_bytes(isa, &pixels(&data, IMAGES), &mut x);
                let mut activations = vec![0.0; activations_len(widths, IMAGES)];
                let mut packing = Context::packing(1);
                let mut ctx = Context::new(1, &mut packing).with_isa(isa);
                let x = MatRef::new(&x, IMAGES, widths[0]);
                let batch = net.forward(x, &mut activations, &mut ctx);

                let mut single = vec![f32::NAN; activations_len(widths, 1)];
                for i in 0..IMAGES {
                    let image = data.image(i);
                    let logits = net.logits(isa, image, &mut single).unwrap();
                    assert_eq!(
                        bits(logits),
                        bits(batch.row(i)),
                        "{} {widths:?} {activation:?}",
                        isa.name()
                    );
                    let class = net.classify(isa, image, &mut single);
                    assert_eq!(class, Some(vector::argmax(batch.row(i))));
                }
            }
        }
    }
}

#[test]
fn zero_pixels_are_read_past_without_a_trace() {
    // A weight that is not finite would show if its zero pixel were multiplied.
    let params = [f32::NAN, 2.0, 1.0, 3.0, 0.5, 0.25];
    let net = NetRef::new(&[2, 2], Activation::Sigmoid, &params);
    let mut activations = [0.0; 2];
    let logits = net.logits(Isa::detect(), &[0, 255], &mut activations);
    assert_eq!(logits, Some(&mut [1.5, 3.25][..]));
}

#[test]
fn lengths_that_do_not_fit_give_nothing() {
    for widths in NETS {
        let params = random_params(widths);
        let net = NetRef::try_new(widths, Activation::Relu, &params).unwrap();
        let (features, len) = (widths[0], activations_len(widths, 1));
        for (image, activations) in [
            (features - 1, len),
            (features + 1, len),
            (features, len - 1),
            (features, len + 1),
            (0, len),
            (features, 0),
        ] {
            let (image, mut activations) = (vec![1; image], vec![0.0; activations]);
            let isa = Isa::detect();
            assert_eq!(net.logits(isa, &image, &mut activations), None);
            assert_eq!(net.classify(isa, &image, &mut activations), None);
        }
        let short = &params[1..];
        assert!(NetRef::try_new(widths, Activation::Relu, short).is_none());
    }
    for widths in [&[][..], &[4], &[4, 0, 1], &[1; 18]] {
        let params = vec![0.0; params_len(widths)];
        assert!(NetRef::try_new(widths, Activation::Relu, &params).is_none());
    }
    // As many parameters as a machine can count, and none more.
    for widths in [[usize::MAX, 1], [usize::MAX / 2, 2], [usize::MAX / 4, 4]] {
        assert!(NetRef::try_new(&widths, Activation::Relu, &[]).is_none());
    }
}

#[test]
fn steps_have_the_bits_of_the_workspace() {
    const BATCH: usize = 11;
    for isa in arms() {
        for (n, widths) in NETS.into_iter().enumerate() {
            let update = Update {
                rule: Momentum {
                    momentum: 0.9,
                    nesterov: n % 2 == 0,
                    weight_decay: 1e-3,
                },
                learning_rate: 0.3,
                reduction: Reduction::ALL[n % 2],
                label_smoothing: [0.1, 0.0][n % 2],
            };
            let activation = Activation::ALL[n % 3];
            let data = random_images(4 * BATCH, widths[0], widths[widths.len() - 1]);
            let mut params = random_params(widths);
            let mut net = Net::new(widths, activation, params.clone());
            let mut workspace = Workspace::new(widths, 1).with_isa(isa);
            let mut velocity = vec![0.0; params.len()];

            let mut own_velocity = velocity.clone();
            let mut scratch = vec![f32::NAN; NetMut::scratch_len(widths)];
            let mut own = NetMut::new(
                widths,
                activation,
                &mut params,
                &mut own_velocity,
                &mut scratch,
            );
            let all = pixels(&data, 4 * BATCH);
            // No examples, too.
            for (start, end) in [(0, 1), (1, 2), (2, 2), (2, 3), (3, 4)] {
                let (start, end) = (start * BATCH, end * BATCH);
                let batch: Vec<u32> = (start as u32..end as u32).collect();
                let loss = workspace.step(&mut net, &mut velocity, &data, &batch, &update);
                let images = &all[start * widths[0]..end * widths[0]];
                let own_loss = own.step(isa, images, &data.labels()[start..end], &update);
                assert_eq!(own_loss, loss, "{} {widths:?}", isa.name());
                let (own, net) = (own.view(), net.view());
                assert_eq!(bits(own.params()), bits(net.params()));
            }
            assert_eq!(bits(&own_velocity), bits(&velocity));
            assert_ne!(bits(&params), bits(&random_params(widths)));
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_moves_nothing() {
    let widths = [2, 2];
    let mut params = [f32::NAN, 2.0, 1.0, 3.0, 0.5, 0.25];
    let (mut velocity, mut scratch) = ([0.0; 6], [0.0; NetMut::scratch_len(&[2, 2])]);
    let activation = Activation::Sigmoid;
    let mut net = NetMut::new(
        &widths,
        activation,
        &mut params,
        &mut velocity,
        &mut scratch,
    );
    let update = Update {
        rule: Momentum {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        },
        learning_rate: 1.0,
        reduction: Reduction::Mean,
        label_smoothing: 0.0,
    };
    let images = [255, 255, 0, 255];
    assert!(
        !net.step(Isa::detect(), &images, &[0, 1], &update)
            .is_finite()
    );
    assert_eq!(params[1..], [2.0, 1.0, 3.0, 0.5, 0.25]);
    assert_eq!(velocity, [0.0; 6]);
}
