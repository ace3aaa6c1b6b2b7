//! The macros that compile one text of a function for each instruction set.
//!
//! Both take a function without its first parameter and define it with that parameter, an
//! [`Isa`](super::isa::Isa), which chooses the copy that runs. What is written
//!
//! ```text
//! for_each_arm! {
//!     /// Doubles each element.
//!     pub fn double(xs: &mut [f32]) {
//!         xs.iter_mut().for_each(|x| *x *= 2.0);
//!     }
//! }
//!
//! for_each_rounding! {
//!     /// The sum of the products of the elements.
//!     pub fn dot[mul_add](xs: &[f32], ys: &[f32]) -> f32 {
//!         xs.iter().zip(ys).fold(0.0, |sum, (&x, &y)| mul_add(x, y, sum))
//!     }
//! }
//! ```
//!
//! defines
//!
//! ```text
//! pub fn double(isa: Isa, xs: &mut [f32])
//! pub fn dot(isa: Isa, xs: &[f32], ys: &[f32]) -> f32
//! ```
//!
//! `for_each_arm!` compiles the body for the vectors of AVX-512, of AVX2 and of every build
//! for the target; other instruction sets need no copy of their own, since every build for
//! their architecture has their vectors. Plain loops over numbers become loops over vectors,
//! and none of the instructions used is fused, so all copies give the same bits. A function may
//! be generic over one count, `fn name<const N: usize>(…)`.
//!
//! `for_each_rounding!` compiles the body for the two ways in which instruction sets round a
//! multiply-add (`Isa::is_fused`); in the body the name in brackets is a function
//! `(f32, f32, f32) -> f32` that computes `a · b + c` so. Where it is used, `mul_add`, the one
//! of the build's target, and `PORTABLE_IS_FUSED` must be in scope.

/// Defines a function, with an `Isa` as its first parameter, that is compiled for the vectors
/// of each instruction set; see the module.
macro_rules! for_each_arm {
    ($(#[$about:meta])* $public:vis fn $name:ident$(<const $count:ident: usize>)?($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$about])*
        #[allow(unsafe_code)]
        $public fn $name$(<const $count: usize>)?(isa: Isa, $($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn plain$(<const $count: usize>)?($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512$(<const $count: usize>)?($($arg: $type),*) $(-> $out)? {
                    plain$(::<$count>)?($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2$(<const $count: usize>)?($($arg: $type),*) $(-> $out)? {
                    plain$(::<$count>)?($($arg),*)
                }
                match isa.instruction_set() {
                    $crate::compute::isa::InstructionSet::Avx512 => {
                        // SAFETY: an `Isa` proves that the machine has AVX-512.
                        return unsafe { avx512$(::<$count>)?($($arg),*) };
                    }
                    $crate::compute::isa::InstructionSet::Avx2 => {
                        // SAFETY: an `Isa` proves that the machine has AVX2.
                        return unsafe { avx2$(::<$count>)?($($arg),*) };
                    }
                    _ => {}
                }
            }
            let _ = isa;
            plain$(::<$count>)?($($arg),*)
        }
    };
}

/// Defines a function of a multiply-add, with an `Isa` as its first parameter, that is compiled
/// for both ways to round it; see the module.
macro_rules! for_each_rounding {
    ($(#[$about:meta])* $public:vis fn $name:ident[$mul_add:ident]($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$about])*
        #[allow(unsafe_code)]
        #[inline]
        $public fn $name(isa: Isa, $($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn plain($mul_add: impl Fn(f32, f32, f32) -> f32, $($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            if isa.is_fused() && !PORTABLE_IS_FUSED {
                #[target_feature(enable = "avx2,fma")]
                fn fused($($arg: $type),*) $(-> $out)? {
                    use core::arch::x86_64::{_mm_cvtss_f32, _mm_fmadd_ss, _mm_set_ss};
                    let mul_add = |a, b, c| {
                        let [a, b, c] = [a, b, c].map(|x| _mm_set_ss(x));
                        _mm_cvtss_f32(_mm_fmadd_ss(a, b, c))
                    };
                    plain(mul_add, $($arg),*)
                }
                // SAFETY: an `Isa` proves that the machine has its instructions, and
                // where the portable ones are not fused, the fused ones of this
                // architecture are AVX2 and AVX-512, both of which include AVX2 and FMA.
                return unsafe { fused($($arg),*) };
            }
            let _ = isa;
            plain(mul_add, $($arg),*)
        }
    };
}

pub(crate) use {for_each_arm, for_each_rounding};
