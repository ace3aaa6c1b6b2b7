//! Finding pixels that are not zero.

/// Writes the places of `masks` that have one of the bits to `places`, in
/// ascending order, and returns how many there are.
///
/// # Safety
/// There is room for as many as there are masks.
pub(super) unsafe fn places(masks: &[u16], bits: u16, places: *mut u32) -> usize {
    let mut count = 0;
    for (place, mask) in (0..).zip(masks) {
        // SAFETY: `count` is less than the number of masks.
        unsafe { *places.add(count) = place };
        count += usize::from(mask & bits != 0);
    }
    count
}

/// A bit for each group of four pixels in which one is not zero.
pub(super) fn groups(pixels: &[u8; 64]) -> u16 {
    let (groups, _) = pixels.as_chunks();
    let bit = |mask, group: &[u8; 4]| mask >> 1 | u16::from(*group != [0; 4]) << 15;
    groups.iter().fold(0, bit)
}
