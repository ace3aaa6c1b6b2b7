//! The safe methods of [`MicroKernel`]: each asserts that its operands lie inside their
//! slices, and then calls a function of the kernel's table.

use super::dense::DenseTiles;
use super::operands::{Panel, RawTiles, SparseTiles, Strided, TileColumn, Tiles};
use super::{MicroKernel, narrow, transpose};
use crate::compute::gemm::params::LONG_B;
use crate::compute::gemm::ranges::Even;
use crate::compute::gemm::{SparseK, Start};
use crate::compute::matrix::{MatMut, MatRef};

impl MicroKernel {
    /// Computes a row of tiles into `c`, whose row stride is `c_row`.
    ///
    /// # Panics
    /// Panics if the kernel has no tile of that size, or if an operand reaches beyond
    /// its slice.
    #[inline]
    pub(crate) fn tiles(self, tiles: &Tiles<'_>, c: &mut [f32], c_row: usize) {
        let functions = self.0.tiles[tiles.rows - 1];
        let vectors = (self.0.lanes, self.0.partial_loads);
        DenseTiles::for_row(tiles, vectors, (c, c_row), |vectors, tiles| {
            self.call(functions[vectors - 1], tiles);
        });
    }

    /// Computes a column of tiles into `c`, whose row stride is `c_row`.
    ///
    /// # Panics
    /// Panics if the kernel has no panels, no tile of that size, or if an operand
    /// reaches beyond its slice.
    pub(crate) fn column(
        self,
        tiles: &TileColumn<'_>,
        panel: Panel<'_>,
        c: &mut [f32],
        c_row: usize,
    ) {
        let lanes = self.0.lanes;
        let vectors = tiles.columns.div_ceil(lanes);
        let (compute, pack) = self.0.panels[tiles.rows - 1][vectors - 1];
        let compute = |tiles: DenseTiles<'_>| self.call(compute, tiles);
        let Panel::Pack { panel, next } = panel else {
            return DenseTiles::column(tiles, (lanes, true), (c, c_row), &[], compute);
        };
        let first = TileColumn { count: 1, ..*tiles };
        DenseTiles::column(&first, (lanes, false), (&mut *c, c_row), next, |first| {
            self.call(pack, (first, panel));
        });
        if tiles.count > 1 {
            let a = tiles.a;
            let below = TileColumn {
                count: tiles.count - 1,
                a: Strided {
                    data: &a.data[tiles.rows * a.row_stride..],
                    ..a
                },
                b: panel,
                b_stride: vectors * lanes,
                ..*tiles
            };
            let c = &mut c[tiles.rows * c_row..];
            DenseTiles::column(&below, (lanes, true), (c, c_row), &[], compute);
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
        let function = self.0.narrow[b.cols() - 1];
        let mut operands = narrow::NarrowOperands::new(a, b, start, c, fetch);
        self.call(function, narrow::NarrowProduct::new(&mut operands));
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
        let lanes = self.0.lanes;
        assert!(
            rows <= lanes && columns <= lanes,
            "transposed block of {rows}×{columns}"
        );
        let block = transpose::Block::new((rows, columns), (from, from_row), (to, to_row));
        self.call(self.0.transpose, block);
    }

    /// Calls a function of the table that needs nothing but the instructions.
    #[inline(always)]
    fn call<T>(self, function: unsafe fn(T), operands: T) {
        // SAFETY: `MicroKernel::of` takes an `Isa`, which proves that the machine has the
        // instructions, and the operands' types hold what else a function relies on.
        unsafe { function(operands) }
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
