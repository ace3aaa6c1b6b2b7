//! Finding zeros: the k-indices that a product of images may leave out.
//!
//! On MNIST 81 % of all pixels are zero: of the columns of six images 56 % are zero in all six,
//! of three images 65 %, and of groups of four pixels that lie side by side 72 %. A k-index at
//! which a few rows of A are zero adds `0 · b` to their sums, which changes none whose terms are
//! finite. So X·W may leave out a column for a few rows of X at a time, and Xᵀ·dZ an example for
//! four pixels ([`Product::sparse_k`]), and the bits are the same. Only the sign of a sum that is
//! zero can differ, and only where it starts from −0 or where products of numbers near 10⁻⁴⁰
//! underflow.
//!
//! An instruction set has a `Scanner`, a table of three functions, out of the files of the
//! micro-kernels. None reads beyond its slices; where they write, the room that the methods of
//! `Scanner` assert is all they need: vectors of places are stored whole and overlap what comes
//! next.
//!
//! [`Product::sparse_k`]: super::gemm::Product::sparse_k

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::compute::gemm::SparseK;
#[cfg(target_arch = "x86_64")]
use crate::compute::isa::InstructionSet;
use crate::compute::isa::Isa;

/// The number of pixels side by side that share a list of examples.
pub const GROUP: usize = 4;

/// The number of pixels whose groups are found together, a bit of a `u16` for each group.
pub const BLOCK: usize = 16 * GROUP;

/// The scanning functions of an instruction set.
struct Scanner {
    /// See [`Scanner::columns`].
    ///
    /// # Safety
    /// The machine has the instructions.
    columns: unsafe fn(&[u8], usize, &mut [u32]) -> usize,
    /// See [`Scanner::lists`].
    ///
    /// # Safety
    /// The machine has the instructions.
    lists: unsafe fn(&[u16], &mut [u32], &mut [usize]),
    /// See [`Scanner::groups`].
    ///
    /// # Safety
    /// The machine has the instructions.
    groups: unsafe fn(&[u8], usize, &mut [u16]),
}

impl Scanner {
    /// The scanner of an instruction set.
    fn of(isa: Isa) -> &'static Self {
        match isa.instruction_set() {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => &avx2::SCANNER,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => &avx512::SCANNER,
            _ => &portable::SCANNER,
        }
    }

    /// Finds the columns in which not all images, of `features` pixels each, are zero. Writes
    /// them to `columns` in ascending order and returns their number.
    ///
    /// # Panics
    /// Panics if there are fewer places to write to than an image has pixels.
    fn columns(&self, pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
        assert!(
            columns.len() >= features,
            "{} columns of {features}",
            columns.len()
        );
        // SAFETY: `Scanner::of` takes an `Isa`, which proves that the machine has the
        // instructions.
        unsafe { (self.columns)(pixels, features, columns) }
    }

    /// For each bit from the lowest on, as many as there are `ends`: writes the places of the
    /// `masks` that have it to `places`, in ascending order and one bit after another, and where
    /// they end to `ends`.
    ///
    /// # Panics
    /// Panics if there are fewer places to write to than masks for each of `ends`,
    /// or more ends than bits.
    fn lists(&self, masks: &[u16], places: &mut [u32], ends: &mut [usize]) {
        assert!(
            places.len() >= masks.len() * ends.len() && ends.len() <= 16,
            "{} places of {} in {} lists",
            places.len(),
            masks.len(),
            ends.len()
        );
        // SAFETY: `Scanner::of` takes an `Isa`, which proves that the machine has the
        // instructions.
        unsafe { (self.lists)(masks, places, ends) }
    }

    /// For each row of pixels, which begins every `row` pixels and has a block of them: finds the
    /// groups of four of its first [`BLOCK`] pixels that are not all zero, and writes a mask with
    /// a bit for each group to `masks`.
    fn groups(&self, pixels: &[u8], row: usize, masks: &mut [u16]) {
        // SAFETY: `Scanner::of` takes an `Isa`, which proves that the machine has the
        // instructions.
        unsafe { (self.groups)(pixels, row, masks) }
    }
}

/// Finds the columns in which not all images are zero. Writes them to `columns` in ascending
/// order and returns their number.
///
/// Shapes: `pixels` is images × `features`, `columns` has room for `features`.
///
/// # Panics
/// Panics if the shapes differ.
pub fn columns(isa: Isa, pixels: &[u8], features: usize, columns: &mut [u32]) -> usize {
    assert!(
        pixels.len().is_multiple_of(features),
        "{} pixels of images of {features}",
        pixels.len()
    );
    Scanner::of(isa).columns(pixels, features, columns)
}

/// Finds, for each image, the groups of the [`BLOCK`] pixels from `first` on that are not all
/// zero. Writes a mask with a bit for each group to `masks`; bits of groups beyond the image are
/// not set.
///
/// Shapes: `pixels` is images × `features`, `masks` has an element for each image.
///
/// # Panics
/// Panics if the shapes differ or if there is no pixel `first`.
pub fn groups(isa: Isa, pixels: &[u8], features: usize, first: usize, masks: &mut [u16]) {
    assert_eq!(pixels.len(), masks.len() * features, "pixels of the images");
    assert!(first < features, "pixel {first} of {features}");
    let scanner = Scanner::of(isa);
    // The last block of an image may begin earlier, so that it is a whole one.
    let end = features.min(first + BLOCK);
    if let Some(from) = end.checked_sub(BLOCK)
        && (first - from).is_multiple_of(GROUP)
    {
        scanner.groups(&pixels[from.min(pixels.len())..], features, masks);
        let before = (first - from) / GROUP;
        return masks.iter_mut().for_each(|mask| *mask >>= before);
    }
    for (image, mask) in pixels.chunks_exact(features).zip(masks) {
        let mut block = [0; BLOCK];
        block[..end - first].copy_from_slice(&image[first..end]);
        scanner.groups(&block, BLOCK, core::slice::from_mut(mask));
    }
}

/// The k-indices of Xᵀ·dZ: for each of the first `groups` groups, which is [`GROUP`] rows of Xᵀ, a
/// list of the images in whose masks its bit is set. The lists are written to `images`, and where
/// they begin to `cuts`.
///
/// # Panics
/// Panics if there are no groups or more than masks have bits for, or if `images` has not room for
/// all masks in each of the lists.
pub fn lists<'a>(
    isa: Isa,
    masks: &[u16],
    groups: usize,
    images: &'a mut [u32],
    cuts: &'a mut [usize; BLOCK / GROUP],
) -> SparseK<'a> {
    Scanner::of(isa).lists(masks, images, &mut cuts[..groups]);
    let (images, cuts) = (&images[..cuts[groups - 1]], &cuts[..groups - 1]);
    SparseK::of_rows(isa, masks.len(), GROUP, images, cuts)
}

/// Fetches bytes that will be read soon into the caches, on x86-64; does nothing elsewhere.
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has SSE, and a prefetch reads and writes nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
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
                for count in 0..=6 {
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

    #[test]
    fn columns_and_places_are_found_within_their_room() {
        let beyond = |found: &[u32], room: usize| found[room..].iter().all(|&x| x == u32::MAX);
        for isa in Isa::available() {
            let scanner = Scanner::of(isa);
            for count in (0..70).chain([784]) {
                for dense in [true, false] {
                    let masks: Vec<u16> = match dense {
                        true => vec![!0; count],
                        false => (0..count as u16).map(|i| (i % 5) << (i % 13)).collect(),
                    };
                    for lists in [0, 1, 5, 16] {
                        let room = count * lists;
                        let (mut places, mut ends) = (vec![u32::MAX; room + 64], vec![0; lists]);
                        scanner.lists(&masks, &mut places[..room], &mut ends);
                        let mut begin = 0;
                        for (bit, end) in ends.into_iter().enumerate() {
                            let with = (0..count).filter(|&i| masks[i] >> bit & 1 == 1);
                            let found = places[begin..end].iter().map(|&place| place as usize);
                            assert!(found.eq(with), "{}", isa.name());
                            begin = end;
                        }
                        assert!(beyond(&places, room));
                    }
                    for images in 0..4 {
                        let pixels: Vec<u8> = (0..images * count)
                            .map(|at| if dense { 255 } else { (at % 7 / 5 * 128) as u8 })
                            .collect();
                        let mut found = vec![u32::MAX; count + 64];
                        let end = scanner.columns(&pixels, count, &mut found[..count]);
                        let with = (0..count).filter(|&j| {
                            let mut column = pixels.iter().skip(j).step_by(count);
                            column.any(|&pixel| pixel != 0)
                        });
                        let columns = found[..end].iter().map(|&column| column as usize);
                        assert!(columns.eq(with), "{}", isa.name());
                        assert!(beyond(&found, count));
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "5 places of 3 in 2 lists")]
    fn too_little_room_for_places_is_refused() {
        Scanner::of(Isa::detect()).lists(&[0; 3], &mut [0; 5], &mut [0; 2]);
    }

    #[test]
    #[should_panic(expected = "2 columns of 3")]
    fn too_little_room_for_columns_is_refused() {
        Scanner::of(Isa::detect()).columns(&[0; 6], 3, &mut [0; 2]);
    }
}
