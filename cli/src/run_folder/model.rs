//! Model files, read from the disk.

use super::{CHECKPOINT, MODEL, SEEDS, resume_command};
use crate::failure::{Failure, chain};
use crate::memory;
use crate::output;
use handwritten::files::IoError;
use handwritten::files::model::{Model, ModelError, decode, decode_ensemble};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that parsing a header takes for each of its bytes, if it is made of short names.
const BYTES_PER_BYTE_OF_HEADER: usize = 64;

/// The model file that a path names: the file itself, or that of a run's folder.
pub(crate) fn path_of(named: &Path) -> Result<PathBuf, Failure> {
    if !named.is_dir() {
        return Ok(named.to_path_buf());
    }
    let (model, folder) = (named.join(MODEL), named.display());
    let is_unfinished = [CHECKPOINT, SEEDS]
        .iter()
        .any(|name| named.join(name).is_file());
    match (model.is_file(), is_unfinished) {
        (true, _) => Ok(model),
        (false, true) => Err(Failure::new(format!(
            "the run in {folder} is not complete; to resume: {}",
            resume_command(named)
        ))),
        (false, false) => Err(Failure::new(format!(
            "the folder {folder} holds no {MODEL}, so it is not that of a run"
        ))),
    }
}

/// Reads a model file, or that of a run's folder.
pub(crate) fn read(named: &Path) -> Result<Model, Failure> {
    let path = &path_of(named)?;
    of_bytes(&bytes_of(path)?, path)
}

/// Reads a model file, or that of a run's folder: the nets of an ensemble, or the only net.
pub(crate) fn read_all(named: &Path) -> Result<Vec<Model>, Failure> {
    let path = &path_of(named)?;
    let models = decode_ensemble(&bytes_of(path)?).map_err(|why| unusable(path, &why))?;
    remark_on_type(&models[0], path);
    Ok(models)
}

/// The model in the bytes of this file.
pub(crate) fn of_bytes(bytes: &[u8], path: &Path) -> Result<Model, Failure> {
    let model = decode(bytes).map_err(|why| unusable(path, &why))?;
    remark_on_type(&model, path);
    Ok(model)
}

/// The failure of a command that takes a model of one net, or of an ensemble.
pub(crate) fn unusable(path: &Path, why: &ModelError) -> Failure {
    let named = path.display();
    match why {
        ModelError::Ensemble => Failure::new(format!(
            "{named} holds the nets of an ensemble, where this takes one net: name the folder of \
             one of its seeds"
        )),
        _ => {
            let failure = Failure::new(format!(
                "{named} is not a model of this program: {}",
                chain(why)
            ));
            match why {
                ModelError::NoMetadata => failure.and("`handwritten convert` makes one of it"),
                _ => failure,
            }
        }
    }
}

/// Says if the numbers of a model are not stored as this program does.
pub(crate) fn remark_on_type(model: &Model, path: &Path) {
    let what = match model.stored {
        "F32" => return,
        "F64" => "rounded to F32",
        _ => "widened to F32 without a change",
    };
    output::remark(&format!(
        "the numbers in {} are {}, {what}",
        path.display(),
        model.stored
    ));
}

/// The bytes of a model file, for which there is memory when they are decoded.
pub(crate) fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    // A pipe or a device may never end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::new(IoError::NotAFile { path: path.into() }));
    }
    let bytes = fs::read(path).map_err(failed)?;
    // Decoded, the file is tensors, then the net; numbers of 16 bits take twice their bytes. Of
    // the header, names become strings several times as long.
    let header = bytes
        .first_chunk()
        .map_or(0, |&len| u64::from_le_bytes(len));
    let header = usize::try_from(header)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let decoded = 5 * bytes.len() + BYTES_PER_BYTE_OF_HEADER * header;
    memory::require(decoded, format_args!("read {}", path.display()))?;
    Ok(bytes)
}
