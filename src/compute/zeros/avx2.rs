//! Finding zeros with AVX2: the places of set bits come from a table of all sets of eight.

use super::portable;
use super::{BLOCK, Scanner};
use core::arch::x86_64::*;

pub(super) static SCANNER: Scanner = Scanner {
    columns,
    lists,
    groups,
};

const LANES: usize = 8;

/// Writes the lanes that are in the set, each with its lane of `first` added, side by side, and
/// returns how many there are. The other numbers of `to` become anything.
///
/// # Panics
/// Panics if `to` has no room for eight numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn put(set: u8, first: __m256i, to: &mut [u32]) -> usize {
    let set = &SETS[usize::from(set)];
    let to = &mut to[..LANES];
    // SAFETY: `lanes` is eight bytes, and `to` is eight numbers of four bytes.
    unsafe {
        let lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(set.lanes.as_ptr().cast()));
        _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_add_epi32(lanes, first));
    }
    set.count
}

/// See [`Scanner::columns`]; sixty-four at a time.
#[target_feature(enable = "avx2,fma")]
fn columns(pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
    let mut count = 0;
    let whole = features - features % BLOCK;
    let (mut place, step) = (_mm256_setzero_si256(), _mm256_set1_epi32(LANES as i32));
    for first in (0..whole).step_by(BLOCK) {
        let mut any = [_mm256_setzero_si256(); 2];
        for image in pixels.chunks_exact(features) {
            let (halves, _) = image[first..first + BLOCK].as_chunks::<32>();
            for (half, any) in halves.iter().zip(&mut any) {
                // SAFETY: `half` is thirty-two bytes.
                let pixels = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
                *any = _mm256_or_si256(*any, pixels);
            }
        }
        for any in any {
            let is_none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
            for set in (!_mm256_movemask_epi8(is_none)).to_le_bytes() {
                count += put(set, place, &mut columns[count..]);
                place = _mm256_add_epi32(place, step);
            }
        }
    }
    portable::columns_from(whole, pixels, features, columns, count)
}

/// See [`Scanner::lists`]; sixteen masks at a time.
#[target_feature(enable = "avx2,fma")]
fn lists(masks: &[u16], places: &mut [u32], ends: &mut [usize]) {
    let (blocks, rest) = masks.as_chunks::<16>();
    let step = _mm256_set1_epi32(LANES as i32);
    let mut count = 0;
    for (bit, end) in ends.iter_mut().enumerate() {
        let (mut place, wanted) = (_mm256_setzero_si256(), _mm256_set1_epi16(1 << bit));
        for block in blocks {
            // SAFETY: `block` is sixteen masks of two bytes.
            let masks = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
            let set = _mm256_cmpeq_epi16(_mm256_and_si256(masks, wanted), wanted);
            // The bytes are for the first eight masks, the same again, and the last eight, again.
            let [low, _, high, _] =
                _mm256_movemask_epi8(_mm256_packs_epi16(set, set)).to_le_bytes();
            for set in [low, high] {
                count += put(set, place, &mut places[count..]);
                place = _mm256_add_epi32(place, step);
            }
        }
        let first = masks.len() - rest.len();
        count = portable::list_from(first, rest, 1 << bit, places, count);
        *end = count;
    }
}

/// A set of lanes out of eight: those in it, in ascending order, and their number.
struct Set {
    lanes: [u8; 8],
    count: usize,
}

/// All sets, each at the index whose bits it has.
static SETS: [Set; 256] = {
    let mut sets = [const {
        Set {
            lanes: [0; 8],
            count: 0,
        }
    }; 256];
    let mut bits = 0;
    while bits < sets.len() {
        let set = &mut sets[bits];
        let mut lane = 0;
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                set.lanes[set.count] = lane as u8;
                set.count += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    sets
};

/// See [`Scanner::groups`].
#[target_feature(enable = "avx2,fma")]
fn groups(pixels: &[u8], row: usize, masks: &mut [u16]) {
    for (block, mask) in portable::blocks(pixels, row).zip(masks) {
        let (halves, _) = block.as_chunks::<32>();
        let mut bits = 0;
        for (shift, half) in (0..).step_by(LANES).zip(halves) {
            // SAFETY: `half` is thirty-two bytes.
            let groups = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
            let is_none = _mm256_cmpeq_epi32(groups, _mm256_setzero_si256());
            let is_there = !_mm256_movemask_ps(_mm256_castsi256_ps(is_none));
            bits |= (is_there as u16 & 0xff) << shift;
        }
        *mask = bits;
    }
}
