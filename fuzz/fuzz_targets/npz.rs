//! Any bytes as an archive of arrays.
#![no_main]

#[path = "../properties/npz.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
