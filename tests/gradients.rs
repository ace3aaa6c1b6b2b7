//! Gradients are compared with finite differences, and do not depend on threads, chunks or
//! zeros.

#![cfg(feature = "alloc")]

#[path = "common/arms.rs"]
mod arms;
mod common;

use arms::arms;
use common::{
    Oracle, examples, random_images, random_params, relative_error, rounding, tensors, widen,
};
use handwritten::data::Dataset;
use handwritten::net::activations_len;
use handwritten::net::loss::{LossTarget, softmax_cross_entropy};
use handwritten::{Activation, Context, Isa, MatMut, MatRef, Net, NetRef, Reduction, Workspace};

/// Widths and batch sizes: no hidden layer, one and two, none of them a
/// multiple of a register tile, and the smallest there are.
const SHAPES: [(&[usize], usize); 8] = [
    (&[1, 2], 3),
    (&[13, 3], 1),
    (&[21, 10], 17),
    (&[13, 7, 3], 5),
    (&[37, 19, 10], 19),
    (&[5, 1, 4], 11),
    (&[13, 9, 7, 3], 6),
    (&[22, 17, 11, 10], 23),
];

/// The step h of central differences.
const H: f64 = 1e-6;

struct Case {
    net: Net,
    oracle: Oracle,
    data: Dataset,
    indices: Vec<u32>,
    reduction: Reduction,
}

/// Every shape with every activation and reduction.
fn cases() -> impl Iterator<Item = Case> {
    SHAPES.into_iter().flat_map(|(widths, batch)| {
        Activation::ALL.iter().copied().flat_map(move |activation| {
            Reduction::ALL.iter().copied().map(move |reduction| {
                let params = random_params(widths, batch as u64);
                let classes = widths[widths.len() - 1];
                Case {
                    oracle: Oracle {
                        widths: widths.to_vec(),
                        activation,
                        params: widen(&params),
                    },
                    net: Net::new(widths, activation, params),
                    data: random_images(batch, widths[0], classes, batch as u64),
                    indices: (0..batch as u32).collect(),
                    reduction,
                }
            })
        })
    })
}

impl Case {
    fn name(&self) -> String {
        let Oracle {
            widths, activation, ..
        } = &self.oracle;
        let (batch, reduction) = (self.indices.len(), self.reduction);
        format!("{widths:?} {activation:?}, {reduction:?} of {batch}")
    }

    /// The oracle's reduced loss, and its gradient.
    fn expected(&self) -> (f64, Vec<f64>) {
        let (x, labels) = examples(&self.data, &self.indices);
        let (sum, gradient) = self.oracle.gradient(&x, &labels, self.reduction);
        (sum * self.reduction.scale(labels.len()), gradient)
    }

    /// Central differences of the oracle's loss, at steps so short that a
    /// kink of relu hardly ever lies between (and for these seeds never does).
    fn differences(&self) -> Vec<f64> {
        let (x, labels) = examples(&self.data, &self.indices);
        let mut moved = self.oracle.clone();
        let mut loss = |i: usize, h: f64| {
            moved.params[i] = self.oracle.params[i] + h;
            let (sum, _) = moved.gradient(&x, &labels, self.reduction);
            moved.params[i] = self.oracle.params[i];
            sum * self.reduction.scale(labels.len())
        };
        (0..self.oracle.params.len())
            .map(|i| (loss(i, H) - loss(i, -H)) / (2.0 * H))
            .collect()
    }

    /// Bound on the error of a central difference of the reduced loss L: h² of truncation,
    /// since the third derivative of an example's loss is below 6 for inputs and weights
    /// around 1, and n·u·L / h of cancellation, with the u of `f64` and n operations on the
    /// way to a loss.
    fn difference_error(&self) -> f64 {
        let (loss, _) = self.expected();
        let n = self.indices.len() + self.oracle.widths.iter().sum::<usize>();
        let examples = self.indices.len() as f64 * self.reduction.scale(self.indices.len());
        examples * H * H + n as f64 * (f64::EPSILON / 2.0) * loss / H
    }

    /// Fails unless each tensor of `gradient` is that of `expected` but for a share of its
    /// length and an error of each element, and is not zero.
    fn assert_close(&self, gradient: &[f64], expected: &[f64], share: f64, error_each: f64) {
        for (number, tensor) in tensors(&self.oracle.widths).into_iter().enumerate() {
            let (gradient, expected) = (&gradient[tensor.clone()], &expected[tensor]);
            assert!(
                expected.iter().any(|&g| g != 0.0),
                "{}: tensor {number} has no gradient",
                self.name()
            );
            let error = relative_error(gradient, expected);
            let tolerance = share + (expected.len() as f64).sqrt() * error_each / length(expected);
            assert!(
                error <= tolerance,
                "{}: tensor {number} is off by {error:e} of {tolerance:e}",
                self.name()
            );
        }
    }
}

/// The Euclidean length.
fn length(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn the_oracles_gradient_is_that_of_its_loss() {
    for case in cases() {
        let (_, gradient) = case.expected();
        case.assert_close(&gradient, &case.differences(), 0.0, case.difference_error());

        // The slope of the loss along its gradient is ‖g‖, by steps of length h both ways.
        let plain = handwritten::Momentum {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        let after = |rate: f64| {
            let mut moved = Case {
                oracle: case.oracle.clone(),
                net: case.net.clone(),
                data: case.data.clone(),
                indices: case.indices.clone(),
                ..case
            };
            let mut velocity = vec![0.0; gradient.len()];
            moved.oracle.step(&mut velocity, &gradient, &plain, rate);
            moved.expected().0
        };
        let norm = length(&gradient);
        let slope = (after(-H / norm) - after(H / norm)) / (2.0 * H);
        let bound = case.difference_error();
        assert!((slope - norm).abs() < bound, "{}: {slope}", case.name());
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for case in cases() {
        let batch = case.indices.len();
        let widths = &case.oracle.widths;
        let mut workspace = Workspace::new(widths, 1);
        let (net, reduction) = (case.net.view(), case.reduction);
        let sum = workspace.compute_gradient(net, &case.data, &case.indices, reduction);
        let gradient = widen(workspace.gradient());
        let tolerance = rounding(widths, batch);
        let (loss, expected) = case.expected();
        let reduced = sum * reduction.scale(batch);
        assert!(
            (reduced / loss - 1.0).abs() <= tolerance,
            "{}: loss {reduced} for {loss}",
            case.name()
        );
        case.assert_close(&gradient, &expected, tolerance, 0.0);
        let error_each = case.difference_error();
        case.assert_close(&gradient, &case.differences(), tolerance, error_each);
    }
}

/// Forward and backward over all rows at once, without a workspace, added to
/// `gradient`; the sum of the losses.
fn pass(net: NetRef<'_>, data: &Dataset, rows: &[u32], scale: f32, gradient: &mut [f32]) -> f64 {
    pass_on(Isa::detect(), net, data, rows, scale, gradient)
}

fn pass_on(
    isa: Isa,
    net: NetRef<'_>,
    data: &Dataset,
    rows: &[u32],
    scale: f32,
    gradient: &mut [f32],
) -> f64 {
    let (features, classes) = (data.features(), net.layer(net.depth() - 1).biases.len());
    let mut pixels = vec![0.0; rows.len() * features];
    let mut labels = vec![0; rows.len()];
    data.gather(rows, &mut pixels, &mut labels);
    let x = MatRef::new(&pixels, rows.len(), features);
    let mut activations = vec![0.0; activations_len(net.widths(), rows.len())];
    // Nothing but the last block may be read before it is written.
    let mut deltas = vec![f32::NAN; activations.len()];
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing).with_isa(isa);
    let mut losses = vec![0.0; rows.len()];
    let logits = net.forward(x, &mut activations, &mut ctx);
    let start = deltas.len() - rows.len() * classes;
    let dlogits = MatMut::new(&mut deltas[start..], rows.len(), classes);
    let target = LossTarget::new(scale);
    softmax_cross_entropy(isa, logits, &labels, target, dlogits, &mut losses);
    net.backward(x, &activations, &mut deltas, gradient, &mut ctx);
    losses.into_iter().map(f64::from).sum()
}

fn bits(xs: &[f32]) -> Vec<u32> {
    xs.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn backward_adds_to_the_gradient_example_after_example() {
    for case in cases().filter(|case| case.indices.len() > 1) {
        let net = case.net.view();
        let mut whole = vec![0.0; net.params().len()];
        pass(net, &case.data, &case.indices, 0.5, &mut whole);
        for cut in 1..case.indices.len() {
            let mut parts = vec![0.0; whole.len()];
            for part in [&case.indices[..cut], &case.indices[cut..]] {
                pass(net, &case.data, part, 0.5, &mut parts);
            }
            assert_eq!(bits(&parts), bits(&whole), "{} at {cut}", case.name());
        }
    }
}

#[test]
fn batches_beyond_a_chunk_are_one_sum_in_the_order_of_the_examples() {
    let widths = [29, 13, 11, 10];
    let data = random_images(600, 29, 10, 1);
    for &activation in Activation::ALL {
        let net = Net::new(&widths, activation, random_params(&widths, 1));
        let mut workspace = Workspace::new(&widths, 1);
        for batch in [255, 256, 257, 512, 513, 600] {
            // Some order other than that of the file.
            let rows: Vec<u32> = (0..batch).map(|i| (i * 7) % 600).collect();
            for &reduction in Reduction::ALL {
                let scale = match reduction {
                    Reduction::Mean => 1.0 / batch as f32,
                    Reduction::Sum => 1.0,
                    other => panic!("the oracle has no {other:?}"),
                };
                let mut expected = vec![0.0; net.view().params().len()];
                let loss = pass(net.view(), &data, &rows, scale, &mut expected);
                let sum = workspace.compute_gradient(net.view(), &data, &rows, reduction);
                assert_eq!(bits(workspace.gradient()), bits(&expected), "{batch}");
                assert_eq!(sum.to_bits(), loss.to_bits(), "{batch}");
            }
        }

        // The order matters; otherwise the equality above would prove nothing.
        let rows: Vec<u32> = (0..600).collect();
        let back: Vec<u32> = (0..600).rev().collect();
        workspace.compute_gradient(net.view(), &data, &rows, Reduction::Sum);
        let forth = bits(workspace.gradient());
        workspace.compute_gradient(net.view(), &data, &back, Reduction::Sum);
        assert_ne!(bits(workspace.gradient()), forth);
    }
}

/// Images most of whose pixels are zero, some columns in all of them.
fn sparse_images(count: usize, features: usize) -> Dataset {
    let pixel = |i: usize, j: usize| match (i * 31 + j * 17) % 7 {
        0 if !j.is_multiple_of(4) => (1 + (i * 97 + j * 13) % 255) as u8,
        _ => 0,
    };
    let pixels = (0..count * features).map(|e| pixel(e / features, e % features));
    let labels = (0..count).map(|i| (i % 10) as u8).collect();
    Dataset::new(pixels.collect(), 1, features, labels).unwrap()
}

#[test]
fn leaving_zero_columns_out_changes_no_bit() {
    let widths = [85, 19, 10];
    let data = sparse_images(300, 85);
    for isa in arms() {
        for &activation in Activation::ALL {
            let net = Net::new(&widths, activation, random_params(&widths, 5));
            let mut workspace = Workspace::new(&widths, 1).with_isa(isa);
            for batch in [1, 2, 64, 300] {
                let rows: Vec<u32> = (0..batch).map(|i| (i * 7) % 300).collect();
                let mut expected = vec![0.0; net.view().params().len()];
                let loss = pass_on(isa, net.view(), &data, &rows, 1.0, &mut expected);
                let sum = workspace.compute_gradient(net.view(), &data, &rows, Reduction::Sum);
                assert_eq!(sum.to_bits(), loss.to_bits(), "{} {batch}", isa.name());
                assert_eq!(bits(workspace.gradient()), bits(&expected), "{batch}");
            }
        }
    }
}

#[test]
fn a_weight_that_is_not_finite_shows_even_if_it_meets_only_zeros() {
    let widths = [85, 19, 10];
    let data = sparse_images(40, 85);
    for broken in [f32::INFINITY, f32::NAN] {
        let mut net = Net::new(&widths, Activation::Sigmoid, random_params(&widths, 6));
        // Column 4 is zero in all images.
        net.params_mut()[4 * 19 + 3] = broken;
        let rows: Vec<u32> = (0..40).collect();
        let mut workspace = Workspace::new(&widths, 1);
        let sum = workspace.compute_gradient(net.view(), &data, &rows, Reduction::Mean);
        assert!(sum.is_nan());
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    // So large that the products with X, W2 and its transpose are shared out.
    let widths = [400, 300, 150, 10];
    let data = random_images(300, 400, 10, 2);
    let net = Net::new(&widths, Activation::Sigmoid, random_params(&widths, 2));
    let rows: Vec<u32> = (0..300).collect();
    let gradient = |threads| {
        let mut workspace = Workspace::new(&widths, threads);
        let sum = workspace.compute_gradient(net.view(), &data, &rows, Reduction::Mean);
        (sum.to_bits(), bits(workspace.gradient()))
    };
    let alone = gradient(1);
    for threads in [2, 3, 4, 8] {
        assert_eq!(gradient(threads), alone, "{threads} threads");
    }
}

#[test]
fn evaluation_is_the_loss_of_the_gradient_and_counts_the_largest_logits() {
    let widths = [29, 13, 10];
    let data = random_images(600, 29, 10, 3);
    let net = Net::new(&widths, Activation::Tanh, random_params(&widths, 3));
    let mut workspace = Workspace::new(&widths, 1);
    let all = handwritten::data::Subset::all(&data);
    for &reduction in Reduction::ALL {
        let sum = workspace.compute_gradient(net.view(), &data, all.indices(), reduction);
        let evaluation = workspace.evaluate(net.view(), &all, reduction);
        let reduced = sum * reduction.scale(600);
        assert_eq!(evaluation.loss.to_bits(), reduced.to_bits());

        let mut pixels = vec![0.0; 29];
        let mut counts = vec![0; 100];
        for i in 0..600 {
            let mut label = [0];
            data.gather(&[i], &mut pixels, &mut label);
            let mut activations = vec![0.0; activations_len(&widths, 1)];
            let mut packing = Context::packing(1);
            let mut ctx = Context::new(1, &mut packing);
            let x = MatRef::new(&pixels, 1, 29);
            let logits = net.view().forward(x, &mut activations, &mut ctx);
            let logits = logits.row(0);
            let best = (0..10).max_by(|&i, &j| logits[i].total_cmp(&logits[j]));
            counts[usize::from(label[0]) * 10 + best.unwrap()] += 1;
        }
        assert_eq!(evaluation.confusion.counts(), counts);
    }
}

#[test]
#[should_panic(expected = "label 3 of 3 classes")]
fn a_label_beyond_the_classes_is_refused() {
    let data = Dataset::new(vec![9; 8], 2, 2, vec![1, 3]).unwrap();
    let widths = [4, 3];
    let net = Net::new(&widths, Activation::Relu, random_params(&widths, 4));
    Workspace::new(&widths, 1).compute_gradient(net.view(), &data, &[0, 1], Reduction::Mean);
}

#[test]
#[should_panic(expected = "a net and its workspace")]
fn a_net_of_other_widths_is_refused() {
    let data = Dataset::new(vec![9; 8], 2, 2, vec![1, 2]).unwrap();
    let net = Net::new(&[4, 3], Activation::Relu, random_params(&[4, 3], 4));
    Workspace::new(&[4, 2, 3], 1).compute_gradient(net.view(), &data, &[0], Reduction::Mean);
}

#[cfg(feature = "std")]
mod gradcheck {
    use super::*;
    use common::UNIT;
    use handwritten::net::defects::{Defect, Defects, Objective};
    use handwritten::training::gradcheck::{TOLERANCE, check_net, loss};

    #[test]
    fn its_loss_is_the_oracles() {
        for case in cases() {
            // Pixels are divided in double precision here.
            let pixels = case
                .indices
                .iter()
                .flat_map(|&i| case.data.image(i as usize));
            let x: Vec<f64> = pixels.map(|&pixel| f64::from(pixel) / 255.0).collect();
            let (_, labels) = examples(&case.data, &case.indices);
            let (sum, _) = case.oracle.gradient(&x, &labels, case.reduction);
            let (widths, activation) = (&case.oracle.widths, case.oracle.activation);
            let batch = &case.indices;
            let found = loss(widths, activation, &case.oracle.params, &case.data, batch);
            // The share of `rounding`, with the u of double precision.
            let bound = rounding(widths, batch.len()) / UNIT * f64::EPSILON / 2.0;
            assert!((found / sum - 1.0).abs() < bound, "{}", case.name());
        }
    }

    #[test]
    fn right_gradients_pass_and_wrong_ones_do_not() {
        for case in cases() {
            let net = case.net.view();
            let check = |defects| {
                let mut workspace = Workspace::new(net.widths(), 1);
                let objective = Objective {
                    reduction: case.reduction,
                    defects,
                };
                let (data, batch) = (&case.data, &case.indices);
                check_net(&mut workspace, net, data, batch, objective, 10)
            };
            let (right, wrong) = (
                check(Defects::NONE),
                check(Defects::NONE.with(Defect::RawLogitGradient)),
            );
            assert_eq!(right.len(), 2 * net.depth());
            for ((tensor, right), (_, wrong)) in right.iter().zip(&wrong) {
                let name = format!("{} of {}", tensor, case.name());
                assert!(right.checked > 0 && right.largest > 0.0, "{name}");
                let tolerance = rounding(net.widths(), case.indices.len());
                assert!(right.error < tolerance, "{name}: {right:?}");
                assert!(wrong.error > TOLERANCE, "{name}: {wrong:?}");
            }
        }
    }
}
