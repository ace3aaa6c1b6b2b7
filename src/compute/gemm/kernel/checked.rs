//! The safe methods of [`MicroKernel`]: each asserts that its operands lie inside their
//! slices, and then calls a function of the kernel's table.

use super::operands::{Column, Panel, RawTiles, SparseTiles, Tiles};
use super::{MicroKernel, narrow, transpose};
use crate::compute::gemm::params::LONG_B;
use crate::compute::gemm::ranges::Even;
use crate::compute::gemm::{SparseK, Start};
use crate::compute::matrix::{MatMut, MatRef};

/// A row of tiles: some of equal width, then perhaps a narrower one.
struct Cut {
    /// The number of tiles that are as wide as asked for, with all lanes full.
    whole: usize,
    /// The number of tiles with as many vectors as asked for: the whole ones, and one
    /// more if what is left has as many vectors.
    count: usize,
    /// Full lanes of the last vector of these tiles.
    last_lanes: usize,
    /// Columns of the narrower tile.
    rest: Option<usize>,
    /// Vectors of the columns that the whole tiles leave.
    rest_vectors: usize,
}

impl Cut {
    /// Cuts `columns` columns into tiles of `width` columns, which are whole vectors.
    #[inline(always)]
    fn new(columns: usize, width: usize, lanes: usize) -> Self {
        let bits = lanes.trailing_zeros();
        let vectors = width >> bits;
        // The division of 32 bits is the faster one on older processors, and blocks
        // have no more columns than that.
        let whole = (columns as u32 / width as u32) as usize;
        let left = columns - whole * width;
        let rest_vectors = (left + lanes - 1) >> bits;
        let rest = (rest_vectors != vectors)
            .then_some(left)
            .filter(|&rest| rest > 0);
        Self {
            whole,
            count: whole + usize::from(rest_vectors == vectors),
            last_lanes: match rest {
                None if left > 0 => left - ((vectors - 1) << bits),
                _ => lanes,
            },
            rest,
            rest_vectors,
        }
    }
}

impl MicroKernel {
    /// Computes a row of tiles into `c`, whose row stride is `c_row`.
    ///
    /// # Panics
    /// Panics if the kernel has no tile of that size, or if an operand reaches beyond
    /// its slice.
    #[inline]
    pub(crate) fn tiles(self, tiles: &Tiles<'_>, c: &mut [f32], c_row: usize) {
        let (lanes, bits) = (self.0.lanes, self.0.lanes.trailing_zeros());
        let (width, columns) = (tiles.width, tiles.columns);
        let functions = self.0.tiles[tiles.rows - 1];
        let cut = Cut::new(columns, width, lanes);
        // Strides of B: from row to row, from tile to tile, and in the narrower tile.
        let (b_row, b_tile, rest_row) = match tiles.b_stride {
            Some(row) => (row, width, row),
            None => (width, width * tiles.k, cut.rest_vectors << bits),
        };
        let rest_at = cut.whole * b_tile;
        self.assert_inside(tiles, &cut, (b_row, b_tile), (rest_row, rest_at));
        assert!(
            c.len() >= (tiles.rows - 1) * c_row + columns,
            "{}×{columns} beyond C",
            tiles.rows
        );
        let target = (c, c_row, columns);
        let mut raw = RawTiles {
            count: cut.count,
            b_tile_stride: b_tile,
            start_tile_stride: width,
            c_tile_stride: width,
            last_lanes: cut.last_lanes,
            ..RawTiles::new(
                tiles.k,
                lanes,
                tiles.a,
                (tiles.b, b_row),
                tiles.start,
                target,
            )
        };
        raw.fetch(tiles.ahead);
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has
        // the instructions. A and B hold their last elements by `assert_inside`, C by
        // the assertion above and a row to start from by `RawTiles::new`. `c` is an
        // exclusive borrow, so C overlaps none of the others, but may be the start.
        unsafe {
            if cut.count > 0 {
                functions[(width >> bits) - 1](&raw);
            }
            if let Some(rest) = cut.rest {
                raw.count = 1;
                raw.skip_columns(cut.whole * width, rest_at);
                raw.b_k_stride = rest_row;
                raw.last_lanes = rest - ((cut.rest_vectors - 1) << bits);
                raw.ahead_lines = 0;
                functions[cut.rest_vectors - 1](&raw);
            }
        }
    }

    /// Asserts that A and B hold all that a row of tiles reads. `b_row` and `b_tile` are
    /// the strides of B; the narrower tile begins at `rest_at` and has its own.
    #[inline(always)]
    fn assert_inside(
        self,
        tiles: &Tiles<'_>,
        cut: &Cut,
        (b_row, b_tile): (usize, usize),
        (rest_row, rest_at): (usize, usize),
    ) {
        if tiles.k == 0 {
            return;
        }
        let (lanes, last) = (self.0.lanes, tiles.k - 1);
        let read = |columns: usize| match self.0.partial_loads {
            true => columns,
            false => (columns + lanes - 1) & !(lanes - 1),
        };
        let in_a = (tiles.rows - 1) * tiles.a.row_stride + last * tiles.a.k_stride;
        let in_b = match (cut.count, cut.rest) {
            (_, Some(rest)) => rest_at + last * rest_row + read(rest),
            (0, None) => 0,
            (count, None) => {
                let columns = tiles.width - lanes + cut.last_lanes;
                (count - 1) * b_tile + last * b_row + read(columns)
            }
        };
        assert!(
            tiles.a.data.len() > in_a && tiles.b.len() >= in_b,
            "{}×{}×{} beyond A or B",
            tiles.rows,
            tiles.k,
            tiles.columns
        );
    }

    /// Computes a column of tiles into `c`, whose row stride is `c_row`.
    ///
    /// # Panics
    /// Panics if the kernel has no panels, no tile of that size, or if an operand
    /// reaches beyond its slice.
    pub(crate) fn column(self, tiles: &Column<'_>, panel: Panel<'_>, c: &mut [f32], c_row: usize) {
        let Column {
            rows, columns, k, ..
        } = *tiles;
        let vectors = columns.div_ceil(self.0.lanes);
        let (compute, pack) = self.0.panels[rows - 1][vectors - 1];
        let (last_row, whole) = (tiles.count * rows - 1, vectors * self.0.lanes);
        let is_inside = match &panel {
            Panel::Packed => k == 0 || tiles.b.len() >= (k - 1) * tiles.b_stride + whole,
            Panel::Pack { panel, .. } => {
                panel.len() >= k * whole
                    && (k == 0 || tiles.b.len() >= (k - 1) * tiles.b_stride + columns)
            }
        };
        let in_a = last_row * tiles.a.row_stride + k.saturating_sub(1) * tiles.a.k_stride;
        assert!(
            is_inside
                && c.len() >= last_row * c_row + columns
                && (k == 0 || tiles.a.data.len() > in_a),
            "{} times {rows}×{k}×{columns} beyond an operand",
            tiles.count
        );
        let b = (tiles.b, tiles.b_stride);
        let lanes = columns - (vectors - 1) * self.0.lanes;
        let mut raw = RawTiles::new(k, lanes, tiles.a, b, tiles.start, (c, c_row, columns));
        raw.count = tiles.count;
        raw.a_tile_stride = rows * tiles.a.row_stride;
        raw.start_tile_stride = rows * raw.start_row_stride;
        raw.c_tile_stride = rows * c_row;
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has
        // the instructions. The assertion holds the last elements of A, of B or the
        // panel, and of C inside their slices, `RawTiles::new` that of a row to start
        // from. The panel and `c` are exclusive borrows, so they overlap nothing, but C
        // may be the start.
        unsafe {
            if let Panel::Pack { panel, next } = panel {
                raw.ahead = next.as_ptr();
                pack(&raw, panel.as_mut_ptr());
                raw.count -= 1;
                if raw.count == 0 {
                    return;
                }
                raw.skip_rows(rows);
                raw.b = panel.as_ptr();
                raw.b_k_stride = whole;
            }
            compute(&raw);
        }
    }

    /// Computes the terms of listed k-indices into `c`, whose row stride is `c_row`.
    ///
    /// # Panics
    /// Panics if an operand reaches beyond its slice, if a k-index may be beyond k, or
    /// if there are lists for more or fewer rows.
    #[inline]
    pub(crate) fn sparse_k(self, tiles: &SparseTiles<'_>, c: &mut [f32], c_row: usize) {
        let SparseTiles {
            rows,
            columns,
            lists,
            ..
        } = *tiles;
        if rows == 0 || columns == 0 {
            return;
        }
        tiles.assert_inside(c, c_row);
        let b = (tiles.b, tiles.b_stride);
        let lanes = self.0.lanes;
        let mut raw = RawTiles::new(0, lanes, tiles.a, b, tiles.start, (c, c_row, columns));
        // Where B comes from L2, and L2 is slow enough for that to count.
        let is_far = self.has_panels() && tiles.k * tiles.b_stride > LONG_B;
        raw.ahead_lines = usize::from(is_far);
        // Lists of as many rows as a tile has are taken in one call.
        let together = match lists.rows() <= self.0.sparse.len() {
            true => rows / lists.rows(),
            false => 0,
        };
        // SAFETY: `SparseTiles::assert_inside` holds the last elements of A, B and C
        // inside their slices, `RawTiles::new` that of a row to start from; `c` is an
        // exclusive borrow. Each call moves on by as many rows as it has computed, and
        // all of them together compute `rows`, as many as there are lists for.
        unsafe {
            if together > 0 {
                self.sparse_rows(&mut raw, lists.rows(), columns, lists.lists(0..together));
            }
            for list in together..lists.len() {
                let group = lists.rows().min(rows - list * lists.rows());
                for (_, rows) in Even::new(group, self.0.sparse.len()) {
                    self.sparse_rows(&mut raw, rows, columns, lists.lists(list..list + 1));
                }
            }
        }
    }

    /// Computes tiles of `rows` rows for each of the lists, and moves `raw` on to the
    /// rows below.
    ///
    /// # Safety
    /// All that `raw` describes of `rows` rows for each list and of `columns` columns,
    /// at the k-indices of the lists, lies inside live allocations, and C overlaps
    /// nothing but the start.
    #[inline]
    unsafe fn sparse_rows(
        self,
        raw: &mut RawTiles,
        rows: usize,
        columns: usize,
        lists: SparseK<'_>,
    ) {
        let lanes = self.0.lanes;
        let functions = self.0.sparse[rows - 1];
        let width = functions.len() * lanes;
        let (whole, rest) = (columns / width, columns % width);
        (raw.b_tile_stride, raw.start_tile_stride, raw.c_tile_stride) = (width, width, width);
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has
        // the instructions. `whole` tiles and the narrower one are `columns` columns,
        // which `# Safety` places inside live allocations.
        unsafe {
            if whole > 0 {
                raw.count = whole;
                functions[functions.len() - 1](raw, lists);
            }
            if rest > 0 {
                let (at, vectors) = (whole * width, rest.div_ceil(lanes));
                let mut raw = RawTiles { count: 1, ..*raw };
                raw.skip_columns(at, at);
                raw.last_lanes = rest - (vectors - 1) * lanes;
                functions[vectors - 1](&raw, lists);
            }
        }
        // Past the last rows the pointers point nowhere, and are not used.
        raw.skip_rows(rows * lists.len());
    }

    /// Computes a product with few columns, of an A and a B whose rows are contiguous,
    /// into `c`. `fetch` fetches later rows of A into the caches meanwhile.
    ///
    /// # Panics
    /// Panics if [`MicroKernel::has_narrow`] says no, if the shapes differ, or if rows
    /// are not contiguous.
    pub(crate) fn narrow(
        self,
        a: MatRef<'_>,
        b: MatRef<'_>,
        start: Start<'_>,
        c: &mut MatMut<'_>,
        fetch: bool,
    ) {
        let (rows, k, n) = (a.rows(), a.cols(), b.cols());
        assert!(
            a.col_stride() == 1 && b.col_stride() == 1 && b.rows() == k,
            "rows that are not contiguous"
        );
        assert!(c.rows() == rows && c.cols() == n, "another shape of C");
        let c_row = c.row_stride();
        let to = c.tail_mut(0, 0).as_mut_ptr();
        let (start, start_row) = start.locate(to, c_row, n);
        let function = self.0.narrow[n - 1];
        let rows = narrow::Rows {
            rows,
            k,
            a: a.tail(0, 0).as_ptr(),
            a_row: a.row_stride(),
            b: b.tail(0, 0).as_ptr(),
            b_row: b.row_stride(),
            start,
            start_row,
            c: to,
            c_row,
            fetch,
        };
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has
        // the instructions. A `MatRef` or `MatMut` holds all its elements, the
        // assertions make their shapes fit together, `Start::locate` holds a row to
        // start from to n elements, and `c` is an exclusive borrow.
        unsafe { function(&rows) }
    }

    /// Transposes a block of `rows × columns` elements, neither more than the vector has
    /// lanes, with row stride `from_row`, into rows `to_row` apart.
    ///
    /// # Panics
    /// Panics if the block is larger or reaches beyond a slice.
    #[inline]
    pub(crate) fn transpose(
        self,
        (rows, columns): (usize, usize),
        (from, from_row): (&[f32], usize),
        (to, to_row): (&mut [f32], usize),
    ) {
        assert!(
            (1..=self.0.lanes).contains(&rows)
                && (1..=self.0.lanes).contains(&columns)
                && from.len() >= (rows - 1) * from_row + columns
                && to.len() >= (columns - 1) * to_row + rows,
            "transposed block of {rows}×{columns}"
        );
        let block = transpose::Block {
            from: from.as_ptr(),
            from_row,
            rows,
            columns,
            to: to.as_mut_ptr(),
            to_row,
        };
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has
        // the instructions, and the assertion holds the last elements of both blocks
        // inside their slices, of which `to` is an exclusive borrow.
        unsafe { (self.0.transpose)(&block) }
    }
}

impl SparseTiles<'_> {
    /// Asserts that the operands hold all that is read and written, and that there are
    /// lists for all rows. There is at least one row and one column.
    #[inline(always)]
    fn assert_inside(&self, c: &[f32], c_row: usize) {
        let Self {
            rows,
            columns,
            k,
            lists,
            a,
            ..
        } = *self;
        let (last_row, last_column) = (rows - 1, columns - 1);
        assert!(
            c.len() > last_row * c_row + last_column,
            "{rows}×{columns} beyond C"
        );
        assert!(lists.k() <= k, "k-indices below {} of {k}", lists.k());
        let expected = rows.div_ceil(lists.rows());
        assert!(
            lists.len() == expected,
            "{} lists of k-indices for {expected}",
            lists.len()
        );
        if !lists.is_empty() {
            assert!(
                a.data.len() > last_row * a.row_stride + (k - 1) * a.k_stride
                    && self.b.len() > (k - 1) * self.b_stride + last_column,
                "{rows}×{k}×{columns} beyond A or B"
            );
        }
    }
}
