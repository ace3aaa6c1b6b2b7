//! Block sizes, in elements, and the caches that they fit.
//!
//! No choice here changes a bit of any product; only its speed depends on it.

/// Rows of a packed block of A: `MC · KC` floats (128 KiB) stay in L2 while
/// the block meets every panel of B.
pub(super) const MC: usize = 128;

/// Steps of k in a packed block: a panel of A and one of B (4 KiB and 8 KiB
/// in the portable arm) stay in L1 together.
pub(super) const KC: usize = 256;

/// Columns of a packed block of B: `KC · NC` floats (256 KiB) share L2 with
/// the block of A.
pub(super) const NC: usize = 256;

/// Fewer multiply-adds than this are not worth a second thread: handing work
/// to an idle thread of the pool costs some tens of microseconds.
#[cfg(feature = "rayon")]
pub(super) const MIN_PARALLEL: usize = 1 << 20;
