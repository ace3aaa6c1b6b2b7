//! A range of rows, columns or k-indices cut into pieces.

/// Iterates over the pieces of a range, `(start, length)`: all have one length, but
/// the last one may be shorter. An empty range has no piece.
pub(super) struct Fixed {
    start: usize,
    end: usize,
    len: usize,
}

impl Fixed {
    /// Pieces of `len` elements of the range from 0 to `end`.
    pub(super) fn new(end: usize, len: usize) -> Self {
        Self { start: 0, end, len }
    }
}

impl Iterator for Fixed {
    type Item = (usize, usize);

    #[inline]
    fn next(&mut self) -> Option<(usize, usize)> {
        let (start, len) = (self.start, self.len.min(self.end - self.start));
        self.start += len;
        (len > 0).then_some((start, len))
    }
}

/// Iterates over the pieces of a range, `(start, length)`, whose lengths differ by
/// one unit at most, so that none is a small remainder. An empty range is one
/// empty piece.
#[derive(Clone, Copy)]
pub(super) struct Even {
    start: usize,
    end: usize,
    /// The length of the longer pieces, which come first.
    longer: usize,
    /// The number of longer pieces that are left; the others are one unit shorter.
    longer_pieces: usize,
    unit: usize,
    is_empty: bool,
}

impl Even {
    /// Pieces of at most `most` elements of the range from 0 to `len`.
    pub(super) fn new(len: usize, most: usize) -> Self {
        Self::of_multiples(len, most, 1)
    }

    /// Pieces of at most `most` elements, or of `unit` elements if that is more.
    /// All starts are multiples of `unit`.
    pub(super) fn of_multiples(len: usize, most: usize, unit: usize) -> Self {
        let mut even = Self {
            start: 0,
            end: len,
            longer: len,
            longer_pieces: 1,
            unit,
            is_empty: len == 0,
        };
        // Few divisions: they would cost a small product its speed.
        if len > most {
            let units = len.div_ceil(unit);
            let pieces = units.div_ceil((most / unit).max(1));
            even.longer = units.div_ceil(pieces) * unit;
            even.longer_pieces = units - (even.longer / unit - 1) * pieces;
        }
        even
    }

    /// The pieces of equal length together, `(start, number of pieces, length of
    /// each)`: the longer ones, then the shorter ones. Only for a range of whole
    /// units.
    pub(super) fn runs(self) -> impl Iterator<Item = (usize, usize, usize)> {
        let (longer, shorter) = (self.longer, self.longer - self.unit.min(self.longer));
        let at = (self.longer_pieces * longer).min(self.end);
        let others = (self.end - at).checked_div(shorter).unwrap_or(0);
        let runs = [(0, self.longer_pieces, longer), (at, others, shorter)];
        runs.into_iter().filter(|&(_, count, len)| count * len > 0)
    }

    /// The length of the longest piece.
    pub(super) fn largest(self) -> usize {
        self.longer.min(self.end)
    }
}

impl Iterator for Even {
    type Item = (usize, usize);

    #[inline]
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.start >= self.end && !core::mem::take(&mut self.is_empty) {
            return None;
        }
        if self.longer_pieces == 0 {
            self.longer -= self.unit;
            self.longer_pieces = usize::MAX;
        }
        self.longer_pieces -= 1;
        let start = self.start;
        self.start = (start + self.longer).min(self.end);
        Some((start, self.start - start))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn runs_are_the_pieces() {
        for most in 1..20 {
            for len in 0..60 {
                let even = Even::new(len, most);
                let pieces = even.runs().flat_map(|(start, count, len)| {
                    (0..count).map(move |i| (start + i * len, len))
                });
                let expected = even.filter(|&(_, len)| len > 0);
                assert!(pieces.eq(expected), "{len} by {most}");
            }
        }
    }

    #[test]
    fn pieces_cover_the_range_and_are_even() {
        for unit in [1, 2, 5] {
            for most in 1..20 {
                for len in 0..60 {
                    let even = Even::of_multiples(len, most, unit);
                    let pieces: Vec<_> = even.collect();
                    let mut next = 0;
                    for &(start, piece) in &pieces {
                        assert_eq!(start, next);
                        assert!(start.is_multiple_of(unit));
                        assert!(piece <= most.max(unit));
                        next += piece;
                    }
                    assert_eq!(next, len);
                    let units = pieces.iter().map(|(_, piece)| piece.div_ceil(unit));
                    let (short, long) = (units.clone().min(), units.max());
                    assert!(long <= short.map(|short| short + 1), "{pieces:?}");
                    let longest = pieces.iter().map(|&(_, piece)| piece).max();
                    assert_eq!(longest, Some(even.largest()));
                }
            }
        }
    }
}
