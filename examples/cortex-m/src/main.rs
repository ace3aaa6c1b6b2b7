//! Classifies the first hundred test images from flash, then trains a small net
//! in RAM, and prints all bits over semihosting.
//!
//! Lines that begin with `#` are measurements. SysTick counts the processor's
//! clock; QEMU has no cycles, but with `-icount shift=6` it lets 64 ns pass for
//! each instruction, 1.6 ticks of the board's 25 MHz.

#![no_std]
#![no_main]

use core::fmt::Write;
use core::hint::black_box;
use core::panic::PanicInfo;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::{Peripherals, singleton};
use cortex_m_semihosting::{debug, hio};
use embedded::{Batch, COUNT, Trained, classify, classify_all, classify_int8, image};
use handwritten::Isa;

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
    let mut clock = Peripherals::take()?.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(FULL);
    clock.clear_current();
    clock.enable_counter();

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

/// Where the clock, which counts down, begins anew.
const FULL: u32 = 0x00ff_ffff;

/// Ticks of the clock that a call takes, at most [`FULL`].
fn ticks<T>(call: impl FnOnce() -> T) -> u32 {
    let start = SYST::get_current();
    black_box(call());
    start.wrapping_sub(SYST::get_current()) & FULL
}

/// Words below the stack pointer that [`stack`] looks at.
const FREE: usize = 1024;
/// Mark of a word that no call has written to.
const UNUSED: u32 = 0xa5a5_a5a5;

/// Bytes of stack that a call takes, at most those of [`FREE`] words.
#[inline(never)]
fn stack<T>(call: impl FnOnce() -> T) -> usize {
    let top = cortex_m::register::msp::read() as *mut u32;
    for i in 1..=FREE {
        // SAFETY: the words below the stack pointer are RAM that nothing uses, and
        // there are far more than `FREE` of them.
        unsafe { top.sub(i).write_volatile(UNUSED) };
    }
    black_box(call());
    let mut words = FREE;
    // SAFETY: the `FREE` words below the stack pointer are RAM that nothing uses.
    while words > 0 && unsafe { top.sub(words).read_volatile() } == UNUSED {
        words -= 1;
    }
    words * size_of::<u32>()
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
