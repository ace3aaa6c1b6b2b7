//! Which ink of a picture is a digit: lines of the paper, frames and specks are not, and two
//! digits are told apart.

use super::fit::Ink;
use super::ground::noise;
use super::lines;
use std::ops::Range;

/// Minimum ink that stands out, as a share of the full range.
const FAINT: f32 = 1.0 / 16.0;

/// Minimum ink that stands out from noise, as a multiple of the median distance of the ground
/// from its median: six standard deviations of normal noise, which none of 10⁶ pixels exceeds.
const NOISE: f32 = 9.0;

/// Minimum ink of a digit, as a share of its strongest ink: what is left of shadows is weaker.
const SOLID: f32 = 0.4;

/// Minimum share of both sides of the picture that a frame covers.
const FRAME: f32 = 0.8;

/// Minimum width of a line below or above a digit, as a multiple of its height.
const FLAT: usize = 8;

/// The message about ink that is two digits.
pub(crate) const TWO: &str = "it has ink as wide as two digits: leave a gap between them";

/// The ink of a digit.
pub(super) struct Digit {
    pub(super) ink: Ink,
    /// The probability that a class must have: with a lower one it may be two digits that touch.
    pub(super) least_probability: f32,
}

/// A connected part of the ink.
#[derive(Clone)]
struct Part {
    pixels: Vec<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
    /// The sum of the squares of its ink.
    weight: f32,
}

impl Part {
    /// Both parts as one.
    fn joined(mut self, other: Self) -> Self {
        self.pixels.extend(other.pixels);
        self.rows = self.rows.start.min(other.rows.start)..self.rows.end.max(other.rows.end);
        self.columns =
            self.columns.start.min(other.columns.start)..self.columns.end.max(other.columns.end);
        self.weight += other.weight;
        self
    }
}

/// The digits in a picture, from left to right; all ink as one if `is_one` says so.
///
/// # Errors
/// No ink that stands out, and ink that is no row of digits.
pub(super) fn digits(mut picture: Ink, is_one: bool) -> Result<Vec<Digit>, String> {
    let (middle, spread) = noise(&picture.ink);
    picture.ink.iter_mut().for_each(|x| *x -= middle);
    let low = FAINT.max(NOISE * spread);
    let parts = solid_parts(&mut picture, low);
    let strong = strong_of_heaviest(&picture, &parts);
    let none = || "no ink stands out from the background".to_string();
    let strong = strong.ok_or_else(none)?;
    let parts = solid_parts(&mut picture, low.max(SOLID * strong));
    let groups = grouped(parts, is_one)?;
    if groups.is_empty() {
        return Err(none());
    }
    let digit = |group: &Part| Digit {
        ink: cut_out(&picture, group),
        least_probability: match is_one {
            true => 0.0,
            false => least_probability(group, picture.columns),
        },
    };
    Ok(groups.iter().map(digit).collect())
}

/// The ink of the heaviest part that only a tenth of its pixels exceed.
fn strong_of_heaviest(picture: &Ink, parts: &[Part]) -> Option<f32> {
    let heaviest = parts.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
    Some(upper(picture, heaviest, 10))
}

/// The ink that one of `parts` of the pixels of a part exceeds.
fn upper(picture: &Ink, part: &Part, parts: usize) -> f32 {
    let mut ink: Vec<f32> = part.pixels.iter().map(|&k| picture.ink[k]).collect();
    let at = (ink.len() - 1).saturating_sub(ink.len() / parts);
    *ink.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The parts above a threshold, without long lines, whose ink is removed, and without what
/// lies along the border.
fn solid_parts(picture: &mut Ink, threshold: f32) -> Vec<Part> {
    let (rows, columns) = (picture.rows, picture.columns);
    let mut mask: Vec<bool> = picture.ink.iter().map(|&x| x > threshold).collect();
    for k in lines::through(&mask, rows, columns) {
        mask[k] = false;
        picture.ink[k] = 0.0;
    }
    let mut parts = connected(&mask, picture);
    parts.retain(|part| !is_frame(part, rows, columns));
    drop_outermost(&mut parts, rows, columns);
    parts
}

/// The connected parts, corners included.
fn connected(mask: &[bool], picture: &Ink) -> Vec<Part> {
    let (rows, columns) = (picture.rows, picture.columns);
    let mut left = mask.to_vec();
    let mut parts = Vec::new();
    for seed in 0..mask.len() {
        if !left[seed] {
            continue;
        }
        left[seed] = false;
        let mut part = Part {
            pixels: vec![seed],
            rows: seed / columns..seed / columns + 1,
            columns: seed % columns..seed % columns + 1,
            weight: 0.0,
        };
        let mut at = 0;
        while let Some(&k) = part.pixels.get(at) {
            at += 1;
            let (i, j) = (k / columns, k % columns);
            part.rows = part.rows.start.min(i)..part.rows.end.max(i + 1);
            part.columns = part.columns.start.min(j)..part.columns.end.max(j + 1);
            part.weight += picture.ink[k].powi(2);
            for y in i.saturating_sub(1)..(i + 2).min(rows) {
                for x in j.saturating_sub(1)..(j + 2).min(columns) {
                    if std::mem::take(&mut left[y * columns + x]) {
                        part.pixels.push(y * columns + x);
                    }
                }
            }
        }
        parts.push(part);
    }
    parts
}

/// Whether a part is a frame around the picture: it has ink along three of its four sides.
fn is_frame(part: &Part, rows: usize, columns: usize) -> bool {
    let (high, wide) = (part.rows.len(), part.columns.len());
    let least = |side: usize| FRAME * side as f32;
    if (high as f32) < least(rows) || (wide as f32) < least(columns) {
        return false;
    }
    let band = (rows.min(columns) / 16).max(1);
    let mut sides = [
        vec![false; wide],
        vec![false; wide],
        vec![false; high],
        vec![false; high],
    ];
    for &k in &part.pixels {
        let (i, j) = (
            k / columns - part.rows.start,
            k % columns - part.columns.start,
        );
        sides[0][j] |= i < band;
        sides[1][j] |= i + band >= high;
        sides[2][i] |= j < band;
        sides[3][i] |= j + band >= wide;
    }
    let is_covered = |side: &&Vec<bool>| {
        let covered = side.iter().filter(|&&x| x).count();
        covered as f32 >= 0.85 * side.len() as f32
    };
    sides.iter().filter(is_covered).count() >= 3
}

/// Leaves out what is left of lines and edges beside the paper: parts of which every pixel is
/// near the border, and which touch it or are long. They stay if nothing else is there that is
/// as large as a digit.
fn drop_outermost(parts: &mut Vec<Part>, rows: usize, columns: usize) {
    let side = rows.min(columns);
    let ring = side / 8;
    let is_outer = |&k: &usize| {
        let (i, j) = (k / columns, k % columns);
        i.min(j).min(rows - 1 - i).min(columns - 1 - j) < ring
    };
    let is_outermost = |part: &Part| {
        let touches = part.rows.start == 0
            || part.columns.start == 0
            || part.rows.end == rows
            || part.columns.end == columns;
        let is_long = 2 * part.rows.len() > rows || 2 * part.columns.len() > columns;
        (touches || is_long) && part.pixels.iter().all(is_outer)
    };
    let outermost: Vec<bool> = parts.iter().map(is_outermost).collect();
    let is_digit = |(part, is_out): (&Part, &bool)| !is_out && part.rows.len() > side / 10;
    if parts.iter().zip(&outermost).any(is_digit) {
        let mut outermost = outermost.into_iter();
        parts.retain(|_| outermost.next() == Some(false));
    }
}

/// Number of pixels between two ranges, negative where they overlap.
fn gap(a: &Range<usize>, b: &Range<usize>) -> f32 {
    a.start.max(b.start) as f32 - a.end.min(b.end) as f32
}

/// Maximum gap between parts of one digit, as a share of the height of the higher part.
const GAP: f32 = 0.12;

/// Minimum height and weight of a digit, as shares of those of the heaviest.
const HEIGHT: f32 = 0.5;
const WEIGHT: f32 = 0.1;

/// Maximum width of a digit, as a multiple of its height: of a thousand of MNIST's one is as
/// wide.
const WIDEST: f32 = 1.8;

/// Width, as a multiple of its height, from which on ink may be two digits that touch.
const WIDE: f32 = 1.05;

/// Minimum height of each of two digits that touch, and maximum height of the ink between
/// them, as shares of the height of both.
const TALL: f32 = 0.75;
const BRIDGE: f32 = 0.25;

/// Minimum probability of one digit that is wide, and of one with a bridge.
const LIKELY: f32 = 0.9;
const SURE: f32 = 0.99;

/// Joins parts that belong to one digit, and leaves out what is none.
fn grouped(mut parts: Vec<Part>, is_one: bool) -> Result<Vec<Part>, String> {
    if parts.iter().any(|part| !is_flat(part)) {
        parts.retain(|part| !is_flat(part));
    }
    parts.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let Some(heaviest) = parts.first() else {
        return Ok(vec![]);
    };
    // Specks: too light to count wherever they are.
    let least = heaviest.weight * 0.003;
    parts.retain(|part| part.weight >= least);
    let mut groups: Vec<Part> = Vec::new();
    for part in parts {
        let mut part = part;
        // A part may join two groups into one.
        while let Some(at) = groups.iter().position(|group| belong(group, &part)) {
            part = groups.remove(at).joined(part);
        }
        groups.push(part);
    }
    groups.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let (high, heavy) = (groups[0].rows.len() as f32, groups[0].weight);
    groups
        .retain(|group| group.rows.len() as f32 >= HEIGHT * high && group.weight >= WEIGHT * heavy);
    if is_one {
        return Ok(groups
            .into_iter()
            .reduce(Part::joined)
            .into_iter()
            .collect());
    }
    groups.sort_by_key(|group| group.columns.start);
    for pair in groups.windows(2) {
        if gap(&pair[0].rows, &pair[1].rows) > 0.0 {
            return Err("it has ink above other ink: one row of digits can be read".to_string());
        }
    }
    match groups.iter().any(|group| shape(group) > WIDEST) {
        true => Err(TWO.to_string()),
        false => Ok(groups),
    }
}

/// Width by height.
fn shape(group: &Part) -> f32 {
    group.columns.len() as f32 / group.rows.len() as f32
}

/// The probability that a class must have for a group to be one digit. Two digits that touch are
/// mostly wide, or two high parts with nothing but a bridge between them; so are a few single
/// digits, of which the net is sure.
fn least_probability(group: &Part, columns: usize) -> f32 {
    // The ink of each column: first and last row, number of pixels.
    let mut ends = vec![(usize::MAX, 0, 0); group.columns.len()];
    for &k in &group.pixels {
        let (i, (top, bottom, count)) = (k / columns, &mut ends[k % columns - group.columns.start]);
        *top = i.min(*top);
        *bottom = (i + 1).max(*bottom);
        *count += 1;
    }
    let height = |ends: &[(usize, usize, usize)]| {
        let top = ends.iter().map(|end| end.0).min().unwrap_or(0);
        let bottom = ends.iter().map(|end| end.1).max().unwrap_or(0);
        bottom.saturating_sub(top) as f32
    };
    let (high, wide) = (group.rows.len() as f32, ends.len());
    let is_cut = |&cut: &usize| {
        let (top, bottom, count) = ends[cut];
        let is_bridge = bottom.saturating_sub(top) == count && count as f32 <= BRIDGE * high;
        is_bridge && height(&ends[..cut]).min(height(&ends[cut..])) >= TALL * high
    };
    match (wide / 4..wide - wide / 4).find(is_cut) {
        Some(_) => SURE,
        None if shape(group) >= WIDE => LIKELY,
        None => 0.0,
    }
}

/// Whether a part is a line, as below a digit.
fn is_flat(part: &Part) -> bool {
    part.columns.len() > FLAT * part.rows.len()
}

/// Whether two parts belong to one digit: they are near, and not two that stand side by side.
fn belong(a: &Part, b: &Part) -> bool {
    let (high, low) = (
        a.rows.len().max(b.rows.len()),
        a.rows.len().min(b.rows.len()),
    );
    let high = high as f32;
    let near = GAP * high;
    let (down, across) = (gap(&a.rows, &b.rows), gap(&a.columns, &b.columns));
    let narrow = a.columns.len().min(b.columns.len()) as f32;
    // Strokes of one digit above one another may lie farther apart than those side by side.
    let near = if -across >= 0.5 * narrow {
        1.5 * near
    } else {
        near
    };
    let is_beside = low as f32 >= 0.6 * high && -across < 0.1 * narrow;
    down.max(0.0).hypot(across.max(0.0)) <= near && !is_beside
}

/// The ink of a group and of its soft edges, stretched to full strength.
fn cut_out(picture: &Ink, group: &Part) -> Ink {
    let edge = 1 + picture.rows.min(picture.columns) / 300;
    let around = |range: &Range<usize>, side: usize| {
        range.start.saturating_sub(edge)..(range.end + edge).min(side)
    };
    let rows = around(&group.rows, picture.rows);
    let columns = around(&group.columns, picture.columns);
    let strong = upper(picture, group, 20).max(f32::MIN_POSITIVE);
    let mut cut = Ink {
        rows: rows.len(),
        columns: columns.len(),
        ink: vec![0.0; rows.len() * columns.len()],
    };
    for &k in &group.pixels {
        let (i, j) = (k / picture.columns, k % picture.columns);
        for y in around(&(i..i + 1), picture.rows) {
            for x in around(&(j..j + 1), picture.columns) {
                let ink = picture.ink[y * picture.columns + x] / strong;
                cut.ink[(y - rows.start) * columns.len() + x - columns.start] = ink.clamp(0.0, 1.0);
            }
        }
    }
    cut
}
