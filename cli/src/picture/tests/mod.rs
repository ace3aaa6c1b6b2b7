//! Counts of pictures that are read right, by kind of light, paper and border.
//!
//! Everything was tuned on training images and other seeds; these are test images.

mod scenes;

use super::colours::Colours;
use super::decode::Pixels;
use super::fit::Ink;
use super::{Form, LONGEST, TWO, digits};
use crate::image_folder::Fit;
use crate::setup;
use handwritten::compute::rng::{Generator, Stream, generator};
use handwritten::compute::vector;
use handwritten::data::{Dataset, Framing, Split, Splits};
use handwritten::files::Corpus;
use handwritten::net::{activations_len, loss};
use handwritten::{Activation, Config, Context, Init, Isa, MatRef, Net, Workspace, train};
use rand_core::Rng;
use scenes::Kind;
use std::sync::OnceLock;
use std::thread;

const FORM: Form = Form {
    rows: 28,
    columns: 28,
    framing: Some(Framing::MNIST),
    is_row: true,
    full: 1.0,
};

/// Pictures of each kind.
const COUNT: usize = 40;

/// The seed of the pictures.
const SEED: u64 = 2027;

/// How the pictures of a kind were read.
#[derive(Default)]
struct Counts {
    right: usize,
    refused: usize,
    /// Wrong with a probability of more than 90 %, or read as several digits.
    sure: usize,
    /// Right where one ground is taken for the whole picture, the median of its border.
    right_on_even_ground: usize,
}

/// MNIST, if it is here, and a net that was trained on it.
fn trained() -> Option<&'static (Corpus, Net)> {
    static TRAINED: OnceLock<Option<(Corpus, Net)>> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| {
        let corpus = setup::load(None, 1, Fit::as_mnist(false)).ok()?;
        let mut rng = generator(1, Stream::Split);
        let splits = Splits::new(&corpus.train, &corpus.test, Split::Question, &mut rng).unwrap();
        let widths = [784, 128, 10];
        let mut rng = generator(1, Stream::Weights);
        let mut net = Net::random(&widths, Activation::Relu, Init::He, &mut rng);
        let mut workspace = Workspace::new(&widths, 2);
        let mut config = Config::default().with_epochs(5);
        config.learning_rate.peak = 0.1;
        let (train_set, val) = (&splits.train, &splits.val);
        let outcome = train(&mut net, train_set, val, &config, &mut workspace, &mut ());
        let best = outcome.unwrap().best;
        drop(splits);
        Some((corpus, best))
    });
    if trained.is_none() {
        eprintln!("skipped: the published package comes without data");
    }
    trained.as_ref()
}

/// The class of an input and its probability.
fn classified(net: &Net, input: &[f32]) -> (usize, f32) {
    let (net, isa) = (net.view(), Isa::detect());
    let mut packing = Context::packing(1);
    let mut ctx = Context::new(1, &mut packing);
    let mut activations = vec![0.0; activations_len(net.widths(), 1)];
    let x = MatRef::new(input, 1, input.len());
    let mut probs = net.forward(x, &mut activations, &mut ctx).row(0).to_vec();
    loss::softmax(isa, &mut probs);
    let class = vector::argmax(&probs);
    (class, probs[class])
}

/// The classes of the digits in a picture, each with its probability, as `classify` tells them.
fn read(net: &Net, pixels: Pixels) -> Result<Vec<(usize, f32)>, String> {
    let told = |digit: super::Digit| {
        let (class, probability) = classified(net, &digit.input);
        match probability < digit.least_probability {
            true => Err(TWO.to_string()),
            false => Ok((class, probability)),
        }
    };
    digits(pixels, FORM)?.into_iter().map(told).collect()
}

/// An image of a data set and its label.
fn drawn<'a>(data: &'a Dataset, rng: &mut Generator) -> (&'a [u8], usize) {
    let i = rng.next_u32() as usize % data.len();
    (data.image(i), usize::from(data.label(i)))
}

fn counts(net: &Net, data: &Dataset, kind: Kind) -> Counts {
    let mut rng = generator(SEED + kind as u64, Stream::Split);
    let mut counts = Counts::default();
    for _ in 0..COUNT {
        let (image, label) = drawn(data, &mut rng);
        let pixels = scenes::picture(kind, image, &mut rng);
        let even = Ink::from_border(&Colours::new(&pixels, LONGEST), 1.0);
        let even = even.map(|ink| classified(net, &ink.fitted(FORM)).0);
        counts.right_on_even_ground += usize::from(even == Ok(label));
        match read(net, pixels).as_deref() {
            Ok(&[(class, _)]) if class == label => counts.right += 1,
            Ok(&[(_, probability)]) => counts.sure += usize::from(probability > 0.9),
            Ok(_) => counts.sure += 1,
            Err(_) => counts.refused += 1,
        }
    }
    counts
}

/// The table of docs/command-line.md: `cargo test -p handwritten-cli --lib every_kind -- --nocapture`.
#[test]
fn every_kind_of_light_and_border_is_read() {
    let Some((corpus, net)) = trained() else {
        return;
    };
    let half = |first: usize| {
        let kinds = Kind::ALL.into_iter().skip(first).step_by(2);
        kinds
            .map(|kind| (kind, counts(net, &corpus.test, kind)))
            .collect::<Vec<_>>()
    };
    let halves = thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        [half(0), other.join().unwrap()]
    });
    let mut all: Vec<(Kind, Counts)> = halves.into_iter().flatten().collect();
    all.sort_by_key(|&(kind, _)| kind as usize);
    for (kind, counts) in &all {
        eprintln!(
            "| {kind:?} | {} | {} | {} | {} |",
            counts.right_on_even_ground, counts.right, counts.refused, counts.sure
        );
    }
    for (kind, counts) in all {
        let Counts {
            right,
            refused,
            sure,
            ..
        } = counts;
        let (least, least_right) = if kind.is_even() { (38, 37) } else { (35, 35) };
        assert!(
            right + refused >= least,
            "{kind:?}: {right} right, {refused} refused"
        );
        assert!(right >= least_right, "{kind:?}: {right} right");
        assert!(sure <= 2, "{kind:?}: {sure} wrong with more than 90 %");
    }
}

#[test]
fn two_digits_are_read_one_by_one_or_told() {
    let Some((corpus, net)) = trained() else {
        return;
    };
    let mut rng = generator(SEED, Stream::Split);
    // Where boxes around the digits touch, some digits do; where they overlap, most do.
    for (gap, least_right, most_silent) in
        [(40.0, 35, 0), (10.0, 35, 0), (0.0, 25, 3), (-10.0, 0, 10)]
    {
        let (mut right, mut refused, mut silent) = (0, 0, 0);
        for _ in 0..COUNT {
            let (left, first) = drawn(&corpus.test, &mut rng);
            let (other, second) = drawn(&corpus.test, &mut rng);
            match read(net, scenes::two([left, other], gap, &mut rng)) {
                Ok(digits) if digits.len() == 1 => silent += 1,
                Ok(digits) => right += usize::from(digits.iter().map(|d| d.0).eq([first, second])),
                Err(_) => refused += 1,
            }
        }
        eprintln!("| {gap} | {right} | {refused} | {silent} |");
        assert!(right >= least_right, "{gap}: {right} right");
        assert!(silent <= most_silent, "{gap}: {silent} read as one");
    }
}
