//! The macros that compile one text of a function for each instruction set.

/// Compiles a function, which may be generic over a count, for the widest vectors
/// of each arm, and calls the one that its first argument, an [`Isa`], names. Arms
/// whose vectors every build for their architecture has need no copy.
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

/// Compiles a function of a multiply-add for the two ways in which this machine
/// may round it, and calls the one of its first argument, an [`Isa`].
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
                // SAFETY: an `Isa` proves that the machine has the arm's
                // instructions, and both fused arms have AVX2 and FMA.
                return unsafe { fused($($arg),*) };
            }
            let _ = isa;
            plain(mul_add, $($arg),*)
        }
    };
}

pub(crate) use {for_each_arm, for_each_rounding};
