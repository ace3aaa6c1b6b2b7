//! A disk that fails at every point where it can: whatever fails, a file holds
//! its old content or its new one.

#![cfg(feature = "std")]

use handwritten::files::{Disk, IoError, Os, write_atomic, write_atomic_on};
use handwritten::{Activation, Checkpoint, Config, Init, Net};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Kinds of failure.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// The device reports an error.
    Io,
    /// No space is left.
    Full,
    /// A signal comes first.
    Interrupted,
    /// Only a part is written, which is no failure.
    Short,
}

const FAULTS: [Fault; 4] = [Fault::Io, Fault::Full, Fault::Interrupted, Fault::Short];

impl Fault {
    fn error(self) -> io::Error {
        match self {
            // EIO.
            Self::Io => io::Error::from_raw_os_error(5),
            Self::Full => ErrorKind::StorageFull.into(),
            Self::Interrupted => ErrorKind::Interrupted.into(),
            Self::Short => unreachable!("a short write succeeds"),
        }
    }
}

/// The system's disk, with one operation that fails, or all operations from that one on.
struct Faulty {
    at: usize,
    fault: Fault,
    for_good: bool,
    /// Operations so far.
    count: Cell<usize>,
}

impl Faulty {
    /// Counts an operation, and says whether it is to fail.
    fn fails(&self) -> bool {
        let number = self.count.get();
        self.count.set(number + 1);
        number == self.at || self.for_good && number > self.at
    }

    fn operate<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.fails() && self.fault != Fault::Short {
            return Err(self.fault.error());
        }
        operation()
    }
}

/// A file on such a disk.
struct FaultyFile<'a>(&'a Faulty, File);

impl Write for FaultyFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // In pieces, so that a failure may come between two.
        let piece = &bytes[..bytes.len().min(1000)];
        match (self.0.fails(), self.0.fault) {
            (false, _) => self.1.write(piece),
            (true, Fault::Short) => self.1.write(&piece[..piece.len().min(1)]),
            (true, fault) => Err(fault.error()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.operate(|| self.1.flush())
    }
}

impl<'a> Disk for &'a Faulty {
    type File = FaultyFile<'a>;

    fn create_new(&self, path: &Path) -> io::Result<FaultyFile<'a>> {
        self.operate(|| Ok(FaultyFile(self, Os.create_new(path)?)))
    }

    fn sync(&self, file: &FaultyFile<'a>) -> io::Result<()> {
        self.operate(|| Os.sync(&file.1))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|| Os.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate(|| Os.remove(path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate(|| Os.sync_folder(folder))
    }
}

fn checkpoint(seed: u64) -> Vec<u8> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let net = Net::random(&[20, 9, 4], Activation::Sigmoid, Init::Glorot, &mut rng);
    Checkpoint::new(net, Config::default()).to_bytes(b"")
}

#[test]
fn the_old_checkpoint_or_the_new_one_loads_whatever_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.ckpt");
    let (old, new) = (checkpoint(1), checkpoint(2));
    assert_ne!(old, new);
    let (mut points, mut kept, mut replaced) = (0, 0, 0);
    for for_good in [false, true] {
        for fault in FAULTS {
            for at in 0.. {
                write_atomic(&path, &old).unwrap();
                let disk = Faulty {
                    at,
                    fault,
                    for_good,
                    count: Cell::new(0),
                };
                let interrupted = fault == Fault::Interrupted && for_good;
                // A write that is interrupted each time is repeated for ever.
                if interrupted && (1..disk_writes(&new)).contains(&at) {
                    continue;
                }
                let result = write_atomic_on(&&disk, &path, &new);
                let point = format!("{fault:?} at {at}, for good: {for_good}");
                let found = fs::read(&path).unwrap();
                assert!(Checkpoint::from_bytes(&found).is_ok(), "{point}");
                assert!(found == old || found == new, "{point}");
                match &result {
                    Ok(()) => assert!(found == new, "{point}"),
                    Err(error) => {
                        assert!(matches!(error, IoError::Write { .. }), "{point}");
                        assert!(error.to_string().contains("last.ckpt"), "{error}");
                    }
                }
                let left = fs::read_dir(folder.path()).unwrap().count() - 1;
                // If removing fails as well, the next run removes the file.
                assert!(left == 0 || left == 1 && for_good, "{point}");
                handwritten::files::sweep(folder.path());
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

                let is_past = disk.count.get() <= at;
                if is_past {
                    break;
                }
                points += 1;
                kept += usize::from(found == old);
                replaced += usize::from(found == new);
            }
        }
    }
    // Of those that can fail: create, each write, flush, sync, rename, folder.
    assert!(
        kept > 20 && replaced > 10,
        "{kept} kept, {replaced} replaced"
    );
    // Past the capture of the test's output, which shows failures only.
    let line = format!("{points} faults injected: {kept} old checkpoints, {replaced} new ones\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Operations up to the last write.
fn disk_writes(bytes: &[u8]) -> usize {
    1 + bytes.len().div_ceil(1000)
}
