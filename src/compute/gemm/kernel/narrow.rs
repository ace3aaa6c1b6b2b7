//! Products with few columns, whose rows fill the vectors.

/// Addresses and distances, in elements, of such a product.
///
/// Row `i` of A is at `a + i·a_row` and has `k` elements, row `p` of B at
/// `b + p·b_row` and row `i` of C at `c + i·c_row`. The chains start from row
/// `i` at `start + i·start_row`, or from zero where `start` is null. For the
/// functions that take it to be sound, all of it must lie inside live
/// allocations, and C must not overlap the others.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has the registers")
)]
pub(super) struct Rows {
    pub(super) rows: usize,
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) b: *const f32,
    pub(super) b_row: usize,
    pub(super) start: *const f32,
    pub(super) start_row: usize,
    pub(super) c: *mut f32,
    pub(super) c_row: usize,
    /// Whether A is so long that later rows of it are worth fetching ahead.
    pub(super) fetch: bool,
}
