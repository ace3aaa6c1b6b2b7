//! Writes the figures of `cargo bench --bench gemm` or `--bench epoch` into
//! docs/performance.md: the table and the chart of the instruction set that computed.
//!
//! ```text
//! cargo run --release --bin performance -- target/gemm.csv
//! cargo run --release --bin performance -- target/epoch.csv
//! ```

use kuva::backend::svg::SvgBackend;
use kuva::plot::BarPlot;
use kuva::render::layout::Layout;
use kuva::render::render::render_multiple;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Colours of `handwritten` and of the best peer, from Okabe and Ito's palette.
const COLORS: [&str; 2] = ["#0072b2", "#e69f00"];

/// A file that a bench wrote.
struct Table<'a> {
    /// The first line, which describes the machine.
    machine: &'a str,
    instruction_set: &'a str,
    /// Names of the columns.
    names: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
    /// Lines about the whole table.
    summaries: Vec<&'a str>,
}

/// A row of the bench `gemm`; speeds are in GFLOP/s.
struct Row {
    product: String,
    shape: String,
    threads: usize,
    pace: f64,
    peak: f64,
    /// Name and speed of the fastest peer, where there are any.
    best: Option<(String, f64)>,
}

fn main() -> ExitCode {
    let Some(csv) = std::env::args().nth(1) else {
        eprintln!("error: the path of the CSV is missing, such as target/gemm.csv");
        return ExitCode::from(2);
    };
    match run(Path::new(&csv)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(csv: &Path) -> Result<(), String> {
    let text = fs::read_to_string(csv).map_err(|error| format!("{}: {error}", csv.display()))?;
    let bad = |error| format!("{}: {error}", csv.display());
    let table = Table::parse(&text).map_err(bad)?;
    let (kind, content, chart) = if table.names.contains(&"product") {
        let rows = products(&table).map_err(bad)?;
        let content = products_table(&table, &rows);
        ("gemm", content, products_chart(&rows))
    } else {
        let rows = epochs(&table).map_err(bad)?;
        let content = epochs_table(table.machine, &rows);
        ("epoch", content, epochs_chart(&rows))
    };
    // The lines of the page before and after the table.
    let name = format!("{kind} {}", table.instruction_set);
    let marks = ["", "/"].map(|end| format!("<!-- {end}{name} -->\n"));
    let picture = format!("{kind}-{}.svg", table.instruction_set);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = docs.join("performance.md");
    let old = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let new = replaced(&old, marks, &content)
        .ok_or_else(|| format!("{}: there is no place for {name}", page.display()))?;
    for (path, content) in [(page, new), (docs.join(picture), chart)] {
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

impl<'a> Table<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let mut lines = text.lines();
        let machine = lines.next().and_then(|line| line.strip_prefix("# "));
        let machine = machine.ok_or("the first line does not name the machine")?;
        let instruction_set = machine.split("; ").nth(1);
        let instruction_set =
            instruction_set.ok_or("the first line does not name the instruction set")?;
        let names = lines.next().ok_or("no names of columns")?;
        let (mut rows, mut summaries) = (Vec::<Vec<&str>>::new(), Vec::new());
        for line in lines {
            match line.strip_prefix("# ") {
                Some(summary) => summaries.push(summary),
                None => rows.push(line.split(',').collect()),
            }
        }
        if rows.is_empty() {
            return Err("no rows".to_string());
        }
        Ok(Self {
            machine,
            instruction_set,
            names: names.split(',').collect(),
            rows,
            summaries,
        })
    }

    fn field(&self, row: &[&'a str], name: &str) -> Result<&'a str, String> {
        let at = self.names.iter().position(|&n| n == name);
        let field = at.and_then(|at| row.get(at).copied());
        field.ok_or_else(|| format!("a row without {name}"))
    }

    fn value(&self, row: &[&'a str], name: &str) -> Result<f64, String> {
        let field = self.field(row, name)?;
        let value = field.parse();
        value.map_err(|_| format!("{name} is {field:?}, no number"))
    }
}

fn products(table: &Table<'_>) -> Result<Vec<Row>, String> {
    let product = |row: &Vec<&str>| {
        let field = |name: &str| table.field(row, name);
        let value = |name: &str| table.value(row, name);
        let peer = field("best_peer")?;
        Ok(Row {
            product: field("product")?.to_string(),
            shape: format!("{}·{}·{}", field("m")?, field("k")?, field("n")?),
            threads: value("threads")? as usize,
            pace: value("gflops")?,
            peak: value("peak_gflops")?,
            best: match peer {
                "" => None,
                _ => Some((peer.to_string(), value(peer)?)),
            },
        })
    };
    table.rows.iter().map(product).collect()
}

/// A row of the bench `epoch`.
struct Training {
    hidden: usize,
    batch: usize,
    threads: usize,
    /// Seconds of an epoch.
    seconds: f64,
    /// Share of the peak of multiply-adds; products with zeros count as computed.
    share: f64,
    /// Name and seconds of the fastest peer.
    best: (String, f64),
}

fn epochs(table: &Table<'_>) -> Result<Vec<Training>, String> {
    let training = |row: &Vec<&str>| {
        let value = |name: &str| table.value(row, name);
        let peer = table.field(row, "best_peer")?;
        Ok(Training {
            hidden: value("hidden")? as usize,
            batch: value("batch")? as usize,
            threads: value("threads")? as usize,
            seconds: value("seconds")?,
            share: value("share_of_peak")?,
            best: (peer.to_string(), value(peer)?),
        })
    };
    table.rows.iter().map(training).collect()
}

fn epochs_table(machine: &str, rows: &[Training]) -> String {
    let mut table = format!(
        "\n{machine}\n\n\
         | H | batch | 1 thread | images/s | of peak | best peer | ratio | 2 threads | images/s | of peak | best peer | ratio |\n\
         |--:|--:|--:|--:|--:|---|--:|--:|--:|--:|---|--:|\n"
    );
    for one in rows.iter().filter(|row| row.threads == 1) {
        let is_twin = |row: &&Training| {
            row.threads == 2 && (row.hidden, row.batch) == (one.hidden, one.batch)
        };
        let _ = write!(table, "| {} | {}", one.hidden, one.batch);
        for row in std::iter::once(one).chain(rows.iter().find(is_twin)) {
            let (peer, seconds) = &row.best;
            let _ = write!(
                table,
                " | {:.4} | {:.0} k | {:.0} % | {peer} {seconds:.4} | {:.2}",
                row.seconds,
                60.0 / row.seconds,
                100.0 * row.share,
                seconds / row.seconds
            );
        }
        table.push_str(" |\n");
    }
    table.push('\n');
    table
}

/// A chart of the speeds relative to the best peer, on one thread and on two.
fn epochs_chart(rows: &[Training]) -> String {
    let mut plot = BarPlot::new()
        .with_horizontal(true)
        .with_width(0.8)
        .with_legend(vec!["2 threads", "1 thread"]);
    let one: Vec<&Training> = rows.iter().filter(|row| row.threads == 1).collect();
    for row in one.iter().rev() {
        let ratio = |threads: usize| {
            let same = |other: &&Training| {
                (other.hidden, other.batch, other.threads) == (row.hidden, row.batch, threads)
            };
            rows.iter()
                .find(same)
                .map_or(0.0, |row| row.best.1 / row.seconds)
        };
        let label = format!("H {}, batch {}", row.hidden, row.batch);
        plot = plot.with_group(label, [(ratio(2), COLORS[1]), (ratio(1), COLORS[0])]);
    }
    let title = "Pace of training, best other crate = 1";
    drawn(plot, one.len(), title, "Times as fast")
}

/// The page with a new table between the marks; `None` if a mark is missing.
fn replaced(page: &str, [start, end]: [String; 2], table: &str) -> Option<String> {
    let (before, rest) = page.split_once(&start)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{start}{table}{end}{after}"))
}

fn products_table(bench: &Table<'_>, rows: &[Row]) -> String {
    let mut table = format!(
        "\n{}\n\n\
         | product | m·k·n | 1 thread | of peak | best peer | ratio | 2 threads | of peak | best peer | ratio |\n\
         |---|---|--:|--:|---|--:|--:|--:|---|--:|\n",
        bench.machine
    );
    for one in rows.iter().filter(|row| row.threads == 1) {
        let twin = rows
            .iter()
            .find(|row| row.threads == 2 && row.product == one.product && row.shape == one.shape);
        let _ = write!(table, "| {} | {}", one.product, one.shape);
        for row in [Some(one), twin] {
            let Some(row) = row else {
                table.push_str(" | | | | ");
                continue;
            };
            let _ = write!(
                table,
                " | {:.0} | {:.0} %",
                row.pace,
                100.0 * row.pace / row.peak
            );
            match &row.best {
                Some((peer, pace)) => {
                    let _ = write!(table, " | {peer} {pace:.0} | {:.2}", row.pace / pace);
                }
                None => table.push_str(" | | "),
            }
        }
        table.push_str(" |\n");
    }
    table.push('\n');
    for summary in &bench.summaries {
        let _ = writeln!(table, "{summary}\n");
    }
    table
}

/// A chart of the shares of the peak on one thread, `handwritten`'s and the best peer's.
fn products_chart(rows: &[Row]) -> String {
    let mut plot = BarPlot::new()
        .with_horizontal(true)
        .with_width(0.8)
        .with_legend(vec!["best peer", "handwritten"]);
    let one = rows
        .iter()
        .filter(|row| row.threads == 1 && row.best.is_some());
    let one: Vec<&Row> = one.collect();
    // Bars are drawn from the bottom up.
    for row in one.iter().rev() {
        let share = |pace: f64| 100.0 * pace / row.peak;
        let best = row.best.as_ref().map_or(0.0, |best| best.1);
        let label = format!("{} {}", row.product, row.shape);
        let bars = [(share(best), COLORS[1]), (share(row.pace), COLORS[0])];
        plot = plot.with_group(label, bars);
    }
    let title = "Matrix products on one thread, in % of the peak of multiply-adds";
    drawn(plot, one.len(), title, "Share of the peak")
}

/// Draws a chart that has room for `groups` groups of bars.
fn drawn(plot: BarPlot, groups: usize, title: &str, x_label: &str) -> String {
    let plots = vec![plot.into()];
    let layout = Layout::auto_from_plots(&plots)
        .with_width(860.0)
        .with_height(120.0 + 26.0 * groups as f64)
        .with_title(title)
        .with_x_label(x_label)
        .with_font_family("DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif");
    SvgBackend::new().render_scene(&render_multiple(plots, layout))
}
