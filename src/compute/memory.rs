//! Memory whose size a user chooses: counted and checked before it is allocated.
//!
//! `alloc` aborts the process where an allocation fails. What depends on a file or on a flag
//! is therefore counted first, by the constructors that allocate it (`Buffers`), and the
//! sum is reserved and released again ([`check_available`]). Then the allocations follow.

use crate::compute::aligned::Aligned;
use alloc::{vec, vec::Vec};
use core::{fmt, hint};

/// The error of memory that is not available.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OutOfMemoryError {
    /// The number of bytes that were asked for; `usize::MAX` if a `usize` cannot count them.
    pub bytes: usize,
}

impl fmt::Display for OutOfMemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.bytes.div_ceil(1 << 20);
        write!(f, "there is not enough memory: {mebibytes} MiB are needed")
    }
}

impl core::error::Error for OutOfMemoryError {}

/// Checks that `bytes` bytes can be allocated: reserves them, and releases them again.
///
/// The answer holds for the next allocations, as long as nothing else takes the memory
/// meanwhile. The memory is not written to, so a system that promises more than it has
/// (Linux, unless it is told not to) is taken at its word; a limit of the address space
/// (`ulimit -v`) is found.
///
/// # Errors
/// Returns the number of bytes if they cannot be allocated.
pub fn check_available(bytes: usize) -> Result<(), OutOfMemoryError> {
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(bytes);
    // Without this the compiler may remove the allocation.
    hint::black_box(&all);
    reserved.map_err(|_| OutOfMemoryError { bytes })
}

/// Allocates buffers of zeros or, to count their bytes, empty ones instead.
///
/// A constructor that takes all buffers from here counts by the lines that allocate. It
/// may not read or write its buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// The bytes so far.
    bytes: usize,
    is_counting: bool,
}

impl Buffers {
    /// Buffers to be used.
    pub(crate) fn allocating() -> Self {
        Self {
            bytes: 0,
            is_counting: false,
        }
    }

    /// The number of bytes of the buffers that `build` asks for; `usize::MAX` if a `usize`
    /// cannot count them.
    pub(crate) fn count<R>(build: impl FnOnce(&mut Self) -> R) -> usize {
        let mut counting = Self {
            bytes: 0,
            is_counting: true,
        };
        build(&mut counting);
        counting.bytes
    }

    /// `len` zeros.
    pub(crate) fn zeros<T: Copy + Default>(&mut self, len: usize) -> Vec<T> {
        vec![T::default(); self.count_len(len, size_of::<T>())]
    }

    /// No elements yet, with room for `len`.
    pub(crate) fn with_capacity<T>(&mut self, len: usize) -> Vec<T> {
        Vec::with_capacity(self.count_len(len, size_of::<T>()))
    }

    /// `len` zeros, aligned to a cache line.
    pub(crate) fn aligned(&mut self, len: usize) -> Aligned {
        Aligned::zeros(self.count_len(len, size_of::<f32>()))
    }

    /// Counts `len` elements. Returns the number that is to be allocated.
    fn count_len(&mut self, len: usize, size: usize) -> usize {
        // Whole cache lines.
        let bytes = len.saturating_mul(size).saturating_add(63) & !63;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.is_counting { 0 } else { len }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn counted_buffers_are_empty_and_allocated_ones_are_not() {
        let build = |buffers: &mut Buffers| {
            let (bytes, numbers) = (buffers.zeros::<u8>(3), buffers.zeros::<f32>(100));
            let (aligned, later) = (buffers.aligned(17), buffers.with_capacity::<u32>(16));
            assert_eq!(bytes, vec![0; bytes.len()]);
            [bytes.len(), numbers.len(), aligned.len(), later.capacity()]
        };
        let mut lens = [9; 4];
        let bytes = Buffers::count(|buffers| lens = build(buffers));
        assert_eq!((lens, bytes), ([0; 4], 64 + 448 + 128 + 64));
        assert_eq!(build(&mut Buffers::allocating()), [3, 100, 17, 16]);
        let too_many = |buffers: &mut Buffers| buffers.zeros::<f32>(usize::MAX / 2);
        assert_eq!(Buffers::count(too_many), usize::MAX & !63);
    }

    #[test]
    fn what_no_allocator_has_is_not_available() {
        assert_eq!(check_available(1 << 20), Ok(()));
        let error = check_available(usize::MAX).unwrap_err();
        assert_eq!(error.bytes, usize::MAX);
        let text = OutOfMemoryError {
            bytes: (3 << 20) + 1,
        }
        .to_string();
        assert_eq!(text, "there is not enough memory: 4 MiB are needed");
    }
}
