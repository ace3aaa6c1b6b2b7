//! Micro-kernels: tiles of C in registers, the innermost part of every product.
//!
//! This page is the contract between the loops over blocks, which know shapes and
//! caches, and the kernels, which know registers and nothing else. The loops call the
//! safe methods of [`MicroKernel`] (`checked.rs`), which call a function out of the
//! [`Kernel`] table of the instruction set. Whatever such a function may rely on is written
//! here.
//!
//! # Where `unsafe` is
//! Calling a function of the table requires that the machine has the instructions, which an
//! `Isa` proves. All but those of listed k-indices ([`Kernel::sparse`]) require nothing else
//! and are safe code: the types of their operands hold the rest, since their constructors
//! assert that the operands lie inside their slices. A [`ComputeSparse`] function takes
//! pointers, so its caller, `checked.rs`, must also have asserted their bounds.
//!
//! | operands | asserted in | seen as |
//! |---|---|---|
//! | [`DenseTiles`], all k-indices | `dense.rs` | rows, columns and tiles of `views.rs` |
//! | [`narrow::NarrowProduct`], few columns | `narrow.rs` | arrays and rows |
//! | [`transpose::Block`] | `transpose.rs` | rows |
//! | [`RawTiles`] and lists of k-indices | `checked.rs` | pointers; `sparse.rs` is `unsafe` |
//!
//! These views read through pointers, since a slice at each k-index would be compared with
//! its bounds. The files of the instruction sets take arrays and slices, and are `unsafe`
//! where an intrinsic loads or stores through a pointer.
//!
//! # Types of tiles
//!
//! | type | file | what it describes | made by |
//! |---|---|---|---|
//! | [`Tiles`] | `operands.rs` | a row of tiles, side by side: slices and strides | the loops over blocks |
//! | [`TileColumn`] | `operands.rs` | a column of tiles, one below the other: slices and strides | the loops over blocks |
//! | [`SparseTiles`] | `operands.rs` | tiles of listed k-indices: slices, strides and lists | the loops over blocks |
//! | [`RawTiles`] | `operands.rs` | tiles of one size: pointers and strides, nothing asserted | `dense.rs`, `checked.rs` |
//! | [`DenseTiles`] | `dense.rs` | [`RawTiles`] whose bounds are asserted | [`Tiles`] or [`TileColumn`] |
//! | `SizedTiles` | `dense.rs` | [`DenseTiles`] whose size is known to the compiler | the function of the table |
//! | `Tile` | `views.rs` | one tile of C and its start | `SizedTiles`, or a loop over a list |
//!
//! # A tile
//! A tile is R rows and V vectors of C, all in registers. It computes
//!
//! ```text
//! acc[i][j] = start[i][j]                           or 0
//! for p in 0..k:    acc[i][j] = a[i][p] · b[p][j] + acc[i][j]
//! c[i][j] = acc[i][j]
//! ```
//!
//! Each `acc[i][j]` is one chain in ascending order of p (or in the order of a list),
//! each link rounded as `Isa::is_fused` says, so that all kernels of a class give the
//! same bits. Zero times anything is computed like all else: infinities and NaN spread
//! as the definition says.
//!
//! # Operands
//! [`RawTiles`] describes `count` tiles of one size. Distances are in
//! elements. In tile `t`
//! * the element of A in row `i` at k-index `p` is at
//!   `a + t·a_tile_stride + i·a_row_stride + p·a_k_stride`. It is broadcast from where it
//!   lies, at any strides, so A need not be packed;
//! * the row of B of k-index `p` begins at `b + t·b_tile_stride + p·b_k_stride`. Its
//!   elements are contiguous, row-major or in a packed panel;
//! * row `i` of C begins at `c + t·c_tile_stride + i·c_row_stride` and is contiguous;
//! * row `i` of the start begins at `start + t·start_tile_stride + i·start_row_stride`.
//!
//! *Alignment*: none is required beyond that of `f32`.
//!
//! *The start* may be null: chains start from 0, and C is not read. It may be C itself at
//! the same strides, and is then read before the tile is written. A row stride of 0
//! starts all rows from the same one.
//!
//! *Aliasing*: C overlaps neither A nor B, nor the start unless it is the start. A, B
//! and the start may overlap each other.
//!
//! *k = 0*: A and B are not read and need not be there; C becomes the start.
//!
//! *Prefetch hints*: `ahead` is fetched, not read. It may point anywhere.
//!
//! Narrow products and transposes have operands of their own. A narrow product follows the
//! rules of the start, of aliasing and of k = 0 above; its N columns are part of the function,
//! and in place of rows of A beyond the last the last is read, whose sums are thrown away. A
//! block to transpose has no k, at least one element and any size up to the vector's; `to`
//! does not overlap `from`, and nothing beyond either is read or written.
//!
//! # Partial vectors
//! Of the last vector of each tile only the first `lanes` are inside the matrices, of the
//! last tile's only `last_lanes`; both are from 1 to the length of a vector.
//! * Lanes of C and of the start beyond them are neither read nor written.
//! * Lanes of B beyond them are not read where [`Kernel::partial_loads`] is true. Where it
//!   is false, each row of B must be readable up to a whole number of vectors, and what is
//!   read there does not matter. Two families have rules of their own: tiles out of packed
//!   panels always read whole vectors, which packing fills with zeros, and tiles that pack a
//!   panel or take listed k-indices never read beyond the lanes.
//! * Their sums are computed and thrown away.
//!
//! # The functions of an instruction set
//! Its file defines the registers, and the macros of `tile.rs`, `sparse.rs` and `panel.rs`
//! the tiles out of them:
//!
//! | item | what it is |
//! |---|---|
//! | `Vector`, `LANES` | a vector of `f32`, and how many (a power of two) |
//! | `PARTIAL_LOADS` | whether a partial vector of B costs no more to load than a whole one: [`Kernel::partial_loads`] |
//! | `FREE_MASKS` | whether a partial vector is stored as fast as a whole one, too |
//! | `zero()`, `splat(x)`, `mul_add(a, b, c)` | `0`, `x` and `a·b + c` in each lane |
//! | `prefetch(p)` | a hint that the cache line of `p` will be read; may do nothing |
//! | `load(from)`, `store(to, x)` | a whole vector, from or to an array of `LANES` elements |
//! | `load_part(from)`, `store_part(to, x)` | as many of the first lanes as the slice has elements, from 1 to `LANES`; other lanes are loaded as zeros |
//!
//! Where masks are not free, tiles whose last vector is *direct* (whole) have a loop of
//! their own, without a branch.
//!
//! The [`Kernel`] table then lists the sizes that the registers allow:
//! [`tiles`](Kernel::tiles) that lie side by side, [`sparse`](Kernel::sparse) ones whose
//! k-indices are listed, and, where it pays, tiles out of packed [`panels`](Kernel::panels)
//! of B and [`narrow`](Kernel::narrow) products. `tests/mod.rs` tests every entry of it.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod checked;
mod dense;
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has the registers")
)]
mod narrow;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
mod operands;
mod panel;
mod portable;
mod sparse;
mod tile;
mod transpose;
mod views;

use super::SparseK;
use crate::compute::isa::{InstructionSet, Isa};
use dense::DenseTiles;
use operands::RawTiles;
pub(super) use operands::{Ahead, Panel, SparseTiles, Strided, TileColumn, Tiles};

/// Maximum number of rows of a tile of any kernel.
pub(super) const MAX_ROWS: usize = 14;

/// Computes tiles.
///
/// # Safety
/// The machine has the instructions.
type ComputeTiles = unsafe fn(DenseTiles<'_>);

/// Computes the first tile and packs the panel of B that it reads, `k` rows of whole
/// vectors one after another, with zeros in the lanes beyond B.
///
/// # Safety
/// As for [`ComputeTiles`].
type PackingTile = unsafe fn((DenseTiles<'_>, &mut [f32]));

/// Computes tiles of listed k-indices: a row of tiles for each list, one below the other.
/// All tiles are as wide as the last one.
///
/// # Safety
/// The machine has the instructions, and the operands are as the [contract](self) says, at
/// the k-indices of the lists and for as many rows as there are lists.
type ComputeSparse = unsafe fn(&RawTiles, SparseK<'_>);

/// The table of an instruction set's micro-kernels.
pub(super) struct Kernel {
    /// The elements of a vector: a power of two.
    lanes: usize,
    /// Whether a partial vector of B costs no more to load than a whole one. Where it
    /// does, each row of B must be readable up to a whole number of vectors.
    partial_loads: bool,
    /// For each number of rows from 1 on, the tiles of 1, 2, … vectors.
    tiles: &'static [&'static [ComputeTiles]],
    /// Tiles one below the other out of a packed panel of B, whose rows are whole vectors,
    /// indexed as `tiles`; empty where packing B does not pay.
    panels: &'static [&'static [(ComputeTiles, PackingTile)]],
    /// Tiles of listed k-indices, indexed as `tiles`.
    sparse: &'static [&'static [ComputeSparse]],
    /// The number of rows of A that best share a list of k-indices.
    rows_per_list: usize,
    /// Transposes a block of at most `lanes × lanes` elements.
    transpose: unsafe fn(transpose::Block<'_>),
    /// For 1, 2, … columns of C, products of contiguous rows whose vectors are along the
    /// columns of C; empty where registers are too few for it.
    narrow: &'static [unsafe fn(narrow::NarrowProduct<'_>)],
}

/// The micro-kernels of an instruction set that this machine has: an [`Isa`] proves it.
#[derive(Clone, Copy)]
pub(super) struct MicroKernel(&'static Kernel);

impl MicroKernel {
    /// The micro-kernels of an instruction set.
    pub(super) fn of(isa: Isa) -> Self {
        Self(match isa.instruction_set() {
            InstructionSet::Portable => &portable::KERNEL,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => &avx2::KERNEL,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => &avx512::KERNEL,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            InstructionSet::Neon => &neon::KERNEL,
            other => unreachable!("{other} on another architecture"),
        })
    }

    /// The elements of a vector.
    pub(super) fn lanes(self) -> usize {
        self.0.lanes
    }

    /// Maximum number of rows of a tile.
    pub(super) fn max_rows(self) -> usize {
        self.0.tiles.len()
    }

    /// Maximum number of columns of a tile of `rows` rows.
    pub(super) fn max_columns(self, rows: usize) -> usize {
        self.0.tiles[rows - 1].len() * self.0.lanes
    }

    /// The number of rows of A that best share a list of k-indices.
    pub(super) fn rows_per_list(self) -> usize {
        self.0.rows_per_list
    }

    /// Whether there are tiles out of packed panels of B.
    pub(super) fn has_panels(self) -> bool {
        !self.0.panels.is_empty()
    }

    /// Columns of a panel of B; 0 if there are none.
    pub(super) fn panel_columns(self) -> usize {
        self.0.panels.first().map_or(0, |tiles| tiles.len()) * self.0.lanes
    }

    /// Maximum number of rows of a tile out of a panel of `columns` columns.
    pub(super) fn panel_rows(self, columns: usize) -> usize {
        let vectors = columns.div_ceil(self.0.lanes);
        let has_tiles = |tiles: &&&[_]| tiles.len() >= vectors;
        self.0.panels.iter().take_while(has_tiles).count()
    }

    /// Whether [`MicroKernel::narrow`] knows products with `columns` columns.
    pub(super) fn has_narrow(self, columns: usize) -> bool {
        columns <= self.0.narrow.len()
    }

    /// Whether rows of B must be readable up to a whole number of vectors.
    pub(super) fn wants_whole_vectors(self) -> bool {
        !self.0.partial_loads
    }
}

#[cfg(test)]
mod tests;
