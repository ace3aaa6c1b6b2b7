//! The losses of a run in progress, as lines of characters of 2×4 dots (Unicode, "Braille
//! Patterns").

use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// Lines of the curve.
const ROWS: usize = 6;

/// Columns of a terminal from which the curve is drawn, and up to which it grows.
const LEAST_COLUMNS: usize = 60;
const MOST_COLUMNS: usize = 90;

/// Lines of a terminal from which the curve is drawn: the table of epochs stays in sight.
pub(super) const LEAST_LINES: usize = 18;

/// Columns for the numbers of the axis.
const LABELS: usize = 10;

/// Places of a run at which its mean training loss is kept.
const PLACES: usize = 2 * MOST_COLUMNS;

/// The losses of a run so far.
pub(super) struct LiveCurve {
    /// Of each place the sum of the losses of its steps, and their number.
    train: Vec<(f64, usize)>,
    /// Place and validation loss of each epoch.
    val: Vec<(f64, f64)>,
}

impl LiveCurve {
    pub(super) fn new() -> Self {
        Self {
            train: vec![(0.0, 0); PLACES],
            val: vec![],
        }
    }

    /// Notes the loss of a step, at this share of the run.
    pub(super) fn step(&mut self, share: f64, loss: f64) {
        let place = ((share * PLACES as f64) as usize).min(PLACES - 1);
        self.train[place].0 += loss;
        self.train[place].1 += 1;
    }

    /// Notes the validation loss of an epoch, which ends at this share of the run.
    pub(super) fn epoch(&mut self, share: f64, loss: f64) {
        self.val.push((share, loss));
    }

    /// Draws the curve for a terminal of so many columns; nothing before there are two points,
    /// or where the terminal is too narrow.
    pub(super) fn draw(&self, columns: usize) -> String {
        if columns < LEAST_COLUMNS {
            return String::new();
        }
        let width = columns.min(MOST_COLUMNS) - LABELS - 2;
        let places = self
            .train
            .iter()
            .enumerate()
            .filter(|(_, (_, steps))| *steps > 0);
        let train = places.map(|(place, &(sum, steps))| {
            ((place as f64 + 0.5) / PLACES as f64, sum / steps as f64)
        });
        // A loss of 0 has no place on a logarithmic axis.
        let is_drawn = |&(_, loss): &(f64, f64)| loss.is_finite() && loss > 0.0;
        let train: Vec<(f64, f64)> = train.filter(is_drawn).collect();
        let val: Vec<(f64, f64)> = self.val.iter().copied().filter(is_drawn).collect();
        let losses = || train.iter().chain(&val).map(|&(_, loss)| loss);
        let (Some(low), Some(high)) = (losses().reduce(f64::min), losses().reduce(f64::max)) else {
            return String::new();
        };
        if train.len() < 2 {
            return String::new();
        }
        let mut dots = Dots::new(width);
        let (bottom, top) = (low.ln(), high.ln().max(low.ln() + 1e-6));
        let height = |loss: f64| (loss.ln() - bottom) / (top - bottom);
        dots.line(&train, &height, false);
        dots.line(&val, &height, true);
        dots.text(low, high)
    }
}

/// Dots in characters.
struct Dots {
    width: usize,
    /// Of each character the bits of its dots, and whether they are of the validation loss.
    cells: Vec<(u32, bool)>,
}

impl Dots {
    fn new(width: usize) -> Self {
        Self {
            width,
            cells: vec![(0, false); ROWS * width],
        }
    }

    /// Draws a line through points, whose places are shares of the width.
    fn line(&mut self, points: &[(f64, f64)], height: &dyn Fn(f64) -> f64, is_val: bool) {
        let (columns, rows) = ((2 * self.width - 1) as f64, (4 * ROWS - 1) as f64);
        let at = |&(share, loss): &(f64, f64)| (share * columns, (1.0 - height(loss)) * rows);
        let ends = points.iter().zip(&points[points.len().min(1)..]);
        for (from, to) in ends.map(|(from, to)| (at(from), at(to))) {
            let steps = (to.0 - from.0)
                .abs()
                .max((to.1 - from.1).abs())
                .ceil()
                .max(1.0);
            for step in 0..=steps as usize {
                let share = step as f64 / steps;
                let x = from.0 + share * (to.0 - from.0);
                let y = from.1 + share * (to.1 - from.1);
                self.dot(x.round() as usize, y.round() as usize, is_val);
            }
        }
        if let [only] = points {
            let (x, y) = at(only);
            self.dot(x.round() as usize, y.round() as usize, is_val);
        }
    }

    fn dot(&mut self, x: usize, y: usize, is_val: bool) {
        // The bit of each dot, by row and column.
        const BITS: [[u32; 2]; 4] = [[0, 3], [1, 4], [2, 5], [6, 7]];
        let (column, row) = ((x / 2).min(self.width - 1), (y / 4).min(ROWS - 1));
        let cell = &mut self.cells[row * self.width + column];
        cell.0 |= 1 << BITS[y % 4][x % 2];
        cell.1 |= is_val;
    }

    /// The lines, with the ends of the axis beside them.
    fn text(&self, low: f64, high: f64) -> String {
        let train = Style::new().fg_color(Some(AnsiColor::Blue.into()));
        let val = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        let mut text = String::new();
        for (i, row) in self.cells.chunks(self.width).enumerate() {
            let label = match i {
                0 => short(high),
                i if i + 1 == ROWS => short(low),
                _ => String::new(),
            };
            let _ = write!(text, "\n{label:>LABELS$} ");
            for (bits, is_val) in row {
                let c = char::from_u32(0x2800 + bits).unwrap_or(' ');
                let style = if *is_val { val } else { train };
                let _ = match bits {
                    0 => write!(text, " "),
                    _ => write!(text, "{style}{c}{style:#}"),
                };
            }
        }
        let _ = write!(
            text,
            "\n{:LABELS$} {train}training loss{train:#}, {val}validation loss{val:#}",
            ""
        );
        text
    }
}

/// A loss in at most nine characters.
fn short(loss: f64) -> String {
    match loss {
        loss if (1e-3..1e4).contains(&loss) => format!("{loss:.4}"),
        loss => format!("{loss:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<String> {
        let text = anstream::adapter::strip_str(text).to_string();
        text.lines().map(String::from).collect()
    }

    #[test]
    fn losses_fall_from_left_to_right() {
        let mut curve = LiveCurve::new();
        for step in 0..100 {
            curve.step(f64::from(step) / 100.0, 1.0 / f64::from(step + 1));
        }
        curve.epoch(0.5, 0.5);
        curve.epoch(1.0, 0.25);
        let lines = plain(&curve.draw(80));
        // An empty one, which ends the line of the bar, and the legend.
        assert_eq!(lines.len(), ROWS + 2);
        assert_eq!(lines[0], "");
        assert!(
            lines[1].contains("1.0000 ") && lines[ROWS].contains("0.01"),
            "{lines:?}"
        );
        let ink = |line: &str| {
            line.chars()
                .position(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
        };
        assert_eq!(ink(&lines[1]), Some(LABELS + 1));
        assert!(ink(&lines[ROWS]) > Some(LABELS + 20), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() < 80));
    }

    #[test]
    fn a_curve_of_nothing_or_for_a_narrow_terminal_is_empty() {
        let mut curve = LiveCurve::new();
        assert_eq!(curve.draw(80), "");
        for loss in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            curve.step(0.3, loss);
            curve.epoch(0.4, loss);
        }
        assert_eq!(curve.draw(80), "");
        curve.step(0.5, 1.0);
        curve.step(1.5, 1.0);
        assert_eq!(curve.draw(LEAST_COLUMNS - 1), "");
        assert_eq!(plain(&curve.draw(LEAST_COLUMNS)).len(), ROWS + 2);
    }
}
