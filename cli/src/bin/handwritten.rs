//! The program `handwritten`.

use std::process::ExitCode;

fn main() -> ExitCode {
    handwritten_cli::handwritten()
}
