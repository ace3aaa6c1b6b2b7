//! Vectors of AVX-512.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

pub(crate) type Vector = __m512;
pub(crate) const LANES: usize = 16;

/// Zero in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn zero() -> Vector {
    _mm512_setzero_ps()
}

/// `x` in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn splat(x: f32) -> Vector {
    _mm512_set1_ps(x)
}

/// `a · b + c` in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_fmadd_ps(a, b, c)
}

/// Loads a whole vector.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(from: &[f32; LANES]) -> Vector {
    // SAFETY: `from` is a whole vector, at any address.
    unsafe { _mm512_loadu_ps(from.as_ptr()) }
}

/// Stores a whole vector.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(to: &mut [f32; LANES], x: Vector) {
    // SAFETY: `to` is a whole vector, at any address.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
}

/// Loads the first lanes of a vector; the others are zero.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load_part(from: &[f32]) -> Vector {
    // SAFETY: the mask names no lanes beyond `from`, and no other is touched.
    unsafe { _mm512_maskz_loadu_ps(mask(from.len()), from.as_ptr()) }
}

/// Stores the first lanes of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store_part(to: &mut [f32], x: Vector) {
    // SAFETY: the mask names no lanes beyond `to`, and no other is touched.
    unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask(to.len()), x) }
}

/// The first `lanes` of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn mask(lanes: usize) -> __mmask16 {
    !(!0 << lanes) as __mmask16
}
