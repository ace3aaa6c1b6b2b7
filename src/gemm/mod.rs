//! The product of two matrices.
//!
//! Blocked and packed as in Goto and van de Geijn, *Anatomy of
//! High-Performance Matrix Multiplication* (ACM TOMS 34(3), 2008), with the
//! loops named as in BLIS: blocks of `NC` columns, `KC` steps of k and `MC`
//! rows, then the register tiles of the micro-kernel.
//!
//! Every element of C is one chain of multiply-adds over k in ascending order.
//! Blocks of k continue the chain from C and threads share out the rows of C,
//! so neither changes a bit of the result.

mod kernel;
pub mod naive;
mod pack;
mod params;

use crate::isa::Isa;
use crate::matrix::{MatMut, MatRef};
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};
use kernel::{MAX_TILE, MicroKernel};
use params::{KC, MC, NC};

/// What the sums of a product start from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beta {
    /// Zero: `C = A·B`, and what C held does not matter.
    Zero,
    /// C itself: `C += A·B`.
    One,
}

/// How products are computed: the instruction set, the number of threads, and
/// the memory that operands are packed into.
#[derive(Debug)]
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

    /// The instruction set that computes.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many elements of memory `threads` threads pack into.
    pub const fn packing_len(threads: usize) -> usize {
        threads * PACKING
    }

    /// Memory of that length.
    #[cfg(feature = "alloc")]
    pub fn packing(threads: usize) -> Vec<f32> {
        vec![0.0; Self::packing_len(threads)]
    }
}

/// A block of A and one of B, for each thread.
const PACKING: usize = MC * KC + KC * NC;

/// `C = A·B` or `C += A·B`.
///
/// Shapes: `a` m×k, `b` k×n, `c` m×n; any of them may be 0. Transpose an
/// operand by its view, [`MatRef::t`].
///
/// # Panics
/// Panics if the shapes do not fit together.
pub fn gemm(a: MatRef<'_>, b: MatRef<'_>, beta: Beta, c: MatMut<'_>, ctx: &mut Context<'_>) {
    assert_shapes(&a, &b, &c);
    let kernel = MicroKernel::of(ctx.isa);
    parallel(a, b, beta, c, kernel, ctx.threads, ctx.packing);
}

fn assert_shapes(a: &MatRef<'_>, b: &MatRef<'_>, c: &MatMut<'_>) {
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
}

/// Shares the rows of C out among `threads` threads.
fn parallel(
    a: MatRef<'_>,
    b: MatRef<'_>,
    beta: Beta,
    c: MatMut<'_>,
    kernel: &MicroKernel,
    threads: usize,
    packing: &mut [f32],
) {
    #[cfg(feature = "rayon")]
    if threads > 1 && c.rows() > kernel.mr && a.rows() * a.cols() * b.cols() >= params::MIN_PARALLEL
    {
        let (left, m, k) = (threads / 2, a.rows(), a.cols());
        let above = (m * left / threads).next_multiple_of(kernel.mr).min(m);
        let (top, bottom) = c.split_rows(above);
        let (packing, rest) = packing.split_at_mut(Context::packing_len(left));
        rayon::join(
            || parallel(a.block(0..above, 0..k), b, beta, top, kernel, left, packing),
            || {
                let a = a.block(above..m, 0..k);
                parallel(a, b, beta, bottom, kernel, threads - left, rest);
            },
        );
        return;
    }
    let _ = threads;
    serial(a, b, beta, c, kernel, packing);
}

/// The loops over blocks: pack a block of B, then each block of A against it.
fn serial(
    a: MatRef<'_>,
    b: MatRef<'_>,
    beta: Beta,
    mut c: MatMut<'_>,
    kernel: &MicroKernel,
    packing: &mut [f32],
) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    let (packed_a, packed_b) = packing.split_at_mut(MC * KC);
    if k == 0 && beta == Beta::Zero {
        for i in 0..m {
            c.row_mut(i).fill(0.0);
        }
    }
    for jc in (0..n).step_by(NC) {
        let nc = NC.min(n - jc);
        for pc in (0..k).step_by(KC) {
            let kc = KC.min(k - pc);
            let beta = if pc == 0 { beta } else { Beta::One };
            let packed_b = &mut packed_b[..nc.next_multiple_of(kernel.nr) * kc];
            (kernel.pack_b)(b.block(pc..pc + kc, jc..jc + nc).t(), packed_b);
            for ic in (0..m).step_by(MC) {
                let mc = MC.min(m - ic);
                let packed_a = &mut packed_a[..mc.next_multiple_of(kernel.mr) * kc];
                (kernel.pack_a)(a.block(ic..ic + mc, pc..pc + kc), packed_a);
                let c = c.block(ic..ic + mc, jc..jc + nc);
                tiles(packed_a, packed_b, kc, beta, c, kernel);
            }
        }
    }
}

/// The tiles of one block of C. Every tile is whole in registers; at the edges
/// of C only the part inside is copied in and out.
fn tiles(
    packed_a: &[f32],
    packed_b: &[f32],
    kc: usize,
    beta: Beta,
    mut c: MatMut<'_>,
    kernel: &MicroKernel,
) {
    let (mr, nr) = (kernel.mr, kernel.nr);
    let (mc, nc) = (c.rows(), c.cols());
    let mut tile = [0.0; MAX_TILE];
    let tile = &mut tile[..mr * nr];
    for (b, jr) in packed_b.chunks_exact(nr * kc).zip((0..nc).step_by(nr)) {
        let cols = jr..nc.min(jr + nr);
        for (a, ir) in packed_a.chunks_exact(mr * kc).zip((0..mc).step_by(mr)) {
            let rows = ir..mc.min(ir + mr);
            match beta {
                Beta::Zero => tile.fill(0.0),
                Beta::One => {
                    for (i, tile) in rows.clone().zip(tile.chunks_exact_mut(nr)) {
                        tile[..cols.len()].copy_from_slice(&c.row_mut(i)[cols.clone()]);
                    }
                }
            }
            kernel.accumulate(a, b, tile);
            for (i, tile) in rows.zip(tile.chunks_exact(nr)) {
                c.row_mut(i)[cols.clone()].copy_from_slice(&tile[..cols.len()]);
            }
        }
    }
}
