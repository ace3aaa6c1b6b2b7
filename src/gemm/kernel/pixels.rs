//! Finding pixels that are not zero.

/// Writes the places of `masks` that have one of the bits to `places`, in
/// ascending order, and returns how many there are.
///
/// # Safety
/// There is room for as many as there are masks.
pub(super) unsafe fn places(masks: &[u16], bits: u16, places: *mut u32) -> usize {
    // SAFETY: the caller's word.
    unsafe { places_from(0, masks, bits, places, 0) }
}

/// The same of masks the first of which is at `first`, after `count` places that
/// have been found before.
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

/// A bit for each group of four pixels in which one is not zero.
pub(super) fn groups(pixels: &[u8; 64]) -> u16 {
    let (groups, _) = pixels.as_chunks();
    let bit = |mask, group: &[u8; 4]| mask >> 1 | u16::from(*group != [0; 4]) << 15;
    groups.iter().fold(0, bit)
}
