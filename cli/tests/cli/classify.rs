//! `handwritten classify`.

use crate::SMALL;
use crate::pictures::{png, shape};
use crate::programs::*;

/// The shape five times as large, off the centre of a larger image.
fn large(class: usize) -> (Vec<u8>, usize) {
    let (side, scale, down, right) = (100, 5, 33, 7);
    let shape = shape(class);
    let mut pixels = vec![0; side * side];
    for i in 0..SIDE * scale {
        for j in 0..SIDE * scale {
            let pixel = shape[i / scale * SIDE + j / scale];
            pixels[(down + i) * side + right + j] = pixel;
        }
    }
    (pixels, side)
}

#[test]
fn shapes_are_told_however_they_are_drawn() {
    let folder = Folder::new();
    folder
        .train("--data data --hidden 16 --batch 16 --epochs 20 --out run")
        .ok();
    let inverted = |pixels: &[u8]| pixels.iter().map(|x| 255 - x).collect::<Vec<u8>>();
    for class in 0..CLASSES {
        let own = shape(class);
        let (large, side) = large(class);
        let coloured = |pixels: &[u8]| pixels.iter().flat_map(|&x| [x, x, 0]).collect();
        // Black ink on a transparent ground that is black, too.
        let transparent = |pixels: &[u8]| pixels.iter().flat_map(|&x| [0, 0, 0, x]).collect();
        let files: [(&str, Vec<u8>, usize, usize); 7] = [
            ("own.png", own.clone(), SIDE, 1),
            ("inverted.png", inverted(&own), SIDE, 1),
            ("rgb.png", coloured(&own), SIDE, 3),
            ("rgba.png", transparent(&own), SIDE, 4),
            ("large.png", large.clone(), side, 1),
            ("large-inverted.png", inverted(&large), side, 1),
            ("large-rgba.png", transparent(&large), side, 4),
        ];
        let mut args = "classify run/model.safetensors".to_string();
        for (name, pixels, side, channels) in &files {
            folder.write(name, &png(pixels, *side, *channels));
            args += &format!(" {name}");
        }
        let output = folder.handwritten(&args).ok();
        assert_eq!(output.stderr, "");
        assert_eq!(output.stdout.lines().count(), files.len());
        for (line, (name, ..)) in output.stdout.lines().zip(&files) {
            let expected = format!("{name}: {class}  ({class} ");
            assert!(line.starts_with(&expected), "{expected}: {line}");
        }

        let output = folder.handwritten(&format!("{args} --json")).ok();
        let events = output.json();
        assert_eq!(events.len(), files.len());
        for (event, (name, ..)) in events.iter().zip(&files) {
            assert_eq!(event["event"], "class");
            assert_eq!(event["image"], *name);
            assert_eq!(event["class"], class.to_string());
            let probs = event["probabilities"].as_array().unwrap();
            let probs: Vec<f64> = probs.iter().map(|p| p.as_f64().unwrap()).collect();
            assert_eq!(probs.len(), CLASSES);
            // As many roundings of the sum in single precision, and one of each quotient.
            let bound = CLASSES as f64 * f64::from(f32::EPSILON);
            assert!((probs.iter().sum::<f64>() - 1.0).abs() < bound, "{event}");
            assert!(probs.iter().all(|&p| p <= probs[class]), "{event}");
        }
    }
}

#[test]
fn shapes_are_told_on_any_ground_and_in_any_ink() {
    let folder = Folder::new();
    folder
        .train("--data data --hidden 16 --batch 16 --epochs 20 --out run")
        .ok();
    let mix = |from: u8, to: u8, x: u8| {
        let x = i32::from(x);
        ((i32::from(from) * (255 - x) + i32::from(to) * x) / 255) as u8
    };
    for class in 0..CLASSES {
        let (large, side) = large(class);
        let each = |pixel: &dyn Fn(u8) -> Vec<u8>| large.iter().flat_map(|&x| pixel(x)).collect();
        let photo = (0..large.len()).map(|k| {
            let ground = 200 - (k % side / 3) as u8 + (k * k % 13) as u8;
            mix(ground, 40, large[k])
        });
        let mut dust = large.clone();
        for k in [3, 4, side + 3, side + 4] {
            dust[k] = 255;
        }
        let files: [(&str, Vec<u8>, usize); 8] = [
            ("white-rgba.png", each(&|x| vec![255, 255, 255, x]), 4),
            // Ink that is not of one colour, and lost on white.
            (
                "light-rgba.png",
                each(&|x| vec![250 + x % 5, 255, 250, x]),
                4,
            ),
            ("grey.png", each(&|x| vec![mix(200, 120, x)]), 1),
            ("faint.png", each(&|x| vec![mix(90, 120, x)]), 1),
            ("blue.png", each(&|x| vec![0, 0, x]), 3),
            ("yellow.png", each(&|x| vec![255, 255, 255 - x]), 3),
            ("photo.png", photo.collect(), 1),
            ("dust.png", dust, 1),
        ];
        let mut args = "classify run/model.safetensors".to_string();
        for (name, pixels, channels) in &files {
            folder.write(name, &png(pixels, side, *channels));
            args += &format!(" {name}");
        }
        let output = folder.handwritten(&args).ok();
        for (line, (name, ..)) in output.stdout.lines().zip(&files) {
            let expected = format!("{name}: {class}  ({class} ");
            assert!(line.starts_with(&expected), "{expected}: {line}");
        }
    }
}

/// Asserts that `good.png`, which comes first and last, is classified all the same,
/// and that each of the other files is reported on a line of its own.
fn assert_only_bad_are_refused(folder: &Folder, bad: &[(&str, &str)]) {
    let names: Vec<&str> = bad.iter().map(|&(name, _)| name).collect();
    let names = names.join(" ");
    let args = format!("classify run/model.safetensors good.png {names} good.png");
    let output = folder.handwritten(&args);
    assert_eq!(output.code, Some(1), "{names}: {}", output.stderr);
    let results: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(results.len(), 2, "{names}: {}", output.stdout);
    assert!(
        results
            .iter()
            .all(|line| line.starts_with("good.png: 2  (2 "))
    );
    assert_eq!(
        output.stderr.lines().count(),
        bad.len(),
        "{}",
        output.stderr
    );
    for (line, (name, why)) in output.stderr.lines().zip(bad) {
        let expected = format!("error: {name}: {why}");
        assert!(line.starts_with(&expected), "{expected}: {line}");
    }
    let output = folder.handwritten(&format!("{args} --json"));
    assert_eq!((output.code, output.json().len()), (Some(1), 2), "{names}");
}

#[test]
fn pictures_without_ink_are_refused_and_the_others_classified() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write("good.png", &png(&shape(2), SIDE, 1));
    let noise: Vec<u8> = (0..400).map(|k| 200 + (k * k % 7) as u8).collect();
    let pictures = [
        ("white.png", vec![255; 400], 20, 1),
        ("black.png", vec![0; 400], 20, 1),
        ("grey.png", vec![120; 1200], 20, 3),
        ("own.png", vec![255; SIDE * SIDE], SIDE, 1),
        ("noise.png", noise, 20, 1),
        ("clear.png", [9, 99, 199, 0].repeat(400), 20, 4),
        ("dot.png", vec![0], 1, 1),
    ];
    for (name, pixels, side, channels) in &pictures {
        folder.write(name, &png(pixels, *side, *channels));
        assert_only_bad_are_refused(&folder, &[(name, "no ink")]);
    }
    let all = pictures.each_ref().map(|(name, ..)| (*name, "no ink"));
    assert_only_bad_are_refused(&folder, &all);
}

#[test]
fn what_is_no_picture_is_refused_and_the_others_classified() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let good = png(&shape(2), SIDE, 1);
    folder.write("good.png", &good);
    folder.write("text.png", b"not a picture at all");
    folder.write("empty.png", b"");
    // A header that promises more than fits memory.
    let mut huge = good.clone();
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    folder.write("huge.png", &huge);
    let before = folder.contents("");
    let bad = [
        "missing.png",
        "text.png",
        "empty.png",
        "huge.png",
        "nothing",
    ];
    for name in bad {
        assert_only_bad_are_refused(&folder, &[(name, "")]);
        folder
            .handwritten(&format!("classify run/model.safetensors {name}"))
            .fails(1, &[name]);
    }
    assert_only_bad_are_refused(&folder, &bad.map(|name| (name, "")));
    assert!(folder.contents("") == before);
    // The last chunk, of 12 bytes, only marks the end.
    for len in (0..good.len() - 12).step_by(5) {
        folder.write("cut.png", &good[..len]);
        assert_only_bad_are_refused(&folder, &[("cut.png", "")]);
    }
}

/// Opening a pipe would wait for its writer.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let pipe = folder.path("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let refused = folder.handwritten("classify run/model.safetensors pipe.png");
    refused.fails(1, &["pipe.png: not a file"]);
}
