//! `handwritten info`: what this machine computes with.

use crate::args::InfoArgs;
use crate::failure::Failure;
use crate::output;
use crate::setup::Engine;
use handwritten::Isa;
use handwritten::compute::gemm::Sizes;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Prints the instruction set, the threads, the caches and the block sizes.
pub(super) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let isa = Engine::from_env()?.isa;
    let threads = args.common.threads()?;
    let sizes = Sizes::of(isa);
    let available: Vec<&str> = Isa::available().map(Isa::name).collect();
    let caches = caches(Path::new("/sys/devices/system/cpu/cpu0/cache"));
    if args.common.json {
        let caches = caches
            .iter()
            .map(|(name, size)| (name.clone(), json!(size)));
        let event = json!({
            "event": "info",
            "version": env!("CARGO_PKG_VERSION"),
            "instruction_set": isa.name(),
            "fused_multiply_add": isa.is_fused(),
            "available": available,
            "threads": threads,
            "caches": serde_json::Map::from_iter(caches),
            "tile": [sizes.tile.0, sizes.tile.1],
            "k_block": sizes.k_block,
            "k_whole": sizes.k_whole,
            "packing_bytes": sizes.packing_bytes,
        });
        return output::result(&event.to_string());
    }
    let rounding = if isa.is_fused() {
        "fused multiply-add"
    } else {
        "multiply, then add"
    };
    let caches: Vec<String> = caches
        .iter()
        .map(|(name, size)| format!("{name} {size}"))
        .collect();
    output::result(&format!(
        "handwritten      {}
instruction set  {} ({rounding}); this machine has {}
threads          {threads}
caches           {}
tile             {} × {} of C in registers
blocks           {} steps of k, or all of them up to {}; {} KiB to pack into for each thread",
        env!("CARGO_PKG_VERSION"),
        isa.name(),
        available.join(", "),
        if caches.is_empty() {
            "unknown".to_string()
        } else {
            caches.join(", ")
        },
        sizes.tile.0,
        sizes.tile.1,
        sizes.k_block,
        sizes.k_whole,
        sizes.packing_bytes / 1024,
    ))
}

/// Names and sizes of the data caches of a core, from Linux's sysfs; none on other
/// systems.
fn caches(folder: &Path) -> Vec<(String, String)> {
    let read = |index: usize, file: &str| {
        let path = folder.join(format!("index{index}")).join(file);
        fs::read_to_string(path).map(|text| text.trim().to_string())
    };
    (0..)
        .map_while(|index| {
            let (level, kind) = (read(index, "level").ok()?, read(index, "type").ok()?);
            let size = read(index, "size").ok()?.replace('K', " KiB");
            Some((level, kind, size))
        })
        .filter(|(_, kind, _)| kind != "Instruction")
        .map(|(level, kind, size)| {
            let letter = if kind == "Data" { "d" } else { "" };
            (format!("L{level}{letter}"), size)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_read_until_one_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for (index, level, kind, size) in [
            (0, "1", "Data", "48K\n"),
            (1, "1", "Instruction", "32K\n"),
            (2, "2", "Unified", "1024K\n"),
            (4, "3", "Unified", "32768K\n"),
        ] {
            let dir = folder.path().join(format!("index{index}"));
            fs::create_dir(&dir).unwrap();
            for (file, text) in [("level", level), ("type", kind), ("size", size)] {
                fs::write(dir.join(file), text).unwrap();
            }
        }
        let found = caches(folder.path());
        let expected = [("L1d", "48 KiB"), ("L2", "1024 KiB")];
        assert!(found.iter().map(|(n, s)| (&n[..], &s[..])).eq(expected));
        assert!(caches(&folder.path().join("missing")).is_empty());
    }
}
