//! Fused multiply-adds of Arm's microcontrollers.
//!
//! `core` has no stable name for the instruction `vfma`, and what the compiler makes of
//! `a · b + c` is `vmla`, which rounds the product first. `asm!` has no register class for
//! single-precision units either. So these are functions in assembly, whose arguments are
//! where the calling convention of hard floats puts them: from s0 on, and from r0 on.

#![allow(unsafe_code)]

use core::arch::naked_asm;

/// Names the smallest unit that has the instruction. With link-time optimisation the assembler
/// does not know which one the target has.
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

/// Adds `a` times each element of `xs` to the element of `ys` at its place, as far as both
/// slices reach.
#[inline]
pub(super) fn axpy(a: f32, xs: &[f32], ys: &mut [f32]) {
    // SAFETY: both slices have at least the shorter one's length, and `ys` is an exclusive
    // borrow.
    unsafe { raw_axpy(a, xs.as_ptr(), ys.as_mut_ptr(), xs.len().min(ys.len())) }
}

/// Adds `a · xs` to `ys`, four elements at a time and then one: three instructions that move
/// memory for four multiply-adds.
///
/// # Safety
/// `count` elements follow both pointers, and nothing else refers to those of `ys`.
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
