//! One folder of a run: created, and locked against other processes.

use crate::failure::Failure;
use handwritten::files;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How often a folder is created that other processes remove each time before it is locked.
/// Folders that cannot be created at all, such as those in `/proc`, may fail in the same way.
const ATTEMPTS: usize = 100;

/// A folder that is locked, so that no other process writes a run into it.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Declared before the lock: whoever removes the folder still holds it.
    created: Created,
    /// The system releases the lock when the process ends.
    _lock: File,
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

impl Created {
    /// Leaves the folders to another process, which may have removed and created them again.
    fn release(&mut self) {
        self.0.clear();
    }
}

impl Folder {
    /// Creates a folder where there is none, and locks it.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        Self::attempt(path, || Ok((path.to_path_buf(), create(path)?)))
    }

    /// Creates a new folder among the runs, and locks it: `name`, or from the second one on
    /// `name.2`, `name.3`, …
    pub(crate) fn create_next(runs: &Path, name: &str) -> Result<Self, Failure> {
        Self::attempt(&runs.join(name), || create_next(runs, name))
    }

    /// Locks a folder that is there.
    pub(crate) fn lock(path: PathBuf) -> Result<Self, Failure> {
        let gone = Failure::new(format!("there is no run in {}", path.display()));
        if !path.is_dir() {
            return Err(gone);
        }
        lock(path, Created::default())?.ok_or(gone)
    }

    /// The folders that were created for this one: itself, then its parents.
    pub(crate) fn created(&self) -> &[PathBuf] {
        &self.created.0
    }

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

    /// Creates and locks a folder. A process that left nothing may remove it, or one of its
    /// parents, between any two steps; then all of them are taken again.
    fn attempt(
        path: &Path,
        create: impl Fn() -> io::Result<(PathBuf, Created)>,
    ) -> Result<Self, Failure> {
        let mut error = io::Error::from(ErrorKind::NotFound);
        for _ in 0..ATTEMPTS {
            match create() {
                Ok((path, created)) => {
                    if let Some(folder) = lock(path, created)? {
                        return Ok(folder);
                    }
                }
                Err(reason) => {
                    // What was there when it was to be created may be gone when it is looked at.
                    let gone = [ErrorKind::NotFound, ErrorKind::AlreadyExists];
                    let is_over = !gone.contains(&reason.kind());
                    error = reason;
                    if is_over {
                        break;
                    }
                }
            }
        }
        Err(Failure::new(format!(
            "cannot create {}: {error}",
            path.display()
        )))
    }
}

/// Locks a folder, and removes the temporary files of processes that were killed. `None` if
/// the folder was removed before it was locked.
fn lock(path: PathBuf, mut created: Created) -> Result<Option<Folder>, Failure> {
    let failed =
        |error: &dyn Display| Failure::new(format!("cannot lock {}: {error}", path.display()));
    let file = match cfg!(unix) {
        true => File::open(&path),
        // Where folders cannot be opened, a file beside the folder is locked instead.
        false => File::create(lock_file(&path)),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            created.release();
            return Ok(None);
        }
        Err(error) => return Err(failed(&error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // The folder may be empty still, but it is the other process's now.
            created.release();
            return Err(Failure::new(format!(
                "another process is writing a run into {}",
                path.display()
            )));
        }
        // Some file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    if !is_at(&file, &path) {
        created.release();
        return Ok(None);
    }
    files::sweep(&path);
    Ok(Some(Folder {
        path,
        created,
        _lock: file,
    }))
}

/// Whether the folder that was locked is still the one at this path.
fn is_at(locked: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let there = fs::metadata(path).map(identity);
        locked
            .metadata()
            .is_ok_and(|found| there.is_ok_and(|there| there == identity(found)))
    }
    #[cfg(not(unix))]
    {
        let _ = locked;
        path.is_dir()
    }
}

/// The file beside a folder that is locked instead of it.
fn lock_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    folder.with_file_name(name)
}

/// Creates a folder and its parents. If that fails, none of them stays.
fn create(folder: &Path) -> io::Result<Created> {
    let missing = folder.ancestors().take_while(|folder| !folder.is_dir());
    let missing = missing.filter(|folder| !folder.as_os_str().is_empty());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
    let own = missing.first().is_some_and(|first| first == folder);
    let own = own.then(|| missing.remove(0));
    let mut created = Created(missing);
    fs::create_dir_all(folder)?;
    // If it could not be created and is there, it is another process's.
    created.0.splice(..0, own);
    Ok(created)
}

/// Creates the first of `name`, `name.2`, `name.3`, … that is not there.
fn create_next(runs: &Path, name: &str) -> io::Result<(PathBuf, Created)> {
    let mut created = create(runs)?;
    let mut folder = runs.join(name);
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
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn of_many_that_race_for_a_folder_each_has_it_for_itself_or_is_told() {
        const ROUNDS: usize = 2000;
        let parent = std::env::temp_dir().join(format!("handwritten-race-{}", std::process::id()));
        let chosen = parent.join("deep").join("run");
        let runs = parent.join("runs");
        let is_alone = |folder: Folder| {
            folder.try_writing().unwrap();
            let file = folder.path.join("model");
            File::create_new(&file).unwrap();
            fs::remove_file(file).unwrap();
        };
        let count = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut count = 0;
                        for _ in 0..ROUNDS {
                            match Folder::create(&chosen) {
                                Ok(folder) => {
                                    is_alone(folder);
                                    count += 1;
                                }
                                Err(failure) => {
                                    let said = failure.to_string();
                                    assert!(said.starts_with("another process is"), "{said}");
                                }
                            }
                            // Nobody needs to be refused a folder of its own.
                            is_alone(Folder::create_next(&runs, "run").unwrap());
                        }
                        count
                    })
                })
                .collect();
            let counts = racers.into_iter().map(|racer| racer.join().unwrap());
            counts.sum::<usize>()
        });
        assert!(count > 0);
        let _ = fs::remove_dir_all(parent);
    }
}
