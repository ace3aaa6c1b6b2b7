//! The operands of micro-kernels: slices and strides as the loops over blocks describe
//! them, and [`RawTiles`], the pointers and strides that the kernels take.

use crate::compute::aligned::CACHE_LINE;
use crate::compute::gemm::{SparseK, Start};

/// A matrix in a slice, at any strides: the element in row `i` and at k-index `p` is at
/// `i · row_stride + p · k_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) k_stride: usize,
}

/// The operands of a row of tiles, side by side: some rows of C.
pub(crate) struct Tiles<'a> {
    /// Rows of A and C, and of each tile.
    pub(crate) rows: usize,
    /// Columns of B and C.
    pub(crate) columns: usize,
    /// Columns of a tile, whole vectors; the last tile may have fewer.
    pub(crate) width: usize,
    /// The number of k-indices; may be 0.
    pub(crate) k: usize,
    /// `rows × k`.
    pub(crate) a: Strided<'a>,
    /// `k × columns`.
    pub(crate) b: &'a [f32],
    /// The row stride of B; `None` if B is packed in panels as wide as a tile, the last
    /// one as wide as the whole vectors of its columns.
    pub(crate) b_stride: Option<usize>,
    pub(crate) start: Start<'a>,
    pub(crate) ahead: Ahead,
}

/// The operands of a column of tiles, one below the other: some columns of C.
pub(crate) struct TileColumn<'a> {
    /// The number of tiles.
    pub(crate) count: usize,
    /// Rows of each tile.
    pub(crate) rows: usize,
    /// Columns of B and C, at most as many as a tile has.
    pub(crate) columns: usize,
    /// The number of k-indices; may be 0.
    pub(crate) k: usize,
    /// `count · rows × k`.
    pub(crate) a: Strided<'a>,
    /// `k × columns`.
    pub(crate) b: &'a [f32],
    /// The row stride of B.
    pub(crate) b_stride: usize,
    pub(crate) start: Start<'a>,
}

/// Whether the B of a column of tiles is packed.
pub(crate) enum Panel<'a> {
    /// The rows of B are whole vectors and stay in L1.
    Packed,
    /// The first tile packs the rows of B into `panel`, `k` rows of whole vectors one
    /// after another, while the rows of B from `next` on are fetched into the caches.
    Pack {
        panel: &'a mut [f32],
        next: &'a [f32],
    },
}

/// The operands of tiles that take some k-indices only.
pub(crate) struct SparseTiles<'a> {
    /// Rows of A and C.
    pub(crate) rows: usize,
    /// Columns of B and C.
    pub(crate) columns: usize,
    /// Exclusive upper bound of all k-indices.
    pub(crate) k: usize,
    /// The k-indices that are taken, for each few rows of C a list.
    pub(crate) lists: SparseK<'a>,
    /// `rows × k`.
    pub(crate) a: Strided<'a>,
    /// `k × columns`.
    pub(crate) b: &'a [f32],
    /// The row stride of B.
    pub(crate) b_stride: usize,
    pub(crate) start: Start<'a>,
}

/// A block of memory that later tiles will touch, to be fetched into the caches
/// meanwhile.
///
/// A prefetch is a hint and reads nothing, so the block borrows nothing and need not
/// lie inside an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    first: *const f32,
    rows: usize,
    /// Cache lines of a row, at least one.
    row_lines: usize,
    /// Elements from the end of a row's last cache line to the next row.
    gap: usize,
}

impl Ahead {
    /// No block: nothing is fetched.
    pub(crate) const NONE: Self = Self {
        first: core::ptr::null(),
        rows: 0,
        row_lines: 1,
        gap: 0,
    };

    /// A block of `rows × columns` elements, whose first is that of `data` and whose
    /// rows are `row_stride` apart.
    pub(crate) fn new(data: &[f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        if data.is_empty() || rows == 0 {
            return Self::NONE;
        }
        let row_lines = columns.div_ceil(CACHE_LINE).max(1);
        if row_stride > row_lines * CACHE_LINE {
            let gap = row_stride - row_lines * CACHE_LINE;
            let first = data.as_ptr();
            return Self {
                first,
                rows,
                row_lines,
                gap,
            };
        }
        // Rows that leave out no cache line are one.
        Self {
            first: data.as_ptr(),
            rows: 1,
            row_lines: (rows * row_stride).div_ceil(CACHE_LINE).max(1),
            gap: 0,
        }
    }
}

/// The operands of tiles that lie side by side or one below the other, as the kernels
/// take them: pointers, and strides in elements. See the [contract](super).
///
/// All fields are as wide as a register and are read one by one. A load that spans
/// several fields that were just stored would wait for all stores before them, among
/// them those of the last tile.
#[derive(Clone, Copy)]
pub(super) struct RawTiles {
    /// The number of tiles.
    pub(super) count: usize,
    /// The number of k-indices; unused where they are listed.
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) a_row_stride: usize,
    pub(super) a_k_stride: usize,
    pub(super) a_tile_stride: usize,
    pub(super) b: *const f32,
    pub(super) b_k_stride: usize,
    pub(super) b_tile_stride: usize,
    /// Null for zero.
    pub(super) start: *const f32,
    pub(super) start_row_stride: usize,
    pub(super) start_tile_stride: usize,
    pub(super) c: *mut f32,
    pub(super) c_row_stride: usize,
    pub(super) c_tile_stride: usize,
    /// Lanes of a tile's last vector that are inside the matrices, at least one.
    pub(super) lanes: usize,
    /// Lanes of the last tile's last vector that are inside the matrices, at least one.
    pub(super) last_lanes: usize,
    /// The next cache line to fetch ahead.
    pub(super) ahead: *const f32,
    /// Cache lines to fetch ahead for every [`CACHE_LINE`] k-indices. Where k-indices
    /// are listed, not 0 if later rows of B are fetched ahead.
    pub(super) ahead_lines: usize,
    /// Cache lines of a row of the block that is fetched ahead.
    pub(super) ahead_row_lines: usize,
    /// Elements between the rows of that block.
    pub(super) ahead_gap: usize,
}

impl RawTiles {
    /// One tile, and nothing fetched ahead. The caller sets what differs.
    ///
    /// `lanes` are those of the last vector, `b` comes with the stride from one k-index
    /// to the next, `c` with its row stride and its number of columns.
    ///
    /// # Panics
    /// Panics if the start is a row with fewer elements than C has columns.
    // Inlined: the fields are stored once, where the kernel reads them.
    #[inline(always)]
    pub(super) fn new(
        k: usize,
        lanes: usize,
        a: Strided<'_>,
        (b, b_k_stride): (&[f32], usize),
        start: Start<'_>,
        (c, c_row_stride, columns): (&mut [f32], usize, usize),
    ) -> Self {
        let c = c.as_mut_ptr();
        let (start, start_row_stride) = start.locate(c, c_row_stride, columns);
        Self {
            count: 1,
            k,
            a: a.data.as_ptr(),
            a_row_stride: a.row_stride,
            a_k_stride: a.k_stride,
            a_tile_stride: 0,
            b: b.as_ptr(),
            b_k_stride,
            b_tile_stride: 0,
            start,
            start_row_stride,
            start_tile_stride: 0,
            c,
            c_row_stride,
            c_tile_stride: 0,
            lanes,
            last_lanes: lanes,
            ahead: core::ptr::null(),
            ahead_lines: 0,
            ahead_row_lines: 0,
            ahead_gap: 0,
        }
    }

    /// Fetches a block into the caches, shared out evenly over all tiles.
    #[inline(always)]
    pub(super) fn fetch(&mut self, ahead: Ahead) {
        self.ahead = ahead.first;
        self.ahead_lines = if ahead.rows == 0 || self.k == 0 {
            0
        } else {
            let times = self.count.max(1) * self.k.div_ceil(CACHE_LINE);
            (ahead.rows * ahead.row_lines).div_ceil(times)
        };
        self.ahead_row_lines = ahead.row_lines;
        self.ahead_gap = ahead.gap;
    }

    /// Moves on to tiles that begin `columns` columns further right, `in_b` elements
    /// further in B.
    #[inline(always)]
    pub(super) fn skip_columns(&mut self, columns: usize, in_b: usize) {
        self.b = self.b.wrapping_add(in_b);
        self.c = self.c.wrapping_add(columns);
        if !self.start.is_null() {
            self.start = self.start.wrapping_add(columns);
        }
    }

    /// Moves on to tiles that begin `rows` rows further down.
    #[inline(always)]
    pub(super) fn skip_rows(&mut self, rows: usize) {
        self.a = self.a.wrapping_add(rows * self.a_row_stride);
        // From a start that is null the stride is 0.
        self.start = self.start.wrapping_add(rows * self.start_row_stride);
        self.c = self.c.wrapping_add(rows * self.c_row_stride);
    }
}

impl Start<'_> {
    /// A pointer to the start values of C's first row, null for zero, and the stride from
    /// one row to the next. `c` points to the first row of C, `c_row_stride`
    /// is its row stride.
    ///
    /// # Panics
    /// Panics if the start is a row of fewer than `columns` elements.
    #[inline(always)]
    pub(super) fn locate(
        self,
        c: *const f32,
        c_row_stride: usize,
        columns: usize,
    ) -> (*const f32, usize) {
        match self {
            Self::Zero => (core::ptr::null(), 0),
            Self::C => (c, c_row_stride),
            Self::Row(row) => {
                assert!(row.len() >= columns, "a start of {}", row.len());
                (row.as_ptr(), 0)
            }
        }
    }
}
