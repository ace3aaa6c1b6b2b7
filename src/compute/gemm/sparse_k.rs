//! Which steps of k a product takes.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;
use core::ops::Range;

/// Steps of k, in lists: for each few rows of C one.
#[derive(Clone, Copy, Debug)]
pub struct SparseK<'a> {
    /// All steps are below this.
    k: usize,
    /// How many rows have a list in common; the last ones may be fewer.
    rows: usize,
    /// List after list: those from `begin` to `end`.
    steps: &'a [u32],
    begin: usize,
    end: usize,
    /// Where each list but the first begins.
    cuts: &'a [usize],
}

impl<'a> SparseK<'a> {
    /// One list for all rows, of steps below `k`.
    ///
    /// # Panics
    /// Panics if a step is not below `k`.
    pub fn new(isa: Isa, k: usize, steps: &'a [u32]) -> Self {
        Self::of_rows(isa, k, usize::MAX, steps, &[])
    }

    /// One list after another, for every `rows` rows of C: `steps` is cut where
    /// each but the first begins.
    ///
    /// # Panics
    /// Panics if a step is not below `k`, if `rows` is 0, or if the cuts are not in
    /// ascending order or beyond the end.
    pub fn of_rows(isa: Isa, k: usize, rows: usize, steps: &'a [u32], cuts: &'a [usize]) -> Self {
        assert!(rows > 0, "steps of no rows");
        let last = last(isa, steps);
        assert!(
            steps.is_empty() || (last as usize) < k,
            "step {last} of {k}"
        );
        let end = steps.len();
        assert!(
            cuts.is_sorted() && cuts.last().is_none_or(|&last| last <= end),
            "{end} steps cut at {cuts:?}"
        );
        Self {
            k,
            rows,
            steps,
            begin: 0,
            end,
            cuts,
        }
    }

    /// Those lists only.
    ///
    /// # Panics
    /// Panics if there are fewer, or if none are asked for.
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

    /// Whether there is no step in any of the lists.
    pub(crate) fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// What all steps are below.
    pub(super) fn k(&self) -> usize {
        self.k
    }

    /// How many rows have a list in common.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many lists there are.
    pub(super) fn len(&self) -> usize {
        self.cuts.len() + 1
    }

    /// The lists, in the order of the rows.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u32]> {
        let ends = self.cuts.iter().copied().chain([self.end]);
        ends.scan(self.begin, move |begin, end| {
            let list = &self.steps[*begin..end];
            *begin = end;
            Some(list)
        })
    }
}

for_each_arm! {
    /// The greatest of the steps, 0 of none.
    fn last(steps: &[u32]) -> u32 {
        steps.iter().fold(0, |last, &step| last.max(step))
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
        let steps = all.concat();
        let steps = SparseK::of_rows(Isa::detect(), 4, 2, &steps, &[2, 2, 3]);
        for first in 0..4 {
            for end in first + 1..=4 {
                let some = steps.lists(first..end);
                let lists: Vec<_> = some.iter().collect();
                assert_eq!(lists, all[first..end]);
                assert_eq!((some.len(), some.rows()), (end - first, 2));
                assert_eq!(some.is_empty(), lists.concat().is_empty());
            }
        }
    }

    #[test]
    #[should_panic(expected = "2 steps cut at [1, 3]")]
    fn a_cut_beyond_the_steps_is_refused() {
        SparseK::of_rows(Isa::detect(), 4, 2, &[0, 1], &[1, 3]);
    }

    #[test]
    #[should_panic(expected = "2 steps cut at [1, 0]")]
    fn cuts_out_of_order_are_refused() {
        SparseK::of_rows(Isa::detect(), 4, 2, &[0, 1], &[1, 0]);
    }
}
