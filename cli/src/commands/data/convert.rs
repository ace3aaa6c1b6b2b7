//! `handwritten data convert`: a data set in another format.

use crate::args::{ConvertArgs, DataFormat};
use crate::failure::Failure;
use crate::image_folder::Fit;
use crate::memory;
use crate::output;
use crate::output::report::grouped;
use crate::setup;
use handwritten::data::Dataset;
use handwritten::files::formats::{to_csv, to_idx, to_npz};
use handwritten::files::{Parts, write_atomic};
use std::fs;
use std::path::{Path, PathBuf};

/// Maximum number of bytes of an archive: sizes in it have 32 bits.
const MAX_ARCHIVE: usize = u32::MAX as usize;

/// Maximum number of bytes of a pixel in a table: three digits and a comma.
const BYTES_PER_VALUE: usize = 4;

/// Reads a data set and writes it. Each file is written whole or not at all, and if one cannot
/// be written, those before it are removed.
pub(super) fn run(args: &ConvertArgs) -> Result<(), Failure> {
    let output = &args.output;
    let format = args.format.unwrap_or(match output.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("npz") => DataFormat::Npz,
        Some(ending) if ending.eq_ignore_ascii_case("csv") => DataFormat::Csv,
        _ => DataFormat::Idx,
    });
    let parts = setup::load_parts(Some(&args.input), Fit::as_mnist(args.as_is))?;
    let (paths, is_folder) = paths(&parts, output, format)?;
    let taken = paths.iter().find(|path| path.exists());
    if let Some(taken) = taken.filter(|_| !args.force) {
        return Err(Failure::new(format!(
            "{} is there already (--force overwrites it)",
            taken.display()
        )));
    }
    require_for(&parts, format)?;
    let is_new = is_folder && !output.exists();
    if is_new {
        fs::create_dir_all(output).map_err(|error| {
            Failure::new(format!("cannot create {}: {error}", output.display()))
        })?;
    }
    let mut written = vec![];
    let result = write(&parts, format, &paths, &mut written);
    if result.is_err() && !args.force {
        // The first error is reported; an error of removing is of no use to the user.
        written.iter().for_each(|path| drop(fs::remove_file(path)));
        if is_new {
            let _ = fs::remove_dir(output);
        }
    }
    result?;
    say(&parts, output);
    Ok(())
}

/// Both parts, those that there are, with the names of their files.
fn halves(parts: &Parts) -> impl Iterator<Item = (&Dataset, &'static str, &'static str)> {
    let all = [
        (parts.train.as_ref(), "train", "train"),
        (parts.test.as_ref(), "t10k", "test"),
    ];
    all.into_iter()
        .filter_map(|(data, idx, csv)| Some((data?, idx, csv)))
}

/// The files to write, and whether they lie in a folder of the output's name.
fn paths(
    parts: &Parts,
    output: &Path,
    format: DataFormat,
) -> Result<(Vec<PathBuf>, bool), Failure> {
    let is_table = output
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    match format {
        DataFormat::Npz => Ok((vec![output.into()], false)),
        DataFormat::Csv if is_table && halves(parts).count() > 1 => Err(Failure::usage(format!(
            "{} is one table, but there are training and test images: name a folder, \
                 and --format csv",
            output.display()
        ))),
        DataFormat::Csv if is_table => Ok((vec![output.into()], false)),
        DataFormat::Csv => {
            let table = |(_, _, name)| output.join(format!("{name}.csv"));
            Ok((halves(parts).map(table).collect(), true))
        }
        DataFormat::Idx => {
            let pair = |(_, name, _)| {
                [("images", 3), ("labels", 1)]
                    .map(|(kind, n)| output.join(format!("{name}-{kind}-idx{n}-ubyte")))
            };
            Ok((halves(parts).flat_map(pair).collect(), true))
        }
    }
}

/// Refuses what there is no memory for: the bytes of a file are made before they are written.
fn require_for(parts: &Parts, format: DataFormat) -> Result<(), Failure> {
    let values = halves(parts).map(|(data, ..)| data.len() * (data.features() + 1));
    let values: Vec<usize> = values.collect();
    let (all, most) = (
        values.iter().sum::<usize>(),
        values.iter().copied().max().unwrap_or(0),
    );
    let bytes = match format {
        // The archive grows, and is copied into one of twice its size.
        DataFormat::Npz if all > MAX_ARCHIVE - (1 << 16) => {
            return Err(Failure::new("an .npz archive holds 4 GiB at most"));
        }
        DataFormat::Npz => 3 * all,
        DataFormat::Csv => 3 * BYTES_PER_VALUE * most,
        DataFormat::Idx => most,
    };
    memory::require(bytes, "convert the data set")
}

fn write(
    parts: &Parts,
    format: DataFormat,
    paths: &[PathBuf],
    written: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let mut paths = paths.iter();
    let mut next = |bytes: &[u8]| {
        let path = paths.next().expect("as many paths as files");
        write_atomic(path, bytes).map_err(Failure::caused)?;
        written.push(path.clone());
        Ok(())
    };
    if format == DataFormat::Npz {
        return next(&to_npz(parts.train.as_ref(), parts.test.as_ref()));
    }
    for (data, ..) in halves(parts) {
        match format {
            DataFormat::Csv => next(&to_csv(data))?,
            _ => to_idx(data).iter().try_for_each(|bytes| next(bytes))?,
        }
    }
    Ok(())
}

/// Says what was written, and which names the labels had.
fn say(parts: &Parts, output: &Path) {
    let counts = halves(parts).map(|(data, _, part)| {
        let part = if part == "train" { "training" } else { part };
        format!("{} {part} images", grouped(data.len() as u64))
    });
    let counts: Vec<String> = counts.collect();
    output::remark(&format!(
        "wrote {}: {}",
        output.display(),
        counts.join(", ")
    ));
    let names = &parts.class_names;
    if !(0..)
        .zip(names)
        .all(|(number, name)| *name == number.to_string())
    {
        let named = names.iter().enumerate();
        let named: Vec<String> = named
            .map(|(label, name)| format!("{label} {name}"))
            .collect();
        output::remark(&format!("labels are numbers: {}", named.join(", ")));
    }
}
