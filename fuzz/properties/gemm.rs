//! Products of random shapes, strides, transposes and elements with every instruction set:
//! the blocked product has the bits of the naive one and writes nothing outside C, and so
//! does a product that skips k-indices at which A is zero.

use handwritten::compute::gemm::naive;
use handwritten::{Beta, Context, Isa, MatMut, MatRef, Product, SparseK, Start, gemm};
use std::cell::RefCell;

/// The value of elements outside the matrices.
const GUARD: f32 = 12345.0;

pub(crate) fn check(bytes: &[u8]) {
    let Some(case) = Case::from_bytes(bytes) else {
        return;
    };
    PACKING.with_borrow_mut(|packing| case.check(packing));
}

thread_local! {
    /// For all cases: to allocate it for each took longer than all products of the case. What
    /// it holds before a product changes no bit of it.
    static PACKING: RefCell<Vec<f32>> = RefCell::new(Context::packing(1));
}

/// The largest product, of which the naive loop takes less than a millisecond.
const MAX_MULTIPLY_ADDS: usize = 1 << 16;

/// A number of rows, columns or k-indices. A byte below 240 gives a number below `few`; the 16
/// bytes from 240 on give `few` and 1 to 16 times `step` more.
fn length(byte: u8, few: u8, step: usize) -> usize {
    match byte {
        ..240 => usize::from(byte % few),
        _ => usize::from(few) + step * usize::from(byte - 239),
    }
}

/// A matrix with gaps between its rows, and whether the product reads its transpose.
struct Operand {
    elements: Vec<f32>,
    rows: usize,
    columns: usize,
    row_stride: usize,
    is_transposed: bool,
}

impl Operand {
    /// Reads the elements of an operand with these rows and columns, gaps included.
    fn read(
        (rows, columns): (usize, usize),
        gap: u8,
        is_transposed: bool,
        next: &mut impl FnMut() -> f32,
    ) -> Self {
        let (rows, columns) = if is_transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        let row_stride = columns + usize::from(gap);
        Self {
            elements: (0..rows * row_stride).map(|_| next()).collect(),
            rows,
            columns,
            row_stride,
            is_transposed,
        }
    }

    fn view(&self) -> MatRef<'_> {
        let stored =
            MatRef::with_row_stride(&self.elements, self.rows, self.columns, self.row_stride);
        if self.is_transposed {
            stored.t()
        } else {
            stored
        }
    }
}

/// A product C = A·B or C += A·B; A is m × k, B is k × n.
struct Case {
    m: usize,
    k: usize,
    n: usize,
    a: Operand,
    b: Operand,
    /// C before the product, with guards between its rows.
    c: Vec<f32>,
    c_stride: usize,
    beta: Beta,
    /// The number of rows of A that share a list of k-indices.
    rows_per_list: usize,
}

impl Case {
    /// The product that bytes describe. `None` if there are too few bytes or if the product
    /// is too large.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[m, k, n, gaps, flags], elements) = bytes.split_first_chunk()?;
        // Few rows are up to two of the tallest tiles (14) and a rest, few columns up to two of
        // the widest tiles of several rows (32, with AVX-512) and a rest, few k-indices more
        // than the run of a cache line (16). Steps of 160 pass every size at which k is cut
        // (128, 528, 800, 1024), those of 16 rows and 32 columns the sizes at which a product
        // changes its loops; the limit below keeps the other two lengths small then.
        let m = length(m, 32, 16);
        let k = length(k, 24, 160);
        let n = length(n, 72, 32);
        if m * k * n > MAX_MULTIPLY_ADDS {
            return None;
        }
        let mut elements = elements.iter().cycle();
        let mut next = || {
            let byte = elements.next();
            byte.map_or(1.0, |&byte| f32::from(byte as i8) / 7.0)
        };
        let a = Operand::read((m, k), gaps & 3, flags & 1 != 0, &mut next);
        let b = Operand::read((k, n), gaps >> 2 & 3, flags & 2 != 0, &mut next);
        let c_stride = n + usize::from(gaps >> 4 & 3);
        let mut c = vec![GUARD; m * c_stride];
        for row in c.chunks_mut(c_stride.max(1)) {
            row[..n].fill_with(&mut next);
        }
        Some(Self {
            m,
            k,
            n,
            a,
            b,
            c,
            c_stride,
            beta: if flags & 4 == 0 {
                Beta::Zero
            } else {
                Beta::One
            },
            rows_per_list: 1 + usize::from(flags >> 3),
        })
    }

    /// Compares the products of all instruction sets with the naive ones.
    fn check(&self, packing: &mut [f32]) {
        // The naive products differ by the rounding of multiply-adds alone.
        let mut naive = [const { None }; 2];
        for isa in Isa::available() {
            let expected = naive[usize::from(isa.is_fused())].get_or_insert_with(|| {
                self.bits_of(|c| naive::gemm(self.a(), self.b(), self.beta, c, isa))
            });
            let mut ctx = Context::new(1, packing).with_isa(isa);
            let found = self.bits_of(|c| gemm(self.a(), self.b(), self.beta, c, &mut ctx));
            assert!(found == *expected, "{}", isa.name());
            if !self.b.is_transposed {
                let listed = self.bits_of(|c| self.sparse_product(isa, c, &mut ctx));
                assert!(listed == *expected, "{}, listed", isa.name());
            }
        }
    }

    fn a(&self) -> MatRef<'_> {
        self.a.view()
    }

    fn b(&self) -> MatRef<'_> {
        self.b.view()
    }

    /// The bits of C and its guards after a product.
    fn bits_of(&self, product: impl FnOnce(MatMut<'_>)) -> Vec<u32> {
        let mut c = self.c.clone();
        product(MatMut::with_row_stride(
            &mut c,
            self.m,
            self.n,
            self.c_stride,
        ));
        c.iter().map(|x| x.to_bits()).collect()
    }

    /// The product with lists of the k-indices at which A is not zero.
    fn sparse_product(&self, isa: Isa, c: MatMut<'_>, ctx: &mut Context<'_>) {
        let (m, k, rows, a) = (self.m, self.k, self.rows_per_list, self.a());
        let (mut indices, mut ends) = (Vec::new(), Vec::new());
        for first in (0..m.max(1)).step_by(rows) {
            let rows = first..m.min(first + rows);
            let is_there = |&p: &u32| rows.clone().any(|i| a.at(i, p as usize) != 0.0);
            indices.extend((0..k as u32).filter(is_there));
            ends.push(indices.len());
        }
        let cuts = &ends[..ends.len() - 1];
        Product::new(a, self.b())
            .sparse_k(SparseK::of_rows(isa, k, rows, &indices, cuts))
            .start(match self.beta {
                Beta::Zero => Start::Zero,
                Beta::One => Start::C,
            })
            .compute(c, ctx);
    }
}
