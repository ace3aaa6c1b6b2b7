//! The program `train`, which is `handwritten train`.

use std::process::ExitCode;

fn main() -> ExitCode {
    handwritten_cli::train()
}
