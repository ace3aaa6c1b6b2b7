//! Block sizes, in elements of `f32` unless they say otherwise, and what each was fitted to.
//!
//! No choice here changes a bit of any product; only its speed depends on it. Two machines
//! have been fitted to, both in docs/performance.md:
//! * *Zen 5* with AVX-512: 48 KiB of L1, 1 MiB of L2, two 512-bit multiply-adds a cycle;
//! * *Zen 3* with AVX2: 32 KiB of L1, 512 KiB of L2, two 256-bit multiply-adds a cycle.
//!
//! Products in place are fitted to the first, products out of packed panels of B to the
//! second. Figures are GFLOP/s on one thread or shares of the peak, before and after.

use crate::compute::aligned::CACHE_LINE;

/// In place: a block of B, packed or where it lies, 512 KiB. It stays in half of Zen 5's L2
/// while all groups of rows of a block of A pass over it: 128·784·500 went from 248 to 272,
/// 256·784·1000 from 236 to 262.
pub(super) const BLOCK_B: usize = 1 << 17;

/// In place: a block of A, 2 MiB, a part of L3. It comes from there once for every block of
/// B. On a Xeon with AVX-512 and 2 MiB of L2, 2048·2048·2048 took 1.19 times as long with half
/// of it and 0.96 with double.
pub(super) const BLOCK_A: usize = 1 << 19;

/// Memory for a packed block of B, whose rows may be longer than its columns (64 elements
/// for each k-index) and which may begin with a cache line.
pub(super) const PACKED_B: usize = BLOCK_B + 64 * KC_WHOLE + CACHE_LINE;

/// The bytes of a cache line.
pub(super) const LINE_BYTES: usize = CACHE_LINE * size_of::<f32>();

/// In place: maximum number of k-indices in a block where k is cut. Fourteen rows of A,
/// 29 KiB of Zen 5's 48, stay in L1 while B passes.
pub(super) const KC: usize = 528;

/// Up to this many k-indices k is not cut, so that C passes through the caches once: the 784
/// pixels of a digit are one block.
pub(super) const KC_WHOLE: usize = 800;

/// Maximum number of k-indices in a block where the columns of A are contiguous and A is
/// long: 128 rows of 784 pixels, 400 KiB, stay in L2 while the next 128 are fetched. Packing
/// these columns ran at 174 instead of 235 with 60 000 images.
pub(super) const KC_COLUMNS: usize = 128;

/// From this many multiply-adds on (512·512·512), operands are packed that lie badly in the
/// caches. Below, packing costs more than it brings. 2048·2048·2048 went from 84 to 88 % of
/// the peak.
pub(super) const LARGE: usize = 1 << 27;

/// Packed B: k-indices whose panels are packed together, so that C is still in the caches
/// when the next of these panels comes. 60000·784·128 went from 75 to 82 % of Zen 3's peak.
pub(super) const KC_GROUP: usize = 1024;

/// Packed B: panels that are packed together, 256 KiB, half of Zen 3's L2. Panels brought
/// 512·512·512 from 55 to 88 % of its peak and 128·784·1000 from 38 to 70 %.
pub(super) const PANELS: usize = 1 << 16;

/// Packed B: a B of at most this size, 16 KiB, half of Zen 3's L1, stays there as it is and
/// is not packed.
pub(super) const PANEL_B: usize = 1 << 12;

/// Packed B: a block of A, 64 KiB, that stays in L2 while panels of B pass by. An eighth of
/// Zen 3's L2: what else runs on the core takes its part.
pub(super) const PASSING_A: usize = 1 << 14;

/// Rows of an operand that are a multiple of this apart, 2 KiB, share a few sets of L1, in
/// which addresses 4 KiB apart have the same set (64 sets of 64 bytes on either machine).
pub(super) const ALIASING: usize = 512;

/// A matrix of more elements than this, 16 MiB, comes from memory.
pub(super) const FROM_MEMORY: usize = 1 << 22;

/// Up to this many k-indices, C takes as much time as its sums. A C that comes from memory is
/// fetched ahead then: 60000·10·128 went from 181 to 290 on two threads of Zen 5. None is
/// transposed with short vectors: 128·32·10 took 1/1.35 of the time on Zen 3.
pub(super) const KC_SHORT: usize = 64;

/// A B of more elements than this, 256 KiB, leaves L1 between one tile of listed k-indices and
/// the next, and its rows are fetched ahead. Fitted on Zen 3 and used where
/// [`Kernel::panels`](super::kernel) are.
pub(super) const LONG_B: usize = 1 << 16;

/// An A of more elements than this, 512 KiB, does not stay in L2, and later parts of it are
/// fetched ahead, into L1: the gradient of W2 with 60 000 images ran at 190 on Zen 5 instead of
/// 60 with what is fetched into L2.
pub(super) const LONG_A: usize = 1 << 17;

/// Narrow C: rows of A, at most, whose C of up to twelve columns stays in L1 until the
/// epilogue has it.
pub(super) const NARROW_ROWS: usize = 64;

/// Fewer multiply-adds than this are not worth a second thread: a product of half a million
/// takes four microseconds on Zen 5, and handing half of them over costs one or more. A single
/// row reads all of B for itself and takes four times as long for as many, so that half of
/// this is worth a thread then.
#[cfg(feature = "rayon")]
pub(super) const SERIAL_BELOW: usize = 1 << 19;
