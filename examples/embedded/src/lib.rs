//! One program for machines without a heap: it classifies the first hundred
//! test images of MNIST with a net in flash, then trains a small net in RAM.
//!
//! Its text holds the bits of all logits, losses and weights, so that two
//! machines can be compared by their texts.

#![no_std]

#[path = "../generated/model.rs"]
pub mod model;
#[path = "../generated/model_int8.rs"]
pub mod model_int8;

use core::fmt::{self, Write};
use core::ops::Range;
use handwritten::compute::vector;
use handwritten::compute::rng::{Stream, generator};
use handwritten::net::{activations_len, params_len};
use handwritten::net::quantized::sums_len;
use handwritten::{
    Activation, Context, Init, Isa, MatRef, Momentum, NetMut, Reduction, Update,
};

/// Number of images.
pub const COUNT: usize = 100;

/// Pixels of an image.
pub const FEATURES: usize = model::WIDTHS[0];

/// The images, one after another.
pub static IMAGES: [u8; COUNT * FEATURES] = *include_bytes!("../generated/images.bin");

/// Labels of the images.
pub static LABELS: [u8; COUNT] = *include_bytes!("../generated/labels.bin");

/// Activations of one image in the net in flash.
pub type Activations = [f32; activations_len(&model::WIDTHS, 1)];

/// Sums of one image in the net of eight bits.
pub type Sums = [i32; sums_len(&model_int8::WIDTHS)];

/// Image `i`.
pub fn image(i: usize) -> &'static [u8] {
    &IMAGES[i * FEATURES..][..FEATURES]
}

/// The class of an image, by the net in flash. There is no path that panics.
#[inline(never)]
pub fn classify(image: &[u8]) -> Option<usize> {
    let mut activations: Activations = [0.0; _];
    model::NET.classify(Isa::detect(), image, &mut activations)
}

/// The class of an image, by the net of eight bits.
#[inline(never)]
pub fn classify_int8(image: &[u8]) -> Option<usize> {
    let (mut sums, mut activations): (Sums, Activations) = ([0; _], [0.0; _]);
    model_int8::NET.classify(Isa::detect(), image, &mut sums, &mut activations)
}

/// Classifies all images, one at a time.
pub fn classify_all(isa: Isa, out: &mut impl Write) -> fmt::Result {
    let mut activations: Activations = [0.0; _];
    let mut sums: Sums = [0; _];
    for eight in [false, true] {
        let (name, mut correct) = (if eight { "8 bits" } else { "32 bits" }, 0);
        for (i, &label) in LABELS.iter().enumerate() {
            let logits = match eight {
                false => model::NET.logits(isa, image(i), &mut activations),
                true => model_int8::NET.logits(isa, image(i), &mut sums, &mut activations),
            };
            let logits = logits.ok_or(fmt::Error)?;
            let class = vector::argmax(logits);
            correct += u32::from(class == usize::from(label));
            write!(out, "{name} image {i} class {class} logits")?;
            bits(logits, out)?;
        }
        writeln!(out, "{name} {correct} of {COUNT} correct")?;
    }
    Ok(())
}

/// The memory in which all images pass through the net as one batch.
pub struct Batch {
    packing: [f32; Context::packing_len(1)],
    x: [f32; COUNT * FEATURES],
    activations: [f32; activations_len(&model::WIDTHS, COUNT)],
}

impl Batch {
    /// Zeros, so that it takes no flash.
    pub const ZERO: Self = Self {
        packing: [0.0; _],
        x: [0.0; _],
        activations: [0.0; _],
    };

    /// Classifies all images in one batch, through the blocked products, and
    /// compares with one at a time.
    pub fn compare(&mut self, isa: Isa, out: &mut impl Write) -> fmt::Result {
        vector::scale_bytes(isa, &IMAGES, &mut self.x);
        let x = MatRef::new(&self.x, COUNT, FEATURES);
        let mut ctx = Context::new(1, &mut self.packing).with_isa(isa);
        let logits = model::NET.forward(x, &mut self.activations, &mut ctx);
        let mut single: Activations = [0.0; _];
        for i in 0..COUNT {
            let single = model::NET.logits(isa, image(i), &mut single);
            let single = single.ok_or(fmt::Error)?.iter().map(|z| z.to_bits());
            if !single.eq(logits.row(i).iter().map(|z| z.to_bits())) {
                return writeln!(out, "image {i} differs in a batch");
            }
        }
        writeln!(out, "a batch has the same bits")
    }
}

/// The widths of the net that is trained, its activation, and its steps.
const WIDTHS: [usize; 3] = [FEATURES, 8, 10];
const ACTIVATION: Activation = Activation::Sigmoid;
const STEPS: usize = 5;
const PARAMS: usize = params_len(&WIDTHS);

/// A small net in RAM, and the memory in which it trains.
pub struct Trained {
    params: [f32; PARAMS],
    velocity: [f32; PARAMS],
    scratch: [f32; NetMut::scratch_len(&WIDTHS)],
}

impl Trained {
    /// Zeros, so that it takes no flash.
    pub const ZERO: Self = Self {
        params: [0.0; _],
        velocity: [0.0; _],
        scratch: [0.0; _],
    };

    /// Draws the first weights, and makes a few steps with the images.
    pub fn train(&mut self, isa: Isa, out: &mut impl Write) -> fmt::Result {
        let mut rng = generator(1, Stream::Weights);
        let mut rest = &mut self.params[..];
        for shape in WIDTHS.windows(2) {
            let (weights, after) = rest.split_at_mut(shape[0] * shape[1]);
            let (biases, after) = after.split_at_mut(shape[1]);
            Init::Glorot.fill(weights, biases, (shape[0], shape[1]), after.is_empty(), &mut rng);
            rest = after;
        }
        for step in 0..STEPS {
            let loss = self.step(isa, COUNT * step / STEPS..COUNT * (step + 1) / STEPS);
            writeln!(out, "step {step} loss {:016x}", loss.to_bits())?;
        }
        for (row, params) in self.params.chunks(WIDTHS[1]).enumerate() {
            write!(out, "parameters {row}")?;
            bits(params, out)?;
        }
        Ok(())
    }

    /// Makes a step with these examples, and returns the sum of their losses.
    #[inline(never)]
    pub fn step(&mut self, isa: Isa, examples: Range<usize>) -> f64 {
        let Self {
            params,
            velocity,
            scratch,
        } = self;
        let images = &IMAGES[examples.start * FEATURES..examples.end * FEATURES];
        let mut net = NetMut::new(&WIDTHS, ACTIVATION, params, velocity, scratch);
        net.step(isa, images, &LABELS[examples], &UPDATE)
    }
}

const UPDATE: Update = Update {
    rule: Momentum {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    },
    learning_rate: 0.2,
    reduction: Reduction::Mean,
    label_smoothing: 0.0,
};

/// The bits of numbers, to the end of the line.
pub fn bits(numbers: &[f32], out: &mut impl Write) -> fmt::Result {
    for x in numbers {
        write!(out, " {:08x}", x.to_bits())?;
    }
    writeln!(out)
}
