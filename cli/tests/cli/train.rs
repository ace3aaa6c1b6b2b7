//! `train`: the files, the report and the events of a run.

use crate::pictures;
use crate::programs::*;
use crate::{SMALL, UNFINISHED};
use serde_json::Value;
use std::fs;
use std::io::Cursor;
use std::process::Stdio;

/// Asserts that every tag is closed and that there are all these labels.
fn assert_svg(svg: &str, labels: &[&str]) {
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for label in labels {
        assert!(svg.contains(label), "{label}: {svg}");
    }
}

#[test]
fn writes_a_whole_run_and_nothing_else() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    assert_eq!(folder.names("run"), FILES);
    assert_eq!(folder.names(""), ["data", "run"]);

    let history = folder.text("run/history.csv");
    let (header, rows) = history.split_once('\n').unwrap();
    assert_eq!(
        header,
        "epoch,train_loss,val_loss,val_accuracy,learning_rate,gradient_norm,saturated,dead,\
         norm_1,moved_1,norm_2,moved_2,finding"
    );
    let figures = |row: &str| {
        // Nothing is wrong with this run.
        let figures = row.strip_suffix(',').unwrap().split(',');
        figures.map(|x| x.parse().unwrap()).collect()
    };
    let rows: Vec<Vec<f64>> = rows.lines().map(figures).collect();
    assert_eq!(rows.len(), 3);
    for (epoch, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), 12);
        assert_eq!(row[0], (epoch + 1) as f64);
        assert!(row[1..].iter().all(|x| x.is_finite() && *x >= 0.0));
    }
    assert!(rows[2][1] < rows[0][1] && rows[2][3] == 1.0, "{history}");

    let net = format!("{}-8-{CLASSES}", SIDE * SIDE);
    let labels = [
        &net,
        ">Epoch<",
        "Cross-entropy",
        ">Training loss<",
        ">Validation loss<",
        "epoch 3",
    ];
    assert_svg(&folder.text("run/loss.svg"), &labels);
    let labels = [&net, ">Predicted class<", ">True class<", ">4<"];
    assert_svg(&folder.text("run/confusion.svg"), &labels);

    let png = folder.bytes("run/loss.png");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let mut image = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; image.output_buffer_size().unwrap()];
    image.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|&byte| byte != pixels[0]));
}

#[test]
fn the_epoch_that_is_kept_is_said() {
    let folder = Folder::new();
    for (flags, keep, said) in [
        (
            "--keep last",
            "last",
            "kept the last net, epoch 3 of 3: validation ",
        ),
        (
            "--label-smoothing 0.1",
            "last",
            "kept the last net, epoch 3 of 3: validation ",
        ),
        (
            "--keep highest-accuracy",
            "highest-accuracy",
            "highest validation accuracy ",
        ),
    ] {
        let run = flags.replace([' ', '-', '.'], "");
        let text = folder
            .train(&format!("{SMALL} {flags} --out {run} --quiet"))
            .ok();
        assert!(text.stdout.contains(said), "{}", text.stdout);
        let config = folder.text(&format!("{run}/config.toml"));
        assert!(config.contains(&format!("keep = \"{keep}\"\n")), "{config}");
        let history = folder.text(&format!("{run}/history.csv"));
        let mut rows = history
            .lines()
            .map(|row| row.split(',').nth_back(1).unwrap());
        assert_eq!(rows.next(), Some("kept"));
        assert_eq!(rows.filter(|&kept| kept == "1").count(), 1);
        folder.handwritten(&format!("verify {run} --quiet")).ok();
    }
    let json = folder
        .train(&format!("{SMALL} --keep last --out json --quiet --json"))
        .ok();
    let test = json.json().pop().unwrap();
    assert_eq!(
        (&test["keep"], &test["best_epoch"]),
        (&"last".into(), &3.into())
    );
}

#[test]
fn reports_on_stdout_and_logs_on_stderr() {
    let folder = Folder::new();
    let loud = folder.train(&format!("{SMALL} --out loud")).ok();
    for words in [
        "lowest validation loss",
        "after epoch 3 of 3",
        "test accuracy 100.00 % (40 of 40; 95 % interval",
        "precision",
        "confusion matrix",
    ] {
        assert!(loud.stdout.contains(words), "{words}: {}", loud.stdout);
        assert!(!loud.stderr.contains(words), "{words}: {}", loud.stderr);
    }
    for words in [
        "300 images to train, 40 to validate, 40 to test",
        "net 144-8-5, sigmoid",
        " 1/3 ",
        " 2/3 ",
        " 3/3 ",
        "wrote loud",
    ] {
        assert!(loud.stderr.contains(words), "{words}: {}", loud.stderr);
        assert!(!loud.stdout.contains(words), "{words}: {}", loud.stdout);
    }

    let quiet = folder.train(&format!("{SMALL} --out quiet --quiet")).ok();
    assert_eq!(quiet.stderr, "");
    // The first lines say how long it took.
    let report = |text: &str| text[text.find("test accuracy").unwrap()..].to_string();
    assert_eq!(report(&quiet.stdout), report(&loud.stdout));
    assert_same_run(&folder, "loud", "quiet");
}

#[test]
fn the_columns_of_the_report_are_straight() {
    let folder = Folder::new();
    let output = folder.train(&format!("{UNFINISHED} --quiet")).ok();
    let mut lines = output.stdout.lines();
    let header = lines.find(|line| line.contains("precision")).unwrap();
    for row in lines.by_ref().take(CLASSES) {
        let (row, header) = (row.chars().count(), header.chars().count());
        assert_eq!(row, header, "{}", output.stdout);
    }
    let matrix: Vec<_> = lines.skip(2).map(|row| row.chars().count()).collect();
    assert_eq!(matrix, [matrix[0]; CLASSES + 1], "{}", output.stdout);
}

#[test]
fn json_is_all_there_is_on_stdout() {
    let folder = Folder::new();
    let output = folder
        .train(&format!("{SMALL} --out run --json --quiet --threads 2"))
        .ok();
    assert_eq!(output.stderr, "");
    let events = output.json();
    let kinds: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(kinds, ["start", "epoch", "epoch", "epoch", "test"]);

    let start = &events[0];
    assert_eq!(start["images"], serde_json::json!([TRAIN, 40, 40]));
    assert_eq!(start["widths"], serde_json::json!([144, 8, CLASSES]));
    assert_eq!(start["parameters"], 145 * 8 + 9 * CLASSES);
    assert_eq!((&start["seed"], &start["epochs"]), (&1.into(), &3.into()));
    assert_eq!(
        (&start["threads"], &start["run"]),
        (&2.into(), &"run".into())
    );

    let history = folder.text("run/history.csv");
    let names: Vec<&str> = history.lines().next().unwrap().split(',').collect();
    for (row, event) in history.lines().skip(1).zip(&events[1..]) {
        assert_eq!(names[12], "finding");
        assert_eq!(
            (&event["finding"], &event["warning"]),
            (&Value::Null, &Value::Null)
        );
        for (name, figure) in names[..12].iter().zip(row.split(',')) {
            let (file, shown) = (figure.parse::<f64>().unwrap(), event[name].as_f64());
            assert_eq!(Some(file), shown, "{name}: {event}");
        }
        assert!(event["images_per_second"].as_f64().unwrap() > 0.0);
    }

    let test = &events[4];
    assert_eq!(test["accuracy"], 1.0);
    assert_eq!(
        (&test["correct"], &test["images"]),
        (&40.into(), &40.into())
    );
    assert_eq!(test["best_epoch"], 3);
    assert_eq!(test["val_loss"], events[3]["val_loss"]);
    for class in 0..CLASSES {
        assert_eq!(test["confusion"][class][class], 8);
        assert_eq!(test["classes"][class]["recall"], 1.0);
    }
    let [low, high] = [0, 1].map(|i| test["accuracy_interval_95"][i].as_f64().unwrap());
    assert!(
        0.5 < low && low < 1.0 && high <= 1.0,
        "from {low} to {high}"
    );
}

#[test]
fn there_is_colour_only_where_it_is_asked_for() {
    let folder = Folder::new();
    let coloured = |variables: &[&str], args: &str| {
        let mut command = folder.train_command(args);
        command.envs(variables.iter().map(|name| (name, "1")));
        let output = run(&mut command);
        // A progress bar would return to the line's start.
        [output.stdout, output.stderr].map(|text| text.contains(['\x1b', '\r']))
    };
    let forced = coloured(&["CLICOLOR_FORCE"], SMALL);
    assert_eq!(forced, [true, true], "there are styles to leave out");
    for args in [SMALL, "--lr nan", "--lr x", "--data nowhere"] {
        assert_eq!(coloured(&[], args), [false, false], "{args}");
        let refused = coloured(&["CLICOLOR_FORCE", "NO_COLOR"], args);
        assert_eq!(refused, [false, false], "{args}");
    }
}

#[test]
fn every_setting_is_taken_and_kept() {
    let folder = Folder::new();
    for (i, (flags, line)) in [
        ("--hidden none", "hidden = []"),
        ("--hidden 6,5", "hidden = [6, 5]"),
        ("--activation tanh", "init = \"glorot\""),
        ("--activation relu", "init = \"he\""),
        ("--init question", "init = \"question\""),
        ("--init lecun", "init = \"lecun\""),
        ("--batch full", "batch = \"full\""),
        ("--batch 1000", "batch = 1000"),
        ("--batch 7", "batch = 7"),
        ("--loss sum --lr 1e-3", "loss = \"sum\""),
        ("--schedule constant", "schedule = \"constant\""),
        ("--schedule step:1:0.5", "schedule = \"step:1:0.5\""),
        ("--schedule linear", "schedule = \"linear\""),
        ("--schedule linear:0.5", "schedule = \"linear:0.5\""),
        ("--warmup 1", "warmup = 1"),
        ("--momentum 0", "momentum = 0.0"),
        ("--nesterov", "nesterov = true"),
        ("--nesterov=false", "nesterov = false"),
        ("--weight-decay 1e-4", "weight_decay = 0.0001"),
        ("--label-smoothing 0.1", "label_smoothing = 0.1"),
        ("--patience 1", "patience = 1"),
        ("--split standard", "split = \"standard\""),
        (
            "--defects aliased-best,raw-logit-gradient",
            "defects = [\"raw-logit-gradient\", \"aliased-best\"]",
        ),
        (
            "--recipe question+gradient+velocity",
            "defects = [\"aliased-best\"]",
        ),
        ("--recipe question --defects none", "hidden = [1]"),
        ("--seed 18446744073709551615", "seed = 18446744073709551615"),
    ]
    .into_iter()
    .enumerate()
    {
        let args = format!("--data data --epochs 2 --quiet --out {i} {flags}");
        folder.train(&args).ok();
        let config = folder.text(&format!("{i}/config.toml"));
        let kept = config.lines().any(|kept| kept == line);
        assert!(kept, "{flags}: {config}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = Folder::new();
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    for (i, json) in ["", "--json"].into_iter().enumerate() {
        let mut command = folder.train_command(&format!("{SMALL} --out {i} {json}"));
        let output = run(command.stdout(closed()));
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("error"), "{}", output.stderr);
        assert_eq!(folder.names(&i.to_string()), FILES);

        let mut command = folder.train_command(&format!("{SMALL} --out both{i} {json}"));
        command.stdout(closed()).stderr(closed());
        assert_eq!(command.status().unwrap().code(), Some(0));
        assert_eq!(folder.names(&format!("both{i}")), FILES);
    }
    folder.write("digit.png", &pictures::png(&pictures::shape(1), SIDE, 1));
    for args in [
        "--help",
        "--version",
        "train --help",
        "evaluate 0/model.safetensors --data data",
        "classify 0/model.safetensors digit.png",
    ] {
        let program = env!("CARGO_BIN_EXE_handwritten");
        let mut command = folder.command(program, args.split_whitespace());
        let output = run(command.stdout(closed()));
        let left = (output.code, output.stderr);
        assert_eq!(left, (Some(0), String::new()), "{args}");
    }
    // And one that leaves while the program is at work.
    let mut command = folder.train_command(&format!("{SMALL} --out late --json"));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(folder.names("late"), FILES);
}

#[test]
fn a_loss_that_overflows_ends_the_run_without_a_trace() {
    let folder = Folder::new();
    let diverging = "--data data --activation relu --lr 1e30 --quiet";
    for out in ["", "--name new", "--out new", "--json --out new"] {
        let output = folder.train(&format!("{diverging} {out}"));
        let first = Output {
            stdout: String::new(),
            ..output
        };
        let advice = "the learning rate is 1000000000000000000000000000000, take 0.";
        first.fails(3, &["epoch 1, step ", " overflowed first; ", advice]);
        assert_eq!(folder.names(""), ["data"], "{out}");
    }

    folder.train(&format!("{SMALL} --out old")).ok();
    fs::create_dir(folder.path("empty")).unwrap();
    let before = folder.contents("");
    for out in ["old --force", "empty"] {
        let output = folder.train(&format!("{diverging} --out {out}"));
        assert_eq!(output.code, Some(3));
        assert!(folder.contents("") == before, "--out {out}");
    }
}

#[test]
fn a_run_that_does_not_learn_is_told_why() {
    let folder = Folder::new();
    let args = "--recipe question --epochs 4 --data data";
    let loud = folder.train(&format!("{args} --out loud")).ok();
    let warnings: Vec<&str> = loud
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "))
        .collect();
    assert!(warnings.len() > 2, "{}", loud.stderr);
    assert!(warnings[0].contains("z − t") && warnings[0].contains("softmax(z) − t"));
    // At most one after each epoch.
    let lines: Vec<&str> = loud.stderr.lines().collect();
    for pair in lines.windows(2) {
        assert!(pair.iter().any(|line| !line.starts_with("warning: ")));
    }
    let history = folder.text("loud/history.csv");
    let named = history.lines().skip(1).filter(|row| !row.ends_with(','));
    // The last warning is that about the whole run.
    assert_eq!(named.count() + 1, warnings.len(), "{history}");
    let verdict = warnings[warnings.len() - 1];
    assert!(verdict.starts_with("the net did not learn: ") && verdict.contains("guessing, ln 5"));
    assert!(
        history
            .lines()
            .nth(1)
            .unwrap()
            .ends_with(",raw-logit-gradient")
    );

    let quiet = folder
        .train(&format!("{args} --out quiet --quiet --json"))
        .ok();
    assert_eq!(quiet.stderr, format!("warning: {verdict}\n"));
    assert_same_run(&folder, "loud", "quiet");
    let events = quiet.json();
    assert_eq!(events[1]["finding"], "raw-logit-gradient");
    assert_eq!(events[1]["warning"], warnings[0]);
}
