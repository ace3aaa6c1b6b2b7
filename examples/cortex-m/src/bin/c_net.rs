//! Classifies the first hundred test images with the nets that `handwritten export --format c`
//! wrote, compiled by a C compiler, and prints what `firmware` prints of the same nets.

#![no_std]
#![no_main]

use core::ffi::{c_int, c_uchar};
use core::fmt::Write;
use core::hint::black_box;
use core::panic::PanicInfo;
use cortex_m_semihosting::{debug, hio};
use embedded::{COUNT, bits, image};
use measure::{stack, start_clock, ticks};

#[path = "../measure.rs"]
mod measure;

// Declared in net.h and net_int8.h.
unsafe extern "C" {
    fn net_logits(image: *const c_uchar, logits: *mut f32);
    fn net_classify(image: *const c_uchar) -> c_int;
    fn net_int8_logits(image: *const c_uchar, logits: *mut f32);
    fn net_int8_classify(image: *const c_uchar) -> c_int;
}

#[cortex_m_rt::entry]
fn main() -> ! {
    debug::exit(match report() {
        Some(()) => debug::EXIT_SUCCESS,
        None => debug::EXIT_FAILURE,
    });
    loop {}
}

type Logits = unsafe extern "C" fn(*const c_uchar, *mut f32);
type Classify = unsafe extern "C" fn(*const c_uchar) -> c_int;

fn report() -> Option<()> {
    let mut out = hio::hstdout().ok()?;
    start_clock()?;
    for (name, logits, classify) in [
        ("32 bits", net_logits as Logits, net_classify as Classify),
        ("8 bits", net_int8_logits, net_int8_classify),
    ] {
        let pixels = |i: usize| black_box(image(i)).as_ptr();
        // SAFETY: the nets are for images of as many bytes and read no more.
        let class = |i: usize| unsafe { classify(pixels(i)) };
        for i in 0..COUNT {
            let mut z = [0.0; 10];
            // SAFETY: as above, and the nets have ten classes.
            unsafe { logits(pixels(i), z.as_mut_ptr()) };
            write!(out, "{name} image {i} class {} logits", class(i)).ok()?;
            bits(&z, &mut out).ok()?;
        }
        let total: u32 = (0..COUNT).map(|i| ticks(|| class(i))).sum();
        let instructions = total / COUNT as u32 * 10 / 16;
        let stack = stack(|| class(0));
        writeln!(out, "# C, {name} instructions {instructions} stack {stack}").ok()?;
    }
    Some(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
