//! Micro-kernels: one register tile of C, the innermost part of every product.

mod portable;

use super::pack::pack;
use crate::isa::Isa;
use crate::matrix::MatRef;

/// The most elements that a tile of any micro-kernel has.
pub(super) const MAX_TILE: usize = 4 * 8;

/// A register tile of `mr × nr` elements and the packing that feeds it.
pub(super) struct MicroKernel {
    /// Rows of a tile, and of a packed panel of A.
    pub(super) mr: usize,
    /// Columns of a tile, and of a packed panel of B.
    pub(super) nr: usize,
    /// Packs a block of A in panels of `mr` rows.
    pub(super) pack_a: fn(MatRef<'_>, &mut [f32]),
    /// Packs a transposed block of B in panels of `nr` columns of B.
    pub(super) pack_b: fn(MatRef<'_>, &mut [f32]),
    tile: fn(&[f32], &[f32], &mut [f32]),
}

impl MicroKernel {
    /// A kernel whose tile is `MR × NR`.
    const fn new<const MR: usize, const NR: usize>(tile: fn(&[f32], &[f32], &mut [f32])) -> Self {
        assert!(MR * NR <= MAX_TILE);
        Self {
            mr: MR,
            nr: NR,
            pack_a: pack::<MR>,
            pack_b: pack::<NR>,
            tile,
        }
    }

    /// The kernel of an instruction set.
    pub(super) fn of(_isa: Isa) -> &'static Self {
        &portable::KERNEL
    }

    /// Adds the product of two packed panels to a tile: `C += A·B`.
    ///
    /// Shapes: `a` is k columns of `mr`, `b` is k rows of `nr`, `c` is
    /// `mr × nr`, row-major. Each element is the chain of multiply-adds over
    /// k that goes on from its value.
    ///
    /// # Panics
    /// Panics if `a` and `b` differ in k, or if `c` is not one tile.
    pub(super) fn accumulate(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        assert!(
            a.len() * self.nr == b.len() * self.mr
                && a.len().is_multiple_of(self.mr)
                && c.len() == self.mr * self.nr,
            "panels of {} and {} for a tile of {} ({}×{})",
            a.len(),
            b.len(),
            c.len(),
            self.mr,
            self.nr
        );
        (self.tile)(a, b, c);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// The battery that every kernel passes: any k, chains that go on from C,
    /// exact on integers, and bit for bit the chain of its class on reals.
    fn check(kernel: &MicroKernel, isa: Isa) {
        let (mr, nr) = (kernel.mr, kernel.nr);
        for k in [0, 1, 2, 3, 7, 64, 255, 256, 257] {
            for real in [false, true] {
                let mut state = 1_u32;
                let mut next = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let x = (state >> 24) as f32 - 128.0;
                    if real { x / 97.0 } else { x }
                };
                let a: Vec<f32> = (0..k * mr).map(|_| next()).collect();
                let b: Vec<f32> = (0..k * nr).map(|_| next()).collect();
                let mut c: Vec<f32> = (0..mr * nr).map(|_| next()).collect();
                let expected: Vec<f32> = (0..mr * nr)
                    .map(|e| {
                        let (i, j) = (e / nr, e % nr);
                        (0..k).fold(c[e], |acc, p| {
                            isa.mul_add(a[p * mr + i], b[p * nr + j], acc)
                        })
                    })
                    .collect();
                kernel.accumulate(&a, &b, &mut c);
                assert_eq!(c, expected, "k = {k}");
            }
        }
    }

    #[test]
    fn detected() {
        check(MicroKernel::of(Isa::detect()), Isa::detect());
    }

    #[test]
    #[should_panic(expected = "panels of 8 and 8")]
    fn panels_of_different_depth_are_refused() {
        let kernel = &portable::KERNEL;
        kernel.accumulate(&[0.0; 8], &[0.0; 8], &mut [0.0; 32]);
    }
}
