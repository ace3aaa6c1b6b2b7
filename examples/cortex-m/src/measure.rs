//! Instructions and stack of a call.
//!
//! SysTick counts the processor's clock; QEMU has no cycles, but with `-icount shift=6` it lets
//! 64 ns pass for each instruction, 1.6 ticks of the board's 25 MHz.

use core::hint::black_box;
use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// Where the clock, which counts down, begins anew.
const FULL: u32 = 0x00ff_ffff;

/// Starts the clock; `None` if that has been done before.
pub fn start_clock() -> Option<()> {
    let mut clock = Peripherals::take()?.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(FULL);
    clock.clear_current();
    clock.enable_counter();
    Some(())
}

/// Ticks of the clock that a call takes, at most [`FULL`].
pub fn ticks<T>(call: impl FnOnce() -> T) -> u32 {
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
pub fn stack<T>(call: impl FnOnce() -> T) -> usize {
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
