//! Folders of runs: which one to write into, and none twice by mistake.

use super::Failure;
use super::args::PlaceArgs;
use super::saving::CHECKPOINT;
use handwritten::files;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where runs go that have no folder of their own.
const RUNS: &str = "runs";

/// The folder that the flags choose, if they do, once these files may be written
/// there.
pub(super) fn chosen(place: PlaceArgs, files: &[&str]) -> Result<Option<PathBuf>, Failure> {
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

/// A folder that nobody else writes a run into.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Whether it was made for this run.
    is_new: bool,
    /// Held as long as the run is: the system lets go of it with the process.
    _lock: File,
}

impl Folder {
    /// Refuses a folder that takes no files.
    pub(super) fn try_writing(&self) -> Result<(), Failure> {
        // Swept up if it stays behind.
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

impl Drop for Folder {
    /// Removes the folder if it was made for a run that has left nothing.
    fn drop(&mut self) {
        if self.is_new {
            // Succeeds only if nothing is in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Makes the folder that was chosen, if it is not there yet, or a new one of
/// that name, and locks it.
pub(super) fn open(chosen: Option<PathBuf>, name: &str, force: bool) -> Result<Folder, Failure> {
    let (path, is_new) = match chosen {
        Some(path) => make(&path).map(|is_new| (path, is_new)),
        None => next(name).map(|path| (path, true)),
    }?;
    let folder = lock(path, is_new)?;
    if !force {
        // Somebody may have been faster.
        refuse_full(&folder.path)?;
    }
    Ok(folder)
}

/// The folder of a run that has been begun, locked.
pub(super) fn reopen(path: PathBuf) -> Result<Folder, Failure> {
    if !path.is_dir() {
        return Err(Failure::new(format!(
            "there is no run in {}",
            path.display()
        )));
    }
    lock(path, false)
}

/// Locks a folder, and removes what processes that were killed have left in it.
fn lock(path: PathBuf, is_new: bool) -> Result<Folder, Failure> {
    let failed =
        |error: &dyn Display| Failure::new(format!("cannot lock {}: {error}", path.display()));
    let file = match cfg!(unix) {
        true => File::open(&path),
        // Where folders cannot be opened, a file beside it stands for it.
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
        // Some file systems know no locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    files::sweep(&path);
    Ok(Folder {
        path,
        is_new,
        _lock: file,
    })
}

/// The file beside a folder that stands for it.
fn lock_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    folder.with_file_name(name)
}

/// The folder of the run of that name.
fn named(name: &str) -> Result<PathBuf, Failure> {
    if Path::new(name).file_name() == Some(name.as_ref()) {
        Ok(Path::new(RUNS).join(name))
    } else {
        Err(Failure::usage(format!(
            "--name must be a plain name, not \"{name}\"; --out takes a path"
        )))
    }
}

/// The command that goes on with the run in a folder, for a POSIX shell.
pub(super) fn resuming(folder: &Path) -> String {
    let mut name = folder.display().to_string();
    if name.starts_with('-') {
        // Else it would be a flag.
        name.insert_str(0, "./");
    }
    let is_plain = |c: char| c.is_alphanumeric() || "+,-./:=@_".contains(c);
    if !name.chars().all(is_plain) {
        name = format!("'{}'", name.replace('\'', r"'\''"));
    }
    format!("train --resume {name}")
}

/// Refuses what exists, unless it is an empty folder.
fn refuse_full(folder: &Path) -> Result<(), Failure> {
    let full = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => folder.symlink_metadata().is_ok(),
    };
    if folder.join(CHECKPOINT).exists() {
        return Err(Failure::new(format!(
            "{} holds a run that has not ended: go on with it ({}), choose another folder, \
             or overwrite the run with --force",
            folder.display(),
            resuming(folder)
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

/// Refuses a folder where one of these files could not be written because
/// something else has its name.
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

/// Makes a folder, if it is not there yet; says whether it was not.
fn make(folder: &Path) -> Result<bool, Failure> {
    let is_new = !folder.is_dir();
    fs::create_dir_all(folder).map_err(|error| cannot_make(folder, &error))?;
    Ok(is_new)
}

/// Makes a new folder of that name among the runs, numbered from the second
/// one on.
fn next(name: &str) -> Result<PathBuf, Failure> {
    make(Path::new(RUNS))?;
    let mut folder = Path::new(RUNS).join(name);
    let mut number = 1;
    loop {
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                folder.set_file_name(format!("{name}.{number}"));
            }
            Err(error) => return Err(cannot_make(&folder, &error)),
        }
    }
}

fn cannot_make(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot make {}: {error}", folder.display()))
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
                resuming(Path::new(folder)),
                format!("train --resume {word}")
            );
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
