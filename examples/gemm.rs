//! Multiplies matrices: plainly, and as the layer of a net with biases and activation
//! in one pass. Every instruction set that the machine has gives the same bits.
//!
//! ```sh
//! cargo run --release --example gemm
//! ```

use handwritten::{Activation, Beta, Context, Isa, MatMut, Matrix, Product, Start, gemm};
use std::time::Instant;

fn main() {
    let (m, k, n) = (256, 784, 128);
    let x = Matrix::from_fn(m, k, |i, j| ((i * 7 + j * 13) % 11) as f32 / 10.0);
    let w = Matrix::from_fn(k, n, |i, j| ((i * 5 + j * 3) % 17) as f32 / 100.0 - 0.08);
    let biases: Vec<f32> = (0..n).map(|j| j as f32 / 100.0 - 0.5).collect();

    let mut results = vec![];
    for isa in Isa::available() {
        let mut ctx = Context::with_threads(2).with_isa(isa);
        let mut c = Matrix::zeros(m, n);
        let start = Instant::now();
        gemm(x.view(), w.view(), Beta::Zero, c.view_mut(), &mut ctx);
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{:8} {:6.1} GFLOP/s",
            isa.name(),
            2e-9 * (m * k * n) as f64 / seconds
        );

        // σ(b + X·W): the chains start from the biases, and σ is applied to each part of
        // a row as soon as its sums are complete.
        let sigmoid = |_: usize, _: usize, z: &mut [f32]| Activation::Sigmoid.apply(isa, z);
        let mut a = vec![0.0; m * n];
        Product::new(x.view(), w.view())
            .start(Start::Row(&biases))
            .epilogue(&sigmoid)
            .compute(MatMut::new(&mut a, m, n), &mut ctx);
        let bits: Vec<u32> = a.iter().map(|x| x.to_bits()).collect();
        results.push((isa.is_fused(), bits));
    }
    for (is_fused, bits) in &results {
        let first = results.iter().find(|other| other.0 == *is_fused);
        assert_eq!(first.map(|(_, first)| first), Some(bits));
    }
    println!("the same bits on all that have fused multiply-adds, and on all others");
}
