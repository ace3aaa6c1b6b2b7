//! Memory that begins with a cache line.
//!
//! An allocator chooses the address, most often 16 bytes after the beginning of a cache line.
//! Then a row of whole cache lines touches one line more, and every other vector touches two.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};
#[cfg(feature = "alloc")]
use core::{
    fmt,
    ops::{Deref, DerefMut},
};
#[cfg(feature = "alloc")]
use wide::f32x16;

/// Elements of a cache line of 64 bytes.
pub(crate) const CACHE_LINE: usize = 16;

/// A fixed number of `f32` in whole cache lines; a slice of them by `Deref`.
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub(crate) struct Aligned {
    lines: Vec<f32x16>,
    len: usize,
}

#[cfg(feature = "alloc")]
impl Aligned {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = vec![f32x16::ZERO; len.div_ceil(CACHE_LINE)];
        Self { lines, len }
    }
}

#[cfg(feature = "alloc")]
impl From<&[f32]> for Aligned {
    fn from(numbers: &[f32]) -> Self {
        let mut aligned = Self::zeros(numbers.len());
        aligned.copy_from_slice(numbers);
        aligned
    }
}

#[cfg(feature = "alloc")]
impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

#[cfg(feature = "alloc")]
impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

#[cfg(feature = "alloc")]
impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for Aligned {
    /// Prints how many numbers there are, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[f32; {}]", self.len)
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_line_and_ends_where_it_should() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut aligned = Aligned::zeros(len);
            assert_eq!(aligned.as_ptr().align_offset(64), 0);
            assert_eq!(*aligned, *vec![0.0; len]);
            aligned.fill(1.0);
            let copy = Aligned::from(&aligned[..]);
            assert_eq!(copy.len(), len);
            assert_eq!(copy, aligned);
            assert_eq!(copy.clone().as_ptr().align_offset(64), 0);
        }
    }
}
