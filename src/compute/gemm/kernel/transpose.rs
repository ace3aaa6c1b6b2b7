//! Transposing a block of at most as many rows and columns as a vector has lanes.

use core::marker::PhantomData;
use core::slice;

/// A block of at least one row and one column, and its transpose.
pub(super) struct Block<'a> {
    pub(super) from: Rows<'a>,
    pub(super) to: RowsMut<'a>,
}

impl<'a> Block<'a> {
    /// A block of `rows × columns` elements with row stride `from_row`, whose transpose has
    /// rows `to_row` apart.
    ///
    /// # Panics
    /// Panics if the block is empty or reaches beyond a slice.
    #[inline(always)]
    pub(super) fn new(
        (rows, columns): (usize, usize),
        (from, from_row): (&'a [f32], usize),
        (to, to_row): (&'a mut [f32], usize),
    ) -> Self {
        assert!(
            rows > 0
                && columns > 0
                && from.len() >= (rows - 1) * from_row + columns
                && to.len() >= (columns - 1) * to_row + rows,
            "transposed block of {rows}×{columns}"
        );
        Self {
            from: Rows {
                first: from.as_ptr(),
                stride: from_row,
                rows,
                columns,
                data: PhantomData,
            },
            to: RowsMut {
                first: to.as_mut_ptr(),
                stride: to_row,
                rows: columns,
                columns: rows,
                data: PhantomData,
            },
        }
    }
}

/// Rows of a block inside a slice.
pub(super) struct Rows<'a> {
    first: *const f32,
    stride: usize,
    rows: usize,
    columns: usize,
    data: PhantomData<&'a [f32]>,
}

impl Rows<'_> {
    /// Row `i`, if there is one.
    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> Option<&[f32]> {
        // SAFETY: `Block::new` holds all rows inside their slice, which `self` borrows.
        (i < self.rows).then(|| unsafe {
            slice::from_raw_parts(self.first.add(i * self.stride), self.columns)
        })
    }
}

/// Rows of a transpose inside a slice.
pub(super) struct RowsMut<'a> {
    first: *mut f32,
    stride: usize,
    rows: usize,
    columns: usize,
    data: PhantomData<&'a mut [f32]>,
}

impl RowsMut<'_> {
    /// Row `i`, if there is one.
    #[inline(always)]
    pub(super) fn row(&mut self, i: usize) -> Option<&mut [f32]> {
        // SAFETY: `Block::new` holds all rows inside their slice, which `self` borrows
        // exclusively.
        (i < self.rows).then(|| unsafe {
            slice::from_raw_parts_mut(self.first.add(i * self.stride), self.columns)
        })
    }
}

/// Transposes a block element by element, for instruction sets without a function of their
/// own.
pub(super) fn plain(block: Block<'_>) {
    let Block { from, mut to } = block;
    let mut j = 0;
    while let Some(row) = to.row(j) {
        for (i, to) in row.iter_mut().enumerate() {
            if let Some(from) = from.row(i) {
                *to = from[j];
            }
        }
        j += 1;
    }
}
