//! `handwritten data fetch`: data sets of the internet.
//!
//! [`sources`] knows what there is, `client` asks, `download` gets one file, `archive` takes
//! files out of a zip archive. Nothing of them is in the library.

#[cfg(feature = "fetch")]
mod archive;
#[cfg(feature = "fetch")]
mod client;
#[cfg(feature = "fetch")]
mod download;
#[cfg_attr(
    not(feature = "fetch"),
    expect(dead_code, reason = "without it nothing is verified")
)]
mod sources;
#[cfg(all(test, feature = "fetch"))]
mod tests;

use crate::args::FetchArgs;
use crate::failure::Failure;
use handwritten::files::cache_folder;
use sources::Source;
use std::path::PathBuf;

/// Downloads a data set.
pub(super) fn run(args: &FetchArgs) -> Result<(), Failure> {
    let source = Source::of(args.set);
    let dir = match &args.to {
        Some(dir) => dir.clone(),
        None => cache_folder(args.set.name()).ok_or_else(|| {
            Failure::new("this user has no cache folder; name a folder with --to DIR")
        })?,
    };
    fetch(args, source, dir)
}

/// Says what to do without the feature.
#[cfg(not(feature = "fetch"))]
fn fetch(_: &FetchArgs, source: Source, dir: PathBuf) -> Result<(), Failure> {
    let [name, others @ ..] = &source.names()[..] else {
        return Ok(());
    };
    Err(Failure::new(format!(
        "this program was built without the feature `fetch`: build it with that, or put {name}{} \
         of {} into {} by hand",
        if others.is_empty() {
            ""
        } else {
            " and the other files"
        },
        source.mirrors[0],
        dir.display()
    )))
}

/// Downloads a data set into a folder, which is created if need be.
#[cfg(feature = "fetch")]
fn fetch(args: &FetchArgs, mut source: Source, dir: PathBuf) -> Result<(), Failure> {
    use crate::output;
    use serde_json::json;
    use std::fs;
    use std::time::Duration;

    let timeout = Duration::try_from_secs_f64(args.timeout);
    let timeout = timeout.ok().filter(|timeout| (MIN..=MAX).contains(timeout));
    let timeout = timeout.ok_or_else(|| {
        Failure::usage(format!(
            "--timeout must be {} to {} seconds, not {}",
            MIN.as_secs_f64(),
            MAX.as_secs(),
            args.timeout
        ))
    })?;
    if let Some(mirror) = &args.mirror {
        source.mirrors = vec![address(mirror)?];
    }
    let client = client::Client::new(timeout)?;
    let is_new = !dir.exists();
    fs::create_dir_all(&dir)
        .map_err(|error| Failure::new(format!("cannot create {}: {error}", dir.display())))?;
    let download = download::Download {
        client,
        dir: &dir,
        mirrors: &source.mirrors,
        force: args.force,
        quiet: args.quiet,
    };
    let counts = download.all(&source.files);
    if counts.is_err() && is_new {
        // Fails if there is the beginning of a file, which is resumed the next time.
        let _ = fs::remove_dir(&dir);
    }
    let download::Counts { fetched, all } = counts?;
    let named = match &args.to {
        Some(dir) => dir.display().to_string(),
        None => args.set.name().to_string(),
    };
    if args.json {
        return output::result(
            &json!({
                "event": "fetch",
                "data_set": args.set.name(),
                "dir": dir.display().to_string(),
                "files": all,
                "downloaded": fetched,
            })
            .to_string(),
        );
    }
    output::result(&format!(
        "{all} files in {}, {fetched} of them downloaded now: --data {named}",
        dir.display()
    ))
}

/// The shortest and the longest time that may be waited for.
#[cfg(feature = "fetch")]
const MIN: std::time::Duration = std::time::Duration::from_millis(10);
#[cfg(feature = "fetch")]
const MAX: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The address of a mirror, which the name of a file can follow.
#[cfg(feature = "fetch")]
fn address(mirror: &str) -> Result<String, Failure> {
    let is_one = |scheme| {
        let rest = mirror.strip_prefix(scheme);
        rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty())
    };
    if !is_one("http://") && !is_one("https://") || mirror.chars().any(char::is_whitespace) {
        return Err(Failure::usage(format!(
            "--mirror must be an address with http:// or https://, not {mirror:?}"
        )));
    }
    let slash = if mirror.ends_with('/') { "" } else { "/" };
    Ok(format!("{mirror}{slash}"))
}
