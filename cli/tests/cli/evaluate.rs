//! `handwritten evaluate`.

use crate::pictures;
use crate::programs::*;
use crate::{SMALL, UNFINISHED};
use std::fs;

#[test]
fn the_test_figures_of_training_are_repeated() {
    let folder = Folder::new();
    for (run_name, flags, images) in [
        ("question", "--split question --seed 5", TEST / 2),
        ("standard", "--split standard --activation relu", TEST),
        ("sum", "--loss sum --lr 1e-4 --momentum 0", TEST / 2),
    ] {
        let args = format!("--data data --hidden 8 --epochs 2 --out {run_name}");
        // Learning is cut short, so that there are errors to repeat.
        let flags = if run_name == "sum" {
            flags.to_string()
        } else {
            format!("{flags} --batch 16 --lr 0.005")
        };
        let trained = folder.train(&format!("{args} {flags} --json")).ok().json();
        let trained = trained.last().unwrap();
        assert!(trained["accuracy"].as_f64().unwrap() < 1.0, "{trained}");
        assert_eq!(trained["images"], images);

        for threads in 1..=2 {
            let args = format!("evaluate {run_name}/model.safetensors --data data --json");
            let output = folder.handwritten(&format!("{args} --threads {threads}"));
            let output = output.ok();
            assert_eq!(output.stderr, "");
            let [evaluated] = &output.json()[..] else {
                panic!("{}", output.stdout)
            };
            for (name, figure) in evaluated.as_object().unwrap() {
                assert_eq!(figure, &trained[name], "{name} of {run_name}");
            }
            for name in [
                "event",
                "loss",
                "accuracy",
                "accuracy_interval_95",
                "correct",
                "images",
                "classes",
                "confusion",
            ] {
                assert!(evaluated.get(name).is_some(), "{name}: {evaluated}");
            }
        }
    }
}

#[test]
fn the_report_is_repeated_from_anywhere() {
    let folder = Folder::new();
    let trained = folder.train(&format!("{UNFINISHED} --out run")).ok();
    let elsewhere = Folder::new();
    fs::remove_dir_all(elsewhere.path("data")).unwrap();
    // The same data, compressed and under their other names.
    for (name, bytes) in data_files(1) {
        let name = name.replace("-idx", ".idx");
        elsewhere.write(&format!("packed/{name}.gz"), &gz(&bytes));
    }
    let model = folder.path("run/model.safetensors");
    for data in [folder.path("data"), "packed".into()] {
        let args = [
            "evaluate".as_ref(),
            model.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
        ];
        let program = env!("CARGO_BIN_EXE_handwritten");
        let output = run(&mut elsewhere.command(program, args)).ok();
        assert_eq!(output.stderr, "");
        assert!(output.stdout.starts_with("test accuracy "));
        assert!(trained.stdout.ends_with(&output.stdout));
    }
}

#[test]
fn on_other_data_it_says_so_and_takes_all_test_images() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write_data("other", 2);
    let output = folder.handwritten("evaluate run/model.safetensors --data other --json");
    let output = output.ok();
    assert_eq!(output.json()[0]["images"], TEST);
    assert_eq!(output.stderr.lines().count(), 1);
    assert!(output.stderr.contains("other data"), "{}", output.stderr);
}

#[test]
fn a_model_for_other_images_is_refused() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    for part in ["train", "t10k"] {
        let images = idx_file(0x0803, &[4, 12, 11], &[0; 4 * 12 * 11]);
        let labels = idx_file(0x0801, &[4], &[0, 1, 2, 3]);
        folder.write(&format!("narrow/{part}-images-idx3-ubyte"), &images);
        folder.write(&format!("narrow/{part}-labels-idx1-ubyte"), &labels);
        let images = idx_file(0x0803, &[4, SIDE, SIDE], &[0; 4 * SIDE * SIDE]);
        let labels = idx_file(0x0801, &[4], &[0, 1, 2, CLASSES as u8]);
        folder.write(&format!("many/{part}-images-idx3-ubyte"), &images);
        folder.write(&format!("many/{part}-labels-idx1-ubyte"), &labels);
    }
    let before = folder.contents("");
    for (data, words) in [
        ("narrow", ["12×12", "12×11"]),
        ("many", ["of 5 classes", "of 6"]),
    ] {
        folder
            .handwritten(&format!("evaluate run/model.safetensors --data {data}"))
            .fails(1, &[data, words[0], words[1]]);
    }
    assert!(folder.contents("") == before);
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let model = folder.bytes("run/model.safetensors");
    folder.write("cut", &model[..model.len() - 1]);
    folder.write("long", &[&model[..], &[0]].concat());
    folder.write("text", b"not a model at all");
    folder.write("empty", b"");
    folder.write("picture.png", &pictures::png(&pictures::shape(0), SIDE, 1));
    for name in ["cut", "long", "text", "empty", "missing", "data"] {
        folder
            .handwritten(&format!("evaluate {name} --data data"))
            .fails(1, &[name]);
        folder
            .handwritten(&format!("classify {name} picture.png"))
            .fails(1, &[name]);
    }
}

#[test]
fn weights_that_overflow_are_an_error() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let mut model = folder.bytes("run/model.safetensors");
    let header = u64::from_le_bytes(model[..8].try_into().unwrap());
    for weight in model[8 + header as usize..].chunks_exact_mut(4) {
        weight.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    folder.write("large", &model);
    folder.write("picture.png", &pictures::png(&pictures::shape(0), SIDE, 1));
    for args in ["evaluate large --data data", "classify large picture.png"] {
        for json in ["", " --json"] {
            folder
                .handwritten(&format!("{args}{json}"))
                .fails(1, &["large", "finite"]);
        }
    }
}
