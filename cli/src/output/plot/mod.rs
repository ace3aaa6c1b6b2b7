//! Pictures of runs: curves of losses and accuracies, and confusion matrices.
//!
//! They are drawn with kuva on white, so that they look the same on a light and on a
//! dark page. They hold neither times nor random names: equal input gives equal
//! bytes.

mod axis;
mod confusion;
mod curves;
#[cfg(test)]
mod tests;

pub(crate) use axis::nice_step;
pub(crate) use confusion::confusion_svg;
pub(crate) use curves::{LossCurves, accuracy_svg, loss_png, loss_svg};

pub(crate) const FONT: &str = "DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif";
/// Axes and text.
pub(crate) const INK: &str = "#1f2328";
const GRID: &str = "#e1e4e8";

/// Keeps kuva from reading `$…$` as a formula.
pub(crate) fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}
