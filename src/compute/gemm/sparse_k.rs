//! Lists of k-indices: the terms of a product that are computed.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use core::fmt;
use core::ops::Range;

/// Lists of k-indices, one for each few rows of C, for
/// [`Product::sparse_k`](super::Product::sparse_k).
///
/// The format is that of compressed sparse rows, with a list in place of a row and without
/// values: all lists one after another, and where each begins. A list may have its k-indices
/// in any order, which is the order of the sums, and more than once.
///
/// ```
/// use handwritten::{Context, Isa, MatMut, MatRef, Product, SparseK};
///
/// // Columns 0 and 2 of A are zero, so column 1 is enough.
/// let a = MatRef::new(&[0.0, 2.0, 0.0, 0.0, 3.0, 0.0], 2, 3);
/// let b = MatRef::new(&[1.0, 2.0, 3.0], 3, 1);
/// let lists = SparseK::new(Isa::detect(), 3, &[1]);
///
/// let mut packing = Context::packing(1);
/// let mut ctx = Context::new(1, &mut packing);
/// let mut c = [0.0; 2];
/// Product::new(a, b)
///     .sparse_k(lists)
///     .compute(MatMut::new(&mut c, 2, 1), &mut ctx);
/// assert_eq!(c, [4.0, 6.0]);
/// ```
#[derive(Clone, Copy)]
pub struct SparseK<'a> {
    /// Exclusive upper bound of all k-indices.
    k: usize,
    /// The number of rows that share a list; the last ones may be fewer.
    rows: usize,
    /// The lists, one after another: those from `begin` to `end`.
    indices: &'a [u32],
    begin: usize,
    end: usize,
    /// Start of each list but the first.
    cuts: &'a [usize],
}

impl<'a> SparseK<'a> {
    /// One list of k-indices below `k` for all rows.
    ///
    /// # Panics
    /// Panics if a k-index is not below `k`.
    pub fn new(isa: Isa, k: usize, indices: &'a [u32]) -> Self {
        Self::of_rows(isa, k, usize::MAX, indices, &[])
    }

    /// One list of k-indices below `k` for every `rows` rows of C: `indices` holds the lists
    /// one after another, `cuts` where each but the first begins.
    ///
    /// # Panics
    /// Panics if a k-index is not below `k`, if `rows` is 0, or if the cuts are not in
    /// ascending order or beyond the end.
    pub fn of_rows(isa: Isa, k: usize, rows: usize, indices: &'a [u32], cuts: &'a [usize]) -> Self {
        assert!(rows > 0, "k-indices of no rows");
        let max = max(isa, indices);
        assert!(
            indices.is_empty() || (max as usize) < k,
            "k-index {max} of {k}"
        );
        let end = indices.len();
        assert!(
            cuts.is_sorted() && cuts.last().is_none_or(|&last| last <= end),
            "{end} k-indices cut at {cuts:?}"
        );
        Self {
            k,
            rows,
            indices,
            begin: 0,
            end,
            cuts,
        }
    }

    /// The lists in a range, which are those of consecutive rows.
    ///
    /// # Panics
    /// Panics if the range is empty or reaches beyond the last list.
    pub fn lists(self, lists: Range<usize>) -> Self {
        let start = |list: usize| match list {
            0 => self.begin,
            _ => self.cuts[list - 1],
        };
        let last = lists.end - 1;
        Self {
            begin: start(lists.start),
            end: self.cuts.get(last).map_or(self.end, |&cut| cut),
            cuts: &self.cuts[lists.start..last],
            ..self
        }
    }

    /// Whether all lists are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// Exclusive upper bound of all k-indices.
    pub(super) fn k(&self) -> usize {
        self.k
    }

    /// The number of rows that share a list.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of lists.
    pub(super) fn len(&self) -> usize {
        self.cuts.len() + 1
    }

    /// The lists, in the order of the rows.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u32]> {
        let ends = self.cuts.iter().copied().chain([self.end]);
        ends.scan(self.begin, move |begin, end| {
            let list = &self.indices[*begin..end];
            *begin = end;
            Some(list)
        })
    }
}

impl fmt::Debug for SparseK<'_> {
    /// Prints how many k-indices there are, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SparseK")
            .field("k", &self.k)
            .field("rows", &self.rows)
            .field("lists", &self.len())
            .field("indices", &(self.end - self.begin))
            .finish()
    }
}

for_each_arm! {
    /// The greatest of the k-indices, 0 if there is none.
    fn max(indices: &[u32]) -> u32 {
        indices.iter().fold(0, |max, &index| max.max(index))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn lists_are_what_lies_between_the_cuts() {
        let all = [&[3, 1][..], &[], &[0], &[2, 2]];
        let indices = all.concat();
        let lists = SparseK::of_rows(Isa::detect(), 4, 2, &indices, &[2, 2, 3]);
        for first in 0..4 {
            for end in first + 1..=4 {
                let some = lists.lists(first..end);
                let found: Vec<_> = some.iter().collect();
                assert_eq!(found, all[first..end]);
                assert_eq!((some.len(), some.rows()), (end - first, 2));
                assert_eq!(some.is_empty(), found.concat().is_empty());
            }
        }
    }

    #[test]
    #[should_panic(expected = "2 k-indices cut at [1, 3]")]
    fn a_cut_beyond_the_end_is_refused() {
        SparseK::of_rows(Isa::detect(), 4, 2, &[0, 1], &[1, 3]);
    }

    #[test]
    #[should_panic(expected = "2 k-indices cut at [1, 0]")]
    fn cuts_out_of_order_are_refused() {
        SparseK::of_rows(Isa::detect(), 4, 2, &[0, 1], &[1, 0]);
    }
}
