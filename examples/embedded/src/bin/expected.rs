//! The program on the machine that compiles it: what the others must print.
//! `HANDWRITTEN_ISA` chooses the instruction set, and so how it rounds.

use embedded::{Batch, Trained, classify_all};
use handwritten::Isa;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let isa = Isa::from_env()?;
    let (mut batch, mut trained) = (Box::new(Batch::ZERO), Trained::ZERO);
    let mut text = String::new();
    classify_all(isa, &mut text)?;
    batch.compare(isa, &mut text)?;
    trained.train(isa, &mut text)?;
    print!("{text}");
    Ok(())
}
