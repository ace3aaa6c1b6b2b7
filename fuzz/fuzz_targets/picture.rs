//! Any bytes as a picture.
#![no_main]

#[path = "../properties/picture.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
