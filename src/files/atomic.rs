//! Files that are written whole or not at all.

use crate::files::error::IoError;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The operations that saving a file is made of, so that a test can have each of
/// them fail.
///
/// Every operation fails as the system's does.
#[expect(clippy::missing_errors_doc, reason = "as of the system's operations")]
pub trait Disk {
    /// A file that is open for writing.
    type File: Write;

    /// Creates a file; fails if there is anything of that name.
    fn create_new(&self, path: &Path) -> io::Result<Self::File>;

    /// Flushes the content of a file to the disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Renames a file, and replaces the file of the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Flushes the names in a folder to the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct Os;

impl Disk for Os {
    type File = File;

    fn create_new(&self, path: &Path) -> io::Result<File> {
        File::create_new(path)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // A folder that may not be read, or a file system that cannot flush one:
            // only a power failure can lose the rename.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

/// Writes a file atomically: `path` holds its old content or all of `bytes`, never a part,
/// even if the power fails.
///
/// The bytes are written to a temporary file in the same folder, flushed to the disk, and
/// renamed to `path`. A file of that name is replaced, not rewritten: it gets the
/// permissions of a new file, and other hard links to it, or the target of a symbolic
/// link, keep the old content.
///
/// # Errors
/// A folder that is missing or cannot be written to, a full disk, or something at `path`
/// that is no regular file. The temporary file is removed. If only flushing the folder
/// fails, `path` already holds the new content.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_atomic_on(&Os, path, bytes)
}

/// Writes a file as [`write_atomic`] does, on a disk of any kind.
///
/// # Errors
/// Everything that [`write_atomic`] finds.
pub fn write_atomic_on(disk: &impl Disk, path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    // A rename would replace a device or pipe, too.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(IoError::NotAFile { path: path.into() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| IoError::Write {
        path: path.into(),
        source,
    };
    let (temporary, file) = create_temporary(disk, folder).map_err(failed)?;
    if let Err(error) = fill_and_rename(disk, file, bytes, &temporary, path) {
        // The first error is reported; an error of removing is of no use to the caller.
        let _ = disk.remove(&temporary);
        return Err(failed(error));
    }
    disk.sync_folder(folder).map_err(failed)
}

/// The beginning and the end of the names of temporary files.
const TEMPORARY: (&str, &str) = (".handwritten-", ".tmp");

/// A new empty file in `folder`, under a name that nothing else has.
fn create_temporary<D: Disk>(disk: &D, folder: &Path) -> io::Result<(PathBuf, D::File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (before, after) = TEMPORARY;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{before}{}-{number}{after}", process::id()));
        match disk.create_new(&path) {
            // Left by a process of the same id that was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((path, file)),
        }
    }
}

fn fill_and_rename<D: Disk>(
    disk: &D,
    mut file: D::File,
    bytes: &[u8],
    from: &Path,
    to: &Path,
) -> io::Result<()> {
    file.write_all(bytes)?;
    file.flush()?;
    // Flushed before the rename, or a power failure may leave an empty file of the name.
    disk.sync(&file)?;
    drop(file);
    disk.rename(from, to)
}

/// Removes the temporary files of processes that were killed while they wrote into
/// `folder`. No other process may be writing there.
pub fn sweep(folder: &Path) {
    let (before, after) = TEMPORARY;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_left = name
            .to_str()
            .is_some_and(|name| name.starts_with(before) && name.ends_with(after));
        if is_left {
            // A file that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}
