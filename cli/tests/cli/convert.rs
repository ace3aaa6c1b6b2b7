//! `handwritten convert`.

use crate::SMALL;
use crate::programs::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// Writes the tensors of `run` as another program does: without metadata, numbers of that type.
fn foreign(folder: &Folder, name: &str, kind: Dtype, number: impl Fn(f32) -> Vec<u8>) {
    let bytes = folder.bytes("run/model.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let quads = view.data().as_chunks().0.iter();
            let numbers = quads.flat_map(|&quad| number(f32::from_le_bytes(quad)));
            (name.to_string(), view.shape().to_vec(), numbers.collect())
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(kind, shape.clone(), bytes).unwrap()));
    let bytes = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
    folder.write(name, &bytes);
}

#[test]
fn there_and_back_no_bit_changes() {
    let folder = Folder::new();
    folder
        .train(&format!("{SMALL} --activation relu --out run"))
        .ok();
    folder.handwritten("convert run net.npz").ok();
    folder.handwritten("convert net.npz net.safetensors").ok();
    assert!(folder.bytes("net.safetensors") == folder.bytes("run/model.safetensors"));
    // The archive is a model as the file is.
    let evaluated = folder.handwritten("evaluate run --data data").ok();
    let output = folder.handwritten("evaluate net.npz --data data").ok();
    assert_eq!(output.stdout, evaluated.stdout);
    folder.handwritten("verify net.npz --data data").ok();

    foreign(&folder, "torch", Dtype::F32, |x| x.to_le_bytes().to_vec());
    let args = "convert torch own.safetensors --activation relu --image 12x12 --json";
    let [event] = &folder.handwritten(args).ok().json()[..] else {
        panic!("one line");
    };
    assert_eq!(event["widths"], serde_json::json!([144, 8, 5]));
    let output = folder
        .handwritten("evaluate own.safetensors --data data --json")
        .ok();
    let own = folder.handwritten("evaluate run --data data --json").ok();
    // On all test images, since nothing says which data set it is.
    assert_eq!(output.json()[0]["images"], TEST);
    assert!(own.json()[0]["correct"].as_u64() <= output.json()[0]["correct"].as_u64());
    let [own, back] = ["run/model.safetensors", "own.safetensors"].map(|name| {
        let bytes = folder.bytes(name);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors
            .iter()
            .map(|(name, view)| (name.to_string(), view.data().to_vec()));
        let mut data: Vec<_> = data.collect();
        data.sort();
        data
    });
    assert_eq!(own, back);
}

#[test]
fn other_types_are_converted_with_a_word() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    foreign(&folder, "bf16", Dtype::BF16, |x| {
        x.to_le_bytes()[2..].to_vec()
    });
    foreign(&folder, "f64", Dtype::F64, |x| {
        f64::from(x).to_le_bytes().to_vec()
    });
    for (name, words) in [
        ("bf16", "are BF16, widened to F32 without a change"),
        ("f64", "are F64, rounded to F32"),
    ] {
        let args = format!("convert {name} {name}.safetensors --activation sigmoid");
        let output = folder.handwritten(&args).ok();
        assert!(output.stderr.contains(words), "{}", output.stderr);
        let output = folder
            .handwritten(&format!("evaluate {name}.safetensors --data data --json"))
            .ok();
        assert!(output.json()[0]["accuracy"].as_f64().unwrap() > 0.5);
    }
}

#[test]
fn what_cannot_be_converted_is_refused_and_nothing_written() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    foreign(&folder, "torch", Dtype::F32, |x| x.to_le_bytes().to_vec());
    folder.write("taken.npz", b"mine");
    folder.write(
        "lfs",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n",
    );
    let whole = folder.bytes("torch");
    folder.write("cut", &whole[..whole.len() - 7]);
    let before = folder.contents("");
    let truncated = format!("truncated: {} of {} bytes", whole.len() - 7, whole.len());
    for (args, code, words) in [
        ("run taken.npz", 1, &["taken.npz exists", "--force"][..]),
        (
            "run net.txt",
            2,
            &["net.txt", ".safetensors, .npz or .onnx"],
        ),
        ("run net.npz --input u8", 2, &["--input", "ONNX"]),
        ("run net.npz --activation relu", 2, &["leave --activation"]),
        ("torch net.npz", 1, &["activation", "--activation names it"]),
        ("torch net.npz --activation swish", 2, &["swish", "sigmoid"]),
        ("torch net.npz --activation relu --image 12", 2, &["28x28"]),
        (
            "torch net.npz --activation relu --image 11x12",
            1,
            &["11×12 pixels"],
        ),
        (
            "torch net.npz --activation relu --classes a,b",
            1,
            &["2 classes for 5"],
        ),
        (
            "lfs net.npz",
            1,
            &["lfs", "a Git LFS pointer", "git lfs pull"],
        ),
        ("cut net.npz --activation relu", 1, &["cut", &truncated]),
        ("nowhere net.npz", 1, &["cannot read nowhere"]),
        ("run missing/net.npz", 1, &["missing/net.npz"]),
    ] {
        folder
            .handwritten(&format!("convert {args}"))
            .fails(code, words);
        assert!(folder.contents("") == before, "{args}");
    }
    folder.handwritten("evaluate torch --data data").fails(
        1,
        &[
            "torch is not a model",
            "`handwritten convert` makes one of it",
        ],
    );
}

#[test]
fn onnx_files_are_written_in_four_forms() {
    let folder = Folder::new();
    folder.train(&format!("{SMALL} --out run")).ok();
    for (flags, operators) in [
        ("", &["Gemm", "Sigmoid"][..]),
        ("--input u8", &["Cast", "Div", "Gemm"]),
        ("--output softmax", &["Softmax", "probabilities"]),
        ("--input u8 --output softmax", &["Cast", "Softmax"]),
    ] {
        let args = format!("convert run net.onnx --force {flags}");
        let output = folder.handwritten(&args).ok();
        assert!(
            output.stdout.starts_with("wrote net.onnx: a net 144-8-5"),
            "{}",
            output.stdout
        );
        let bytes = folder.bytes("net.onnx");
        for operator in operators {
            let found = bytes
                .windows(operator.len())
                .any(|part| part == operator.as_bytes());
            assert!(found, "{operator} {flags}");
        }
    }
}
