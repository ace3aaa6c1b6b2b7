//! Finding pixels that are not zero.

use crate::gemm::pixels::{BLOCK, GROUP};

/// For each element of `bits`, one after another, writes the places of `masks` that
/// have one of its bits to `places`, in ascending order, and where they end to
/// `ends`.
///
/// # Safety
/// There is room for as many places as there are masks for each element of `bits`.
pub(super) unsafe fn places(masks: &[u16], bits: &[u16], places: *mut u32, ends: &mut [usize]) {
    let mut count = 0;
    for (&bits, end) in bits.iter().zip(ends) {
        // SAFETY: the caller's word.
        count = unsafe { places_from(0, masks, bits, places, count) };
        *end = count;
    }
}

/// The same of some bits, of masks the first of which is at `first`, after `count`
/// places that have been found before; returns where they end.
///
/// # Safety
/// There is room for as many more as there are masks.
pub(super) unsafe fn places_from(
    first: usize,
    masks: &[u16],
    bits: u16,
    places: *mut u32,
    mut count: usize,
) -> usize {
    for (place, mask) in (first as u32..).zip(masks) {
        // SAFETY: no more have been found than there are masks before this one.
        unsafe { *places.add(count) = place };
        count += usize::from(mask & bits != 0);
    }
    count
}

/// The first [`BLOCK`] pixels of each row of so many, but of one that has fewer.
#[inline]
pub(super) fn blocks(pixels: &[u8], row: usize) -> impl Iterator<Item = &[u8]> {
    pixels.windows(BLOCK).step_by(row)
}

/// For each row, a bit for each group of four of its first pixels in which one is
/// not zero.
pub(super) fn groups(pixels: &[u8], row: usize, masks: &mut [u16]) {
    for (block, mask) in blocks(pixels, row).zip(masks) {
        let (groups, _) = block.as_chunks();
        let bit = |mask, group: &[u8; GROUP]| mask >> 1 | u16::from(*group != [0; _]) << 15;
        *mask = groups.iter().fold(0, bit);
    }
}
