//! The properties of the fuzz targets, checked on the inputs in `fuzz/seeds`.

use handwritten::Isa;
use std::fs;
use std::path::Path;

#[path = "../../fuzz/properties/checkpoint.rs"]
mod checkpoint;
#[path = "../../fuzz/properties/config.rs"]
mod config;
#[path = "../../fuzz/properties/csv.rs"]
mod csv;
#[path = "../../fuzz/properties/gemm.rs"]
mod gemm;
#[path = "../../fuzz/properties/gz.rs"]
mod gz;
#[path = "../../fuzz/properties/idx.rs"]
mod idx;
#[path = "../../fuzz/properties/model.rs"]
mod model;
#[path = "../../fuzz/properties/npy.rs"]
mod npy;
#[path = "../../fuzz/properties/npz.rs"]
mod npz;
#[path = "../../fuzz/properties/picture.rs"]
mod picture;
#[path = "../../fuzz/properties/step.rs"]
mod step;

/// Checks the property of a target on each of its seeds.
fn replay(target: &str, check: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let mut count = 0;
    for seed in fs::read_dir(seeds.join(target)).unwrap() {
        let path = seed.unwrap().path();
        // Shown only if the test fails.
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        count += 1;
    }
    assert!(count > 0, "no seeds for {target}");
}

#[test]
fn checkpoints() {
    replay("checkpoint", checkpoint::check);
}

#[test]
fn configurations() {
    replay("config", config::check);
}

#[test]
fn products() {
    replay("gemm", gemm::check);
}

#[test]
fn compressed_files() {
    replay("gz", gz::check);
}

#[test]
fn idx_files() {
    replay("idx", idx::check);
}

#[test]
fn tables() {
    replay("csv", csv::check);
}

#[test]
fn arrays() {
    replay("npy", npy::check);
}

#[test]
fn archives() {
    replay("npz", npz::check);
}

#[test]
fn model_files() {
    replay("model", model::check);
}

#[test]
fn pictures() {
    replay("picture", picture::check);
}

#[test]
fn steps() {
    replay("step", |bytes| {
        Isa::available().for_each(|isa| step::check(bytes, isa));
    });
}
