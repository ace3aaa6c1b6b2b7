//! Charts of a page: panels with axes, one below the other, on a common horizontal axis.
//!
//! Colours and fonts are classes of the page's style sheet, so that a chart follows its light
//! or dark theme.

use super::html::Html;
use crate::output::plot::nice_step;

/// Pixels beside a panel for the numbers of its axis, and above it for its name.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const ABOVE: f64 = 22.0;
/// Pixels below the last panel for the numbers and the name of the horizontal axis.
const BELOW: f64 = 40.0;
/// Maximum number of points of a curve that are drawn.
const MAX_POINTS: usize = 600;
/// Points of a curve up to which each has a dot.
const MAX_DOTS: usize = 40;

/// A chart.
pub(super) struct Chart<'a> {
    /// Its name for screen readers, and its content in a sentence.
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) x_label: &'a str,
    /// Range of the horizontal axis.
    pub(super) x: (f64, f64),
    /// Least distance of two numbers on it.
    pub(super) x_step: f64,
    pub(super) panels: Vec<Panel<'a>>,
    /// A place on the horizontal axis to mark, and its name.
    pub(super) mark: Option<(f64, String)>,
}

/// A panel of a chart, with an axis of its own.
pub(super) struct Panel<'a> {
    /// Name and unit of its axis.
    pub(super) label: &'a str,
    /// Height in pixels, without the name.
    pub(super) height: f64,
    pub(super) scale: Scale,
    pub(super) series: Vec<Series>,
}

/// The scale of a vertical axis.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Logarithmic where the numbers span more than a decade.
    Losses,
    /// Linear, around the numbers.
    Linear,
    /// Linear, from 0 on.
    FromZero,
}

/// A curve: the class of its colour, and its points. Those that are no number leave a gap.
pub(super) struct Series {
    pub(super) class: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A vertical axis.
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl Axis {
    /// An axis for these numbers.
    fn of(numbers: impl Iterator<Item = f64>, scale: Scale, height: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for number in numbers.filter(|number| number.is_finite() && number.abs() < 1e15) {
            (low, high) = (low.min(number), high.max(number));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if scale == Scale::Losses && low > 1e-12 && high / low > 10.0 {
            return Self::logarithmic(low, high);
        }
        let from_zero = scale == Scale::FromZero;
        if from_zero {
            low = low.min(0.0);
        }
        let pad = match (high - low) * 0.06 {
            pad if pad > 0.0 => pad,
            _ => high.abs().max(0.1) * 0.05,
        };
        let low = if from_zero && low == 0.0 {
            0.0
        } else {
            low - pad
        };
        let high = high + pad;
        let step = nice_step((high - low) / (height / 38.0).max(2.0));
        let first = (low / step).ceil();
        let ticks = (0..32).map(|i| (first + f64::from(i)) * step);
        Self {
            low,
            high,
            is_log: false,
            ticks: ticks.take_while(|&tick| tick <= high).collect(),
        }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let widening = (high / low).powf(0.05);
        let (low, high) = (low / widening, high * widening);
        let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let factors: &[f64] = match decades.clone().count() {
            0..=4 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let ticks = decades.flat_map(|decade| factors.iter().map(move |f| f * 10f64.powi(decade)));
        Self {
            low,
            high,
            is_log: true,
            ticks: ticks.filter(|tick| (low..=high).contains(tick)).collect(),
        }
    }

    /// The place of a number, from 0 at the lower end to 1.
    fn share(&self, number: f64) -> f64 {
        let scale = |x: f64| if self.is_log { x.ln() } else { x };
        (scale(number) - scale(self.low)) / (scale(self.high) - scale(self.low))
    }
}

/// A number on an axis.
pub(super) fn number(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{x:.0e}"),
        _ => {
            let text = format!("{x:.4}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text == "-0" { "0" } else { text }.to_string()
        }
    }
}

impl Chart<'_> {
    /// Draws the chart in this width, in pixels.
    pub(super) fn draw(&self, html: &mut Html, width: f64, class: &str) {
        let heights = self.panels.iter().map(|panel| panel.height + ABOVE);
        let height = heights.sum::<f64>() + BELOW;
        let view = format!("0 0 {width} {height}");
        html.open(
            "svg",
            &[
                ("class", &class),
                ("viewBox", &view),
                ("width", &width),
                ("height", &height),
                ("role", &"img"),
                (
                    "aria-label",
                    &format_args!("{}. {}", self.title, self.description),
                ),
            ],
        );
        let at = |x: f64| {
            let share = (x - self.x.0) / (self.x.1 - self.x.0).max(1e-9);
            LEFT + share * (width - LEFT - RIGHT)
        };
        let mut top = 0.0;
        for panel in &self.panels {
            top += ABOVE;
            panel.draw(html, top, (LEFT, width - RIGHT), &at);
            top += panel.height;
        }
        if let Some((x, name)) = &self.mark {
            let (x, is_right) = (at(*x), at(*x) > width / 2.0);
            line(html, "mark", (x, ABOVE), (x, top));
            let (x, anchor) = if is_right {
                (x - 5.0, "end")
            } else {
                (x + 5.0, "start")
            };
            text(html, (x, ABOVE + 14.0), anchor, name);
        }
        self.draw_x_axis(html, top, width, &at);
        html.close("svg");
    }

    fn draw_x_axis(&self, html: &mut Html, top: f64, width: f64, at: &dyn Fn(f64) -> f64) {
        let (low, high) = self.x;
        let most = ((width - LEFT - RIGHT) / 56.0).max(2.0);
        let step = nice_step((high - low) / most).max(self.x_step);
        let first = (low / step).ceil();
        let ticks = (0..64).map(|i| (first + f64::from(i)) * step);
        for tick in ticks.take_while(|&tick| tick <= high + step * 1e-9) {
            line(html, "axis", (at(tick), top), (at(tick), top + 4.0));
            text(html, (at(tick), top + 17.0), "middle", &number(tick));
        }
        let middle = (LEFT + width - RIGHT) / 2.0;
        text(html, (middle, top + 34.0), "middle", self.x_label);
    }
}

impl Panel<'_> {
    fn draw(&self, html: &mut Html, top: f64, (left, right): (f64, f64), at: &dyn Fn(f64) -> f64) {
        let numbers = self.series.iter().flat_map(|series| &series.points);
        let axis = Axis::of(numbers.map(|&(_, y)| y), self.scale, self.height);
        let place = |y: f64| top + self.height * (1.0 - axis.share(y));
        text(html, (left, top - 7.0), "start", self.label);
        for &tick in &axis.ticks {
            line(html, "grid", (left, place(tick)), (right, place(tick)));
            text(html, (left - 6.0, place(tick) + 4.0), "end", &number(tick));
        }
        let bottom = top + self.height;
        line(html, "axis", (left, top), (left, bottom));
        line(html, "axis", (left, bottom), (right, bottom));
        for series in &self.series {
            series.draw(html, &|(x, y)| (at(x), place(y)));
        }
    }
}

impl Series {
    fn draw(&self, html: &mut Html, place: &dyn Fn((f64, f64)) -> (f64, f64)) {
        let step = self.points.len().div_ceil(MAX_POINTS).max(1);
        let last = self.points.len().saturating_sub(1);
        let kept = self.points.iter().enumerate();
        let kept = kept.filter(|(i, _)| i % step == 0 || *i == last);
        let kept: Vec<(f64, f64)> = kept.map(|(_, &point)| point).collect();
        for part in kept.split(|(_, y)| !(y.is_finite() && y.abs() < 1e15)) {
            let mut path = String::new();
            for &point in part {
                let (x, y) = place(point);
                path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
            }
            if part.len() > 1 {
                html.open("path", &[("class", &self.class), ("d", &path)])
                    .close("path");
            }
            if self.points.len() <= MAX_DOTS || part.len() == 1 {
                for &point in part {
                    let (x, y) = place(point);
                    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
                    let class = format!("{} dot", self.class);
                    let dot: [(&str, &dyn std::fmt::Display); 4] =
                        [("class", &class), ("cx", &x), ("cy", &y), ("r", &2.5)];
                    html.open("circle", &dot).close("circle");
                }
            }
        }
    }
}

/// A straight line.
pub(super) fn line(html: &mut Html, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ends = [from.0, from.1, to.0, to.1].map(|x| format!("{x:.1}"));
    html.open(
        "line",
        &[
            ("class", &class),
            ("x1", &ends[0]),
            ("y1", &ends[1]),
            ("x2", &ends[2]),
            ("y2", &ends[3]),
        ],
    );
    html.close("line");
}

/// A rectangle.
pub(super) fn rectangle(html: &mut Html, class: &str, (x, y): (f64, f64), sides: (f64, f64)) {
    let sizes = [x, y, sides.0.max(0.0), sides.1.max(0.0)].map(|x| format!("{x:.1}"));
    html.open(
        "rect",
        &[
            ("class", &class),
            ("x", &sizes[0]),
            ("y", &sizes[1]),
            ("width", &sizes[2]),
            ("height", &sizes[3]),
        ],
    );
    html.close("rect");
}

/// A line of text; `anchor` is start, middle or end.
pub(super) fn text(html: &mut Html, (x, y): (f64, f64), anchor: &str, content: &str) {
    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
    html.element(
        "text",
        &[("x", &x), ("y", &y), ("text-anchor", &anchor)],
        content,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_an_axis_are_short() {
        for (x, shown) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (20.0, "20"),
            (0.0004, "4e-4"),
            (98.25, "98.25"),
            (2e6, "2e6"),
        ] {
            assert_eq!(number(x), shown);
        }
    }

    #[test]
    fn every_curve_can_be_drawn() {
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::MAX,
            0.0,
            1e-300,
            -3.0,
            8e5,
            0.01,
        ];
        for first in odd {
            for second in odd {
                let series = Series {
                    class: "c0".to_string(),
                    points: vec![(1.0, first), (2.0, second), (3.0, 0.5)],
                };
                let chart = Chart {
                    title: "<title>",
                    description: "",
                    x_label: "Epoch",
                    x: (1.0, 3.0),
                    x_step: 1.0,
                    panels: vec![Panel {
                        label: "Loss",
                        height: 100.0,
                        scale: if first == 0.0 {
                            Scale::FromZero
                        } else {
                            Scale::Losses
                        },
                        series: vec![series],
                    }],
                    mark: Some((2.0, "best".to_string())),
                };
                let mut html = Html::default();
                chart.draw(&mut html, 300.0, "wide");
                let svg = html.finish();
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf"),
                    "{first} {second}: {svg}"
                );
                assert!(!svg.contains("<title>") && svg.contains("Epoch"));
            }
        }
    }
}
