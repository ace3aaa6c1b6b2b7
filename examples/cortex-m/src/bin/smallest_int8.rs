//! The size of classifying with eight bits: firmware that does nothing else. No panic can be
//! reached in it, so the handler is not in the image.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;
use embedded::{classify_int8, image};

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        black_box(classify_int8(black_box(image(0))));
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
