//! The folders of runs: which one to write into, locked against others, and what
//! is in them.

mod machine;
pub(crate) mod model;
mod saved;
mod saver;

pub(crate) use machine::{Clock, Machine};
pub(crate) use saved::{Identity, Saved};
pub(crate) use saver::Saver;

use crate::args::PlaceArgs;
use crate::failure::Failure;
use crate::signals::Signals;
use handwritten::files;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::mem;
use std::path::{Path, PathBuf};

/// The model file: its presence means that the run is complete.
pub(crate) const MODEL: &str = "model.safetensors";
/// One row for each epoch so far.
pub(crate) const HISTORY: &str = "history.csv";
/// The checkpoint, which is there until the run is complete.
pub(crate) const CHECKPOINT: &str = "last.ckpt";

/// The files of a complete run.
pub(crate) const FILES: [&str; 7] = [
    MODEL,
    "config.toml",
    HISTORY,
    "loss.svg",
    "loss.png",
    "confusion.svg",
    "machine.toml",
];

/// Default parent folder of runs.
const RUNS: &str = "runs";

/// The folder that the flags name, if they name one. Refuses it where `files` may
/// not be written.
pub(crate) fn chosen(place: PlaceArgs, files: &[&str]) -> Result<Option<PathBuf>, Failure> {
    let chosen = match (place.out, place.name) {
        (Some(out), _) => Some(out),
        (None, Some(name)) => Some(named(&name)?),
        (None, None) => None,
    };
    match chosen.as_deref() {
        Some(folder) if place.force => refuse_taken(folder, files)?,
        Some(folder) => refuse_full(folder)?,
        None => {}
    }
    Ok(chosen)
}

/// A folder that is locked, so that no other process writes a run into it.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _created: Created,
    /// The system releases the lock when the process ends.
    _lock: File,
}

impl Folder {
    /// Refuses a folder that cannot be written to.
    pub(crate) fn try_writing(&self) -> Result<(), Failure> {
        // `files::sweep` removes it if it stays behind.
        let file = self.path.join(".handwritten-try.tmp");
        let tried = fs::write(&file, "").and_then(|()| fs::remove_file(&file));
        tried.map_err(|error| {
            Failure::new(format!(
                "cannot write into {}: {error}",
                self.path.display()
            ))
        })
    }
}

/// The folders that were created for a run: its own, then its parents. Those that nothing
/// was left in are removed when this is dropped.
#[derive(Default)]
struct Created(Vec<PathBuf>);

impl Drop for Created {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Fails if the folder is not empty, and then it stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Creates and locks the folder that was chosen, or else a new one among the runs
/// that is called `name`. A second signal, which ends the process at once, leaves no folder
/// that was created and has nothing in it either.
pub(crate) fn open(
    chosen: Option<PathBuf>,
    name: &str,
    force: bool,
    signals: &Signals,
) -> Result<Folder, Failure> {
    let mut removed_at_exit = signals.removed_at_exit();
    let (path, created) = match chosen {
        Some(path) => create(&path).map(|created| (path, created)),
        None => create_next(name),
    }?;
    removed_at_exit.clone_from(&created.0);
    drop(removed_at_exit);
    let folder = lock(path, created)?;
    if !force {
        // Another process may have been faster.
        refuse_full(&folder.path)?;
    }
    Ok(folder)
}

/// Locks the folder of a run that is to be resumed.
pub(crate) fn reopen(path: PathBuf) -> Result<Folder, Failure> {
    if !path.is_dir() {
        return Err(Failure::new(format!(
            "there is no run in {}",
            path.display()
        )));
    }
    lock(path, Created::default())
}

/// Locks a folder, and removes the temporary files of processes that were killed.
fn lock(path: PathBuf, created: Created) -> Result<Folder, Failure> {
    let failed =
        |error: &dyn Display| Failure::new(format!("cannot lock {}: {error}", path.display()));
    let file = match cfg!(unix) {
        true => File::open(&path),
        // Where folders cannot be opened, a file beside the folder is locked instead.
        false => File::create(lock_file(&path)),
    };
    let file = file.map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::new(format!(
                "another process is writing a run into {}",
                path.display()
            )));
        }
        // Some file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    files::sweep(&path);
    Ok(Folder {
        path,
        _created: created,
        _lock: file,
    })
}

/// The file beside a folder that is locked instead of it.
fn lock_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    folder.with_file_name(name)
}

/// The folder of the run with this name.
fn named(name: &OsStr) -> Result<PathBuf, Failure> {
    if Path::new(name).file_name() == Some(name) {
        Ok(Path::new(RUNS).join(name))
    } else {
        Err(Failure::usage(format!(
            "--name must be a plain name, not \"{}\"; --out takes a path",
            name.display()
        )))
    }
}

/// The command that resumes the run in a folder, for a POSIX shell.
pub(crate) fn resume_command(folder: &Path) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "+,-./:=@_".contains(c);
    let is_flag = folder.as_os_str().as_encoded_bytes().starts_with(b"-");
    // Without the prefix it would be parsed as a flag.
    let folder = match is_flag {
        true => &Path::new(".").join(folder),
        false => folder,
    };
    let Some(name) = folder.to_str() else {
        let bytes = folder.as_os_str().as_encoded_bytes().iter();
        let spelt = bytes.map(|&byte| match char::from(byte) {
            c if c.is_ascii() && is_plain(c) => c.to_string(),
            _ => format!("\\{byte:03o}"),
        });
        let spelt: String = spelt.collect();
        return format!("train --resume \"$(printf '{spelt}')\"");
    };
    let mut name = name.to_string();
    if !name.chars().all(is_plain) {
        name = format!("'{}'", name.replace('\'', r"'\''"));
    }
    format!("train --resume {name}")
}

/// Refuses a path that exists, unless it is an empty folder.
fn refuse_full(folder: &Path) -> Result<(), Failure> {
    let full = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => folder.symlink_metadata().is_ok(),
    };
    if folder.join(CHECKPOINT).exists() {
        return Err(Failure::new(format!(
            "{} holds a run that has not ended: resume it ({}), choose another folder, \
             or overwrite the run with --force",
            folder.display(),
            resume_command(folder)
        )));
    }
    if full {
        return Err(Failure::new(format!(
            "{} exists and is not an empty folder: \
             choose another, or overwrite the run in it with --force",
            folder.display()
        )));
    }
    Ok(())
}

/// Refuses a folder in which something that is not a file has the name of one of
/// these files.
fn refuse_taken(folder: &Path, files: &[&str]) -> Result<(), Failure> {
    for file in files {
        let path = folder.join(file);
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Failure::new(format!(
                "{} is in the way: it is not a regular file",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Creates a folder and its parents. If that fails, none of them stays.
fn create(folder: &Path) -> Result<Created, Failure> {
    let missing = folder.ancestors().take_while(|folder| !folder.is_dir());
    let missing = missing.filter(|folder| !folder.as_os_str().is_empty());
    let created = Created(missing.map(Path::to_path_buf).collect());
    fs::create_dir_all(folder).map_err(|error| cannot_create(folder, &error))?;
    Ok(created)
}

/// Creates a new folder among the runs: `name`, or from the second one on
/// `name.2`, `name.3`, …
fn create_next(name: &str) -> Result<(PathBuf, Created), Failure> {
    let mut created = create(Path::new(RUNS))?;
    let mut folder = Path::new(RUNS).join(name);
    let mut number = 1;
    loop {
        match fs::create_dir(&folder) {
            Ok(()) => {
                created.0.insert(0, folder.clone());
                return Ok((folder, created));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                folder.set_file_name(format!("{name}.{number}"));
            }
            // A process that left nothing has removed the folder of the runs.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Dropped first, or it would remove the folder that is created again.
                drop(mem::take(&mut created));
                created = create(Path::new(RUNS))?;
            }
            Err(error) => return Err(cannot_create(&folder, &error)),
        }
    }
}

fn cannot_create(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot create {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_can_be_pasted() {
        for (folder, word) in [
            ("runs/mnist-784-10.2", "runs/mnist-784-10.2"),
            ("/tmp/größer", "/tmp/größer"),
            ("my run", "'my run'"),
            ("~/run", "'~/run'"),
            ("$HOME", "'$HOME'"),
            ("it's", r"'it'\''s'"),
            ("-run", "./-run"),
            ("--my run", "'./--my run'"),
        ] {
            assert_eq!(
                resume_command(Path::new(folder)),
                format!("train --resume {word}")
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_command_that_goes_on_spells_out_names_that_are_not_utf8() {
        use std::os::unix::ffi::OsStrExt;
        use std::process::Command;
        for (folder, words) in [
            (&b"caf\xe9"[..], r#"train --resume "$(printf 'caf\351')""#),
            (
                b"-\xff1%d '\\",
                r#"train --resume "$(printf './-\3771\045d\040\047\134')""#,
            ),
        ] {
            let command = resume_command(Path::new(OsStr::from_bytes(folder)));
            assert_eq!(command, words);
            let script = format!("train() {{ printf %s \"$2\"; }}; {command}");
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            let path = output.stdout.strip_prefix(b"./").unwrap_or(&output.stdout);
            assert_eq!(path, folder);
        }
    }

    #[test]
    fn no_two_folders_share_a_lock() {
        for (folder, file) in [
            ("runs/mnist-784-10", "runs/mnist-784-10.lock"),
            ("runs/mnist-784-10.2", "runs/mnist-784-10.2.lock"),
            ("v1.3", "v1.3.lock"),
        ] {
            assert_eq!(lock_file(Path::new(folder)), Path::new(file));
        }
    }
}
