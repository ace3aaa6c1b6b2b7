//! Follows a run with an observer that is a trait object: prints each epoch, and lets the
//! diagnosis say why the net does not learn. The learning rate is a thousandth of what it
//! should be.
//!
//! ```sh
//! cargo run --release --example observer
//! ```

use handwritten::compute::rng::{Stream, generator};
use handwritten::training::diagnosis::Monitor;
use handwritten::{
    Activation, Config, Control, Dataset, EpochReport, Init, Net, Observer, Schedule, Subset,
    TrainingState, Workspace, train,
};
use std::error::Error;

/// Prints what a monitor finds, and ends the run when the loss no longer falls.
struct Printer {
    monitor: Monitor,
    last: f64,
}

impl Observer for Printer {
    fn on_start(&mut self, now: &TrainingState<'_>) {
        self.monitor.start(now);
    }

    fn on_epoch(&mut self, epoch: &EpochReport, now: &TrainingState<'_>) -> Control {
        let observation = self.monitor.observe(epoch, now);
        println!(
            "epoch {:2}: loss {:.4}, gradient norm {:.1e}, {:.0} % saturated",
            epoch.epoch,
            epoch.val_loss,
            observation.indicators.gradient_norm,
            100.0 * observation.indicators.saturated
        );
        if let Some(finding) = &observation.finding {
            println!("          {}: {finding}", finding.name());
        }
        let falls = epoch.val_loss < self.last;
        self.last = epoch.val_loss;
        match falls {
            true => Control::Continue,
            false => Control::SaveAndStop,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let labels: Vec<u8> = (0..1_000).map(|i| (i % 8) as u8).collect();
    let pixels = labels
        .iter()
        .flat_map(|&label| (0..64).map(move |at| if at / 8 == label { 255 } else { at }));
    let data = Dataset::new(pixels.collect(), 8, 8, labels.clone())?;
    let all = Subset::all(&data);

    let widths = [data.features(), 16, data.classes()];
    let mut rng = generator(1, Stream::Weights);
    let mut net = Net::random(&widths, Activation::Sigmoid, Init::Glorot, &mut rng);
    let mut workspace = Workspace::new(&widths, 1);
    let mut printer = Printer {
        monitor: Monitor::new(workspace.clone()),
        last: f64::INFINITY,
    };
    let observer: &mut dyn Observer = &mut printer;
    let config = Config::default()
        .with_epochs(12)
        .with_learning_rate(4e-4, Schedule::Constant);
    train(&mut net, &all, &all, &config, &mut workspace, observer)?;
    Ok(())
}
