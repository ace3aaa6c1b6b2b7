//! Random shapes, strides, transposes and elements, on every arm: the blocked
//! product has the bits of the naive one and writes nothing beside C, and so has
//! one that leaves out steps in which A is zero.

use handwritten::compute::gemm::naive;
use handwritten::{Beta, Context, Isa, MatMut, MatRef, Product, SparseK, Start, gemm};

/// What an element outside the matrices holds.
const GUARD: f32 = 12345.0;

pub(crate) fn check(bytes: &[u8]) {
    let Some((&[m, k, n, gaps, flags], elements)) = bytes.split_first_chunk() else {
        return;
    };
    // Some shapes reach beyond a block of k.
    let (m, k, n) = (usize::from(m), 5 * usize::from(k), 2 * usize::from(n) % 300);
    if m * k * n > 1 << 20 {
        return;
    }
    let mut next = {
        let mut elements = elements.iter().cycle();
        move || {
            elements
                .next()
                .map_or(1.0, |&byte| f32::from(byte as i8) / 7.0)
        }
    };
    let (a_gap, b_gap, c_gap) = (gaps & 3, gaps >> 2 & 3, gaps >> 4 & 3);
    let a_shape = if flags & 1 == 0 { (m, k) } else { (k, m) };
    let b_shape = if flags & 2 == 0 { (k, n) } else { (n, k) };
    let (a_stride, b_stride) = (
        a_shape.1 + usize::from(a_gap),
        b_shape.1 + usize::from(b_gap),
    );
    let c_stride = n + usize::from(c_gap);
    let a: Vec<f32> = (0..a_shape.0 * a_stride).map(|_| next()).collect();
    let b: Vec<f32> = (0..b_shape.0 * b_stride).map(|_| next()).collect();
    let mut c = vec![GUARD; m * c_stride];
    for row in c.chunks_mut(c_stride.max(1)) {
        row[..n].fill_with(&mut next);
    }
    let a = MatRef::with_row_stride(&a, a_shape.0, a_shape.1, a_stride);
    let b = MatRef::with_row_stride(&b, b_shape.0, b_shape.1, b_stride);
    let (a, b) = (
        if flags & 1 == 0 { a } else { a.t() },
        if flags & 2 == 0 { b } else { b.t() },
    );
    let beta = if flags & 4 == 0 {
        Beta::Zero
    } else {
        Beta::One
    };

    // Guards included.
    let bits = |xs: &[f32]| xs.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let mut packing = Context::packing(1);
    for isa in Isa::available() {
        let (mut found, mut expected) = (c.clone(), c.clone());
        let mut ctx = Context::new(1, &mut packing).with_isa(isa);
        let target = MatMut::with_row_stride(&mut found, m, n, c_stride);
        gemm(a, b, beta, target, &mut ctx);
        let target = MatMut::with_row_stride(&mut expected, m, n, c_stride);
        naive::gemm(a, b, beta, target, isa);
        assert_eq!(bits(&found), bits(&expected), "{}", isa.name());
        if flags & 2 == 0 {
            // For every few rows a list of their own.
            let rows = 1 + usize::from(flags >> 3);
            let (mut steps, mut ends) = (Vec::new(), Vec::new());
            for first in (0..m.max(1)).step_by(rows) {
                let rows = first..m.min(first + rows);
                let is_there = |&p: &u32| rows.clone().any(|i| a.at(i, p as usize) != 0.0);
                steps.extend((0..k as u32).filter(is_there));
                ends.push(steps.len());
            }
            let cuts = &ends[..ends.len() - 1];
            let mut listed = c.clone();
            Product::new(a, b)
                .sparse_k(SparseK::of_rows(isa, k, rows, &steps, cuts))
                .start(match beta {
                    Beta::Zero => Start::Zero,
                    Beta::One => Start::C,
                })
                .compute(
                    MatMut::with_row_stride(&mut listed, m, n, c_stride),
                    &mut ctx,
                );
            assert_eq!(bits(&listed), bits(&expected), "{}, listed", isa.name());
        }
    }
}
