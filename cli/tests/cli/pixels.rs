//! Images of another range, or dark on a bright ground.

use crate::SMALL;
use crate::pictures;
use crate::programs::*;

/// Writes the data set of `data` with other bytes into the folder `name`.
fn write_changed(folder: &Folder, name: &str, change: fn(u8) -> u8) {
    for (file, mut bytes) in data_files(1) {
        if file.contains("images") {
            bytes[16..]
                .iter_mut()
                .for_each(|byte| *byte = change(*byte));
        }
        folder.write(&format!("{name}/{file}"), &bytes);
    }
}

/// The tensors of a model file, without the metadata before them.
fn tensors(folder: &Folder, run: &str) -> Vec<u8> {
    let bytes = folder.bytes(&format!("{run}/model.safetensors"));
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    bytes[8 + header as usize..].to_vec()
}

/// Trains on a data set with a folder of its own, and returns what it says.
fn train_on(folder: &Folder, data: &str, flags: &str) -> Output {
    let args = SMALL.replace("data data", &format!("data {data}"));
    let output = folder.train(&format!("{args} {flags}"));
    output.ok()
}

#[test]
fn inverted_images_give_the_same_net_as_the_images_themselves() {
    let folder = Folder::new();
    write_changed(&folder, "inverted", |byte| 255 - byte);
    let normal = train_on(&folder, "data", "--out normal");
    assert!(!normal.stderr.contains("normalised"), "{}", normal.stderr);
    let inverted = train_on(&folder, "inverted", "--out other");
    let said = "pixels are normalised: inputs are 1 - pixel / 255 (--pixels raw";
    assert!(inverted.stderr.contains(said), "{}", inverted.stderr);
    assert!(tensors(&folder, "normal") == tensors(&folder, "other"));
    assert_eq!(normal.stdout.lines().nth(2), inverted.stdout.lines().nth(2));

    // The model brings the rule along.
    let evaluated = |model: &str, data: &str| {
        let args = format!("evaluate {model}/model.safetensors --data {data} --json");
        folder.handwritten(&args).ok().json()[0]["loss"].clone()
    };
    assert_eq!(evaluated("normal", "data"), evaluated("other", "inverted"));
    for (model, has_table) in [("normal", false), ("other", true)] {
        folder
            .handwritten(&format!(
                "export {model}/model.safetensors --out {model}.rs"
            ))
            .ok();
        let source = folder.text(&format!("{model}.rs"));
        assert_eq!(source.contains("pub static PIXELS: [u8; 256]"), has_table);
    }
}

#[test]
fn pixels_of_few_values_are_stretched() {
    let folder = Folder::new();
    write_changed(&folder, "binary", |byte| u8::from(byte > 127));
    write_changed(&folder, "full", |byte| if byte > 127 { 255 } else { 0 });
    let binary = train_on(&folder, "binary", "--out binary-run");
    assert!(
        binary.stderr.contains("inputs are pixel / 1 "),
        "{}",
        binary.stderr
    );
    train_on(&folder, "full", "--out full-run");
    assert!(tensors(&folder, "binary-run") == tensors(&folder, "full-run"));
}

#[test]
fn raw_pixels_stay_as_they_are_and_are_told_apart() {
    let folder = Folder::new();
    write_changed(&folder, "binary", |byte| u8::from(byte > 127));
    let flags = "--pixels raw --epochs 20 --batch 8 --lr 0.1 --out";
    let args = "--data binary --hidden 8";
    let raw = folder.train(&format!("{args} {flags} raw")).ok();
    assert!(!raw.stderr.contains("normalised"), "{}", raw.stderr);
    let cause = "take pixel / 1 as inputs (--pixels auto)";
    assert!(raw.stderr.contains(cause), "{}", raw.stderr);
    let config = folder.text("raw/config.toml");
    assert!(config.lines().any(|line| line == "pixels = \"raw\""));
    // The file repeats the run.
    folder.train("--config raw/config.toml --out again").ok();
    assert_same_run(&folder, "raw", "again");

    let refused = folder.train("--data binary --pixels dim");
    refused.fails(2, &["--pixels", "auto, raw"]);
    folder.write("dim.toml", b"pixels = \"dim\"\n");
    let refused = folder.train("--config dim.toml --data binary");
    refused.fails(2, &["pixels must be one of auto, raw, not \"dim\""]);
}

#[test]
fn pictures_of_the_same_few_values_are_classified() {
    let folder = Folder::new();
    write_changed(&folder, "binary", |byte| u8::from(byte > 127));
    let args = "--data binary --hidden 8 --batch 16 --epochs 20 --out run";
    folder.train(args).ok();
    for class in 0..CLASSES {
        // As in the data set, and as a viewer would show it.
        for (name, ink) in [("dim", 1), ("bright", 255)] {
            let pixels: Vec<u8> = (0..SIDE * SIDE)
                .map(|k| ink * u8::from(is_ink(class, k / SIDE, k % SIDE)))
                .collect();
            folder.write(&format!("{name}.png"), &pictures::png(&pixels, SIDE, 1));
            let args = format!("classify run/model.safetensors {name}.png --json");
            let said = folder.handwritten(&args).ok().json();
            assert_eq!(said[0]["class"], class.to_string(), "{name}: {said:?}");
        }
    }
}
