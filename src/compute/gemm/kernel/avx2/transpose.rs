//! Transposing 8×8 blocks: eight rows in registers, whose lanes are exchanged in pairs, in
//! fours and in halves of vectors.

use super::{LANES, load_part, mask, store_part, zero};
use crate::compute::gemm::kernel::transpose::Block;
use core::arch::x86_64::*;

/// Transposes a block; see [`Kernel::transpose`](super::Kernel::transpose).
///
/// # Safety
/// The machine has AVX2 and FMA, and the block is as [`Block`] says.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn block(block: &Block) {
    let (columns, rows) = (mask(block.columns), mask(block.rows));
    let mut x = [zero(); LANES];
    for (i, x) in x.iter_mut().enumerate() {
        if i < block.rows {
            // SAFETY: row `i` of the block has `columns` elements.
            *x = unsafe { load_part(block.from.add(i * block.from_row), columns) };
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
    for (j, y) in y.iter().enumerate() {
        if j < block.columns {
            // SAFETY: row `j` of the transpose has `rows` elements that nothing else
            // refers to.
            unsafe { store_part(block.to.add(j * block.to_row), rows, *y) };
        }
    }
}
