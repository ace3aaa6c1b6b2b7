//! `report`: the page of a run.

use crate::pictures::{png, shape};
use crate::programs::{FILES, Folder, SIDE, run};
use crate::{SMALL, UNFINISHED};
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The files of a report.
const REPORT: [&str; 4] = [
    "calibration.svg",
    "mistakes.png",
    "report.html",
    "units.png",
];

/// A training with a report.
fn reported(folder: &Folder, args: &str) -> Command {
    let args = args.split_whitespace();
    folder.command(env!("CARGO_BIN_EXE_train"), args)
}

/// The text between two others, the first of which comes once.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    assert_eq!(text.matches(before).count(), 1, "{before}");
    let start = text.find(before).unwrap() + before.len();
    let end = text[start..].find(after).unwrap();
    &text[start..start + end]
}

#[test]
fn the_page_of_a_training_is_written_again_from_its_folder() {
    let folder = Folder::new();
    run(&mut reported(&folder, &format!("{UNFINISHED} --out run"))).ok();
    let before = folder.contents("run");
    let page = folder.text("run/report.html");
    for name in REPORT {
        fs::remove_file(folder.path(&format!("run/{name}"))).unwrap();
    }
    let said = folder.handwritten("report run --json").ok().json();
    assert!(folder.contents("run") == before);

    let found = folder.handwritten("evaluate run --data data --json").ok();
    let found = &found.json()[0];
    for key in ["accuracy", "loss", "classes", "confusion"] {
        assert_eq!(said[0][key], found[key], "{key}");
    }
    let accuracy: f64 = between(&page, "data-accuracy=\"", "\"").parse().unwrap();
    assert_eq!(accuracy, found["accuracy"]);
    let wrong = said[0]["mistakes"].as_array().unwrap().len();
    assert_eq!(wrong as u64, 40 - found["correct"].as_u64().unwrap());
    assert!(wrong > 0, "nothing to show");
    let pictures = between(&page, "<section id=\"mistakes\"", "</section>");
    assert_eq!(pictures.matches("<img ").count(), wrong);
    // A picture of each unit, besides those of images.
    assert_eq!(said[0]["units"].as_array().unwrap().len(), 8);
    assert_eq!(page.matches("alt=\"Weights of unit ").count(), 8);

    // The command on the page gives the same net.
    let command = between(&page, "<code id=\"command\">train ", "</code>");
    folder
        .train(&format!("{command} --data data --out again"))
        .ok();
    assert!(folder.bytes("again/model.safetensors") == folder.bytes("run/model.safetensors"));
    assert_eq!(folder.names("again"), FILES);
}

#[test]
fn a_report_is_written_at_the_real_end_of_a_run_or_not_at_all() {
    let folder = Folder::new();
    let args = "--data data --hidden 8 --batch 16 --epochs 40 --lr 0.01 --quiet --out run";
    let mut training = reported(&folder, args).spawn().unwrap();
    while !folder.path("run/last.ckpt").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    training.kill().unwrap();
    training.wait().unwrap();
    // The training may have been faster.
    let is_stopped = !folder.path("run/model.safetensors").exists();
    if is_stopped {
        let output = folder.handwritten("report run");
        output.fails(1, &["not complete", "--resume"]);
        run(&mut reported(&folder, "--resume run --quiet")).ok();
    }
    let mut names: Vec<&str> = FILES.into_iter().chain(REPORT).collect();
    names.sort_unstable();
    assert_eq!(folder.names("run"), names);

    // No report of the earlier run stays beside another model, and no folder is overwritten.
    let again = format!("{args} --force");
    let output = folder.train(&again).ok();
    assert_eq!(output.stderr, "");
    assert_eq!(folder.names("run"), FILES);
    fs::create_dir(folder.path("run/units.png")).unwrap();
    run(&mut reported(&folder, &again)).fails(1, &["units.png"]);
}

#[test]
fn names_of_classes_are_text() {
    let folder = Folder::new();
    for part in ["train", "test"] {
        for (class, name) in ["<script>alert(1)", "\"&'", "c"].into_iter().enumerate() {
            for n in 0..4 {
                let path = format!("shapes/{part}/{name}/{n}.png");
                folder.write(&path, &png(&shape(class + n % 2), SIDE, 1));
            }
        }
    }
    let args = "--data shapes --as-is --hidden none --epochs 1 --batch 4 --lr 0.01 --out <b>run";
    run(&mut reported(&folder, args)).ok();
    let page = folder.text("<b>run/report.html");
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;b&gt;run"));
    assert_eq!(
        page.matches("<script>").count(),
        1,
        "that of the page itself"
    );
    assert!(!page.contains("<b>"));
    assert!(page.contains("alt=\"Weights of class c\""));
    folder.handwritten("report <b>run").ok();
    assert!(folder.text("<b>run/report.html") == page);
}

#[test]
fn what_is_no_run_or_has_other_images_is_refused() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write_data("other", 2);
    let before = folder.contents("");
    folder
        .handwritten("report run --data other")
        .fails(1, &["other", "--data"]);
    folder
        .handwritten("report data")
        .fails(1, &["data", "model.safetensors"]);
    folder.handwritten("report nowhere").fails(1, &["nowhere"]);
    assert!(folder.contents("") == before);
    // The data have moved.
    fs::rename(folder.path("data"), folder.path("moved")).unwrap();
    assert_eq!(folder.handwritten("report run").code, Some(1));
    folder
        .handwritten("report run/model.safetensors --data moved")
        .ok();
}

#[test]
fn several_runs_are_compared() {
    let folder = Folder::new();
    for (run, flags) in [("a", ""), ("b/a", "--seed 2"), ("c", "--activation relu")] {
        folder
            .train(&format!("{UNFINISHED} {flags} --out {run}"))
            .ok();
    }
    let said = folder.handwritten("report a b/a c --json").ok().json();
    assert_eq!(said.len(), 3);
    let page = folder.text("comparison.html");
    for text in [
        ">a</th>",
        ">a (2)</th>",
        ">c</th>",
        ">seed</th>",
        ">activation</th>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // Settings that are the same are left out.
    assert!(!page.contains(">epochs</th>"));
    assert!(page.contains(" images tested all 3 runs"));
    folder
        .handwritten("report a c")
        .fails(1, &["comparison.html", "--force"]);
    folder.handwritten("report a c --out other.html").ok();
    assert!(folder.text("other.html").contains("2 runs compared"));
    assert!(!folder.path("c/report.html").exists());
}
