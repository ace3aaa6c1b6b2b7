//! The two streams: results on stdout, remarks on stderr.

use super::Failure;
use std::io::{ErrorKind, Write};

/// Prints a result and a line's end. That nobody reads it any more is no
/// failure.
pub(super) fn result(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a remark and a line's end. Where even stderr fails there is nowhere
/// left to say so.
pub(super) fn remark(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
