//! `handwritten export`.

use crate::programs::*;
use crate::{SMALL, UNFINISHED};
use safetensors::SafeTensors;

/// The numbers of an array of the source, whose declared length must be right.
fn array<T: std::str::FromStr>(source: &str, name: &str) -> Vec<T> {
    let (_, after) = source.split_once(&format!("pub static {name}: [")).unwrap();
    let (kind, after) = after.split_once("] = [").unwrap();
    let (body, _) = after.split_once("];").unwrap();
    let numbers = body.split(',').map(str::trim).filter(|x| !x.is_empty());
    let numbers: Vec<T> = numbers.map(|x| x.parse().ok().unwrap()).collect();
    let (_, len) = kind.split_once("; ").unwrap();
    assert_eq!(len.parse(), Ok(numbers.len()));
    numbers
}

#[test]
fn the_source_has_every_bit_of_the_model() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    let args = "export run/model.safetensors --format rust --out net.rs";
    let output = folder.handwritten(args).ok();
    let params = SIDE * SIDE * 8 + 8 + 8 * CLASSES + CLASSES;
    assert!(
        output.stdout.contains("wrote net.rs: 4 820 bytes"),
        "{}",
        output.stdout
    );
    assert_eq!((output.stderr.as_str(), 4 * params), ("", 4820));

    let source = folder.text("net.rs");
    for words in [
        "use handwritten::{Activation, NetRef};",
        "pub const WIDTHS: [usize; 3] = [144, 8, 5];",
        "NetRef::try_new(&WIDTHS, Activation::Sigmoid, &PARAMS)",
    ] {
        assert!(source.contains(words), "{words}: {source}");
    }
    let file = folder.bytes("run/model.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let tensor = |name: &str| -> Vec<u32> {
        let bytes = tensors.tensor(name).unwrap().data();
        let (quads, _) = bytes.as_chunks::<4>();
        quads.iter().map(|&quad| u32::from_le_bytes(quad)).collect()
    };
    // PyTorch's weights are outputs×inputs.
    let mut expected: Vec<u32> = Vec::new();
    for (weight, bias, inputs) in [
        ("0.weight", "0.bias", SIDE * SIDE),
        ("2.weight", "2.bias", 8),
    ] {
        let weights = tensor(weight);
        expected.extend((0..inputs).flat_map(|i| weights[i..].iter().step_by(inputs)));
        expected.extend(&tensor(bias));
    }
    let found: Vec<u32> = array::<f32>(&source, "PARAMS")
        .iter()
        .map(|x| x.to_bits())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_eight_bits_cost_is_measured_on_all_test_images() {
    let folder = Folder::new();
    folder
        .train(&format!("{UNFINISHED} --split standard --out run"))
        .ok();
    let args = "run/model.safetensors --data data --json";
    let [evaluated] = &folder.handwritten(&format!("evaluate {args}")).ok().json()[..] else {
        panic!("one line of evaluation");
    };
    let export = format!("export {args} --quantize int8 --out net.rs");
    let [event] = &folder.handwritten(&export).ok().json()[..] else {
        panic!("one line of export");
    };
    assert_eq!(event["images"], TEST);
    assert_eq!(event["correct"][0], evaluated["correct"]);
    let lost = event["correct"][0].as_f64().unwrap() - event["correct"][1].as_f64().unwrap();
    assert!(lost.abs() < 0.1 * TEST as f64, "{event}");
    assert_eq!(
        event["bytes"],
        SIDE * SIDE * 8 + 8 * CLASSES + 2 * 4 * (8 + CLASSES)
    );

    let source = folder.text("net.rs");
    let weights: Vec<i32> = array(&source, "WEIGHTS");
    assert_eq!(weights.len(), SIDE * SIDE * 8 + 8 * CLASSES);
    assert!(weights.iter().all(|q| (-127..=127).contains(q)));
    assert!(weights.contains(&127) || weights.contains(&-127));
    assert_eq!(array::<f32>(&source, "SCALES").len(), 8 + CLASSES);
    assert_eq!(array::<f32>(&source, "BIASES").len(), 8 + CLASSES);

    let export = "export run/model.safetensors --data data --quantize int8 --out text.rs";
    let output = folder.handwritten(export).ok();
    assert!(output.stdout.contains("points lost on 80 test images"));
    assert_eq!(folder.text("text.rs"), source);
}

#[test]
fn what_cannot_be_exported_is_refused_and_nothing_written() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    folder.write("taken.rs", b"mine");
    folder.write("other/notes.txt", b"no data");
    let before = folder.contents("");
    let model = "export run/model.safetensors";
    for (args, code, words) in [
        (
            format!("{model} --out taken.rs"),
            1,
            &["taken.rs exists", "--force"][..],
        ),
        (
            format!("{model} --out missing/net.rs"),
            1,
            &["missing/net.rs"],
        ),
        (format!("{model} --force --out run"), 1, &["run"]),
        (
            "export nothing --out net.rs".to_string(),
            1,
            &["cannot read nothing"],
        ),
        (
            "export taken.rs --out net.rs".to_string(),
            1,
            &["taken.rs is not a model"],
        ),
        (
            format!("{model} --quantize int8 --data other --out net.rs"),
            1,
            &["other"],
        ),
        (model.to_string(), 2, &["--out"]),
        (
            format!("{model} --out net.rs --quantize int4"),
            2,
            &["int4", "int8"],
        ),
        (
            format!("{model} --out net.rs --format go"),
            2,
            &["--format", "rust", "c]"],
        ),
        (
            format!("{model} --out net.rs --data data"),
            2,
            &["--quantize"],
        ),
    ] {
        folder.handwritten(&args).fails(code, words);
        assert!(folder.contents("") == before, "{args}");
    }
    folder
        .handwritten(&format!("{model} --force --out taken.rs"))
        .ok();
    assert!(folder.text("taken.rs").contains("pub static NET"));
}
