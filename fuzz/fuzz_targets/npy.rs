//! Any bytes as an array of NumPy.
#![no_main]

#[path = "../properties/npy.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
