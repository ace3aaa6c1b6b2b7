//! `train --seeds`.

use crate::programs::*;
use crate::{SMALL, UNFINISHED};

/// Mean and standard deviation of numbers.
fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

fn assert_near(x: &serde_json::Value, expected: f64) {
    let x = x.as_f64().unwrap();
    assert!((x - expected).abs() < 1e-12, "{x}, not {expected}");
}

#[test]
fn each_seed_is_the_run_of_that_seed_alone() {
    let folder = Folder::new();
    // Two at a time, then the last one on both threads; and one after the other.
    let args = format!("{UNFINISHED} --seed 4 --seeds 3 --json --quiet");
    let all = folder.train(&format!("{args} --threads 2 --out all")).ok();
    folder.train(&format!("{args} --threads 1 --out one")).ok();
    assert_eq!(folder.text("all/seeds.csv"), folder.text("one/seeds.csv"));
    let names = [
        "config.toml",
        "model.safetensors",
        "seed-4",
        "seed-5",
        "seed-6",
        "seeds.csv",
    ];
    assert_eq!(folder.names("all"), names);

    let events = all.json();
    let (summary, seeds) = events[1..].split_last().unwrap();
    assert_eq!(seeds.len(), 3);
    let mut accuracies = vec![];
    let mut best: Option<(f64, String)> = None;
    for (seed, event) in (4..).zip(seeds) {
        let alone = format!("alone-{seed}");
        let args = format!("{UNFINISHED} --seed {seed} --json --quiet --out {alone}");
        let tested = folder.train(&args).ok().json().pop().unwrap();
        let sub = format!("all/seed-{seed}");
        assert_eq!(folder.names(&sub), FILES);
        assert_same_run(&folder, &sub, &alone);
        for name in ["accuracy", "loss", "val_loss", "correct", "images"] {
            assert_eq!(event[name], tested[name], "{name} of {seed}");
        }
        assert_eq!(
            (&event["seed"], &event["epoch"]),
            (&seed.into(), &tested["best_epoch"])
        );
        accuracies.push(event["accuracy"].as_f64().unwrap());
        let loss = event["val_loss"].as_f64().unwrap();
        if best.as_ref().is_none_or(|(lowest, _)| loss < *lowest) {
            best = Some((loss, sub));
        }
    }
    let (_, sub) = best.unwrap();
    let model = |run: &str| folder.bytes(&format!("{run}/model.safetensors"));
    assert!(model("all") == model(&sub), "the best is {sub}");
    let (mean, deviation) = spread(&accuracies);
    assert!(deviation > 0.0, "all seeds are alike");
    let accuracy = &summary["accuracy"];
    assert_near(&accuracy["mean"], mean);
    assert_near(&accuracy["deviation"], deviation);
    // Student's t of two degrees of freedom at 0.975, in closed form: √(2 / (1/0.95² − 1)).
    let half = (2.0 / (0.95_f64.powi(-2) - 1.0)).sqrt() * deviation / 3.0_f64.sqrt();
    assert_near(&accuracy["interval_95"][0], mean - half);
    assert_near(&accuracy["interval_95"][1], mean + half);
    folder.handwritten("verify all --quiet").ok();
    let text = folder
        .train(&format!("{UNFINISHED} --seeds 2 --out text"))
        .ok();
    assert!(
        text.stdout.contains("mean ± sd of 2 seeds"),
        "{}",
        text.stdout
    );
    assert!(text.stderr.contains("wrote text"), "{}", text.stderr);
}

#[test]
fn seeds_that_there_are_not_are_refused() {
    let folder = Folder::new();
    for (flags, code, words) in [
        ("--seeds 0", 2, &["--seeds", "0"][..]),
        ("--seeds 1001", 2, &["--seeds", "1001"]),
        ("--seeds 2 --resume run", 2, &["--seeds", "--resume"]),
        (
            "--seeds 2 --seed 18446744073709551615",
            2,
            &["no 2 seeds from 18446744073709551615"],
        ),
        (
            "--seeds 2 --activation relu --lr 1e30",
            3,
            &["seed 1", "stopped being finite"],
        ),
    ] {
        let refused = folder.train(&format!("{SMALL} {flags} --quiet"));
        refused.fails(code, words);
        assert_eq!(folder.names(""), ["data"], "{flags}");
    }
}

#[test]
fn nothing_of_overwritten_trainings_is_left_in_the_results() {
    let folder = Folder::new();
    let args = format!("{SMALL} --split standard --quiet --out run");
    folder.train(&format!("{args} --seeds 2 --ensemble")).ok();
    folder
        .train(&format!("{args} --seeds 2"))
        .fails(1, &["run exists"]);
    folder
        .train(&format!("{args} --seed 2 --seeds 2 --force"))
        .ok();
    let names = [
        "config.toml",
        "model.safetensors",
        "seed-1",
        "seed-2",
        "seed-3",
        "seeds.csv",
    ];
    assert_eq!(folder.names("run"), names);
    let alone = format!("{SMALL} --split standard --quiet --seed 2 --out alone");
    folder.train(&alone).ok();
    assert_same_run(&folder, "run/seed-2", "alone");
    folder.train(&format!("{args} --seed 2 --force")).ok();
    assert_same_run(&folder, "run", "alone");
    assert!(!folder.path("run/seeds.csv").exists());
}
