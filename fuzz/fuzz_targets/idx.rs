//! Any bytes as IDX files.
#![no_main]

#[path = "../properties/idx.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
