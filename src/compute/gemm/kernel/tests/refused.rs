//! Operands that reach beyond their slices are refused, and those that end with their last
//! element are not.

use super::*;

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
            row_stride: 3,
            k_stride: 1,
        },
        b: &b[..needed - of_b],
        b_stride: Some(b_row),
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
    let kernel = kernel.expect("the portable kernel has panels");
    let (a, b, mut c) = ([0.0; 2], [0.0; 7], [0.0; 3]);
    let mut panel = vec![0.0; 2 * kernel.lanes()];
    let len = panel.len() - of_panel;
    let tiles = TileColumn {
        count: 1,
        rows: 1,
        columns: 3,
        k: 2,
        a: Strided {
            data: &a[of_a..],
            row_stride: 2,
            k_stride: 1,
        },
        b: &b[of_b..],
        b_stride: 4,
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
#[should_panic(expected = "2 rows of 8 into a panel of 15")]
fn a_panel_too_short_is_refused() {
    short_column(0, 0, 0, 1);
}

/// A 2×4 tile at the second of two k-indices, whose operands are shorter than they
/// must be by so many.
fn short_sparse(of_a: usize, of_b: usize, of_c: usize) {
    let (a, b, mut c) = ([0.0; 4], [0.0; 8], [0.0; 8]);
    let tiles = SparseTiles {
        rows: 2,
        columns: 4,
        k: 2,
        lists: SparseK::new(Isa::detect(), 2, &[1]),
        a: Strided {
            data: &a[of_a..],
            row_stride: 2,
            k_stride: 1,
        },
        b: &b[of_b..],
        b_stride: 4,
        start: Start::C,
    };
    MicroKernel::of(Isa::detect()).sparse_k(&tiles, &mut c[of_c..], 4);
}

#[test]
fn operands_of_listed_k_indices_may_end_with_their_last_element() {
    short_sparse(0, 0, 0);
}

#[test]
#[should_panic(expected = "2×2×4 beyond A or B")]
fn a_k_index_beyond_a_is_refused() {
    short_sparse(1, 0, 0);
}

#[test]
#[should_panic(expected = "2×2×4 beyond A or B")]
fn a_k_index_beyond_b_is_refused() {
    short_sparse(0, 1, 0);
}

#[test]
#[should_panic(expected = "2×4 beyond C")]
fn a_sparse_tile_beyond_c_is_refused() {
    short_sparse(0, 0, 1);
}
