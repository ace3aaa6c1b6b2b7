//! Classification of MNIST by 784-H-10: one image at a time, and the test images at once.
//!
//! ```text
//! cargo bench --bench inference
//! HANDWRITTEN_ISA=avx2 cargo bench --bench inference
//! ```
//!
//! *mean* is the time of [`NetRef::classify`] for one image, in µs: a round classifies the
//! first 1000 test images, and the fastest round counts, since neighbours on the machine only
//! ever slow one down. *p50* and *p99* are quantiles of single calls, over all rounds; they
//! include the two readings of the clock, some 0.02 µs. *all, 1 thread* and *all, 2 threads*
//! are the time of [`Workspace::logits`] for the 10 000 test images, divided by their number,
//! the fastest of all rounds.
//!
//! The weights are those that a training starts from. The activation is the sigmoid, so that
//! no activation of the hidden layer is zero; the time does not depend on other values.
//!
//! Each net and its logits are written to `target/inference`, for `benches/peers/run_inference`,
//! which times other programs on the same net once their logits agree.

use handwritten::compute::rng::{Stream, generator};
use handwritten::net::activations_len;
use handwritten::{Activation, Init, Isa, Net, Workspace, files};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// The number of images that are classified one at a time.
const IMAGES: usize = 1000;

/// Rounds over these images, and over all of them at once.
const ROUNDS: [usize; 2] = [200, 20];

/// Microseconds since `start`.
fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

/// Writes numbers as little-endian `f32` to a file in `target/inference`.
fn save(name: &str, numbers: &[f32]) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/inference"));
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(name), bytes));
    written.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

fn main() {
    // `cargo bench` adds `--bench`. Without it this is a test, and one round is enough.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let [rounds, batch_rounds] = if is_bench { ROUNDS } else { [1, 1] };
    let isa = Isa::from_env().unwrap_or_else(|error| panic!("HANDWRITTEN_ISA: {error}"));
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");
    let loaded = files::find(None, &[Path::new(own)]).and_then(|dir| files::load(&dir));
    let data = loaded.expect("MNIST is in the repository").test;
    let images: Vec<u8> = (0..data.len())
        .flat_map(|i| data.image(i).to_vec())
        .collect();
    let mut logits = vec![0.0; 10 * data.len()];
    if is_bench {
        let inputs: Vec<f32> = images.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        save("images", &inputs);
    }
    println!("{}; µs an image", isa.name());
    println!("   H    mean     p50     p99  all, 1 thread  all, 2 threads");
    for hidden in [30, 128, 500, 1000] {
        let widths = [784, hidden, 10];
        let mut rng = generator(1, Stream::Weights);
        let net = Net::random(&widths, Activation::Sigmoid, Init::Glorot, &mut rng);
        let net = net.view();
        let mut activations = vec![0.0; activations_len(&widths, 1)];
        let mut classify = |i| net.classify(isa, black_box(data.image(i)), &mut activations);

        let (mut mean, mut calls) = (f64::INFINITY, vec![]);
        for _ in 0..rounds {
            let start = Instant::now();
            for i in 0..IMAGES {
                black_box(classify(i));
            }
            mean = mean.min(micros(start) / IMAGES as f64);
            calls.extend((0..IMAGES).map(|i| {
                let start = Instant::now();
                black_box(classify(i));
                micros(start)
            }));
        }
        calls.sort_by(f64::total_cmp);
        let [p50, p99] = [50, 99].map(|percent| calls[calls.len() * percent / 100]);

        let [one, two] = [1, 2].map(|threads| {
            let mut workspace = Workspace::new(&widths, threads).with_isa(isa);
            let times = (0..batch_rounds).map(|_| {
                let start = Instant::now();
                workspace.logits(net, black_box(&images), &mut logits);
                micros(start) / data.len() as f64
            });
            times.fold(f64::INFINITY, f64::min)
        });
        if is_bench {
            save(&format!("784-{hidden}-10.params"), net.params());
            save(&format!("784-{hidden}-10.logits"), &logits);
        }
        println!("{hidden:4}  {mean:6.3}  {p50:6.3}  {p99:6.3}  {one:13.3}  {two:14.3}");
    }
}
