//! A WebAssembly module: write an image where [`image`] says, and [`classify`]
//! it. [`report`] runs the whole program of `embedded` and leaves its text where
//! [`text`] says.
//!
//! A module has one thread, and a caller from outside cannot enter it twice.

#![no_std]

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use embedded::{Batch, FEATURES, Trained, classify_all};
use handwritten::Isa;

/// A text that grows as long as there is room.
struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.len..self.len + s.len());
        free.ok_or(fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len += s.len();
        Ok(())
    }
}

static mut IMAGE: [u8; FEATURES] = [0; FEATURES];
static mut TEXT: [u8; 1 << 18] = [0; _];
static mut BATCH: Batch = Batch::ZERO;
static mut TRAINED: Trained = Trained::ZERO;

/// Address to which the caller writes an image, a byte for each pixel.
#[unsafe(no_mangle)]
pub extern "C" fn image() -> *mut u8 {
    (&raw mut IMAGE).cast()
}

/// The class of the image that is there.
#[unsafe(no_mangle)]
pub extern "C" fn classify() -> usize {
    // SAFETY: the only thread is here, and nothing else in the module refers to
    // the image.
    let image = unsafe { &*(&raw const IMAGE) };
    embedded::classify(image).expect("an image and a net that fit")
}

/// Runs the program and returns the length of its text; 0 if there is no room
/// for it.
#[unsafe(no_mangle)]
pub extern "C" fn report() -> usize {
    // SAFETY: the only thread is here, and nothing else in the module refers to
    // these three.
    let (bytes, batch, trained) = unsafe {
        (
            &mut *(&raw mut TEXT),
            &mut *(&raw mut BATCH),
            &mut *(&raw mut TRAINED),
        )
    };
    let (isa, mut text) = (Isa::detect(), Text { bytes, len: 0 });
    *trained = Trained::ZERO;
    let told = classify_all(isa, &mut text)
        .and_then(|()| batch.compare(isa, &mut text))
        .and_then(|()| trained.train(isa, &mut text));
    told.map_or(0, |()| text.len)
}

/// Address of the text.
#[unsafe(no_mangle)]
pub extern "C" fn text() -> *const u8 {
    (&raw const TEXT).cast()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
