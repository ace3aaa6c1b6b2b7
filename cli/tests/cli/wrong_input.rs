//! Input that no command takes: flags, numbers, files, data.

use crate::SMALL;
use crate::pictures::{png, shape};
use crate::programs::*;
use std::fs;
use std::path::Path;

#[test]
fn every_bad_flag_value_is_named() {
    let folder = Folder::new();
    // The message covers all of them rather than the first alone.
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
        let is_warned = stderr.starts_with("warning: the net did not learn: ");
        match output.status.code() {
            Some(0) if lines == usize::from(is_warned) => {}
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
        ("train --data=", "a value is required for '--data <PATH>'"),
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

#[test]
#[cfg(unix)]
fn what_never_ends_is_not_read_to_its_end() {
    let folder = Folder::new();
    let words = "/dev/zero is not a configuration: it has more than 1048576 bytes";
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
        ("file", ["file is no table of images", "no comma"]),
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
        let output = folder.handwritten(&format!("evaluate run/model.safetensors --data {data}"));
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

/// Linux takes any bytes but `/` and 0 as a name; TOML does not.
#[test]
#[cfg(target_os = "linux")]
fn a_data_folder_whose_name_is_not_text_is_named() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let odd = OsStr::from_bytes(b"caf\xe9");
    fs::rename(folder.path("data"), folder.path("").join(odd)).unwrap();
    let args: [OsString; 4] = ["--data".into(), odd.into(), "--out".into(), "run".into()];
    let output = run(&mut folder.command(env!("CARGO_BIN_EXE_train"), &args));
    output.fails(1, &["caf\u{fffd} is not UTF-8", "config.toml"]);
    assert!(!folder.path("run").exists());
}

/// Only the data folder of a run has to be text. `@` stands for a byte that is none.
#[test]
#[cfg(target_os = "linux")]
fn paths_that_are_not_text_are_taken_or_named() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write("shape.png", &png(&shape(2), SIDE, 1));
    let odd = |word: &str| {
        let byte = |byte| if byte == b'@' { 0xe9 } else { byte };
        OsString::from_vec(word.bytes().map(byte).collect())
    };
    for (from, to) in [
        ("shape.png", "shape@.png"),
        ("run/config.toml", "config@"),
        ("run", "run@"),
    ] {
        fs::rename(folder.path(from), folder.path("").join(odd(to))).unwrap();
    }
    let handwritten = |args: &str| {
        let program = env!("CARGO_BIN_EXE_handwritten");
        run(&mut folder.command(program, args.split(' ').map(odd)))
    };
    for args in [
        "train --config config@ --out new@ --quiet",
        "train --config config@ --name new@ --quiet",
        "evaluate run@/model.safetensors --data data",
        "classify run@/model.safetensors shape@.png",
        "export run@/model.safetensors --out source@.rs",
    ] {
        handwritten(args).ok();
    }
    for made in ["new@", "runs/new@", "source@.rs"] {
        assert!(folder.path("").join(odd(made)).exists(), "{made}");
    }
    for args in [
        "train --config x@",
        "train --data x@",
        "train --resume x@",
        "evaluate x@",
        "evaluate run@/model.safetensors --data x@",
        "classify run@/model.safetensors x@",
        "export x@ --out model.rs",
        "gradcheck --data x@",
        "explain --data x@",
        "bench --data x@",
    ] {
        handwritten(args).fails(1, &["x\u{fffd}"]);
    }
    handwritten("train --lr x@").fails(2, &[r#": "x\xE9""#]);
    handwritten("train --name a/x@").fails(2, &["--name", "a/x\u{fffd}"]);
}

/// The signal that comes with the error would end the process without a word.
#[cfg(unix)]
#[test]
fn a_limit_of_file_sizes_is_a_failure_that_names_the_file() {
    let folder = Folder::new();
    let train = folder.train_command(&format!("{SMALL} --quiet --out run"));
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""])
        .arg(train.get_program())
        .args(train.get_args())
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: ") && stderr.contains("run"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
