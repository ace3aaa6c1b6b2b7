//! Chains of multiply-adds over slices, without blocks, packing and intrinsics for vectors:
//! for one example at a time, where memory is counted in kilobytes.
//!
//! Each instruction set rounds a multiply-add here as in its micro-kernels, so these chains
//! have the bits of a [product's](super::gemm).

use crate::compute::dispatch::for_each_rounding;
use crate::compute::isa::Isa;
#[cfg(not(vfma))]
use crate::compute::isa::PORTABLE_IS_FUSED;

#[cfg(vfma)]
mod vfma;

/// `a · b + c` as the portable micro-kernel computes it: rounded once if
/// `PORTABLE_IS_FUSED`.
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

/// Adds `a` times each element of `xs` to the element of `ys` at its place, as far as both
/// slices reach.
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

#[cfg(not(vfma))]
for_each_rounding! {
    /// [`axpy`] in plain Rust.
    fn axpy_each[mul_add](a: f32, xs: &[f32], ys: &mut [f32]) {
        for (y, &x) in ys.iter_mut().zip(xs) {
            *y = mul_add(a, x, *y);
        }
    }
}

for_each_rounding! {
    /// The sum of the products of the elements of `xs` and `ys`, from 0 on in ascending order,
    /// as far as both slices reach.
    pub(crate) fn dot[mul_add](xs: &[f32], ys: &[f32]) -> f32 {
        xs.iter().zip(ys).fold(0.0, |sum, (&x, &y)| mul_add(x, y, sum))
    }
}
