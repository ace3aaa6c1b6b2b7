//! Compares the learning rate that `choose_rate` chooses with a grid of fixed ones: the
//! table of docs/defaults.md.
//!
//! ```sh
//! cargo run --release --example learning_rates -- --batches 64,full --hidden none,128,128-64
//! ```
//!
//! Each cell is a net, a batch size and an activation, trained from each seed at the chosen
//! rate and at each fixed rate, one run on each thread at a time. The figure of a run is
//! the validation accuracy of its best epoch; test images are not looked at.

use handwritten::compute::rng::{Stream, generator};
use handwritten::training::choose_rate;
use handwritten::{
    Activation, Batch, Config, Init, Net, Schedule, Split, Splits, Workspace, files, train,
};
use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const USAGE: &str = "options, each with a list separated by commas:
  --data DIR          the data set [data/mnist]
  --hidden WIDTHS     hidden layers [none,16,30,128,500,128-64,256-128-64]
  --activations NAMES [sigmoid,relu,tanh]
  --batches SIZES     [8,64,256,full]
  --epochs N          of mini-batches [5]
  --full-epochs N     of full batches [60]
  --rates RATES       the grid, or none [0.003,0.01,0.03,0.1,0.3,1,3]
  --seeds SEEDS       [1]";

/// A net and how it is trained, but for the learning rate and the seed.
#[derive(Clone, PartialEq)]
struct Cell {
    hidden: String,
    activation: Activation,
    batch: Batch,
    epochs: usize,
}

/// A run of a cell: at a fixed rate, or at the chosen one.
struct Run {
    cell: usize,
    seed: u64,
    fixed: Option<f64>,
}

/// The validation accuracy in per cent, 0 if the loss overflowed, and the rate.
#[derive(Clone, Copy)]
struct Figure {
    accuracy: f64,
    rate: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let list = |name: &str, default: &str| -> Vec<String> {
        let text = options.get(name).map_or(default, |text| text.as_str());
        text.split(',').map(String::from).collect()
    };
    let numbers = |name: &str, default: &str| -> Result<Vec<f64>, Box<dyn Error>> {
        let texts = list(name, default)
            .into_iter()
            .filter(|text| text != "none");
        let parsed: Result<_, _> = texts.map(|text| text.parse()).collect();
        Ok(parsed?)
    };
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    let folder = options.get("--data").map(PathBuf::from);
    let corpus = files::load(&files::find(folder.as_deref(), &[Path::new(own)])?)?;

    let (epochs, full_epochs) = (numbers("--epochs", "5")?, numbers("--full-epochs", "60")?);
    let mut cells = vec![];
    for batch in list("--batches", "8,64,256,full") {
        for hidden in list("--hidden", "none,16,30,128,500,128-64,256-128-64") {
            for activation in list("--activations", "sigmoid,relu,tanh") {
                let (batch, epochs) = match &batch[..] {
                    "full" => (Batch::Full, full_epochs[0]),
                    size => (Batch::Mini(size.parse()?), epochs[0]),
                };
                let (hidden, activation) = (hidden.clone(), activation.parse()?);
                // Without hidden layers the activation changes nothing.
                if hidden != "none" || activation == Activation::Sigmoid {
                    let epochs = epochs as usize;
                    cells.push(Cell {
                        hidden,
                        activation,
                        batch,
                        epochs,
                    });
                }
            }
        }
    }
    let (rates, seeds) = (
        numbers("--rates", "0.003,0.01,0.03,0.1,0.3,1,3")?,
        numbers("--seeds", "1")?,
    );
    let mut runs = vec![];
    for cell in 0..cells.len() {
        for &seed in &seeds {
            let seed = seed as u64;
            let rates = [None]
                .into_iter()
                .chain(rates.iter().map(|&rate| Some(rate)));
            runs.extend(rates.map(|fixed| Run { cell, seed, fixed }));
        }
    }
    let figures = make_all(&runs, &cells, &corpus)?;
    print(&cells, &runs, &figures, &rates);
    Ok(())
}

/// The options of the command line.
fn options() -> Result<HashMap<String, String>, Box<dyn Error>> {
    let known: Vec<&str> = USAGE
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut options = HashMap::new();
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        match args
            .next()
            .filter(|_| known.contains(&&name[..]) && name.starts_with("--"))
        {
            Some(value) => options.insert(name, value),
            None => return Err(format!("{name}: no such option, or no value\n{USAGE}").into()),
        };
    }
    Ok(options)
}

/// Makes all runs, one on each thread at a time.
fn make_all(
    runs: &[Run],
    cells: &[Cell],
    corpus: &files::Corpus,
) -> Result<Vec<Figure>, Box<dyn Error>> {
    let (next, figures) = (AtomicUsize::new(0), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(run) = runs.get(at) else { break };
                    let figure = make(run, &cells[run.cell], corpus).map_err(|e| e.to_string());
                    let mut figures = figures.lock().expect("no thread panics");
                    figures.push((at, figure));
                    eprint!("\r{} of {} runs", figures.len(), runs.len());
                }
            });
        }
    });
    eprintln!();
    let mut figures = figures.into_inner()?;
    figures.sort_by_key(|&(at, _)| at);
    let figures: Result<Vec<Figure>, String> = figures.into_iter().map(|(_, f)| f).collect();
    Ok(figures?)
}

/// Makes one run.
fn make(run: &Run, cell: &Cell, corpus: &files::Corpus) -> Result<Figure, Box<dyn Error>> {
    let mut rng = generator(run.seed, Stream::Split);
    let splits = Splits::new(&corpus.train, &corpus.test, Split::Standard, &mut rng)?;
    let mut widths = vec![corpus.train.features()];
    if cell.hidden != "none" {
        for width in cell.hidden.split('-') {
            widths.push(width.parse()?);
        }
    }
    widths.push(corpus.train.classes());

    let (activation, init) = (cell.activation, Init::suited_to(cell.activation));
    let mut rng = generator(run.seed, Stream::Weights);
    let mut net = Net::random(&widths, activation, init, &mut rng);
    let mut workspace = Workspace::new(&widths, 1);
    let mut config = Config::default()
        .with_seed(run.seed)
        .with_batch(cell.batch)
        .with_epochs(cell.epochs);
    let rate = run
        .fixed
        .unwrap_or_else(|| choose_rate(net.view(), &splits.train, &config, &mut workspace).rate);
    config = config.with_learning_rate(rate, Schedule::Cosine);
    let (training, val) = (&splits.train, &splits.val);
    let outcome = train(&mut net, training, val, &config, &mut workspace, &mut ());
    let accuracy = match outcome {
        Ok(outcome) => 100.0 * outcome.history[outcome.best_epoch - 1].val_accuracy,
        Err(error) if error.non_finite().is_some() => 0.0,
        Err(error) => return Err(error.into()),
    };
    Ok(Figure { accuracy, rate })
}

/// Prints a table with a row for each cell: means over the seeds.
fn print(cells: &[Cell], runs: &[Run], figures: &[Figure], rates: &[f64]) {
    println!(
        "| batch | activation | hidden | chosen rate | accuracy | best fixed rate | accuracy | difference |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut differences = vec![];
    for (number, cell) in cells.iter().enumerate() {
        let mean = |fixed: Option<f64>, value: fn(&Figure) -> f64| {
            let own = runs.iter().zip(figures);
            let own = own.filter(|(run, _)| run.cell == number && run.fixed == fixed);
            let values: Vec<f64> = own.map(|(_, figure)| value(figure)).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let chosen = mean(None, |figure| figure.accuracy);
        let fixed = rates
            .iter()
            .map(|&rate| (rate, mean(Some(rate), |figure| figure.accuracy)));
        let best = fixed.max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (rate, best) = best.unwrap_or((f64::NAN, f64::NAN));
        differences.push(chosen - best);
        println!(
            "| {} | {} | {} | {:.2e} | {chosen:.2} | {rate} | {best:.2} | {:+.2} |",
            match cell.batch {
                Batch::Full => "full".to_string(),
                Batch::Mini(size) => size.to_string(),
            },
            cell.activation,
            cell.hidden,
            mean(None, |figure| figure.rate),
            chosen - best
        );
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let worst = differences.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "\n{} cells: mean difference {mean:+.2} points, lowest {worst:+.2}",
        cells.len()
    );
}
