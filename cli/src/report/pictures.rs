//! The pictures of a report that are files of their own: mistakes and hidden units.
//!
//! kuva writes titles and captions; the pixels of the images are then put into what it drew,
//! each as a square of its own colour.

use super::units::{classes_of, column, scale_of};
use super::{Run, image, mistakes};
use crate::failure::Failure;
use crate::output::plot::{FONT, INK, plain};
use crate::output::report::grouped;
use kuva::RasterBackend;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter};
use std::io::Cursor;

/// Pictures in a row, and the most in a file.
const COLUMNS: usize = 12;
const MOST: usize = 144;

/// Sides of a picture and of its place, and the height of its captions, in pixels.
const SIDE: usize = 56;
const PLACE: usize = 84;
const CAPTIONS: usize = 34;
const MARGIN: usize = 20;
const HEAD: usize = 64;

/// A grid of pictures with captions.
struct Sheet {
    title: String,
    note: String,
    /// Whether the note has the scale of colours beside it.
    has_scale: bool,
    tiles: Vec<Tile>,
}

/// A picture: its pixels, magnified, and two lines below it.
struct Tile {
    sides: (usize, usize),
    colours: Vec<[u8; 3]>,
    captions: [String; 2],
}

/// The mistakes, the most confident first.
pub(super) fn mistakes(run: &Run<'_>) -> Result<Vec<u8>, Failure> {
    let predictions = &run.found.predictions;
    let all = predictions.mistakes();
    let tiles = all.iter().take(MOST).map(|&i| {
        let (sides, means) = image::reduced(run.image(i), run.about.image);
        Tile {
            sides,
            colours: means.iter().map(|mean| [mean.round() as u8; 3]).collect(),
            captions: [
                format!(
                    "{}→{}",
                    short(run.class(predictions.truth(i))),
                    short(run.class(predictions.predicted(i)))
                ),
                mistakes::percent(predictions.confidence(i)),
            ],
        }
    });
    let sheet = Sheet {
        title: format!(
            "{}: {} mistakes on {} test images",
            run.title(),
            grouped(all.len() as u64),
            grouped(predictions.len() as u64)
        ),
        note: format!(
            "class → wrong answer and its probability, the most confident first{}",
            match all.len() > MOST {
                true => format!(" ({MOST} of them)"),
                false => String::new(),
            }
        ),
        has_scale: false,
        tiles: tiles.collect(),
    };
    sheet.draw()
}

/// The weights of the hidden units, the most important first; without a hidden layer those of
/// the classes.
pub(super) fn units(run: &Run<'_>) -> Result<Vec<u8>, Failure> {
    let weights = run.net.layer(0).weights;
    let units = &run.found.units;
    let columns: Vec<usize> = match run.net.depth() {
        1 => (0..weights.cols().min(MOST)).collect(),
        _ => units.iter().take(MOST).map(|unit| unit.unit).collect(),
    };
    let largest = scale_of(weights, &columns);
    let tiles = columns.iter().enumerate().map(|(place, &j)| {
        let (sides, means) = image::reduced(&column(weights, j), run.about.image);
        let captions = match units.get(place) {
            Some(effect) => {
                let [pro, contra] = classes_of(effect).map(|classes| {
                    let names = classes.iter().map(|&class| short(run.class(class)));
                    names.collect::<Vec<_>>().join(",")
                });
                [format!("+ {pro}"), format!("− {contra}")]
            }
            None => [short(run.class(j)), String::new()],
        };
        let colours = means.iter().map(|&mean| image::diverging(mean, largest));
        Tile {
            sides,
            colours: colours.collect(),
            captions,
        }
    });
    let what = match run.net.depth() {
        1 => "weights of the classes",
        _ => "weights of the hidden units",
    };
    let sheet = Sheet {
        title: format!("{}: {what}", run.title()),
        note: format!(
            "from −{largest:.2} to +{largest:.2}{}",
            match run.net.depth() {
                1 => "",
                _ =>
                    "; the most important first, with the classes that each speaks for and against",
            }
        ),
        has_scale: true,
        tiles: tiles.collect(),
    };
    sheet.draw()
}

/// A name that fits below a picture.
fn short(name: &str) -> String {
    match name.char_indices().nth(5) {
        Some((end, _)) => format!("{}.", &name[..end]),
        None => name.to_string(),
    }
}

impl Sheet {
    fn draw(&self) -> Result<Vec<u8>, Failure> {
        let rows = self.tiles.len().div_ceil(COLUMNS);
        let width = 2 * MARGIN + COLUMNS * PLACE;
        let height = HEAD + rows * (SIDE + CAPTIONS) + MARGIN;
        let mut scene = Scene::new(width as f64, height as f64);
        scene.font_family = Some(FONT.to_string());
        scene.add(text((MARGIN, 26), 17, &self.title));
        let indent = if self.has_scale { 120 } else { 0 };
        scene.add(text((MARGIN + indent, 48), 12, &self.note));
        for (i, tile) in self.tiles.iter().enumerate() {
            let (x, y) = corner(i);
            for (line, caption) in tile.captions.iter().enumerate() {
                scene.add(text((x, y + SIDE + 13 + 14 * line), 11, caption));
            }
        }
        let drawn = RasterBackend::new()
            .with_scale(1.0)
            .render_scene(&scene)
            .map_err(Failure::new)?;
        let mut canvas = Canvas::of_png(&drawn)?;
        if self.has_scale {
            for x in 0..100 {
                let colour = image::diverging(x as f32 - 49.5, 49.5);
                canvas.fill((MARGIN + x, 38), (1, 12), colour);
            }
        }
        for (i, tile) in self.tiles.iter().enumerate() {
            let scale = (SIDE / tile.sides.0.max(tile.sides.1)).max(1);
            let (left, top) = corner(i);
            for (at, &colour) in tile.colours.iter().enumerate() {
                let (row, column) = (at / tile.sides.1, at % tile.sides.1);
                let place = (left + column * scale, top + row * scale);
                canvas.fill(place, (scale, scale), colour);
            }
        }
        canvas.into_png()
    }
}

/// The upper left corner of a picture.
fn corner(i: usize) -> (usize, usize) {
    let (row, column) = (i / COLUMNS, i % COLUMNS);
    (MARGIN + column * PLACE, HEAD + row * (SIDE + CAPTIONS))
}

fn text((x, y): (usize, usize), size: u32, content: &str) -> Primitive {
    Primitive::Text {
        x: x as f64,
        y: y as f64,
        content: plain(content),
        size,
        anchor: TextAnchor::Start,
        rotate: None,
        bold: false,
        color: Some(INK.into()),
    }
}

/// Pixels of three bytes.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// The pixels that a PNG file of kuva holds: opaque, with four bytes each.
    fn of_png(bytes: &[u8]) -> Result<Self, Failure> {
        let failed = |error: png::DecodingError| Failure::new(format!("cannot draw: {error}"));
        let mut reader = Decoder::new(Cursor::new(bytes))
            .read_info()
            .map_err(failed)?;
        let mut buffer = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let info = reader.next_frame(&mut buffer).map_err(failed)?;
        let channels = info.color_type.samples();
        let pixels = buffer.chunks_exact(channels).map(|pixel| match channels {
            1 | 2 => [pixel[0]; 3],
            _ => [pixel[0], pixel[1], pixel[2]],
        });
        Ok(Self {
            width: info.width as usize,
            height: info.height as usize,
            pixels: pixels.collect(),
        })
    }

    /// Fills a rectangle, as far as it lies within.
    fn fill(&mut self, (x, y): (usize, usize), sides: (usize, usize), colour: [u8; 3]) {
        let right = (x + sides.0).min(self.width);
        for row in y..(y + sides.1).min(self.height) {
            if x < right {
                self.pixels[row * self.width + x..row * self.width + right].fill(colour);
            }
        }
    }

    fn into_png(self) -> Result<Vec<u8>, Failure> {
        let failed = |error: png::EncodingError| Failure::new(format!("cannot draw: {error}"));
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        // Magnified pixels repeat the row above.
        encoder.set_compression(Compression::Balanced);
        encoder.set_filter(Filter::Up);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer
            .write_image_data(self.pixels.as_flattened())
            .map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(file)
    }
}
