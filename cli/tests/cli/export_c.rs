//! `handwritten export --format c`: compiled by the C compiler of this machine, the source has
//! the bits of the crate.

use crate::SMALL;
use crate::programs::*;
use handwritten::compute::vector;
use handwritten::files;
use handwritten::files::model::{Metadata, Model, decode, encode};
use handwritten::net::quantized::{quantize, sums_len, weights_len};
use handwritten::net::{activations_len, params_len};
use handwritten::{Activation, Isa, Net, QuantizedRef, Workspace};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints the class and the bits of the logits of each image on stdin.
const MAIN: &str = r#"
#include "net.h"
#include <stdio.h>
#include <string.h>
int main(void)
{
    unsigned char image[NET_INPUTS];
    while (fread(image, 1, NET_INPUTS, stdin) == NET_INPUTS) {
        float logits[NET_CLASSES];
        int j;
        net_logits(image, logits);
        printf("%d", net_classify(image));
        for (j = 0; j < NET_CLASSES; j++) {
            unsigned bits;
            memcpy(&bits, &logits[j], 4);
            printf(" %08x", bits);
        }
        printf(" %s\n", net_class_names[0]);
    }
    return 0;
}
"#;

/// Compiles `net.c` with that program, and returns what it prints for the images.
fn compiled(folder: &Folder, flags: &[&str], images: &[u8]) -> String {
    folder.write("main.c", MAIN.as_bytes());
    folder.write("images", images);
    let strict = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-O2",
    ];
    let files = ["-o", "program", "main.c", "net.c", "-lm"];
    let mut compiler = Command::new("cc");
    let compiler = compiler
        .current_dir(folder.path(""))
        .args(strict)
        .args(flags);
    run(compiler.args(files)).ok();
    let images = fs::File::open(folder.path("images")).unwrap();
    let mut program = Command::new(folder.path("program"));
    run(program.stdin(images)).ok().stdout
}

/// A line of what the program prints.
fn line(class: usize, logits: &[f32], name: &str) -> String {
    let bits = logits.iter().map(|z| format!(" {:08x}", z.to_bits()));
    format!("{class}{} {name}\n", bits.collect::<String>())
}

/// A model of these widths with random weights, and some of its images.
fn model(widths: &[usize], activation: Activation, spread: f32) -> (Model, Vec<u8>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut unit = || (rng.next_u32() >> 8) as f32 / 8_388_608.0 - 1.0;
    let params = (0..params_len(widths)).map(|_| spread * unit()).collect();
    let classes = widths[widths.len() - 1];
    let names = (0..classes).map(|i| format!("\"{i}*/??/")).collect();
    let mut metadata = Metadata::new((1, widths[0]), names);
    metadata.data = "*/ no comment".to_string();
    let pixels = (0..40 * widths[0]).map(|_| match rng.next_u32().to_be_bytes() {
        [0..150, ..] => 0,
        [_, pixel, ..] => pixel,
    });
    let images = pixels.collect();
    let net = Net::new(widths, activation, params);
    (decode(&encode(&net, &metadata).unwrap()).unwrap(), images)
}

#[test]
fn the_source_has_the_bits_of_the_crate() {
    // x86-64 processors with AVX2 have the instruction that these flags allow.
    let fused = Isa::detect().is_fused();
    let folder = Folder::new();
    let nets: [(&[usize], f32); 5] = [
        (&[20, 7], 1.0),
        (&[20, 9, 4], 0.5),
        // Sums on which the exponential function is as small and as large as it gets.
        (&[20, 9, 4], 40.0),
        (&[33, 17, 6, 3], 0.7),
        (&[33, 5, 8, 7, 2], 1.5),
    ];
    for (widths, spread) in nets {
        for &activation in Activation::ALL {
            let (model, images) = model(widths, activation, spread);
            let bytes = encode(&model.net, &model.metadata).unwrap();
            folder.write("model", &bytes);
            folder
                .handwritten("export model --format c --out net.c --force")
                .ok();
            let mut activations = vec![0.0; activations_len(widths, 1)];
            let mut expected = |isa: Isa| -> String {
                let images = images.chunks_exact(widths[0]);
                let lines = images.map(|image| {
                    let net = model.net.view();
                    let class = net.classify(isa, image, &mut activations).unwrap();
                    let logits = net.logits(isa, image, &mut activations).unwrap();
                    line(class, logits, &model.metadata.classes[0])
                });
                lines.collect()
            };
            let unfused = Isa::available().find(|isa| !isa.is_fused());
            if let Some(unfused) = unfused {
                let found = compiled(&folder, &["-DNET_UNFUSED"], &images);
                assert_eq!(found, expected(unfused), "{widths:?}, {activation}");
            }
            if fused {
                let flags: &[&str] = match cfg!(target_arch = "x86_64") {
                    true => &["-mfma"],
                    false => &[],
                };
                let found = compiled(&folder, flags, &images);
                assert_eq!(found, expected(Isa::detect()), "{widths:?}, {activation}");
            }
        }
    }
}

#[test]
fn the_source_of_eight_bits_has_the_bits_of_the_crate() {
    let folder = Folder::new();
    for widths in [&[144, 5][..], &[144, 9, 5], &[144, 17, 6, 5]] {
        for &activation in Activation::ALL {
            let (model, images) = model(widths, activation, 0.5);
            let mut squared = model.clone();
            squared.metadata.image = (12, 12);
            let bytes = encode(&squared.net, &squared.metadata).unwrap();
            folder.write("model", &bytes);
            let args = "export model --format c --quantize int8 --data data --out net.c --force";
            folder.handwritten(args).ok();
            let outputs = activations_len(widths, 1);
            let mut weights = vec![0; weights_len(widths)];
            let (mut scales, mut biases) = (vec![0.0; outputs], vec![0.0; outputs]);
            quantize(model.net.view(), &mut weights, &mut scales, &mut biases);
            let net = QuantizedRef::try_new(widths, activation, &weights, &scales, &biases);
            let (mut sums, mut activations) = (vec![0; sums_len(widths)], vec![0.0; outputs]);
            let lines = images.chunks_exact(widths[0]).map(|image| {
                let (net, isa) = (net.unwrap(), Isa::detect());
                let class = net.classify(isa, image, &mut sums, &mut activations);
                let logits = net.logits(isa, image, &mut sums, &mut activations);
                line(class.unwrap(), logits.unwrap(), &model.metadata.classes[0])
            });
            let expected: String = lines.collect();
            assert_eq!(
                compiled(&folder, &[], &images),
                expected,
                "{widths:?}, {activation}"
            );
        }
    }
}

#[test]
fn all_test_images_of_mnist_have_the_same_logits() {
    let folder = Folder::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");
    let args = format!("--data {data} --hidden 12 --epochs 1 --quiet --out run");
    folder.train(&args).ok();
    let test = files::load(Path::new(data)).unwrap().test;
    let images: Vec<u8> = (0..test.len())
        .flat_map(|i| test.image(i).to_vec())
        .collect();
    let model = decode(&folder.bytes("run/model.safetensors")).unwrap();
    let (net, widths) = (model.net.view(), model.net.widths());

    folder.handwritten("export run --format c --out net.c").ok();
    let isa = Isa::available().find(|isa| !isa.is_fused());
    let isa = isa.unwrap_or(Isa::detect());
    let flags: &[&str] = if isa.is_fused() {
        &[]
    } else {
        &["-DNET_UNFUSED"]
    };
    let mut logits = vec![0.0; 10 * test.len()];
    let mut workspace = Workspace::new(widths, 1).with_isa(isa);
    workspace.logits(net, &images, &mut logits);
    let lines = logits.chunks(10).map(|z| line(vector::argmax(z), z, "0"));
    let found = compiled(&folder, flags, &images);
    assert!(found == lines.collect::<String>());

    let small = format!("--quantize int8 --data {data} --force");
    folder
        .handwritten(&format!("export run --format c {small} --out net.c"))
        .ok();
    let outputs = activations_len(widths, 1);
    let mut weights = vec![0; weights_len(widths)];
    let (mut scales, mut biases) = (vec![0.0; outputs], vec![0.0; outputs]);
    quantize(net, &mut weights, &mut scales, &mut biases);
    let net = QuantizedRef::try_new(widths, net.activation(), &weights, &scales, &biases);
    let (mut sums, mut activations) = (vec![0; sums_len(widths)], vec![0.0; outputs]);
    let lines = images.chunks_exact(widths[0]).map(|image| {
        let logits = net.unwrap().logits(isa, image, &mut sums, &mut activations);
        let logits = logits.unwrap();
        line(vector::argmax(logits), logits, "0")
    });
    let found = compiled(&folder, &[], &images);
    assert!(found == lines.collect::<String>());
}

#[test]
fn on_stdout_it_is_one_file() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let output = folder.handwritten("export run --format c --out -").ok();
    assert!(
        output.stderr.starts_with("wrote the source: 4 820 bytes"),
        "{}",
        output.stderr
    );
    folder.write("model.c", output.stdout.as_bytes());
    let compiler = &mut Command::new("cc");
    let flags = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-c",
        "model.c",
    ];
    run(compiler.current_dir(folder.path("")).args(flags)).ok();
    // What is written to stdout is what is written to a file.
    folder.handwritten("export run --out net.rs").ok();
    let output = folder.handwritten("export run --out -").ok();
    assert_eq!(output.stdout, folder.text("net.rs"));
}

#[test]
fn files_that_are_there_stay_and_names_are_checked() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write("taken.h", b"mine");
    let before = folder.contents("");
    for (args, code, words) in [
        ("--out taken.c", 1, &["taken.h exists", "--force"][..]),
        ("--out net.h", 2, &["ends in .c", "net.h"]),
        ("--out a\"b.c", 2, &["quotes"]),
        ("--out missing/net.c", 1, &["missing/net"]),
        ("--out - --json", 2, &["--json", "stdout"]),
    ] {
        let args = format!("export run --format c {args}");
        folder.handwritten(&args).fails(code, words);
        assert!(folder.contents("") == before, "{args}");
    }
}
