//! Lines of ruled and squared paper, and of frames and boxes.

use super::colours::transposed;
use std::ops::Range;

/// Maximum thickness of a line, as a share of the shorter side of the picture.
const THIN: f32 = 1.0 / 50.0;

/// Maximum slope of a line, as a share of the width.
const SLOPE: f32 = 0.05;

/// Minimum share of the width that a line covers.
const LONG: f32 = 0.5;

/// Minimum share of the outermost eighths of the width that a line covers.
const TO_THE_ENDS: f32 = 0.4;

/// The pixels of long thin lines, level and upright, that go through the whole picture.
pub(super) fn through(mask: &[bool], rows: usize, columns: usize) -> Vec<usize> {
    let thin = ((rows.min(columns) as f32 * THIN) as usize).max(2);
    let mut pixels = horizontal(mask, rows, columns, thin);
    let upright = horizontal(&transposed(mask, rows, columns), columns, rows, thin);
    pixels.extend(upright.into_iter().map(|k| k % rows * columns + k / rows));
    pixels
}

/// The pixels of long thin horizontal lines that go through the whole picture.
///
/// Every thin vertical run of ink votes for the lines of each slope that its middle lies on.
/// Strokes that cross a line stay: their runs are longer.
fn horizontal(mask: &[bool], rows: usize, columns: usize, thin: usize) -> Vec<usize> {
    let runs = thin_runs(mask, rows, columns, thin);
    let most = (columns as f32 * SLOPE) as usize;
    let margin = most + 1;
    // The line of slope `s` through a run, at the left border.
    let start = |s: usize, run: &Run| {
        let rise = (s as f32 - most as f32) * run.column as f32 / columns as f32;
        (run.middle + margin as f32 - rise).round() as usize
    };
    let mut best = (0_u64, 0);
    for s in 0..=2 * most {
        let mut votes = vec![0_u64; rows + 2 * margin + 1];
        runs.iter().for_each(|run| votes[start(s, run)] += 1);
        let sharpness = votes
            .windows(2)
            .map(|pair| (pair[0] + pair[1]).pow(2))
            .sum();
        best = best.max((sharpness, s));
    }
    let slope = best.1;
    let mut votes = vec![[0.0_f32; 3]; rows + 2 * margin + 1];
    for run in &runs {
        let at = &mut votes[start(slope, run)];
        at[0] += 1.0;
        at[1] += f32::from(u8::from(run.column < columns / 8));
        at[2] += f32::from(u8::from(run.column >= columns - columns / 8));
    }
    let wide = columns as f32;
    let is_line: Vec<bool> = votes
        .windows(2)
        .map(|pair| {
            let [all, left, right] = [0, 1, 2].map(|i| pair[0][i] + pair[1][i]);
            let ends = TO_THE_ENDS * (columns / 8) as f32;
            all >= LONG * wide && left >= ends && right >= ends
        })
        .collect();
    let on_line = |run: &&Run| {
        let at = start(slope, run);
        is_line[at.saturating_sub(2)..=(at + 1).min(is_line.len() - 1)].contains(&true)
    };
    let pixels = |run: &Run| {
        (run.rows.clone()).map({
            let j = run.column;
            move |i| i * columns + j
        })
    };
    runs.iter().filter(on_line).flat_map(pixels).collect()
}

/// Ink above one another in a column.
struct Run {
    column: usize,
    rows: Range<usize>,
    middle: f32,
}

/// The vertical runs that are at most `thin` pixels long.
fn thin_runs(mask: &[bool], rows: usize, columns: usize, thin: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    for column in 0..columns {
        let mut top = 0;
        for i in 0..=rows {
            if i == rows || !mask[i * columns + column] {
                if (1..=thin).contains(&(i - top)) {
                    let middle = (top + i - 1) as f32 / 2.0;
                    runs.push(Run {
                        column,
                        rows: top..i,
                        middle,
                    });
                }
                top = i + 1;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 90;
    const COLUMNS: usize = 120;

    /// The ink that is left of a picture without its lines.
    fn left(is_ink: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
        let place = |k: usize| (k / COLUMNS, k % COLUMNS);
        let mut mask: Vec<bool> = (0..ROWS * COLUMNS)
            .map(|k| is_ink(place(k).0, place(k).1))
            .collect();
        through(&mask, ROWS, COLUMNS)
            .iter()
            .for_each(|&k| mask[k] = false);
        (0..mask.len()).filter(|&k| mask[k]).map(place).collect()
    }

    #[test]
    fn a_stroke_that_crosses_lines_stays() {
        let is_stroke = |i: usize, j: usize| (20..70).contains(&i) && (50..58).contains(&j);
        // Level and upright ones, and those that rise.
        let level = left(|i, j| is_stroke(i, j) || i % 30 == 9);
        let slanted = left(|i, j| is_stroke(i, j) || (i + j / 40) % 30 == 9);
        for left in [level, slanted] {
            assert!((20..70).all(|i| (50..58).all(|j| left.contains(&(i, j)))));
            assert_eq!(left.len(), 50 * 8);
        }
        let upright = left(|i, j| is_stroke(i, j) || j % 30 == 9);
        assert_eq!(upright.len(), 50 * 8);
    }

    #[test]
    fn lines_that_end_in_the_picture_stay() {
        let short = |i: usize, j: usize| i == 40 && (30..COLUMNS).contains(&j);
        assert_eq!(left(short).len(), COLUMNS - 30);
        let thick = |i: usize, _| (40..48).contains(&i);
        assert_eq!(left(thick).len(), 8 * COLUMNS);
    }
}
