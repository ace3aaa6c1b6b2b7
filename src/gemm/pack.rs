//! Packing: a block of an operand, laid out in the order in which the
//! micro-kernel reads it.

use crate::matrix::MatRef;

/// Copies the rows of `block` into panels of `R` rows.
///
/// A panel holds, for each column of `block` in turn, the `R` elements of its
/// rows: `panels[(i / R · cols + j) · R + i % R] = block[i, j]`. The last panel
/// is filled up with zero rows. B is packed by its transpose.
///
/// # Panics
/// Panics if `panels` is not `rows` of `block`, rounded up to a multiple of
/// `R`, times its columns long.
pub(super) fn pack<const R: usize>(block: MatRef<'_>, panels: &mut [f32]) {
    let (rows, cols) = (block.rows(), block.cols());
    let (groups, rest) = panels.as_chunks_mut::<R>();
    assert!(
        rest.is_empty() && groups.len() == rows.div_ceil(R) * cols,
        "{} groups of {R} for a {rows}×{cols} block",
        groups.len()
    );
    if cols == 0 {
        return;
    }
    for (panel, first) in groups.chunks_exact_mut(cols).zip((0..rows).step_by(R)) {
        let height = R.min(rows - first);
        let source = block.block(first..first + height, 0..cols);
        if height < R {
            panel.fill([0.0; R]);
        }
        if source.row_stride() == 1 && height == R {
            for (j, group) in panel.iter_mut().enumerate() {
                group.copy_from_slice(&source.data()[j * source.col_stride()..][..R]);
            }
        } else if source.col_stride() == 1 {
            for i in 0..height {
                for (group, &x) in panel.iter_mut().zip(source.row(i)) {
                    group[i] = x;
                }
            }
        } else {
            for (j, group) in panel.iter_mut().enumerate() {
                for (i, x) in group[..height].iter_mut().enumerate() {
                    *x = source.at(i, j);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every element lies where the doc comment says, and nothing else is set.
    fn check(block: MatRef<'_>) {
        const R: usize = 4;
        let (rows, cols) = (block.rows(), block.cols());
        let mut panels = [f32::NAN; 200];
        let panels = &mut panels[..rows.next_multiple_of(R) * cols];
        pack::<R>(block, panels);
        for i in 0..rows.next_multiple_of(R) {
            for j in 0..cols {
                let expected = if i < rows { block.at(i, j) } else { 0.0 };
                assert_eq!(panels[(i / R * cols + j) * R + i % R], expected);
            }
        }
    }

    #[test]
    fn panels_hold_rows_side_by_side_and_zeros_below() {
        let data: [f32; 120] = core::array::from_fn(|i| i as f32 + 1.0);
        for rows in 0..=9 {
            for cols in 0..=11 {
                let block = MatRef::with_row_stride(&data, rows, cols, 13.min(cols + 2));
                check(block);
                check(block.t());
            }
        }
    }
}
