//! `handwritten report`: the page of a run, or of several.

use super::refuse_taken;
use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output;
use crate::report::{PAGE, Run, Source, comparison};
use crate::run_folder::Folder;
use crate::setup::Engine;
use handwritten::data::Subset;
use handwritten::files::write_atomic;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Writes the report of a run into its folder, or the comparison of several into a file, and
/// says where it is.
pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    let engine = Engine::from_env()?;
    let threads = args.common.threads()?;
    let data = args.data.as_deref();
    let page = match &args.runs[..] {
        [named] => of_one(args, engine, threads, &Source::read(named, data)?)?,
        several => {
            refuse_taken(&[&args.out], args.force)?;
            let sources = several.iter().map(|named| Source::read(named, data));
            of_several(
                args,
                engine,
                threads,
                &sources.collect::<Result<Vec<_>, _>>()?,
            )?
        }
    };
    if !args.common.json {
        output::result(&format!("wrote {}", page.display()))?;
    }
    match args.open {
        true => open(&page),
        false => Ok(()),
    }
}

/// Writes the report of a run. Returns its page.
fn of_one(
    args: &ReportArgs,
    engine: Engine,
    threads: usize,
    source: &Source,
) -> Result<PathBuf, Failure> {
    // Refuses a folder that a training is writing into.
    let folder = Folder::lock(source.folder.clone())?;
    let test = source.test();
    let run = source.run(engine, threads, &test)?;
    run.write(&folder.path)?;
    let page = folder.path.join(PAGE);
    if args.common.json {
        print(&run, &page)?;
    }
    Ok(page)
}

/// Writes the comparison of several runs. Returns its page.
fn of_several(
    args: &ReportArgs,
    engine: Engine,
    threads: usize,
    sources: &[Source],
) -> Result<PathBuf, Failure> {
    let tests: Vec<Subset<'_>> = sources.iter().map(Source::test).collect();
    let mut runs = vec![];
    for (source, test) in sources.iter().zip(&tests) {
        runs.push(source.run(engine, threads, test)?);
    }
    write_atomic(&args.out, comparison(&runs)?.as_bytes()).map_err(Failure::caused)?;
    if args.common.json {
        runs.iter().try_for_each(|run| print(run, &args.out))?;
    }
    Ok(args.out.clone())
}

/// Prints the figures of a run as JSON.
fn print(run: &Run<'_>, page: &Path) -> Result<(), Failure> {
    let mut event = run.json();
    event["report"] = json!(page.display().to_string());
    output::result(&event.to_string())
}

/// Opens a file in the browser of the user.
fn open(page: &Path) -> Result<(), Failure> {
    let (program, first): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(first).arg(page);
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // It may stay open for hours, so nobody waits for it.
    started.map(drop).map_err(|error| {
        Failure::new(format!(
            "cannot open {}: {program}: {error}",
            page.display()
        ))
    })
}
