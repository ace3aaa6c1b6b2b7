//! The pictures that the arguments of `classify` name, one after the other: files, folders,
//! lists and stdin.

use crate::memory;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Maximum number of bytes of a file: more than pixels of the most that are decoded take in
/// any format.
const MAX_FILE: usize = 1 << 28;

/// Maximum number of bytes of a path in a list.
const MAX_PATH: u64 = 1 << 16;

/// Bytes that stdin is read in, as long as there are more.
const PIECE: usize = 1 << 16;

/// The path that stands for stdin.
const STDIN: &str = "-";

/// Calls `each` with the path of every picture that an argument names: `-` and a file name
/// themselves, a folder all files in it and below it, in alphabetical order and without hidden
/// ones, `@list` what the lines of the file `list` name. What cannot be listed is passed on with
/// the reason.
///
/// # Errors
/// The first error of `each`.
pub(crate) fn for_each<E>(
    argument: &Path,
    each: &mut impl FnMut(&Path, Result<(), String>) -> Result<(), E>,
) -> Result<(), E> {
    match list(argument) {
        Some(list) => match lines(&list) {
            Ok(mut lines) => {
                let mut is_empty = true;
                loop {
                    match next_line(&mut lines) {
                        Ok(None) if is_empty => return each(argument, Err("an empty list".into())),
                        Ok(None) => return Ok(()),
                        Ok(Some(path)) => file_or_folder(&path, each)?,
                        Err(why) => return each(argument, Err(why)),
                    }
                    is_empty = false;
                }
            }
            Err(why) => each(argument, Err(why)),
        },
        None => file_or_folder(argument, each),
    }
}

/// The file of a list, if the argument names one.
fn list(argument: &Path) -> Option<PathBuf> {
    let text = argument.as_os_str().as_encoded_bytes();
    let path = text.strip_prefix(b"@")?;
    path_of(path.to_vec())
}

/// The path with these bytes, where the system has such paths.
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        Some(std::ffi::OsString::from_vec(bytes).into())
    }
    #[cfg(not(unix))]
    {
        String::from_utf8(bytes).ok().map(PathBuf::from)
    }
}

/// Opens a list.
fn lines(list: &Path) -> Result<BufReader<Box<dyn Read>>, String> {
    let reader: Box<dyn Read> = match list == Path::new(STDIN) {
        true => Box::new(io::stdin()),
        false => Box::new(open(list)?.0),
    };
    Ok(BufReader::new(reader))
}

/// The next path of a list, without empty lines. Both ends of a line of Windows are left out.
fn next_line(lines: &mut impl BufRead) -> Result<Option<PathBuf>, String> {
    loop {
        let mut line = Vec::new();
        let read = lines.take(MAX_PATH).read_until(b'\n', &mut line);
        let read = read.map_err(|error| error.to_string())?;
        if read as u64 == MAX_PATH {
            return Err("no list of paths: it has a line of more than 64 KiB".to_string());
        }
        while line.ends_with(b"\n") || line.ends_with(b"\r") {
            line.pop();
        }
        match path_of(line) {
            None => return Err("it has a line that is no UTF-8".to_string()),
            Some(path) if path.as_os_str().is_empty() && read > 0 => {}
            Some(path) if path.as_os_str().is_empty() => return Ok(None),
            Some(path) => return Ok(Some(path)),
        }
    }
}

/// Calls `each` with a file, or with all files in a folder and below it.
fn file_or_folder<E>(
    path: &Path,
    each: &mut impl FnMut(&Path, Result<(), String>) -> Result<(), E>,
) -> Result<(), E> {
    if path == Path::new(STDIN) || !path.is_dir() {
        return each(path, Ok(()));
    }
    match files_below(path) {
        Ok(files) if files.is_empty() => each(path, Err("a folder without files".to_string())),
        Ok(files) => files.iter().try_for_each(|file| each(file, Ok(()))),
        Err(error) => each(path, Err(error.to_string())),
    }
}

/// The files in a folder and below it, in alphabetical order. Links to folders are not followed:
/// they may lead back.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            match entry.file_type()?.is_dir() {
                true => open.push(path),
                false if !path.is_dir() => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Opens a file and returns its length.
fn open(path: &Path) -> Result<(File, u64), String> {
    // Checked before opening: opening a pipe waits for its writer.
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a file".to_string());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    Ok((file, metadata.len()))
}

/// The content of a file, or of stdin for `-`.
///
/// # Errors
/// What is no file, is too long or cannot be read, and too little memory.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let (reader, len): (Box<dyn Read>, u64) = match path == Path::new(STDIN) {
        true => (Box::new(io::stdin()), 0),
        false => {
            let (file, len) = open(path)?;
            (Box::new(file), len)
        }
    };
    read_all(reader, usize::try_from(len).unwrap_or(usize::MAX))
}

/// Everything that there is to read, which is expected to be `len` bytes.
fn read_all(mut reader: impl Read, len: usize) -> Result<Vec<u8>, String> {
    let too_long = || "longer than 256 MiB".to_string();
    let mut bytes = Vec::new();
    // One more shows whether the file goes on.
    let mut more = len.saturating_add(1).max(PIECE);
    loop {
        if bytes.len() > MAX_FILE || len > MAX_FILE {
            return Err(too_long());
        }
        // The old bytes and their copy.
        memory::require(2 * bytes.len() + more, "read a picture")
            .map_err(|failure| failure.to_string())?;
        bytes.reserve_exact(more);
        // No more than there is room for: `read_to_end` may abort where it allocates.
        let room = (bytes.capacity() - bytes.len()) as u64;
        let read = reader.by_ref().take(room).read_to_end(&mut bytes);
        if (read.map_err(|error| error.to_string())? as u64) < room {
            return Ok(bytes);
        }
        more = bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_read_to_its_end_whatever_its_length_was_said_to_be() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            for said in [0, len.saturating_sub(1), len, len + 1] {
                assert!(
                    read_all(&content[..], said).unwrap() == content,
                    "{len} {said}"
                );
            }
        }
        assert!(read_all(io::repeat(0), 0).unwrap_err().contains("256 MiB"));
        assert!(
            read_all(&[][..], MAX_FILE + 1)
                .unwrap_err()
                .contains("256 MiB")
        );
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let mut list = &b"a.png\r\n\n b c.png \r\n\r\nd"[..];
        let expected = ["a.png", " b c.png ", "d"];
        for path in expected {
            assert_eq!(next_line(&mut list).unwrap().unwrap(), Path::new(path));
        }
        assert_eq!(next_line(&mut list), Ok(None));
        let long = vec![b'x'; 1 << 17];
        assert!(next_line(&mut &long[..]).unwrap_err().contains("64 KiB"));
    }
}
