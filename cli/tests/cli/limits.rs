//! The programs with a limit on their address space: every command succeeds, or ends with one
//! sentence and leaves no file.

use crate::SMALL;
use crate::pictures::png;
use crate::programs::{Folder, Output, gz, idx_file, run};
use handwritten::files;
use std::fs;
use std::thread;
use std::time::Duration;

const TRAIN: &str = env!("CARGO_BIN_EXE_train");
const HANDWRITTEN: &str = env!("CARGO_BIN_EXE_handwritten");

/// Limits in MB: from little more than the program itself takes to more than small nets do.
const LIMITS: [u32; 14] = [
    50, 60, 75, 100, 140, 200, 270, 350, 430, 510, 600, 800, 1200, 2000,
];

/// Runs a command with a limit on its address space, in KiB.
fn limited(folder: &Folder, kib: u32, command: &str) -> Output {
    let script = format!("ulimit -v {kib}; exec {command}");
    run(&mut folder.command("sh", ["-c", &script]))
}

/// Runs a command with each of the limits until it succeeds. Before that it must fail in
/// order and change no file. Returns whether it succeeded.
fn walk(folder: &Folder, limits: &[u32], command: &str) -> bool {
    let before = folder.contents("");
    limits.iter().any(|mb| {
        let output = limited(folder, mb * 1000, command);
        if output.code == Some(0) {
            return true;
        }
        let said = &output.stderr;
        assert_eq!(output.code, Some(1), "{command} with {mb} MB: {said}");
        output.fails(1, &[]);
        // Where a file of a data set is longer than the other one, it may be read and refused.
        let is_named = ["memory", "make no data set"]
            .iter()
            .any(|word| said.contains(word));
        assert!(is_named, "{command} with {mb} MB: {said}");
        assert!(folder.contents("") == before, "{command} with {mb} MB");
        false
    })
}

#[test]
fn a_net_that_there_is_no_memory_for_is_refused() {
    let folder = Folder::new();
    let command = format!("{TRAIN} --data data --hidden 400000 --threads 1 --out run");
    let output = limited(&folder, 1_000_000, &command);
    output.fails(
        1,
        &["not enough memory to ", "a net 144-400000-5", "--hidden"],
    );
    assert_eq!(folder.names(""), ["data"]);
}

#[test]
fn commands_succeed_or_say_that_there_is_not_enough_memory() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let side = 1000;
    let ink = |at: usize| (480..520).contains(&(at % side)) && (200..800).contains(&(at / side));
    let pixels: Vec<u8> = (0..side * side).map(|at| 255 * u8::from(ink(at))).collect();
    folder.write("digit.png", &png(&pixels, side, 1));
    let succeeds = |command: &str| assert!(walk(&folder, &LIMITS, command), "{command}");
    succeeds(&format!("{HANDWRITTEN} info"));
    succeeds(&format!(
        "{HANDWRITTEN} evaluate run/model.safetensors --data data"
    ));
    succeeds(&format!(
        "{HANDWRITTEN} classify run/model.safetensors digit.png"
    ));
    succeeds(&format!(
        "{HANDWRITTEN} export run/model.safetensors --out net.rs"
    ));
    let quantized = "--quantize int8 --data data --out rounded.rs";
    succeeds(&format!(
        "{HANDWRITTEN} export run/model.safetensors {quantized}"
    ));
    for threads in [1, 3] {
        succeeds(&format!("{HANDWRITTEN} verify run --threads {threads}"));
    }
    succeeds(&format!("{HANDWRITTEN} gradcheck --data data --hidden 8"));
    succeeds(&format!("{HANDWRITTEN} data data --sheet sheet.png"));
    for (flags, data) in [("--format csv", "csv"), ("", "set.npz")] {
        succeeds(&format!("{HANDWRITTEN} data convert data {data} {flags}"));
        succeeds(&format!(
            "{HANDWRITTEN} evaluate run/model.safetensors --data {data}"
        ));
    }
    for threads in [1, 2, 4] {
        succeeds(&format!(
            "{TRAIN} {SMALL} --quiet --threads {threads} --out {threads}"
        ));
    }
    succeeds(&format!(
        "{HANDWRITTEN} explain --data data --quiet --threads 2 --out explained"
    ));
    // Short of the limits with which it runs, for many seconds.
    walk(&folder, &LIMITS[..5], &format!("{HANDWRITTEN} bench"));
}

#[test]
fn wide_nets_and_large_batches_are_refused_or_trained() {
    let folder = Folder::new();
    for flags in [
        "--hidden 4000",
        "--hidden 20000 --batch 300",
        "--hidden 4000,4000",
    ] {
        let flags = format!("--data data --lr 0.1 --epochs 1 --quiet {flags} --out run");
        walk(
            &folder,
            &[50, 200, 400, 450, 500, 550, 600, 650],
            &format!("{TRAIN} {flags}"),
        );
        // If it was trained.
        let _ = fs::remove_dir_all(folder.path("run"));
    }
    walk(
        &folder,
        &LIMITS[..9],
        &format!("{HANDWRITTEN} gradcheck --data data --hidden 20000"),
    );
}

#[test]
fn a_run_is_resumed_or_left_as_it_is() {
    let folder = Folder::new();
    let interrupt = |flags: &str| {
        let flags = format!("--data data --lr 0.01 --quiet {flags}");
        let mut training = folder.train_command(&flags).spawn().unwrap();
        while !folder.path("run/last.ckpt").exists() {
            thread::sleep(Duration::from_millis(1));
        }
        training.kill().unwrap();
        training.wait().unwrap();
        files::sweep(&folder.path("run"));
    };
    let command = format!("{TRAIN} --resume run --quiet");
    interrupt("--hidden 8 --batch 16 --epochs 300 --out run");
    assert!(walk(&folder, &LIMITS, &command));
    // The file has 10 MB, and the run takes 200 besides the threads.
    interrupt("--hidden 4000 --batch 300 --epochs 10000 --out run --force");
    assert!(!walk(&folder, &[50, 75, 110, 170, 270, 350], &command));
}

#[test]
fn gz_that_goes_on_beyond_the_memory_is_not_read_to_its_end() {
    let folder = Folder::new();
    let images = idx_file(0x0803, &[100, 1000, 1000], &vec![0; 100_000_000]);
    folder.write("data/train-images-idx3-ubyte", &gz(&images));
    let command = format!("{TRAIN} --data data --quiet --out run");
    assert!(!walk(&folder, &[50, 90, 420, 440, 460], &command));
}
