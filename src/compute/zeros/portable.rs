//! Finding zeros pixel by pixel. The vector versions use it for what is less than a vector.

use super::{BLOCK, GROUP, Scanner};

pub(super) static SCANNER: Scanner = Scanner {
    columns,
    lists,
    groups,
};

/// See [`Scanner::columns`].
fn columns(pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
    columns_from(0, pixels, features, columns, 0)
}

/// Finds the columns from `first` on, and writes them after `count` that have been found before.
/// Returns how many there are then.
///
/// # Panics
/// Panics if there is no room for `count + features - first` columns.
pub(super) fn columns_from(
    first: usize,
    pixels: &[u8],
    features: usize,
    columns: &mut [u32],
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
            // Overwritten by the next one unless it counts: a branch would be mispredicted.
            columns[count] = column;
            count += usize::from(any != 0);
        }
    }
    count
}

/// See [`Scanner::lists`].
fn lists(masks: &[u16], places: &mut [u32], ends: &mut [usize]) {
    let mut count = 0;
    for (bit, end) in ends.iter_mut().enumerate() {
        count = list_from(0, masks, 1 << bit, places, count);
        *end = count;
    }
}

/// Finds the masks that have a bit of `bit`, the first mask at place `first`, and writes their
/// places after `count` that have been found before. Returns how many there are then.
///
/// # Panics
/// Panics if there is no room for `count + masks.len()` places.
pub(super) fn list_from(
    first: usize,
    masks: &[u16],
    bit: u16,
    places: &mut [u32],
    mut count: usize,
) -> usize {
    for (place, mask) in (first as u32..).zip(masks) {
        places[count] = place;
        count += usize::from(mask & bit != 0);
    }
    count
}

/// The first [`BLOCK`] pixels of each row, which begins every `row` pixels, if it has as many.
#[inline]
pub(super) fn blocks(pixels: &[u8], row: usize) -> impl Iterator<Item = &[u8]> {
    pixels.windows(BLOCK).step_by(row)
}

/// See [`Scanner::groups`].
fn groups(pixels: &[u8], row: usize, masks: &mut [u16]) {
    for (block, mask) in blocks(pixels, row).zip(masks) {
        let (groups, _) = block.as_chunks();
        let bit = |mask, group: &[u8; GROUP]| mask >> 1 | u16::from(*group != [0; _]) << 15;
        *mask = groups.iter().fold(0, bit);
    }
}
