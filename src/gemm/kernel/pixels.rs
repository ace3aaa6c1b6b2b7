//! Small groups of pixels, as many as registers hold.

use crate::gemm::pixels::scaled;

/// Some columns of images, and where they go.
///
/// Of each image the columns from `first` on whose bits `mask` has go to
/// `to + i·to_row`, side by side; `columns` of them are looked at. For the
/// functions that take a group to be sound, each image must have these
/// columns, and there must be room for the rows.
pub(super) struct Group<'a> {
    pub(super) images: &'a [&'a [u8]],
    pub(super) first: usize,
    pub(super) columns: usize,
    pub(super) mask: u16,
    pub(super) to: *mut f32,
    pub(super) to_row: usize,
}

/// The packing of arms without one of their own.
///
/// # Safety
/// As [`Group`] says.
pub(super) unsafe fn plain(group: &Group<'_>) {
    for (i, image) in group.images.iter().enumerate() {
        let mut to = group.to.wrapping_add(i * group.to_row);
        for (j, &pixel) in image[group.first..][..group.columns].iter().enumerate() {
            if group.mask >> j & 1 == 1 {
                // SAFETY: as many elements as the mask has bits, by the
                // caller's word.
                unsafe { *to = scaled(pixel) };
                to = to.wrapping_add(1);
            }
        }
    }
}
