//! Any bytes as an IDX file, compressed or not, through the loader's decoder.
#![no_main]

#[path = "../properties/gz.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
