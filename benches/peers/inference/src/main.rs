//! Classification by 784-H-10 in the crates tract and candle, with the nets and in the lines of
//! `benches/peers/run_inference`.

use candle_core::{Device, Tensor};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tract_onnx::prelude::*;

const ROUNDS: usize = 20;
const IMAGES: usize = 1000;
const PIXELS: usize = 784;
const CLASSES: usize = 10;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [peer, threads] = &args[..] else {
        return Err("arguments: tract|candle THREADS".into());
    };
    let images = numbers(&path("images"))?;
    for hidden in [30, 128, 500, 1000] {
        match &peer[..] {
            "tract" => {
                let one = Tract::new(hidden, 1)?;
                let all = Tract::new(hidden, images.len() / PIXELS)?;
                report(
                    peer,
                    threads,
                    hidden,
                    &images,
                    |x| one.logits(x),
                    |x| all.logits(x),
                )?;
            }
            "candle" => {
                let net = Candle::new(hidden)?;
                report(
                    peer,
                    threads,
                    hidden,
                    &images,
                    |x| net.logits(x),
                    |x| net.logits(x),
                )?;
            }
            other => return Err(format!("no peer {other}").into()),
        }
    }
    Ok(())
}

/// A file of `cargo bench --bench inference`.
fn path(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../target/inference");
    Path::new(folder).join(name)
}

/// The little-endian `f32` of a file.
fn numbers(path: &Path) -> Outcome<Vec<f32>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (numbers, _) = bytes.as_chunks();
    Ok(numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}

/// Compares the logits, then times one image and all of them.
fn report(
    peer: &str,
    threads: &str,
    hidden: usize,
    images: &[f32],
    one: impl Fn(&[f32]) -> Outcome<Vec<f32>>,
    all: impl Fn(&[f32]) -> Outcome<Vec<f32>>,
) -> Outcome<()> {
    let expected = numbers(&path(&format!("784-{hidden}-10.logits")))?;
    let are_near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(are_near(&all(images)?, &expected), "{peer}: other logits");
    assert!(
        are_near(&one(&images[..PIXELS])?, &expected[..CLASSES]),
        "{peer}: other logits"
    );
    let (mut mean, mut calls, mut whole) = (f64::INFINITY, vec![], f64::INFINITY);
    for _ in 0..ROUNDS {
        let mut sum = 0.0;
        for image in images.chunks_exact(PIXELS).take(IMAGES) {
            let start = Instant::now();
            black_box(one(black_box(image))?);
            let micros = start.elapsed().as_secs_f64() * 1e6;
            sum += micros;
            calls.push(micros);
        }
        mean = mean.min(sum / IMAGES as f64);
        let start = Instant::now();
        black_box(all(black_box(images))?);
        let micros = start.elapsed().as_secs_f64() * 1e6;
        whole = whole.min(micros / (images.len() / PIXELS) as f64);
    }
    calls.sort_by(f64::total_cmp);
    let [p50, p99] = [50, 99].map(|percent| calls[calls.len() * percent / 100]);
    println!("{peer:12} {threads:>7} {hidden:5}{mean:9.3}{p50:9.3}{p99:9.3}{whole:9.3}");
    Ok(())
}

/// A net in tract, made for a number of images.
struct Tract {
    images: usize,
    plan: std::sync::Arc<TypedRunnableModel>,
}

impl Tract {
    fn new(hidden: usize, images: usize) -> Outcome<Self> {
        let plan = tract_onnx::onnx()
            .model_for_path(path(&format!("784-{hidden}-10.onnx")))?
            .with_input_fact(0, f32::fact([images, PIXELS]).into())?
            .into_optimized()?
            .into_runnable()?;
        Ok(Self { images, plan })
    }

    fn logits(&self, images: &[f32]) -> Outcome<Vec<f32>> {
        let x = tract_onnx::prelude::Tensor::from_shape(&[self.images, PIXELS], images)?;
        let logits = self.plan.run(tvec!(x.into()))?;
        Ok(logits[0]
            .to_plain_array_view::<f32>()?
            .iter()
            .copied()
            .collect())
    }
}

/// A net in candle.
struct Candle {
    weights: [Tensor; 2],
    biases: [Tensor; 2],
}

impl Candle {
    fn new(hidden: usize) -> Outcome<Self> {
        let params = numbers(&path(&format!("784-{hidden}-10.params")))?;
        let (mut rest, device) = (&params[..], Device::Cpu);
        let mut take = |rows: usize, columns: usize| {
            let (first, after) = rest.split_at(rows * columns);
            rest = after;
            Tensor::from_slice(first, (rows, columns), &device)
        };
        let (w1, b1) = (take(PIXELS, hidden)?, take(1, hidden)?);
        let (w2, b2) = (take(hidden, CLASSES)?, take(1, CLASSES)?);
        Ok(Self {
            weights: [w1, w2],
            biases: [b1, b2],
        })
    }

    fn logits(&self, images: &[f32]) -> Outcome<Vec<f32>> {
        let x = Tensor::from_slice(images, (images.len() / PIXELS, PIXELS), &Device::Cpu)?;
        let z = x.matmul(&self.weights[0])?.broadcast_add(&self.biases[0])?;
        let a = candle_nn::ops::sigmoid(&z)?;
        let logits = a.matmul(&self.weights[1])?.broadcast_add(&self.biases[1])?;
        Ok(logits.flatten_all()?.to_vec1()?)
    }
}
