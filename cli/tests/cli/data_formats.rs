//! Data in other formats than MNIST's, pictures in folders, and `handwritten data`.

use crate::SMALL;
use crate::pictures::png;
use crate::programs::*;
use std::fs;

/// Trains on the data set `data`, and returns its output and the bytes of its model.
fn trained(folder: &Folder, data: &str, run: &str) -> (Output, Vec<u8>) {
    let args = SMALL.replace("data data", &format!("data {data}"));
    let output = folder.train(&format!("{args} --out {run}")).ok();
    (output, folder.bytes(&format!("{run}/model.safetensors")))
}

fn evaluated(folder: &Folder, model: &str, data: &str) -> serde_json::Value {
    let args = format!("evaluate {model}/model.safetensors --data {data} --json");
    folder.handwritten(&args).ok().json()[0].clone()
}

#[test]
fn each_format_trains_the_same_net() {
    let folder = Folder::new();
    let (_, expected) = trained(&folder, "data", "run");
    for (format, output) in [("idx", "idx"), ("csv", "csv"), ("npz", "set.npz")] {
        let args = format!("data convert data {output} --format {format}");
        let said = folder.handwritten(&args).ok();
        let counts = format!("wrote {output}: {TRAIN} training images, {TEST} test images\n");
        assert_eq!((said.stderr, said.stdout), (counts, String::new()));
        let (_, model) = trained(&folder, output, &format!("run-{format}"));
        assert!(model == expected, "{format}");
        // Its own data set, in whatever format.
        let own = evaluated(&folder, "run", output);
        assert_eq!(own["images"], TEST / 2);
        assert_eq!(own["loss"], evaluated(&folder, "run", "data")["loss"]);
        // Nothing is overwritten.
        let before = folder.contents("");
        folder
            .handwritten(&args)
            .fails(1, &["is there already (--force overwrites it)"]);
        assert!(folder.contents("") == before);
        folder.handwritten(&format!("{args} --force")).ok();
        assert!(folder.contents("") == before);
    }
    assert_eq!(folder.names("csv"), ["test.csv", "train.csv"]);
    // A file of a data set stands for all of it, and a test file for the test images.
    let whole = evaluated(&folder, "run", "csv/train.csv");
    assert_eq!(whole["images"], TEST / 2);
    let test = evaluated(&folder, "run", "csv/test.csv");
    assert_eq!(test["images"], TEST);
    let refused = folder.train("--data csv/test.csv --out new");
    refused.fails(1, &["csv/test.csv has test images, but none to train on"]);

    let refused = folder.handwritten("data convert data all.csv");
    refused.fails(2, &["all.csv is one table", "--format csv"]);
    folder.write("plain", b"a file");
    let before = folder.contents("");
    let refused = folder.handwritten("data convert data plain");
    refused.fails(1, &["plain"]);
    assert!(folder.contents("") == before);
}

#[test]
fn one_table_is_split_by_the_seed() {
    let folder = Folder::new();
    folder
        .handwritten("data convert data csv --format csv")
        .ok();
    folder.write("own/digits.csv", &folder.bytes("csv/train.csv"));
    // As Kaggle has them: the test images have no labels.
    folder.write("kaggle/train.csv", &folder.bytes("csv/train.csv"));
    folder.write("kaggle/test.csv", b"a,b,c,d\n0,1,2,3\n");
    for (i, data) in ["own/digits.csv", "own", "kaggle"].into_iter().enumerate() {
        let (output, _) = trained(&folder, data, &format!("run{i}"));
        let said = "there are no test images: 42 images, drawn by the seed, are left out";
        assert!(output.stderr.contains(said), "{}", output.stderr);
        let counts = "258 images to train, 21 to validate, 21 to test";
        assert!(output.stderr.contains(counts), "{}", output.stderr);
        let own = evaluated(&folder, &format!("run{i}"), data);
        assert_eq!(own["images"], 21);
    }
    let [a, b] = ["run0", "run2"].map(|run| folder.bytes(&format!("{run}/model.safetensors")));
    assert!(a == b);
    let refused = folder.handwritten("evaluate run0/model.safetensors --data kaggle/test.csv");
    refused.fails(1, &["kaggle/test.csv has images without labels"]);
}

/// Writes pictures of the shapes of five classes, `count` of each.
fn write_pictures(folder: &Folder, part: &str, count: usize) {
    const NAMES: [&str; CLASSES] = ["bar", "post", "down", "up", "frame"];
    for (class, name) in NAMES.into_iter().enumerate() {
        for n in 0..count {
            let ink = |k: usize| is_ink(class, k / SIDE, k % SIDE);
            let pixels = (0..SIDE * SIDE).map(|k| if ink(k) { 255 - n as u8 } else { 0 });
            let pixels: Vec<u8> = pixels.collect();
            folder.write(&format!("{part}/{name}/{n}.png"), &png(&pixels, SIDE, 1));
        }
    }
    folder.write(&format!("{part}/bar/Thumbs.db"), b"none");
}

#[test]
fn pictures_in_folders_are_a_data_set() {
    let folder = Folder::new();
    write_pictures(&folder, "shapes/train", 20);
    write_pictures(&folder, "shapes/test", 8);
    let args = "--hidden 16 --batch 10 --epochs 30";
    for (flag, side, run) in [("", 28, "fitted"), ("--as-is", SIDE, "as-is")] {
        let output = folder
            .train(&format!("--data shapes {flag} {args} --out {run}"))
            .ok();
        assert!(
            output.stderr.contains(&format!("net {}-16-5", side * side)),
            "{}",
            output.stderr
        );
        assert!(output.stdout.contains("frame"), "{}", output.stdout);
        let model = format!("evaluate {run}/model.safetensors");
        let found = folder
            .handwritten(&format!("{model} --data shapes {flag} --json"))
            .ok();
        assert_eq!(
            (&found.json()[0]["images"], &found.stderr[..]),
            (&20.into(), "")
        );
        assert_eq!(found.json()[0]["accuracy"], 1.0);
        // Test pictures alone, of which the names of the classes tell the labels.
        let other = format!("{run}-test");
        write_pictures(&folder, &format!("{other}/test"), 3);
        fs::remove_dir_all(folder.path(&format!("{other}/test/down"))).unwrap();
        let found = folder
            .handwritten(&format!("{model} --data {other} {flag} --json"))
            .ok();
        assert_eq!(found.json()[0]["accuracy"], 1.0, "{:?}", found.json());
        assert_eq!(found.json()[0]["images"], 12);
    }
    assert!(folder.text("as-is/config.toml").contains("as_is = true"));
    assert!(!folder.text("fitted/config.toml").contains("as_is"));
    folder.train("--config as-is/config.toml --out again").ok();
    assert_same_run(&folder, "as-is", "again");

    // One level, split by the seed, within the folder of an archive.
    write_pictures(&folder, "flat/unpacked", 14);
    let output = folder
        .train(&format!("--data flat {args} --out flat-run"))
        .ok();
    assert!(
        output
            .stderr
            .contains("60 images to train, 5 to validate, 5 to test")
    );
}

#[test]
fn pictures_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    write_pictures(&folder, "bad/train", 4);
    folder.write("bad/train/bar/9.png", b"none");
    folder
        .train("--data bad --out run")
        .fails(1, &["bad/train/bar/9.png: no image of a known format"]);
    folder.write("bad/train/bar/9.png", &png(&[0; 9], 3, 1));
    let refused = folder.train("--data bad --as-is --out run");
    refused.fails(
        1,
        &["bad/train/bar/9.png: 3×3 pixels, where 12×12 are expected"],
    );
    let refused = folder.train("--data bad --out run");
    refused.fails(1, &["bad/train/bar/9.png: no ink stands out"]);
    folder.write("other/1/a.txt", b"none");
    let refused = folder.train("--data other --out run");
    refused.fails(1, &["no data in other: found a.txt"]);
    assert!(!folder.path("run").exists());
}

#[test]
fn labels_from_one_and_letters_keep_their_names() {
    let folder = Folder::new();
    for (file, mut bytes) in data_files(1) {
        if file.contains("labels") {
            bytes[8..].iter_mut().for_each(|label| *label += 1);
        }
        folder.write(&format!("from-one/{file}"), &bytes);
        let name = file.replace("t10k", "test");
        folder.write(&format!("letters/emnist-letters-{name}"), &bytes);
        if file.starts_with("t10k") {
            folder.write(&format!("test-alone/{file}"), &bytes);
        }
    }
    let (_, expected) = trained(&folder, "data", "run");
    let tensors = |bytes: &[u8]| {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        bytes[8 + header as usize..].to_vec()
    };
    let (output, model) = trained(&folder, "from-one", "from-one-run");
    assert!(tensors(&model) == tensors(&expected));
    assert!(output.stdout.contains("    5 ") && !output.stdout.contains("    0 "));
    // Of test images alone nothing says that no class is 0.
    let found = evaluated(&folder, "from-one-run", "test-alone");
    assert_eq!(
        (&found["accuracy"], &found["images"]),
        (&1.0.into(), &TEST.into())
    );

    let (output, model) = trained(&folder, "letters", "letters-run");
    assert!(output.stdout.contains("    E "), "{}", output.stdout);
    // The shapes are as tall as wide, so nothing contradicts what the names say.
    assert!(
        output.stderr.contains("images are turned upright"),
        "{}",
        output.stderr
    );
    assert!(tensors(&model) != tensors(&expected));
    let refused = folder.handwritten("evaluate run/model.safetensors --data letters");
    refused.fails(1, &["of 5 classes", "among them A"]);
}

#[test]
fn what_a_download_left_is_named() {
    let folder = Folder::new();
    for (content, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\n"[..],
            "a Git LFS pointer, not the file",
        ),
        (b"<!DOCTYPE html>\n", "an HTML page"),
        (b"<?xml version=\"1.0\"?>", "XML"),
    ] {
        folder.write("data/train-images-idx3-ubyte", content);
        let refused = folder.train("--data data --out run");
        refused.fails(1, &["data/train-images-idx3-ubyte is ", words]);
    }
    folder.write("utf16.toml", b"\xff\xfee\0p\0o\0c\0h\0s\0");
    let refused = folder.train("--config utf16.toml --out run");
    refused.fails(1, &["utf16.toml is UTF-16 text: save it as UTF-8"]);
}

#[test]
fn a_recipe_in_a_file_is_the_base_of_its_settings() {
    let folder = Folder::new();
    folder.write("quick.toml", b"recipe = \"quick\"\nhidden = [8]\n");
    folder
        .train("--data data --config quick.toml --out run")
        .ok();
    folder
        .train("--data data --recipe quick --hidden 8 --out flags")
        .ok();
    assert_same_run(&folder, "run", "flags");
    folder.write("slow.toml", b"recipe = \"slow\"\n");
    folder
        .train("--config slow.toml")
        .fails(2, &["slow.toml", "there is no recipe \"slow\""]);
}

#[test]
fn a_data_set_is_shown() {
    let folder = Folder::new();
    let shown = folder.handwritten("data data --sheet sheet.png").ok();
    for words in [
        "format      IDX",
        "data set    an unknown data set",
        "images      300 to train, 80 to test, 12×12 pixels, 5 classes",
        "0 in training, 0 in test, 0 test images are in training too",
        "    4        60        16",
        "about as tall as wide",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    // The bar of class 0, in two lines of dots.
    assert!(
        shown.stdout.contains("⠒⠒") || shown.stdout.contains("⣀"),
        "{}",
        shown.stdout
    );
    assert!(folder.bytes("sheet.png").starts_with(b"\x89PNG"));
    let refused = folder.handwritten("data data --sheet sheet.png");
    refused.fails(1, &["sheet.png is there already"]);
    folder
        .handwritten("data data --sheet sheet.png --force")
        .ok();

    // A training image among the test images, and one twice.
    let mut test = folder.bytes("data/t10k-images-idx3-ubyte");
    let train = folder.bytes("data/train-images-idx3-ubyte");
    let image = SIDE * SIDE;
    test[16..16 + image].copy_from_slice(&train[16..16 + image]);
    test.copy_within(16 + image..16 + 2 * image, 16 + 2 * image);
    folder.write("data/t10k-images-idx3-ubyte", &test);
    let shown = folder.handwritten("data data --json").ok().json();
    assert_eq!(shown[0]["duplicates"]["both"], 1);
    assert_eq!(shown[0]["duplicates"]["test"], 1);
    assert_eq!(shown[0]["images"][0], serde_json::json!([60, 16]));
    assert_eq!(shown[0]["pixels"]["training"]["most"], 255);
    folder.handwritten("data nowhere").fails(1, &["nowhere"]);
}

#[test]
fn images_without_labels_are_classified() {
    let folder = Folder::new();
    folder
        .train(&format!("{SMALL} --epochs 9 --out run").replacen("--epochs 3 ", "", 1))
        .ok();
    folder
        .handwritten("data convert data csv --format csv")
        .ok();
    // As Kaggle has them: a header and no labels.
    let labelled = folder.text("csv/test.csv");
    let unlabelled: String = labelled
        .lines()
        .map(|line| line.split_once(',').unwrap().1.to_string() + "\n")
        .collect();
    folder.write("kaggle/test.csv", unlabelled.as_bytes());
    let expected: Vec<usize> = (0..TEST).map(|n| n % CLASSES).collect();
    for data in [
        "kaggle",
        "kaggle/test.csv",
        "csv",
        "data",
        "data/t10k-images-idx3-ubyte",
    ] {
        let args = format!("classify run/model.safetensors --data {data}");
        let said = folder.handwritten(&format!("{args} --csv")).ok().stdout;
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("ImageId,Label"));
        let labels: Vec<usize> = (1..)
            .zip(lines)
            .map(|(number, line): (usize, &str)| {
                let (id, label) = line.split_once(',').unwrap();
                assert_eq!(id, number.to_string());
                label.parse().unwrap()
            })
            .collect();
        assert_eq!(labels, expected, "{data}");
        let events = folder.handwritten(&format!("{args} --json")).ok().json();
        assert_eq!((events.len(), &events[7]["class"]), (TEST, &"2".into()));
        let text = folder.handwritten(&args).ok().stdout;
        assert!(text.starts_with("1: 0  ("), "{text}");
    }
    folder.write("small.csv", b"1,2,3,4\n");
    let args = "classify run/model.safetensors --data";
    let refused = folder.handwritten(&format!("{args} small.csv"));
    refused.fails(
        1,
        &["the model is for 12×12 images, those in small.csv are 2×2"],
    );
    folder
        .handwritten(&format!("{args} csv a.png"))
        .fails(2, &["--data"]);
    folder
        .handwritten("classify run/model.safetensors a.png --csv")
        .fails(2, &["--csv"]);
}

#[test]
fn distortions_are_shown_before_and_after() {
    let folder = Folder::new();
    let said = folder
        .handwritten("augment data --out sheet.png")
        .ok()
        .stdout;
    assert!(
        said.contains("epochs 1 to 20") && said.contains("elastic, seed 1"),
        "{said}"
    );
    let elastic = folder.bytes("sheet.png");
    assert!(elastic.starts_with(b"\x89PNG"));
    let refused = folder.handwritten("augment data --out sheet.png");
    refused.fails(1, &["sheet.png exists"]);
    let none = "augment data --out sheet.png --force --distort";
    folder.handwritten(&format!("{none} none")).ok();
    assert_ne!(folder.bytes("sheet.png"), elastic);
    folder
        .handwritten(&format!("{none} bent"))
        .fails(2, &["distort must be none, shift or elastic", "\"bent\""]);
    folder
        .handwritten(&format!("{none} shift=65"))
        .fails(2, &["distort must have shift from 0 to 64, not 65"]);
}
