//! Finding zeros pixel by pixel; the vector versions end with it.

use super::{BLOCK, GROUP, Scanner};

pub(super) static SCANNER: Scanner = Scanner {
    columns,
    lists,
    groups,
};

/// Writes the columns in which not all of the images are zero to `columns`, in
/// ascending order, and returns how many there are.
///
/// # Safety
/// There is room for as many columns as an image has pixels, which are `features`.
unsafe fn columns(pixels: &[u8], features: usize, columns: *mut u32) -> usize {
    // SAFETY: the caller's word.
    unsafe { columns_from(0, pixels, features, columns, 0) }
}

/// The same of the columns from `first` on, after `count` that have been found
/// before; returns how many there are then.
///
/// # Safety
/// There is room for as many more as an image has pixels from `first` on.
pub(super) unsafe fn columns_from(
    first: usize,
    pixels: &[u8],
    features: usize,
    columns: *mut u32,
    mut count: usize,
) -> usize {
    for first in (first..features).step_by(BLOCK) {
        let mut any = [0; BLOCK];
        let any = &mut any[..BLOCK.min(features - first)];
        for image in pixels.chunks_exact(features) {
            for (any, pixel) in any.iter_mut().zip(&image[first..]) {
                *any |= pixel;
            }
        }
        for (column, &any) in (first as u32..).zip(&*any) {
            // SAFETY: no more have been found than there are columns before this one.
            unsafe { *columns.add(count) = column };
            count += usize::from(any != 0);
        }
    }
    count
}

/// For each of `ends`, one after another, writes the places of `masks` that have
/// its bit to `places`, in ascending order, and there where they end. The first has
/// the lowest bit.
///
/// # Safety
/// There is room for as many places as there are masks for each of `ends`.
unsafe fn lists(masks: &[u16], places: *mut u32, ends: &mut [usize]) {
    let mut count = 0;
    for (bit, end) in ends.iter_mut().enumerate() {
        // SAFETY: the caller's word.
        count = unsafe { list_from(0, masks, 1 << bit, places, count) };
        *end = count;
    }
}

/// The places of the masks that have one bit, the first of which is at `first`,
/// after `count` places that have been found before; returns how many there are
/// then.
///
/// # Safety
/// There is room for as many more as there are masks.
pub(super) unsafe fn list_from(
    first: usize,
    masks: &[u16],
    bit: u16,
    places: *mut u32,
    mut count: usize,
) -> usize {
    for (place, mask) in (first as u32..).zip(masks) {
        // SAFETY: no more have been found than there are masks before this one.
        unsafe { *places.add(count) = place };
        count += usize::from(mask & bit != 0);
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
fn groups(pixels: &[u8], row: usize, masks: &mut [u16]) {
    for (block, mask) in blocks(pixels, row).zip(masks) {
        let (groups, _) = block.as_chunks();
        let bit = |mask, group: &[u8; GROUP]| mask >> 1 | u16::from(*group != [0; _]) << 15;
        *mask = groups.iter().fold(0, bit);
    }
}
