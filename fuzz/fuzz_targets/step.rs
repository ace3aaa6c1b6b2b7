//! A step of training of a random small net.
#![no_main]

#[path = "../properties/step.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
