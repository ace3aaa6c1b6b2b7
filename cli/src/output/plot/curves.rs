//! Curves over epochs: losses and accuracies.

use super::axis::{loss_axis, nice_step, samples};
use super::{FONT, GRID, INK, plain};
use kuva::backend::svg::SvgBackend;
use kuva::plot::scatter::MarkerShape;
use kuva::plot::{LegendEntry, LegendPosition, LegendShape, LinePlot, ScatterPlot};
use kuva::render::annotations::ReferenceLine;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Primitive, Scene, render_multiple};
use kuva::render::theme::Theme;

/// Two colours of Okabe and Ito's palette, distinct under every common colour blindness.
const TRAIN: &str = "#0072b2";
const VAL: &str = "#d55e00";
/// Okabe and Ito's palette without its yellow, which is too pale on white, and with a grey.
const COLORS: [&str; 8] = [
    "#8c8c8c", "#000000", "#e69f00", "#56b4e9", "#cc79a7", VAL, TRAIN, "#009e73",
];
/// Height of the empty strip that kuva leaves below a legend at the bottom.
const UNDER_LEGEND: f64 = 24.0;

/// The two losses of a run, one sample per epoch.
pub(crate) struct LossCurves<'a> {
    /// Title above the chart.
    pub(crate) title: &'a str,
    /// Label of the vertical axis.
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
    // The curve drawn last is thinner, so that both show where they are equal.
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
    let number = |epoch: Option<&usize>| epoch.map_or(1.0, |&epoch| epoch as f64);
    let first = number(epochs.iter().min());
    let last = number(epochs.iter().max());
    let margin = ((last - first) * 0.02).max(0.04);
    let mut layout = styled(layout)
        .with_x_label("Epoch")
        // Within 1 of the first, or the axis would show an epoch 0.
        .with_x_axis_min(first - margin.min(0.9))
        .with_x_axis_max(last + margin)
        .with_x_tick_step(nice_step((last - first) / 10.0).max(1.0))
        .with_x_tick_format(TickFormat::Integer)
        .with_legend_entries(legend(lines, best));
    if let Some(best) = best {
        let line = ReferenceLine::vertical(best as f64).with_color(INK);
        layout = layout.with_reference_line(line.with_stroke_width(1.4).with_dasharray("4 3"));
    }

    let mut scene = render_multiple(plots(lines, epochs.len()), layout);
    scene.height -= UNDER_LEGEND;
    // kuva numbers its clip paths over the life of the process; nothing here leaves the
    // frame, so without them the same run gives the same bytes.
    scene.defs.clear();
    let clips = |e: &Primitive| matches!(e, Primitive::ClipStart { .. } | Primitive::ClipEnd);
    scene.elements.retain(|e| !clips(e));
    scene
}

/// The curves as kuva draws them.
fn plots(lines: &[Line<'_>], epochs: usize) -> Vec<Plot> {
    // Without a plot, as before the first epoch, kuva would draw no axes.
    let mut plots: Vec<Plot> = vec![LinePlot::new().into()];
    // Dots show single epochs as long as they don't hide the curve.
    let dots = epochs <= 40;
    for line in lines {
        for segment in &line.segments {
            let curve = LinePlot::new().with_data(segment.iter().copied());
            let curve = curve.with_color(line.color);
            plots.push(curve.with_stroke_width(line.width).into());
            if dots || segment.len() == 1 {
                let points = ScatterPlot::new().with_data(segment.iter().copied());
                let points = points.with_color(line.color).with_size(3.2);
                plots.push(points.with_marker(line.marker).into());
            }
        }
    }
    plots
}

/// An entry for each curve, and one for the best epoch.
fn legend(lines: &[Line<'_>], best: Option<usize>) -> Vec<LegendEntry> {
    let entry = |label: String, color: &str, dashes: Option<&str>| LegendEntry {
        label,
        color: color.to_string(),
        shape: LegendShape::Line,
        dasharray: dashes.map(str::to_string),
    };
    let curves = lines.iter();
    let curves = curves.map(|line| entry(line.label.to_string(), line.color, None));
    let best = best.map(|best| entry(format!("Best: epoch {best}"), INK, Some("4 3")));
    curves.chain(best).collect()
}

/// Sizes, font and colours of a chart.
fn styled(layout: Layout) -> Layout {
    layout
        .with_width(800.0)
        .with_height(500.0 + UNDER_LEGEND)
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
}

/// Draws the accuracy of several runs over the epochs as an SVG of 800×500. Each run has a
/// name and its accuracy after each epoch, from 0 to 1.
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
