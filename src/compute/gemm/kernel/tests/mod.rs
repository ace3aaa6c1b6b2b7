//! Test battery of every kernel: each entry of its table at every edge, exact on integers,
//! and bit for bit the chain of its class on reals. The expected chains are written out
//! here, with the multiply-add of the definition.

extern crate std;
use super::*;
use crate::compute::gemm::Start;
use crate::compute::gemm::naive::multiply_add;
use crate::compute::matrix::{MatMut, MatRef};
use std::{vec, vec::Vec};

mod refused;

/// Guard value outside C; must survive.
const GUARD: f32 = 12345.5;

/// Integers from −128 to 127, or such shares of 97 that all sums round.
fn numbers(real: bool) -> impl FnMut() -> f32 {
    let mut state = 1_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = (state >> 24) as f32 - 128.0;
        if real { x / 97.0 } else { x }
    }
}

fn many(len: usize, next: &mut impl FnMut() -> f32) -> Vec<f32> {
    (0..len).map(|_| next()).collect()
}

/// A dense B as tiles read it: with rows `b_row` apart, or in panels as wide as a tile.
fn stored_b(
    kernel: MicroKernel,
    dense: &[f32],
    (columns, width): (usize, usize),
    b_row: Option<usize>,
) -> Vec<f32> {
    let k = dense.len() / columns;
    let place = |p: usize, j: usize| match b_row {
        Some(b_row) => p * b_row + j,
        None => {
            let panel = j / width * width;
            let panel_row = (columns - panel).min(width);
            panel * k + p * panel_row.next_multiple_of(kernel.lanes()) + j - panel
        }
    };
    let row = b_row.unwrap_or(columns.next_multiple_of(kernel.lanes()));
    let mut b = vec![f32::NAN; k * row];
    let mut end = 0;
    for (e, &x) in dense.iter().enumerate() {
        let at = place(e / columns, e % columns);
        b[at] = x;
        end = end.max(at + 1);
    }
    // Kernels that load whole vectors may read beyond, others must not.
    if !kernel.wants_whole_vectors() {
        b.truncate(end);
    }
    b
}

/// One row of tiles, `rows × k × columns`, with everything else in turn.
fn check_tiles(isa: Isa, rows: usize, k: usize, (columns, width): (usize, usize)) {
    let kernel = MicroKernel::of(isa);
    for case in 0..12 {
        let (packed, from) = (case % 2 == 0, case / 2 % 3);
        let mut next = numbers(case >= 6);
        let a_transposed = case % 3 == 0;
        let a = many(rows * k, &mut next);
        let (row_stride, k_stride) = if a_transposed { (1, rows) } else { (k, 1) };
        let dense = many(k * columns, &mut next);
        let b_row = columns.next_multiple_of(kernel.lanes()) + 3;
        let b = stored_b(kernel, &dense, (columns, width), (!packed).then_some(b_row));
        let start = many(columns, &mut next);
        let c_row = columns + 5;
        let mut c = vec![GUARD; rows * c_row];
        for row in c.chunks_mut(c_row) {
            row[..columns].fill_with(&mut next);
        }
        let mut expected = c.clone();
        for (i, row_of_c) in expected.chunks_mut(c_row).enumerate() {
            for (j, expected) in row_of_c[..columns].iter_mut().enumerate() {
                let start = [0.0, *expected, start[j]][from];
                *expected = (0..k).fold(start, |sum, p| {
                    multiply_add(
                        isa.is_fused(),
                        a[i * row_stride + p * k_stride],
                        dense[p * columns + j],
                        sum,
                    )
                });
            }
        }
        let tiles = Tiles {
            rows,
            columns,
            width,
            k,
            a: Strided {
                data: &a,
                row_stride,
                k_stride,
            },
            b: &b,
            b_stride: (!packed).then_some(b_row),
            start: match from {
                0 => Start::Zero,
                1 => Start::C,
                _ => Start::Row(&start),
            },
            ahead: match case {
                0 => Ahead::new(&a, rows, k, k),
                1 => Ahead::new(&a, rows, 1, 40),
                _ => Ahead::NONE,
            },
        };
        kernel.tiles(&tiles, &mut c, c_row);
        assert_eq!(c, expected, "{rows}×{k}×{columns}, case {case}");
    }
}

#[test]
fn tiles_of_every_size() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let lanes = kernel.lanes();
        for rows in 1..=kernel.max_rows() {
            let width = kernel.max_columns(rows);
            for columns in [1, lanes - 1, lanes, lanes + 1, width - 1, width, width + 1] {
                for k in [0, 1, 2, 17] {
                    check_tiles(isa, rows, k, (columns, width));
                }
            }
            check_tiles(isa, rows, 33, (2 * width + lanes + 1, width));
            // Every number of vectors, as the width of tiles and as what is left of them.
            for vectors in 1..=width / lanes {
                let columns = vectors * lanes;
                check_tiles(isa, rows, 3, (2 * columns - 1, columns));
                check_tiles(isa, rows, 3, (width + columns - 1, width));
                check_tiles(isa, rows, 3, (columns, width));
            }
        }
    }
}

#[test]
fn columns_of_tiles_of_every_size() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let lanes = kernel.lanes();
        for (rows, tiles) in (1..).zip(kernel.0.panels) {
            for vectors in 1..=tiles.len() {
                let columns = vectors * lanes;
                for columns in [columns - lanes + 1, columns - 1, columns] {
                    for (count, k) in [(1, 0), (1, 1), (2, 5), (3, 18)] {
                        for from in 0..3 {
                            check_column(isa, (count, rows), k, columns, from);
                        }
                    }
                }
            }
        }
    }
}

/// Tiles one below the other, which pack their panel, and then out of it.
fn check_column(isa: Isa, (count, rows): (usize, usize), k: usize, columns: usize, from: usize) {
    let kernel = MicroKernel::of(isa);
    let mut next = numbers(true);
    let (all, whole) = (count * rows, columns.next_multiple_of(kernel.lanes()));
    let (a_row, b_row, c_row) = (k + 2, columns + 3, columns + 1);
    let a = many(all * a_row, &mut next);
    // The last row of B ends with its last element.
    let b = many((k.max(1) - 1) * b_row + columns, &mut next);
    let (start, c) = (many(columns, &mut next), many(all * c_row, &mut next));
    let mut expected = c.clone();
    for (i, row_of_c) in expected.chunks_mut(c_row).enumerate() {
        for (j, expected) in row_of_c[..columns].iter_mut().enumerate() {
            let start = [0.0, *expected, start[j]][from];
            *expected = (0..k).fold(start, |sum, p| {
                multiply_add(isa.is_fused(), a[i * a_row + p], b[p * b_row + j], sum)
            });
        }
    }
    let tiles = |b, b_row| TileColumn {
        count,
        rows,
        columns,
        k,
        a: Strided {
            data: &a,
            row_stride: a_row,
            k_stride: 1,
        },
        b,
        b_stride: b_row,
        start: [Start::Zero, Start::C, Start::Row(&start)][from],
    };
    let mut packed = vec![GUARD; k * whole + 1];
    let (panel, guard) = packed.split_at_mut(k * whole);
    let mut found = c.clone();
    let pack = Panel::Pack {
        panel: &mut *panel,
        next: &b,
    };
    kernel.column(&tiles(&b, b_row), pack, &mut found, c_row);
    assert_eq!(found, expected, "{count} times {rows}×{k}×{columns}");
    assert_eq!(guard, [GUARD]);
    for (p, row) in panel.chunks(whole).enumerate() {
        assert_eq!(row[..columns], b[p * b_row..][..columns]);
        assert!(row[columns..].iter().all(|&x| x == 0.0));
    }
    let mut found = c;
    kernel.column(&tiles(panel, whole), Panel::Packed, &mut found, c_row);
    assert_eq!(found, expected, "{count} times {rows}×{k}×{columns}");
}

#[test]
fn sparse_tiles_of_every_size() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let lanes = kernel.lanes();
        for (rows, tiles) in (1..).zip(kernel.0.sparse) {
            let widths = (1..=tiles.len()).flat_map(|vectors| {
                let columns = vectors * lanes;
                [columns - lanes + 1, columns - 1, columns]
            });
            let width = tiles.len() * lanes;
            for columns in widths.chain([0, 2 * width + 1, 9 * lanes + 1]) {
                for list in [&[][..], &[7], &[0, 1, 2], &[8, 3, 3, 0]] {
                    for (from, a_transposed) in [(0, true), (1, false), (2, true)] {
                        let gap = 2;
                        check_sparse(
                            isa,
                            (rows, columns),
                            (rows, &[list]),
                            from,
                            a_transposed,
                            gap,
                        );
                    }
                }
            }
        }
    }
}

/// Lists of fewer rows than a tile has, of as many and of more, and a last one of fewer.
#[test]
fn sparse_tiles_of_several_lists() {
    let lists: [&[u32]; 7] = [
        &[0, 5],
        &[],
        &[8],
        &[1, 2, 3, 4, 5, 6, 7],
        &[6],
        &[0],
        &[2, 0],
    ];
    for isa in Isa::available() {
        let lanes = MicroKernel::of(isa).lanes();
        for rows_of_list in 1..=8_usize {
            for rows in [
                1,
                rows_of_list,
                rows_of_list + 1,
                3 * rows_of_list - 1,
                7 * rows_of_list,
            ] {
                let lists = &lists[..rows.div_ceil(rows_of_list)];
                for columns in [lanes - 1, 4 * lanes, 5 * lanes + 1] {
                    for from in 0..3 {
                        let lists = (rows_of_list, lists);
                        check_sparse(isa, (rows, columns), lists, from, false, 2);
                    }
                }
            }
        }
    }
}

/// Rows of B so far apart that they are fetched ahead where that pays.
#[test]
fn sparse_tiles_of_a_long_b() {
    let list: [u32; 20] = core::array::from_fn(|i| i as u32 % 9);
    let ahead = super::sparse::PREFETCH_DISTANCE;
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        for rows in 1..=kernel.0.sparse.len() {
            for columns in [kernel.lanes() - 1, 3 * kernel.lanes()] {
                for len in [0, ahead - 1, ahead, ahead + 1, list.len()] {
                    let lists = (rows, &[&list[..len]][..]);
                    check_sparse(isa, (rows, columns), lists, 1, false, 1 << 13);
                }
            }
        }
    }
}

/// Tiles of some of nine k-indices, for every `rows_of_list` rows a list; rows of B are
/// `b_gap` elements apart.
fn check_sparse(
    isa: Isa,
    (rows, columns): (usize, usize),
    (rows_of_list, lists): (usize, &[&[u32]]),
    from: usize,
    a_transposed: bool,
    b_gap: usize,
) {
    let mut next = numbers(true);
    let (k, b_row, c_row) = (9, columns + b_gap, columns + 3);
    let a = many(rows * k, &mut next);
    let (row_stride, k_stride) = if a_transposed { (1, rows) } else { (k, 1) };
    let (b, start) = (
        many(8 * b_row + columns, &mut next),
        many(columns, &mut next),
    );
    let mut c = many(rows * c_row, &mut next);
    let mut expected = c.clone();
    for (i, row_of_c) in expected.chunks_mut(c_row).enumerate() {
        for (j, expected) in row_of_c[..columns].iter_mut().enumerate() {
            let start = [0.0, *expected, start[j]][from];
            *expected = lists[i / rows_of_list].iter().fold(start, |sum, &p| {
                let p = p as usize;
                let a = a[i * row_stride + p * k_stride];
                multiply_add(isa.is_fused(), a, b[p * b_row + j], sum)
            });
        }
    }
    let ends = lists.iter().scan(0, |end, list| {
        *end += list.len();
        Some(*end)
    });
    let cuts: Vec<usize> = ends.take(lists.len() - 1).collect();
    let all = lists.concat();
    let tiles = SparseTiles {
        rows,
        columns,
        k,
        lists: SparseK::of_rows(isa, k, rows_of_list, &all, &cuts),
        a: Strided {
            data: &a,
            row_stride,
            k_stride,
        },
        b: &b,
        b_stride: b_row,
        start: [Start::Zero, Start::C, Start::Row(&start)][from],
    };
    MicroKernel::of(isa).sparse_k(&tiles, &mut c, c_row);
    assert_eq!(
        c, expected,
        "{rows}×{columns}, lists {lists:?} of {rows_of_list}"
    );
}

#[test]
fn transposes_of_every_size() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        for rows in 1..=kernel.lanes() {
            for columns in 1..=kernel.lanes() {
                let from = many((rows - 1) * 19 + columns, &mut numbers(false));
                let mut to = vec![GUARD; (columns - 1) * 21 + rows];
                let mut expected = to.clone();
                for i in 0..rows {
                    for j in 0..columns {
                        expected[j * 21 + i] = from[i * 19 + j];
                    }
                }
                kernel.transpose((rows, columns), (&from, 19), (&mut to, 21));
                assert_eq!(to, expected, "{rows}×{columns}");
            }
        }
    }
}

#[test]
fn narrow_products_of_every_width() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        for n in (1..).take_while(|&n| kernel.has_narrow(n)) {
            for m in [1, 2, 15, 16, 17, 31, 32, 33, 70] {
                for k in [0, 1, 3, 4, 5, 18] {
                    let mut next = numbers(true);
                    let (a, b) = (many(m * (k + 1), &mut next), many(k * (n + 2), &mut next));
                    let (c, start) = (many(m * (n + 3), &mut next), many(n, &mut next));
                    let a = MatRef::with_row_stride(&a, m, k, k + 1);
                    let b = MatRef::with_row_stride(&b, k, n, n + 2);
                    for (from, fetch) in [(0, false), (1, true), (2, false)] {
                        let mut expected = c.clone();
                        for i in 0..m {
                            for (j, expected) in expected[i * (n + 3)..][..n].iter_mut().enumerate()
                            {
                                let start = [0.0, *expected, start[j]][from];
                                *expected = (0..k).fold(start, |sum, p| {
                                    multiply_add(isa.is_fused(), a.at(i, p), b.at(p, j), sum)
                                });
                            }
                        }
                        let from = [Start::Zero, Start::C, Start::Row(&start)][from];
                        let mut found = c.clone();
                        let mut target = MatMut::with_row_stride(&mut found, m, n, n + 3);
                        kernel.narrow(a, b, from, &mut target, fetch);
                        assert_eq!(found, expected, "{m}×{k}×{n}");
                    }
                }
            }
        }
    }
}

/// A tile of one element and one k-index, in every way to compute one.
// Long: the operands of each family of functions.
#[test]
fn one_link_rounds_as_its_class_says() {
    // (1 + ε)² = 1 + 2ε + ε²: the product alone rounds ε² away.
    let x = [1.0 + f32::EPSILON; 16];
    let from = [-1.0 - 2.0 * f32::EPSILON];
    let lost = f32::EPSILON * f32::EPSILON;
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let expected = if isa.is_fused() { [lost] } else { [0.0] };
        let (a, start) = (
            Strided {
                data: &x,
                row_stride: 1,
                k_stride: 1,
            },
            Start::Row(&from),
        );
        let mut c = [f32::NAN];
        let tiles = Tiles {
            rows: 1,
            columns: 1,
            width: kernel.lanes(),
            k: 1,
            a,
            b: &x,
            b_stride: Some(1),
            start,
            ahead: Ahead::NONE,
        };
        kernel.tiles(&tiles, &mut c, 1);
        assert_eq!(c, expected, "{}", isa.name());
        let tiles = SparseTiles {
            rows: 1,
            columns: 1,
            k: 1,
            lists: SparseK::new(isa, 1, &[0]),
            a,
            b: &x,
            b_stride: 1,
            start,
        };
        kernel.sparse_k(&tiles, &mut c, 1);
        assert_eq!(c, expected, "{}", isa.name());
        if kernel.has_panels() {
            let tiles = TileColumn {
                count: 1,
                rows: 1,
                columns: 1,
                k: 1,
                a,
                b: &x,
                b_stride: kernel.lanes(),
                start,
            };
            kernel.column(&tiles, Panel::Packed, &mut c, 1);
            assert_eq!(c, expected, "{}", isa.name());
        }
        if kernel.has_narrow(1) {
            let x = MatRef::new(&x[..1], 1, 1);
            kernel.narrow(x, x, start, &mut MatMut::new(&mut c, 1, 1), false);
            assert_eq!(c, expected, "{}", isa.name());
        }
    }
}
