//! `handwritten explain`.

use crate::programs::*;

#[test]
fn the_explanation_is_a_report_and_a_folder() {
    let folder = Folder::new();
    let output = folder.handwritten("explain --data data").ok();
    for words in [
        "797869.39",
        "No single repair passes ",
        "gradient + velocity + init ",
        "three hidden layers: train --recipe question --epochs 20 --hidden 100,100,100",
        "raw-logit-gradient, ",
    ] {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }
    let files = [
        "question.png",
        "question.svg",
        "repairs-1.svg",
        "repairs-128.svg",
        "report.html",
        "runs.csv",
        "tried.svg",
    ];
    assert_eq!(folder.names("runs/explain"), files);
    let svg = folder.text("runs/explain/repairs-128.svg");
    for label in [
        "nothing",
        "gradient + velocity + init",
        "Validation accuracy (%)",
    ] {
        assert!(svg.contains(&format!(">{label}<")), "{label}");
    }
    let page = folder.text("runs/explain/report.html");
    for text in [
        "softmax(y) − t",
        "797869.39",
        "train --recipe question --epochs 20 --lr 6",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let curves = folder.text("runs/explain/runs.csv");
    let question = "\"--recipe question\",";
    assert_eq!(
        curves
            .lines()
            .filter(|row| row.starts_with(question))
            .count(),
        200
    );

    // On one thread, and as JSON, all files have the same bytes.
    let args = "explain --data data --quiet --json --threads 1 --out again";
    let again = folder.handwritten(args).ok();
    assert_eq!(again.stderr, "");
    for name in files {
        let [one, other] = ["runs/explain", "again"].map(|run| format!("{run}/{name}"));
        assert!(folder.bytes(&one) == folder.bytes(&other), "{name}");
    }
    let events = again.json();
    let mended = "--recipe question+gradient+velocity+init --epochs 20 --hidden 128";
    let mended = events
        .iter()
        .find(|event| event["train"] == mended)
        .unwrap();
    let first = events
        .iter()
        .find(|event| event["train"] == "--recipe question")
        .unwrap();
    assert!(mended["val_accuracy"].as_f64() > first["val_accuracy"].as_f64());
    assert_eq!(first["findings"][0], "raw-logit-gradient");
    folder
        .handwritten("explain --data data --out again")
        .fails(1, &["again exists"]);
}

#[test]
fn an_explanation_without_a_folder_is_refused_before_it_trains() {
    let folder = Folder::new();
    folder.write("file", b"");
    for (args, words) in [
        // Before it looks for data.
        ("--data nowhere --out file/run", "cannot create file/run"),
        ("--data nowhere --out run", "nowhere"),
    ] {
        let refused = folder.handwritten(&format!("explain {args}"));
        refused.fails(1, &[words]);
        assert!(!folder.path("run").exists());
    }
}

#[cfg(unix)]
#[test]
fn an_explanation_that_cannot_be_written_is_printed() {
    let folder = Folder::new();
    let program = env!("CARGO_BIN_EXE_handwritten");
    // Files may be made, but nothing written into them.
    let script =
        format!("trap '' XFSZ; ulimit -f 0; exec {program} explain --data data --quiet --out run");
    let output = run(&mut folder.command("sh", ["-c", &script]));
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("No single repair passes "));
    assert_eq!(output.stderr.lines().count(), 1);
    assert!(
        output
            .stderr
            .starts_with("error: cannot write run/question.svg")
    );
    assert!(!folder.path("run").exists());
}
