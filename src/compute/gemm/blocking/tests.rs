//! The table of loop orders on the page of `gemm`, and every loop order on every instruction
//! set against the definition.

extern crate std;
use super::*;
use crate::compute::gemm::params::*;
use crate::compute::gemm::{Beta, Context, naive, packing};
use crate::compute::isa::{InstructionSet, Isa};
use std::{vec, vec::Vec};

/// A product of some shape, whose A and B may be transposed views.
type Shape = ((usize, usize, usize), (bool, bool));

/// Numbers of which all sums round.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 24) as f32 - 128.0) / 97.0
    };
    (0..len).map(|_| next()).collect()
}

/// A view of `data`, rows × cols, that may be transposed.
fn view(data: &[f32], (rows, cols): (usize, usize), is_transposed: bool) -> MatRef<'_> {
    match is_transposed {
        true => MatRef::new(data, cols, rows).t(),
        false => MatRef::new(data, rows, cols),
    }
}

fn task<'a>(a: MatRef<'a>, b: MatRef<'a>) -> Task<'a> {
    Task {
        a,
        b,
        sparse_k: None,
        start: Start::C,
        epilogue: None,
        first_row: 0,
        first_column: 0,
    }
}

#[test]
fn the_loop_order_is_that_of_the_table() {
    use LoopOrder::*;
    const NO: (bool, bool) = (false, false);
    // For AVX-512, for instruction sets with panels of B, and for NEON.
    let table: [(Shape, [LoopOrder; 3]); 14] = [
        // Forward 1: one image, a few, a mini-batch.
        (((1, 784, 128), NO), [InPlace, InPlace, InPlace]),
        (((15, 784, 128), NO), [InPlace, InPlace, InPlace]),
        (((16, 784, 128), NO), [InPlace, PackedB, InPlace]),
        // A that streams by once is longer than the caches.
        (((6_000, 784, 3), NO), [Narrow, InPlace, Transposed]),
        // Forward 2.
        (((128, 128, 10), NO), [Narrow, PackedB, InPlace]),
        (((15, 128, 10), NO), [InPlace, InPlace, InPlace]),
        (((128, 128, 12), NO), [Narrow, PackedB, InPlace]),
        (((128, 128, 13), NO), [InPlace, PackedB, InPlace]),
        (((128, 128, 20), NO), [Transposed, PackedB, InPlace]),
        // Gradient of W2.
        (
            ((128, 128, 10), (true, false)),
            [Transposed, Transposed, InPlace],
        ),
        (
            ((128, 64, 10), (true, false)),
            [Transposed, PackedB, InPlace],
        ),
        // Back to the hidden layer.
        (((128, 10, 128), (false, true)), [InPlace, PackedB, InPlace]),
        (((128, 7, 128), (false, true)), [InPlace, InPlace, InPlace]),
        // Gradient of W1.
        (
            ((784, 128, 128), (true, false)),
            [InPlace, PackedB, InPlace],
        ),
    ];
    let data = vec![0.0; 6_000 * 784];
    for (((m, k, n), (a_transposed, b_transposed)), expected) in table {
        let a = view(&data[..m * k], (m, k), a_transposed);
        let b = view(&data[..k * n], (k, n), b_transposed);
        for isa in Isa::available() {
            let expected = match isa.instruction_set() {
                InstructionSet::Avx512 => expected[0],
                InstructionSet::Neon => expected[2],
                _ => expected[1],
            };
            let found = task(a, b).loop_order(MicroKernel::of(isa));
            assert_eq!(found, expected, "{m}×{k}×{n} on {}", isa.name());
        }
    }
}

/// The kernel that runs is that of the instruction set: its vectors are as long as the name
/// says, and no two instruction sets share a kernel.
#[test]
fn the_kernel_is_that_of_the_instruction_set() {
    let mut sizes = Vec::new();
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let lanes = match isa.name() {
            "avx512" => 16,
            "avx2" | "portable" => 8,
            "neon" => 4,
            other => panic!("no kernel is known of {other}"),
        };
        assert_eq!(kernel.lanes(), lanes, "{}", isa.name());
        let size = (lanes, kernel.rows_per_list(), kernel.max_rows());
        sizes.push((size, kernel.max_columns(kernel.max_rows())));
    }
    let count = sizes.len();
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes.len(), count, "{sizes:?}");
}

/// Shapes of each loop order, with every start, an epilogue, and a k that is cut.
#[test]
fn every_loop_order_is_the_definition() {
    let shapes = [
        (1, 20, 40),
        (20, 5, 3),
        (35, 70, 5),
        (33, 70, 10),
        (16, 810, 21),
        (16, 1030, 25),
    ];
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let mut seen = Vec::new();
        for (m, k, n) in shapes {
            for (a_transposed, b_transposed) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
                let a = view(&a, (m, k), a_transposed);
                let b = view(&b, (k, n), b_transposed);
                seen.push(task(a, b).loop_order(kernel));
                let (c, row) = (numbers(m * n, 3), numbers(n, 4));
                for start in [Start::Zero, Start::C, Start::Row(&row)] {
                    let mut expected = match start {
                        Start::Zero => vec![0.0; m * n],
                        Start::C => c.clone(),
                        Start::Row(row) => row.repeat(m),
                    };
                    naive::gemm(a, b, Beta::One, MatMut::new(&mut expected, m, n), isa);
                    // Part of a larger product, from row 7 and column 9 on.
                    let place = |i: usize, j: usize| ((i + 7) * 1000 + j + 9) as f32;
                    for (e, x) in expected.iter_mut().enumerate() {
                        *x -= place(e / n, e % n);
                    }
                    let epilogue = |i: usize, j: usize, part: &mut [f32]| {
                        for (j, x) in (j..).zip(part) {
                            *x -= (i * 1000 + j) as f32;
                        }
                    };
                    let task = Task {
                        start,
                        epilogue: Some(&epilogue),
                        first_row: 7,
                        first_column: 9,
                        ..task(a, b)
                    };
                    let mut found = c.clone();
                    let mut packing = vec![f32::NAN; Context::packing_len(1)];
                    task.compute(MatMut::new(&mut found, m, n), kernel, &mut packing);
                    assert_eq!(found, expected, "{m}×{k}×{n} {start:?} on {}", isa.name());
                }
            }
        }
        let is_seen = |order| seen.contains(&order);
        assert!(is_seen(LoopOrder::InPlace) && is_seen(LoopOrder::Transposed));
        assert_eq!(is_seen(LoopOrder::Narrow), kernel.has_narrow(1));
        assert_eq!(is_seen(LoopOrder::PackedB), kernel.has_panels());
    }
}

/// Each size, one less and one more, without repetition.
fn around(sizes: &[usize]) -> Vec<usize> {
    let mut all: Vec<usize> = sizes
        .iter()
        .flat_map(|&size| [size.saturating_sub(1), size, size + 1])
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Fails unless some rows of a product on from C, all or those listed, are the definition's.
/// Rows of A and B are `gap` elements further apart than they are long.
fn check(isa: Isa, ((m, k, n), transposed): Shape, gap: usize, rows: Option<&[usize]>) {
    let stored = |rows: usize, cols: usize, is_transposed, seed| {
        let (height, width) = if is_transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        numbers(height * (width + gap), seed)
    };
    fn strided(data: &[f32], (rows, cols): (usize, usize), t: bool, gap: usize) -> MatRef<'_> {
        match t {
            true => MatRef::with_row_stride(data, cols, rows, rows + gap).t(),
            false => MatRef::with_row_stride(data, rows, cols, cols + gap),
        }
    }
    let a = stored(m, k, transposed.0, 1);
    let b = stored(k, n, transposed.1, 2);
    let a = strided(&a, (m, k), transposed.0, gap);
    let b = strided(&b, (k, n), transposed.1, gap);
    let c = numbers(m * n, 3);
    let mut found = c.clone();
    let mut packing = vec![f32::NAN; Context::packing_len(1)];
    let target = MatMut::new(&mut found, m, n);
    task(a, b).compute(target, MicroKernel::of(isa), &mut packing);
    let all: Vec<usize> = (0..m).collect();
    for &i in rows.unwrap_or(&all) {
        let mut expected = c[i * n..][..n].to_vec();
        let row = a.block(i..i + 1, 0..k);
        naive::gemm(row, b, Beta::One, MatMut::new(&mut expected, 1, n), isa);
        let name = isa.name();
        assert_eq!(
            found[i * n..][..n],
            expected,
            "row {i} of {m}×{k}×{n} on {name}"
        );
    }
}

/// One less, as many, and one more than each size that a product is cut by: the tiles of the
/// kernel, and the blocks, groups and bounds of `params.rs`.
#[test]
fn sizes_around_every_block_are_the_definition() {
    let transposes = [(false, false), (true, false), (false, true), (true, true)];
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let (lanes, rows) = (kernel.lanes(), kernel.max_rows());
        let (width, panel) = (kernel.max_columns(rows), kernel.panel_columns());
        let panel_rows = if panel > 0 {
            kernel.panel_rows(panel)
        } else {
            rows
        };
        for k in around(&[0, KC_SHORT, KC_COLUMNS, KC, KC_WHOLE, KC_GROUP, 2 * KC]) {
            for transposed in transposes {
                check(isa, ((16 + 1, k, width + 1), transposed), 0, None);
                check(isa, ((16 + 1, k, 3), transposed), 0, None);
            }
        }
        let passing = PASSING_A / KC_WHOLE;
        for m in around(&[0, panel_rows, rows, 2 * rows, 16, passing, NARROW_ROWS]) {
            for (k, n) in [(lanes + 1, width + 1), (KC_WHOLE, lanes + 1), (20, 5)] {
                check(isa, ((m, k, n), (false, false)), 1, None);
                check(isa, ((m, k, n), (true, false)), 0, None);
            }
        }
        let blocks = [BLOCK_B / KC_WHOLE, PANELS / KC_WHOLE, PANEL_B / 64];
        for n in around(&[&[0, lanes, width, panel, 2 * panel, 12], &blocks[..]].concat()) {
            for k in [64, KC_WHOLE] {
                check(isa, ((16 + 1, k, n), (false, false)), 0, None);
            }
        }
        // A that is just long, in rows and in columns.
        for m in around(&[LONG_A / KC_COLUMNS]) {
            for n in [5, width + 1] {
                let (rows, shape) = ([0, 1, m / 2, m - 1], (m, KC_COLUMNS, n));
                check(isa, (shape, (false, false)), 0, Some(&rows));
                check(isa, (shape, (true, false)), 0, Some(&rows));
            }
        }
    }
}

/// Operands that are packed because they are large and their rows share sets of the cache,
/// with rows around a block of A.
#[test]
fn rows_around_a_block_of_a_large_product_are_the_definition() {
    let k = 2 * ALIASING;
    assert!(KC_WHOLE < k && k.div_ceil(2) <= KC);
    let block = BLOCK_A / packing::apart(k / 2);
    for m in around(&[block]) {
        let n = LARGE.div_ceil(m * k).next_multiple_of(ALIASING);
        let rows = [0, 1, m / 2, block - 2, m - 1];
        for isa in Isa::available() {
            check(isa, ((m, k, n), (false, false)), 0, Some(&rows));
        }
    }
}
