//! The folders of runs: which one to write into, locked against others, and what
//! is in them.

mod folder;
mod machine;
pub(crate) mod model;
mod saved;
mod saver;

pub(crate) use folder::Folder;
pub(crate) use machine::{Clock, Machine};
pub(crate) use saved::{Identity, Saved};
pub(crate) use saver::Saver;

use crate::args::PlaceArgs;
use crate::failure::Failure;
use crate::signals::Signals;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The model file: its presence means that the run is complete.
pub(crate) const MODEL: &str = "model.safetensors";
/// All settings of the run.
pub(crate) const CONFIG: &str = "config.toml";
/// One row for each epoch so far.
pub(crate) const HISTORY: &str = "history.csv";
/// Times and machine of the run.
pub(crate) const MACHINE: &str = "machine.toml";
/// The checkpoint, which is there until the run is complete.
pub(crate) const CHECKPOINT: &str = "last.ckpt";

/// The plan of trainings of several seeds, which is there until all of them are complete.
pub(crate) const SEEDS: &str = "seeds.toml";
/// The nets of all seeds as one model.
pub(crate) const ENSEMBLE: &str = "ensemble.safetensors";
/// The results of trainings of several seeds.
pub(crate) const SEEDS_TABLE: &str = "seeds.csv";

/// The files of a complete run, besides those of its report ([`crate::report::FILES`]).
pub(crate) const FILES: [&str; 7] = [
    MODEL,
    CONFIG,
    HISTORY,
    "loss.svg",
    "loss.png",
    "confusion.svg",
    MACHINE,
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
    let folder = match chosen {
        Some(path) => Folder::create(&path),
        None => Folder::create_next(Path::new(RUNS), name),
    }?;
    removed_at_exit.extend_from_slice(folder.created());
    drop(removed_at_exit);
    if force {
        // Nothing of trainings of several seeds is taken for a part of what comes.
        for name in [SEEDS, SEEDS_TABLE, ENSEMBLE] {
            remove(&folder.path.join(name))?;
        }
    } else {
        // Another process may have been faster.
        refuse_full(&folder.path)?;
    }
    Ok(folder)
}

/// Removes a file, if it is there.
pub(crate) fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::new(format!(
            "cannot remove {}: {error}",
            file.display()
        ))),
        _ => Ok(()),
    }
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
    if folder.join(CHECKPOINT).exists() || folder.join(SEEDS).exists() {
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
}
