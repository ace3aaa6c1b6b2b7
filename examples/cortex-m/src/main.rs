//! Classifies the first hundred test images from flash, then trains a small net
//! in RAM, and prints all bits over semihosting.
//!
//! Lines that begin with `#` are measurements.

#![no_std]
#![no_main]

use core::fmt::Write;
use core::hint::black_box;
use core::panic::PanicInfo;
use cortex_m::singleton;
use cortex_m_semihosting::{debug, hio};
use embedded::{Batch, COUNT, Trained, classify, classify_all, classify_int8, image};
use handwritten::Isa;
use measure::{stack, start_clock, ticks};

mod measure;

#[cortex_m_rt::entry]
fn main() -> ! {
    let status = match report() {
        Some(()) => debug::EXIT_SUCCESS,
        None => debug::EXIT_FAILURE,
    };
    debug::exit(status);
    loop {}
}

fn report() -> Option<()> {
    let mut out = hio::hstdout().ok()?;
    let isa = Isa::detect();
    let batch = singleton!(: Batch = Batch::ZERO)?;
    let trained = singleton!(: Trained = Trained::ZERO)?;
    start_clock()?;

    classify_all(isa, &mut out).ok()?;
    batch.compare(isa, &mut out).ok()?;
    trained.train(isa, &mut out).ok()?;
    for (name, class) in [
        ("32 bits", classify as fn(&[u8]) -> Option<usize>),
        ("8 bits", classify_int8),
    ] {
        let total: u32 = (0..COUNT)
            .map(|i| ticks(|| class(black_box(image(i)))))
            .sum();
        let stack = stack(|| class(black_box(image(0))));
        let instructions = total / COUNT as u32 * 10 / 16;
        writeln!(out, "# {name} instructions {instructions} stack {stack}").ok()?;
    }
    let instructions = ticks(|| trained.step(isa, 0..1)) * 10 / 16;
    let stack = stack(|| trained.step(isa, 0..1));
    writeln!(out, "# training instructions {instructions} stack {stack}").ok()?;
    let fused = isa.is_fused();
    writeln!(out, "# fused {fused}").ok()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Ok(mut out) = hio::hstdout() {
        // There is nobody to tell that it cannot be told.
        let _ = writeln!(out, "{info}");
    }
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
