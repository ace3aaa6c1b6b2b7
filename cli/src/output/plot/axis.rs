//! Ranges and ticks of the axes.

use kuva::render::layout::{Layout, TickFormat};
use std::sync::Arc;

/// Bounds of a logarithmic axis: kuva clamps values below the first and labels every
/// decade, for which there is no room beyond the second. A larger loss is not drawn.
const SMALLEST: f64 = 1e-9;
const LARGEST: f64 = 1e15;

/// The vertical axis for losses from `low` to `high`.
///
/// The range is widened by a twentieth at both ends, on a logarithmic axis by a twentieth
/// of its logarithm.
pub(super) fn loss_axis(low: f64, high: f64) -> Layout {
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

/// The samples of a curve in segments: it is split where a sample cannot be drawn, so
/// that a gap stays a gap.
pub(super) fn samples(epochs: &[usize], losses: &[f64]) -> Vec<Vec<(f64, f64)>> {
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
pub(crate) fn nice_step(distance: f64) -> f64 {
    let power = 10f64.powf(distance.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= distance);
    factor.unwrap_or(10.0) * power
}
