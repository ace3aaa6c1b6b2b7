//! The columns of a table of images.

use crate::files::formats::errors::CsvError;

/// Names of a column of labels.
const LABEL_NAMES: [&str; 9] = [
    "label",
    "labels",
    "class",
    "target",
    "y",
    "digit",
    "category",
    "character",
    "letter",
];

/// Names of a first column that numbers the lines.
const INDEX_NAMES: [&str; 5] = ["", "id", "index", "imageid", "unnamed: 0"];

/// The columns of a table.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) separator: u8,
    /// Whether the first column numbers the lines.
    pub(super) is_indexed: bool,
    /// The number of columns after that.
    pub(super) count: usize,
    pub(super) side: usize,
    pub(super) label: Label,
}

/// The column of the labels.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Label {
    None,
    First,
    Last,
    /// The first or the last; read as the first until the end of the file.
    Either,
}

impl Columns {
    /// The columns of a table with this first line, and whether that is a header.
    pub(super) fn of(line: &[u8]) -> Result<(Self, bool), CsvError> {
        let separator = *line
            .iter()
            .find(|byte| b",;\t".contains(byte))
            .ok_or(CsvError::NoTable)?;
        let fields: Vec<&[u8]> = line.split(|&byte| byte == separator).collect();
        let is_header = fields.iter().any(|field| number(field).is_none());
        let names = |field: &[u8], names: &[&str]| {
            let name = unquoted(field).to_ascii_lowercase();
            is_header && names.iter().any(|known| known.as_bytes() == name)
        };
        let all = fields.len();
        let is_indexed = names(fields[0], &INDEX_NAMES)
            && (square_root(all - 1).is_some() || square_root(all - 2).is_some());
        let count = all - usize::from(is_indexed);
        let fields = &fields[usize::from(is_indexed)..];
        let (side, label) = match (square_root(count), square_root(count - 1)) {
            (Some(side), _) => (side, Label::None),
            (None, Some(side)) if names(fields[0], &LABEL_NAMES) => (side, Label::First),
            (None, Some(side)) if names(fields[count - 1], &LABEL_NAMES) => (side, Label::Last),
            (None, Some(side)) => (side, Label::Either),
            (None, None) => return Err(CsvError::Columns { found: count }),
        };
        let columns = Self {
            separator,
            is_indexed,
            count,
            side,
            label,
        };
        Ok((columns, is_header))
    }

    /// The label and the pixels of a line.
    pub(super) fn parted(self, row: &[u8]) -> (Option<u8>, &[u8]) {
        let last = row.len() - 1;
        match self.label {
            Label::None => (None, row),
            Label::First | Label::Either => (Some(row[0]), &row[1..]),
            Label::Last => (Some(row[last]), &row[..last]),
        }
    }
}

/// The side of an image of so many pixels, if it is square and has 2×2 at least.
fn square_root(pixels: usize) -> Option<usize> {
    let side = pixels.isqrt();
    (side > 1 && side * side == pixels).then_some(side)
}

/// A field without spaces and quotes around it.
fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let inner = field
        .strip_prefix(b"\"")
        .and_then(|f| f.strip_suffix(b"\""));
    inner.unwrap_or(field).trim_ascii()
}

/// The number in a field, whole or with a fraction.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let field = unquoted(field);
    // Not "nan" and "inf", which a header may hold.
    let is_number = field.iter().all(|byte| b"+-.eE0123456789".contains(byte));
    let text = str::from_utf8(field).ok().filter(|_| is_number)?;
    text.parse().ok()
}
