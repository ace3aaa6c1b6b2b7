//! `train`: a repeated run has the bits of the first.

use crate::SMALL;
use crate::programs::*;
use handwritten::Isa;
use handwritten::step::Strategy;
use std::path::Path;

#[test]
fn threads_change_nothing() {
    let folder = Folder::new();
    // Products large enough for several threads.
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
fn strategies_change_nothing() {
    let folder = Folder::new();
    let args = "--data data --hidden 700 --batch 100 --epochs 2 --threads 2 --quiet";
    for strategy in Strategy::ALL {
        let name = strategy.name();
        let mut command = folder.train_command(&format!("{args} --out {name}"));
        run(command.env("HANDWRITTEN_STRATEGY", name)).ok();
        assert_same_run(&folder, "single-thread", name);
    }
    for (strategy, args, words) in [
        ("luck", args, "no such strategy; there are single-thread"),
        ("row-parallel", "--data data --threads 1", "second thread"),
        (
            "column-parallel",
            "--data data --hidden 700,700 --threads 2",
            "one hidden layer",
        ),
    ] {
        let mut command = folder.train_command(&format!("{args} --out refused"));
        let output = run(command.env("HANDWRITTEN_STRATEGY", strategy));
        output.fails(2, &["HANDWRITTEN_STRATEGY: ", words]);
        assert!(!folder.path("refused").exists(), "{strategy}");
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
    folder.train(&format!("{SMALL} --lr 0.3 --out first")).ok();
    folder
        .train("--config first/config.toml --seed 2 --epochs 2 --out changed")
        .ok();
    folder
        .train("--data data --hidden 8 --batch 16 --lr 0.3 --seed 2 --epochs 2 --out asked")
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
