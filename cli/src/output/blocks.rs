//! Images in a terminal: two pixels in a character, as half blocks.

use anstream::{AutoStream, ColorChoice};
use anstyle::{Ansi256Color, Style};
use std::fmt::Write;
use terminal_size::{Width, terminal_size_of};

/// Columns of a terminal whose size is not known.
const COLUMNS: usize = 80;

/// Columns between two images.
const GAP: usize = 2;

/// Images side by side, as many as fit, each with a caption above it.
pub(crate) struct Blocks {
    sides: (usize, usize),
    columns: usize,
    is_coloured: bool,
    images: Vec<(String, Vec<String>)>,
}

impl Blocks {
    /// No images yet, of so many rows and columns, for stdout.
    pub(crate) fn new(sides: (usize, usize)) -> Self {
        let stdout = std::io::stdout();
        let columns = terminal_size_of(&stdout).map(|(Width(columns), _)| usize::from(columns));
        Self {
            sides,
            columns: columns.unwrap_or(COLUMNS),
            is_coloured: AutoStream::choice(&stdout) != ColorChoice::Never,
            images: vec![],
        }
    }

    /// Adds an image of bytes.
    pub(crate) fn add(&mut self, image: &[u8], caption: &str) {
        let (rows, columns) = self.sides;
        let pixel = |row: usize, column: usize| match row < rows {
            true => image[row * columns + column],
            false => 0,
        };
        let strongest = image.iter().copied().max().unwrap_or(0);
        let lines = (0..rows).step_by(2).map(|row| {
            let pairs = (0..columns).map(|column| [pixel(row, column), pixel(row + 1, column)]);
            match self.is_coloured {
                true => coloured(pairs),
                false => pairs.map(|pair| plain(pair, strongest)).collect(),
            }
        });
        let lines = lines.collect();
        let caption = caption.chars().take(self.width()).collect();
        self.images.push((caption, lines));
    }

    fn width(&self) -> usize {
        // A caption needs some room beside a narrow image.
        self.sides.1.max(16)
    }

    /// All images.
    pub(crate) fn text(&self) -> String {
        let (columns, width) = (self.sides.1, self.width());
        let side_by_side = ((self.columns + GAP) / (width + GAP)).max(1);
        let mut text = String::new();
        for group in self.images.chunks(side_by_side) {
            let mut line = String::new();
            for (caption, _) in group {
                let _ = write!(line, "{caption:width$}{:GAP$}", "");
            }
            text += line.trim_end();
            for row in 0..self.sides.0.div_ceil(2) {
                text.push('\n');
                for (i, (_, lines)) in group.iter().enumerate() {
                    text += &lines[row];
                    if i + 1 < group.len() {
                        text += &" ".repeat(width - columns + GAP);
                    }
                }
            }
            text.push('\n');
        }
        text.trim_end_matches('\n').to_string()
    }
}

/// A line of two rows of pixels, in shades of grey. Colours are set only where they change.
fn coloured(pairs: impl Iterator<Item = [u8; 2]>) -> String {
    let (mut text, mut last) = (String::new(), None);
    for pair in pairs {
        let [upper, lower] = pair.map(grey);
        if last != Some((upper, lower)) {
            let style = Style::new()
                .fg_color(Some(upper.into()))
                .bg_color(Some(lower.into()));
            let _ = write!(text, "{style}");
            last = Some((upper, lower));
        }
        text.push('▀');
    }
    let _ = write!(text, "{}", anstyle::Reset);
    text
}

/// One of the 24 greys in the palette of 256 colours, and its black and white.
fn grey(pixel: u8) -> Ansi256Color {
    Ansi256Color(match u16::from(pixel) * 25 / 255 {
        0 => 16,
        25 => 231,
        level => 231 + level as u8,
    })
}

/// The character of two pixels where there are no colours.
fn plain(pair: [u8; 2], strongest: u8) -> char {
    match pair.map(|pixel| pixel > strongest / 2) {
        [false, false] => ' ',
        [true, false] => '▀',
        [false, true] => '▄',
        [true, true] => '█',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(is_coloured: bool, columns: usize) -> Blocks {
        Blocks {
            sides: (3, 2),
            columns,
            is_coloured,
            images: vec![],
        }
    }

    #[test]
    fn pixels_are_half_blocks_side_by_side() {
        let mut plain = blocks(false, 34);
        for _ in 0..3 {
            plain.add(&[0, 9, 9, 9, 0, 9], "#1");
        }
        let one = format!("{:18}", "#1");
        let gap = " ".repeat(16);
        let expected = format!("{one}#1\n▄█{gap}▄█\n ▀{gap} ▀\n#1\n▄█\n ▀");
        assert_eq!(plain.text(), expected);
    }

    #[test]
    fn greys_are_those_of_the_palette() {
        assert_eq!(
            [0, 11, 128, 255].map(grey),
            [16, 232, 243, 231].map(Ansi256Color)
        );
        let mut grey = blocks(true, 80);
        grey.add(&[255, 255, 0, 0, 0, 0], "");
        // The colours of both characters are set once.
        let line = "\u{1b}[38;5;231m\u{1b}[48;5;16m▀▀\u{1b}[0m";
        assert!(grey.text().contains(line), "{:?}", grey.text());
    }
}
