//! Packing images: their pixels become an operand, without the columns that
//! are zero in all of them.
//!
//! On MNIST 81 % of all pixels are zero, and of the 784 columns of 64 images
//! 37 % are zero throughout. Such a column of X adds `0 · w` to each sum of
//! X·W, which changes none whose terms are finite, and makes a row of Xᵀ·dZ
//! that is zero; so products may leave them out ([`Product::inner`],
//! [`Product::rows`]) and have the same bits. Only the sign of a sum that is
//! zero can differ, and only where products of numbers near 10⁻⁴⁰ underflow.
//!
//! [`Product::inner`]: super::Product::inner
//! [`Product::rows`]: super::Product::rows

use super::kernel::MicroKernel;
use crate::isa::Isa;

/// The pixels of an image that go through registers together.
pub(super) const GROUP: usize = 16;

/// Writes the columns in which not all of `images` are zero to `columns`, in
/// ascending order, and returns how many there are.
///
/// # Panics
/// Panics if the images differ in length, or if `columns` does not have a place
/// for each of their pixels.
pub fn occupied(images: &[&[u8]], columns: &mut [u32]) -> usize {
    // Whole images of MNIST, so that memory is read in its order.
    const BLOCK: usize = 1024;
    let len = images.first().map_or(0, |image| image.len());
    assert!(columns.len() >= len, "{len} pixels in {}", columns.len());
    let mut count = 0;
    for first in (0..len).step_by(BLOCK) {
        let block = first..len.min(first + BLOCK);
        let mut union = [0; BLOCK];
        for image in images {
            assert_eq!(image.len(), len, "pixels of the images");
            for (union, pixel) in union.iter_mut().zip(&image[block.clone()]) {
                *union |= pixel;
            }
        }
        for (column, &union) in block.zip(&union) {
            columns[count] = column as u32;
            count += usize::from(union != 0);
        }
    }
    count
}

/// Writes these columns of `images` as rows of `f32` in [0, 1]: each pixel
/// divided by 255 and rounded once.
///
/// Shapes: `x` is `images.len() × columns.len()`, row-major.
///
/// # Panics
/// Panics if the shapes differ, if the columns do not ascend, or if an image
/// does not have them.
pub fn pack(isa: Isa, images: &[&[u8]], columns: &[u32], x: &mut [f32]) {
    assert!(
        x.len() == images.len() * columns.len() && columns.is_sorted_by(|a, b| a < b),
        "{} images of {} ascending columns in {} elements",
        images.len(),
        columns.len(),
        x.len()
    );
    let kernel = MicroKernel::of(isa);
    let mut done = 0;
    while let Some(&next) = columns.get(done) {
        let first = next as usize / GROUP * GROUP;
        let group = &columns[done..];
        let group = group.iter().take_while(|&&c| (c as usize) < first + GROUP);
        let (count, mask) = group.fold((0, 0), |(count, mask), &c| {
            (count + 1, mask | 1 << (c as usize - first))
        });
        kernel.pixels(images, (first, mask), &mut x[done..], columns.len());
        done += count;
    }
}

/// The quotient by 255, rounded to the nearest `f32`.
pub(crate) fn scaled(pixel: u8) -> f32 {
    // A product with 1/255 is off in the last bit for 126 of the 256 values.
    f32::from(pixel) / 255.0
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{vec, vec::Vec};

    /// Images of `len` pixels of which most are zero, all values among them.
    fn images(count: usize, len: usize) -> Vec<Vec<u8>> {
        let pixel = |i: usize, j: usize| match (i * 31 + j * 7) % 5 {
            0 if !j.is_multiple_of(3) => (i * 97 + j) as u8,
            _ => 0,
        };
        (0..count)
            .map(|i| (0..len).map(|j| pixel(i, j)).collect())
            .collect()
    }

    #[test]
    fn the_columns_left_out_are_zero_and_the_others_divided_by_255() {
        for isa in Isa::available() {
            for len in [0, 1, 15, 16, 17, 63, 64, 65, 784] {
                for count in [0, 1, 2, 5, 64] {
                    let images = images(count, len);
                    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
                    let mut columns = vec![0; len];
                    let kept = occupied(&images, &mut columns);
                    let columns = &columns[..kept];
                    for j in 0..len {
                        let is_zero = images.iter().all(|image| image[j] == 0);
                        assert_eq!(is_zero, !columns.contains(&(j as u32)));
                    }
                    let mut x = vec![f32::NAN; count * kept];
                    pack(isa, &images, columns, &mut x);
                    for (i, image) in images.iter().enumerate() {
                        for (j, &column) in columns.iter().enumerate() {
                            let expected = f32::from(image[column as usize]) / 255.0;
                            assert_eq!(x[i * kept + j], expected, "{}", isa.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_value_of_a_pixel_is_divided_exactly() {
        let image: Vec<u8> = (0..=255).collect();
        let columns: Vec<u32> = (0..256).collect();
        for isa in Isa::available() {
            let mut x = [f32::NAN; 256];
            pack(isa, &[&image], &columns, &mut x);
            for (value, x) in (0..=255_u8).zip(x) {
                assert_eq!(x, f32::from(value) / 255.0, "{}", isa.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "ascending")]
    fn columns_out_of_order_are_refused() {
        pack(Isa::detect(), &[&[0; 4]], &[2, 1], &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "column 4 of an image of 4")]
    fn columns_that_an_image_lacks_are_refused() {
        pack(Isa::detect(), &[&[0; 4]], &[1, 4], &mut [0.0; 2]);
    }
}
