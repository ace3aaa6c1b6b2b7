//! A random step with an instruction set that the length of the input chooses: with all of
//! them an execution would take two or three times as long.
#![no_main]

#[path = "../properties/step.rs"]
mod property;

use handwritten::Isa;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let isas: Vec<Isa> = Isa::available().collect();
    property::check(bytes, isas[bytes.len() % isas.len()]);
});
