//! Output of the programs: results on stdout, remarks on stderr, and pictures.

pub(crate) mod blocks;
mod live_curve;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod report;

use crate::failure::Failure;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Prints a line to stdout. A closed stdout is not a failure.
pub(crate) fn result(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to stderr. An error is ignored: there is nowhere left to report
/// it.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a warning to stderr.
pub(crate) fn warn(what: &dyn Display) {
    let yellow = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    remark(&format!("{yellow}warning:{yellow:#} {what}"));
}
