//! The number of bytes of a workspace, known before it is allocated.

use crate::compute::memory::{Buffers, OutOfMemoryError, check_available};
use crate::net::{assert_widths, checked_params_len};
use crate::step::workspace::Workspace;

impl Workspace {
    /// [`Workspace::new`], for widths or threads that a user chooses.
    ///
    /// # Errors
    /// Returns an error, and allocates nothing, if there are not [`Workspace::bytes`] bytes
    /// of memory.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if the widths are not as [`NetRef::new`] wants
    /// them.
    ///
    /// [`NetRef::new`]: crate::net::NetRef::new
    pub fn try_new(widths: &[usize], threads: usize) -> Result<Self, OutOfMemoryError> {
        check_available(Self::bytes(widths, threads))?;
        Ok(Self::new(widths, threads))
    }

    /// The number of bytes of memory that [`Workspace::new`] allocates; `usize::MAX` if a
    /// `usize` cannot count them.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if the widths are not as [`NetRef::new`] wants
    /// them.
    ///
    /// [`NetRef::new`]: crate::net::NetRef::new
    pub fn bytes(widths: &[usize], threads: usize) -> usize {
        assert_widths(widths);
        match can_be_counted(widths) {
            true => Buffers::count(|buffers| Self::build(widths, threads, buffers)),
            false => usize::MAX,
        }
    }
}

/// Whether a `usize` can count the bytes of all buffers of a step.
///
/// Besides buffers of fixed size none has more elements than 2¹⁰ for each parameter, since a
/// chunk has 2⁸ examples, and an element has at most 4 bytes: 2¹² = 2¹⁰ · 4 bytes for each.
fn can_be_counted(widths: &[usize]) -> bool {
    checked_params_len(widths).is_some_and(|len| len <= isize::MAX as usize >> 12)
}
