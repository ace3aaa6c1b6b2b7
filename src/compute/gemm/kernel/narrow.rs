//! The operands of products with few columns, whose vectors lie along the columns of C.

/// A product of m rows, k k-indices and as many columns as the function is for, as
/// [`Kernel::narrow`](super::Kernel::narrow) takes it: pointers, and strides in elements.
///
/// Row `i` of A is at `a + i·a_row` and has `k` elements, row `p` of B at `b + p·b_row` and
/// row `i` of C at `c + i·c_row`. The chains start from row `i` at `start + i·start_row`, or
/// from zero where `start` is null.
///
/// The functions that take it are sound if all of these rows lie inside live allocations, C
/// overlaps neither A nor B, nor the start unless it is the start at the same stride, and
/// there is at least one row.
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
