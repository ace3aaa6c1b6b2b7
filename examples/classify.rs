//! Writes a model file, reads it back and classifies an image with it, in single
//! precision and with weights of eight bits.
//!
//! ```sh
//! cargo run --release --example classify
//! ```

use handwritten::compute::rng::{Stream, generator};
use handwritten::files::model::{Metadata, decode, encode};
use handwritten::files::write_atomic;
use handwritten::net::activations_len;
use handwritten::net::loss::softmax;
use handwritten::net::quantized::{quantize, sums_len, weights_len};
use handwritten::{
    Activation, Config, Dataset, Init, Isa, Net, QuantizedRef, Subset, Workspace, train,
};
use std::error::Error;
use std::fs;

/// Images of 5×5 pixels: a bar, a cross, a box.
const SHAPES: [&str; 3] = [
    "..#.. ..#.. ..#.. ..#.. ..#..",
    "#...# .#.#. ..#.. .#.#. #...#",
    "##### #...# #...# #...# #####",
];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("shapes-{}.safetensors", std::process::id()));
    let (net, metadata) = trained()?;
    write_atomic(&path, &encode(&net, &metadata)?)?;
    let model = decode(&fs::read(&path)?)?;
    fs::remove_file(&path)?;

    // A cross that lacks a corner.
    let image = pixels("....# .#.#. ..#.. .#.#. #...#");
    let mut probabilities = model.net.logits(&image);
    softmax(Isa::detect(), &mut probabilities);
    for (class, probability) in model.metadata.classes.iter().zip(probabilities) {
        println!("{class:6} {:6.2} %", 100.0 * probability);
    }
    let class = model.net.classify(&image);

    let widths = model.net.widths();
    let outputs = activations_len(widths, 1);
    let mut weights = vec![0; weights_len(widths)];
    let (mut scales, mut biases) = (vec![0.0; outputs], vec![0.0; outputs]);
    quantize(model.net.view(), &mut weights, &mut scales, &mut biases);
    let small = QuantizedRef::try_new(widths, model.net.activation(), &weights, &scales, &biases)
        .ok_or("too many inputs for sums of 32 bits")?;
    let (mut sums, mut activations) = (vec![0; sums_len(widths)], vec![0.0; outputs]);
    let small_class = small.classify(Isa::detect(), &image, &mut sums, &mut activations);
    println!(
        "with weights of eight bits: {:?}",
        small_class.map(|class| &model.metadata.classes[class])
    );
    assert_eq!((class, small_class), (1, Some(1)));
    Ok(())
}

fn pixels(shape: &str) -> Vec<u8> {
    let ink = shape.bytes().filter(|byte| *byte != b' ');
    ink.map(|byte| if byte == b'#' { 255 } else { 0 }).collect()
}

/// A net that tells the shapes apart.
fn trained() -> Result<(Net, Metadata), Box<dyn Error>> {
    let data = Dataset::new(
        SHAPES.iter().flat_map(|shape| pixels(shape)).collect(),
        5,
        5,
        vec![0, 1, 2],
    )?;
    let all = Subset::all(&data);
    let config = Config::default().with_epochs(200);
    let mut rng = generator(config.seed, Stream::Weights);
    let mut net = Net::random(&[25, 8, 3], Activation::Tanh, Init::LeCun, &mut rng);
    let mut workspace = Workspace::new(net.widths(), 1);
    let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ())?;
    let classes = ["bar", "cross", "box"].map(String::from).to_vec();
    let mut metadata = Metadata::new((data.rows(), data.columns()), classes);
    metadata.data = "three shapes".to_string();
    metadata.seed = config.seed;
    metadata.best_epoch = outcome.best_epoch;
    metadata.val_loss = outcome.history[outcome.best_epoch - 1].val_loss;
    Ok((outcome.best, metadata))
}
