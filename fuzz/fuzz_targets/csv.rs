//! Any bytes as a table of images.
#![no_main]

#[path = "../properties/csv.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
