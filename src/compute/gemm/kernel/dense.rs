//! The operands of tiles of all k-indices, whose bounds are asserted when they are made.

use super::operands::{RawTiles, TileColumn, Tiles};
use super::views::{Steps, Tile};
use core::marker::PhantomData;

/// Tiles of one size, side by side or one below the other, whose operands lie inside
/// their slices. The caller's C is borrowed exclusively.
// A shared reference to the operands in spite of C: the compiler then takes them for
// constant while C is written.
pub(super) struct DenseTiles<'t> {
    operands: &'t Operands,
    c: PhantomData<&'t mut [f32]>,
}

/// The operands that [`DenseTiles`] refers to.
struct Operands {
    /// As the [contract](super) says, with `rows` rows in each tile and `before_last`
    /// elements of each row before the last vector.
    raw: RawTiles,
    rows: usize,
    before_last: usize,
    /// The lanes of the last vector of B's rows that may be read, if not only those that
    /// are inside the matrices; else 0.
    lanes_of_b: usize,
}

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

impl<'t> DenseTiles<'t> {
    /// Passes a row of tiles into `c`, whose row stride is `c_row`, to `compute`, together
    /// with their number of vectors: first those as wide as asked for, then the narrower
    /// one that is left. Vectors have `lanes` elements; where `partial_loads` is false, B
    /// is read up to whole vectors.
    ///
    /// # Panics
    /// Panics if an operand reaches beyond its slice.
    #[inline(always)]
    pub(super) fn for_row(
        tiles: &Tiles<'_>,
        (lanes, partial_loads): (usize, bool),
        (c, c_row): (&mut [f32], usize),
        mut compute: impl FnMut(usize, DenseTiles<'_>),
    ) {
        let bits = lanes.trailing_zeros();
        let (width, columns) = (tiles.width, tiles.columns);
        let cut = Cut::new(columns, width, lanes);
        // Strides of B: from row to row, from tile to tile, and in the narrower tile.
        let (b_row, b_tile, rest_row) = match tiles.b_stride {
            Some(row) => (row, width, row),
            None => (width, width * tiles.k, cut.rest_vectors << bits),
        };
        let rest_at = cut.whole * b_tile;
        tiles.assert_inside(
            (lanes, partial_loads),
            &cut,
            (b_row, b_tile),
            (rest_row, rest_at),
        );
        assert!(
            c.len() >= (tiles.rows - 1) * c_row + columns,
            "{}×{columns} beyond C",
            tiles.rows
        );
        let (in_b, in_c) = ((tiles.b, b_row), (c, c_row, columns));
        let mut raw = RawTiles {
            count: cut.count,
            b_tile_stride: b_tile,
            start_tile_stride: width,
            c_tile_stride: width,
            last_lanes: cut.last_lanes,
            ..RawTiles::new(tiles.k, lanes, tiles.a, in_b, tiles.start, in_c)
        };
        raw.fetch(tiles.ahead);
        let mut operands = Operands {
            raw,
            rows: tiles.rows,
            before_last: width - lanes,
            lanes_of_b: if partial_loads { 0 } else { lanes },
        };
        if cut.count > 0 {
            compute(width >> bits, DenseTiles::new(&mut operands));
        }
        if let Some(rest) = cut.rest {
            let raw = &mut operands.raw;
            raw.count = 1;
            raw.skip_columns(cut.whole * width, rest_at);
            raw.b_k_stride = rest_row;
            raw.ahead_lines = 0;
            operands.before_last = (cut.rest_vectors - 1) << bits;
            operands.raw.last_lanes = rest - operands.before_last;
            compute(cut.rest_vectors, DenseTiles::new(&mut operands));
        }
    }

    /// Passes a column of tiles into `c`, whose row stride is `c_row`, to `compute`. Vectors
    /// have `lanes` elements; B is read up to whole vectors if `whole_b`. What lies as far
    /// from `next` as rows of B from the first one may be fetched meanwhile.
    ///
    /// # Panics
    /// Panics if an operand reaches beyond its slice.
    pub(super) fn column(
        tiles: &TileColumn<'_>,
        (lanes, whole_b): (usize, bool),
        (c, c_row): (&mut [f32], usize),
        next: &[f32],
        compute: impl FnOnce(DenseTiles<'_>),
    ) {
        let TileColumn {
            count,
            rows,
            columns,
            k,
            ..
        } = *tiles;
        let whole = columns.next_multiple_of(lanes);
        let (last_row, last) = (count * rows - 1, k.saturating_sub(1));
        let in_a = last_row * tiles.a.row_stride + last * tiles.a.k_stride;
        let in_b = last * tiles.b_stride + if whole_b { whole } else { columns };
        assert!(
            c.len() >= last_row * c_row + columns
                && (k == 0 || tiles.a.data.len() > in_a && tiles.b.len() >= in_b),
            "{count} times {rows}×{k}×{columns} beyond an operand"
        );
        let before_last = whole - lanes;
        let (in_b, in_c) = ((tiles.b, tiles.b_stride), (c, c_row, columns));
        let partial = columns - before_last;
        let raw = RawTiles::new(k, partial, tiles.a, in_b, tiles.start, in_c);
        let mut operands = Operands {
            raw: RawTiles {
                count,
                a_tile_stride: rows * tiles.a.row_stride,
                start_tile_stride: rows * raw.start_row_stride,
                c_tile_stride: rows * c_row,
                ahead: next.as_ptr(),
                ..raw
            },
            rows,
            before_last,
            lanes_of_b: if whole_b { lanes } else { 0 },
        };
        compute(DenseTiles::new(&mut operands));
    }

    /// Tiles whose operands a constructor has asserted, and whose C it borrows exclusively.
    #[inline(always)]
    fn new(operands: &'t mut Operands) -> Self {
        let c = PhantomData;
        Self { operands, c }
    }

    /// The tiles, for a function of tiles of `R` rows and `V` vectors. Rows of B are read
    /// up to whole vectors if `WHOLE_B`.
    ///
    /// # Panics
    /// Panics if the tiles have another size, or rows of B do not reach so far.
    #[inline(always)]
    pub(super) fn of_size<
        const R: usize,
        const V: usize,
        const LANES: usize,
        const WHOLE_B: bool,
    >(
        self,
    ) -> SizedTiles<'t, R, V, LANES, WHOLE_B> {
        let Operands {
            rows,
            before_last,
            lanes_of_b,
            ..
        } = *self.operands;
        let is_whole_b = !WHOLE_B || lanes_of_b == LANES;
        if rows != R || before_last != (V - 1) * LANES || !is_whole_b {
            wrong_size(rows, before_last);
        }
        SizedTiles {
            raw: &self.operands.raw,
            next: 0,
            c: PhantomData,
        }
    }
}

/// Panics. Out of line: a message in each function would keep what it prints in memory.
#[cold]
#[inline(never)]
fn wrong_size(rows: usize, before_last: usize) -> ! {
    panic!("tiles of {rows} rows and {before_last} elements before the last vector");
}

/// Tiles of `R` rows and `V` vectors one after another.
pub(super) struct SizedTiles<
    't,
    const R: usize,
    const V: usize,
    const LANES: usize,
    const WHOLE_B: bool,
> {
    raw: &'t RawTiles,
    /// The place of the next tile among the tiles.
    next: usize,
    /// C is borrowed exclusively.
    c: PhantomData<&'t mut [f32]>,
}

impl<'t, const R: usize, const V: usize, const LANES: usize, const WHOLE_B: bool>
    SizedTiles<'t, R, V, LANES, WHOLE_B>
{
    /// Strides, and what to fetch ahead.
    #[inline(always)]
    pub(super) fn raw(&self) -> &'t RawTiles {
        self.raw
    }

    /// The next tile and its k-indices.
    #[inline(always)]
    pub(super) fn next_tile(&mut self) -> Option<(Tile<'_, R, V, LANES>, Steps<'_, R, V, LANES>)> {
        let (raw, at) = (self.raw, self.next);
        if at >= raw.count {
            return None;
        }
        self.next += 1;
        // SAFETY: the constructors of `DenseTiles` hold A, B, C and the start of each tile
        // below `count` inside their slices, of which C is an exclusive borrow, as `self`
        // is here. `of_size` asserts the size, and that rows of B are whole if `WHOLE_B`.
        unsafe {
            let tile = Tile::new(raw, at);
            let lanes_of_b = if WHOLE_B { LANES } else { tile.lanes() };
            Some((tile, Steps::new(raw, at, lanes_of_b)))
        }
    }
}

impl Tiles<'_> {
    /// Asserts that A and B hold all that a row of tiles reads. `b_row` and `b_tile` are
    /// the strides of B; the narrower tile begins at `rest_at` and has its own.
    #[inline(always)]
    fn assert_inside(
        &self,
        (lanes, partial_loads): (usize, bool),
        cut: &Cut,
        (b_row, b_tile): (usize, usize),
        (rest_row, rest_at): (usize, usize),
    ) {
        if self.k == 0 {
            return;
        }
        let last = self.k - 1;
        let read = |columns: usize| match partial_loads {
            true => columns,
            false => (columns + lanes - 1) & !(lanes - 1),
        };
        let in_a = (self.rows - 1) * self.a.row_stride + last * self.a.k_stride;
        let in_b = match (cut.count, cut.rest) {
            (_, Some(rest)) => rest_at + last * rest_row + read(rest),
            (0, None) => 0,
            (count, None) => {
                let columns = self.width - lanes + cut.last_lanes;
                (count - 1) * b_tile + last * b_row + read(columns)
            }
        };
        assert!(
            self.a.data.len() > in_a && self.b.len() >= in_b,
            "{}×{}×{} beyond A or B",
            self.rows,
            self.k,
            self.columns
        );
    }
}
