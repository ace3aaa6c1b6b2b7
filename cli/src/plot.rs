//! The pictures of a run: the curves of the loss and the confusion matrix.
//!
//! Both are drawn with kuva on white, so they read the same on a light and on a dark
//! page, and hold neither times nor random names: equal input gives equal bytes.

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::plot::scatter::MarkerShape;
use kuva::plot::{ColorMap, LegendEntry, LegendPosition, LegendShape, LinePlot, ScatterPlot};
use kuva::render::annotations::ReferenceLine;
use kuva::render::color::Color;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Primitive, Scene, TextAnchor, render_multiple};
use kuva::render::theme::Theme;

const FONT: &str = "DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif";
const INK: &str = "#1f2328";
const PAPER: &str = "#ffffff";
const QUIET: &str = "#a0a6ad";
const GRID: &str = "#e1e4e8";
/// Two colours of Okabe and Ito's palette, distinct under every common colour blindness.
const TRAIN: &str = "#0072b2";
const VAL: &str = "#d55e00";
/// That palette without its yellow, which is lost on white, and with a grey.
const COLORS: [&str; 8] = [
    "#8c8c8c", "#000000", "#e69f00", "#56b4e9", "#cc79a7", VAL, TRAIN, "#009e73",
];
/// With more classes than this the counts of a confusion matrix would not be legible.
const MOST_NUMBERED: usize = 20;

/// Bounds of a logarithmic axis: kuva clamps below the first and labels every decade,
/// for which there is no room beyond the second. A larger loss counts as infinite.
const SMALLEST: f64 = 1e-9;
const LARGEST: f64 = 1e15;
/// Height of the empty strip that kuva leaves below a legend at the bottom.
const UNDER_LEGEND: f64 = 24.0;

/// One sample per epoch of the two losses of a run.
pub(crate) struct LossCurves<'a> {
    /// Stands above the chart.
    pub(crate) title: &'a str,
    /// Names the vertical axis.
    pub(crate) y_label: &'a str,
    /// Numbers of the epochs, from 1.
    pub(crate) epochs: &'a [usize],
    /// Loss over the training set after each epoch; NaN and infinity leave a gap.
    pub(crate) train: &'a [f64],
    /// Loss over the validation set after each epoch; NaN and infinity leave a gap.
    pub(crate) val: &'a [f64],
    /// The epoch to mark; none if it is not among `epochs`.
    pub(crate) best_epoch: usize,
}

/// Draws both losses over the epochs as an SVG of 800×500.
///
/// The vertical axis is logarithmic where the losses span more than a decade: the
/// validation loss moves by hundredths while the training loss falls by tenths.
pub(crate) fn loss_svg(curves: &LossCurves) -> String {
    SvgBackend::new().render_scene(&loss_scene(curves))
}

/// Draws the chart of [`loss_svg`] as a PNG of 1280×800.
///
/// # Errors
/// Returns the encoder's message.
pub(crate) fn loss_png(curves: &LossCurves) -> Result<Vec<u8>, String> {
    kuva::RasterBackend::new()
        .with_scale(1.6)
        .render_scene(&loss_scene(curves))
}

fn loss_scene(curves: &LossCurves) -> Scene {
    let LossCurves { epochs, .. } = *curves;
    // The upper curve is the thinner one, so that equal curves both show.
    let lines = [
        (
            "Training loss",
            TRAIN,
            2.6,
            MarkerShape::Circle,
            curves.train,
        ),
        ("Validation loss", VAL, 2.0, MarkerShape::Square, curves.val),
    ]
    .map(|(label, color, width, marker, losses)| Line {
        label,
        color,
        width,
        marker,
        segments: samples(epochs, losses),
    });
    let losses = || lines.iter().flat_map(|line| line.segments.iter().flatten());
    let losses = || losses().map(|&(_, loss)| loss);
    let low = losses().reduce(f64::min).unwrap_or(0.0);
    let high = losses().reduce(f64::max).unwrap_or(1.0);
    let layout = loss_axis(low, high)
        .with_title(plain(curves.title))
        .with_y_label(plain(curves.y_label));
    let best = Some(curves.best_epoch).filter(|best| epochs.contains(best));
    scene(&lines, epochs, layout, best)
}

/// One curve of a chart.
struct Line<'a> {
    label: &'a str,
    color: &'static str,
    width: f64,
    marker: MarkerShape,
    /// The samples, with gaps between the segments.
    segments: Vec<Vec<(f64, f64)>>,
}

/// Draws curves over epochs, below them a legend, and a mark at the best epoch
/// if there is one. `layout` has the vertical axis and the title.
fn scene(lines: &[Line<'_>], epochs: &[usize], layout: Layout, best: Option<usize>) -> Scene {
    // Without a plot, as before the first epoch, kuva would draw no axes.
    let mut plots: Vec<Plot> = vec![LinePlot::new().into()];
    // Dots show single epochs as long as they don't hide the curve.
    let dots = epochs.len() <= 40;
    for &Line {
        color,
        width,
        marker,
        ref segments,
        ..
    } in lines
    {
        for segment in segments {
            let line = LinePlot::new().with_data(segment.iter().copied());
            plots.push(line.with_color(color).with_stroke_width(width).into());
            if dots || segment.len() == 1 {
                let points = ScatterPlot::new().with_data(segment.iter().copied());
                let points = points.with_color(color).with_size(3.2);
                plots.push(points.with_marker(marker).into());
            }
        }
    }

    let number = |epoch: Option<&usize>| epoch.map_or(1.0, |&epoch| epoch as f64);
    let first = number(epochs.iter().min());
    let last = number(epochs.iter().max());
    let margin = ((last - first) * 0.02).max(0.04);
    let entry = |label: String, color: &str, dashes: Option<&str>| LegendEntry {
        label,
        color: color.to_string(),
        shape: LegendShape::Line,
        dasharray: dashes.map(str::to_string),
    };
    let legend = lines.iter();
    let mut legend: Vec<_> = legend
        .map(|line| entry(line.label.to_string(), line.color, None))
        .collect();
    let mut layout = layout;
    if let Some(best) = best {
        legend.push(entry(format!("Best: epoch {best}"), INK, Some("4 3")));
        let line = ReferenceLine::vertical(best as f64).with_color(INK);
        layout = layout.with_reference_line(line.with_stroke_width(1.4).with_dasharray("4 3"));
    }
    let layout = layout
        .with_width(800.0)
        .with_height(500.0 + UNDER_LEGEND)
        .with_x_label("Epoch")
        .with_title_size(18)
        .with_label_size(14)
        .with_tick_size(12)
        .with_body_size(13)
        .with_font_family(FONT)
        .with_theme(Theme {
            axis_color: INK.into(),
            tick_color: INK.into(),
            text_color: INK.into(),
            grid_color: GRID.into(),
            ..Theme::light()
        })
        .with_legend_position(LegendPosition::OutsideBottomColumns)
        .with_legend_col_limit(3)
        .with_legend_box(false)
        // Within 1 of the first, or the axis would show an epoch 0.
        .with_x_axis_min(first - margin.min(0.9))
        .with_x_axis_max(last + margin)
        .with_x_tick_step(nice_step((last - first) / 10.0).max(1.0))
        .with_x_tick_format(TickFormat::Integer)
        .with_legend_entries(legend);

    let mut scene = render_multiple(plots, layout);
    scene.height -= UNDER_LEGEND;
    // kuva numbers its clip paths over the life of the process; nothing here leaves the
    // frame, so without them the same run gives the same bytes.
    scene.defs.clear();
    let clips = |e: &Primitive| matches!(e, Primitive::ClipStart { .. } | Primitive::ClipEnd);
    scene.elements.retain(|e| !clips(e));
    scene
}

/// Draws how the accuracy of several runs rises, from 0 to 100 %, as an SVG of 800×500:
/// for each run its name and its accuracy after each epoch, from 0 to 1.
pub(crate) fn accuracy_svg(title: &str, runs: &[(&str, Vec<f64>)]) -> String {
    let longest = runs.iter().map(|(_, run)| run.len()).max().unwrap_or(0);
    let epochs: Vec<usize> = (1..=longest).collect();
    let lines = runs.iter().zip(COLORS.iter().cycle());
    let lines = lines.map(|((label, run), color)| Line {
        label,
        color,
        width: 2.2,
        marker: MarkerShape::Circle,
        segments: samples(&epochs, &run.iter().map(|x| 100.0 * x).collect::<Vec<_>>()),
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let layout = Layout::new((0.0, 1.0), (0.0, 100.0))
        .with_y_axis_min(0.0)
        .with_y_axis_max(100.0)
        .with_y_tick_step(10.0)
        .with_y_tick_format(TickFormat::Integer)
        .with_title(plain(title))
        .with_y_label("Validation accuracy (%)");
    SvgBackend::new().render_scene(&scene(&lines, &epochs, layout, None))
}

/// Sets up the vertical axis for losses from `low` to `high`.
///
/// The range is widened by a twentieth at both ends, on a logarithmic axis by that share
/// of its logarithm.
fn loss_axis(low: f64, high: f64) -> Layout {
    let layout = |low, high| {
        let layout = Layout::new((0.0, 1.0), (low, high));
        layout.with_y_axis_min(low).with_y_axis_max(high)
    };
    if low > SMALLEST && high / low > 10.0 {
        let factor = (high / low).powf(0.05);
        let (low, high) = (low / factor, high * factor);
        // Over more decades kuva labels powers of ten alone, and leaves room for 1e-3 but
        // not for 0.001.
        let wide = high.log10().ceil() - low.log10().floor() > 3.0;
        let decimals = if wide { 2 } else { 4 };
        let format = move |v: f64| match (-(v.log10() + 1e-9).floor()) as i32 {
            digits if digits > decimals || digits < -6 => format!("{v:.0e}"),
            digits => format!("{v:.*}", digits.max(0) as usize),
        };
        let format = TickFormat::Custom(Arc::new(format));
        return layout(low, high).with_log_y().with_y_tick_format(format);
    }
    let pad = match (high - low) * 0.05 {
        0.0 if low == 0.0 => 0.5,
        0.0 => low.abs() * 0.05,
        pad => pad,
    };
    let step = nice_step((high - low + 2.0 * pad) / 7.0);
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    layout(low - pad, high + pad)
        .with_y_tick_step(step)
        .with_y_tick_format(TickFormat::Fixed(decimals))
}

/// Splits a curve at the samples that cannot be drawn, so that a gap stays a gap.
fn samples(epochs: &[usize], losses: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<_> = epochs
        .iter()
        .zip(losses)
        .map(|(&epoch, &loss)| (epoch as f64, loss))
        .collect();
    points
        .split(|(_, loss)| loss.is_nan() || loss.abs() > LARGEST)
        .filter(|segment| !segment.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

/// Rounds a distance between ticks up to 1, 2 or 5 times a power of ten.
fn nice_step(distance: f64) -> f64 {
    let power = 10f64.powf(distance.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= distance);
    factor.unwrap_or(10.0) * power
}

/// Keeps kuva from reading `$…$` as a formula.
fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}

/// Draws a confusion matrix as an SVG: rows are true classes, columns predicted ones.
///
/// `counts` is `classes × classes`, row-major. The colour is the share of a cell in its
/// row on a logarithmic scale: on a linear one the diagonal of a good network would be
/// all that shows. Up to [`MOST_NUMBERED`] classes every cell holds its count.
///
/// # Panics
/// Panics if `counts` does not hold the square of the number of classes.
pub(crate) fn confusion_svg(title: &str, classes: &[String], counts: &[u64]) -> String {
    let n = classes.len();
    assert_eq!(counts.len(), n * n, "counts of {n} classes");
    let numbered = n <= MOST_NUMBERED;
    let cell = match n as f64 {
        n if numbered => (480.0 / n).clamp(30.0, 90.0),
        n => (600.0 / n).max(5.0),
    };
    let framed = cell >= 10.0;
    let largest = counts.iter().max().copied().unwrap_or(0).to_string();
    let digits = (cell * 0.85 / text_width(&largest, 1.0)).min(16.0);
    let names = (cell * 0.75).clamp(8.0, 13.0);
    let longest = classes.iter().map(|name| text_width(name, names));
    let longest = longest.fold(0.0, f64::max).ceil();
    // Names too long to stand side by side hang down aslant; where a cell is narrower than
    // a line of text, only every second or third class is named.
    let aslant = longest > cell.max(names + 2.0) - 2.0;
    let hang = if aslant { longest * 0.7 } else { 0.0 };
    let every = ((names + 2.0) / cell).ceil() as usize;

    let (side, top, margins) = (cell * n as f64, 52.0, longest + 48.0 + 96.0);
    let room = (text_width(title, 18.0) + 20.0 - side - margins).max(0.0);
    let room = (room / 2.0).ceil();
    let left = room + longest + 48.0;
    let height = top + side.max(120.0) + names + hang + 50.0;
    let mut scene = Scene::new(side + margins + 2.0 * room, height);
    scene.font_family = Some(FONT.to_string());

    let at = (scene.width / 2.0, 32.0);
    scene.add(text(title, 18.0, INK, at, CENTRED));
    for (i, (name, row)) in classes.iter().zip(counts.chunks(n.max(1))).enumerate() {
        let along = (i as f64 + 0.5) * cell;
        let y = top + along;
        let total: u64 = row.iter().sum();
        for (j, &count) in row.iter().enumerate() {
            let x = left + j as f64 * cell;
            let (fill, ink) = shade(count as f64 / total.max(1) as f64);
            if framed || count > 0 {
                scene.add(rect((x, y - cell / 2.0), (cell, cell), fill, framed));
            }
            if numbered {
                let at = (x + cell / 2.0, y + digits * 0.36);
                scene.add(text(&count.to_string(), digits, ink, at, CENTRED));
            }
        }
        if i % every == 0 {
            let at = (left - 8.0, y + names * 0.36);
            scene.add(text(name, names, INK, at, END));
            let at = (left + along, top + side + names + 6.0);
            let how = if aslant { ASLANT } else { CENTRED };
            scene.add(text(name, names, INK, at, how));
        }
    }
    scene.add(rect((left, top), (side, side), Color::None, true));
    let at = (left + side / 2.0, height - 14.0);
    scene.add(text("Predicted class", 14.0, INK, at, CENTRED));
    let at = (room + 24.0, top + side / 2.0);
    scene.add(text("True class", 14.0, INK, at, UPWARDS));
    add_scale(
        &mut scene,
        (left + side + 22.0, top),
        side.clamp(120.0, 320.0),
    );
    SvgBackend::new().render_scene(&scene)
}

/// Draws what the colours mean, from the whole row down to a thousandth of it (and less).
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

/// Gives the fill of a cell by its share in the row, and the colour of text upon it.
fn shade(share: f64) -> (Color, &'static str) {
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

/// How a text lies about its point: the anchor, and the turn in degrees.
type Stance = (TextAnchor, Option<f64>);
const START: Stance = (TextAnchor::Start, None);
const CENTRED: Stance = (TextAnchor::Middle, None);
const END: Stance = (TextAnchor::End, None);
const UPWARDS: Stance = (TextAnchor::Middle, Some(-90.0));
const ASLANT: Stance = (TextAnchor::End, Some(-45.0));

fn text(content: &str, size: f64, ink: &str, (x, y): (f64, f64), how: Stance) -> Primitive {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chart<T>(train: &[f64], val: &[f64], draw: fn(&LossCurves) -> T) -> T {
        let epochs: Vec<usize> = (1..=train.len()).collect();
        draw(&LossCurves {
            title: "a <&> b",
            y_label: "Loss",
            epochs: &epochs,
            train,
            val,
            best_epoch: 2,
        })
    }

    /// The classes "c0", "c1", … and counts that all differ.
    fn matrix(n: usize) -> (Vec<String>, Vec<u64>) {
        let counts = (0..n * n).map(|i| 1000 + i as u64);
        ((0..n).map(|i| format!("c{i}")).collect(), counts.collect())
    }

    #[test]
    fn chart_holds_both_curves_and_all_labels() {
        let svg = chart(&[0.6, 0.1, 0.01], &[0.25, 0.07, 0.08], loss_svg);
        for curve in [
            r##"stroke="#0072b2" stroke-width="2.6" fill="none""##,
            r##"stroke="#d55e00" stroke-width="2" fill="none""##,
        ] {
            assert_eq!(svg.matches(curve).count(), 1, "{svg}");
        }
        for label in [
            "Training loss",
            "Validation loss",
            "Best: epoch 2",
            "Epoch",
            "Loss",
            "a &lt;&amp;&gt; b",
        ] {
            assert!(svg.contains(&format!(">{label}</text>")), "{label}: {svg}");
        }
        assert!(svg.contains(r#"<rect width="100%" height="100%" fill="white""#));
        assert!(svg.contains(r#"width="800" height="500""#));
    }

    #[test]
    fn same_curves_give_same_bytes() {
        let (train, val) = ([0.6, 0.1], [0.25, 0.07]);
        assert_eq!(chart(&train, &val, loss_svg), chart(&train, &val, loss_svg));
        assert_eq!(chart(&train, &val, loss_png), chart(&train, &val, loss_png));
        let (classes, counts) = matrix(3);
        let draw = || confusion_svg("t", &classes, &counts);
        assert_eq!(draw(), draw());
    }

    #[test]
    fn every_run_can_be_drawn() {
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::MAX,
            0.0,
            1e-300,
            8e5,
            8e5_f64.next_up(),
        ];
        for train in odd {
            for val in odd {
                for svg in [
                    chart(&[train], &[val], loss_svg),
                    chart(&[train, 0.5, val], &[val, train, 0.01], loss_svg),
                ] {
                    assert!(svg.ends_with("</svg>"));
                    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                }
            }
        }
        for epochs in [0, 1, 2, 20, 200, 1000] {
            let falling: Vec<f64> = (0..epochs).map(|i| 1.0 / (1.0 + i as f64)).collect();
            let svg = chart(&falling, &falling, loss_svg);
            assert!(svg.contains(">Epoch</text>"));
            assert!(!svg.contains(">0</text>"), "there is no epoch 0");
        }
    }

    #[test]
    fn ticks_tell_values_apart() {
        let svg = chart(&[2.3033, 2.2917], &[2.3031, 2.2920], loss_svg);
        for tick in ["2.292", "2.294", "2.302"] {
            assert!(svg.contains(&format!(">{tick}</text>")), "{tick}: {svg}");
        }
        let svg = chart(&[798_289.0, 797_869.0], &[798_000.0, 797_900.0], loss_svg);
        assert!(svg.contains(">797900</text>"), "{svg}");
        let svg = chart(&[0.6, 0.01], &[0.25, 0.07], loss_svg);
        for tick in ["0.5", "0.2", "0.1", "0.05", "0.02", "0.01"] {
            assert!(svg.contains(&format!(">{tick}</text>")), "{tick}: {svg}");
        }
    }

    #[test]
    fn nice_steps_are_1_2_or_5_times_a_power_of_ten() {
        for (distance, step) in [
            (0.7, 1.0),
            (1.0, 1.0),
            (1.9, 2.0),
            (30.0, 50.0),
            (0.06, 0.1),
        ] {
            let found = nice_step(distance);
            assert!((found / step - 1.0).abs() < 1e-12, "{distance}: {found}");
        }
    }

    #[test]
    fn png_is_the_chart_in_1280_by_800() {
        let png = chart(&[0.6, 0.1], &[0.25, 0.07], loss_png).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(png[16..20], 1280u32.to_be_bytes());
        assert_eq!(png[20..24], 800u32.to_be_bytes());
    }

    #[test]
    fn confusion_holds_every_count_and_class() {
        for n in [1, 2, 10, MOST_NUMBERED] {
            let (classes, counts) = matrix(n);
            let svg = confusion_svg("<&> $x$", &classes, &counts);
            for count in &counts {
                assert_eq!(svg.matches(&format!(">{count}</text>")).count(), 1);
            }
            for class in &classes {
                assert_eq!(svg.matches(&format!(">{class}</text>")).count(), 2);
            }
            for label in ["True class", "Predicted class", "&lt;&amp;&gt; $x$"] {
                assert!(svg.contains(&format!(">{label}</text>")), "{label}");
            }
        }
    }

    #[test]
    fn confusion_of_many_classes_has_cells_but_no_counts() {
        for n in [0, 47, 256] {
            let (classes, counts) = matrix(n);
            let svg = confusion_svg("many", &classes, &counts);
            assert!(svg.matches("<rect").count() > n * n);
            assert!(!svg.contains(">1000</text>"));
        }
    }

    #[test]
    fn rare_errors_show_and_text_stands_out() {
        let rgb = |share| match shade(share) {
            (Color::Rgb(r, g, b), _) => [r, g, b],
            _ => unreachable!("cells are filled"),
        };
        assert_eq!(rgb(0.0), [255; 3]);
        assert!(rgb(1e-9)[0] < 240);
        // Darker with every decade.
        assert!(rgb(0.001)[0] > rgb(0.01)[0] && rgb(0.01)[0] > rgb(0.1)[0]);
        assert_eq!((shade(0.01).1, shade(0.98).1), (INK, PAPER));
    }

    #[test]
    #[should_panic(expected = "counts of 2 classes")]
    fn confusion_of_the_wrong_size_panics() {
        let (classes, counts) = matrix(2);
        confusion_svg("t", &classes, &counts[1..]);
    }
}
