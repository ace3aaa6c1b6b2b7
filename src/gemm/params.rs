//! Block sizes, in elements, and the caches that they fit.
//!
//! No choice here changes a bit of any product; only its speed depends on it.

/// A packed block of B, 512 KiB: half of a large L2, where it stays while
/// every group of rows of A passes over it.
pub(super) const PACKED_B: usize = 1 << 17;

/// A packed block of A, 512 KiB.
pub(super) const PACKED_A: usize = 1 << 17;

/// Steps of k in a block of packed operands: fourteen rows of A (22 KiB) and
/// what streams past them share L1.
pub(super) const KC: usize = 400;

/// Steps of k in a block of a packed A: C, that passes through the cores once
/// a block, costs little beside them, and 784 columns still fit the memory.
pub(super) const KC_TRANSPOSED: usize = 160;

/// Beyond this many steps k is cut even where nothing is packed.
pub(super) const KC_DIRECT: usize = 1024;

/// Up to so many elements B is read where it lies: it stays in L2 by itself.
pub(super) const DIRECT_B: usize = 1 << 17;

/// With fewer rows than this B is not packed, since it is read too seldom.
pub(super) const PACK_FROM_ROWS: usize = 64;

/// From so many elements on A is packed where its columns are contiguous:
/// every step of k then is on another page.
pub(super) const PACK_A_FROM: usize = 1 << 18;

/// A multiple of this between its rows, and A is packed: all rows would share
/// a few sets of L1 (4 KiB from one to the next of the same set).
pub(super) const ALIASING: usize = 512;

/// From so many elements of A on, its rows are fetched ahead.
pub(super) const FETCH_AHEAD: usize = 1 << 17;

/// Fewer multiply-adds than this are not worth a second thread: handing work
/// to an idle thread of the pool costs some tens of microseconds.
#[cfg(feature = "rayon")]
pub(super) const MIN_PARALLEL: usize = 1 << 20;
