//! Work that several threads share out among themselves.

use super::Team;
#[cfg(feature = "rayon")]
use super::{MAX_PIECES, locked};
#[cfg(feature = "rayon")]
use std::sync::Mutex;

/// Work that can be cut into pieces, which share no memory that they write to.
pub(crate) trait Work: Sized + Send {
    /// Cuts the work in two: the first `left` of `pieces` equal pieces, and the rest.
    #[cfg_attr(
        not(feature = "rayon"),
        expect(dead_code, reason = "one thread splits nothing")
    )]
    fn split(self, left: usize, pieces: usize) -> (Self, Self);

    /// Does the work.
    fn run(self);
}

/// Splits a struct in two. Each listed field is given a pair: a value for either
/// half. The other fields are `Copy`, and both halves have them.
macro_rules! split_fields {
    ($whole:ident { $($field:ident: $pair:expr),+ $(,)? }) => {{
        $(let $field = $pair;)+
        (
            Self { $($field: $field.0,)+ ..$whole },
            Self { $($field: $field.1,)+ ..$whole },
        )
    }};
}
pub(crate) use split_fields;

/// Does work in `pieces`, or in one if the team has one thread.
pub(crate) fn share_out<W: Work>(team: &mut Team<'_>, work: W, pieces: usize) {
    #[cfg(feature = "rayon")]
    if pieces > 1 && team.threads() > 1 {
        return match pieces {
            // Unused slots would occupy L1 too.
            ..=8 => in_slots::<W, 8>(team, work, pieces),
            _ => in_slots::<W, MAX_PIECES>(team, work, pieces.min(MAX_PIECES)),
        };
    }
    let _ = (team, pieces);
    work.run();
}

/// Does work in `pieces`, at most `MAX`, each of which waits in a slot for the thread
/// that takes it.
#[cfg(feature = "rayon")]
fn in_slots<W: Work, const MAX: usize>(team: &mut Team<'_>, work: W, pieces: usize) {
    let slots: [Mutex<Option<W>>; MAX] = core::array::from_fn(|_| Mutex::new(None));
    let slot = |piece: usize| locked(&slots[piece]);
    let mut rest = work;
    for piece in 0..pieces - 1 {
        let (first, others) = rest.split(1, pieces - piece);
        *slot(piece) = Some(first);
        rest = others;
    }
    *slot(pieces - 1) = Some(rest);
    team.run(pieces, &|piece, _| {
        let work = slot(piece).take();
        work.into_iter().for_each(Work::run);
    });
}
