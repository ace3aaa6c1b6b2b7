//! Drawings for nets whose training images are not MNIST itself.

use crate::pictures::png;
use crate::programs::{Folder, idx_file};
use handwritten::data::Dataset;
use handwritten::files;
use std::path::Path;

const SIDE: usize = 28;

/// Number of drawings.
const DRAWINGS: usize = 40;

/// Writes the first images of MNIST as a data set, each changed.
fn write_data(folder: &Folder, name: &str, sets: [&Dataset; 2], change: impl Fn(&[u8]) -> Vec<u8>) {
    for (part, count, set) in [("train", 6000, sets[0]), ("t10k", 1000, sets[1])] {
        let pixels: Vec<u8> = (0..count).flat_map(|i| change(set.image(i))).collect();
        let images = idx_file(0x0803, &[count, SIDE, SIDE], &pixels);
        folder.write(&format!("{name}/{part}-images-idx3-ubyte"), &images);
        let labels = idx_file(0x0801, &[count], &set.labels()[..count]);
        folder.write(&format!("{name}/{part}-labels-idx1-ubyte"), &labels);
    }
}

/// Upright drawings of 28×28 pixels that lie in a corner are read by nets of MNIST with a
/// changed byte, of EMNIST's orientation, of black on white and of 16 shades.
#[test]
fn drawings_are_brought_to_the_form_of_the_training_images() {
    let mnist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mnist");
    let Ok(corpus) = files::load(&mnist) else {
        eprintln!("skipped: the published package comes without data");
        return;
    };
    let folder = Folder::new();
    for i in 0..DRAWINGS {
        let image = corpus.test.image(5000 + i);
        // The ink of MNIST has four pixels to each side: its left upper corner comes to (1, 1).
        let moved = |k: usize| match (k / SIDE + 3, k % SIDE + 3) {
            (i, j) if i < SIDE && j < SIDE => image[i * SIDE + j],
            _ => 0,
        };
        let pixels: Vec<u8> = (0..SIDE * SIDE).map(moved).collect();
        folder.write(&format!("drawings/{i:02}.png"), &png(&pixels, SIDE, 1));
    }
    let turned = |x: &[u8]| -> Vec<u8> {
        (0..SIDE * SIDE)
            .map(|k| x[k % SIDE * SIDE + k / SIDE])
            .collect()
    };
    let sets = [&corpus.train, &corpus.test];
    let each = |map: fn(&u8) -> u8| move |x: &[u8]| x.iter().map(map).collect::<Vec<u8>>();
    write_data(&folder, "changed", sets, <[u8]>::to_vec);
    write_data(&folder, "turned", sets, turned);
    write_data(&folder, "dark", sets, each(|x| 255 - x));
    write_data(&folder, "shades", sets, each(|x| x / 15));
    for (data, flags) in [
        ("changed", ""),
        ("turned", ""),
        ("dark", ""),
        ("dark", "--pixels raw"),
        ("shades", ""),
        ("shades", "--pixels raw"),
    ] {
        let args = "--hidden 64 --epochs 5 --activation relu --quiet --force --out run";
        folder.train(&format!("--data {data} {flags} {args}")).ok();
        let events = folder
            .handwritten("classify run/model.safetensors drawings --json")
            .ok()
            .json();
        assert_eq!(events.len(), DRAWINGS);
        let right = events.iter().enumerate().filter(|(i, event)| {
            event["class"].as_str() == Some(&corpus.test.label(5000 + i).to_string())
        });
        let right = right.count();
        eprintln!("{data} {flags}: {right} of {DRAWINGS}");
        assert!(right >= 34, "{data} {flags}: {right} of {DRAWINGS}");
    }
}
