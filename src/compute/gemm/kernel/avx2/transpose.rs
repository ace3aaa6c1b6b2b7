//! Transposing 8×8 blocks: eight rows in registers, whose lanes are exchanged in pairs, in
//! fours and in halves of vectors.

use super::{LANES, load_part, store_part, zero};
use crate::compute::gemm::kernel::transpose::Block;
use core::arch::x86_64::*;

/// Transposes a block; see [`Kernel::transpose`](super::Kernel::transpose).
#[target_feature(enable = "avx2,fma")]
pub(super) fn block(block: Block<'_>) {
    let Block { from, mut to } = block;
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if let Some(row) = from.row(i) {
            *x = load_part(row);
        }
    }
    let mut y = [zero(); LANES];
    for i in 0..4 {
        y[2 * i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
    }
    for i in 0..2 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| y[4 * i + j]);
        x[4 * i] = _mm256_shuffle_ps::<0x44>(a, c);
        x[4 * i + 1] = _mm256_shuffle_ps::<0xee>(a, c);
        x[4 * i + 2] = _mm256_shuffle_ps::<0x44>(b, d);
        x[4 * i + 3] = _mm256_shuffle_ps::<0xee>(b, d);
    }
    // x[4i + j] holds in half h the columns 4h + j of rows 4i to 4i + 3.
    for j in 0..4 {
        y[j] = _mm256_permute2f128_ps::<0x20>(x[j], x[4 + j]);
        y[4 + j] = _mm256_permute2f128_ps::<0x31>(x[j], x[4 + j]);
    }
    for (j, &y) in y.iter().enumerate() {
        if let Some(row) = to.row(j) {
            store_part(row, y);
        }
    }
}
