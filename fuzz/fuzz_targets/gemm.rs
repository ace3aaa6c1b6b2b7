//! Random products with every instruction set.
#![no_main]

#[path = "../properties/gemm.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
