//! The reliability diagram: how far the probabilities of a net can be trusted.

use super::count;
use super::html::Html;
use super::svg::{line, rectangle, text};
use handwritten::net::calibration::Calibration;

/// Bins of the diagram.
pub(crate) const BINS: usize = 10;

/// Width of the diagram, and places of its two panels, in pixels.
const WIDTH: f64 = 380.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 30.0;
const SIDE: f64 = RIGHT - LEFT;
const BOTTOM: f64 = TOP + SIDE;
const SHARES_TOP: f64 = BOTTOM + 34.0;
const SHARES: f64 = 74.0;
const SHARES_BOTTOM: f64 = SHARES_TOP + SHARES;
const HEIGHT: f64 = SHARES_BOTTOM + 42.0;

/// The style of a diagram in a file of its own, on white.
const STYLE: &str = "text{font:12px DejaVu Sans,Verdana,Liberation Sans,Arial,sans-serif;\
    fill:#1f2328}.title{font-size:14px}.grid{stroke:#e1e4e8}.axis{stroke:#1f2328}\
    .ideal{stroke:#1f2328;stroke-dasharray:4 3}.k0{fill:#0072b2}.gap{fill:#d55e00}\
    .share{fill:#8c8c8c}";

/// Writes the section.
pub(super) fn section(html: &mut Html, calibration: &Calibration) {
    html.section("calibration", "Can its probabilities be trusted?");
    let error = calibration.expected_error();
    html.paragraph(format_args!(
        "Expected calibration error: {:.2} %, the mean distance between how sure the net was and \
         how often it was right, over {BINS} bins of confidence.",
        100.0 * error
    ));
    html.open("div", &[("class", &"pair")]);
    html.open("figure", &[]);
    draw(html, calibration, None);
    html.open("figcaption", &[]);
    html.text(
        "Accuracy of the answers of each confidence (bars); the dashed line is a net that is right \
         as often as it claims, orange the distance from the mean confidence. Below, the share \
         of the images in each bin.",
    );
    html.close("figcaption").close("figure");
    table(html, calibration);
    html.close("div").close("section");
}

fn table(html: &mut Html, calibration: &Calibration) {
    html.scroll("Bins of confidence");
    html.open("table", &[]);
    html.table_head(&["confidence", "images", "mean confidence", "accuracy"]);
    html.open("tbody", &[]);
    for (i, bin) in calibration.bins().iter().enumerate() {
        let edges = [i, i + 1].map(|edge| 100 * edge / BINS);
        html.open("tr", &[]);
        html.element(
            "th",
            &[("scope", &"row")],
            format_args!("{}–{} %", edges[0], edges[1]),
        );
        html.element("td", &[], count(bin.count));
        for share in [bin.confidence(), bin.accuracy()] {
            let shown = match bin.count {
                0 => "–".to_string(),
                _ => format!("{:.2}\u{a0}%", 100.0 * share),
            };
            html.element("td", &[], shown);
        }
        html.close("tr");
    }
    html.close("tbody").close("table").close("div");
}

/// The diagram as an SVG file of its own, with a title.
pub(crate) fn svg(calibration: &Calibration, title: &str) -> String {
    let mut html = Html::default();
    html.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    draw(&mut html, calibration, Some(title));
    html.finish()
}

/// Draws the diagram; with a title, which a file of its own has, it brings its colours.
fn draw(html: &mut Html, calibration: &Calibration, title: Option<&str>) {
    // A title needs room above.
    let above = if title.is_some() { 28.0 } else { 0.0 };
    let (width, height) = (WIDTH, HEIGHT + above);
    let view = format!("0 {} {width} {height}", -above);
    let error = 100.0 * calibration.expected_error();
    let label = format!("Reliability diagram, expected calibration error {error:.2} %");
    html.open(
        "svg",
        &[
            (
                if title.is_some() { "xmlns" } else { "" },
                &"http://www.w3.org/2000/svg",
            ),
            ("viewBox", &view),
            ("width", &width),
            ("height", &height),
            ("class", &"reliability"),
            ("role", &"img"),
            ("aria-label", &label),
        ],
    );
    if let Some(title) = title {
        html.raw("<style>").raw(STYLE).raw("</style>");
        html.raw(&format!(
            "<rect y=\"{}\" width=\"100%\" height=\"100%\" fill=\"white\"/>",
            -above
        ));
        let middle = format!("{}", WIDTH / 2.0);
        let at: [(&str, &dyn std::fmt::Display); 4] = [
            ("class", &"title"),
            ("x", &middle),
            ("y", &"-8"),
            ("text-anchor", &"middle"),
        ];
        html.element("text", &at, title);
    }
    legend(html);
    bars(html, calibration);
    axes(html);
    html.close("svg");
}

/// Places of shares from 0 to 1 on the axes of the upper panel.
fn across(share: f64) -> f64 {
    LEFT + SIDE * share
}

fn up(share: f64) -> f64 {
    BOTTOM - SIDE * share
}

/// Accuracy of each bin and its distance from the mean confidence; below, its share of the
/// images.
fn bars(html: &mut Html, calibration: &Calibration) {
    for tick in 0..=5 {
        let height = up(f64::from(tick) / 5.0);
        line(html, "grid", (LEFT, height), (RIGHT, height));
    }
    let total = calibration.total().max(1) as f64;
    let bins = calibration.bins();
    let width = SIDE / bins.len() as f64;
    for (i, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        let x = LEFT + i as f64 * width + 1.0;
        let (accuracy, confidence) = (bin.accuracy(), bin.confidence());
        let sides = (width - 2.0, SIDE * accuracy);
        rectangle(html, "k0", (x, up(accuracy)), sides);
        let (low, high) = (accuracy.min(confidence), accuracy.max(confidence));
        let middle = (x + width / 2.0 - 4.0, up(high));
        rectangle(html, "gap", middle, (6.0, SIDE * (high - low)));
        let share = (SHARES * bin.count as f64 / total).max(1.0);
        let corner = (x, SHARES_BOTTOM - share);
        rectangle(html, "share", corner, (width - 2.0, share));
    }
}

fn axes(html: &mut Html) {
    for tick in 0..=5 {
        let (share, percent) = (f64::from(tick) / 5.0, (20 * tick).to_string());
        text(html, (LEFT - 6.0, up(share) + 4.0), "end", &percent);
        let below = (across(share), SHARES_BOTTOM + 17.0);
        text(html, below, "middle", &percent);
    }
    line(html, "ideal", (LEFT, BOTTOM), (RIGHT, TOP));
    line(html, "axis", (LEFT, TOP), (LEFT, BOTTOM));
    line(html, "axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    text(html, (LEFT, SHARES_TOP - 8.0), "start", "Images (% of all)");
    for (y, percent) in [(SHARES_BOTTOM, "0"), (SHARES_TOP, "100")] {
        line(html, "grid", (LEFT, y), (RIGHT, y));
        text(html, (LEFT - 6.0, y + 4.0), "end", percent);
    }
    line(html, "axis", (LEFT, SHARES_BOTTOM), (RIGHT, SHARES_BOTTOM));
    let label = "Confidence: probability of the answer (%)";
    let middle = ((LEFT + RIGHT) / 2.0, SHARES_BOTTOM + 35.0);
    text(html, middle, "middle", label);
}

/// Names of the colours, above the diagram.
fn legend(html: &mut Html) {
    rectangle(html, "k0", (LEFT, 8.0), (10.0, 10.0));
    text(html, (LEFT + 15.0, 17.0), "start", "Accuracy (%)");
    rectangle(html, "gap", (LEFT + 112.0, 8.0), (10.0, 10.0));
    text(html, (LEFT + 127.0, 17.0), "start", "distance");
    line(html, "ideal", (LEFT + 196.0, 13.0), (LEFT + 216.0, 13.0));
    text(html, (LEFT + 221.0, 17.0), "start", "calibrated");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_title_axes_and_a_bar_for_each_bin_that_holds_images() {
        let mut calibration = Calibration::new(BINS);
        for (confidence, is_right) in [(0.55, true), (0.57, false), (0.99, true)] {
            calibration.add(confidence, is_right);
        }
        let svg = svg(&calibration, "a <run>");
        for text in [
            "a &lt;run&gt;",
            "Accuracy (%)",
            "Images (% of all)",
            "Confidence: probability",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        // Two bins, and the legend.
        assert_eq!(svg.matches("class=\"k0\"").count(), 3);
        assert!(svg.ends_with("</svg>"));
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        let mut html = Html::default();
        section(&mut html, &Calibration::new(BINS));
        let page = html.finish();
        assert!(!page.contains("NaN") && page.contains("0.00 %"));
    }
}
