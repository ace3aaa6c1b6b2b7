//! Data sets that are files of a zip archive.

use super::download::{Counts, Download, sha256};
use super::sources::Remote;
use crate::failure::{Failure, chain};
use handwritten::files::formats::Npz;
use handwritten::files::write_atomic;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

/// The list of the sums of files, as `sha256sum -c` reads it. It is written after them, so
/// they are whole where it is there.
const SUMS: &str = "SHA256SUMS";

/// Maximum number of bytes of a file: EMNIST has 814 255 images of 784 bytes at most.
const MAX_FILE: u64 = 1 << 30;

impl Download<'_> {
    /// Downloads an archive, and takes files out of a folder of it, if they are not there.
    pub(super) fn members(
        &self,
        archive: &Remote,
        folder: &str,
        names: &[String],
    ) -> Result<Counts, Failure> {
        let all = names.len();
        if are_there(self.dir, names) {
            return Ok(Counts { fetched: 0, all });
        }
        let (file, path) = self.archive(archive)?;
        self.remark(&format!("taking {all} files out of {}", archive.name));
        let unreadable = |error| {
            let error = chain(&error);
            Failure::new(format!("{}: {error}", path.display()))
        };
        let mut zip = Npz::open(BufReader::new(file)).map_err(unreadable)?;
        let (mut fetched, mut sums) = (0, String::new());
        for name in names {
            let file = self.dir.join(name);
            let bytes = zip
                .read_file(&format!("{folder}{name}"), MAX_FILE)
                .map_err(unreadable)?;
            let sum = sha256(&bytes[..]).unwrap_or_default();
            let _ = writeln!(sums, "{sum}  {name}");
            if file.symlink_metadata().is_ok() {
                if sum_of(&file).as_ref() == Some(&sum) {
                    continue;
                }
                self.refuse_unless_forced(&file)?;
            }
            write_atomic(&file, &bytes).map_err(Failure::caused)?;
            fetched += 1;
        }
        write_atomic(&self.dir.join(SUMS), sums.as_bytes()).map_err(Failure::caused)?;
        drop(zip);
        fs::remove_file(&path)
            .map_err(|error| Failure::new(format!("cannot remove {}: {error}", path.display())))?;
        Ok(Counts { fetched, all })
    }
}

/// Whether all of these files have the sums of the list.
fn are_there(dir: &Path, names: &[String]) -> bool {
    let list = fs::read_to_string(dir.join(SUMS)).unwrap_or_default();
    names.iter().all(|name| {
        let sum = sum_of(&dir.join(name));
        sum.is_some_and(|sum| list.lines().any(|line| line == format!("{sum}  {name}")))
    })
}

/// The sum of a file, if it can be read.
fn sum_of(path: &Path) -> Option<String> {
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    sha256(File::open(path).ok().filter(|_| is_file)?).ok()
}
