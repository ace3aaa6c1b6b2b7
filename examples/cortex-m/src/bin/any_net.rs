//! Classifies with nets and memory of which the compiler knows no length, so
//! that no check can be left out: still no panic can be reached.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;
use embedded::{Activations, Sums, image, model, model_int8};
use handwritten::Isa;

#[cortex_m_rt::entry]
fn main() -> ! {
    let (mut sums, mut activations): (Sums, Activations) = ([0; _], [0.0; _]);
    let isa = Isa::detect();
    loop {
        let (net, eight, image) = black_box((model::NET, model_int8::NET, image(0)));
        let (sums, activations) = black_box((&mut sums[..], &mut activations[..]));
        black_box(net.classify(isa, image, activations));
        black_box(eight.classify(isa, image, sums, activations));
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
