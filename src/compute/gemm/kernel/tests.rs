//! The battery that every arm passes: tiles of every size at every edge,
//! exact on integers, and bit for bit the chain of its class on reals.

extern crate std;
use super::*;
use std::{vec, vec::Vec};

/// What nothing may write to.
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

/// One row of tiles, `rows × k × columns`, with everything else in turn.
fn check_tiles(kernel: MicroKernel, rows: usize, k: usize, columns: usize) {
    let width = kernel.max_columns(rows);
    let whole = columns.next_multiple_of(kernel.lanes());
    for case in 0..12 {
        let (packed, from) = (case % 2 == 0, case / 2 % 3);
        let mut next = numbers(case >= 6);
        let a_transposed = case % 3 == 0;
        let a = many(rows * k, &mut next);
        let (row, step) = if a_transposed { (1, rows) } else { (k, 1) };
        // Rows of B, as panels or with a gap between.
        let dense = many(k * columns, &mut next);
        let b_row = whole + 3;
        let mut b = vec![f32::NAN; k * b_row];
        let mut first = 0;
        for p in 0..k {
            for j in 0..columns {
                let at = if packed {
                    let panel = j / width * width;
                    let panel_row = (columns - panel)
                        .min(width)
                        .next_multiple_of(kernel.lanes());
                    panel * k + p * panel_row + j - panel
                } else {
                    p * b_row + j
                };
                b[at] = dense[p * columns + j];
                first = first.max(at + 1);
            }
        }
        // Arms that load whole vectors may read beyond, others must not.
        if !kernel.wants_whole_vectors() {
            b.truncate(first);
        }
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
                    kernel.mul_add(a[i * row + p * step], dense[p * columns + j], sum)
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
                row,
                step,
            },
            b: &b,
            b_row: (!packed).then_some(b_row),
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
                    check_tiles(kernel, rows, k, columns);
                }
            }
            check_tiles(kernel, rows, 33, 2 * width + lanes + 1);
        }
    }
}

#[test]
fn columns_of_tiles_of_every_size() {
    let kernels = Isa::available().map(MicroKernel::of);
    for kernel in kernels.filter(|kernel| kernel.has_panels()) {
        let (lanes, most) = (kernel.lanes(), kernel.max_rows());
        let width = kernel.max_columns(most);
        for rows in 1..=most {
            for columns in [1, lanes - 1, lanes, width - 1, width] {
                for (count, k) in [(1, 0), (1, 1), (2, 5), (3, 18)] {
                    for from in 0..3 {
                        check_column(kernel, (count, rows), k, columns, from);
                    }
                }
            }
        }
    }
}

/// Tiles one below the other, which pack their panel, and then out of it.
fn check_column(
    kernel: MicroKernel,
    (count, rows): (usize, usize),
    k: usize,
    columns: usize,
    from: usize,
) {
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
                kernel.mul_add(a[i * a_row + p], b[p * b_row + j], sum)
            });
        }
    }
    let tiles = |b, b_row| Column {
        count,
        rows,
        columns,
        k,
        a: Strided {
            data: &a,
            row: a_row,
            step: 1,
        },
        b,
        b_row,
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
fn listed_steps_of_tiles_of_every_size() {
    for isa in Isa::available() {
        let kernel = MicroKernel::of(isa);
        let lanes = kernel.lanes();
        for rows in 1..=kernel.0.listed.len() {
            for columns in [0, 1, lanes - 1, lanes, lanes + 1, 4 * lanes, 9 * lanes + 1] {
                for steps in [&[][..], &[7], &[0, 1, 2], &[8, 3, 3, 0]] {
                    for (from, a_row) in [(0, 1), (1, 9), (2, 1)] {
                        check_listed(kernel, (rows, columns), steps, from, a_row);
                    }
                }
            }
        }
    }
}

/// Tiles of some of nine steps; `a_row` is 1 for a transposed A.
fn check_listed(
    kernel: MicroKernel,
    (rows, columns): (usize, usize),
    steps: &[u32],
    from: usize,
    a_row: usize,
) {
    let mut next = numbers(true);
    let (k, b_row, c_row) = (9, columns + 2, columns + 3);
    let a = many(rows * k, &mut next);
    let (row, step) = if a_row == 1 { (1, rows) } else { (k, 1) };
    let (b, start) = (
        many(8 * b_row + columns, &mut next),
        many(columns, &mut next),
    );
    let mut c = many(rows * c_row, &mut next);
    let mut expected = c.clone();
    for (i, row_of_c) in expected.chunks_mut(c_row).enumerate() {
        for (j, expected) in row_of_c[..columns].iter_mut().enumerate() {
            let start = [0.0, *expected, start[j]][from];
            *expected = steps.iter().fold(start, |sum, &p| {
                let p = p as usize;
                kernel.mul_add(a[i * row + p * step], b[p * b_row + j], sum)
            });
        }
    }
    let tiles = Listed {
        rows,
        columns,
        k,
        steps: SparseK::new(Isa::detect(), k, steps),
        a: Strided {
            data: &a,
            row,
            step,
        },
        b: &b,
        b_row,
        start: [Start::Zero, Start::C, Start::Row(&start)][from],
    };
    kernel.listed(&tiles, &mut c, c_row);
    assert_eq!(c, expected, "{rows}×{columns}, steps {steps:?}");
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
                                    kernel.mul_add(a.at(i, p), b.at(p, j), sum)
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

/// A 2×3×4 product whose operands are shorter than they must be by so many.
fn short(of_a: usize, of_b: usize, of_c: usize) {
    let (a, b, mut c) = ([0.0; 6], [0.0; 24], [0.0; 8]);
    let kernel = MicroKernel::of(Isa::detect());
    let b_row = kernel.lanes().max(4);
    let b = if b_row > 8 { &[0.0; 48][..] } else { &b[..] };
    let needed = 2 * b_row
        + if kernel.wants_whole_vectors() {
            b_row
        } else {
            4
        };
    let tiles = Tiles {
        rows: 2,
        columns: 4,
        width: kernel.max_columns(2),
        k: 3,
        a: Strided {
            data: &a[of_a..],
            row: 3,
            step: 1,
        },
        b: &b[..needed - of_b],
        b_row: Some(b_row),
        start: Start::C,
        ahead: Ahead::NONE,
    };
    kernel.tiles(&tiles, &mut c[of_c..], 4);
}

#[test]
fn operands_may_end_with_their_last_element() {
    short(0, 0, 0);
}

#[test]
#[should_panic(expected = "2×3×4 beyond A or B")]
fn a_tile_beyond_a_is_refused() {
    short(1, 0, 0);
}

#[test]
#[should_panic(expected = "2×3×4 beyond A or B")]
fn a_tile_beyond_b_is_refused() {
    short(0, 1, 0);
}

#[test]
#[should_panic(expected = "2×4 beyond C")]
fn a_tile_beyond_c_is_refused() {
    short(0, 0, 1);
}

/// Packs a panel out of a 1×2×3 product whose operands are shorter than they
/// must be by so many, the panel too.
fn short_column(of_a: usize, of_b: usize, of_c: usize, of_panel: usize) {
    let kernels = Isa::available().map(MicroKernel::of);
    let kernel = kernels.filter(|kernel| kernel.has_panels()).last();
    let kernel = kernel.expect("the portable arm has panels");
    let (a, b, mut c) = ([0.0; 2], [0.0; 7], [0.0; 3]);
    let mut panel = vec![0.0; 2 * kernel.lanes()];
    let len = panel.len() - of_panel;
    let tiles = Column {
        count: 1,
        rows: 1,
        columns: 3,
        k: 2,
        a: Strided {
            data: &a[of_a..],
            row: 2,
            step: 1,
        },
        b: &b[of_b..],
        b_row: 4,
        start: Start::C,
    };
    let pack = Panel::Pack {
        panel: &mut panel[..len],
        next: &b,
    };
    kernel.column(&tiles, pack, &mut c[of_c..], 3);
}

#[test]
fn operands_of_a_column_may_end_with_their_last_element() {
    short_column(0, 0, 0, 0);
}

#[test]
#[should_panic(expected = "1 times 1×2×3 beyond an operand")]
fn a_column_beyond_a_is_refused() {
    short_column(1, 0, 0, 0);
}

#[test]
#[should_panic(expected = "1 times 1×2×3 beyond an operand")]
fn a_column_beyond_b_is_refused() {
    short_column(0, 1, 0, 0);
}

#[test]
#[should_panic(expected = "1 times 1×2×3 beyond an operand")]
fn a_column_beyond_c_is_refused() {
    short_column(0, 0, 1, 0);
}

#[test]
#[should_panic(expected = "1 times 1×2×3 beyond an operand")]
fn a_panel_too_short_is_refused() {
    short_column(0, 0, 0, 1);
}

/// A 2×4 tile of the second of two steps, whose operands are shorter than they
/// must be by so many.
fn short_listed(of_a: usize, of_b: usize, of_c: usize) {
    let (a, b, mut c) = ([0.0; 4], [0.0; 8], [0.0; 8]);
    let tiles = Listed {
        rows: 2,
        columns: 4,
        k: 2,
        steps: SparseK::new(Isa::detect(), 2, &[1]),
        a: Strided {
            data: &a[of_a..],
            row: 2,
            step: 1,
        },
        b: &b[of_b..],
        b_row: 4,
        start: Start::C,
    };
    MicroKernel::of(Isa::detect()).listed(&tiles, &mut c[of_c..], 4);
}

#[test]
fn operands_of_listed_steps_may_end_with_their_last_element() {
    short_listed(0, 0, 0);
}

#[test]
#[should_panic(expected = "2×2×4 beyond A or B")]
fn a_step_beyond_a_is_refused() {
    short_listed(1, 0, 0);
}

#[test]
#[should_panic(expected = "2×2×4 beyond A or B")]
fn a_step_beyond_b_is_refused() {
    short_listed(0, 1, 0);
}

#[test]
#[should_panic(expected = "2×4 beyond C")]
fn a_listed_tile_beyond_c_is_refused() {
    short_listed(0, 0, 1);
}

#[test]
fn one_link_rounds_as_its_class_says() {
    // (1 + ε)² = 1 + 2ε + ε²: the product alone rounds ε² away.
    let x = 1.0 + f32::EPSILON;
    let lost = f32::EPSILON * f32::EPSILON;
    for isa in Isa::available() {
        let link = MicroKernel::of(isa).mul_add(x, x, -1.0 - 2.0 * f32::EPSILON);
        let expected = if isa.is_fused() { lost } else { 0.0 };
        assert_eq!(link, expected, "{}", isa.name());
    }
}
