//! Transposing 16×16 blocks in registers.

use super::{LANES, Vector, load_part, store_part, zero};
use crate::compute::gemm::kernel::transpose::Block;
use core::arch::x86_64::*;

/// Transposes a block; see [`Kernel::transpose`](super::Kernel::transpose).
#[target_feature(enable = "avx512f")]
pub(super) fn block(block: Block<'_>) {
    let Block { from, mut to } = block;
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if let Some(row) = from.row(i) {
            *x = load_part(row);
        }
    }
    for (j, x) in transposed(x).into_iter().enumerate() {
        if let Some(row) = to.row(j) {
            store_part(row, x);
        }
    }
}

/// The transpose of sixteen rows: within quarters of vectors, then of the quarters.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transposed(mut x: [Vector; LANES]) -> [Vector; LANES] {
    let mut y = [zero(); LANES];
    for i in 0..4 {
        let quarters = transposed_quarters([x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]]);
        x[4 * i..][..4].copy_from_slice(&quarters);
    }
    // x[4i + j] holds in quarter q the columns 4q + j of rows 4i to 4i + 3.
    for j in 0..4 {
        y[j] = _mm512_shuffle_f32x4::<0x44>(x[j], x[4 + j]);
        y[4 + j] = _mm512_shuffle_f32x4::<0xee>(x[j], x[4 + j]);
        y[8 + j] = _mm512_shuffle_f32x4::<0x44>(x[8 + j], x[12 + j]);
        y[12 + j] = _mm512_shuffle_f32x4::<0xee>(x[8 + j], x[12 + j]);
    }
    for j in 0..4 {
        x[j] = _mm512_shuffle_f32x4::<0x88>(y[j], y[8 + j]);
        x[4 + j] = _mm512_shuffle_f32x4::<0xdd>(y[j], y[8 + j]);
        x[8 + j] = _mm512_shuffle_f32x4::<0x88>(y[4 + j], y[12 + j]);
        x[12 + j] = _mm512_shuffle_f32x4::<0xdd>(y[4 + j], y[12 + j]);
    }
    x
}

/// The transposes of the 4×4 blocks in the quarters of four vectors.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transposed_quarters([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
    let ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
    let cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
    let ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
    let cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    [
        _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
        _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
        _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
        _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
    ]
}
