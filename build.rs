//! Tells the crate whether the target has `vfma`, the fused multiply-add of
//! Arm's floating-point units: a stable compiler shows no feature of 32-bit Arm
//! to `cfg`. Every such unit of a microcontroller (profile M) has it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(vfma)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let is_profile_m = target.starts_with("thumbv7em-") || target.starts_with("thumbv8m.main-");
    if is_profile_m && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=vfma");
    }
}
