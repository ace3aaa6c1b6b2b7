//! The instruction sets that a test goes through.

use handwritten::Isa;

/// All instruction sets of this machine, the fastest last.
///
/// Panics if one of those is missing that `HANDWRITTEN_TEST_ISA` names, so that no test which
/// claims to run on each of them leaves one out in silence.
pub(crate) fn arms() -> Vec<Isa> {
    let arms: Vec<Isa> = Isa::available().collect();
    let names: Vec<&str> = arms.iter().map(|isa| isa.name()).collect();
    let wanted = std::env::var("HANDWRITTEN_TEST_ISA").unwrap_or_default();
    for wanted in wanted.split(',').filter(|name| !name.is_empty()) {
        assert!(
            names.contains(&wanted),
            "{wanted} is not there, but {names:?}"
        );
    }
    arms
}
