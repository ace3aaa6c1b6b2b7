//! Pictures of one digit, drawn from an image of MNIST: paper, ink, light, borders, lines.
//!
//! All sizes and colours are random, within ranges that photographs and scans have.

use crate::picture::decode::Pixels;
use handwritten::compute::rng::Generator;
use rand_core::Rng;

/// A kind of paper, light or border.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Scan,
    Noise,
    Pencil,
    Coloured,
    Touching,
    Corner,
    ShadowEdge,
    ShadowSoft,
    Spotlight,
    Vignette,
    Gradient,
    ScannerBorder,
    BoxCrop,
    TableEdge,
    Lined,
    BlueGrid,
    Frame,
    FrameAtEdge,
    Underline,
    Specks,
}

impl Kind {
    pub(super) const ALL: [Self; 20] = [
        Self::Scan,
        Self::Noise,
        Self::Pencil,
        Self::Coloured,
        Self::Touching,
        Self::Corner,
        Self::ShadowEdge,
        Self::ShadowSoft,
        Self::Spotlight,
        Self::Vignette,
        Self::Gradient,
        Self::ScannerBorder,
        Self::BoxCrop,
        Self::TableEdge,
        Self::Lined,
        Self::BlueGrid,
        Self::Frame,
        Self::FrameAtEdge,
        Self::Underline,
        Self::Specks,
    ];

    /// Whether light and paper are even, and nothing else is in the picture.
    pub(super) fn is_even(self) -> bool {
        (self as usize) < Self::ShadowEdge as usize
    }
}

/// Rows and columns of a picture of one digit.
pub(super) const SIDE: usize = 300;

/// A number from `low` to below `high`.
fn between(rng: &mut Generator, low: f32, high: f32) -> f32 {
    let unit = (rng.next_u32() >> 8) as f32 / (1 << 24) as f32;
    low + (high - low) * unit
}

/// Roughly normal noise with a standard deviation of 1: the sum of four uniform numbers.
fn normal(rng: &mut Generator) -> f32 {
    let bits = rng.next_u64();
    let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
    (sum as f32 / 65536.0 - 2.0) * 1.732
}

/// A smooth step from 0 to 1 around 0, `width` wide.
fn step(x: f32, width: f32) -> f32 {
    let t = (x / width + 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A digit of 28×28 pixels at a place in a picture.
pub(super) struct Digit<'a> {
    pub(super) image: &'a [u8],
    /// Pixels of the picture for one of the image.
    pub(super) scale: f32,
    /// The left upper corner of the image.
    pub(super) top: f32,
    pub(super) left: f32,
}

impl Digit<'_> {
    /// The first and last row and column of the image with ink.
    fn extent(image: &[u8]) -> [usize; 4] {
        let ink = |k: &usize| image[*k] > 100;
        let rows: Vec<usize> = (0..784).filter(ink).map(|k| k / 28).collect();
        let columns: Vec<usize> = (0..784).filter(ink).map(|k| k % 28).collect();
        let ends = |xs: &[usize]| [*xs.iter().min().unwrap(), *xs.iter().max().unwrap()];
        let ([top, bottom], [left, right]) = (ends(&rows), ends(&columns));
        [top, bottom, left, right]
    }

    /// The ink at a point of the picture, from 0 to 1: a sharp stroke through the middle
    /// between the pixels of the image.
    fn ink(&self, i: usize, j: usize) -> f32 {
        let y = (i as f32 + 0.5 - self.top) / self.scale - 0.5;
        let x = (j as f32 + 0.5 - self.left) / self.scale - 0.5;
        let at = |y: f32, x: f32| match (0.0..28.0).contains(&y) && (0.0..28.0).contains(&x) {
            true => f32::from(self.image[y as usize * 28 + x as usize]) / 255.0,
            false => 0.0,
        };
        if !(-1.0..28.0).contains(&y) || !(-1.0..28.0).contains(&x) {
            return 0.0;
        }
        let (y0, x0) = (y.floor(), x.floor());
        let (dy, dx) = (y - y0, x - x0);
        let value = (1.0 - dy) * ((1.0 - dx) * at(y0, x0) + dx * at(y0, x0 + 1.0))
            + dy * ((1.0 - dx) * at(y0 + 1.0, x0) + dx * at(y0 + 1.0, x0 + 1.0));
        step(value - 0.45, 3.0 / self.scale)
    }
}

/// The ink of a digit on a picture of a kind, and the colours of paper and ink.
struct Scene {
    ink: Vec<f32>,
    paper: [f32; 3],
    pen: [f32; 3],
    noise: f32,
}

/// A picture of that kind which shows the digit.
pub(super) fn picture(kind: Kind, image: &[u8], rng: &mut Generator) -> Pixels {
    let mut scene = scene(kind, image, rng);
    if kind == Kind::Pencil {
        // Grain: the ink has holes of the paper's texture.
        for x in &mut scene.ink {
            *x *= between(rng, 0.55, 1.0);
        }
    }
    let mut colours: Vec<[f32; 3]> = scene
        .ink
        .iter()
        .map(|&x| [0, 1, 2].map(|c| scene.paper[c] + x * (scene.pen[c] - scene.paper[c])))
        .collect();
    marks(kind, &scene, &mut colours, rng);
    light(kind, &mut colours, rng);
    surroundings(kind, &mut colours, rng);
    let bytes = colours
        .iter()
        .flat_map(|colour| {
            let noise = scene.noise * normal(rng);
            colour.map(|x| (x + noise).round().clamp(0.0, 255.0) as u8)
        })
        .collect();
    Pixels {
        rows: SIDE,
        columns: SIDE,
        channels: 3,
        bytes,
        orientation: Default::default(),
    }
}

/// Paper, pen and digit.
fn scene(kind: Kind, image: &[u8], rng: &mut Generator) -> Scene {
    let side = SIDE as f32;
    let scale = between(rng, 5.0, 8.5);
    let [top, bottom, left, right] = Digit::extent(image).map(|x| x as f32);
    let (high, wide) = ((bottom - top + 1.0) * scale, (right - left + 1.0) * scale);
    let place =
        |size: f32, rng: &mut Generator| between(rng, 0.2, 0.8) * (side - size - 60.0) + 30.0;
    let (mut y, mut x) = (place(high, rng), place(wide, rng));
    let last = |size: f32| side - size;
    let shift = between(rng, -2.0, 1.0);
    match (kind, rng.next_u32() % 4) {
        (Kind::Touching, 0) => y = shift,
        (Kind::Touching, 1) => y = last(high) - shift,
        (Kind::Touching, 2) => x = shift,
        (Kind::Touching, _) => x = last(wide) - shift,
        (Kind::Corner, 0) => (y, x) = (6.0, 6.0),
        (Kind::Corner, 1) => (y, x) = (6.0, last(wide) - 6.0),
        (Kind::Corner, 2) => (y, x) = (last(high) - 6.0, 6.0),
        (Kind::Corner, _) => (y, x) = (last(high) - 6.0, last(wide) - 6.0),
        _ => {}
    }
    let digit = Digit {
        image,
        scale,
        top: y - top * scale,
        left: x - left * scale,
    };
    let grey = |x: f32| [x; 3];
    let (paper, pen) = match kind {
        Kind::Pencil => (
            grey(between(rng, 225.0, 245.0)),
            grey(between(rng, 110.0, 150.0)),
        ),
        Kind::Coloured => {
            let paper = [
                between(rng, 190.0, 255.0),
                between(rng, 190.0, 255.0),
                between(rng, 140.0, 200.0),
            ];
            let mut pen = [0; 3].map(|_| between(rng, 10.0, 90.0));
            pen[rng.next_u32() as usize % 3] = between(rng, 90.0, 190.0);
            (paper, pen)
        }
        _ => (
            grey(between(rng, 225.0, 245.0)),
            grey(between(rng, 20.0, 60.0)),
        ),
    };
    Scene {
        ink: (0..SIDE * SIDE)
            .map(|k| digit.ink(k / SIDE, k % SIDE))
            .collect(),
        paper,
        pen,
        noise: if kind == Kind::Noise {
            14.0
        } else {
            between(rng, 1.0, 3.0)
        },
    }
}

/// Lines and specks on the paper.
fn marks(kind: Kind, scene: &Scene, colours: &mut [[f32; 3]], rng: &mut Generator) {
    let mut paint = |i: usize, j: usize, colour: [f32; 3], share: f32| {
        let pixel = &mut colours[i * SIDE + j];
        for c in 0..3 {
            pixel[c] = pixel[c].min(pixel[c] + share * (colour[c] - pixel[c]));
        }
    };
    let slope = between(rng, -0.03, 0.03);
    match kind {
        Kind::Lined | Kind::BlueGrid => {
            let grid = kind == Kind::BlueGrid;
            let pitch = if grid {
                between(rng, 22.0, 40.0)
            } else {
                between(rng, 34.0, 60.0)
            };
            let colour = match grid {
                true => [
                    between(rng, 120.0, 175.0),
                    between(rng, 165.0, 205.0),
                    240.0,
                ],
                false => [between(rng, 120.0, 180.0); 3],
            };
            let (thick, start) = (between(rng, 1.0, 2.5), between(rng, 0.0, pitch));
            for i in 0..SIDE {
                for j in 0..SIDE {
                    let (y, x) = (i as f32 - start, j as f32 - start);
                    let across = (y - slope * x).rem_euclid(pitch);
                    let along = (x + slope * y).rem_euclid(pitch);
                    if across < thick || (grid && along < thick) {
                        paint(i, j, colour, 1.0);
                    }
                }
            }
        }
        Kind::Frame | Kind::FrameAtEdge => {
            let inset = if kind == Kind::Frame {
                between(rng, 3.0, 14.0) as usize
            } else {
                0
            };
            let thick = between(rng, 2.0, 7.0) as usize;
            let band = inset..inset + thick;
            for i in 0..SIDE {
                for j in 0..SIDE {
                    let d = i.min(j).min(SIDE - 1 - i).min(SIDE - 1 - j);
                    if band.contains(&d) {
                        paint(i, j, scene.pen, 1.0);
                    }
                }
            }
        }
        Kind::Underline => {
            let (left, right) = (between(rng, 40.0, 80.0), between(rng, 220.0, 260.0));
            let thick = between(rng, 3.0, 6.0);
            let lowest = (0..SIDE * SIDE)
                .rev()
                .find(|&k| scene.ink[k] > 0.5)
                .unwrap()
                / SIDE;
            let top = (lowest as f32 + between(rng, 12.0, 24.0)).min(SIDE as f32 - 16.0);
            for i in 0..SIDE {
                for j in left as usize..right as usize {
                    let y = i as f32 - top - slope * (j as f32 - left);
                    if (0.0..thick).contains(&y) {
                        paint(i, j, scene.pen, 1.0);
                    }
                }
            }
        }
        Kind::Specks => {
            for _ in 0..2 + rng.next_u32() % 3 {
                let (y, x) = (between(rng, 6.0, 294.0), between(rng, 6.0, 40.0));
                let x = if rng.next_u32().is_multiple_of(2) {
                    x
                } else {
                    299.0 - x
                };
                let radius = between(rng, 2.0, 9.0);
                for k in 0..SIDE * SIDE {
                    let (i, j) = (k / SIDE, k % SIDE);
                    if (i as f32 - y).hypot(j as f32 - x) < radius {
                        paint(i, j, scene.pen, 1.0);
                    }
                }
            }
        }
        _ => {}
    }
}

/// The light, as a factor of all colours.
fn light(kind: Kind, colours: &mut [[f32; 3]], rng: &mut Generator) {
    let side = SIDE as f32;
    let angle = between(rng, 0.0, std::f32::consts::TAU);
    let (sin, cos) = angle.sin_cos();
    let along = |i: f32, j: f32| (i - side / 2.0) * sin + (j - side / 2.0) * cos;
    let offset = between(rng, -70.0, 70.0);
    let (middle_y, middle_x) = (between(rng, 110.0, 190.0), between(rng, 110.0, 190.0));
    let depth = match kind {
        Kind::ShadowEdge | Kind::ShadowSoft => between(rng, 0.3, 0.45),
        Kind::Spotlight => between(rng, 0.45, 0.6),
        Kind::Vignette => between(rng, 0.4, 0.55),
        Kind::Gradient => 0.6,
        _ => return,
    };
    let soft = between(rng, 30.0, 90.0);
    let width = between(rng, 70.0, 110.0);
    for (k, colour) in colours.iter_mut().enumerate() {
        let (i, j) = ((k / SIDE) as f32, (k % SIDE) as f32);
        let distance = (i - middle_y).hypot(j - middle_x);
        let dark = match kind {
            Kind::ShadowEdge => step(along(i, j) - offset, 3.0),
            Kind::ShadowSoft => step(along(i, j) - offset, soft),
            Kind::Spotlight => 1.0 - (-(distance / width).powi(2)).exp(),
            Kind::Vignette => (distance / (0.7 * side)).powi(2).min(1.0),
            // From one corner or side to the other.
            _ => (along(i, j) / (side * (sin.abs() + cos.abs())) + 0.5).clamp(0.0, 1.0),
        };
        colour.iter_mut().for_each(|x| *x *= 1.0 - depth * dark);
    }
}

/// Whatever lies beside the paper.
fn surroundings(kind: Kind, colours: &mut [[f32; 3]], rng: &mut Generator) {
    let slope = between(rng, -0.04, 0.04);
    let turned = rng.next_u32() % 4;
    let turn = |i: usize, j: usize| match turned {
        0 => (i, j),
        1 => (SIDE - 1 - i, j),
        2 => (j, i),
        _ => (SIDE - 1 - j, i),
    };
    let widths = [0; 4].map(|_| match kind {
        Kind::ScannerBorder => between(rng, 4.0, 22.0),
        Kind::TableEdge => between(rng, 20.0, 48.0),
        Kind::BoxCrop => between(rng, 2.0, 5.0),
        _ => 0.0,
    });
    let inset = [0; 4].map(|_| between(rng, -3.0, 10.0));
    let sides = 1 + rng.next_u32() % 4;
    let dark = between(rng, 0.0, 30.0);
    let table = [
        between(rng, 60.0, 120.0),
        between(rng, 50.0, 100.0),
        between(rng, 40.0, 90.0),
    ];
    for i in 0..SIDE {
        for j in 0..SIDE {
            let (y, x) = turn(i, j);
            let tilt = slope * x as f32;
            let from_sides = [y, SIDE - 1 - x, SIDE - 1 - y, x].map(|d| d as f32 + tilt);
            let colour = &mut colours[i * SIDE + j];
            let side = (0..sides as usize).find(|&s| match kind {
                Kind::BoxCrop => (inset[s]..inset[s] + widths[s]).contains(&from_sides[s]),
                Kind::ScannerBorder => s < 2 && from_sides[s] - tilt < widths[s],
                Kind::TableEdge => s < 1 && from_sides[s] < widths[s],
                _ => false,
            });
            if side.is_none() {
                continue;
            }
            *colour = match kind {
                Kind::TableEdge => {
                    let grain = 9.0 * normal(rng);
                    table.map(|x| x + grain)
                }
                _ => [dark + 5.0; 3],
            };
        }
    }
}

/// A picture of two digits side by side, `gap` pixels apart.
pub(super) fn two(images: [&[u8]; 2], gap: f32, rng: &mut Generator) -> Pixels {
    let (rows, columns) = (SIDE, 2 * SIDE);
    let scale = between(rng, 5.0, 8.0);
    let extents = images.map(|image| Digit::extent(image).map(|x| x as f32));
    let wide = |n: usize| (extents[n][3] - extents[n][2] + 1.0) * scale;
    let first = (columns as f32 - wide(0) - wide(1) - gap) / 2.0;
    let lefts = [first, first + wide(0) + gap];
    let digits = [0, 1].map(|n| Digit {
        image: images[n],
        scale,
        top: 30.0 + between(rng, 0.0, 12.0),
        left: lefts[n] - extents[n][2] * scale,
    });
    let bytes = (0..rows * columns)
        .map(|k| {
            let (i, j) = (k / columns, k % columns);
            let ink = digits[0].ink(i, j).max(digits[1].ink(i, j));
            (235.0 - 190.0 * ink + 2.0 * normal(rng)).clamp(0.0, 255.0) as u8
        })
        .collect();
    Pixels {
        rows,
        columns,
        channels: 1,
        bytes,
        orientation: Default::default(),
    }
}
