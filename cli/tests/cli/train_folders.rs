//! `train`: which folder a run is written into, and which is refused.

use crate::SMALL;
use crate::programs::*;
use std::fs;

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
    // No file system takes a name of 256 letters; the folders above it do not stay either.
    let long = format!("--out new/folder/{}", "a".repeat(256));
    for (out, path) in [
        (&*long, "new/folder/aaa"),
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
