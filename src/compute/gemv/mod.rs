//! Products of one row of inputs and a matrix, `z += x·W`, that leave out the inputs that are
//! zero: one image at a time, without heap.
//!
//! Every element of z is one chain of multiply-adds, in ascending order of the inputs, so it
//! has the bits of a [product's](super::gemm). Inputs that are zero add no link to it; on MNIST
//! these are 81 % of the pixels.
//!
//! With AVX-512 and AVX2 the places of the other inputs are listed first. Then the sums of up
//! to eight vectors stay in registers while the listed rows of W pass by: each element of W is
//! loaded once, and no sum is moved in between. Other instruction sets add row after row in
//! memory ([`fma::axpy`]), which takes no list and the least code.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(test)]
mod tests;

use crate::compute::fma;
#[cfg(target_arch = "x86_64")]
use crate::compute::isa::InstructionSet;
use crate::compute::isa::Isa;
use crate::compute::vector;
#[cfg(target_arch = "x86_64")]
use crate::compute::zeros;

/// An element of a row of inputs.
pub(crate) trait Input: Copy {
    /// Whether the input adds nothing to any sum.
    fn is_zero(self) -> bool;

    /// The input as a number.
    fn number(self) -> f32;

    /// Writes the places of the inputs that are not zero to `places` in ascending order, and
    /// returns their number.
    ///
    /// # Panics
    /// Panics if there are fewer places to write to than inputs, or no inputs.
    #[cfg(target_arch = "x86_64")]
    fn list(isa: Isa, inputs: &[Self], places: &mut [u32]) -> usize;
}

/// A pixel, which stands for its value divided by 255.
impl Input for u8 {
    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0
    }

    #[inline(always)]
    fn number(self) -> f32 {
        vector::scaled(self)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn list(isa: Isa, inputs: &[Self], places: &mut [u32]) -> usize {
        zeros::columns(isa, inputs, inputs.len(), places)
    }
}

/// An activation of the layer below.
impl Input for f32 {
    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0.0
    }

    #[inline(always)]
    fn number(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn list(_: Isa, inputs: &[Self], places: &mut [u32]) -> usize {
        let mut count = 0;
        for (place, input) in (0..).zip(inputs) {
            // Written in any case: whether a rectifier gives zero is hard to predict.
            places[count] = place;
            count += usize::from(!input.is_zero());
        }
        count
    }
}

/// Adds x·W to `z`. Returns `None`, and leaves any numbers in `z`, if `weights` has too few
/// rows.
///
/// Shapes: W is inputs × the length of `z`, row-major; `weights` may hold more.
#[inline(always)]
pub(crate) fn accumulate<T: Input>(
    isa: Isa,
    inputs: &[T],
    weights: &[f32],
    z: &mut [f32],
) -> Option<()> {
    #[cfg(target_arch = "x86_64")]
    if let Some(listed) = Listed::of(isa) {
        return listed.accumulate(inputs, weights, z);
    }
    let mut weights = weights;
    for &input in inputs {
        let (row, rest) = weights.split_at_checked(z.len())?;
        weights = rest;
        if !input.is_zero() {
            fma::axpy(isa, input.number(), row, z);
        }
    }
    Some(())
}

/// Maximum number of inputs that are listed at once, 1 KiB of stack. With 1024, all pixels of
/// MNIST, one image of 784-H-10 took as long within the noise for H from 30 to 1000 (Xeon with
/// AVX-512): what fewer pieces save goes into clearing a longer list.
#[cfg(target_arch = "x86_64")]
const PIECE: usize = 256;

/// Adds rows of W to z, each times its input: those of the inputs at the places listed.
/// Returns `None`, and leaves any numbers in z, if there are fewer rows or inputs.
///
/// Arguments: inputs, places of some of them in ascending order, W with rows of the length
/// of z, and z.
///
/// # Safety
/// The machine has the instructions.
#[cfg(target_arch = "x86_64")]
type AddListed<T> = unsafe fn(&[T], &[u32], &[f32], &mut [f32]) -> Option<()>;

/// The code of an instruction set.
#[cfg(target_arch = "x86_64")]
struct Listed<T> {
    add: AddListed<T>,
    isa: Isa,
}

#[cfg(target_arch = "x86_64")]
impl<T: Input> Listed<T> {
    /// The code of an instruction set, `None` if it has none of its own.
    #[inline(always)]
    fn of(isa: Isa) -> Option<Self> {
        match isa.instruction_set() {
            InstructionSet::Avx512 => Some(Self {
                add: avx512::add_listed,
                isa,
            }),
            InstructionSet::Avx2 => Some(Self {
                add: avx2::add_listed,
                isa,
            }),
            _ => None,
        }
    }

    /// See [`accumulate`].
    #[allow(unsafe_code)]
    fn accumulate(&self, inputs: &[T], weights: &[f32], z: &mut [f32]) -> Option<()> {
        let (mut places, mut weights) = ([0; PIECE], weights);
        for piece in inputs.chunks(PIECE) {
            let (rows, rest) = weights.split_at_checked(piece.len().checked_mul(z.len())?)?;
            weights = rest;
            let count = T::list(self.isa, piece, &mut places);
            let places = places.get(..count)?;
            // SAFETY: `Listed::of` takes an `Isa`, which proves that the machine has the
            // instructions.
            unsafe { (self.add)(piece, places, rows, z)? };
        }
        Some(())
    }
}
