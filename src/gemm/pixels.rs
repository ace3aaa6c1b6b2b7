//! Where images are not zero.
//!
//! On MNIST 81 % of all pixels are zero: of the columns of six images 56 % are
//! zero in all six, of three images 65 %, and of groups of four pixels that lie
//! side by side 72 %. A step of k in which a few rows of A are zero adds `0 · b`
//! to their sums, which changes none whose terms are finite. So X·W may leave out
//! a column for a few rows of X at a time, and Xᵀ·dZ an example for four pixels
//! ([`Product::steps`]), and both have the same bits. Only the sign of a sum
//! that is zero can differ, and only where it starts from −0 or where products of
//! numbers near 10⁻⁴⁰ underflow.
//!
//! [`Product::steps`]: super::Product::steps

use super::Steps;
use super::kernel::MicroKernel;
use crate::isa::Isa;

/// Images whose zero columns are left out together: fewer share more zeros,
/// but make less of each row of W that is read. How many are best depends on
/// how many rows and columns of C the registers hold.
pub fn panel(isa: Isa) -> usize {
    MicroKernel::of(isa).panel()
}

/// The most of them, on any machine.
pub const MAX_PANEL: usize = 6;

/// Pixels whose zero examples are left out together.
pub const GROUP: usize = 4;

/// Pixels whose groups are found together.
pub const BLOCK: usize = 16 * GROUP;

/// Writes the columns in which not all of these images are zero to `columns`,
/// in ascending order, and returns how many there are.
///
/// Shapes: `pixels` holds whole images of `features` pixels each; `columns` has a
/// place for each of the features.
///
/// # Panics
/// Panics if the shapes differ.
pub fn columns(isa: Isa, pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
    assert!(
        pixels.len().is_multiple_of(features),
        "{} pixels of images of {features}",
        pixels.len()
    );
    MicroKernel::of(isa).columns(pixels, features, columns)
}

/// For each image, which of the groups of the [`BLOCK`] pixels from `first` on
/// are not zero: a bit for each group, none for those beyond the image.
///
/// Shapes: `pixels` holds an image of `features` pixels for each of `masks`.
///
/// # Panics
/// Panics if the shapes differ or if there is no pixel `first`.
pub fn groups(isa: Isa, pixels: &[u8], features: usize, first: usize, masks: &mut [u16]) {
    assert_eq!(pixels.len(), masks.len() * features, "pixels of the images");
    assert!(first < features, "pixel {first} of {features}");
    let kernel = MicroKernel::of(isa);
    // A block that the image ends in is the end of the last whole one.
    let end = features.min(first + BLOCK);
    if let Some(from) = end.checked_sub(BLOCK)
        && (first - from).is_multiple_of(GROUP)
    {
        kernel.groups(&pixels[from.min(pixels.len())..], features, masks);
        let before = (first - from) / GROUP;
        return masks.iter_mut().for_each(|mask| *mask >>= before);
    }
    for (image, mask) in pixels.chunks_exact(features).zip(masks) {
        let mut block = [0; BLOCK];
        block[..end - first].copy_from_slice(&image[first..end]);
        kernel.groups(&block, BLOCK, core::slice::from_mut(mask));
    }
}

/// The images in whose masks the bits of the first `groups` groups are set, as the
/// steps of Xᵀ·dZ: a list for each [`GROUP`] rows. They are written to `images`,
/// and where the lists begin to `cuts`.
///
/// # Panics
/// Panics if there are no groups or more than masks have bits for, or if there are
/// fewer places to write to than groups and masks.
pub fn lists<'a>(
    isa: Isa,
    masks: &[u16],
    groups: usize,
    images: &'a mut [u32],
    cuts: &'a mut [usize; BLOCK / GROUP],
) -> Steps<'a> {
    MicroKernel::of(isa).lists(masks, images, &mut cuts[..groups]);
    let (images, cuts) = (&images[..cuts[groups - 1]], &cuts[..groups - 1]);
    Steps::of_rows(isa, masks.len(), GROUP, images, cuts)
}

/// Fetches an image into the caches, on processors that can be told to, to be
/// read soon.
pub fn fetch(image: &[u8]) {
    super::kernel::fetch(image);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{vec, vec::Vec};

    /// Images of `len` pixels side by side, of which most are zero.
    fn images(count: usize, len: usize) -> Vec<u8> {
        let pixel = |at: usize| match (at / len * 31 + at % len * 7) % 11 {
            0 if !at.is_multiple_of(3) => (at * 97) as u8,
            _ => 0,
        };
        (0..count * len).map(pixel).collect()
    }

    #[test]
    fn the_columns_left_out_are_zero_in_all_images() {
        for isa in Isa::available() {
            for len in [1, 15, 16, 17, 63, 64, 65, 784] {
                for count in 0..=panel(isa) {
                    let pixels = images(count, len);
                    let mut found = vec![9; len];
                    let kept = columns(isa, &pixels, len, &mut found);
                    let expected = (0..len)
                        .filter(|&j| pixels.chunks(len).any(|image| image[j] != 0))
                        .map(|j| j as u32);
                    assert!(expected.eq(found[..kept].iter().copied()), "{}", isa.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "pixel 72 of 70")]
    fn a_block_beyond_the_images_is_refused() {
        groups(Isa::detect(), &[0; 140], 70, 72, &mut [0; 2]);
    }

    #[test]
    fn the_images_left_out_are_zero_in_the_group() {
        for isa in Isa::available() {
            for len in [1, 3, 4, 63, 64, 65, 70, 784] {
                for count in [0, 1, 15, 16, 17, 40] {
                    let pixels = images(count, len);
                    let mut masks = vec![9; count];
                    let mut found = vec![9; count * (BLOCK / GROUP)];
                    for first in (0..len).step_by(BLOCK) {
                        groups(isa, &pixels, len, first, &mut masks);
                        let block = first..len.min(first + BLOCK);
                        let groups = block.len().div_ceil(GROUP);
                        let mut cuts = [0; _];
                        let found = lists(isa, &masks, groups, &mut found, &mut cuts);
                        for (list, start) in found.iter().zip(block.clone().step_by(GROUP)) {
                            let range = start..block.end.min(start + GROUP);
                            let expected = (0..count)
                                .filter(|i| {
                                    pixels[i * len..][range.clone()].iter().any(|&p| p != 0)
                                })
                                .map(|i| i as u32);
                            assert!(expected.eq(list.iter().copied()), "{}", isa.name());
                        }
                    }
                }
            }
        }
    }
}
