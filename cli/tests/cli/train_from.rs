//! `train --from`.

use crate::programs::*;
use handwritten::files::model::decode;
use std::fs;
use std::thread;
use std::time::Duration;

const TRAIN: &str = "--data data --batch 16 --lr 0.01";

#[test]
fn a_finished_net_goes_on_with_the_same_bits_whenever_it_is_repeated() {
    let folder = Folder::new();
    folder
        .train(&format!(
            "{TRAIN} --hidden 8,7 --activation relu --epochs 1 --out first"
        ))
        .ok();
    let args = format!("{TRAIN} --from first --epochs 2 --seed 4");
    let output = folder.train(&format!("{args} --out second")).ok();
    assert!(
        output.stderr.contains("net 144-8-7-5, relu"),
        "{}",
        output.stderr
    );
    let config = folder.text("second/config.toml");
    assert!(
        config.contains("first/model.safetensors\"\nfrom_sha256 = \""),
        "{config}"
    );
    folder.train("--config second/config.toml --out third").ok();
    assert_same_run(&folder, "second", "third");
    folder.handwritten("verify second").ok();

    // It begins where the first ended, not at random weights.
    let loss = |run: &str| -> f64 {
        let history = folder.text(&format!("{run}/history.csv"));
        history
            .lines()
            .nth(1)
            .unwrap()
            .split(',')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!(
        loss("second") < 0.8 * loss("first"),
        "{} {}",
        loss("second"),
        loss("first")
    );

    // The model alone, wherever the first is.
    folder.write("model", &folder.bytes("second/model.safetensors"));
    folder
        .handwritten("verify model --data data")
        .fails(2, &["started from a trained net", "--from names it"]);
    folder
        .handwritten("verify model --data data --from first")
        .ok();
    folder
        .handwritten("verify model --data data --from second")
        .fails(1, &["is not the model that the run started from"]);

    // Another first net is refused.
    folder
        .train(&format!(
            "{TRAIN} --hidden 8,7 --activation relu --epochs 2 --out first --force"
        ))
        .ok();
    folder
        .train("--config second/config.toml --out fourth")
        .fails(1, &["first/model.safetensors is not the model", "SHA-256"]);
    assert!(!folder.path("fourth").exists());
}

#[test]
fn an_interrupted_run_from_a_net_needs_that_no_more() {
    let folder = Folder::new();
    folder
        .train(&format!("{TRAIN} --hidden 8 --epochs 1 --out first"))
        .ok();
    let args = format!("{TRAIN} --from first --epochs 3");
    folder.train(&format!("{args} --out whole")).ok();
    let mut child = folder
        .train_command(&format!("{args} --checkpoint-every 0 --out run"))
        .spawn()
        .unwrap();
    let is_there = |name: &str| folder.path(name).exists();
    while child.try_wait().unwrap().is_none() && !is_there("run/last.ckpt") {
        thread::sleep(Duration::from_millis(1));
    }
    // It may have ended.
    let _ = child.kill();
    child.wait().unwrap();
    fs::remove_dir_all(folder.path("first")).unwrap();
    if !is_there("run/model.safetensors") {
        folder.train("--resume run").ok();
    }
    assert_same_run(&folder, "whole", "run");
}

#[test]
fn other_classes_have_a_new_last_layer() {
    let folder = Folder::new();
    folder
        .train(&format!("{TRAIN} --hidden 8 --epochs 3 --out first"))
        .ok();
    // Three of the five shapes.
    for part in ["train", "t10k"] {
        let count = 60;
        let labels: Vec<u8> = (0..count).map(|i| (i % 3) as u8).collect();
        let pixels: Vec<u8> = (0..count * SIDE * SIDE)
            .map(|at| {
                let (image, k) = (at / (SIDE * SIDE), at % (SIDE * SIDE));
                255 * u8::from(is_ink(image % 3, k / SIDE, k % SIDE))
            })
            .collect();
        let images = idx_file(0x0803, &[count, SIDE, SIDE], &pixels);
        folder.write(&format!("few/{part}-images-idx3-ubyte"), &images);
        folder.write(
            &format!("few/{part}-labels-idx1-ubyte"),
            &idx_file(0x0801, &[count], &labels),
        );
    }
    // A rate at which nothing moves shows the weights that it starts from.
    let args = "--data few --from first --epochs 1 --lr 1e-30 --weight-decay 0 --out second";
    folder.train(args).ok();
    let [first, second] = ["first", "second"].map(|run| {
        decode(&folder.bytes(&format!("{run}/model.safetensors")))
            .unwrap()
            .net
    });
    assert_eq!(second.widths(), [144, 8, 3]);
    assert_eq!(
        second.layer(0).weights.as_slice(),
        first.layer(0).weights.as_slice()
    );
    assert_eq!(second.layer(0).biases, first.layer(0).biases);
    folder.handwritten("verify second").ok();
}

#[test]
fn what_does_not_fit_the_net_is_refused() {
    let folder = Folder::new();
    folder
        .train(&format!("{TRAIN} --hidden 8 --epochs 1 --out first"))
        .ok();
    let images = idx_file(0x0803, &[20, 5, 5], &[200; 500]);
    let labels = idx_file(0x0801, &[20], &[0, 1, 2, 3, 4].repeat(4));
    for part in ["train", "t10k"] {
        folder.write(&format!("small/{part}-images-idx3-ubyte"), &images);
        folder.write(&format!("small/{part}-labels-idx1-ubyte"), &labels);
    }
    for (args, code, words) in [
        (
            "--data data --hidden 9",
            2,
            &["144-8-5", "leave --hidden out"][..],
        ),
        (
            "--data data --activation tanh",
            2,
            &["sigmoid", "leave --activation out"],
        ),
        (
            "--data small",
            1,
            &["images of 144 pixels, the data have 25"],
        ),
    ] {
        let args = format!("--from first {args} --out run");
        folder.train(&args).fails(code, words);
        assert!(!folder.path("run").exists(), "{args}");
    }
    folder
        .train("--data data --from nowhere --out run")
        .fails(1, &["cannot read nowhere"]);
    folder.write("half.toml", b"from_sha256 = \"00\"\n");
    folder
        .train("--data data --config half.toml --out run")
        .fails(2, &["--from names it"]);
    // The gradients of a trained net can be checked too.
    folder
        .handwritten("gradcheck --data data --from first")
        .ok();
}
