//! `handwritten classify` on pictures of all formats, from folders, lists and stdin.

use crate::SMALL;
use crate::pictures::{formats, png, shape};
use crate::programs::*;
use std::io::Write;
use std::process::Stdio;

/// A trained run, and the shape of each class as `CLASS.png`.
fn folder() -> Folder {
    let folder = Folder::new();
    let flags = "--data data --hidden 16 --batch 16 --epochs 20 --out run";
    folder.train(flags).ok();
    for class in 0..CLASSES {
        folder.write(&format!("{class}.png"), &png(&shape(class), SIDE, 1));
    }
    folder
}

/// Runs the command with these bytes on stdin.
fn piped(folder: &Folder, args: &str, bytes: &[u8]) -> Output {
    let args = format!("classify run/model.safetensors {args}");
    let mut command = folder.command(env!("CARGO_BIN_EXE_handwritten"), args.split_whitespace());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may end without reading all of it.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The names and classes on stdout, in order.
fn told(output: &Output) -> Vec<(String, String)> {
    let told = |line: &str| {
        let (name, rest) = line.split_once(": ").unwrap();
        (
            name.to_string(),
            rest.split(' ').next().unwrap().to_string(),
        )
    };
    output.stdout.lines().map(told).collect()
}

#[test]
fn a_shape_is_told_in_every_format() {
    let folder = folder();
    for class in 0..CLASSES {
        let mut args = String::new();
        let files = formats(&shape(class), SIDE);
        // By its content, whatever its name is.
        for (ending, bytes) in &files {
            folder.write(&format!("as-{ending}"), bytes);
            args += &format!(" as-{ending}");
        }
        let output = folder
            .handwritten(&format!("classify run/model.safetensors{args}"))
            .ok();
        let expected = files
            .iter()
            .map(|(ending, _)| (format!("as-{ending}"), class.to_string()));
        assert_eq!(told(&output), expected.collect::<Vec<_>>());
    }
}

#[test]
fn folders_and_lists_name_pictures() {
    let folder = folder();
    folder.write("some/b.png", &folder.bytes("1.png"));
    folder.write("some/a/z.png", &folder.bytes("0.png"));
    folder.write("some/c.jpg", &folder.bytes("2.png"));
    folder.write("some/.hidden", b"no picture");
    folder.write("list", b"3.png\r\n\nsome\n4.png");
    let output = folder
        .handwritten("classify run/model.safetensors @list 0.png")
        .ok();
    let expected = [
        ("3.png", "3"),
        ("some/a/z.png", "0"),
        ("some/b.png", "1"),
        ("some/c.jpg", "2"),
        ("4.png", "4"),
        ("0.png", "0"),
    ];
    assert_eq!(
        told(&output),
        expected.map(|(name, class)| (name.into(), class.into()))
    );
    let listed = piped(&folder, "@-", b"3.png\n");
    assert_eq!(told(&listed), [("3.png".to_string(), "3".to_string())]);
}

#[test]
fn a_picture_is_read_from_stdin() {
    let folder = folder();
    let output = piped(&folder, "1.png - 2.png", &folder.bytes("3.png")).ok();
    let expected = [("1.png", "1"), ("-", "3"), ("2.png", "2")];
    assert_eq!(
        told(&output),
        expected.map(|(name, class)| (name.into(), class.into()))
    );
    let nothing = piped(&folder, "-", b"");
    nothing.fails(1, &["-: the file is empty"]);
}

#[test]
fn bad_pictures_and_lists_are_told_and_the_others_classified() {
    let folder = folder();
    folder.write("some/a.png", &folder.bytes("1.png"));
    folder.write("some/b.png", b"hello");
    folder.write("some/c.png", &folder.bytes("2.png"));
    folder.write("empty-list", b"\n\n");
    folder.write("long-list", &vec![b'x'; 1 << 17]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    let args = "@missing @empty-list @long-list empty some 0.png";
    let output = folder.handwritten(&format!("classify run/model.safetensors {args}"));
    assert_eq!(output.code, Some(1));
    let expected = [("some/a.png", "1"), ("some/c.png", "2"), ("0.png", "0")];
    assert_eq!(
        told(&output),
        expected.map(|(name, class)| (name.into(), class.into()))
    );
    let errors: Vec<&str> = output.stderr.lines().collect();
    let starts = [
        "error: @missing: ",
        "error: @empty-list: an empty list",
        "error: @long-list: no list of paths",
        "error: empty: a folder without files",
        "error: some/b.png: no image of a known format",
    ];
    assert_eq!(errors.len(), starts.len(), "{errors:?}");
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}");
    }
}

/// Neither is waited for or read to its end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_pictures_and_no_lists() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    for name in ["pipe", "@pipe", "/dev/zero", "@/dev/zero", "/dev/null"] {
        let refused = folder.handwritten(&format!("classify run/model.safetensors {name}"));
        refused.fails(1, &[name, "not a file"]);
    }
}
