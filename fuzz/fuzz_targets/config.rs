//! Any text as a configuration file.
#![no_main]

#[path = "../properties/config.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
