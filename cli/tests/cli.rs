//! The programs as a user runs them: what they print, write and refuse.

mod programs;

use handwritten::Isa;
use programs::*;
use serde_json::Value;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Stdio;

/// A run that is over within milliseconds.
const SMALL: &str = "--data data --hidden 8 --batch 16 --epochs 3";

/// The same with an end in the middle of learning, so that the net errs.
const UNFINISHED: &str = "--data data --hidden 8 --batch 16 --epochs 2 --lr 0.01";

mod training {
    use super::*;

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
                assert!(
                    (file - shown.unwrap()).abs() <= 1e-12 * file,
                    "{name}: {event}"
                );
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
            first.fails(3, &["epoch 1, step ", " overflowed first"]);
            assert!(!folder.path("new").exists(), "{out}");
            let left = folder.path("runs").exists() && !folder.names("runs").is_empty();
            assert!(!left, "{out} leaves {:?}", folder.names("runs"));
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
}

mod repeating {
    use super::*;

    #[test]
    fn threads_change_nothing() {
        let folder = Folder::new();
        // Products large enough that they are worth several threads.
        let args = "--data data --hidden 700 --batch 100 --epochs 2 --quiet";
        for threads in 1..=3 {
            let output = format!("--threads {threads} --out threads{threads}");
            folder.train(&format!("{args} {output}")).ok();
            let machine = folder.text(&format!("threads{threads}/machine.toml"));
            assert!(machine.contains(&format!("threads = {threads}\n")));
            assert_same_run(&folder, "threads1", &format!("threads{threads}"));
        }
        for threads in ["1", "4"] {
            let run_name = format!("rayon{threads}");
            let mut command = folder.train_command(&format!("{args} --out {run_name}"));
            run(command.env("RAYON_NUM_THREADS", threads)).ok();
            let machine = folder.text(&format!("{run_name}/machine.toml"));
            assert!(machine.contains(&format!("threads = {threads}\n")));
            assert_same_run(&folder, "threads1", &run_name);
        }
        let mut command = folder.train_command(&format!("{args} --threads 2 --out both"));
        run(command.env("RAYON_NUM_THREADS", "4")).ok();
        let machine = folder.text("both/machine.toml");
        assert!(
            machine.contains("threads = 2\n"),
            "the flag wins: {machine}"
        );

        folder.train(&format!("{args} --seed 2 --out seed2")).ok();
        for name in ["history.csv", "model.safetensors"] {
            let [a, b] = ["threads1", "seed2"].map(|run| folder.bytes(&format!("{run}/{name}")));
            assert!(a != b, "{name} is the same for seeds 1 and 2");
        }
    }

    #[test]
    fn fused_instruction_sets_change_nothing() {
        let folder = Folder::new();
        let mut fused = Vec::new();
        for isa in Isa::available() {
            let name = isa.name();
            let args = format!("{SMALL} --quiet --out {name}");
            run(folder.train_command(&args).env("HANDWRITTEN_ISA", name)).ok();
            let machine = folder.text(&format!("{name}/machine.toml"));
            assert!(machine.contains(&format!("instruction_set = \"{name}\"\n")));
            if isa.is_fused() {
                fused.push(name);
                assert_same_run(&folder, fused[0], name);
            }
        }
        if fused.len() < 2 {
            say("skipped: there are no two fused instruction sets here to compare\n");
        }
    }

    #[test]
    fn a_configuration_repeats_its_run() {
        let folder = Folder::new();
        for (i, flags) in [
            "",
            "--hidden 9,7 --activation tanh --init question --loss sum --epochs 4 --batch 17 \
             --lr 1e-3 --schedule step:2:0.3 --warmup 1 --momentum 0.85 --nesterov \
             --weight-decay 1e-4 --patience 3 --seed 18446744073709551615 --split standard",
            "--batch full --activation relu --hidden none --lr 0.1 --epochs 2",
        ]
        .into_iter()
        .enumerate()
        {
            folder.train(&format!("--data data --out {i} {flags}")).ok();
            folder
                .train(&format!("--config {i}/config.toml --out again{i}"))
                .ok();
            assert_same_run(&folder, &i.to_string(), &format!("again{i}"));
        }
    }

    #[test]
    fn flags_win_over_the_configuration() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out first")).ok();
        folder
            .train("--config first/config.toml --seed 2 --epochs 2 --out changed")
            .ok();
        folder
            .train("--data data --hidden 8 --batch 16 --seed 2 --epochs 2 --out asked")
            .ok();
        assert_same_run(&folder, "changed", "asked");
        assert_eq!(folder.text("changed/history.csv").lines().count(), 3);

        folder.write("short.toml", b"epochs = 2\nlr = 1\n");
        folder
            .train("--config short.toml --data data --out short")
            .ok();
        let config = folder.text("short/config.toml");
        for line in ["epochs = 2", "lr = 1.0", "hidden = [128]"] {
            assert!(config.lines().any(|kept| kept == line), "{line}: {config}");
        }
        // Absolute, so that the file repeats the run from any folder.
        let data = config.lines().find_map(|line| line.strip_prefix("data = "));
        let data = data.unwrap().trim_matches(['"', '\'']);
        assert!(
            Path::new(data).is_absolute() && data.ends_with("data"),
            "{data}"
        );
    }

    #[test]
    fn a_recipe_is_a_configuration_over_which_all_else_wins() {
        let folder = Folder::new();
        folder.write("short.toml", b"hidden = [9]\nepochs = 2\n");
        folder
            .train("--recipe quick --config short.toml --epochs 1 --data data --out quick")
            .ok();
        let config = folder.text("quick/config.toml");
        for line in [
            "hidden = [9]",
            "epochs = 1",
            "batch = 96",
            "nesterov = true",
        ] {
            assert!(config.lines().any(|kept| kept == line), "{line}: {config}");
        }
        let refused = folder.train("--recipe slow --data data");
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("quick"), "{}", refused.stderr);
    }

    #[test]
    fn the_bench_wants_images_like_mnist() {
        let folder = Folder::new();
        let refused = folder.handwritten("bench --data data");
        assert_eq!(refused.code, Some(1));
        assert_eq!(
            refused.stderr,
            "error: the bench needs images like MNIST's\n"
        );
        let missing = folder.handwritten("bench --data nowhere");
        assert_eq!(missing.code, Some(1));
        assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
    }

    #[test]
    fn train_is_handwritten_train() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out a")).ok();
        folder.handwritten(&format!("train {SMALL} --out b")).ok();
        assert_same_run(&folder, "a", "b");

        let help = folder.train("--help").ok();
        assert_eq!(help.stderr, "");
        assert_eq!(help.stdout, folder.handwritten("train --help").ok().stdout);
        for flag in ["--hidden", "--lr", "--config", "--out", "[default: 128]"] {
            assert!(help.stdout.contains(flag), "{flag}: {}", help.stdout);
        }
        let help = folder.handwritten("--help").ok();
        for words in ["train", "evaluate", "classify", "Exit codes"] {
            assert!(help.stdout.contains(words), "{words}: {}", help.stdout);
        }
        for output in [folder.train("--version"), folder.handwritten("--version")] {
            let output = output.ok();
            assert!(output.stdout.contains(env!("CARGO_PKG_VERSION")));
            assert_eq!(output.stderr, "");
        }
    }
}

mod info {
    use super::*;
    use handwritten::InstructionSet;

    #[test]
    fn names_the_arm_and_the_sizes_in_use() {
        let folder = Folder::new();
        let text = folder.handwritten("info --threads 3").ok().stdout;
        assert!(text.contains("\nthreads          3\n"), "{text}");
        for isa in Isa::available() {
            let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), ["info", "--json"]);
            let output = run(command.env("HANDWRITTEN_ISA", isa.name())).ok();
            let [event] = &output.json()[..] else {
                panic!("{}", output.stdout);
            };
            assert_eq!(event["instruction_set"], isa.name());
            assert_eq!(event["fused_multiply_add"], isa.is_fused());
            let available: Vec<&str> = Isa::available().map(Isa::name).collect();
            assert_eq!(event["available"], serde_json::json!(available));
        }
        let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), ["info"]);
        let unset = run(command.env("HANDWRITTEN_ISA", "")).ok();
        assert!(unset.stdout.contains(Isa::detect().name()));
    }

    #[test]
    fn an_instruction_set_that_is_not_there_is_refused() {
        let folder = Folder::new();
        let missing = InstructionSet::ALL
            .iter()
            .copied()
            .find(|&arm| Isa::new(arm).is_err());
        let missing = missing.expect("no machine has all of them").name();
        for args in ["info", "train", "evaluate m", "classify m p"] {
            for (name, words) in [
                ("sse9", "no such instruction set; there are portable, neon"),
                (
                    missing,
                    "is not there; this processor and build have portable",
                ),
            ] {
                let args = args.split_whitespace();
                let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), args);
                let output = run(command.env("HANDWRITTEN_ISA", name));
                output.fails(2, &["HANDWRITTEN_ISA: ", words]);
            }
        }
    }
}

mod overwriting {
    use super::*;

    #[test]
    fn runs_without_a_name_are_numbered() {
        let folder = Folder::new();
        folder.train(SMALL).ok();
        assert_eq!(folder.names("runs"), ["images-144-8-5"]);
        let before = folder.contents("runs/images-144-8-5");
        let second = folder.train(&format!("{SMALL} --seed 2")).ok();
        assert!(second.stderr.contains("wrote runs/images-144-8-5.2"));
        folder.train(&format!("{SMALL} --force")).ok();
        assert_eq!(
            folder.names("runs"),
            ["images-144-8-5", "images-144-8-5.2", "images-144-8-5.3"]
        );
        assert!(folder.contents("runs/images-144-8-5") == before);
        for run in ["runs/images-144-8-5.2", "runs/images-144-8-5.3"] {
            assert_eq!(folder.names(run), FILES);
        }
    }

    #[test]
    fn a_full_folder_is_refused_before_training() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out old")).ok();
        folder.train(&format!("{SMALL} --name named")).ok();
        folder.write("notes/todo.txt", b"mine");
        fs::create_dir(folder.path("empty")).unwrap();
        let before = folder.contents("");
        for (out, path) in [
            ("--out old", "old"),
            ("--name named", "runs/named"),
            ("--out notes", "notes"),
            ("--out data/train-images-idx3-ubyte", "data/train-images"),
        ] {
            let output = folder.train(&format!("{SMALL} --seed 2 {out}"));
            output.fails(1, &[path, "--force"]);
            assert!(folder.contents("") == before, "{out}");
        }
        folder.train(&format!("{SMALL} --out empty")).ok();
        assert_same_run(&folder, "old", "empty");
    }

    #[test]
    fn force_overwrites_the_run_and_nothing_else() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        folder.write("run/notes.txt", b"mine");
        folder
            .train(&format!("{SMALL} --seed 2 --out run --force"))
            .ok();
        folder.train(&format!("{SMALL} --seed 2 --out fresh")).ok();
        assert_same_run(&folder, "run", "fresh");
        assert_eq!(folder.text("run/notes.txt"), "mine");
        assert_eq!(folder.names("run").len(), FILES.len() + 1);

        folder.train(&format!("{SMALL} --name run")).ok();
        folder
            .train(&format!("{SMALL} --name run --seed 2 --force"))
            .ok();
        assert_same_run(&folder, "runs/run", "fresh");
    }

    #[test]
    fn a_run_that_cannot_be_written_leaves_the_old_one() {
        let folder = Folder::new();
        for name in FILES {
            folder.train(&format!("{SMALL} --out {name}")).ok();
            let in_the_way = format!("{name}/{name}");
            fs::remove_file(folder.path(&in_the_way)).unwrap();
            fs::create_dir(folder.path(&in_the_way)).unwrap();
            let before = folder.contents(name);
            folder
                .train(&format!("{SMALL} --seed 2 --quiet --out {name} --force"))
                .fails(1, &[&in_the_way]);
            assert!(folder.contents(name) == before, "{name}");
        }
    }

    #[test]
    fn names_are_names_and_not_paths() {
        let folder = Folder::new();
        let before = folder.contents("");
        for name in ["a/b", "../a", "..", ".", "a/", "/a"] {
            let output = folder.train(&format!("{SMALL} --name {name}"));
            output.fails(2, &["--name", name, "--out"]);
            assert!(folder.contents("") == before, "{name}");
        }
        let both = folder.train(&format!("{SMALL} --name a --out b"));
        assert_eq!(both.code, Some(2));
        let line = both.stderr.lines().next().unwrap();
        assert!(line.contains("--name") && line.contains("--out"), "{line}");
        assert!(folder.contents("") == before);
    }

    #[test]
    fn an_output_folder_that_cannot_be_is_refused() {
        let folder = Folder::new();
        folder.write("file", b"in the way");
        let before = folder.contents("");
        for (out, path) in [
            ("--out file", "file"),
            ("--out file --force", "file"),
            ("--out file/run", "file/run"),
            ("--out file/a/run", "file/a/run"),
            #[cfg(target_os = "linux")]
            ("--out /proc/run", "/proc/run"),
        ] {
            // Before training: a loud run has nothing to say yet.
            folder.train(&format!("{SMALL} {out}")).fails(1, &[path]);
            assert!(folder.contents("") == before, "{out}");
        }
        folder.write("runs", b"in the way");
        let before = folder.contents("");
        for out in ["", "--name a"] {
            folder.train(&format!("{SMALL} {out}")).fails(1, &["runs"]);
            assert!(folder.contents("") == before, "{out}");
        }
    }
}

mod evaluating {
    use super::*;

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
}

mod exporting {
    use super::*;
    use safetensors::SafeTensors;

    /// The numbers of an array of the source, which says how many they are.
    fn array<T: std::str::FromStr>(source: &str, name: &str) -> Vec<T> {
        let (_, after) = source.split_once(&format!("pub static {name}: [")).unwrap();
        let (kind, after) = after.split_once("] = [").unwrap();
        let (body, _) = after.split_once("];").unwrap();
        let numbers = body.split(',').map(str::trim).filter(|x| !x.is_empty());
        let numbers: Vec<T> = numbers.map(|x| x.parse().ok().unwrap()).collect();
        let (_, len) = kind.split_once("; ").unwrap();
        assert_eq!(len.parse(), Ok(numbers.len()));
        numbers
    }

    #[test]
    fn the_source_has_every_bit_of_the_model() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        let args = "export run/model.safetensors --format rust --out net.rs";
        let output = folder.handwritten(args).ok();
        let params = SIDE * SIDE * 8 + 8 + 8 * CLASSES + CLASSES;
        assert!(
            output.stdout.contains("wrote net.rs: 4 820 bytes"),
            "{}",
            output.stdout
        );
        assert_eq!((output.stderr.as_str(), 4 * params), ("", 4820));

        let source = folder.text("net.rs");
        for words in [
            "use handwritten::{Activation, NetRef};",
            "pub const WIDTHS: [usize; 3] = [144, 8, 5];",
            "NetRef::try_new(&WIDTHS, Activation::Sigmoid, &PARAMS)",
        ] {
            assert!(source.contains(words), "{words}: {source}");
        }
        let file = folder.bytes("run/model.safetensors");
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let tensor = |name: &str| -> Vec<u32> {
            let bytes = tensors.tensor(name).unwrap().data();
            let (quads, _) = bytes.as_chunks::<4>();
            quads.iter().map(|&quad| u32::from_le_bytes(quad)).collect()
        };
        // PyTorch's weights are outputs×inputs.
        let mut expected: Vec<u32> = Vec::new();
        for (weight, bias, inputs) in [
            ("0.weight", "0.bias", SIDE * SIDE),
            ("2.weight", "2.bias", 8),
        ] {
            let weights = tensor(weight);
            expected.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
            expected.extend(&tensor(bias));
        }
        let found: Vec<u32> = array::<f32>(&source, "PARAMS")
            .iter()
            .map(|x| x.to_bits())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_eight_bits_cost_is_measured_on_all_test_images() {
        let folder = Folder::new();
        folder
            .train(&format!("{UNFINISHED} --split standard --out run"))
            .ok();
        let args = "run/model.safetensors --data data --json";
        let [evaluated] = &folder.handwritten(&format!("evaluate {args}")).ok().json()[..] else {
            panic!("one line of evaluation");
        };
        let export = format!("export {args} --quantize int8 --out net.rs");
        let [event] = &folder.handwritten(&export).ok().json()[..] else {
            panic!("one line of export");
        };
        assert_eq!(event["images"], TEST);
        assert_eq!(event["correct"][0], evaluated["correct"]);
        let lost = event["correct"][0].as_f64().unwrap() - event["correct"][1].as_f64().unwrap();
        assert!(lost.abs() < 0.1 * TEST as f64, "{event}");
        assert_eq!(
            event["bytes"],
            SIDE * SIDE * 8 + 8 * CLASSES + 2 * 4 * (8 + CLASSES)
        );

        let source = folder.text("net.rs");
        let weights: Vec<i32> = array(&source, "WEIGHTS");
        assert_eq!(weights.len(), SIDE * SIDE * 8 + 8 * CLASSES);
        assert!(weights.iter().all(|q| (-127..=127).contains(q)));
        assert!(weights.contains(&127) || weights.contains(&-127));
        assert_eq!(array::<f32>(&source, "SCALES").len(), 8 + CLASSES);
        assert_eq!(array::<f32>(&source, "BIASES").len(), 8 + CLASSES);

        let export = "export run/model.safetensors --data data --quantize int8 --out text.rs";
        let output = folder.handwritten(export).ok();
        assert!(output.stdout.contains("points lost on 80 test images"));
        assert_eq!(folder.text("text.rs"), source);
    }

    #[test]
    fn what_cannot_be_exported_is_refused_and_nothing_written() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        folder.write("taken.rs", b"mine");
        folder.write("other/notes.txt", b"no data");
        let before = folder.contents("");
        let model = "export run/model.safetensors";
        for (args, code, words) in [
            (
                format!("{model} --out taken.rs"),
                1,
                &["taken.rs exists", "--force"][..],
            ),
            (
                format!("{model} --out missing/net.rs"),
                1,
                &["missing/net.rs"],
            ),
            (format!("{model} --force --out run"), 1, &["run"]),
            (
                "export nothing --out net.rs".to_string(),
                1,
                &["cannot read nothing"],
            ),
            (
                "export taken.rs --out net.rs".to_string(),
                1,
                &["taken.rs is no model"],
            ),
            (
                format!("{model} --quantize int8 --data other --out net.rs"),
                1,
                &["other"],
            ),
            (model.to_string(), 2, &["--out"]),
            (
                format!("{model} --out net.rs --quantize int4"),
                2,
                &["int4", "int8"],
            ),
            (
                format!("{model} --out net.rs --format c"),
                2,
                &["--format", "rust"],
            ),
            (
                format!("{model} --out net.rs --data data"),
                2,
                &["--quantize"],
            ),
        ] {
            folder.handwritten(&args).fails(code, words);
            assert!(folder.contents("") == before, "{args}");
        }
        folder
            .handwritten(&format!("{model} --force --out taken.rs"))
            .ok();
        assert!(folder.text("taken.rs").contains("pub static NET"));
    }
}

mod pictures {
    use super::*;
    use png::{BitDepth, ColorType, Encoder};

    /// The shape of a class without noise, 0 or 255.
    pub(super) fn shape(class: usize) -> Vec<u8> {
        (0..SIDE * SIDE)
            .map(|k| 255 * u8::from(is_ink(class, k / SIDE, k % SIDE)))
            .collect()
    }

    /// A square PNG file of 1 (grey), 3 (RGB) or 4 bytes (RGBA) a pixel.
    pub(super) fn png(pixels: &[u8], side: usize, channels: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, side as u32, side as u32);
        encoder.set_color(match channels {
            1 => ColorType::Grayscale,
            3 => ColorType::Rgb,
            _ => ColorType::Rgba,
        });
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// The shape five times as large, off the centre of a larger image.
    fn large(class: usize) -> (Vec<u8>, usize) {
        let (side, scale, down, right) = (100, 5, 33, 7);
        let shape = shape(class);
        let mut pixels = vec![0; side * side];
        for i in 0..SIDE * scale {
            for j in 0..SIDE * scale {
                let pixel = shape[i / scale * SIDE + j / scale];
                pixels[(down + i) * side + right + j] = pixel;
            }
        }
        (pixels, side)
    }

    #[test]
    fn shapes_are_told_however_they_are_drawn() {
        let folder = Folder::new();
        folder
            .train("--data data --hidden 16 --batch 16 --epochs 20 --out run")
            .ok();
        let inverted = |pixels: &[u8]| pixels.iter().map(|x| 255 - x).collect::<Vec<u8>>();
        for class in 0..CLASSES {
            let own = shape(class);
            let (large, side) = large(class);
            let coloured = |pixels: &[u8]| pixels.iter().flat_map(|&x| [x, x, 0]).collect();
            // Black ink on a transparent ground that is black, too.
            let transparent = |pixels: &[u8]| pixels.iter().flat_map(|&x| [0, 0, 0, x]).collect();
            let files: [(&str, Vec<u8>, usize, usize); 7] = [
                ("own.png", own.clone(), SIDE, 1),
                ("inverted.png", inverted(&own), SIDE, 1),
                ("rgb.png", coloured(&own), SIDE, 3),
                ("rgba.png", transparent(&own), SIDE, 4),
                ("large.png", large.clone(), side, 1),
                ("large-inverted.png", inverted(&large), side, 1),
                ("large-rgba.png", transparent(&large), side, 4),
            ];
            let mut args = "classify run/model.safetensors".to_string();
            for (name, pixels, side, channels) in &files {
                folder.write(name, &png(pixels, *side, *channels));
                args += &format!(" {name}");
            }
            let output = folder.handwritten(&args).ok();
            assert_eq!(output.stderr, "");
            assert_eq!(output.stdout.lines().count(), files.len());
            for (line, (name, ..)) in output.stdout.lines().zip(&files) {
                let expected = format!("{name}: {class}  ({class} ");
                assert!(line.starts_with(&expected), "{expected}: {line}");
            }

            let output = folder.handwritten(&format!("{args} --json")).ok();
            let events = output.json();
            assert_eq!(events.len(), files.len());
            for (event, (name, ..)) in events.iter().zip(&files) {
                assert_eq!(event["event"], "class");
                assert_eq!(event["image"], *name);
                assert_eq!(event["class"], class.to_string());
                let probs = event["probabilities"].as_array().unwrap();
                let probs: Vec<f64> = probs.iter().map(|p| p.as_f64().unwrap()).collect();
                assert_eq!(probs.len(), CLASSES);
                assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{event}");
                assert!(probs.iter().all(|&p| p <= probs[class]), "{event}");
            }
        }
    }

    #[test]
    fn shapes_are_told_on_any_ground_and_in_any_ink() {
        let folder = Folder::new();
        folder
            .train("--data data --hidden 16 --batch 16 --epochs 20 --out run")
            .ok();
        let mix = |from: u8, to: u8, x: u8| {
            let x = i32::from(x);
            ((i32::from(from) * (255 - x) + i32::from(to) * x) / 255) as u8
        };
        for class in 0..CLASSES {
            let (large, side) = large(class);
            let each =
                |pixel: &dyn Fn(u8) -> Vec<u8>| large.iter().flat_map(|&x| pixel(x)).collect();
            let photo = (0..large.len()).map(|k| {
                let ground = 200 - (k % side / 3) as u8 + (k * k % 13) as u8;
                mix(ground, 40, large[k])
            });
            let mut dust = large.clone();
            for k in [3, 4, side + 3, side + 4] {
                dust[k] = 255;
            }
            let files: [(&str, Vec<u8>, usize); 8] = [
                ("white-rgba.png", each(&|x| vec![255, 255, 255, x]), 4),
                // Ink that is not of one colour, and lost on white.
                (
                    "light-rgba.png",
                    each(&|x| vec![250 + x % 5, 255, 250, x]),
                    4,
                ),
                ("grey.png", each(&|x| vec![mix(200, 120, x)]), 1),
                ("faint.png", each(&|x| vec![mix(90, 120, x)]), 1),
                ("blue.png", each(&|x| vec![0, 0, x]), 3),
                ("yellow.png", each(&|x| vec![255, 255, 255 - x]), 3),
                ("photo.png", photo.collect(), 1),
                ("dust.png", dust, 1),
            ];
            let mut args = "classify run/model.safetensors".to_string();
            for (name, pixels, channels) in &files {
                folder.write(name, &png(pixels, side, *channels));
                args += &format!(" {name}");
            }
            let output = folder.handwritten(&args).ok();
            for (line, (name, ..)) in output.stdout.lines().zip(&files) {
                let expected = format!("{name}: {class}  ({class} ");
                assert!(line.starts_with(&expected), "{expected}: {line}");
            }
        }
    }

    #[test]
    fn pictures_without_ink_are_refused_before_anything_is_printed() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        folder.write("good.png", &png(&shape(2), SIDE, 1));
        let noise: Vec<u8> = (0..400).map(|k| 200 + (k * k % 7) as u8).collect();
        for (name, pixels, side, channels) in [
            ("white.png", vec![255; 400], 20, 1),
            ("black.png", vec![0; 400], 20, 1),
            ("grey.png", vec![120; 1200], 20, 3),
            ("own.png", vec![255; SIDE * SIDE], SIDE, 1),
            ("noise.png", noise, 20, 1),
            ("clear.png", [9, 99, 199, 0].repeat(400), 20, 4),
            ("dot.png", vec![0], 1, 1),
        ] {
            folder.write(name, &png(&pixels, side, channels));
            folder
                .handwritten(&format!("classify run/model.safetensors good.png {name}"))
                .fails(1, &[&format!("{name}: no ink")]);
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_before_anything_is_printed() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        let good = png(&shape(2), SIDE, 1);
        folder.write("good.png", &good);
        folder.write("text.png", b"not a picture at all");
        folder.write("empty.png", b"");
        // A header that promises more than anybody has memory for.
        let mut huge = good.clone();
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        folder.write("huge.png", &huge);
        let before = folder.contents("");
        for name in ["missing.png", "text.png", "empty.png", "huge.png", "data"] {
            folder
                .handwritten(&format!("classify run/model.safetensors good.png {name}"))
                .fails(1, &[name]);
        }
        assert!(folder.contents("") == before);
        // The last chunk, of 12 bytes, says no more than that it is the last.
        for len in (0..good.len() - 12).step_by(5) {
            folder.write("cut.png", &good[..len]);
            folder
                .handwritten("classify run/model.safetensors good.png cut.png")
                .fails(1, &["cut.png"]);
        }
    }
}

mod wrong_input {
    use super::*;

    #[test]
    fn every_bad_flag_value_is_named() {
        let folder = Folder::new();
        // What is wrong with all of them, rather than with the first alone.
        let mut taken = Vec::new();
        for (flag, values) in [
            ("hidden", "0 a 8,0 8, -1 1.5"),
            ("epochs", "0 -1 1.5 x"),
            ("batch", "0 x -1 1.5"),
            ("lr", "0 -1 nan inf x 1e60 1e-60"),
            ("momentum", "1 -0.1 nan x 0.999999999999"),
            ("weight-decay", "-1 nan inf x"),
            (
                "schedule",
                "foo step:0:0.5 step:1 step:1:0 step:1:nan step:1:2",
            ),
            ("warmup", "-1 x"),
            ("activation", "foo Relu"),
            ("init", "foo"),
            ("loss", "foo"),
            ("split", "foo"),
            ("seed", "-1 x 18446744073709551616"),
            ("threads", "0 -1 x"),
            ("patience", "0 -1 x"),
        ] {
            for value in values.split(' ') {
                let output = folder.train(&format!("--data data --{flag} {value}"));
                let stderr = &output.stderr;
                let named = stderr.starts_with("error: ") && stderr.contains(flag);
                let silent = output.stdout.is_empty() && folder.names("") == ["data"];
                if output.code != Some(2) || stderr.lines().count() != 1 || !named || !silent {
                    taken.push(format!("--{flag} {value}: {:?}, {stderr}", output.code));
                }
            }
        }
        assert!(taken.is_empty(), "{}", taken.join(""));
    }

    #[test]
    fn no_number_is_too_large_for_an_answer() {
        let folder = Folder::new();
        let mut panicked = Vec::new();
        for flags in [
            "--hidden 1000000000000000",
            "--hidden 18446744073709551615",
            "--hidden 4294967296,4294967296",
            "--epochs 18446744073709551615 --activation relu --lr 1e30",
            "--epochs 2 --warmup 18446744073709551615",
            "--epochs 2 --schedule step:18446744073709551615:0.5",
            "--epochs 2 --batch 18446744073709551615",
            "--epochs 2 --patience 18446744073709551615",
        ] {
            let args = format!("--data data --quiet --out run --force {flags}");
            let output = folder.train_command(&args).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let lines = stderr.lines().count();
            match output.status.code() {
                Some(0) if lines == 0 => {}
                Some(1..=3) if lines == 1 => {}
                code => panicked.push(format!("{flags}: {code:?}, {}", stderr.trim())),
            }
        }
        assert!(panicked.is_empty(), "{}", panicked.join("\n"));
    }

    #[test]
    fn what_the_program_does_not_know_is_named() {
        let folder = Folder::new();
        for (args, word) in [
            ("train --data data --bogus", "--bogus"),
            ("train --data data --epoch 3", "--epoch"),
            ("train --data data --nesterov=foo", "--nesterov"),
            ("train --data data extra", "extra"),
            ("train --data", "--data"),
            ("train --epochs 2 --epochs 3", "--epochs"),
            ("frobnicate", "frobnicate"),
            ("--bogus", "--bogus"),
            ("evaluate model --bogus", "--bogus"),
            ("evaluate model --threads 0", "--threads"),
            ("classify model image --bogus", "--bogus"),
            ("evaluate", "arguments were not provided: <MODEL>; see"),
            (
                "export model",
                "arguments were not provided: --out <FILE>; see",
            ),
            (
                "classify model",
                "arguments were not provided: <IMAGES>...; see",
            ),
            ("train --data=", "a value is required for '--data <DIR>'"),
        ] {
            folder.handwritten(args).fails(2, &[word]);
            assert_eq!(folder.names(""), ["data"], "{args}");
        }
        let nothing = folder.handwritten("");
        assert_eq!(nothing.code, Some(2));
        assert!(nothing.stderr.contains("train"), "{}", nothing.stderr);
    }

    #[test]
    fn a_number_of_threads_that_makes_no_sense_is_refused() {
        let folder = Folder::new();
        for threads in ["0", "1025", "99999", "-1", "abc", "99999999999999999999"] {
            // Also by those that have no flag for it.
            for args in ["info", "info --threads 2", "gradcheck --data data"] {
                let args = args.split(' ');
                let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), args);
                let output = run(command.env("RAYON_NUM_THREADS", threads));
                let words =
                    format!("RAYON_NUM_THREADS must be a number from 1 to 1024, not \"{threads}\"");
                output.fails(2, &[&words]);
            }
        }
        let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), ["info"]);
        run(command.env("RAYON_NUM_THREADS", "")).ok();
    }

    /// Runs a command in so many KiB of addresses.
    #[cfg(target_os = "linux")]
    fn limited(folder: &Folder, kib: u32, command: &str) -> Output {
        let script = format!("ulimit -v {kib}; exec {command}");
        run(&mut folder.command("sh", ["-c", &script]))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_that_cannot_be_started_are_counted() {
        let folder = Folder::new();
        let program = env!("CARGO_BIN_EXE_handwritten");
        // Less than the stacks of so many take.
        let output = limited(&folder, 500_000, &format!("{program} info --threads 1024"));
        output.fails(1, &["cannot start 1024 threads: "]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_net_that_there_is_no_memory_for_is_refused() {
        let folder = Folder::new();
        let program = env!("CARGO_BIN_EXE_train");
        let command = format!("{program} --data data --hidden 400000 --threads 1 --out run");
        let output = limited(&folder, 1_000_000, &command);
        output.fails(1, &["not the memory to train a net 144-400000-5"]);
        assert_eq!(folder.names(""), ["data"]);
    }

    #[test]
    #[cfg(unix)]
    fn what_never_ends_is_not_read_to_its_end() {
        let folder = Folder::new();
        let words = "/dev/zero is no configuration: it has more than 1048576 bytes";
        folder.train("--config /dev/zero").fails(2, &[words]);
        let refused = folder.handwritten("evaluate /dev/zero");
        refused.fails(1, &["/dev/zero is not a regular file"]);
    }

    /// Writes data sets, each whole but for the files that are named.
    fn write_spoilt_data(folder: &Folder) {
        let spoil = |name: &str, files: &[(&str, &[u8])]| {
            folder.write_data(name, 1);
            for (file, bytes) in files {
                let original = file.trim_end_matches(".gz");
                fs::remove_file(folder.path(&format!("{name}/{original}"))).unwrap();
                folder.write(&format!("{name}/{file}"), bytes);
            }
        };
        let images = folder.bytes("data/t10k-images-idx3-ubyte");
        let packed = gz(&images);
        let few = |count: usize| {
            let pixels = vec![0; count * SIDE * SIDE];
            let labels = [0, 1, 2];
            (
                idx_file(0x0803, &[count, SIDE, SIDE], &pixels),
                idx_file(0x0801, &[count], &labels[..count]),
            )
        };
        let (none, one, three) = (few(0), few(1), few(3));
        let (images_name, labels_name) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
        spoil(
            "cut",
            &[("t10k-images-idx3-ubyte.gz", &packed[..packed.len() - 1])],
        );
        spoil("short", &[(images_name, &images[..images.len() - 1])]);
        spoil("fewer", &[(labels_name, &three.1)]);
        spoil("garbage", &[(images_name, &[7; 99])]);
        spoil("none", &[(images_name, &none.0), (labels_name, &none.1)]);
        spoil("one", &[(images_name, &one.0), (labels_name, &one.1)]);
        spoil("unlabelled", &[]);
        fs::remove_file(folder.path("unlabelled").join(labels_name)).unwrap();
        fs::create_dir(folder.path("empty")).unwrap();
        folder.write("file", b"no folder");
    }

    #[test]
    fn data_that_are_not_there_or_damaged_are_named() {
        let folder = Folder::new();
        folder.train(&format!("{SMALL} --out run")).ok();
        write_spoilt_data(&folder);

        let before = folder.contents("");
        for (data, words) in [
            ("missing", ["missing", ""]),
            ("empty", ["empty", "train-images-idx3-ubyte"]),
            ("file", ["file", "folder"]),
            ("cut", ["cut/t10k-images-idx3-ubyte.gz", ""]),
            ("short", ["short/t10k-images-idx3-ubyte", "offset"]),
            ("unlabelled", ["unlabelled", "t10k-labels-idx1-ubyte"]),
            ("fewer", ["fewer/t10k-labels-idx1-ubyte", "3 labels"]),
            ("garbage", ["garbage/t10k-images-idx3-ubyte", "magic"]),
            ("none", ["none/t10k-images-idx3-ubyte", "no images"]),
        ] {
            // Named or not, no folder is made for a run that cannot begin.
            for args in ["", "--out new/run", "--name new", "--json"] {
                let output = folder.train(&format!("--data {data} {args}"));
                output.fails(1, &words);
                assert!(folder.contents("") == before, "{data} {args}");
            }
            let output =
                folder.handwritten(&format!("evaluate run/model.safetensors --data {data}"));
            output.fails(1, &words);
        }
        // A single test image cannot be parted in two, but can be evaluated.
        folder.train("--data one").fails(1, &["test file"]);
        assert!(folder.contents("") == before);
        folder
            .handwritten("evaluate run/model.safetensors --data one")
            .ok();
    }

    #[test]
    fn a_bad_configuration_is_named_with_its_line() {
        let folder = Folder::new();
        for (config, words) in [
            ("rate = 1", ["line 1", "rate"]),
            ("seed = 1\n\nepochs = \"three\"", ["line 3", "three"]),
            ("seed = 1\nhidden = [8, 0]", ["line 2", "0"]),
            ("seed = 1\nhidden = 8", ["line 2", "8"]),
            ("lr = 0.1\nbatch = \"half\"", ["line 2", "full"]),
            ("lr = 0.1\nlr = 0.2", ["line 2", "duplicate"]),
            ("# fine\nepochs = 1 2", ["line 2", ""]),
            ("lr = -1.0", ["lr", "-1"]),
            ("activation = \"softplus\"", ["activation", "softplus"]),
        ] {
            folder.write("config.toml", config.as_bytes());
            let before = folder.contents("");
            let output = folder.train("--data data --config config.toml");
            output.fails(2, &words);
            if words[0].starts_with("line") {
                output.fails(2, &["config.toml"]);
            }
            assert!(folder.contents("") == before, "{config}");
        }
        folder.write("nowhere.toml", b"data = \"\"");
        let output = folder.train("--config nowhere.toml");
        output.fails(2, &["data must name a folder, and is empty"]);
        folder.write("latin1.toml", b"# caf\xe9");
        for name in ["missing.toml", "data", "latin1.toml"] {
            let output = folder.train(&format!("--data data --config {name}"));
            output.fails(1, &[name]);
            assert!(!folder.path("runs").exists());
        }
    }

    /// An absolute path with a space and letters beyond ASCII is a path.
    #[test]
    fn any_path_will_do() {
        let folder = Folder::new();
        let odd = folder.path("Größe 1");
        fs::create_dir(&odd).unwrap();
        fs::rename(folder.path("data"), odd.join("data")).unwrap();
        let args: [&Path; 8] = [
            "--data".as_ref(),
            &odd.join("data"),
            "--out".as_ref(),
            &odd.join("the run"),
            "--epochs".as_ref(),
            "1".as_ref(),
            "--hidden".as_ref(),
            "3".as_ref(),
        ];
        run(&mut folder.command(env!("CARGO_BIN_EXE_train"), args)).ok();
        let config = odd.join("the run/config.toml");
        let args = [
            "--config".as_ref(),
            config.as_os_str(),
            "--out".as_ref(),
            "again".as_ref(),
        ];
        run(&mut folder.command(env!("CARGO_BIN_EXE_train"), args)).ok();
        assert_same_run(&folder, "Größe 1/the run", "again");
    }
}

mod explaining {
    use super::*;

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
        assert_eq!(named.count(), warnings.len(), "{history}");
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
        assert_eq!(quiet.stderr, "");
        assert_same_run(&folder, "loud", "quiet");
        let events = quiet.json();
        assert_eq!(events[1]["finding"], "raw-logit-gradient");
        assert_eq!(events[1]["warning"], warnings[0]);
    }

    #[test]
    fn a_right_gradient_passes_and_a_wrong_one_is_named() {
        let folder = Folder::new();
        let right = folder
            .handwritten("gradcheck --data data --hidden 8,6")
            .ok();
        for tensor in [
            "weights of layer 1",
            "biases of layer 2",
            "weights of layer 3",
        ] {
            let row = right.stdout.lines().find(|line| line.starts_with(tensor));
            assert!(!row.unwrap().ends_with("wrong"), "{}", right.stdout);
        }
        assert_eq!(right.stderr, "");

        let args = "gradcheck --data data --images 5 --parameters 3 --defects raw-logit-gradient";
        let wrong = folder.handwritten(args);
        assert_eq!(wrong.code, Some(4));
        assert_eq!(
            wrong.stdout.matches("  wrong").count(),
            4,
            "{}",
            wrong.stdout
        );
        assert!(
            wrong
                .stderr
                .starts_with("error: the gradient by the weights of layer 1")
        );
        assert_eq!(wrong.stderr.lines().count(), 1);

        let wrong = folder.handwritten(&format!("{args} --json"));
        let events = wrong.json();
        assert_eq!((wrong.code, events.len()), (Some(4), 4));
        for event in events {
            assert_eq!(
                (&event["wrong"], &event["checked"]),
                (&true.into(), &3.into())
            );
            assert!(event["error"].as_f64().unwrap() > 0.01);
        }
        for (args, words) in [
            ("--images 0", "--images"),
            ("--data nowhere", "nowhere"),
            ("--data data --hidden 1000000,1000000", "parameters"),
            ("--recipe nothing", "there are quick, question"),
        ] {
            let refused = folder.handwritten(&format!("gradcheck {args}"));
            let code = if args.contains("nowhere") { 1 } else { 2 };
            refused.fails(code, &[words]);
        }
    }

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
        let curves = folder.text("runs/explain/runs.csv");
        let question = "\"--recipe question\",";
        assert_eq!(
            curves
                .lines()
                .filter(|row| row.starts_with(question))
                .count(),
            200
        );

        // The same on one thread, and as JSON.
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
            ("--data nowhere --out file/run", "cannot make file/run"),
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
        let script = format!(
            "trap '' XFSZ; ulimit -f 0; exec {program} explain --data data --quiet --out run"
        );
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
}
