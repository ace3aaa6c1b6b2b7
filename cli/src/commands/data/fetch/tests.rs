//! Downloads from servers on loopback that behave, and from those that do not.

use super::client::Client;
use super::download::{Counts, Download, sha256};
use super::sources::{Files, GZ, Remote, Sum, ZIP};
use crate::failure::Failure;
use flate2::{Compression, write::GzEncoder};
use handwritten::data::Dataset;
use handwritten::files::formats::to_npz;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer of a server, before it closes the connection or stays silent.
enum Reply {
    Bytes(Vec<u8>),
    ThenSilence(Vec<u8>),
    /// These bytes for as long as they are taken.
    Forever(Vec<u8>),
}

/// A server on loopback, with the first byte that each request asked for.
struct Server {
    url: String,
    begins: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    /// Starts a server that replies to requests from a byte on. It lives as long as the process.
    fn new(reply: impl Fn(u64) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let begins = Arc::new(Mutex::new(vec![]));
        let seen = begins.clone();
        thread::spawn(move || {
            let mut silent = vec![];
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let begin = begin_of(&stream);
                seen.lock().unwrap().push(begin);
                match reply(begin) {
                    Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
                    Reply::ThenSilence(bytes) => {
                        stream.write_all(&bytes).unwrap();
                        silent.push(stream);
                    }
                    Reply::Forever(bytes) => while stream.write_all(&bytes).is_ok() {},
                }
            }
        });
        Self { url, begins }
    }

    /// A server with a file, which sends any end of it.
    fn with(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |begin| match bytes.get(begin as usize..) {
            Some(rest) if begin == 0 => Reply::Bytes(ok(rest)),
            Some(rest) if !rest.is_empty() => Reply::Bytes(partial(begin, rest)),
            _ => Reply::Bytes(status("416 Range Not Satisfiable")),
        })
    }

    fn begins(&self) -> Vec<u64> {
        self.begins.lock().unwrap().clone()
    }
}

/// Reads the head of a request: the first byte that it asks for.
fn begin_of(stream: &TcpStream) -> u64 {
    let mut begin = 0;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            begin = range.trim_end_matches('-').parse().unwrap();
        }
    }
    begin
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat()
}

fn ok(body: &[u8]) -> Vec<u8> {
    answer(&format!("200 OK\r\nContent-Length: {}", body.len()), body)
}

fn partial(begin: u64, rest: &[u8]) -> Vec<u8> {
    let len = rest.len();
    let (last, all) = (begin + len as u64 - 1, begin + len as u64);
    let head = format!("206 Partial Content\r\nContent-Length: {len}\r\n");
    answer(
        &format!("{head}Content-Range: bytes {begin}-{last}/{all}"),
        rest,
    )
}

fn status(status: &str) -> Vec<u8> {
    answer(&format!("{status}\r\nContent-Length: 0"), b"")
}

/// Content that does not shrink much.
fn content() -> Vec<u8> {
    (0..4000_u32).map(|i| ((i * i) >> 3) as u8).collect()
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The file `a.gz`, by its content.
fn remote() -> Remote {
    let content = content();
    let sum = sha256(&content[..]).unwrap();
    Remote::of_content("a.gz", &sum, content.len() as u64)
}

/// Downloads files from these mirrors, with some patience.
fn download(
    dir: &Path,
    mirrors: &[&Server],
    files: &Files,
    force: bool,
) -> Result<Counts, Failure> {
    let mirrors: Vec<String> = mirrors.iter().map(|server| server.url.clone()).collect();
    let download = Download {
        client: Client::new(Duration::from_millis(300)).unwrap(),
        dir,
        mirrors: &mirrors,
        force,
        quiet: true,
    };
    download.all(files)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_there_and_right_is_not_downloaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (server, files) = (Server::with(&gz(&content())), Files::Single(vec![remote()]));
    for fetched in [1, 0] {
        let counts = download(dir.path(), &[&server], &files, false).unwrap();
        assert_eq!(counts, Counts { fetched, all: 1 });
        assert_eq!(names(dir.path()), ["a.gz"]);
    }
    assert_eq!(server.begins(), [0]);

    // Another file of that name is the user's.
    fs::write(dir.path().join("a.gz"), "mine").unwrap();
    let refused = download(dir.path(), &[&server], &files, false).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("a.gz is there with another content")
    );
    assert_eq!(fs::read(dir.path().join("a.gz")).unwrap(), b"mine");
    download(dir.path(), &[&server], &files, true).unwrap();
    assert_eq!(fs::read(dir.path().join("a.gz")).unwrap(), gz(&content()));
}

/// Each of these is one sentence, leaves no file, and the next mirror is asked.
#[test]
fn mirrors_that_do_not_help_are_told_and_left() {
    let right = gz(&content());
    let (half, len) = (right[..right.len() / 2].to_vec(), right.len());
    let short = answer(&format!("200 OK\r\nContent-Length: {len}"), &half);
    let page = b"<!doctype html><title>Welcome</title>";
    let html = "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close";
    let other = gz(&[7; 4000]);
    let endless = answer("200 OK\r\nConnection: close", &right);
    type Answers = Box<dyn Fn() -> Reply + Send>;
    let bytes = |bytes: Vec<u8>| Box::new(move || Reply::Bytes(bytes.clone())) as Answers;
    let refusals: [(&str, Answers); 11] = [
        ("it answers 403 Forbidden", bytes(status("403 Forbidden"))),
        ("it answers 404 Not Found", bytes(status("404 Not Found"))),
        ("it answers with a web page", bytes(answer(html, page))),
        ("it has something else there", bytes(ok(page))),
        ("the connection was closed early", bytes(short)),
        ("its SHA-256 is another", bytes(ok(&other))),
        (
            "its SHA-256 is another",
            bytes(answer("200 OK\r\nConnection: close", &half)),
        ),
        ("there can be 5027 at most", bytes(ok(&vec![31; 5028]))),
        (
            "something else there",
            Box::new(move || Reply::Forever(endless.clone())),
        ),
        (
            "nothing arrived for 0.3 s",
            Box::new(move || {
                let head = format!("200 OK\r\nContent-Length: {len}");
                Reply::ThenSilence(answer(&head, &half))
            }),
        ),
        (
            "nothing arrived for 0.3 s",
            Box::new(|| Reply::ThenSilence(vec![])),
        ),
    ];
    for (words, reply) in refusals {
        let dir = tempfile::tempdir().unwrap();
        let bad = Server::new(move |_| reply());
        let (good, files) = (Server::with(&right), Files::Single(vec![remote()]));
        let failure = download(dir.path(), &[&bad, &bad], &files, false).unwrap_err();
        let failure = failure.to_string();
        assert_eq!(failure.matches(words).count(), 2, "{words}: {failure}");
        assert_eq!(failure.lines().count(), 1);
        assert!(names(dir.path()).iter().all(|name| name == "a.gz.part"));

        let counts = download(dir.path(), &[&bad, &good], &files, false).unwrap();
        assert_eq!(counts.fetched, 1, "{words}");
        assert_eq!(names(dir.path()), ["a.gz"], "{words}");
        assert_eq!(fs::read(dir.path().join("a.gz")).unwrap(), right);
    }
}

#[test]
fn nobody_at_the_address_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = Server {
        url: "http://127.0.0.1:9/".into(),
        begins: Arc::default(),
    };
    let files = Files::Single(vec![remote()]);
    let failure = download(dir.path(), &[&nobody], &files, false).unwrap_err();
    assert!(
        failure.to_string().contains("127.0.0.1:9/a.gz: "),
        "{failure}"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_download_is_resumed_and_what_is_wrong_begins_anew() {
    let right = gz(&content());
    let (half, len) = (right.len() / 2, right.len() as u64);
    let ignoring = right.clone();
    let ignores_ranges = Server::new(move |_| Reply::Bytes(ok(&ignoring)));
    let another = right.clone();
    let sends_others = Server::new(move |begin| match begin {
        0 => Reply::Bytes(ok(&another)),
        _ => Reply::Bytes(partial(1, &another[1..])),
    });
    let wrong = [GZ, &vec![7; half]].concat();
    for (server, part, begins) in [
        (Server::with(&right), &right[..half], vec![half as u64]),
        (Server::with(&right), &right[..], vec![len]),
        (Server::with(&right), &wrong[..], vec![half as u64 + 2, 0]),
        (Server::with(&right), &[7; 5028][..], vec![0]),
        (ignores_ranges, &right[..half], vec![half as u64]),
        (sends_others, &right[..half], vec![half as u64, 0]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.gz.part"), part).unwrap();
        download(
            dir.path(),
            &[&server],
            &Files::Single(vec![remote()]),
            false,
        )
        .unwrap();
        assert_eq!(server.begins(), begins);
        assert_eq!(names(dir.path()), ["a.gz"]);
        assert_eq!(fs::read(dir.path().join("a.gz")).unwrap(), right);
    }
}

#[test]
fn two_do_not_write_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let part = fs::File::create(dir.path().join("a.gz.part")).unwrap();
    part.lock().unwrap();
    let (server, files) = (Server::with(&gz(&content())), Files::Single(vec![remote()]));
    let failure = download(dir.path(), &[&server], &files, false).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("another process is downloading")
    );
    assert_eq!(server.begins(), [0; 0]);
}

#[test]
fn files_are_taken_out_of_an_archive_which_is_not_kept() {
    let images =
        |seed: u8| Dataset::new((0..32).map(|i| i ^ seed).collect(), 2, 4, vec![0, 1, 2, 3]);
    let zip = to_npz(Some(&images(0).unwrap()), Some(&images(9).unwrap()));
    let members = ["_train.npy", "_test.npy"].map(String::from);
    let files = |len: u64, names: &[String]| Files::InArchive {
        archive: Remote {
            name: "set.zip".into(),
            max_len: len,
            magic: ZIP,
            sum: Sum::OfFile(sha256(&zip[..]).unwrap()),
        },
        folder: "x".into(),
        names: names.to_vec(),
    };
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::with(&zip));
    let set = files(zip.len() as u64, &members);
    for fetched in [2, 0] {
        let counts = download(dir.path(), &[&server], &set, false).unwrap();
        assert_eq!(counts, Counts { fetched, all: 2 });
        assert_eq!(names(dir.path()), ["SHA256SUMS", "_test.npy", "_train.npy"]);
    }
    // A file that is damaged since: the archive is needed again.
    fs::write(dir.path().join("_test.npy"), "damaged").unwrap();
    let refused = download(dir.path(), &[&server], &set, false).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("_test.npy is there with another content")
    );
    // And is there now.
    let counts = download(dir.path(), &[], &set, true).unwrap();
    assert_eq!(counts, Counts { fetched: 1, all: 2 });
    assert_eq!(server.begins(), [0, 0]);

    let missing = files(zip.len() as u64, &["_none.npy".into()]);
    let failure = download(dir.path(), &[&server], &missing, false).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("x_none.npy is damaged: it is not in the archive")
    );
}
