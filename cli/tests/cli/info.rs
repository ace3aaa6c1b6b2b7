//! `handwritten info`, and the choice of the instruction set.

use crate::programs::*;
use handwritten::{InstructionSet, Isa};

#[test]
fn names_the_arm_and_the_sizes_in_use() {
    let folder = Folder::new();
    let text = folder.handwritten("info --threads 3").ok().stdout;
    assert!(text.contains("\nthreads          3\n"), "{text}");
    for isa in Isa::available() {
        let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), ["info", "--json"]);
        let output = run(command.env("HANDWRITTEN_ISA", isa.name())).ok();
        let [event] = &output.json()[..] else {
            panic!("{}", output.stdout);
        };
        assert_eq!(event["instruction_set"], isa.name());
        assert_eq!(event["fused_multiply_add"], isa.is_fused());
        let available: Vec<&str> = Isa::available().map(Isa::name).collect();
        assert_eq!(event["available"], serde_json::json!(available));
    }
    let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), ["info"]);
    let unset = run(command.env("HANDWRITTEN_ISA", "")).ok();
    assert!(unset.stdout.contains(Isa::detect().name()));
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused() {
    let folder = Folder::new();
    let missing = InstructionSet::ALL
        .iter()
        .copied()
        .find(|&arm| Isa::new(arm).is_err());
    let missing = missing.expect("no machine has all of them").name();
    for args in ["info", "train", "evaluate m", "classify m p"] {
        for (name, words) in [
            ("sse9", "no such instruction set; there are portable, neon"),
            (
                missing,
                "is not there; this processor and build have portable",
            ),
        ] {
            let args = args.split_whitespace();
            let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), args);
            let output = run(command.env("HANDWRITTEN_ISA", name));
            output.fails(2, &["HANDWRITTEN_ISA: ", words]);
        }
    }
}
