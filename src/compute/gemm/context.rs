//! Context of products: instruction set, threads, scratch memory.

use super::params::{BLOCK_A, PACKED_B};
use crate::compute::isa::Isa;
#[cfg(feature = "rayon")]
use crate::compute::thread_team::{Team, Threads, WORK_PER_WOKEN_THREAD};
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};
use core::fmt;
use core::ops::{Deref, DerefMut};
#[cfg(feature = "rayon")]
use std::time::{Duration, Instant};

/// The instruction set, the number of threads and the scratch memory of products.
///
/// [`Context::with_threads`] is what most callers need, [`Context::new`] those without a
/// heap. One context serves any number of products: made once, it keeps memory and threads.
///
/// ```
/// use handwritten::{Beta, Context, Matrix, gemm};
///
/// let mut ctx = Context::with_threads(2);
/// let a = Matrix::from_fn(2, 3, |i, p| (i + p) as f32);
/// let mut c = Matrix::zeros(2, 2);
/// gemm(a.view(), a.view().t(), Beta::Zero, c.view_mut(), &mut ctx);
/// assert_eq!(c.view().as_slice(), [5.0, 8.0, 8.0, 14.0]);
/// ```
pub struct Context<'a> {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    pub(super) packing: Packing<'a>,
    #[cfg(feature = "rayon")]
    pub(super) helpers: Helpers,
}

impl<'a> Context<'a> {
    /// A context for the fastest instruction set of this machine and at most `threads`
    /// threads (without the feature `rayon`, one thread). Neither their number nor what
    /// `packing` holds changes a bit of any product.
    ///
    /// In a pool of rayon, products are shared out among its threads. Elsewhere the caller
    /// and threads of the context compute them. Those start with the first product that is
    /// large enough, or the second of two that follow one another; they wait for the next
    /// one some milliseconds awake, then asleep, and end when the context is dropped. Where
    /// they cannot be started, the caller computes all.
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
        Self::of(threads, Packing::Borrowed(packing))
    }

    /// A context as [`Context::new`] makes, with memory of its own.
    ///
    /// # Panics
    /// Panics if `threads` is 0, or if the memory's length does not fit `usize`.
    #[cfg(feature = "alloc")]
    pub fn with_threads(threads: usize) -> Context<'static> {
        assert!(threads > 0, "a product on no thread");
        Context::of(threads, Packing::Owned(Self::packing(threads)))
    }

    fn of(threads: usize, packing: Packing<'a>) -> Self {
        Self {
            isa: Isa::detect(),
            threads,
            packing,
            #[cfg(feature = "rayon")]
            helpers: Helpers::default(),
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

/// Memory to pack into.
pub(super) enum Packing<'a> {
    Borrowed(&'a mut [f32]),
    #[cfg(feature = "alloc")]
    Owned(Vec<f32>),
}

impl Deref for Packing<'_> {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        match self {
            Self::Borrowed(memory) => memory,
            #[cfg(feature = "alloc")]
            Self::Owned(memory) => memory,
        }
    }
}

impl DerefMut for Packing<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Borrowed(memory) => memory,
            #[cfg(feature = "alloc")]
            Self::Owned(memory) => memory,
        }
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

/// Products that follow one another within this time are worth waking threads for: twenty
/// times as long as it takes. Threads that have worked stay awake for longer than that.
#[cfg(feature = "rayon")]
const IN_A_ROW: Duration = Duration::from_millis(1);

/// The threads of a context beside the caller's.
#[cfg(feature = "rayon")]
#[derive(Default)]
pub(super) struct Helpers {
    /// None until a product needs them: a context for one thread, of which a step makes
    /// several, is to allocate nothing.
    threads: Option<Threads>,
    /// When the caller last ended a product that it computed alone because no other thread
    /// was awake.
    last_alone: Option<Instant>,
}

#[cfg(feature = "rayon")]
impl Helpers {
    /// Whether `threads` threads are to share a product of so many multiply-adds: if they are
    /// awake, if it takes longer than to start or wake them, or if it follows another one.
    pub(super) fn are_worth_calling(&self, threads: usize, multiply_adds: usize) -> bool {
        let are_awake = |own: &Threads| own.are_awake(threads);
        multiply_adds / threads >= WORK_PER_WOKEN_THREAD
            || self.threads.as_ref().is_some_and(are_awake)
            || self.last_alone.is_some_and(|end| end.elapsed() <= IN_A_ROW)
    }

    /// A team of `threads` threads.
    pub(super) fn team(&mut self, threads: usize) -> Team<'_> {
        self.threads.get_or_insert_default().team(threads)
    }

    /// Notes that the caller has just computed a product alone.
    pub(super) fn note_alone(&mut self) {
        self.last_alone = Some(Instant::now());
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;

    #[test]
    fn threads_are_called_for_large_products_and_for_one_after_another() {
        let mut helpers = Helpers::default();
        let small = 2 * WORK_PER_WOKEN_THREAD - 1;
        assert!(!helpers.are_worth_calling(2, small));
        assert!(helpers.are_worth_calling(2, small + 1));
        // The time between the two calls is not in this test's hands.
        assert!((0..1000).any(|_| {
            helpers.note_alone();
            helpers.are_worth_calling(2, small)
        }));
        std::thread::sleep(2 * IN_A_ROW);
        assert!(!helpers.are_worth_calling(2, small));
        // A thread that has just worked is awake.
        assert!((0..1000).any(|_| {
            helpers.team(2).run(2, &|_, _| {});
            helpers.are_worth_calling(2, small)
        }));
        assert!(!helpers.are_worth_calling(3, small));
    }
}
