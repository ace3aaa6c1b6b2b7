//! Trains a net of 64 hidden units on MNIST for two epochs, or on drawn strokes where the
//! data are missing, and tests it.
//!
//! ```sh
//! cargo run --release --example train
//! ```

use handwritten::compute::rng::{Stream, generator};
use handwritten::rand_core::Rng;
use handwritten::{
    Activation, Config, Dataset, Init, Net, Reduction, Split, Splits, Workspace, files, train,
};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (train_file, test_file) = match files::find(None, &[]) {
        Ok(folder) => {
            let corpus = files::load(&folder)?;
            println!("{} from {}", corpus.source, corpus.dir.display());
            (corpus.train, corpus.test)
        }
        Err(error) => {
            println!("{error}\ntraining on strokes instead");
            (strokes(4_000, 1)?, strokes(1_000, 2)?)
        }
    };
    let seed = 1;
    let mut rng = generator(seed, Stream::Split);
    let splits = Splits::new(&train_file, &test_file, Split::Standard, &mut rng)?;

    let widths = [train_file.features(), 64, train_file.classes()];
    let mut rng = generator(seed, Stream::Weights);
    let mut net = Net::random(&widths, Activation::Sigmoid, Init::Glorot, &mut rng);
    let mut workspace = Workspace::new(&widths, 2);
    let config = Config::default().with_epochs(2).with_seed(seed);
    let (train_set, val_set) = (&splits.train, &splits.val);
    let outcome = train(
        &mut net,
        train_set,
        val_set,
        &config,
        &mut workspace,
        &mut (),
    )?;
    for epoch in &outcome.history {
        let accuracy = 100.0 * epoch.val_accuracy;
        println!(
            "epoch {}: {accuracy:.2} % of the validation images",
            epoch.epoch
        );
    }

    let test = workspace.evaluate(outcome.best.view(), &splits.test, Reduction::Mean);
    let (low, high) = test.confusion.accuracy_interval();
    println!(
        "test accuracy {:.2} % (95 % interval {:.2} to {:.2} %), loss {:.4}",
        100.0 * test.confusion.accuracy(),
        100.0 * low,
        100.0 * high,
        test.loss
    );
    Ok(())
}

/// Images of 8×8 pixels with noise and one bright row: its number is the label.
fn strokes(count: usize, seed: u64) -> Result<Dataset, Box<dyn Error>> {
    let mut rng = generator(seed, Stream::Shuffle);
    let labels: Vec<u8> = (0..count).map(|i| (i % 8) as u8).collect();
    let mut pixels = vec![];
    for &label in &labels {
        for at in 0..64 {
            let ink = if at / 8 == label { 120 } else { 0 };
            pixels.push(ink + (rng.next_u32() % 130) as u8);
        }
    }
    Ok(Dataset::new(pixels, 8, 8, labels)?)
}
