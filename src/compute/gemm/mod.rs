//! The product of two matrices, `C = A·B`, with what is fused into it.
//!
//! [`gemm()`] computes a product as it is. A [`Product`] also starts from a row of
//! biases ([`Start`]), leaves out k-indices whose terms are zero ([`SparseK`]), and
//! applies a function to the rows of C while they are in L1 ([`Epilogue`]). A
//! [`Context`] holds the instruction set, the number of threads and scratch memory.
//!
//! # The algorithm
//! A is m×k, B is k×n and C is m×n. Every element of C is one chain of multiply-adds
//! over k in ascending order, `c = fma(a[i][p], b[p][j], c)`, which starts from zero,
//! from C or from a bias. Blocks, tiles and threads only choose when each link of a
//! chain is computed, so none of them changes a bit of the result: [`naive`] is the
//! definition, and tests compare with `==`.
//!
//! The loops are those of Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication* (ACM TOMS 34(3), 2008), in the names of BLIS:
//!
//! ```text
//! for each thread      some rows of C (threads.rs)
//!   for ic, mc         rows of A and C that stay in a cache        blocking/
//!     for pc, kc         k-indices; later blocks continue from C
//!       for jc, nc         columns of B and C that stay in a cache
//!         for ir, mr         a row of tiles
//!           for jr, nr         a tile of mr×nr, in registers       kernel/
//!             for p              a rank-1 update: row p of B times column p of A
//! ```
//!
//! The textbook packs both operands always. Here an operand is packed only where it
//! would lie badly in the caches: a broadcast of an element of A costs the same
//! wherever its row lies, and a row-major B is read from L1 or L2 as fast as a packed
//! one. Which loop is outside of which, and along which side of C the vectors lie,
//! depends on the shape:
//!
//! | loop order | chosen for | vectors along | packed |
//! |---|---|---|---|
//! | sparse k | listed k-indices | rows of C | nothing |
//! | narrow | C of at most 12 columns, row-major A and B, AVX-512 | columns of C | nothing |
//! | transposed | other C whose columns leave lanes empty | columns of C | a row-major A |
//! | packed B | AVX2 and portable: 16 rows, 8 k-indices or more | rows of C | B, unless it fits L1 |
//! | in place | all other products | rows of C | operands with aliasing rows, a transposed B |
//!
//! The block sizes and what each was fitted to are in `params.rs`, the contract of a
//! tile is in `kernel/mod.rs`.

mod blocking;
mod context;
mod kernel;
pub mod naive;
mod packing;
mod params;
mod ranges;
mod sparse_k;
mod start;
#[cfg(feature = "rayon")]
mod threads;

use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
use blocking::Task;
pub use context::Context;
use core::fmt;
use kernel::MicroKernel;
pub use sparse_k::SparseK;
pub use start::{Beta, Epilogue, Start};

/// The number of rows of A that best share a list of k-indices ([`SparseK`]).
///
/// Fewer rows have more zeros in common, but use each row of B that they read for
/// less. The best number depends on the rows and columns of C that fit the registers.
#[doc(hidden)]
pub fn images_per_list(isa: Isa) -> usize {
    MicroKernel::of(isa).rows_per_list()
}

/// The maximum of [`images_per_list`] over all instruction sets.
#[doc(hidden)]
pub const MAX_IMAGES_PER_LIST: usize = 6;

/// The tile and block sizes of an instruction set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Sizes {
    /// Rows and columns of the largest tile of C in registers.
    pub tile: (usize, usize),
    /// Maximum number of k-indices in a block where k is cut.
    pub k_block: usize,
    /// Up to this many k-indices, k is not cut.
    pub k_whole: usize,
    /// Scratch memory of each thread, in bytes.
    pub packing_bytes: usize,
}

impl Sizes {
    /// The sizes that products on `isa` are cut into.
    pub fn of(isa: Isa) -> Self {
        let kernel = MicroKernel::of(isa);
        let rows = kernel.max_rows();
        let tile = match kernel.panel_columns() {
            0 => (rows, kernel.max_columns(rows)),
            columns => (kernel.panel_rows(columns), columns),
        };
        Self {
            tile,
            k_block: params::KC,
            k_whole: params::KC_WHOLE,
            packing_bytes: Context::packing_len(1) * size_of::<f32>(),
        }
    }
}

/// Computes `C = A·B` or `C += A·B`.
///
/// Shapes: `a` m×k, `b` k×n, `c` m×n; any of them may be 0. A transposed operand is a
/// view, [`MatRef::t`].
///
/// ```
/// use handwritten::{Beta, Context, MatMut, MatRef, gemm};
///
/// let a = MatRef::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3);
/// let mut c = [0.0; 4];
///
/// let mut packing = Context::packing(1);
/// let mut ctx = Context::new(1, &mut packing);
/// gemm(a, a.t(), Beta::Zero, MatMut::new(&mut c, 2, 2), &mut ctx);
/// assert_eq!(c, [14.0, 32.0, 32.0, 77.0]);
/// gemm(a, a.t(), Beta::One, MatMut::new(&mut c, 2, 2), &mut ctx);
/// assert_eq!(c, [28.0, 64.0, 64.0, 154.0]);
/// ```
///
/// # Panics
/// Panics if the shapes do not fit together.
#[inline]
pub fn gemm(a: MatRef<'_>, b: MatRef<'_>, beta: Beta, c: MatMut<'_>, ctx: &mut Context<'_>) {
    let start = match beta {
        Beta::Zero => Start::Zero,
        Beta::One => Start::C,
    };
    Product::new(a, b).start(start).compute(c, ctx);
}

/// A product `A·B` and what is fused into it, to be computed by [`Product::compute`].
///
/// A layer of a net in one pass over its outputs, `max(X·W + b, 0)`:
///
/// ```
/// use handwritten::{Context, MatMut, MatRef, Product, Start};
///
/// let x = MatRef::new(&[1.0, 2.0, 3.0, 4.0], 2, 2);
/// let w = MatRef::new(&[1.0, -1.0, 1.0, -1.0], 2, 2);
/// let biases = [-5.0, 4.0];
/// let relu = |_row: usize, _column: usize, part: &mut [f32]| {
///     part.iter_mut().for_each(|z| *z = z.max(0.0));
/// };
///
/// let mut packing = Context::packing(1);
/// let mut ctx = Context::new(1, &mut packing);
/// let mut outputs = [0.0; 4];
/// Product::new(x, w)
///     .start(Start::Row(&biases))
///     .epilogue(&relu)
///     .compute(MatMut::new(&mut outputs, 2, 2), &mut ctx);
/// assert_eq!(outputs, [0.0, 1.0, 2.0, 0.0]);
/// ```
#[derive(Clone, Copy)]
pub struct Product<'a>(Task<'a>);

impl<'a> Product<'a> {
    /// `A·B`, of `a` m×k and `b` k×n, whose chains start from zero.
    #[inline]
    pub fn new(a: MatRef<'a>, b: MatRef<'a>) -> Self {
        Self(Task {
            a,
            b,
            sparse_k: None,
            start: Start::Zero,
            epilogue: None,
            first_row: 0,
            first_column: 0,
        })
    }

    /// Sets what the chains start from.
    ///
    /// [`Product::compute`] panics if a [`Start::Row`] has not n elements.
    #[must_use]
    #[inline]
    pub fn start(self, start: Start<'a>) -> Self {
        Self(Task { start, ..self.0 })
    }

    /// Computes only the terms of these k-indices, in the order of the lists.
    ///
    /// A k-index at which a row of A is zero changes no bit of that row of C as long
    /// as its terms are finite, so rows that share a list may leave out the k-indices
    /// at which all of them are zero. Such a product stays on one thread.
    ///
    /// [`Product::compute`] panics if the lists may reach beyond k, if they are for
    /// more or fewer rows than C has, or if B is a transposed view.
    #[must_use]
    #[inline]
    pub fn sparse_k(self, lists: SparseK<'a>) -> Self {
        let sparse_k = Some(lists);
        Self(Task { sparse_k, ..self.0 })
    }

    /// Sets the function that is applied to C when its sums are complete.
    #[must_use]
    #[inline]
    pub fn epilogue(self, epilogue: &'a Epilogue<'a>) -> Self {
        let epilogue = Some(epilogue);
        Self(Task { epilogue, ..self.0 })
    }

    /// Computes the product into `c`, m×n.
    ///
    /// # Panics
    /// Panics if the shapes do not fit together.
    #[inline]
    pub fn compute(self, c: MatMut<'_>, ctx: &mut Context<'_>) {
        let Self(task) = self;
        task.assert_shapes(&c);
        let kernel = MicroKernel::of(ctx.isa);
        match task.sparse_k {
            // Inlined: the overhead of the call is measurable for small products.
            Some(lists) => task.sparse_k(lists, c, kernel),
            #[cfg(feature = "rayon")]
            None if ctx.threads > 1 => threads::compute(task, c, kernel, ctx),
            None => task.compute(c, kernel, &mut ctx.packing),
        }
    }
}

impl fmt::Debug for Product<'_> {
    /// Prints shapes, not elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task) = self;
        f.debug_struct("Product")
            .field("a", &task.a)
            .field("b", &task.b)
            .field("start", &task.start)
            .field("sparse_k", &task.sparse_k)
            .field("has_epilogue", &task.epilogue.is_some())
            .finish()
    }
}
