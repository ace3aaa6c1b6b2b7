//! Models that come from other programs and go to them.

use crate::compute::rng::{Stream, generator};
use crate::data::Normalisation;
use crate::files::formats::zip_of_arrays;
use crate::files::model::{
    Foreign, Metadata, ModelError, OnnxForm, decode, encode, encode_npz, encode_onnx, import,
};
use crate::net::Net;
use crate::net::activation::Activation;
use crate::net::init::Init;
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};

fn net(widths: &[usize]) -> Net {
    let mut rng = generator(1, Stream::Weights);
    Net::random(widths, Activation::Tanh, Init::Question, &mut rng)
}

fn metadata(net: &Net) -> Metadata {
    let widths = net.widths();
    let classes = (0..widths[widths.len() - 1]).map(|class| class.to_string());
    let mut metadata = Metadata::new((1, widths[0]), classes.collect());
    metadata.settings = "lr = 0.1".to_string();
    metadata
}

/// A file of another program: for each layer the weights and the biases under these names,
/// weights outputs×inputs or as they are.
fn file(net: &Net, names: &[[&str; 2]], transposed: bool) -> Vec<u8> {
    converted(net, names, transposed, Dtype::F32, |x| {
        x.to_le_bytes().to_vec()
    })
}

fn converted(
    net: &Net,
    names: &[[&str; 2]],
    transposed: bool,
    kind: Dtype,
    bytes: impl Fn(f32) -> Vec<u8>,
) -> Vec<u8> {
    let mut tensors = vec![];
    for (l, [weights, biases]) in names.iter().enumerate() {
        let layer = net.layer(l);
        let (rows, columns) = (layer.weights.rows(), layer.weights.cols());
        let (shape, numbers): (_, Vec<f32>) = match transposed {
            true => {
                let column = |j| (0..rows).map(move |i| layer.weights.at(i, j));
                (vec![columns, rows], (0..columns).flat_map(column).collect())
            }
            false => (vec![rows, columns], layer.weights.as_slice().to_vec()),
        };
        let numbers = numbers.into_iter().flat_map(&bytes).collect::<Vec<u8>>();
        tensors.push((*weights, shape, numbers));
        let numbers = layer.biases.iter().flat_map(|&x| bytes(x)).collect();
        tensors.push((*biases, vec![columns], numbers));
    }
    let views = tensors.iter().filter(|(name, ..)| !name.is_empty());
    let views = views
        .map(|(name, shape, bytes)| (*name, TensorView::new(kind, shape.clone(), bytes).unwrap()));
    serialize(views.collect::<Vec<_>>(), None).unwrap()
}

fn about() -> Foreign {
    Foreign {
        activation: Some(Activation::Tanh),
        image: Some((1, 12)),
        classes: None,
    }
}

#[test]
fn nets_of_other_programs_are_read_whatever_their_tensors_are_called() {
    let net = net(&[12, 5, 4, 3]);
    for names in [
        [
            ["0.weight", "0.bias"],
            ["2.weight", "2.bias"],
            ["4.weight", "4.bias"],
        ],
        [
            ["fc1.weight", "fc1.bias"],
            ["fc2.weight", "fc2.bias"],
            ["fc10.weight", "fc10.bias"],
        ],
        [
            ["module.net.0.weight", "module.net.0.bias"],
            ["module.net.2.weight", "module.net.2.bias"],
            ["module.net.4.weight", "module.net.4.bias"],
        ],
        [["W1", "b1"], ["W2", "b2"], ["W3", "b3"]],
        // In the order of the alphabet the last layer comes first.
        [
            ["x.kernel", "x.bias"],
            ["y.kernel", "y.bias"],
            ["head.kernel", "head.bias"],
        ],
    ] {
        for transposed in [false, true] {
            let found = import(&file(&net, &names, transposed), &about());
            if names[0][0] == "x.kernel" {
                // Biases are paired by name too.
                assert_eq!(found.unwrap().net, net, "{names:?}");
                continue;
            }
            assert_eq!(found.unwrap().net, net, "{names:?}");
        }
    }
    let without = [["0.weight", ""], ["2.weight", ""], ["4.weight", ""]];
    let found = import(&file(&net, &without, true), &about()).unwrap();
    assert_eq!(found.net.layer(1).biases, [0.0; 4]);
    assert_eq!(
        found.net.layer(1).weights.as_slice(),
        net.layer(1).weights.as_slice()
    );
    assert_eq!(found.metadata.classes, ["0", "1", "2"]);
}

#[test]
fn no_cut_of_another_programs_file_is_taken_or_panics() {
    let net = net(&[12, 5, 3]);
    let names = [["0.weight", "0.bias"], ["2.weight", "2.bias"]];
    let bytes = file(&net, &names, true);
    for len in 0..bytes.len() {
        assert!(import(&bytes[..len], &about()).is_err(), "cut at {len}");
    }
    for i in 0..8 * (bytes.len() - 4 * net.params().len()) {
        let mut bytes = bytes.clone();
        bytes[i / 8] ^= 1 << (i % 8);
        let _ = import(&bytes, &about());
    }
}

#[test]
fn tensors_that_make_no_net_are_listed() {
    let net = net(&[12, 5, 4, 3]);
    let says = |names: &[[&str; 2]], words: &str| {
        let error = import(&file(&net, names, true), &about()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let gap = [["0.weight", "0.bias"], ["", ""], ["4.weight", "4.bias"]];
    says(&gap, "no order of its tensors is a net");
    says(&gap, "4.weight F32 [3, 4]");
    let odd = [
        ["0.weight", "0.bias"],
        ["2.weight", "2.bias"],
        ["4.weight", ""],
    ];
    says(&odd, "no weights and biases of layers: 0.bias F32 [5]");

    let names = [
        ["0.weight", "0.bias"],
        ["2.weight", "2.bias"],
        ["4.weight", "4.bias"],
    ];
    let bytes = file(&net, &names, true);
    let refused = |about: Foreign| import(&bytes, &about).unwrap_err().to_string();
    let unsaid = Foreign {
        activation: None,
        ..about()
    };
    assert!(refused(unsaid).contains("does not say the activation"));
    let unsaid = Foreign {
        image: None,
        ..about()
    };
    assert!(refused(unsaid).contains("12 inputs are no square image"));
    let other = Foreign {
        image: Some((3, 5)),
        ..about()
    };
    assert!(refused(other).contains("3×5 pixels do not make 12 inputs"));
    let few = Foreign {
        classes: Some(vec!["a".to_string()]),
        ..about()
    };
    assert!(refused(few).contains("1 classes for 3 outputs"));
}

#[test]
fn other_types_are_widened_without_a_change_or_rounded() {
    let net = net(&[12, 5, 4, 3]);
    let names = [
        ["0.weight", "0.bias"],
        ["2.weight", "2.bias"],
        ["4.weight", "4.bias"],
    ];
    // The sixteen high bits of f32 are BF16.
    let short = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
    let bytes = converted(&net, &names, true, Dtype::BF16, |x| {
        x.to_le_bytes()[2..].to_vec()
    });
    let found = import(&bytes, &about()).unwrap();
    let expected: Vec<f32> = net.params().iter().map(|&x| short(x)).collect();
    assert_eq!((found.net.params(), found.stored), (&expected[..], "BF16"));

    let bytes = converted(&net, &names, true, Dtype::F64, |x| {
        (f64::from(x) * (1.0 + 1e-9)).to_le_bytes().to_vec()
    });
    let found = import(&bytes, &about()).unwrap();
    assert_eq!((found.net.params(), found.stored), (net.params(), "F64"));

    // Powers of two from 2⁻²⁴, the smallest number of F16, by their bits.
    let power = |x: f32| f32::powi(2.0, (x.to_bits() % 40) as i32 - 24);
    let half = |x: f32| -> u16 {
        match power(x).log2() as i32 {
            small @ ..-14 => 1 << (small + 24),
            normal => ((normal + 15) as u16) << 10,
        }
    };
    let bytes = converted(&net, &names, true, Dtype::F16, |x| {
        half(x).to_le_bytes().to_vec()
    });
    let found = import(&bytes, &about()).unwrap();
    let expected: Vec<f32> = net.params().iter().map(|&x| power(x)).collect();
    assert_eq!((found.net.params(), found.stored), (&expected[..], "F16"));

    let bytes = converted(&net, &names, true, Dtype::I32, |x| x.to_le_bytes().to_vec());
    assert!(import(&bytes, &about()).is_err());
}

#[test]
fn archives_hold_the_model_with_every_bit() {
    let net = net(&[12, 5, 3]);
    let metadata = metadata(&net);
    let bytes = encode_npz(&net, &metadata).unwrap();
    let found = decode(&bytes).unwrap();
    assert_eq!((&found.net, &found.metadata), (&net, &metadata));
    assert_eq!(encode(&found.net, &found.metadata), encode(&net, &metadata));
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn archives_of_arrays_from_numpy_are_read() {
    let net = net(&[12, 5, 3]);
    let doubles = |numbers: &[f32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|&x| f64::from(x).to_le_bytes())
            .collect()
    };
    let mut arrays = vec![];
    for l in 0..2 {
        let layer = net.layer(l);
        let (rows, columns) = (layer.weights.rows(), layer.weights.cols());
        arrays.push((
            format!("W{}", l + 1),
            vec![rows, columns],
            doubles(layer.weights.as_slice()),
        ));
        // As one row, which nets of NumPy often have.
        arrays.push((
            format!("b{}", l + 1),
            vec![1, columns],
            doubles(layer.biases),
        ));
    }
    let arrays: Vec<_> = arrays
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), "<f8", shape.clone(), &bytes[..]))
        .collect();
    let found = import(&zip_of_arrays(&arrays), &about()).unwrap();
    assert_eq!(found.net, net);
}

#[test]
fn what_is_no_model_says_what_it_is() {
    let net = net(&[12, 5, 3]);
    let bytes = encode(&net, &metadata(&net)).unwrap();
    for (bytes, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid"[..],
            "Git LFS pointer",
        ),
        (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b"\x80\x02}q\x00", "a pickle of Python"),
        (&bytes[..bytes.len() - 1], "truncated"),
        (&bytes[..100], "truncated"),
    ] {
        let error = decode(bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = decode(&bytes[..bytes.len() - 3]).unwrap_err();
    let (found, expected) = (bytes.len() as u64 - 3, bytes.len() as u64);
    assert_eq!(error, ModelError::Truncated { found, expected });
}

/// The fields of a message of Protocol Buffers: numbers, and bytes as a slice.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut x = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            x |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        x
    }
    let mut fields = vec![];
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let number = varint(&mut bytes);
        match key & 7 {
            0 => fields.push((key >> 3, number, &[][..])),
            2 => {
                let (content, rest) = bytes.split_at(number as usize);
                fields.push((key >> 3, 0, content));
                bytes = rest;
            }
            kind => panic!("a field of kind {kind}"),
        }
    }
    fields
}

#[test]
fn onnx_files_hold_the_operators_and_every_bit_of_the_weights() {
    let net = net(&[12, 5, 3]);
    for normalisation in [Normalisation::RAW, "pixel / 16".parse().unwrap()] {
        for (takes_bytes, gives_probabilities) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let mut metadata = metadata(&net);
            metadata.normalisation = normalisation;
            let form = OnnxForm {
                takes_bytes,
                gives_probabilities,
            };
            let bytes = encode_onnx(&net, &metadata, form).unwrap();
            let model = fields(&bytes);
            let graph = model.iter().find(|field| field.0 == 7).unwrap().2;
            let mut operators = vec![];
            for (_, _, node) in fields(graph).iter().filter(|field| field.0 == 1) {
                let name = fields(node)
                    .iter()
                    .find(|field| field.0 == 4)
                    .unwrap()
                    .2
                    .to_vec();
                operators.push(String::from_utf8(name).unwrap());
            }
            let mut expected = match (takes_bytes, normalisation == Normalisation::RAW) {
                (false, _) => vec![],
                (true, true) => vec!["Cast", "Div"],
                (true, false) => vec!["Cast", "Gather"],
            };
            expected.extend(["Gemm", "Tanh", "Gemm"]);
            expected.extend(gives_probabilities.then_some("Softmax"));
            assert_eq!(operators, expected);
            let mut params = vec![];
            for (_, _, tensor) in fields(graph).iter().filter(|field| field.0 == 5) {
                let tensor = fields(tensor);
                let of = |number| tensor.iter().find(|field| field.0 == number).unwrap().2;
                if of(8).starts_with(b"weights") || of(8).starts_with(b"biases") {
                    let quads = of(9).as_chunks().0.iter();
                    params.extend(quads.map(|&quad| f32::from_le_bytes(quad)));
                }
            }
            assert_eq!(params, net.params());
        }
    }
}
