//! The download of one file: resumed, bounded, verified, and then renamed to its name.

use super::client::{Answer, Client};
use super::sources::{Files, Remote, Sum};
use crate::failure::Failure;
use crate::output;
use handwritten::files::{Disk, Os, ReadError, content_sha256};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that are received at once.
const BUFFER: usize = 1 << 16;

/// Downloads of files into a folder.
pub(super) struct Download<'a> {
    pub(super) client: Client,
    pub(super) dir: &'a Path,
    pub(super) mirrors: &'a [String],
    /// Whether files with another content are replaced.
    pub(super) force: bool,
    pub(super) quiet: bool,
}

/// Numbers of files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) fetched: usize,
    pub(super) all: usize,
}

/// Why a mirror's file is not there.
enum Refusal {
    /// The mirror is at fault, for the reason that ends the sentence: another may do.
    Mirror(String),
    /// No mirror can help.
    Failure(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The beginning of a file, which no other process writes to.
struct Part {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Download<'_> {
    /// Downloads the files that are missing.
    pub(super) fn all(&self, files: &Files) -> Result<Counts, Failure> {
        match files {
            Files::InArchive {
                archive,
                folder,
                names,
            } => self.members(archive, folder, names),
            Files::Single(remotes) => {
                let mut fetched = 0;
                for remote in remotes {
                    fetched += usize::from(self.single(remote)?);
                }
                Ok(Counts {
                    fetched,
                    all: remotes.len(),
                })
            }
        }
    }

    /// Downloads a file, if it is not there. Returns whether it was not.
    fn single(&self, remote: &Remote) -> Result<bool, Failure> {
        let path = self.dir.join(&remote.name);
        if path.symlink_metadata().is_ok() {
            if path.is_file() && is_right(&path, remote)? {
                return Ok(false);
            }
            self.refuse_unless_forced(&path)?;
        }
        let part = self.verified(remote)?;
        let failed = |error| cannot_write(&path, &error);
        Os.sync(&part.file).map_err(failed)?;
        // Renamed while it is open and locked, so that no other process continues it.
        Os.rename(&part.path, &path).map_err(failed)?;
        drop(part);
        Os.sync_folder(self.dir).map_err(failed)?;
        Ok(true)
    }

    /// Refuses to replace a file.
    pub(super) fn refuse_unless_forced(&self, path: &Path) -> Result<(), Failure> {
        if self.force && path.is_file() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{} is there with another content (--force replaces it)",
            path.display()
        )))
    }

    /// The whole file beside its later name, verified.
    fn verified(&self, remote: &Remote) -> Result<Part, Failure> {
        let mut part = Part::open(self.dir.join(format!("{}.part", remote.name)))?;
        if matches!(remote.sum, Sum::OfFile(_)) && part.len == remote.max_len {
            if is_right(&part.path, remote)? {
                return Ok(part);
            }
            part.cut(0)?;
        }
        let mut reasons = String::new();
        for mirror in self.mirrors {
            let url = format!("{mirror}{}", remote.name);
            match self.complete(&url, remote, &mut part) {
                Ok(()) => return Ok(part),
                Err(Refusal::Failure(failure)) => return Err(failure),
                Err(Refusal::Mirror(reason)) => {
                    let separator = if reasons.is_empty() { "" } else { "; " };
                    let _ = write!(reasons, "{separator}{url}: {reason}");
                }
            }
        }
        if part.len == 0 {
            // Of no use to anybody.
            let _ = fs::remove_file(&part.path);
        }
        Err(Failure::new(format!(
            "cannot download {}: {reasons}",
            remote.name
        )))
    }

    /// Completes a file from a mirror, and verifies it. One that is resumed and wrong is
    /// downloaded once more from the beginning: that may have been another's.
    fn complete(&self, url: &str, remote: &Remote, part: &mut Part) -> Result<(), Refusal> {
        loop {
            let is_resumed = self.receive(url, remote, part)?;
            if is_right(&part.path, remote)? {
                return Ok(());
            }
            part.cut(0)?;
            if !is_resumed {
                let reason = "its SHA-256 is another than that of the data set";
                return Err(Refusal::Mirror(reason.into()));
            }
        }
    }

    /// Receives what a file lacks. Returns whether what was there has been kept.
    fn receive(&self, url: &str, remote: &Remote, part: &mut Part) -> Result<bool, Refusal> {
        let mirror = |reason: String| Err(Refusal::Mirror(reason));
        if part.len > remote.max_len {
            part.cut(0)?;
        }
        let answer = self.client.get(url, part.len).map_err(Refusal::Mirror)?;
        match answer.status.as_u16() {
            // It has nothing more.
            416 if part.len > 0 => return Ok(true),
            206 if answer.begin == Some(part.len) => {}
            // Another part than asked for: from the beginning, then.
            206 if part.len > 0 => {
                part.cut(0)?;
                return Ok(true);
            }
            200 => part.cut(0)?,
            _ => return mirror(format!("it answers {}", answer.status)),
        }
        if answer.is_html {
            return mirror("it answers with a web page".into());
        }
        let is_resumed = part.len > 0;
        let expected = answer.len.map(|len| part.len.saturating_add(len));
        if expected.is_some_and(|len| len > remote.max_len) {
            return mirror(format!(
                "it has {} bytes, where there can be {} at most",
                expected.unwrap_or_default(),
                remote.max_len
            ));
        }
        let bar = self.bar(&remote.name, part.len, expected);
        let result = self.copy(answer, remote, part, expected, &bar);
        bar.finish_and_clear();
        result.map(|()| is_resumed)
    }

    /// Writes a body behind what is there.
    fn copy(
        &self,
        answer: Answer,
        remote: &Remote,
        part: &mut Part,
        expected: Option<u64>,
        bar: &ProgressBar,
    ) -> Result<(), Refusal> {
        let (mut body, mut buffer) = (answer.into_reader(), vec![0; BUFFER]);
        loop {
            let bytes = match body.read(&mut buffer) {
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    let reason = format!("after {} bytes {}", part.len, self.client.words(error));
                    return Err(Refusal::Mirror(reason));
                }
            };
            if bytes.is_empty() {
                break;
            }
            let magic = remote.magic.iter().skip(part.len as usize);
            if part.len + bytes.len() as u64 > remote.max_len
                || magic.zip(bytes).any(|(right, found)| right != found)
            {
                part.cut(0)?;
                return Err(Refusal::Mirror("it has something else there".into()));
            }
            let written = part.file.write_all(bytes);
            written.map_err(|error| cannot_write(&part.path, &error))?;
            part.len += bytes.len() as u64;
            bar.set_position(part.len);
        }
        match expected {
            Some(expected) if part.len < expected => Err(Refusal::Mirror(format!(
                "it sends {} of {expected} bytes",
                part.len
            ))),
            _ => Ok(()),
        }
    }

    /// A bar on stderr, if that is a terminal.
    fn bar(&self, name: &str, begin: u64, end: Option<u64>) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(end, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} {bar:30} {bytes} of {total_bytes}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_string());
        bar.set_position(begin);
        bar
    }

    /// The whole archive, verified, to read from, and where it lies.
    pub(super) fn archive(&self, remote: &Remote) -> Result<(File, PathBuf), Failure> {
        let part = self.verified(remote)?;
        Ok((part.file, part.path))
    }

    /// Tells of a file that takes a while.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            output::remark(text);
        }
    }
}

impl Part {
    /// Opens the beginning of a file, or a new one.
    fn open(path: PathBuf) -> Result<Self, Failure> {
        let open = || {
            let mut options = OpenOptions::new();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            let len = file.seek(SeekFrom::End(0))?;
            Ok((file, len))
        };
        let (file, len) = open().map_err(|error| cannot_write(&path, &error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
                "another process is downloading {}",
                path.display()
            ))),
            // Where a file cannot be locked, what two processes write is found to be wrong.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, file, len }),
        }
    }

    /// Keeps so many of its bytes.
    fn cut(&mut self, len: u64) -> Result<(), Failure> {
        let cut = self.file.set_len(len);
        cut.and_then(|()| self.file.seek(SeekFrom::Start(len)))
            .map_err(|error| cannot_write(&self.path, &error))?;
        self.len = len;
        Ok(())
    }
}

/// The failure of writing a file.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}

/// Whether a file has the content that its sum says.
fn is_right(path: &Path, remote: &Remote) -> Result<bool, Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    match &remote.sum {
        Sum::OfFile(sum) => Ok(sha256(file).map_err(failed)? == *sum),
        Sum::OfContent { sha256, len } => {
            match content_sha256(BufReader::with_capacity(BUFFER, file), *len) {
                Ok(sum) => Ok(sum == *sha256),
                Err(ReadError::System(error)) => Err(failed(error)),
                Err(_) => Ok(false),
            }
        }
    }
}

/// The SHA-256 of all that a reader has, in hexadecimal digits.
pub(super) fn sha256(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let (mut buffer, mut text) = (vec![0; BUFFER], String::new());
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
