//! Products with mini-batches of real digits, whose zeros are found and skipped.

use crate::common::median;
use crate::common::peak::peak;
use handwritten::compute::gemm::images_per_list;
use handwritten::compute::rng::{Stream, generator};
use handwritten::compute::vector;
use handwritten::compute::zeros;
use handwritten::data::Dataset;
use handwritten::{Context, Isa, MatMut, MatRef, Matrix, Product, SparseK, files};
use rand_core::Rng;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// The names of the two products.
pub(crate) const NAMES: [&str; 2] = ["forward 1, digits", "gradient of W1, digits"];

/// Times both products for some mini-batches and hidden layers. Speeds count the products
/// with zeros; the peak is that of the multiply-adds that are computed.
pub(crate) fn digits(isa: Isa, table: &mut String) {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");
    let data = files::find(None, &[Path::new(own)]).and_then(|dir| files::load(&dir));
    let train: Dataset = data.expect("MNIST is in the repository").train;
    let mut rng = generator(2, Stream::Shuffle);
    for (images, hidden) in [(64, 128), (128, 128), (64, 500), (128, 500)] {
        let [forward, gradient, peak] = measure(images, hidden, &train, &mut rng, isa);
        for (name, (m, k), speed) in [
            (NAMES[0], (images, 784), forward),
            (NAMES[1], (784, images), gradient),
        ] {
            println!(
                "      1 {name:22} {:>15} {speed:7.1} {:6.1} %",
                format!("{m}·{k}·{hidden}"),
                100.0 * speed / peak
            );
            let name = name.replace(',', "");
            let _ = writeln!(
                table,
                "{name},{m},{k},{hidden},1,{},{speed:.2},{peak:.2},{:.4},,,,,,",
                isa.name(),
                speed / peak
            );
        }
    }
}

/// Medians of GFLOP/s on one thread: of X·W1, of Xᵀ·dZ1 and of the peak. X is
/// images × 784, drawn anew in each round; W1 is 784 × hidden, dZ1 is images × hidden.
fn measure(
    images: usize,
    hidden: usize,
    train: &Dataset,
    rng: &mut impl Rng,
    isa: Isa,
) -> [f64; 3] {
    let weights = Matrix::from_fn(784, hidden, |_, _| rng.next_u32() as f32 / 2e9 - 1.0);
    let dz = Matrix::from_fn(images, hidden, |_, _| rng.next_u32() as f32 / 2e9 - 1.0);
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing).with_isa(isa);
    let (mut z, mut dw) = (vec![0.0; images * hidden], vec![0.0; 784 * hidden]);
    let mut x = vec![0.0; images * 784];
    let mut masks = vec![0; images];
    let (mut steps, mut cuts) = (vec![0; zeros::BLOCK / zeros::GROUP * 784], [0; _]);
    let flops = 2.0 * (images * 784 * hidden) as f64 / 1e9;
    let (mut peaks, mut forward, mut gradient) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..300 {
        let mut bytes = Vec::new();
        for _ in 0..images {
            bytes.extend_from_slice(train.image(rng.next_u32() as usize % train.len()));
        }
        vector::scale_bytes(isa, &bytes, &mut x);
        let x = MatRef::new(&x, images, 784);

        let start = Instant::now();
        for first in (0..images).step_by(images_per_list(isa)) {
            let rows = first..images.min(first + images_per_list(isa));
            let pixels = &bytes[rows.start * 784..rows.end * 784];
            let count = zeros::columns(isa, pixels, 784, &mut steps);
            let z = &mut z[rows.start * hidden..rows.end * hidden];
            Product::new(x.block(rows.clone(), 0..784), weights.view())
                .sparse_k(SparseK::new(isa, 784, &steps[..count]))
                .compute(MatMut::new(z, rows.len(), hidden), &mut ctx);
        }
        forward.push(flops / start.elapsed().as_secs_f64());

        let start = Instant::now();
        for block in (0..784).step_by(zeros::BLOCK) {
            zeros::groups(isa, &bytes, 784, block, &mut masks);
            let columns = block..784.min(block + zeros::BLOCK);
            let groups = columns.len() / zeros::GROUP;
            let steps = zeros::lists(isa, &masks, groups, &mut steps, &mut cuts);
            let dw = &mut dw[columns.start * hidden..columns.end * hidden];
            let rows = columns.len();
            Product::new(x.block(0..images, columns).t(), dz.view())
                .sparse_k(steps)
                .compute(MatMut::new(dw, rows, hidden), &mut ctx);
        }
        gradient.push(flops / start.elapsed().as_secs_f64());
        if peaks.len() < 31 {
            peaks.push(peak(isa, 1));
        }
    }
    [forward, gradient, peaks].map(median)
}
