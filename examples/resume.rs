//! Interrupts a run in the middle of an epoch, resumes it from the bytes of a checkpoint,
//! and compares the weights with those of a run that was never interrupted: they have the
//! same bits.
//!
//! ```sh
//! cargo run --release --example resume
//! ```

use handwritten::compute::rng::{Stream, generator};
use handwritten::{
    Activation, Batch, Checkpoint, Config, Control, Dataset, Init, Net, Observer, StepReport,
    Subset, Workspace, resume,
};
use std::error::Error;

/// Saves and ends a run after some steps.
struct Interrupt {
    steps_left: usize,
    saved: Vec<u8>,
}

impl Observer for Interrupt {
    fn on_step(&mut self, step: &StepReport) -> Control {
        self.steps_left -= 1;
        if self.steps_left > 0 {
            return Control::Continue;
        }
        println!(
            "interrupted in epoch {}, step {} of {}",
            step.epoch, step.step, step.steps
        );
        Control::SaveAndStop
    }

    fn on_save(&mut self, run: &Checkpoint) {
        // A program writes these bytes with `files::write_atomic`.
        self.saved = run.to_bytes(b"notes of the program");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let labels: Vec<u8> = (0..2_000).map(|i| (i % 10) as u8).collect();
    let pixels = (0..2_000 * 100).map(|i: usize| (i * 37 % 256 * (i % 3)).min(255) as u8);
    let data = Dataset::new(pixels.collect(), 10, 10, labels)?;
    let all = Subset::all(&data);

    let config = Config::default().with_epochs(4).with_batch(Batch::Mini(50));
    let mut rng = generator(config.seed, Stream::Weights);
    let net = Net::random(&[100, 32, 10], Activation::Relu, Init::He, &mut rng);
    let mut workspace = Workspace::new(net.widths(), 2);

    let mut whole = Checkpoint::new(net.clone(), config);
    resume(&mut whole, &all, &all, &mut workspace, &mut ())?;

    let mut interrupt = Interrupt {
        steps_left: 70,
        saved: vec![],
    };
    let mut first = Checkpoint::new(net, config);
    resume(&mut first, &all, &all, &mut workspace, &mut interrupt)?;
    assert!(!first.is_complete());

    let (mut second, notes) = Checkpoint::from_bytes(&interrupt.saved)?;
    println!(
        "{} bytes, {:?}",
        interrupt.saved.len(),
        String::from_utf8_lossy(&notes)
    );
    resume(&mut second, &all, &all, &mut workspace, &mut ())?;
    assert_eq!(second.net, whole.net);
    println!("the same weights after {} epochs", second.history.len());
    Ok(())
}
