//! `handwritten classify` on pictures of all formats, from folders, lists and stdin.

use crate::SMALL;
use crate::pictures::{formats, png, shape};
use crate::programs::*;
use handwritten::files;
use std::io::Write;
use std::path::{Path, PathBuf};
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

/// The folder of MNIST.
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mnist")
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

/// Bars of one digit's size, as a model of MNIST reads them; a model of other data takes all ink
/// for one image.
#[test]
fn several_digits_are_read_from_left_to_right() {
    if files::find(None, &[&data()]).is_err() {
        eprintln!("skipped: the published package comes without data");
        return;
    }
    let folder = Folder::new();
    let flags = format!(
        "--data {} --recipe quick --epochs 1 --quiet --out run",
        data().display()
    );
    folder.train(&flags).ok();
    let side = 120;
    let ink = |k: usize| {
        let (i, j) = (k / side, k % side);
        (30..90).contains(&i) && [30, 60, 90].iter().any(|x| (*x..x + 8).contains(&j))
    };
    let pixels: Vec<u8> = (0..side * side)
        .map(|k| if ink(k) { 30 } else { 220 })
        .collect();
    folder.write("ones.png", &png(&pixels, side, 1));
    let output = folder
        .handwritten("classify run/model.safetensors ones.png")
        .ok();
    let expected = [1, 2, 3].map(|n| (format!("ones.png, digit {n} of 3"), "1".to_string()));
    assert_eq!(told(&output), expected);
    let events = folder
        .handwritten("classify run/model.safetensors ones.png --json")
        .ok()
        .json();
    for (i, event) in events.iter().enumerate() {
        assert_eq!(
            (&event["digit"], &event["digits"]),
            (&(i + 1).into(), &3.into())
        );
        assert_eq!(
            (&event["image"], &event["class"]),
            (&"ones.png".into(), &"1".into())
        );
    }
    assert_eq!(events.len(), 3);

    // Of a picture with ink as wide as two digits there is no result.
    let wide: Vec<u8> = (0..side * side)
        .map(|k| 30 + 190 * u8::from(!(50..70).contains(&(k / side)) || k % side < 20))
        .collect();
    folder.write("wide.png", &png(&wide, side, 1));
    let refused = folder.handwritten("classify run/model.safetensors wide.png");
    refused.fails(1, &["wide.png: it has ink as wide as two digits"]);
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
