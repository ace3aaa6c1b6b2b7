//! Chains of multiply-adds over slices, without blocks, packing and vectors of
//! their own: what computes one example at a time where memory is counted in
//! kilobytes.
//!
//! Each arm rounds a multiply-add here as it does in its micro-kernels, so
//! these chains have the bits of the product's.

use crate::isa::Isa;
#[cfg(not(vfma))]
use crate::isa::PORTABLE_IS_FUSED;

#[cfg(vfma)]
mod vfma;

/// `a · b + c` as the portable arm computes it.
#[inline(always)]
pub(crate) fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(vfma)]
    return vfma::mul_add(a, b, c);
    #[cfg(not(vfma))]
    if PORTABLE_IS_FUSED {
        let [a, b, c] = [a, b, c].map(wide::f32x4::splat);
        a.mul_add(b, c).to_array()[0]
    } else {
        a * b + c
    }
}

/// `ys += a · xs`, as far as both slices reach.
#[inline]
pub(crate) fn axpy(isa: Isa, a: f32, xs: &[f32], ys: &mut [f32]) {
    #[cfg(vfma)]
    {
        let _ = isa;
        vfma::axpy(a, xs, ys);
    }
    #[cfg(not(vfma))]
    axpy_each(isa, a, xs, ys);
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

#[cfg(not(vfma))]
for_each_rounding! {
    fn axpy_each[mul_add](a: f32, xs: &[f32], ys: &mut [f32]) {
        for (y, &x) in ys.iter_mut().zip(xs) {
            *y = mul_add(a, x, *y);
        }
    }
}

for_each_rounding! {
    /// The sum of `xs · ys` from 0 on in ascending order, as far as both slices
    /// reach.
    pub(crate) fn dot[mul_add](xs: &[f32], ys: &[f32]) -> f32 {
        xs.iter().zip(ys).fold(0.0, |sum, (&x, &y)| mul_add(x, y, sum))
    }
}
