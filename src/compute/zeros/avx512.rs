//! Finding zeros with AVX-512: the places of set bits are vectors of places, compressed.

use super::portable;
use super::{BLOCK, Scanner};
use core::arch::x86_64::*;

pub(super) static SCANNER: Scanner = Scanner {
    columns,
    lists,
    groups,
};

const LANES: usize = 16;

/// Sixteen numbers from `first` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn from(first: usize) -> __m512i {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32))
}

/// Writes those of sixteen numbers that are in the set side by side, and returns how many there
/// are. The other numbers of `to` become zero.
///
/// # Panics
/// Panics if `to` has no room for sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f,popcnt")]
fn put(set: __mmask16, numbers: __m512i, to: &mut [u32]) -> usize {
    let kept = _mm512_maskz_compress_epi32(set, numbers);
    let to = &mut to[..LANES];
    // SAFETY: `to` is sixteen numbers of four bytes.
    unsafe { _mm512_storeu_epi32(to.as_mut_ptr().cast(), kept) };
    set.count_ones() as usize
}

/// See [`Scanner::columns`]; sixty-four at a time.
#[target_feature(enable = "avx512f,popcnt")]
fn columns(pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
    let mut count = 0;
    let whole = features - features % BLOCK;
    for first in (0..whole).step_by(BLOCK) {
        let mut any = _mm512_setzero_si512();
        for image in pixels.chunks_exact(features) {
            let block = &image[first..first + BLOCK];
            // SAFETY: `block` is sixty-four bytes.
            any = _mm512_or_si512(any, unsafe { _mm512_loadu_si512(block.as_ptr().cast()) });
        }
        let quarters = [
            _mm512_extracti32x4_epi32::<0>(any),
            _mm512_extracti32x4_epi32::<1>(any),
            _mm512_extracti32x4_epi32::<2>(any),
            _mm512_extracti32x4_epi32::<3>(any),
        ];
        for (first, any) in (first..).step_by(LANES).zip(quarters) {
            let any = _mm512_cvtepu8_epi32(any);
            let set = _mm512_test_epi32_mask(any, any);
            count += put(set, from(first), &mut columns[count..]);
        }
    }
    portable::columns_from(whole, pixels, features, columns, count)
}

/// See [`Scanner::lists`]; sixteen masks at a time.
#[target_feature(enable = "avx512f,popcnt")]
fn lists(masks: &[u16], places: &mut [u32], ends: &mut [usize]) {
    let (blocks, rest) = masks.as_chunks::<LANES>();
    let mut count = 0;
    for (bit, end) in ends.iter_mut().enumerate() {
        let wanted = _mm512_set1_epi32(1 << bit);
        for (first, masks) in (0..).step_by(LANES).zip(blocks) {
            // SAFETY: `masks` is sixteen of two bytes.
            let masks = unsafe { _mm256_loadu_si256(masks.as_ptr().cast()) };
            let set = _mm512_test_epi32_mask(_mm512_cvtepu16_epi32(masks), wanted);
            count += put(set, from(first), &mut places[count..]);
        }
        let first = masks.len() - rest.len();
        count = portable::list_from(first, rest, 1 << bit, places, count);
        *end = count;
    }
}

/// See [`Scanner::groups`].
#[target_feature(enable = "avx512f")]
fn groups(pixels: &[u8], row: usize, masks: &mut [u16]) {
    for (block, mask) in portable::blocks(pixels, row).zip(masks) {
        // SAFETY: `block` is sixty-four bytes, a window of that length.
        let groups = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        *mask = _mm512_test_epi32_mask(groups, groups);
    }
}
