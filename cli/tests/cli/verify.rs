//! `handwritten verify`.

use crate::SMALL;
use crate::programs::*;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::fs;

/// Runs `handwritten verify` with another instruction set.
fn verify_with(folder: &Folder, isa: &str, args: &str) -> Output {
    let args = format!("verify {args}");
    let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), args.split_whitespace());
    run(command.env("HANDWRITTEN_ISA", isa))
}

/// Writes the model of `run` to `name`, with its metadata changed.
fn rewrite(folder: &Folder, name: &str, change: impl Fn(&mut serde_json::Value)) {
    let bytes = folder.bytes("run/model.safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let (key, text) = header.metadata().as_ref().unwrap().iter().next().unwrap();
    let mut metadata = serde_json::from_str(text).unwrap();
    change(&mut metadata);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let views: Vec<(String, TensorView<'_>)> = tensors.tensors();
    let metadata = [(key.clone(), metadata.to_string())].into();
    let bytes = safetensors::serialize(views, Some(metadata)).unwrap();
    folder.write(name, &bytes);
}

#[test]
fn runs_of_all_kinds_are_the_same_when_trained_again() {
    let folder = Folder::new();
    for (run, flags) in [
        ("plain", "--hidden 8 --batch 16"),
        (
            "deep",
            "--hidden 9,7 --activation relu --batch full --patience 1",
        ),
        (
            "linear",
            "--hidden none --split standard --momentum 0.5 --nesterov",
        ),
        ("recipe", "--recipe question --epochs 3"),
        ("quick", "--recipe quick --hidden 20 --seed 7"),
    ] {
        let args = format!("--data data --epochs 4 {flags} --out {run}");
        let args = match flags.contains("--epochs") {
            true => args.replacen("--epochs 4 ", "", 1),
            false => args,
        };
        folder.train(&args).ok();
        for threads in [1, 2] {
            let output = folder.handwritten(&format!("verify {run} --threads {threads} -q"));
            let output = output.ok();
            assert_eq!(output.stderr, "");
            assert!(
                output.stdout.starts_with("trained again in "),
                "{}",
                output.stdout
            );
            assert!(output.stdout.ends_with(": the same model, bit for bit\n"));
        }
        // Whether or not the fastest instruction set fuses multiply-adds, the run is repeated
        // with one that does as the run's.
        verify_with(&folder, "portable", run).ok();
    }
}

#[test]
fn a_run_without_fused_multiply_adds_is_repeated_without() {
    let folder = Folder::new();
    let args = format!("{SMALL} --out run");
    let mut command = folder.train_command(&args);
    run(command.env("HANDWRITTEN_ISA", "portable")).ok();
    let output = folder.handwritten("verify run --json").ok();
    assert_eq!(output.json()[0]["isa"], "portable");
    assert_eq!(output.json()[0]["same"], true);
}

#[test]
fn a_model_alone_is_verified_wherever_its_images_lie() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let elsewhere = Folder::new();
    fs::rename(elsewhere.path("data"), elsewhere.path("images")).unwrap();
    elsewhere.write("model", &folder.bytes("run/model.safetensors"));
    elsewhere.handwritten("verify model --data images").ok();
    // As the default folder of this working directory.
    fs::create_dir(elsewhere.path("data")).unwrap();
    fs::rename(elsewhere.path("images"), elsewhere.path("data/mnist")).unwrap();
    let output = elsewhere.handwritten("verify model");
    if output.code != Some(0) {
        // The checkout's own MNIST comes first.
        output.fails(1, &["was trained on other images than those in"]);
    }
    elsewhere.write_data("other", 2);
    elsewhere.handwritten("verify model --data other").fails(
        1,
        &["other images than those in other", "SHA-256", "--data"],
    );
}

#[test]
fn one_flipped_bit_is_found_and_named() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let mut bytes = folder.bytes("run/model.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let weights = tensors.tensor("2.weight").unwrap().data();
    let start = weights.as_ptr() as usize - bytes.as_ptr() as usize;
    // The lowest bit of the weight from the third unit to the second class.
    bytes[start + 4 * (8 + 2)] ^= 1;
    folder.write("flipped", &bytes);
    let words = ["2.weight", "1 of 40 numbers", "[1, 2]"];
    folder
        .handwritten("verify flipped --data data")
        .fails(1, &words);
    let output = folder.handwritten("verify flipped --data data --json");
    assert_eq!(output.code, Some(1));
    let found = &output.json()[0];
    assert_eq!(found["same"], false);
    assert_eq!(found["differences"][0]["tensor"], "2.weight");
    assert_eq!(found["differences"][0]["place"], serde_json::json!([1, 2]));
}

#[test]
fn a_file_that_does_not_tell_how_it_was_made_is_refused() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    rewrite(&folder, "old/model.safetensors", |metadata| {
        let metadata = metadata.as_object_mut().unwrap();
        metadata.remove("settings").unwrap();
        metadata.remove("is_fused").unwrap();
    });
    folder
        .handwritten("verify old/model.safetensors --data data")
        .fails(
            1,
            &["does not hold the settings of its training", "config.toml"],
        );
    // A run of an older version has them beside the model.
    folder.write("old/config.toml", &folder.bytes("run/config.toml"));
    folder.handwritten("verify old").ok();

    for (key, value, words) in [
        (
            "settings",
            "lr = 0.1\nhidden = [9]\n",
            &["net 144-8-5", "net 144-9-5"][..],
        ),
        ("settings", "hidden = [8]\n", &["no learning rate"]),
        ("settings", "lr = 0\n", &["cannot be used", "lr"]),
        ("settings", "colour = 1\n", &["cannot be used", "line 1"]),
        (
            "normalisation",
            "1 - pixel / 255",
            &["are 1 - pixel / 255, where"],
        ),
    ] {
        rewrite(&folder, "odd", |metadata| metadata[key] = value.into());
        folder.handwritten("verify odd --data data").fails(1, words);
    }
    rewrite(&folder, "odd", |metadata| metadata["best_epoch"] = 1.into());
    folder
        .handwritten("verify odd --data data")
        .fails(1, &["the same weights", "epoch 1 as the file says"]);
}

#[test]
fn what_is_no_complete_run_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).unwrap();
    folder
        .handwritten("verify empty")
        .fails(1, &["empty holds no model.safetensors"]);
    folder
        .handwritten("verify nowhere")
        .fails(1, &["cannot read nowhere"]);
    folder.write("begun/last.ckpt", b"");
    folder
        .handwritten("verify begun")
        .fails(1, &["not complete", "train --resume begun"]);
    folder
        .handwritten("evaluate begun")
        .fails(1, &["not complete"]);
}
