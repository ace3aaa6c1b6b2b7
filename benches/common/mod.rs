//! What the benches share: arguments and the CSV, the machine's peak and name, medians,
//! and the peers that take pointers.

pub(crate) mod peak;
pub(crate) mod peers;

use criterion::Criterion;

/// What a bench is to do.
pub(crate) enum Mode {
    /// Time this crate alone, by criterion.
    Alone(Box<Criterion>),
    /// Time it in turn with its peers.
    Comparison(Comparison),
}

/// Which cases are compared, and the file for their figures.
pub(crate) struct Comparison {
    filter: String,
    csv: Option<String>,
}

/// Reads the arguments of a bench. Changes to the root of the repository, so that paths are
/// relative to it whichever package is built.
pub(crate) fn mode(bench: &str) -> Mode {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::env::set_current_dir(top).expect("the repository is there");
    // `cargo bench` adds `--bench`. Without it this is a test, and criterion runs each
    // function once.
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = args.iter().any(|arg| arg == "--bench");
    args.retain(|arg| arg != "--bench");
    match &args[..] {
        _ if !is_bench => Mode::Alone(Box::new(Criterion::default().configure_from_args())),
        [first, filters @ ..] if first == "--criterion" => {
            let with = |criterion: Criterion, filter| criterion.with_filter(filter);
            Mode::Alone(Box::new(filters.iter().fold(Criterion::default(), with)))
        }
        args => Mode::Comparison(Comparison::new(args, bench)),
    }
}

impl Comparison {
    fn new(args: &[String], bench: &str) -> Self {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (filter, csv) = match args[..] {
            // The tables of the documentation are made from this file, so a few cases must
            // not replace it.
            [] => ("", Some(format!("target/{bench}.csv"))),
            [filter] => (filter, None),
            ["--csv", path] => ("", Some(path.to_string())),
            [filter, "--csv", path] | ["--csv", path, filter] => (filter, Some(path.to_string())),
            _ => exit("a comparison takes one filter and --csv PATH, if anything"),
        };
        Self {
            filter: filter.to_string(),
            csv,
        }
    }

    /// Whether the filter occurs in a case's name. Numbers match as a whole: `batch 1` does
    /// not select `batch 128`.
    pub(crate) fn selects(&self, name: &str) -> bool {
        let filter = self.filter.as_str();
        let digit = |c: char| c.is_ascii_digit();
        let cut = |left: &str, right: &str| left.ends_with(digit) && right.starts_with(digit);
        name.match_indices(filter).any(|(at, _)| {
            let (before, after) = (&name[..at], &name[at + filter.len()..]);
            !cut(before, filter) && !cut(filter, after)
        })
    }

    /// Ends the program because the filter selects no case.
    pub(crate) fn exit_without_case(&self) -> ! {
        exit(&format!("there is no case {:?}", self.filter));
    }

    /// Writes the table to the CSV, if there is to be one.
    pub(crate) fn write(&self, table: &str) {
        if let Some(csv) = &self.csv {
            let folder = std::path::Path::new(csv).parent();
            let made = folder.map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(csv, table))
                .expect("the CSV can be written");
            println!("wrote {csv}");
        }
    }
}

/// Ends the program because of wrong arguments.
fn exit(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(2);
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The name of the processor from `/proc/cpuinfo`, where Linux provides it.
pub(crate) fn processor() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim())
        .to_string()
}
