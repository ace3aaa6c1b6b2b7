//! The fast product with every instruction set of this machine is compared with the naive
//! one, its definition, and the naive one with arithmetic written out here.

#![cfg(feature = "alloc")]

#[path = "common/arms.rs"]
mod arms;

use arms::arms;
use handwritten::compute::gemm::{Sizes, naive};
use handwritten::compute::rng::{Stream, generator};
use handwritten::{Beta, Context, Isa, MatMut, MatRef, Matrix, Product, SparseK, Start, gemm};
use proptest::prelude::*;
use rand_core::Rng;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// The distribution of the operands' elements.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Values {
    /// −8, …, 8: every sum of up to 2¹⁸ products is exact.
    Integers,
    /// Multiples of 2⁻²³ in [−1, 1).
    Reals,
    /// Zeros of both signs, numbers that underflow or overflow in products,
    /// infinities and NaN among small integers.
    Special,
}

impl Values {
    fn draw(self, rng: &mut impl Rng) -> f32 {
        const SPECIAL: [f32; 12] = [
            0.0,
            -0.0,
            f32::from_bits(1),
            -f32::MIN_POSITIVE / 2.0,
            1e-20,
            -1e-25,
            1e20,
            f32::MAX,
            -f32::MAX,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        let bits = rng.next_u32();
        let integer = (bits >> 8) as i32 % 17 - 8;
        match self {
            Self::Integers => integer as f32,
            Self::Reals => (bits >> 8) as f32 / 8_388_608.0 - 1.0,
            // Rare enough that most sums do not end as NaN.
            Self::Special if bits.is_multiple_of(8) => SPECIAL[(bits >> 8) as usize % 12],
            Self::Special => integer as f32,
        }
    }

    fn draw_many(self, len: usize, rng: &mut impl Rng) -> Vec<f32> {
        (0..len).map(|_| self.draw(rng)).collect()
    }
}

/// Memory layout of a product's matrices.
#[derive(Clone, Copy, Debug)]
struct Layout {
    transposed: bool,
    /// The row stride minus the width.
    gap: usize,
}

/// One of the operands: its elements row after row, and as a layout has them,
/// with NaN where nothing may be read.
struct Operand {
    dense: Vec<f32>,
    stored: Vec<f32>,
    rows: usize,
    cols: usize,
    layout: Layout,
}

impl Operand {
    fn new(rows: usize, cols: usize, layout: Layout, dense: Vec<f32>) -> Self {
        let (height, width) = if layout.transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        let stride = width + layout.gap;
        // Nothing follows the last element, so reading on would panic.
        let len = (height * stride).saturating_sub(layout.gap);
        let mut stored = vec![f32::NAN; len];
        for i in 0..rows {
            for j in 0..cols {
                let (row, col) = if layout.transposed { (j, i) } else { (i, j) };
                stored[row * stride + col] = dense[i * cols + j];
            }
        }
        Self {
            dense,
            stored,
            rows,
            cols,
            layout,
        }
    }

    fn dense(&self) -> MatRef<'_> {
        MatRef::new(&self.dense, self.rows, self.cols)
    }

    fn stored(&self) -> MatRef<'_> {
        let (rows, cols, gap) = (self.rows, self.cols, self.layout.gap);
        if self.layout.transposed {
            MatRef::with_row_stride(&self.stored, cols, rows, rows + gap).t()
        } else {
            MatRef::with_row_stride(&self.stored, rows, cols, cols + gap)
        }
    }
}

/// The fast product of dense operands, continued from `c`.
fn fast(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, c: &[f32], threads: usize) -> Vec<f32> {
    let mut packing = Context::packing(threads);
    let ctx = &mut Context::new(threads, &mut packing).with_isa(isa);
    let mut product = || {
        let mut c = c.to_vec();
        let target = MatMut::new(&mut c, a.rows(), b.cols());
        gemm(a, b, Beta::One, target, ctx);
        c
    };
    for _ in 1..products_until_shared(threads) {
        product();
    }
    product()
}

/// The number of a context's products of which the last is shared out among its threads:
/// outside a pool, a small one is if it follows another.
fn products_until_shared(threads: usize) -> usize {
    if threads == 1 { 1 } else { 2 }
}

/// The definition's product, continued from `c`.
fn slow(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, c: &[f32]) -> Vec<f32> {
    let mut c = c.to_vec();
    let target = MatMut::new(&mut c, a.rows(), b.cols());
    naive::gemm(a, b, Beta::One, target, isa);
    c
}

/// The bits of each number, with one pattern for all NaN: which operand's NaN
/// an addition hands on is not defined.
fn bits(xs: &[f32]) -> Vec<u32> {
    let bits = |x: &f32| if x.is_nan() { f32::NAN } else { *x }.to_bits();
    xs.iter().map(bits).collect()
}

/// The product in double precision and |A|·|B| + |C|, to which the bound of
/// its error is proportional.
fn exact(a: &[f32], b: &[f32], c: &[f32], (k, n): (usize, usize)) -> Vec<(f64, f64)> {
    let element = |(e, c): (usize, &f32)| {
        let (i, j) = (e / n, e % n);
        let start = (f64::from(*c), f64::from(c.abs()));
        (0..k).fold(start, |(sum, size), p| {
            let product = f64::from(a[i * k + p]) * f64::from(b[p * n + j]);
            (sum + product, size + product.abs())
        })
    };
    c.iter().enumerate().map(element).collect()
}

/// The bound of the error of a chain of k multiply-adds, as a share of
/// |A|·|B| + |C|: γₙ = n·u / (1 − n·u) where no term is rounded more than n
/// times (Higham, *Accuracy and Stability*, section 3.5).
///
/// The first term of a fused chain is rounded by each of its k links. Where a
/// link multiplies, rounds, adds and rounds, each product has one rounding of
/// its own before those of the k sums: n = k + 1. The errors of the double
/// precision that the product is compared with, at most k·2⁻⁵³, fit between
/// γₙ and the (1 + u)ⁿ − 1 that it stands for, which are n·u² = n·2⁻⁴⁸ apart.
fn gamma(isa: Isa, k: usize) -> f64 {
    let roundings = if isa.is_fused() { k } else { k + 1 };
    let nu = roundings as f64 * 2_f64.powi(-24);
    nu / (1.0 - nu)
}

fn assert_within_bound(isa: Isa, c: &[f32], exact: &[(f64, f64)], k: usize) {
    for (c, (sum, size)) in c.iter().zip(exact) {
        let error = (f64::from(*c) - sum).abs();
        let bound = gamma(isa, k) * size;
        assert!(error <= bound, "{c} for {sum}: {error:e} > {bound:e}");
    }
}

/// Each size, one less and one more, in ascending order.
fn around(sizes: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let around = sizes
        .into_iter()
        .flat_map(|size| size.max(1) - 1..=size + 1);
    let unique: BTreeSet<usize> = around.collect();
    unique.into_iter().collect()
}

/// The numbers of rows of the largest tiles of each instruction set.
fn tile_rows() -> impl Iterator<Item = usize> {
    arms().into_iter().map(|isa| Sizes::of(isa).tile.0)
}

/// The numbers of columns of the largest tiles of each instruction set, and halves of them
/// down to a vector.
fn tile_columns() -> impl Iterator<Item = usize> {
    let columns = arms().into_iter().map(|isa| Sizes::of(isa).tile.1);
    columns.flat_map(|columns| [columns, columns / 2, columns / 4, columns / 8])
}

/// The edges of one tile and of several, and all else to 70.
fn dimension() -> impl Strategy<Value = usize> {
    let several = |size: usize| [1, 2, 4, 8].map(|count| count * size);
    let edges = around(tile_rows().chain(tile_columns()).flat_map(several));
    prop_oneof![0..=70_usize, proptest::sample::select(edges)]
}

/// The edges of blocks of k, of one and of two, and all else to 70. Those that depend on the
/// loop order are in the tests of the loop orders.
fn depth() -> impl Strategy<Value = usize> {
    let of = |isa| {
        let sizes = Sizes::of(isa);
        [sizes.k_block, sizes.k_whole, 2 * sizes.k_block]
    };
    let edges = around(arms().into_iter().flat_map(of));
    prop_oneof![4 => 0..=70_usize, 1 => proptest::sample::select(edges)]
}

fn layout() -> impl Strategy<Value = Layout> {
    (any::<bool>(), 0..4_usize).prop_map(|(transposed, gap)| Layout { transposed, gap })
}

/// Any product on every instruction set, computed into a block of a larger matrix: the
/// block is the chain of the definition, nothing around it changes, and all
/// instruction sets of a class have the same bits.
fn check(
    (m, k, n): (usize, usize, usize),
    (a, b): (Layout, Layout),
    gap: usize,
    beta: Beta,
    values: Values,
    seed: u64,
) {
    let mut rng = generator(seed, Stream::Weights);
    let a = Operand::new(m, k, a, values.draw_many(m * k, &mut rng));
    let b = Operand::new(k, n, b, values.draw_many(k * n, &mut rng));

    // One row and column around the block, and a gap.
    const GUARD: u32 = 0x7fc1_2345;
    let (height, width) = (m + 2, n + 2 + gap);
    let mut whole = vec![f32::from_bits(GUARD); height * width];
    let mut start = vec![0.0; m * n];
    if beta == Beta::One {
        start = values.draw_many(m * n, &mut rng);
        for (e, c) in start.iter().enumerate() {
            whole[(1 + e / n) * width + 1 + e % n] = *c;
        }
    }
    let before = whole;
    let mut fused = None;
    for isa in arms() {
        let mut whole = before.clone();
        let mut packing = Context::packing(1);
        gemm(
            a.stored(),
            b.stored(),
            beta,
            MatMut::new(&mut whole, height, width).block(1..1 + m, 1..1 + n),
            &mut Context::new(1, &mut packing).with_isa(isa),
        );

        let mut c = Vec::new();
        for (e, x) in whole.iter().enumerate() {
            let (row, col) = (e / width, e % width);
            if (1..=m).contains(&row) && (1..=n).contains(&col) {
                c.push(*x);
            } else {
                assert_eq!(x.to_bits(), GUARD, "outside C at ({row}, {col})");
            }
        }
        let found = bits(&c);
        assert_eq!(found, bits(&slow(isa, a.dense(), b.dense(), &start)));
        if isa.is_fused() {
            assert_eq!(fused.get_or_insert(found.clone()), &found, "{}", isa.name());
        }
        if values != Values::Special {
            let exact = exact(&a.dense, &b.dense, &start, (k, n));
            assert_within_bound(isa, &c, &exact, k);
            if values == Values::Integers {
                assert!(
                    c.iter()
                        .zip(&exact)
                        .all(|(c, (sum, _))| f64::from(*c) == *sum)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_product_is_its_chains(
        shape in (dimension(), depth(), dimension()),
        layouts in (layout(), layout()),
        gap in 0..3_usize,
        beta in proptest::sample::select(vec![Beta::Zero, Beta::One]),
        values in proptest::sample::select(vec![Values::Integers, Values::Reals, Values::Special]),
        seed: u64,
    ) {
        check(shape, layouts, gap, beta, values, seed);
    }
}

/// All shapes around the edges of a tile, which chance might leave out: every
/// number of rows, and the columns at the edges of vectors.
#[test]
fn every_edge_of_a_tile() {
    let rows = tile_rows().max().unwrap();
    let columns = around(tile_columns().chain([0, 12]));
    let columns = columns
        .into_iter()
        .chain([2 * tile_columns().max().unwrap() + 1]);
    for m in (0..=rows + 2).chain(around([2 * rows])) {
        for k in [0, 1, 2, 3, 4, 5, 15, 16, 17] {
            for n in columns.clone() {
                let transposed = (m + n + k) % 2 == 1;
                let beta = if (m + k) % 3 == 0 {
                    Beta::Zero
                } else {
                    Beta::One
                };
                let a = Layout { transposed, gap: 1 };
                let b = Layout {
                    transposed: (n + k) % 3 == 1,
                    gap: 2,
                };
                check((m, k, n), (a, b), 1, beta, Values::Reals, 1);
            }
        }
    }
}

/// Shapes of the net, among them narrow ones, one image, and many.
#[test]
fn every_product_of_a_step() {
    let (plain, transposed) = (
        Layout {
            transposed: false,
            gap: 0,
        },
        Layout {
            transposed: true,
            gap: 0,
        },
    );
    for (m, k, n, a, b) in [
        (1, 784, 128, plain, plain),
        (1, 784, 1000, plain, plain),
        (33, 784, 30, plain, plain),
        (70, 128, 10, plain, plain),
        (300, 65, 10, plain, plain),
        (128, 70, 10, transposed, plain),
        (30, 1500, 10, transposed, plain),
        (64, 10, 128, plain, transposed),
        (784, 33, 31, transposed, plain),
        (1200, 130, 20, plain, plain),
    ] {
        for beta in [Beta::Zero, Beta::One] {
            check((m, k, n), (a, b), 0, beta, Values::Reals, 2);
        }
    }
}

/// Rows of a product too large for the definition to compute in full.
#[test]
fn large_operands_are_packed_and_give_the_same_bits() {
    let (m, k, n) = (290, 1025, 601);
    for (a_gap, b_gap) in [(0, 0), (1536 - 1025, 1024 - 601)] {
        let mut rng = generator(3, Stream::Weights);
        let layout = |gap| Layout {
            transposed: false,
            gap,
        };
        let a = Values::Reals.draw_many(m * k, &mut rng);
        let a = Operand::new(m, k, layout(a_gap), a);
        let b = Values::Reals.draw_many(k * n, &mut rng);
        let b = Operand::new(k, n, layout(b_gap), b);
        let c = Values::Reals.draw_many(m * n, &mut rng);
        for isa in arms() {
            let product = fast(isa, a.stored(), b.stored(), &c, 1);
            for i in [0, 1, 13, 14, 144, 288, 289] {
                let row = a.dense().block(i..i + 1, 0..k);
                let expected = slow(isa, row, b.dense(), &c[i * n..][..n]);
                assert_eq!(bits(&product[i * n..][..n]), bits(&expected), "row {i}");
            }
        }
    }
}

/// Names them in what CI prints; each test here goes through them.
#[test]
fn the_arms_that_must_be_tested_are_there() {
    let names: Vec<&str> = arms().into_iter().map(Isa::name).collect();
    println!("arms tested: {}", names.join(", "));
    assert!(names.contains(&Isa::detect().name()));
}

#[test]
fn the_definition_is_one_chain_in_ascending_order() {
    for isa in arms() {
        for values in [Values::Integers, Values::Reals, Values::Special] {
            for (m, k, n) in [(1, 1, 1), (2, 3, 5), (7, 41, 6), (3, 300, 2)] {
                let mut rng = generator(k as u64, Stream::Weights);
                let a = values.draw_many(m * k, &mut rng);
                let b = values.draw_many(k * n, &mut rng);
                let c = values.draw_many(m * n, &mut rng);
                let link = |a: f32, b: f32, c: f32| match isa.is_fused() {
                    true => a.mul_add(b, c),
                    false => a * b + c,
                };
                let chain = |start: &[f32]| -> Vec<f32> {
                    let mut c = start.to_vec();
                    for (e, c) in c.iter_mut().enumerate() {
                        for p in 0..k {
                            *c = link(a[e / n * k + p], b[p * n + e % n], *c);
                        }
                    }
                    c
                };
                let (a, b) = (MatRef::new(&a, m, k), MatRef::new(&b, k, n));
                assert_eq!(
                    bits(&slow(isa, a, b, &c)),
                    bits(&chain(&c)),
                    "{values:?} {k}"
                );
                let mut fresh = vec![f32::NAN; m * n];
                let target = MatMut::new(&mut fresh, m, n);
                naive::gemm(a, b, Beta::Zero, target, isa);
                assert_eq!(bits(&fresh), bits(&chain(&vec![0.0; m * n])));
            }
        }
    }
}

#[test]
fn sums_over_a_whole_training_set_are_chains_too() {
    let (m, k, n) = (17, 60_000, 9);
    for values in [Values::Integers, Values::Reals] {
        let mut rng = generator(1, Stream::Weights);
        let a = values.draw_many(k * m, &mut rng);
        let b = values.draw_many(k * n, &mut rng);
        let layout = Layout {
            transposed: true,
            gap: 0,
        };
        let a = Operand::new(m, k, layout, a);
        let c = values.draw_many(m * n, &mut rng);
        let b = MatRef::new(&b, k, n);
        for isa in arms() {
            let product = fast(isa, a.stored(), b, &c, 1);
            assert_eq!(bits(&product), bits(&slow(isa, a.dense(), b, &c)));
            let exact = exact(&a.dense, b.as_slice(), &c, (k, n));
            assert_within_bound(isa, &product, &exact, k);
            if values == Values::Integers {
                assert!(
                    product
                        .iter()
                        .zip(&exact)
                        .all(|(c, (sum, _))| f64::from(*c) == *sum)
                );
            }
        }
    }
}

#[test]
fn a_row_alone_and_in_a_batch_is_the_same() {
    let (m, k, n) = (70, 300, 37);
    let mut rng = generator(2, Stream::Weights);
    let a = Values::Reals.draw_many(m * k, &mut rng);
    let b = Values::Reals.draw_many(k * n, &mut rng);
    let c = Values::Reals.draw_many(m * n, &mut rng);
    let b = MatRef::new(&b, k, n);
    for isa in arms() {
        let batch = fast(isa, MatRef::new(&a, m, k), b, &c, 1);
        for i in 0..m {
            let (row, start) = (&a[i * k..][..k], &c[i * n..][..n]);
            let alone = fast(isa, MatRef::new(row, 1, k), b, start, 1);
            assert_eq!(bits(&alone), bits(&batch[i * n..][..n]), "row {i}");
        }
    }
}

/// Products large enough to be shared out, among them fewer rows than threads
/// and rows that do not share out evenly.
#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    for (m, k, n) in [
        (131, 257, 70),
        (5, 60_000, 9),
        (401, 67, 130),
        (3, 1200, 300),
    ] {
        let mut rng = generator(m as u64, Stream::Weights);
        let a = Values::Reals.draw_many(m * k, &mut rng);
        let b = Values::Reals.draw_many(k * n, &mut rng);
        let c = Values::Reals.draw_many(m * n, &mut rng);
        for transposed in [false, true] {
            let layout = Layout { transposed, gap: 1 };
            let a = Operand::new(m, k, layout, a.clone());
            let b = MatRef::new(&b, k, n);
            for isa in arms() {
                let expected = bits(&slow(isa, a.dense(), b, &c));
                for threads in [1, 2, 3, 4, 8] {
                    let product = fast(isa, a.stored(), b, &c, threads);
                    assert_eq!(bits(&product), expected, "{m}×{k}×{n} on {threads}");
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                    let pool = pool.build().unwrap();
                    let product = pool.install(|| fast(isa, a.stored(), b, &c, threads));
                    assert_eq!(
                        bits(&product),
                        expected,
                        "{m}×{k}×{n} in a pool of {threads}"
                    );
                }
            }
        }
    }
}

/// A small product outside a pool is computed alone if none is before it, a large one on
/// all threads.
#[cfg(feature = "rayon")]
#[test]
fn a_context_starts_threads_for_a_large_product() {
    for (k, threads) in [(256, 1), (8192, 2)] {
        let seen = Mutex::new(std::collections::HashSet::new());
        let start = std::time::Instant::now();
        // Each thread waits for the other, so that one does not do the work of both.
        let epilogue = |_: usize, _: usize, _: &mut [f32]| {
            seen.lock().unwrap().insert(std::thread::current().id());
            while seen.lock().unwrap().len() < threads {
                assert!(start.elapsed().as_secs() < 60, "a thread stays away");
                std::thread::yield_now();
            }
        };
        let mut packing = Context::packing(2);
        let a = Matrix::from_fn(64, k, |i, p| (i + p) as f32);
        let mut c = Matrix::zeros(64, 64);
        let product = Product::new(a.view(), a.view().t()).epilogue(&epilogue);
        product.compute(c.view_mut(), &mut Context::new(2, &mut packing));
        assert_eq!(seen.lock().unwrap().len(), threads, "k = {k}");
    }
}

/// Memory to pack into that holds NaN, as after a product of a broken net,
/// reaches no other product.
#[test]
fn what_the_packing_memory_held_does_not_matter() {
    let mut packing = Context::packing(1);
    packing.fill(f32::NAN);
    let (a, mut c) = ([2.0; 15], [f32::NAN; 9]);
    let a = MatRef::new(&a, 3, 5);
    let target = MatMut::new(&mut c, 3, 3);
    gemm(
        a,
        a.t(),
        Beta::Zero,
        target,
        &mut Context::new(1, &mut packing),
    );
    assert_eq!(c, [20.0; 9]);
}

#[test]
#[should_panic(expected = "product of 2×3 and 4×2 into 2×2")]
fn operands_that_do_not_fit_are_refused() {
    let (a, b) = ([0.0; 6], [0.0; 8]);
    let (a, b) = (MatRef::new(&a, 2, 3), MatRef::new(&b, 4, 2));
    fast(Isa::detect(), a, b, &[0.0; 4], 1);
}

/// The product of a 2×3 and a 3×2 matrix into one of another shape.
fn into(rows: usize, cols: usize) {
    let mut c = vec![0.0; rows * cols];
    let mut packing = Context::packing(1);
    let ctx = &mut Context::new(1, &mut packing);
    let a = MatRef::new(&[0.0; 6], 2, 3);
    gemm(a, a.t(), Beta::Zero, MatMut::new(&mut c, rows, cols), ctx);
}

#[test]
#[should_panic(expected = "product of 2×3 and 3×2 into 2×3")]
fn a_target_too_wide_is_refused() {
    into(2, 3);
}

#[test]
#[should_panic(expected = "product of 2×3 and 3×2 into 3×2")]
fn a_target_too_high_is_refused() {
    into(3, 2);
}

#[test]
#[should_panic(expected = "product of 2×3 and 4×2 into 2×2")]
fn the_definition_refuses_them_too() {
    let (a, b) = ([0.0; 6], [0.0; 8]);
    let (a, b) = (MatRef::new(&a, 2, 3), MatRef::new(&b, 4, 2));
    slow(Isa::detect(), a, b, &[0.0; 4]);
}

#[test]
#[should_panic(expected = "elements to pack into for 2 threads")]
fn too_little_memory_to_pack_into_is_refused() {
    Context::new(2, &mut Context::packing(1));
}

#[test]
#[should_panic(expected = "more threads than there is memory to pack into")]
fn more_threads_than_memory_can_be_counted_for_are_refused() {
    Context::new(1 << (usize::BITS - 4), &mut []);
}

/// Strides that no element is apart by are not multiplied: they could overflow.
#[test]
fn rows_on_their_own_may_have_any_stride() {
    for (m, k, n) in [
        (1, 700, 900),
        (1, 700, 2),
        (1, 2, 300),
        (40, 1, 20),
        (1, 1, 1),
        (3, 0, 4),
        (0, 3, 2),
    ] {
        let mut rng = generator(4, Stream::Weights);
        let a = Values::Reals.draw_many(m * k, &mut rng);
        let b = Values::Reals.draw_many(k * n, &mut rng);
        let c = Values::Reals.draw_many(m * n, &mut rng);
        let view = |data, rows, cols| match rows <= 1 || cols == 0 {
            true => MatRef::with_row_stride(data, rows, cols, usize::MAX),
            false => MatRef::new(data, rows, cols),
        };
        let (a, b) = (view(&a[..], m, k), view(&b[..], k, n));
        for isa in arms() {
            let mut found = c.clone();
            let target = match m <= 1 {
                true => MatMut::with_row_stride(&mut found, m, n, usize::MAX),
                false => MatMut::new(&mut found, m, n),
            };
            let mut packing = Context::packing(2);
            let ctx = &mut Context::new(2, &mut packing).with_isa(isa);
            gemm(a, b, Beta::One, target, ctx);
            assert_eq!(bits(&found), bits(&slow(isa, a, b, &c)), "{m}×{k}×{n}");
        }
    }
}

#[test]
fn debug_prints_shapes_and_no_elements() {
    let a = MatRef::new(&[1.5; 6], 2, 3);
    let biases = [1.5; 2];
    let product = Product::new(a, a.t()).start(Start::Row(&biases));
    let lists = SparseK::of_rows(Isa::detect(), 3, 2, &[0, 2], &[]);
    assert_eq!(
        format!("{:?}", product.sparse_k(lists)),
        "Product { a: MatRef { rows: 2, cols: 3, row_stride: 3, col_stride: 1, .. }, \
         b: MatRef { rows: 3, cols: 2, row_stride: 1, col_stride: 3, .. }, \
         start: Row([f32; 2]), \
         sparse_k: Some(SparseK { k: 3, rows: 2, lists: 1, indices: 2 }), \
         has_epilogue: false }"
    );
}

/// The optional parts of a [`Product`].
#[derive(Clone, Copy, Debug)]
struct Parts {
    start: u8,
    /// Number of rows that share a list of k-indices; `None` takes all k-indices.
    listed: Option<usize>,
    epilogue: bool,
}

fn parts() -> impl Strategy<Value = Parts> {
    let listed = prop_oneof![
        Just(None),
        Just(Some(usize::MAX)),
        (1..12_usize).prop_map(Some)
    ];
    (0..3_u8, listed, any::<bool>()).prop_map(|(start, listed, epilogue)| Parts {
        start,
        listed,
        epilogue,
    })
}

/// About two of three numbers below `len`, in ascending order.
fn some(len: usize, rng: &mut impl Rng) -> Vec<u32> {
    let chosen = |_: &u32| !rng.next_u32().is_multiple_of(3);
    (0..len as u32).filter(chosen).collect()
}

/// A product with any parts is the definition's product of the operands with
/// these parts carried out one after another.
fn check_parts(
    (m, k, n): (usize, usize, usize),
    (a_transposed, b_transposed): (bool, bool),
    parts: Parts,
    threads: usize,
    seed: u64,
) {
    let mut rng = generator(seed, Stream::Weights);
    let rows = parts.listed.unwrap_or(usize::MAX);
    let lists: Vec<Vec<u32>> = (0..m.div_ceil(rows).max(1))
        .map(|_| match parts.listed {
            Some(_) => some(k, &mut rng),
            None => (0..k as u32).collect(),
        })
        .collect();
    let steps = lists.concat();
    let lens = lists[..lists.len() - 1].iter().map(Vec::len);
    let cuts: Vec<usize> = lens
        .scan(0, |cut, len| {
            *cut += len;
            Some(*cut)
        })
        .collect();
    let values = Values::Reals;
    let layout = |transposed| Layout { transposed, gap: 1 };
    let a = values.draw_many(m * k, &mut rng);
    let a = Operand::new(m, k, layout(a_transposed), a);
    let b = values.draw_many(k * n, &mut rng);
    let b = Operand::new(k, n, layout(b_transposed && parts.listed.is_none()), b);
    let c = values.draw_many(m * n, &mut rng);
    let biases = values.draw_many(n, &mut rng);

    let start: Vec<f32> = match parts.start {
        0 => vec![0.0; m * n],
        1 => c.clone(),
        _ => biases.repeat(m),
    };
    let twice = |i: usize, j: usize, x: f32| 2.0 * x + (i * n + j) as f32;

    for isa in arms() {
        let mut expected = start.clone();
        for i in 0..m {
            let row = &mut expected[i * n..][..n];
            // The k-indices that are taken, in order.
            let steps = &lists[i / rows];
            let step = |p: usize| steps[p] as usize;
            let from = Matrix::from_fn(1, steps.len(), |_, p| a.dense().at(i, step(p)));
            let of_b = Matrix::from_fn(steps.len(), n, |p, j| b.dense().at(step(p), j));
            for (j, sum) in slow(isa, from.view(), of_b.view(), row)
                .into_iter()
                .enumerate()
            {
                row[j] = match parts.epilogue {
                    true => twice(i, j, sum),
                    false => sum,
                };
            }
        }

        let seen = Mutex::new(vec![0; m * n]);
        let epilogue = |i: usize, j: usize, part: &mut [f32]| {
            for (j, x) in (j..).zip(part) {
                seen.lock().unwrap()[i * n + j] += 1;
                *x = twice(i, j, *x);
            }
        };
        let mut product = Product::new(a.stored(), b.stored()).start(match parts.start {
            0 => Start::Zero,
            1 => Start::C,
            _ => Start::Row(&biases),
        });
        if parts.listed.is_some() {
            product = product.sparse_k(SparseK::of_rows(isa, k, rows, &steps, &cuts));
        }
        if parts.epilogue {
            product = product.epilogue(&epilogue);
        }
        let mut packing = Context::packing(threads);
        let ctx = &mut Context::new(threads, &mut packing).with_isa(isa);
        for _ in 0..products_until_shared(threads) {
            let mut found = c.clone();
            seen.lock().unwrap().fill(0);
            product.compute(MatMut::new(&mut found, m, n), ctx);
            assert_eq!(bits(&found), bits(&expected), "{} {parts:?}", isa.name());
            if parts.epilogue {
                let once = vec![1; m * n];
                assert_eq!(*seen.lock().unwrap(), once, "calls of the epilogue");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_product_is_the_sum_of_its_parts(
        shape in (dimension(), depth(), dimension()),
        transposed: (bool, bool),
        parts in parts(),
        seed: u64,
    ) {
        check_parts(shape, transposed, parts, 1, seed);
    }
}

/// Every combination of parts in products that are shared out.
#[cfg(feature = "rayon")]
#[test]
fn parts_are_shared_out_too() {
    for (m, k, n) in [(131, 90, 110), (300, 400, 10), (1, 1500, 600)] {
        for start in 0..3 {
            for flags in 0..4_u8 {
                let parts = Parts {
                    start,
                    listed: (flags & 1 > 0).then_some(5),
                    epilogue: flags & 2 > 0,
                };
                check_parts((m, k, n), (flags & 2 > 0, false), parts, 3, 1);
            }
        }
    }
}

/// A 2×3 by 3×2 product with what `parts` adds to it.
fn small(parts: impl for<'a> FnOnce(Product<'a>) -> Product<'a>) {
    let a = MatRef::new(&[0.0; 6], 2, 3);
    let mut c = [0.0; 4];
    let mut packing = Context::packing(1);
    parts(Product::new(a, a.t())).compute(
        MatMut::new(&mut c, 2, 2),
        &mut Context::new(1, &mut packing),
    );
}

#[test]
#[should_panic(expected = "k-index 3 of 3")]
fn k_indices_beyond_the_last_are_refused() {
    SparseK::new(Isa::detect(), 3, &[3, 0]);
}

#[test]
#[should_panic(expected = "k-indices below 4 of 3")]
fn k_indices_of_a_longer_product_are_refused() {
    of_two_rows(SparseK::new(Isa::detect(), 4, &[0]));
}

#[test]
#[should_panic(expected = "1 lists of k-indices for 2")]
fn too_few_lists_of_k_indices_are_refused() {
    of_two_rows(SparseK::of_rows(Isa::detect(), 3, 1, &[0, 1], &[]));
}

#[test]
#[should_panic(expected = "3 lists of k-indices for 2")]
fn too_many_lists_of_k_indices_are_refused() {
    of_two_rows(SparseK::of_rows(Isa::detect(), 3, 1, &[0, 1], &[1, 1]));
}

/// A 2×3·3×2 product with these k-indices.
fn of_two_rows(steps: SparseK<'_>) {
    let (a, b) = (MatRef::new(&[0.0; 6], 2, 3), MatRef::new(&[0.0; 6], 3, 2));
    let (mut c, mut packing) = ([0.0; 4], Context::packing(1));
    let ctx = &mut Context::new(1, &mut packing);
    let product = Product::new(a, b).sparse_k(steps);
    product.compute(MatMut::new(&mut c, 2, 2), ctx);
}

#[test]
#[should_panic(expected = "a sparse product with a transposed B")]
fn a_sparse_product_with_a_transposed_b_is_refused() {
    small(|product| product.sparse_k(SparseK::new(Isa::detect(), 3, &[0])));
}

#[test]
#[should_panic(expected = "3 elements for rows of 2")]
fn a_start_of_another_length_is_refused() {
    small(|product| product.start(Start::Row(&[0.0; 3])));
}

/// The bits of a product that every machine must reproduce, for each class of instruction
/// sets.
#[test]
fn every_machine_of_a_class_has_these_bits() {
    let (m, k, n) = (37, 300, 41);
    let mut rng = generator(7, Stream::Weights);
    let a = Values::Reals.draw_many(m * k, &mut rng);
    let b = Values::Reals.draw_many(k * n, &mut rng);
    let (a, b) = (MatRef::new(&a, m, k), MatRef::new(&b, k, n));
    for isa in arms() {
        let product = bits(&fast(isa, a, b, &vec![0.0; m * n], 1));
        // FNV-1a over the bytes.
        let bytes = product.iter().flat_map(|bits| bits.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        let expected = if isa.is_fused() {
            0xbc59_6dfe_d4b5_9c96_u64
        } else {
            0x7817_3a94_18a2_dc5f
        };
        assert_eq!(hash, expected, "{}", isa.name());
    }
}
