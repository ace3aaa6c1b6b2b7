//! Runs that are killed, stopped, raced, and starved of disk.
//!
//! `HANDWRITTEN_KILLS` is the number of kills, 60 by default.

#![cfg(unix)]

#[expect(dead_code, reason = "the command line has more to ask for")]
mod programs;

use handwritten::Checkpoint;
use handwritten::net::defects::Defects;
use programs::{CLASSES, FILES, Folder, Output, SIDE, assert_same_run, run, say};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A run of some tenths of a second that is saved after each step.
const LONG: &str = "--data data --hidden 8 --batch 1 --lr 0.01 --checkpoint-every 0";

/// A run that cannot end before a signal comes: its standard output is not read
/// meanwhile, and is longer than a pipe holds.
const WAITING: &str = "--data data --hidden 8 --batch 1 --lr 0.01 --epochs 400 --json";

/// A run that would take hours.
const ENDLESS: &str = "--data data --hidden 8 --batch 1 --lr 0.01 --epochs 1000000";

impl Folder {
    fn spawn(&self, args: &str) -> Child {
        let mut command = self.train_command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Starts a run and returns when it has been saved; it is still training.
    fn spawn_saved(&self, args: &str, run: &str) -> Child {
        let child = self.spawn(args);
        self.wait_for(&format!("{run}/last.ckpt"));
        child
    }

    /// Starts a run and returns when it has printed these words to stderr; it is still
    /// training.
    fn spawn_until(&self, args: &str, words: &str) -> Child {
        let mut child = self.spawn(args);
        let stderr = child.stderr.as_mut().unwrap();
        // Byte by byte, so that whoever waits for its end reads all the rest.
        let (mut said, mut byte) = (vec![], [0]);
        while !said.ends_with(words.as_bytes()) {
            let read = stderr.read_exact(&mut byte);
            read.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said)));
            said.extend(byte);
        }
        child
    }

    fn wait_for(&self, file: &str) {
        let start = Instant::now();
        while !self.path(file).exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "no {file}");
            sleep(Duration::from_millis(1));
        }
    }

    /// Asserts that a run which has been killed can be resumed: its checkpoint loads,
    /// and its history has each row once. Returns the tenth of the epochs before the last, from
    /// 0, that its checkpoint is in, or 10 in the last epoch: none is saved after it.
    fn assert_whole(&self, run: &str) -> usize {
        let mut tenth = 0;
        if self.path(&format!("{run}/last.ckpt")).exists() {
            let bytes = self.bytes(&format!("{run}/last.ckpt"));
            let (saved, _) = Checkpoint::from_bytes(&bytes).unwrap();
            let others = saved.config.epochs - 1;
            tenth = (10 * saved.history.len()).checked_div(others).unwrap_or(10);
        } else if self.path(&format!("{run}/model.safetensors")).exists() {
            tenth = 10;
        }
        if self.path(&format!("{run}/history.csv")).exists() {
            let history = self.text(&format!("{run}/history.csv"));
            for (epoch, row) in (1..).zip(history.lines().skip(1)) {
                assert_eq!(
                    row.split(',').next(),
                    Some(&*format!("{epoch}")),
                    "{history}"
                );
            }
        }
        tenth
    }
}

impl Output {
    /// Number of warnings that a file cannot be written, before the program ended with
    /// that error. Asserts that it printed nothing else to stderr.
    fn warnings_of_writing(&self) -> usize {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let (last, warnings) = lines.split_last().unwrap();
        assert!(last.starts_with("error: cannot write "), "{last}");
        for warning in warnings {
            assert!(warning.starts_with("warning: cannot write "), "{warning}");
        }
        warnings.len()
    }
}

/// Seconds until a run was ready to train, and of its training, by its machine.toml.
fn start_and_training(machine: &str) -> [f64; 2] {
    ["ready_after_seconds = ", "training_seconds = "].map(|name| {
        let line = machine.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().parse().unwrap()
    })
}

fn end(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn signal(child: &Child, name: &str) {
    signal_at_once(child, name, 1);
}

/// Sends a signal several times within microseconds.
fn signal_at_once(child: &Child, name: &str, times: usize) {
    let ids = vec![child.id().to_string(); times];
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .args(ids)
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn killed_at_any_moment_a_run_ends_as_if_nothing_had_happened() {
    let wanted = std::env::var("HANDWRITTEN_KILLS").map_or(60, |kills| kills.parse().unwrap());
    let folder = Folder::new();
    let args = format!("{LONG} --epochs 200");
    let began = Instant::now();
    folder.train(&format!("{args} --out whole")).ok();
    let [start, training] = start_and_training(&folder.text("whole/machine.toml"));
    let end_of_run = began.elapsed().as_secs_f64() - start - training;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let (mut kills, mut ends, mut at, mut kills_at) = (0, 0, 0, [0; 11]);
    while kills < wanted || ends == 0 {
        let is_saved = folder.path("run/last.ckpt").exists();
        let mut child = folder.spawn(&match is_saved {
            true => "--resume run --checkpoint-every 0".to_string(),
            false => format!("{args} --out run --force"),
        });
        if kills < wanted {
            // In the mean an eighth of the training, the start of the process included. From the
            // last tenth on every other process lives to write all results: a checkpoint is saved
            // while the training continues, so the last one is of some steps before its end.
            let longest = match at {
                9.. => 2.0 * (start + training / 10.0 + end_of_run),
                _ => start + training / 4.0,
            };
            let share = f64::from(rng.next_u32()) / f64::from(u32::MAX);
            sleep(Duration::from_secs_f64(share * longest));
            let has_ended = child.try_wait().unwrap().is_some();
            // SIGKILL, which no program can catch.
            child.kill().unwrap();
            if !has_ended {
                end(child);
                kills += 1;
                at = folder.assert_whole("run");
                kills_at[at] += 1;
                continue;
            }
        }
        let output = end(child);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_same_run(&folder, "whole", "run");
        assert_eq!(folder.names("run"), FILES);
        fs::remove_dir_all(folder.path("run")).unwrap();
        (ends, at) = (ends + 1, 0);
    }
    let ([tenths @ .., last], runs) = (kills_at, ends);
    say(&format!(
        "{kills} kills in {runs} runs: {tenths:?} by tenths of the epochs, {last} in the last \
         epoch and after it\n"
    ));
}

#[test]
fn a_signal_ends_the_run_in_order_and_it_goes_on() {
    let folder = Folder::new();
    folder.train(&format!("{WAITING} --out whole")).ok();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let child = folder.spawn_until(&format!("{WAITING} --out {name}"), " 3/400 ");
        signal(&child, name);
        let stopped = end(child);
        assert_eq!(stopped.code, Some(code), "{}", stopped.stderr);
        assert_eq!(stopped.json().last().unwrap()["event"], "stopped");
        let last = stopped.stderr.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("stopped by SIG{name} after ")),
            "{last}"
        );
        assert!(last.ends_with(&format!("train --resume {name}")), "{last}");
        folder.assert_whole(name);

        let resumed = folder.train(&format!("--resume {name}")).ok();
        assert!(
            resumed.stderr.contains("resuming after "),
            "{}",
            resumed.stderr
        );
        assert!(
            resumed.stdout.contains(" s since it was resumed\n"),
            "{}",
            resumed.stdout
        );
        let saved = last.split(' ').nth(4).unwrap();
        let machine = folder.text(&format!("{name}/machine.toml"));
        assert!(
            machine.contains(&format!("\nresumed_after_epochs = {saved}\n")),
            "{machine}"
        );
        assert_same_run(&folder, "whole", name);
        folder.handwritten(&format!("verify {name}")).ok();
        folder
            .train(&format!("--resume {name}"))
            .fails(1, &["is complete"]);
    }
}

#[test]
fn an_explanation_that_a_signal_stops_leaves_no_folder() {
    for (signal_name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = Folder::new();
        for (args, made) in [("", "runs/explain"), ("--out a/b", "a/b")] {
            let args = format!("explain --data data --threads 1 {args}");
            let program = env!("CARGO_BIN_EXE_handwritten");
            let mut command = folder.command(program, args.split_whitespace());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            folder.wait_for(made);
            signal(&child, signal_name);
            let stopped = end(child);
            assert_eq!(stopped.code, Some(code), "{}", stopped.stderr);
            assert_eq!(stopped.stdout, "");
            let words = format!("stopped by SIG{signal_name}: nothing is written\n");
            assert_eq!(stopped.stderr, words);
            assert_eq!(folder.names(""), ["data"]);
        }
    }
}

/// The program waits here, with a folder that it has created, until somebody reads its stderr.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_two_signals_end_leaves_no_empty_folder() {
    let folder = Folder::new();
    for (args, made) in [("--out a/b", "a/b"), ("", "runs/images-144-8-5")] {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        // All that a pipe of Linux holds.
        writer.write_all(&[0; 1 << 16]).unwrap();
        let mut command = folder.train_command(&format!("{ENDLESS} {args}"));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        folder.wait_for(made);
        signal(&child, "INT");
        sleep(Duration::from_millis(1100));
        assert!(child.try_wait().unwrap().is_none());
        signal(&child, "TERM");
        assert_eq!(end(child).code, Some(143));
        assert_eq!(folder.names(""), ["data"]);
    }
}

#[test]
fn trainings_of_several_seeds_go_on_where_they_were() {
    let folder = Folder::new();
    let args = format!("{LONG} --epochs 6 --seeds 3 --threads 1");
    folder.train(&format!("{args} --out whole")).ok();
    for name in ["KILL", "INT"] {
        let child = folder.spawn(&format!("{args} --out run"));
        folder.wait_for("run/seed-2/last.ckpt");
        signal(&child, name);
        let stopped = end(child);
        if name == "INT" {
            assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
            let last = stopped.stderr.lines().last().unwrap();
            let expected = "stopped by SIGINT, 1 of 3 seeds trained; to resume: train --resume run";
            assert_eq!(last, expected);
        }
        let unfinished = folder.handwritten("evaluate run --data data");
        unfinished.fails(1, &["not complete", "train --resume run"]);
        let other = folder.train("--resume run --hidden 9");
        other.fails(
            2,
            &["hidden is [8] in the trainings to be resumed, not [9]"],
        );
        folder.train("--resume run --threads 2").ok();
        assert_eq!(folder.names("run"), folder.names("whole"));
        for file in ["seeds.csv", "model.safetensors", "config.toml"] {
            let [one, other] = ["run", "whole"].map(|run| folder.bytes(&format!("{run}/{file}")));
            assert!(one == other, "{file} after {name}");
        }
        for seed in ["seed-1", "seed-2", "seed-3"] {
            assert_same_run(&folder, &format!("whole/{seed}"), &format!("run/{seed}"));
        }
        // The first one was not trained again.
        let machine = folder.text("run/seed-1/machine.toml");
        assert!(machine.contains("resumed_after_epochs = 6\n"), "{machine}");
        folder
            .train("--resume run")
            .fails(1, &["the run in run is complete"]);
        fs::remove_dir_all(folder.path("run")).unwrap();
    }
}

#[test]
fn what_it_says_to_go_on_is_what_a_shell_takes() {
    let folder = Folder::new();
    for out in ["-run", "my run", "it's $HOME"] {
        let mut command = folder.train_command(ENDLESS);
        command.arg(format!("--out={out}"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        folder.wait_for(&format!("{out}/last.ckpt"));
        signal(&child, "INT");
        let stopped = end(child);
        let (_, resuming) = stopped.stderr.split_once("to resume: ").unwrap();
        // Refused, so that it does not go on for ever, but by the run itself.
        let script = format!(
            "train() {{ \"$TRAIN\" \"$@\"; }}; {} --lr 2",
            resuming.trim()
        );
        let mut shell = folder.command("sh", ["-c", &script]);
        let resumed = run(shell.env("TRAIN", env!("CARGO_BIN_EXE_train")));
        resumed.fails(2, &["lr is 0.01 in the run to be resumed, not 2"]);
        // A repeated command is told so too.
        let mut command = folder.train_command(ENDLESS);
        let again = run(command.arg(format!("--out={out}")));
        again.fails(1, &["has not ended", resuming.trim(), "--force"]);
    }
}

#[test]
fn what_is_stopped_says_so_in_json() {
    let folder = Folder::new();
    let child = folder.spawn_saved(&format!("{ENDLESS} --out run --json --quiet"), "run");
    signal(&child, "TERM");
    let stopped = end(child);
    assert_eq!(
        (stopped.code, stopped.stderr.lines().count()),
        (Some(143), 1)
    );
    let events = stopped.json();
    let event = events.last().unwrap();
    assert_eq!(
        (&event["event"], &event["signal"]),
        (&"stopped".into(), &"SIGTERM".into())
    );
    let (saved, _) = Checkpoint::from_bytes(&folder.bytes("run/last.ckpt")).unwrap();
    assert_eq!(event["epochs"], saved.history.len());
    assert_eq!(event["steps"], saved.step);
}

#[test]
fn signals_end_it_in_order_and_one_that_comes_later_at_once() {
    let folder = Folder::new();
    let fifo = folder.path("file.toml");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for (first, times, later, code) in [
        ("INT", 1, None, 130),
        // `timeout` sends it twice.
        ("TERM", 20, None, 143),
        ("INT", 1, Some("INT"), 130),
        ("INT", 1, Some("TERM"), 143),
    ] {
        let mut child = folder.spawn(&format!("{ENDLESS} --out run --config file.toml"));
        // Returns once the program wants to read, and so listens for signals.
        let mut config = File::options().write(true).open(&fifo).unwrap();
        signal_at_once(&child, first, times);
        // More than a pipe holds: this returns once the program has read on, and
        // it has taken the first signal before that.
        config.write_all(&b"#".repeat(1 << 19)).unwrap();
        if let Some(later) = later {
            // It is still reading, so nothing else can end it.
            while child.try_wait().unwrap().is_none() {
                signal(&child, later);
                sleep(Duration::from_millis(100));
            }
        }
        drop(config);
        let stopped = end(child);
        assert_eq!(stopped.code, Some(code), "{}", stopped.stderr);
        if later.is_none() {
            let words = " after 0 epochs and 1 steps; to resume: train --resume run";
            assert!(stopped.stderr.contains(words), "{}", stopped.stderr);
            fs::remove_dir_all(folder.path("run")).unwrap();
        } else {
            assert_eq!(stopped.stderr, "");
            assert!(!folder.path("run").exists());
        }
    }
}

#[test]
fn nobody_writes_into_a_run_that_is_being_written() {
    let folder = Folder::new();
    let mut child = folder.spawn_saved(&format!("{ENDLESS} --out run"), "run");
    for args in ["--resume run", "--data data --out run --force"] {
        folder
            .train(args)
            .fails(1, &["another process is writing a run into run"]);
    }
    // Before it looks for data, and so before it trains.
    folder
        .handwritten("explain --data nowhere --out run --force")
        .fails(1, &["another process"]);
    // The lock of a killed process is void.
    child.kill().unwrap();
    end(child);
    let child = folder.spawn_until("--resume run", "resuming after ");
    signal(&child, "INT");
    let stopped = end(child);
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
}

#[test]
fn of_two_that_race_one_writes_and_one_is_refused() {
    let folder = Folder::new();
    for round in 0..10 {
        let args = format!("{LONG} --epochs 2 --quiet --out run{round}");
        let racers = [folder.spawn(&args), folder.spawn(&args)].map(end);
        let mut codes = racers.each_ref().map(|racer| racer.code.unwrap());
        codes.sort_unstable();
        assert_eq!(codes, [0, 1]);
        let slower = racers.into_iter().find(|racer| racer.code == Some(1));
        slower.unwrap().fails(1, &[&format!("run{round}")]);
        assert_eq!(folder.names(&format!("run{round}")), FILES);
    }
}

#[test]
fn other_settings_and_other_data_are_refused_by_name() {
    let folder = Folder::new();
    folder.write_data("other", 2);
    let child = folder.spawn_saved(&format!("{WAITING} --out run"), "run");
    signal(&child, "INT");
    assert_eq!(end(child).code, Some(130));
    folder.write("file.toml", b"hidden = [9]\n");
    let before = folder.contents("run");
    for (args, code, words) in [
        (
            "--lr 0.5",
            2,
            "lr is 0.01 in the run to be resumed, not 0.5",
        ),
        ("--weight-decay 0.1", 2, "weight-decay is 0.00003"),
        ("--epochs 21", 2, "epochs is 400"),
        ("--patience 3", 2, "patience is not set"),
        (
            "--config file.toml",
            2,
            "hidden is [8] in the run to be resumed, not [9]",
        ),
        ("--recipe quick", 2, "in the run to be resumed, not"),
        ("--data other", 1, "another data set"),
        ("--out elsewhere", 2, "--out"),
        ("--force", 2, "--force"),
        ("--checkpoint-every -1", 2, "--checkpoint-every"),
        ("--checkpoint-every nan", 2, "--checkpoint-every"),
    ] {
        let refused = folder.train(&format!("--resume run {args}"));
        refused.fails(code, &[words]);
        assert!(folder.contents("run") == before, "{args}");
    }
    for (run, words) in [
        ("nowhere", "no run in nowhere"),
        ("data", "no run has been saved"),
    ] {
        folder.train(&format!("--resume {run}")).fails(1, &[words]);
    }
    // Settings that are equal may be repeated, and the data may have moved.
    fs::rename(folder.path("data"), folder.path("moved")).unwrap();
    let args = "--resume run --lr 0.01 --hidden 8 --data moved --threads 1";
    folder.train(args).ok();
}

#[test]
fn a_run_of_other_roundings_is_not_gone_on_with() {
    let folder = Folder::new();
    let child = folder.spawn_saved(&format!("{ENDLESS} --out run"), "run");
    signal(&child, "INT");
    assert_eq!(end(child).code, Some(130));
    let is_fused = handwritten::Isa::detect().is_fused();
    let portable = handwritten::Isa::new(handwritten::InstructionSet::Portable).unwrap();
    if is_fused == portable.is_fused() {
        say("skipped: all instruction sets here round alike\n");
        return;
    }
    let mut command = folder.train_command("--resume run");
    run(command.env("HANDWRITTEN_ISA", "portable")).fails(1, &["with fused multiply-adds"]);
}

/// A checkpoint as version 3 of the format had it: its configuration ends before the byte that
/// holds the mistakes made on purpose.
fn as_version_3(checkpoint: &[u8]) -> Vec<u8> {
    /// Bytes before the configuration: magic number, version and length.
    const HEAD: usize = 20;
    /// Bytes of the configuration before the mistakes.
    const BEFORE: usize = 79;
    let mut bytes = checkpoint[..checkpoint.len() - 4].to_vec();
    assert_ne!(bytes[HEAD + BEFORE], 0, "no mistakes to leave out");
    // After the configuration comes the activation, a byte, then the widths and their number.
    let widths = [3, (SIDE * SIDE) as u64, 1, CLASSES as u64].map(u64::to_le_bytes);
    let widths = widths.concat();
    let end = bytes
        .windows(widths.len())
        .position(|bytes| bytes == widths);
    bytes.drain(HEAD + BEFORE..end.unwrap() - 1);
    bytes[8..12].copy_from_slice(&3u32.to_le_bytes());
    let length = (bytes.len() - HEAD) as u64;
    bytes[12..HEAD].copy_from_slice(&length.to_le_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes);
    bytes.extend(checksum.sum().to_le_bytes());
    bytes
}

/// Checkpoints up to version 3 do not hold the mistakes; the settings do.
#[test]
fn a_run_with_mistakes_that_an_older_program_saved_goes_on_with_them() {
    let folder = Folder::new();
    let args = "--recipe question --batch 1 --lr 0.01 --epochs 400 --json --data data";
    folder.train(&format!("{args} --out whole")).ok();
    let child = folder.spawn_until(&format!("{args} --out run"), " 3/400 ");
    signal(&child, "INT");
    assert_eq!(end(child).code, Some(130));
    let checkpoint = as_version_3(&folder.bytes("run/last.ckpt"));
    let (old, _) = Checkpoint::from_bytes(&checkpoint).unwrap();
    assert_eq!(old.config.defects, Defects::NONE);
    folder.write("run/last.ckpt", &checkpoint);
    folder.train("--resume run").ok();
    assert_same_run(&folder, "whole", "run");
}

#[test]
fn a_checkpoint_that_is_damaged_or_too_new_is_refused() {
    let folder = Folder::new();
    let child = folder.spawn_saved(&format!("{ENDLESS} --out run"), "run");
    signal(&child, "INT");
    assert_eq!(end(child).code, Some(130));
    let good = folder.bytes("run/last.ckpt");
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    for (bytes, words) in [
        (vec![], "does not begin as a checkpoint"),
        (b"GIF89a..".to_vec(), "does not begin as a checkpoint"),
        (damaged(&|bytes| bytes[8] = 255), "version 255"),
        (
            damaged(&|bytes| bytes.truncate(999)),
            "has 999 bytes instead of",
        ),
        (damaged(&|bytes| bytes[1000] ^= 1), "checksum is wrong"),
        (
            include_bytes!("../../tests/checkpoint-v1.ckpt").to_vec(),
            "another program wrote it",
        ),
    ] {
        folder.write("run/last.ckpt", &bytes);
        let refused = folder.train("--resume run");
        refused.fails(1, &["run/last.ckpt is not a usable checkpoint", words]);
    }
}

#[test]
fn a_folder_that_is_removed_meanwhile_is_told_and_loses_no_result() {
    let folder = Folder::new();
    let child = folder.spawn_saved(&format!("{WAITING} --out run --quiet"), "run");
    // Somebody else may be writing into it at this moment.
    while folder.path("run").exists() {
        let _ = fs::remove_dir_all(folder.path("run"));
    }
    let output = end(child);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let result = &output.json()[401];
    assert_eq!(result["event"], "test", "the result is not lost");
    assert!(output.warnings_of_writing() > 0, "{}", output.stderr);
}

/// Number of runs that a disk was too small for, and of runs that it had room for.
#[derive(Default)]
struct Tries {
    refused: usize,
    written: usize,
}

impl Tries {
    /// Asserts that a run is complete and equal to `whole`, or that it ended with an
    /// error after nothing but warnings and left no part of a file.
    fn check(&mut self, folder: &Folder, run: &str, output: &Output) {
        if output.code == Some(0) {
            self.written += 1;
            return assert_same_run(folder, "whole", run);
        }
        self.refused += 1;
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        output.warnings_of_writing();
        if folder.path(run).exists() {
            folder.assert_whole(run);
            for name in folder.names(run) {
                let whole = ["last.ckpt", "machine.toml"].contains(&&*name)
                    || folder.bytes(&format!("{run}/{name}"))
                        == folder.bytes(&format!("whole/{name}"));
                assert!(whole, "a part of {name} in {run}");
            }
        }
    }

    fn assert_many(&self) {
        let Self { refused, written } = self;
        assert!(
            *refused > 10 && *written > 3,
            "{refused} refused, {written} written"
        );
    }
}

/// Limits the size of files, as a quota does, to growing numbers of blocks of 512 bytes.
#[test]
fn whatever_fits_the_quota_is_whole() {
    let folder = Folder::new();
    let short = format!("{LONG} --epochs 3 --quiet");
    folder.train(&format!("{short} --out whole")).ok();
    let mut tries = Tries::default();
    for blocks in (0..40).chain((40..400).step_by(20)) {
        let program = env!("CARGO_BIN_EXE_train");
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} {short} --out {blocks}");
        let output = run(&mut folder.command("sh", ["-c", &script]));
        tries.check(&folder, &format!("{blocks}"), &output);
    }
    tries.assert_many();
}

/// A shell in a mount namespace of its own; `None` where this user may not have one.
fn mounting(folder: &Folder) -> Option<impl Fn(&str) -> Output> {
    fs::create_dir(folder.path("disk")).unwrap();
    let shell = |script: &str| {
        let args = "--user --map-root-user --mount sh -c";
        run(&mut folder.command("unshare", args.split(' ').chain([script])))
    };
    let exists = Command::new("unshare").arg("--help").output().is_ok();
    let can = exists && shell("mount -t tmpfs none disk").code == Some(0);
    if !can {
        say("skipped: this user may not mount a file system\n");
    }
    can.then_some(shell)
}

/// Runs on file systems of growing size, in pages of 4096 bytes.
#[test]
fn whatever_fits_the_disk_is_whole() {
    let folder = Folder::new();
    let short = format!("{LONG} --epochs 3 --quiet");
    folder.train(&format!("{short} --out whole")).ok();
    let Some(shell) = mounting(&folder) else {
        return;
    };
    let mut tries = Tries::default();
    for size in (4..160).step_by(4) {
        let program = env!("CARGO_BIN_EXE_train");
        let output = shell(&format!(
            "mount -t tmpfs -o size={size}k none disk && {program} {short} --no-report --out disk/run
             code=$?; [ ! -e disk/run ] || cp -r disk/run {size}; exit $code"
        ));
        tries.check(&folder, &format!("{size}"), &output);
    }
    tries.assert_many();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    fs::create_dir(folder.path("run")).unwrap();
    fs::set_permissions(folder.path("run"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.path("run/try"), b"").is_ok() {
        say("skipped: this user may write into read-only folders\n");
    } else {
        let output = folder.train(&format!("{LONG} --epochs 2 --quiet --out run"));
        output.fails(1, &["cannot write run/"]);
    }
    // This user may not either.
    if let Some(shell) = mounting(&folder) {
        let program = env!("CARGO_BIN_EXE_train");
        let output = shell(&format!(
            "mount -t tmpfs none disk && mkdir disk/run && mount -o remount,ro disk &&
             exec {program} {LONG} --epochs 2 --quiet --out disk/run"
        ));
        output.fails(1, &["cannot write disk/run/", "Read-only"]);
        let program = env!("CARGO_BIN_EXE_handwritten");
        let output = shell(&format!(
            "mount -t tmpfs none disk && mkdir disk/run && mount -o remount,ro disk &&
             exec {program} explain --data nowhere --out disk/run"
        ));
        output.fails(1, &["cannot write into disk/run: Read-only"]);
    }
}

#[test]
fn a_loss_that_overflows_leaves_the_last_good_checkpoint() {
    let folder = Folder::new();
    // Two good epochs, until the warm-up has come too far.
    let args = "--data data --hidden 8 --activation relu --lr 1e6 --warmup 2000 --epochs 3000 \
                --batch 30 --out run --quiet";
    let output = folder.train(args);
    output.fails(
        3,
        &[
            "the loss stopped being finite in epoch ",
            " overflowed first",
        ],
    );
    let (saved, _) = Checkpoint::from_bytes(&folder.bytes("run/last.ckpt")).unwrap();
    assert!(!saved.history.is_empty());
    assert!(saved.net.view().params().iter().all(|w| w.is_finite()));
    // Resumed, it ends at the same step.
    let again = folder.train("--resume run --quiet");
    again.fails(3, &["the loss stopped being finite in epoch "]);
}

#[test]
fn a_reader_that_leaves_stops_no_run() {
    let folder = Folder::new();
    let mut child = folder.spawn(&format!("{LONG} --json --out run"));
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    assert_eq!(end(child).code, Some(0));
    assert!(Path::new(&folder.path("run/model.safetensors")).exists());
}
