//! Turns the figures of `cargo bench --bench gemm` into the table and the
//! chart of docs/performance.md.
//!
//! ```text
//! cargo run --release --example performance -- target/gemm.csv
//! ```

use kuva::backend::svg::SvgBackend;
use kuva::plot::BarPlot;
use kuva::render::layout::Layout;
use kuva::render::render::render_multiple;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Between these lines of the page stands the table.
const MARKS: [&str; 2] = ["<!-- gemm -->\n", "<!-- /gemm -->\n"];

/// Ours and the best peer, two colours of Okabe and Ito's palette.
const COLORS: [&str; 2] = ["#0072b2", "#e69f00"];

/// A row of the CSV.
struct Row {
    product: String,
    shape: String,
    threads: usize,
    pace: f64,
    peak: f64,
    /// The name and pace of the fastest peer, where there are any.
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
    let (machine, rows) = parse(&text).map_err(|error| format!("{}: {error}", csv.display()))?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = docs.join("performance.md");
    let old = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let new = replaced(&old, &table(&machine, &rows))
        .ok_or_else(|| format!("{}: the marks of the table are missing", page.display()))?;
    for (path, content) in [(page, new), (docs.join("gemm.svg"), chart(&rows))] {
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The line about the machine, and the rows.
fn parse(text: &str) -> Result<(String, Vec<Row>), String> {
    let mut lines = text.lines().enumerate();
    let machine = lines.next().and_then(|(_, line)| line.strip_prefix("# "));
    let machine = machine.ok_or("the first line does not name the machine")?;
    let names: Vec<&str> = lines
        .next()
        .map_or(Vec::new(), |(_, line)| line.split(',').collect());
    let mut rows = Vec::new();
    for (number, line) in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |name: &str| {
            let at = names.iter().position(|&n| n == name);
            let field = at.and_then(|at| fields.get(at));
            field.ok_or_else(|| format!("line {}: no {name}", number + 1))
        };
        let value = |name: &str| {
            let field = field(name)?;
            let value = field.parse::<f64>();
            value.map_err(|_| format!("line {}: {name} is {field:?}, no number", number + 1))
        };
        let peer = field("best_peer")?.to_string();
        rows.push(Row {
            product: field("product")?.to_string(),
            shape: format!("{}·{}·{}", field("m")?, field("k")?, field("n")?),
            threads: value("threads")? as usize,
            pace: value("gflops")?,
            peak: value("peak_gflops")?,
            best: match &peer[..] {
                "" => None,
                _ => Some((peer.clone(), value(&peer)?)),
            },
        });
    }
    if rows.is_empty() {
        return Err("no rows".to_string());
    }
    Ok((machine.to_string(), rows))
}

/// The page with another table between the marks.
fn replaced(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some(format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]))
}

fn table(machine: &str, rows: &[Row]) -> String {
    let mut table = format!(
        "\n{machine}\n\n\
         | product | m·k·n | 1 thread | of peak | best peer | ratio | 2 threads | of peak | best peer | ratio |\n\
         |---|---|--:|--:|---|--:|--:|--:|---|--:|\n"
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
    for threads in [1, 2] {
        let ratios = rows.iter().filter(|row| row.threads == threads);
        let ratios = ratios.filter_map(|row| row.best.as_ref().map(|best| row.pace / best.1));
        let ratios: Vec<f64> = ratios.collect();
        if ratios.is_empty() {
            continue;
        }
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let _ = writeln!(
            table,
            "On {threads} thread{}: {mean:.2} times the best peer in the geometric mean, \
             at least {least:.2}.\n",
            if threads == 1 { "" } else { "s" }
        );
    }
    table
}

/// Shares of the peak on one thread, ours and the best peer's.
fn chart(rows: &[Row]) -> String {
    let mut plot = BarPlot::new()
        .with_horizontal(true)
        .with_width(0.8)
        .with_legend(vec!["best peer", "handwritten"]);
    let one = rows
        .iter()
        .filter(|row| row.threads == 1 && row.best.is_some());
    let one: Vec<&Row> = one.collect();
    // From the bottom up, as the axis goes.
    for row in one.iter().rev() {
        let share = |pace: f64| 100.0 * pace / row.peak;
        let best = row.best.as_ref().map_or(0.0, |best| best.1);
        let label = format!("{} {}", row.product, row.shape);
        let bars = [(share(best), COLORS[1]), (share(row.pace), COLORS[0])];
        plot = plot.with_group(label, bars);
    }
    let plots = vec![plot.into()];
    let layout = Layout::auto_from_plots(&plots)
        .with_width(860.0)
        .with_height(120.0 + 26.0 * one.len() as f64)
        .with_title("Matrix products on one thread")
        .with_x_label("Share of the peak of multiply-adds, in %")
        .with_font_family("DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif")
        .with_x_axis_max(100.0);
    SvgBackend::new().render_scene(&render_multiple(plots, layout))
}
