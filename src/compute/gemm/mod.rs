//! The product of two matrices.
//!
//! Blocked as in Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication* (ACM TOMS 34(3), 2008): blocks of rows, of steps of k and of
//! columns, then the register tiles of the micro-kernel. Operands are packed
//! only where they would lie badly in the caches.
//!
//! Every element of C is one chain of multiply-adds over k in ascending order.
//! Blocks of k continue the chain from C and threads share out the rows of C,
//! so neither changes a bit of the result.
//!
//! [`gemm()`] computes a product as it is; a [`Product`] also starts from a row
//! of biases, takes the steps of k in which there is something to add ([`zeros`]
//! finds them), and finishes the rows of C while they are in the cache.
//!
//! [`zeros`]: super::zeros

mod blocks;
mod kernel;
pub mod naive;
mod packing;
mod params;
mod ranges;
mod sparse_k;

use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};
use blocks::Part;
use core::fmt;
use kernel::MicroKernel;
#[cfg(feature = "rayon")]
use params::SERIAL_BELOW;
use params::{BLOCK_A, PACKED_B};
pub use sparse_k::SparseK;

/// What the sums of a product start from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beta {
    /// Zero: `C = A·B`, and what C held does not matter.
    Zero,
    /// C itself: `C += A·B`.
    One,
}

/// What the chains of a [`Product`] start from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Start<'a> {
    /// Zero, and what C held does not matter.
    Zero,
    /// C itself.
    C,
    /// The same row for every row of C: the biases of a layer.
    Row(&'a [f32]),
}

/// What is done to each part of a row of C when its sums are complete, while
/// it is in L1: called once with the row, the first column and the elements.
pub type Epilogue<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// How products are computed: the instruction set, the number of threads, and
/// the memory that operands are packed into.
pub struct Context<'a> {
    isa: Isa,
    threads: usize,
    packing: &'a mut [f32],
}

impl<'a> Context<'a> {
    /// A context for the fastest instruction set, with at most `threads`
    /// threads of the rayon pool that the caller is in (without the feature
    /// `rayon`, one). Their number changes no bit of any product.
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

    /// The same with another instruction set.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The instruction set that computes.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many elements of memory `threads` threads pack into.
    pub const fn packing_len(threads: usize) -> usize {
        threads * (BLOCK_A + PACKED_B)
    }

    /// Memory of that length.
    #[cfg(feature = "alloc")]
    pub fn packing(threads: usize) -> Vec<f32> {
        vec![0.0; Self::packing_len(threads)]
    }
}

impl fmt::Debug for Context<'_> {
    /// Without the memory: a megabyte of numbers helps nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("isa", &self.isa)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// How many rows of A share a list of k-indices ([`SparseK`]): fewer rows have more
/// zeros in common, but use each row of B that is read for less. The best number
/// depends on how many rows and columns of C the registers hold.
#[doc(hidden)]
pub fn images_per_list(isa: Isa) -> usize {
    MicroKernel::of(isa).images_per_list()
}

/// The largest [`images_per_list`] of any instruction set.
#[doc(hidden)]
pub const MAX_IMAGES_PER_LIST: usize = 6;

/// The sizes that products are cut into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Sizes {
    /// Rows and columns of the largest tile of C in registers.
    pub tile: (usize, usize),
    /// The most steps of k in a block, where k is cut.
    pub k_block: usize,
    /// Up to so many steps k is not cut.
    pub k_whole: usize,
    /// Memory that a thread packs into, in bytes.
    pub packing_bytes: usize,
}

impl Sizes {
    /// Those of an instruction set.
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

/// `C = A·B` or `C += A·B`.
///
/// Shapes: `a` m×k, `b` k×n, `c` m×n; any of them may be 0. Transpose an
/// operand by its view, [`MatRef::t`].
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

/// A product and what is fused with it.
#[derive(Clone, Copy)]
pub struct Product<'a>(Part<'a>);

impl<'a> Product<'a> {
    /// `A·B`, of `a` m×k and `b` k×n.
    #[inline]
    pub fn new(a: MatRef<'a>, b: MatRef<'a>) -> Self {
        Self(Part {
            a,
            b,
            steps: None,
            start: Start::Zero,
            epilogue: None,
            first_row: 0,
            first_column: 0,
        })
    }

    /// What the sums start from; zero unless this says otherwise.
    #[must_use]
    #[inline]
    pub fn start(self, start: Start<'a>) -> Self {
        Self(Part { start, ..self.0 })
    }

    /// The steps of k that are taken, in this order; the others are left out.
    ///
    /// A step in which a row of A is zero changes no bit of that row of C whose
    /// terms are finite, so a few rows of A may leave out those that are zero in
    /// all of them: see [`zeros`](super::zeros). Such a product stays on one thread.
    ///
    /// [`Product::compute`] panics if they may reach beyond k, if there are lists
    /// for more or fewer rows than C has, or if B is a transposed view.
    #[must_use]
    #[inline]
    pub fn sparse_k(self, steps: SparseK<'a>) -> Self {
        let steps = Some(steps);
        Self(Part { steps, ..self.0 })
    }

    /// What is done to C when its sums are complete.
    #[must_use]
    #[inline]
    pub fn epilogue(self, epilogue: &'a Epilogue<'a>) -> Self {
        let epilogue = Some(epilogue);
        Self(Part { epilogue, ..self.0 })
    }

    /// Computes it into `c`, m×n.
    ///
    /// # Panics
    /// Panics if the shapes do not fit together.
    #[inline]
    pub fn compute(self, c: MatMut<'_>, ctx: &mut Context<'_>) {
        let Self(part) = self;
        part.assert_shapes(&c);
        let kernel = MicroKernel::of(ctx.isa);
        match part.steps {
            // So small that all that is left of it where it is called counts.
            Some(steps) => part.listed(steps, c, kernel),
            None => parallel(&part, c, kernel, ctx.threads, ctx.packing),
        }
    }
}

impl Part<'_> {
    /// How many multiply-adds it takes; no more than can be counted.
    fn multiply_adds(&self) -> usize {
        let of_a = self.a.rows() * self.a.cols();
        of_a.saturating_mul(self.b.cols())
    }

    #[inline]
    fn assert_shapes(&self, c: &MatMut<'_>) {
        let Self { a, b, .. } = self;
        assert!(
            a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols(),
            "product of {}×{} and {}×{} into {}×{}",
            a.rows(),
            a.cols(),
            b.rows(),
            b.cols(),
            c.rows(),
            c.cols()
        );
        if let Start::Row(row) = self.start {
            assert!(
                row.len() == c.cols(),
                "{} elements for rows of {}",
                row.len(),
                c.cols()
            );
        }
        if self.steps.is_some() {
            assert!(
                b.col_stride() == 1 || b.cols() <= 1,
                "listed steps of a transposed B"
            );
        }
    }
}

/// Shares the rows of C out among `threads` threads, as long as each product
/// has [`SERIAL_BELOW`] multiply-adds or more (half of it, a product of one row).
fn parallel(
    part: &Part<'_>,
    c: MatMut<'_>,
    kernel: MicroKernel,
    threads: usize,
    packing: &mut [f32],
) {
    #[cfg(feature = "rayon")]
    let is_row = part.a.rows() == 1;
    #[cfg(feature = "rayon")]
    if threads > 1 && part.multiply_adds() >= SERIAL_BELOW >> u8::from(is_row) {
        let left = threads / 2;
        let (packing, rest) = packing.split_at_mut(Context::packing_len(left));
        let split = if is_row {
            split_columns(part, c, (left, threads), kernel)
        } else {
            split_rows(part, c, (left, threads), kernel)
        };
        match split {
            Ok([(one, c), (other, d)]) => {
                rayon::join(
                    || parallel(&one, c, kernel, left, packing),
                    || parallel(&other, d, kernel, threads - left, rest),
                );
            }
            Err(c) => part.compute(c, kernel, packing),
        }
        return;
    }
    let _ = threads;
    part.compute(c, kernel, packing);
}

/// Two parts of a product, each with its part of C, or C itself if it is too
/// small to be split.
#[cfg(feature = "rayon")]
type Split<'p, 'c> = Result<[(Part<'p>, MatMut<'c>); 2], MatMut<'c>>;

/// The first `left` of `threads` shares of the rows, and the others.
#[cfg(feature = "rayon")]
fn split_rows<'p, 'c>(
    part: &Part<'p>,
    c: MatMut<'c>,
    (left, threads): (usize, usize),
    kernel: MicroKernel,
) -> Split<'p, 'c> {
    let (m, k) = (part.a.rows(), part.a.cols());
    // Rows that are vectors of C make no more vectors when there are fewer of
    // them.
    let least = match part.is_narrow(kernel) {
        true => 4 * kernel.lanes(),
        false => 2,
    };
    if m < least {
        return Err(c);
    }
    let above = (m * left).div_ceil(threads);
    let (top, bottom) = c.split_rows(above);
    let upper = Part {
        a: part.a.block(0..above, 0..k),
        ..*part
    };
    let lower = Part {
        a: part.a.block(above..m, 0..k),
        first_row: part.first_row + above,
        ..*part
    };
    Ok([(upper, top), (lower, bottom)])
}

/// The same of the columns of a product of one row.
#[cfg(feature = "rayon")]
fn split_columns<'p, 'c>(
    part: &Part<'p>,
    c: MatMut<'c>,
    (left, threads): (usize, usize),
    kernel: MicroKernel,
) -> Split<'p, 'c> {
    let n = c.cols();
    let cut = (n * left / threads).next_multiple_of(kernel.lanes());
    if cut == 0 || cut >= n {
        return Err(c);
    }
    let (one, other) = c.split_row(cut);
    let part_of = |columns: core::ops::Range<usize>| Part {
        b: part.b.block(0..part.b.rows(), columns.clone()),
        start: match part.start {
            Start::Row(row) => Start::Row(&row[columns.clone()]),
            start => start,
        },
        first_column: part.first_column + columns.start,
        ..*part
    };
    Ok([(part_of(0..cut), one), (part_of(cut..n), other)])
}
