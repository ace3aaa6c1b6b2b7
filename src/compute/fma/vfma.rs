//! Fused multiply-adds of Arm's microcontrollers.
//!
//! The compiler has no name for `vfma` that `core` shows, and its own choice for
//! `a · b + c` is `vmla`, which rounds the product first. Single-precision units
//! have no register class for `asm!` either; functions in assembly get their
//! numbers where the calling convention puts them, from s0 on.

#![allow(unsafe_code)]

use core::arch::naked_asm;

/// The least unit that has the instruction. Where the program is optimised as it
/// is linked, the assembler no longer knows which one the target has.
macro_rules! fpu {
    () => {
        ".fpu fpv4-sp-d16"
    };
}

/// `a · b + c`, rounded once.
#[unsafe(naked)]
pub(super) extern "C" fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    naked_asm!(fpu!(), "vfma.f32 s2, s0, s1", "vmov.f32 s0, s2", "bx lr",)
}

/// `ys += a · xs`, as far as both slices reach.
#[inline]
pub(super) fn axpy(a: f32, xs: &[f32], ys: &mut [f32]) {
    // SAFETY: both slices have so many elements, and `ys` is borrowed for this
    // call alone.
    unsafe { raw_axpy(a, xs.as_ptr(), ys.as_mut_ptr(), xs.len().min(ys.len())) }
}

/// Four elements at a time, then one: three instructions of memory for four
/// multiply-adds.
///
/// # Safety
/// `count` elements follow both pointers, and nothing else refers to those
/// of `ys`.
#[unsafe(naked)]
unsafe extern "C" fn raw_axpy(a: f32, xs: *const f32, ys: *mut f32, count: usize) {
    naked_asm!(
        fpu!(),
        "subs r2, #4",
        "blo 3f",
        "2:",
        "vldmia r0!, {{s4-s7}}",
        "vldmia r1, {{s8-s11}}",
        "vfma.f32 s8, s0, s4",
        "vfma.f32 s9, s0, s5",
        "vfma.f32 s10, s0, s6",
        "vfma.f32 s11, s0, s7",
        "vstmia r1!, {{s8-s11}}",
        "subs r2, #4",
        "bhs 2b",
        "3:",
        "adds r2, #4",
        "beq 5f",
        "4:",
        "vldmia r0!, {{s4}}",
        "vldr s8, [r1]",
        "vfma.f32 s8, s0, s4",
        "vstmia r1!, {{s8}}",
        "subs r2, #1",
        "bne 4b",
        "5:",
        "bx lr",
    )
}
