//! Vectors of AVX2 with FMA.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

pub(crate) type Vector = __m256;
pub(crate) const LANES: usize = 8;

/// Zero in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn zero() -> Vector {
    _mm256_setzero_ps()
}

/// `x` in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn splat(x: f32) -> Vector {
    _mm256_set1_ps(x)
}

/// `a · b + c` in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_fmadd_ps(a, b, c)
}

/// Loads a whole vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn load(from: &[f32; LANES]) -> Vector {
    // SAFETY: `from` is a whole vector, at any address.
    unsafe { _mm256_loadu_ps(from.as_ptr()) }
}

/// Stores a whole vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn store(to: &mut [f32; LANES], x: Vector) {
    // SAFETY: `to` is a whole vector, at any address.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), x) }
}

/// Vectors out of this are masks by their signs. They are read from memory, since a
/// comparison would be repeated at each k-index for want of registers.
static SIGNS: [f32; 2 * LANES] = {
    let mut signs = [0.0; 2 * LANES];
    let (first, _) = signs.split_at_mut(LANES);
    first.copy_from_slice(&[-1.0; LANES]);
    signs
};

/// Loads the first lanes of a vector; the others are zero. A masked load costs some time,
/// so whole vectors go without.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn load_part(from: &[f32]) -> Vector {
    if let Some(whole) = from.first_chunk() {
        return load(whole);
    }
    let Some(signs) = SIGNS[LANES - from.len()..].first_chunk() else {
        unreachable!("{} lanes of {LANES}", from.len());
    };
    let mask = _mm256_castps_si256(load(signs));
    // SAFETY: the mask names as many lanes as `from` has elements; no other is touched.
    unsafe { _mm256_maskload_ps(from.as_ptr(), mask) }
}

/// Stores the first lanes of a vector. A masked store costs a dozen cycles, so there is
/// none.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn store_part(to: &mut [f32], x: Vector) {
    if let Some(whole) = to.first_chunk_mut() {
        return store(whole, x);
    }
    let (mut left, mut at) = (_mm256_castps256_ps128(x), to.as_mut_ptr());
    // SAFETY: `to` has less than eight elements, as many as four, two and one lanes one
    // after another add up to.
    unsafe {
        if to.len() & 4 != 0 {
            _mm_storeu_ps(at, left);
            left = _mm256_extractf128_ps::<1>(x);
            at = at.add(4);
        }
        if to.len() & 2 != 0 {
            _mm_storel_pd(at.cast(), _mm_castps_pd(left));
            left = _mm_movehl_ps(left, left);
            at = at.add(2);
        }
        if to.len() & 1 != 0 {
            _mm_store_ss(at, left);
        }
    }
}
