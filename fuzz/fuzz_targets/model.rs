//! Any bytes as a model file.
#![no_main]

#[path = "../properties/model.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
