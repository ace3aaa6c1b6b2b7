//! `train --ensemble`, `--shifts` and `handwritten compare`: nets that answer together, and nets
//! that are compared.

use crate::pictures::{png, shape};
use crate::programs::*;
use serde_json::Value;

/// Runs that end in the middle of learning, with the same test images for all seeds.
const PARTLY: &str =
    "--data data --split standard --hidden 8 --batch 16 --epochs 2 --lr 0.03 --quiet";

/// The probabilities of each test image by a model.
fn probabilities(folder: &Folder, model: &str) -> Vec<Vec<f64>> {
    let output = folder.handwritten(&format!("classify {model} --data data --json"));
    let of = |event: &Value| -> Vec<f64> {
        let probs = event["probabilities"].as_array().unwrap();
        probs.iter().map(|p| p.as_f64().unwrap()).collect()
    };
    output.ok().json().iter().map(of).collect()
}

/// Whether the most probable class is that of test image n, which is n modulo 5.
fn is_right(n: usize, probs: &[f64]) -> bool {
    let largest = probs.iter().copied().fold(0.0, f64::max);
    probs.iter().position(|&p| p == largest) == Some(n % CLASSES)
}

/// The number of test images that are classified rightly.
fn correct(probabilities: &[Vec<f64>]) -> usize {
    let rows = probabilities.iter().enumerate();
    rows.filter(|(n, probs)| is_right(*n, probs)).count()
}

fn evaluated(folder: &Folder, args: &str) -> Value {
    let output = folder.handwritten(&format!("evaluate {args} --data data --json"));
    output.ok().json().remove(0)
}

#[test]
fn an_ensemble_answers_by_the_mean_of_its_nets() {
    let folder = Folder::new();
    let args = format!("{PARTLY} --seeds 3 --ensemble --json --out all");
    let trained = folder.train(&args).ok().json().pop().unwrap();
    let ensemble = "all/ensemble.safetensors";

    let nets = [1, 2, 3].map(|seed| probabilities(&folder, &format!("all/seed-{seed}")));
    let together = probabilities(&folder, ensemble);
    assert_eq!(together.len(), TEST);
    let mut loss = 0.0;
    for (n, probs) in together.iter().enumerate() {
        for (class, &p) in probs.iter().enumerate() {
            let mean = nets.iter().map(|net| net[n][class]).sum::<f64>() / 3.0;
            // Two sums and a product in single precision.
            assert!(
                (p - mean).abs() < 3.0 * f64::from(f32::EPSILON),
                "{p} {mean}"
            );
        }
        loss -= probs[n % CLASSES].ln() / TEST as f64;
    }
    let figures = evaluated(&folder, ensemble);
    assert_eq!(figures["correct"], correct(&together));
    assert!((figures["loss"].as_f64().unwrap() - loss).abs() < 1e-6);
    for name in ["accuracy", "correct", "images", "loss"] {
        assert_eq!(trained["ensemble"][name], figures[name], "{name}");
    }
    assert!(nets.iter().any(|net| correct(net) != correct(&together)));

    let verified = folder
        .handwritten(&format!("verify {ensemble} --data data --quiet"))
        .ok();
    for (number, line) in (1..).zip(verified.stdout.lines()) {
        assert!(
            line.starts_with(&format!("net {number} of 3 trained again in ")),
            "{line}"
        );
    }
    assert_eq!(verified.stdout.lines().count(), 3);

    folder.write("shape.png", &png(&shape(2), SIDE, 1));
    let classified = folder
        .handwritten(&format!("classify {ensemble} shape.png --json"))
        .ok();
    let probs = classified.json().remove(0)["probabilities"].clone();
    let sum: f64 = probs
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");

    // Whatever takes one net says so.
    for args in [
        format!("export {ensemble} --out net.rs"),
        format!("convert {ensemble} net.onnx"),
        format!("convert {ensemble} net.npz"),
        format!("train {PARTLY} --from {ensemble} --out from"),
    ] {
        let args = args.replacen(" --hidden 8", "", 1);
        folder
            .handwritten(&args)
            .fails(1, &[ensemble, "ensemble", "one net"]);
    }
    folder
        .train(&format!(
            "{PARTLY} --seeds 2 --ensemble --split question --out other"
        ))
        .fails(2, &["--split"]);
    let args = PARTLY.replace("--split standard", "--split question");
    let refused = folder.train(&format!("{args} --seeds 2 --ensemble --out other"));
    refused.fails(2, &["--ensemble takes --split standard"]);
    assert!(!folder.path("other").exists());
}

#[test]
fn shifted_copies_are_averaged() {
    let folder = Folder::new();
    folder.train(&format!("{PARTLY} --out run")).ok();
    let plain = probabilities(&folder, "run");
    let shifted = probabilities(&folder, "run --shifts 1");
    assert_eq!(shifted.len(), TEST);
    assert_ne!(shifted, plain);
    assert_eq!(
        evaluated(&folder, "run --shifts 1")["correct"],
        correct(&shifted)
    );
    assert_eq!(
        evaluated(&folder, "run --shifts 0"),
        evaluated(&folder, "run")
    );
    folder.write("first.png", &png(&shape(0), SIDE, 1));
    let [plain, shifted] = ["", " --shifts 1"].map(|flags| {
        let output = folder.handwritten(&format!("classify run first.png --json{flags}"));
        output.ok().json()[0]["probabilities"].clone()
    });
    assert_ne!(plain, shifted);
    for command in ["evaluate run --data data", "classify run first.png"] {
        let refused = folder.handwritten(&format!("{command} --shifts {SIDE}"));
        refused.fails(2, &["--shifts 12", "12×12"]);
    }
}

#[test]
fn trainings_are_compared_by_what_both_were_tested_on() {
    let folder = Folder::new();
    folder.train(&format!("{PARTLY} --out worse")).ok();
    folder
        .train(&format!("{PARTLY} --epochs 9 --out better").replacen("--epochs 2 ", "", 1))
        .ok();
    let right = ["worse", "better"].map(|run| probabilities(&folder, run));
    let mut only = [0, 0];
    for n in 0..TEST {
        let [one, other] = [&right[0], &right[1]].map(|probs| is_right(n, &probs[n]));
        only[0] += usize::from(one && !other);
        only[1] += usize::from(other && !one);
    }
    let event = folder
        .handwritten("compare worse better --data data --json")
        .ok()
        .json()
        .remove(0);
    assert_eq!(event["images"], TEST);
    assert_eq!(event["right_only"], serde_json::json!(only));
    assert_eq!(event["differ"], true, "{event}");
    let said = folder.handwritten("compare worse better --data data").ok();
    assert!(
        said.stdout.contains("they differ, better is better"),
        "{}",
        said.stdout
    );
    let said = folder.handwritten("compare better better --data data").ok();
    assert!(
        said.stdout.contains("p = 1.0000: no difference is shown"),
        "{}",
        said.stdout
    );

    for (out, flags) in [
        ("a", "--seeds 3"),
        ("b", "--seed 2 --seeds 3"),
        ("c", "--seed 3 --seeds 1"),
    ] {
        folder.train(&format!("{PARTLY} {flags} --out {out}")).ok();
    }
    let event = folder
        .handwritten("compare a b --json")
        .ok()
        .json()
        .remove(0);
    assert_eq!(event["seeds"], serde_json::json!([2, 3]));
    assert_eq!(
        (&event["mean_difference"], &event["p"]),
        (&0.0.into(), &1.0.into())
    );
    folder
        .handwritten("compare a c")
        .fails(1, &["1 seeds in common"]);
    folder.write_data("other", 2);
    let args = PARTLY.replace("--data data", "--data other");
    folder.train(&format!("{args} --seeds 2 --out d")).ok();
    folder
        .handwritten("compare a d")
        .fails(1, &["different images"]);
    folder
        .handwritten("compare worse d")
        .fails(1, &["different data"]);
    folder
        .handwritten("compare a missing")
        .fails(1, &["missing"]);
}
