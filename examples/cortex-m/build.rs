//! Links the firmware for the board's memory.

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    if std::env::var_os("CARGO_FEATURE_C").is_some() {
        for object in ["net.o", "net_int8.o"] {
            let generated = concat!(env!("CARGO_MANIFEST_DIR"), "/../embedded/generated");
            println!("cargo::rerun-if-changed={generated}/{object}");
            println!("cargo::rustc-link-arg-bin=c_net={generated}/{object}");
        }
    }
}
