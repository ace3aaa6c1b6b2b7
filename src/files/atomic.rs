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

    /// Makes a file of a name that nothing has.
    fn create_new(&self, path: &Path) -> io::Result<Self::File>;

    /// Has what was written to a file reach the disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Gives a file another name, in place of the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Has the names in a folder reach the disk.
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
            // Folders that may not be read, and file systems that cannot do
            // it: nothing is lost unless the power fails.
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

/// Writes a file so that `path` holds its old content or all of `bytes`, never
/// a part, even if the power fails.
///
/// The bytes go into a temporary file in the same folder, reach the disk, and
/// take the name then. A file of that name is replaced rather than rewritten:
/// its permissions are those of a new file, and other hard links to it keep the
/// old content, as does what it points to if it is a symbolic link.
///
/// # Errors
/// A folder that is missing or cannot be written to, a full disk, or something
/// at `path` that is no regular file. The temporary file is removed. Where it is
/// only the folder that cannot be made to reach the disk, `path` already holds
/// the new content.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_atomic_on(&Os, path, bytes)
}

/// Writes a file as [`write_atomic`] does, on a disk of any kind.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_on(disk: &impl Disk, path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    // A rename would take the place of a device or pipe, too.
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
        // What matters is the first error; a second one changes nothing.
        let _ = disk.remove(&temporary);
        return Err(failed(error));
    }
    disk.sync_folder(folder).map_err(failed)
}

/// What temporary files are called.
const TEMPORARY: (&str, &str) = (".handwritten-", ".tmp");

/// A new empty file in `folder`, under a name that nothing else has.
fn create_temporary<D: Disk>(disk: &D, folder: &Path) -> io::Result<(PathBuf, D::File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (before, after) = TEMPORARY;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{before}{}-{number}{after}", process::id()));
        match disk.create_new(&path) {
            // Left by a process of the same number that was killed.
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
    // Before the rename, or a power failure leaves the new name on no content.
    disk.sync(&file)?;
    drop(file);
    disk.rename(from, to)
}

/// Removes the temporary files that processes have left in `folder` which were
/// killed while they wrote. Nobody else may be writing there.
pub fn sweep(folder: &Path) {
    let (before, after) = TEMPORARY;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_left = name
            .to_str()
            .is_some_and(|name| name.starts_with(before) && name.ends_with(after));
        if is_left {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}
