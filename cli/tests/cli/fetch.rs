//! `handwritten data fetch` as a user runs it. No test reaches the internet: servers and
//! proxies are on loopback.

use super::programs::{Folder, run};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// MNIST, compressed as this repository has it: not as the mirrors have it.
const MNIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");

const NAMES: [&str; 4] = [
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
];

/// The lines of a request's head.
fn head(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream).lines();
    lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect()
}

/// A server of MNIST, which sends at most `most` bytes of a whole file and is silent then. Tells
/// of each request its path and the first byte that it asks for. As a proxy it is every host.
fn serve(most: usize) -> (String, Receiver<(String, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut silent = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = head(&stream);
            if request[0].starts_with("CONNECT ") {
                tell.send((request.swap_remove(0), 0)).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                request = head(&stream);
            }
            let path = request[0].split(' ').nth(1).unwrap().to_string();
            let begin = request.iter().find_map(|line| {
                let line = line.to_ascii_lowercase();
                let begin = line.strip_prefix("range: bytes=")?.strip_suffix('-')?;
                begin.parse::<usize>().ok()
            });
            let begin = begin.unwrap_or(0);
            tell.send((path.clone(), begin)).unwrap();
            let bytes = fs::read(format!("{MNIST}{path}")).unwrap();
            let (rest, len) = (&bytes[begin..], bytes.len());
            let status = match begin {
                0 => "200 OK".to_string(),
                _ => format!(
                    "206 Partial Content\r\nContent-Range: bytes {begin}-{}/{len}",
                    len - 1
                ),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                rest.len()
            );
            let sent = if begin == 0 {
                most.min(rest.len())
            } else {
                rest.len()
            };
            // The program may have ended.
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&rest[..sent]);
            if sent < rest.len() {
                silent.push(stream);
            }
        }
    });
    (address, told)
}

/// Whether there is no MNIST: the published package comes without data.
fn is_skipped() -> bool {
    let is_skipped = !Path::new(MNIST).exists();
    if is_skipped {
        eprintln!("skipped: the published package comes without data");
    }
    is_skipped
}

fn fetch(folder: &Folder, args: &str) -> Command {
    let args = format!("data fetch {args}");
    folder.command(env!("CARGO_BIN_EXE_handwritten"), args.split_whitespace())
}

#[test]
fn a_data_set_is_fetched_once_and_found_by_its_name() {
    if is_skipped() {
        return;
    }
    let folder = Folder::new();
    let (address, told) = serve(usize::MAX);
    let args = format!("mnist --mirror http://{address}");
    let output = run(&mut fetch(&folder, &args)).ok();
    let cache = folder
        .path(".cache/handwritten/mnist")
        .display()
        .to_string();
    assert_eq!(
        output.stdout,
        format!("4 files in {cache}, 4 of them downloaded now: --data mnist\n")
    );
    // No progress where stderr is no terminal.
    assert_eq!(output.stderr, "");
    assert_eq!(folder.names(".cache/handwritten/mnist"), NAMES);
    let mut asked: Vec<(String, usize)> = told.try_iter().collect();
    asked.sort();
    assert_eq!(asked, NAMES.map(|name| (format!("/{name}"), 0)));

    let output = run(&mut fetch(&folder, &args)).ok();
    assert!(output.stdout.contains(" 0 of them"), "{}", output.stdout);
    let output = run(&mut fetch(&folder, &format!("{args} --json"))).ok();
    let event = &output.json()[0];
    assert_eq!(
        (&event["files"], &event["downloaded"]),
        (&4.into(), &0.into())
    );
    assert_eq!(told.try_iter().count(), 0);

    let output = folder.handwritten("data fashion");
    output.fails(
        1,
        &[
            "fashion is not in the cache folder",
            "`handwritten data fetch fashion`",
        ],
    );
    // By its name, which a folder of that name goes before.
    fs::rename(&cache, folder.path(".cache/handwritten/kmnist")).unwrap();
    let output = folder.handwritten("data kmnist").ok();
    assert!(
        output.stdout.contains("\ndata set    MNIST\n"),
        "{}",
        output.stdout
    );
    fs::rename(folder.path("data"), folder.path("kmnist")).unwrap();
    let output = folder.handwritten("data kmnist").ok();
    assert!(output.stdout.contains("300 to train"), "{}", output.stdout);
}

/// No other way leads to a host that does not exist.
#[test]
fn a_proxy_is_used_and_left_out_as_the_environment_says() {
    if is_skipped() {
        return;
    }
    let folder = Folder::new();
    let (address, told) = serve(usize::MAX);
    let mut command = fetch(&folder, "--mirror http://mirror.invalid --to here");
    run(command.env("http_proxy", &address)).ok();
    assert_eq!(folder.names("here"), NAMES);
    let (request, _) = told.iter().next().unwrap();
    assert_eq!(request, "CONNECT mirror.invalid:80 HTTP/1.1");

    let asked = told.try_iter().count();
    let mut command = fetch(
        &folder,
        "--mirror http://mirror.invalid --to there --timeout 5",
    );
    let output = run(command
        .env("ALL_PROXY", &address)
        .env("NO_PROXY", ".invalid"));
    output.fails(
        1,
        &[
            "cannot download train-images",
            "http://mirror.invalid/train-images",
        ],
    );
    assert_eq!((asked > 0, told.try_iter().count()), (true, 0));
    assert!(!folder.path("there").exists());
}

#[cfg(unix)]
#[test]
fn what_a_signal_stops_is_resumed() {
    if is_skipped() {
        return;
    }
    let folder = Folder::new();
    let (address, told) = serve(100_000);
    let args = format!("--mirror http://{address} --to here --timeout 60");
    let mut child = fetch(&folder, &args).spawn().unwrap();
    let part = folder.path("here/train-images-idx3-ubyte.gz.part");
    while fs::metadata(&part).map_or(0, |found| found.len()) < 100_000 {
        assert_eq!(child.try_wait().unwrap(), None, "it waits for more");
        thread::sleep(std::time::Duration::from_millis(5));
    }
    // Not SIGINT, which whoever runs tests in the background has them ignore.
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert!(!child.wait().unwrap().success());
    assert_eq!(folder.names("here"), ["train-images-idx3-ubyte.gz.part"]);

    let (address, second) = serve(usize::MAX);
    run(&mut fetch(
        &folder,
        &format!("--mirror http://{address} --to here"),
    ))
    .ok();
    assert_eq!(folder.names("here"), NAMES);
    assert_eq!(told.iter().next().unwrap().1, 0);
    assert_eq!(second.iter().next().unwrap().1, 100_000);
}

/// A disk that is full, as a limit of the size of files.
#[cfg(unix)]
#[test]
fn a_full_disk_is_a_failure_that_names_the_file() {
    if is_skipped() {
        return;
    }
    let folder = Folder::new();
    let (address, _told) = serve(usize::MAX);
    let command = fetch(&folder, &format!("--mirror http://{address} --to here"));
    let mut shell = folder.command("sh", ["-c", "ulimit -f 1000; exec \"$0\" \"$@\""]);
    let output = run(shell.arg(command.get_program()).args(command.get_args()));
    output.fails(
        1,
        &["cannot write here/train-images-idx3-ubyte.gz.part: File too large"],
    );
    assert_eq!(folder.names("here"), ["train-images-idx3-ubyte.gz.part"]);
}

/// A server with TLS, which has no file. `cli/tests/cli/tls` has its certificate, which the
/// authority there signed.
fn serve_tls() -> String {
    let provider = Arc::new(crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Ends early where the certificate is refused.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    url
}

#[test]
fn https_takes_certificates_of_known_authorities_only() {
    let (folder, url) = (Folder::new(), serve_tls());
    let mut command = fetch(&folder, &format!("--mirror {url} --to here"));
    run(&mut command).fails(1, &[&url, "invalid peer certificate: UnknownIssuer"]);
    folder.write("authority.pem", include_bytes!("tls/authority.pem"));
    let output = run(command.env("SSL_CERT_FILE", "authority.pem"));
    output.fails(1, &[&url, "it answers 404 Not Found"]);
}

#[test]
fn wrong_arguments_are_named() {
    let folder = Folder::new();
    for (args, words) in [
        ("letters", "invalid value 'letters' for '[NAME]'"),
        (
            "--timeout 0",
            "--timeout must be 0.01 to 86400 seconds, not 0",
        ),
        ("--timeout -1", "--timeout must be"),
        ("--timeout nan", "--timeout must be"),
        ("--mirror ftp://a/", "--mirror must be an address"),
        ("--mirror http:///a", "--mirror must be an address"),
    ] {
        run(&mut fetch(&folder, args)).fails(2, &[words]);
    }
    folder.write("file", b"");
    let to_file = run(&mut fetch(&folder, "--to file/below"));
    to_file.fails(1, &["cannot create file/below"]);
    let mut command = fetch(&folder, "--mirror http://127.0.0.1:9");
    run(command.env("SSL_CERT_FILE", "file")).fails(1, &["SSL_CERT_FILE", "no certificate"]);
    run(command
        .env_remove("SSL_CERT_FILE")
        .env("http_proxy", "socks5://a:1"))
    .fails(1, &["http_proxy is no HTTP proxy"]);
    assert!(!folder.path(".cache/handwritten/mnist").exists());
}
