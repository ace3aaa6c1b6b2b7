//! Names of the files of a data set.

use crate::data::idx::Kind;

/// The names of the file of this kind of a part (`train` or `t10k`), in the order
/// in which they are tried.
pub(super) fn idx_names(part: &str, kind: Kind) -> [String; 4] {
    let dimensions = match kind {
        Kind::Images => 3,
        Kind::Labels => 1,
    };
    [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")]
        .map(|(separator, end)| format!("{part}-{kind}{separator}idx{dimensions}-ubyte{end}"))
}
