//! A folder with a small data set, and the programs run in it.
//!
//! The data set is learnt to perfection within a few epochs: white shapes on a
//! noisy ground.

use flate2::{Compression, write::GzEncoder};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Rows and columns of an image.
pub(crate) const SIDE: usize = 12;
pub(crate) const CLASSES: usize = 5;
pub(crate) const TRAIN: usize = 300;
pub(crate) const TEST: usize = 80;

/// The files of a run without a report, in alphabetical order.
pub(crate) const FILES: [&str; 7] = [
    "config.toml",
    "confusion.svg",
    "history.csv",
    "loss.png",
    "loss.svg",
    "machine.toml",
    "model.safetensors",
];

/// Whether the shape of a class covers a pixel: a bar, a post, two diagonals
/// and a frame, each in the middle of the image.
pub(crate) fn is_ink(class: usize, i: usize, j: usize) -> bool {
    let (first, last) = (2, SIDE - 3);
    let inside = |k: usize| (first..=last).contains(&k);
    let middle = |k: usize| k == SIDE / 2 || k + 1 == SIDE / 2;
    let edge = |k: usize| k == first || k == last;
    inside(i)
        && inside(j)
        && match class {
            0 => middle(i),
            1 => middle(j),
            2 => i == j,
            3 => i + j == SIDE - 1,
            _ => edge(i) || edge(j),
        }
}

/// An IDX file: the magic number, the sizes, the bytes.
pub(crate) fn idx_file(magic: u32, sizes: &[usize], body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    for &size in sizes {
        bytes.extend(u32::try_from(size).unwrap().to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

/// Names and contents of the four files of a data set.
pub(crate) fn data_files(seed: u64) -> Vec<(String, Vec<u8>)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut files = Vec::new();
    for (part, count) in [("train", TRAIN), ("t10k", TEST)] {
        let mut pixels = Vec::new();
        for n in 0..count {
            for k in 0..SIDE * SIDE {
                let noise = rng.next_u32() % 80;
                let ink = is_ink(n % CLASSES, k / SIDE, k % SIDE);
                pixels.push(if ink { 255 - noise } else { noise } as u8);
            }
        }
        let labels: Vec<u8> = (0..count).map(|n| (n % CLASSES) as u8).collect();
        files.push((
            format!("{part}-images-idx3-ubyte"),
            idx_file(0x0803, &[count, SIDE, SIDE], &pixels),
        ));
        files.push((
            format!("{part}-labels-idx1-ubyte"),
            idx_file(0x0801, &[count], &labels),
        ));
    }
    files
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A working directory with a data set in its folder `data`.
pub(crate) struct Folder(TempDir);

/// The exit code and the output of a program.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write_data("data", 1);
        folder
    }

    pub(crate) fn write_data(&self, name: &str, seed: u64) {
        for (file, bytes) in data_files(seed) {
            self.write(&format!("{name}/{file}"), &bytes);
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// Everything in a folder, by path; folders have no content.
    pub(crate) fn contents(&self, name: &str) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.path(name)];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let content = if path.is_dir() {
                    open.push(path.clone());
                    None
                } else {
                    Some(fs::read(&path).unwrap())
                };
                found.insert(path, content);
            }
        }
        found
    }

    /// The names in a folder, in alphabetical order.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// A program about to start here, with nothing of the user's environment
    /// that would change what it does.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).args(args);
        command.env("HOME", self.0.path());
        for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            command
                .env_remove(name)
                .env_remove(name.to_ascii_lowercase());
        }
        for name in [
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "HANDWRITTEN_ISA",
            "HANDWRITTEN_STRATEGY",
            "NO_COLOR",
            "RAYON_NUM_THREADS",
            "RUST_BACKTRACE",
            "SSL_CERT_FILE",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// A training without a report, which would take as long as the training.
    pub(crate) fn train_command(&self, args: &str) -> Command {
        let args = args.split_whitespace().chain(["--no-report"]);
        self.command(env!("CARGO_BIN_EXE_train"), args)
    }

    pub(crate) fn train(&self, args: &str) -> Output {
        run(&mut self.train_command(args))
    }

    pub(crate) fn handwritten(&self, args: &str) -> Output {
        let args = args.split_whitespace();
        run(&mut self.command(env!("CARGO_BIN_EXE_handwritten"), args))
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let output = Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    output
}

impl Output {
    /// This output, if the program succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Checks that the program said in one line what is wrong, with each of
    /// `words` in it, and printed no result.
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{words:?}: {}", self.stderr);
        assert_eq!(self.stdout, "", "{words:?}");
        assert_eq!(self.stderr.matches('\n').count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("error: ") && self.stderr.ends_with('\n'));
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {}", self.stderr);
        }
    }

    /// The objects on stdout, which must hold nothing else.
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A line on stderr, past the capture of the test's output, which shows failures
/// only.
pub(crate) fn say(line: &str) {
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Asserts that both folders hold the same run, up to what depends on the
/// machine and the moment.
pub(crate) fn assert_same_run(folder: &Folder, run: &str, other: &str) {
    for name in FILES.into_iter().filter(|&name| name != "machine.toml") {
        let [a, b] = [run, other].map(|run| folder.bytes(&format!("{run}/{name}")));
        assert!(a == b, "{name} of {run} and {other} differ");
    }
}
