//! Confusion matrices.

use super::{FONT, GRID, INK, plain};
use kuva::backend::svg::SvgBackend;
use kuva::plot::ColorMap;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

const PAPER: &str = "#ffffff";
/// Colour of counts of 0.
const QUIET: &str = "#a0a6ad";
/// Maximum number of classes with which the counts in the cells are legible.
pub(super) const MAX_NUMBERED: usize = 20;

/// Draws a confusion matrix as an SVG: rows are true classes, columns predicted ones.
///
/// `counts` is `classes × classes`, row-major. The colour is the share of a cell in its
/// row on a logarithmic scale: on a linear one only the diagonal of a good net would
/// show. Up to [`MAX_NUMBERED`] classes every cell holds its count.
///
/// # Panics
/// Panics if `counts` does not hold the square of the number of classes.
pub(crate) fn confusion_svg(title: &str, classes: &[String], counts: &[u64]) -> String {
    let n = classes.len();
    assert_eq!(counts.len(), n * n, "counts of {n} classes");
    let grid = Grid::new(title, classes, counts);
    let (side, left, top) = (grid.side, grid.left, grid.top);
    let mut scene = Scene::new(grid.width, grid.height);
    scene.font_family = Some(FONT.to_string());

    let at = (scene.width / 2.0, 32.0);
    scene.add(text(title, 18.0, INK, at, CENTRED));
    for (i, (name, row)) in classes.iter().zip(counts.chunks(n.max(1))).enumerate() {
        grid.add_row(&mut scene, i, row);
        if i % grid.name_step == 0 {
            grid.add_names(&mut scene, i, name);
        }
    }
    scene.add(rect((left, top), (side, side), Color::None, true));
    let at = (left + side / 2.0, grid.height - 14.0);
    scene.add(text("Predicted class", 14.0, INK, at, CENTRED));
    let at = (grid.indent + 24.0, top + side / 2.0);
    scene.add(text("True class", 14.0, INK, at, UPWARDS));
    add_scale(
        &mut scene,
        (left + side + 22.0, top),
        side.clamp(120.0, 320.0),
    );
    SvgBackend::new().render_scene(&scene)
}

/// Positions of the parts of a matrix, in pixels.
struct Grid {
    /// Side of a cell, and of the whole matrix.
    cell: f64,
    side: f64,
    /// Corner of the matrix.
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    /// Empty space at both sides that a long title takes.
    indent: f64,
    /// Whether cells hold their counts, and the size of the digits.
    numbered: bool,
    digits: f64,
    /// Size of the class names. Those below the matrix are slanted where they are too
    /// long to stand side by side; where a cell is narrower than a line of text, only
    /// every `name_step`-th class is named.
    names: f64,
    slanted: bool,
    name_step: usize,
}

impl Grid {
    fn new(title: &str, classes: &[String], counts: &[u64]) -> Self {
        let n = classes.len();
        let numbered = n <= MAX_NUMBERED;
        let cell = match n as f64 {
            n if numbered => (480.0 / n).clamp(30.0, 90.0),
            n => (600.0 / n).max(5.0),
        };
        let largest = counts.iter().max().copied().unwrap_or(0).to_string();
        let names = (cell * 0.75).clamp(8.0, 13.0);
        let longest = classes.iter().map(|name| text_width(name, names));
        let longest = longest.fold(0.0, f64::max).ceil();
        let slanted = longest > cell.max(names + 2.0) - 2.0;
        let hang = if slanted { longest * 0.7 } else { 0.0 };

        let (side, top, margins) = (cell * n as f64, 52.0, longest + 48.0 + 96.0);
        let indent = (text_width(title, 18.0) + 20.0 - side - margins).max(0.0);
        let indent = (indent / 2.0).ceil();
        Self {
            cell,
            side,
            left: indent + longest + 48.0,
            top,
            width: side + margins + 2.0 * indent,
            height: top + side.max(120.0) + names + hang + 50.0,
            indent,
            numbered,
            digits: (cell * 0.85 / text_width(&largest, 1.0)).min(16.0),
            names,
            slanted,
            name_step: ((names + 2.0) / cell).ceil() as usize,
        }
    }

    /// Distance of the middle of row or column `i` from the corner.
    fn middle(&self, i: usize) -> f64 {
        (i as f64 + 0.5) * self.cell
    }

    fn add_row(&self, scene: &mut Scene, i: usize, row: &[u64]) {
        let (cell, framed) = (self.cell, self.cell >= 10.0);
        let y = self.top + self.middle(i);
        let total: u64 = row.iter().sum();
        for (j, &count) in row.iter().enumerate() {
            let x = self.left + j as f64 * cell;
            let (fill, ink) = shade(count as f64 / total.max(1) as f64);
            if framed || count > 0 {
                scene.add(rect((x, y - cell / 2.0), (cell, cell), fill, framed));
            }
            if self.numbered {
                let at = (x + cell / 2.0, y + self.digits * 0.36);
                scene.add(text(&count.to_string(), self.digits, ink, at, CENTRED));
            }
        }
    }

    /// Names class `i` beside its row and below its column.
    fn add_names(&self, scene: &mut Scene, i: usize, name: &str) {
        let (size, along) = (self.names, self.middle(i));
        let at = (self.left - 8.0, self.top + along + size * 0.36);
        scene.add(text(name, size, INK, at, END));
        let at = (self.left + along, self.top + self.side + size + 6.0);
        let how = if self.slanted { SLANTED } else { CENTRED };
        scene.add(text(name, size, INK, at, how));
    }
}

/// Draws the scale of the colours, from the whole row down to a thousandth of it.
fn add_scale(scene: &mut Scene, (x, top): (f64, f64), height: f64) {
    for step in 0..64 {
        let part = f64::from(step) / 64.0;
        let (fill, _) = shade(10f64.powf(-3.0 * part));
        // Each step reaches under the next, so that no seam shows.
        let size = (14.0, height / 64.0 + if step < 63 { 0.5 } else { 0.0 });
        scene.add(rect((x, top + part * height), size, fill, false));
    }
    for (power, share) in ["100 %", "10 %", "1 %", "0.1 %"].into_iter().enumerate() {
        let at = (x + 19.0, top + power as f64 / 3.0 * height + 4.0);
        scene.add(text(share, 11.0, INK, at, START));
    }
    let at = (x + 68.0, top + height / 2.0);
    scene.add(text("Share of the true class", 11.0, INK, at, UPWARDS));
}

/// The fill of a cell by its share in the row, and the colour of the text on it.
pub(super) fn shade(share: f64) -> (Color, &'static str) {
    if share == 0.0 {
        return (Color::Rgb(255, 255, 255), QUIET);
    }
    // Three decades; the palest still differs from the white of an empty cell.
    let strength = 0.14 + 0.86 * (1.0 + share.log10() / 3.0).max(0.0);
    let (r, g, b) = ColorMap::Blues.map_rgb(strength).unwrap_or_default();
    let luma = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    let ink = if luma < 125.0 { PAPER } else { INK };
    (Color::Rgb(r, g, b), ink)
}

/// Estimates the width of a text from the mean letter of the font.
fn text_width(text: &str, size: f64) -> f64 {
    0.6 * size * text.chars().count() as f64
}

/// Placement of a text relative to its point: the anchor, and the rotation in degrees.
type Placement = (TextAnchor, Option<f64>);
const START: Placement = (TextAnchor::Start, None);
const CENTRED: Placement = (TextAnchor::Middle, None);
const END: Placement = (TextAnchor::End, None);
const UPWARDS: Placement = (TextAnchor::Middle, Some(-90.0));
const SLANTED: Placement = (TextAnchor::End, Some(-45.0));

fn text(content: &str, size: f64, ink: &str, (x, y): (f64, f64), how: Placement) -> Primitive {
    let (anchor, rotate) = how;
    Primitive::Text {
        x,
        y,
        content: plain(content),
        size: size as u32,
        anchor,
        rotate,
        bold: false,
        color: Some(ink.into()),
    }
}

fn rect((x, y): (f64, f64), (width, height): (f64, f64), fill: Color, framed: bool) -> Primitive {
    Primitive::Rect {
        x,
        y,
        width,
        height,
        fill,
        stroke: framed.then(|| GRID.into()),
        stroke_width: framed.then_some(1.0),
        opacity: None,
    }
}
