//! Context of products: instruction set, threads, scratch memory.

use super::params::{BLOCK_A, PACKED_B};
use crate::compute::isa::Isa;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};
use core::fmt;

/// The instruction set, the number of threads and the scratch memory of products.
///
/// [`Context::new`] with memory from [`Context::packing`] is what most callers need:
/// see the example of [`gemm()`](super::gemm()). One context serves any number of products.
pub struct Context<'a> {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    pub(super) packing: &'a mut [f32],
}

impl<'a> Context<'a> {
    /// A context for the fastest instruction set of this machine and at most `threads`
    /// threads of the current rayon pool (without the feature `rayon`, one thread).
    /// Neither the number of threads nor what `packing` holds changes a bit of any
    /// product.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if `packing` is shorter than
    /// [`Context::packing_len`] says.
    pub fn new(threads: usize, packing: &'a mut [f32]) -> Self {
        assert!(threads > 0, "a product on no thread");
        assert!(
            packing.len() >= Self::packing_len(threads),
            "{} elements to pack into for {threads} threads, which need {}",
            packing.len(),
            Self::packing_len(threads)
        );
        Self {
            isa: Isa::detect(),
            threads,
            packing,
        }
    }

    /// Replaces the instruction set.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The instruction set that computes.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The number of elements that a context for `threads` threads needs for packing,
    /// 2.7 MiB for each thread.
    ///
    /// # Panics
    /// Panics if the number does not fit `usize`.
    #[inline]
    pub const fn packing_len(threads: usize) -> usize {
        match threads.checked_mul(BLOCK_A + PACKED_B) {
            Some(len) => len,
            None => panic!("more threads than there is memory to pack into"),
        }
    }

    /// Memory of [`Context::packing_len`] elements for [`Context::new`].
    ///
    /// # Panics
    /// Panics if the length does not fit `usize`.
    #[cfg(feature = "alloc")]
    pub fn packing(threads: usize) -> Vec<f32> {
        vec![0.0; Self::packing_len(threads)]
    }
}

impl fmt::Debug for Context<'_> {
    /// Prints everything but the scratch memory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("isa", &self.isa)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}
