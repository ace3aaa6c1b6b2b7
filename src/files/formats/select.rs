//! Which arrays of an archive are images and labels.

use crate::files::formats::array_errors::NpzError;
use crate::files::formats::names::{Holds, Part, of_array};
use crate::files::formats::npz::Npz;
use crate::files::read::ReadError;
use std::io::{Read, Seek};

/// The names of images and labels of each part.
pub(super) struct Pairs {
    pub(super) train: Option<[String; 2]>,
    pub(super) test: Option<[String; 2]>,
}

/// Tells images and labels by the names of the arrays, such as `x_train` and `y_train`; if
/// there are two arrays whose names say nothing, by their shapes. Arrays of validation images
/// are left out.
pub(super) fn pairs<R: Read + Seek>(archive: &mut Npz<R>) -> Result<Pairs, ReadError> {
    let names: Vec<String> = archive.names().into_iter().map(String::from).collect();
    if names.is_empty() {
        return Err(ReadError::Npz(NpzError::NoArrays));
    }
    let unclear = || {
        ReadError::Npz(NpzError::Unclear {
            names: names.clone(),
        })
    };
    let pair = |part| {
        let of = |holds| {
            let is_it = |name: &&String| of_array(name) == (part, Some(holds));
            let mut found = names.iter().filter(is_it);
            match (found.next(), found.next()) {
                (one, None) => Ok(one.cloned()),
                _ => Err(unclear()),
            }
        };
        match (of(Holds::Images)?, of(Holds::Labels)?) {
            (Some(images), Some(labels)) => Ok(Some([images, labels])),
            (None, None) => Ok(None),
            _ => Err(unclear()),
        }
    };
    let (mut train, test) = (pair(Some(Part::Train))?, pair(Some(Part::Test))?);
    if train.is_none() && test.is_none() {
        train = pair(None).or_else(|error| match names.len() {
            2 => Ok(None),
            _ => Err(error),
        })?;
        if let ([one, other], None) = (&names[..], &train) {
            let shapes = [archive.shape(one)?.len(), archive.shape(other)?.len()];
            train = match shapes {
                [dimensions, 1] if dimensions > 1 => Some([one.clone(), other.clone()]),
                [1, dimensions] if dimensions > 1 => Some([other.clone(), one.clone()]),
                _ => None,
            };
        }
    }
    match (train, test) {
        (None, None) => Err(unclear()),
        (train, test) => Ok(Pairs { train, test }),
    }
}
