//! Model files: what is written is read, and what is damaged is refused.

use crate::compute::rng::{Stream, generator};
use crate::data::{Centre, Framing, Normalisation, Split};
use crate::files::model::decode::decode;
use crate::files::model::encode::encode;
use crate::files::model::ensemble::{decode_ensemble, encode_ensemble};
use crate::files::model::error::{KEY, ModelError};
use crate::files::model::metadata::{Metadata, Model};
use crate::files::model::tensors::Tensors;
use crate::net::Net;
use crate::net::activation::Activation;
use crate::net::init::Init;
use crate::net::loss::Reduction;
use safetensors::tensor::TensorView;
use safetensors::{SafeTensors, serialize};
use std::slice;

fn model() -> Model {
    let mut rng = generator(1, Stream::Weights);
    Model {
        net: Net::random(&[6, 4, 3], Activation::Tanh, Init::Question, &mut rng),
        metadata: Metadata {
            normalisation: Normalisation::RAW,
            framing: None,
            image: (2, 3),
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            data: "letters".to_string(),
            data_sha256: "00ff".to_string(),
            split: Split::Standard,
            seed: u64::MAX,
            reduction: Reduction::Sum,
            best_epoch: 3,
            val_loss: 0.1,
            settings: "lr = 0.1\nseed = 3\n".to_string(),
            is_fused: Some(true),
        },
        stored: "F32",
    }
}

fn encoded(model: &Model) -> Vec<u8> {
    encode(&model.net, &model.metadata).unwrap()
}

#[test]
fn what_is_encoded_is_decoded() {
    let model = model();
    let bytes = encoded(&model);
    assert_eq!(decode(&bytes).unwrap(), model);
    assert_eq!(encoded(&model), bytes);
}

#[test]
fn an_ensemble_is_its_nets_side_by_side() {
    let (one, mut other) = (model(), model());
    other.net.params_mut()[5] = 0.25;
    (other.metadata.seed, other.metadata.val_loss) = (7, 0.3);
    let pairs = [&one, &other].map(|model| (&model.net, &model.metadata));
    let bytes = encode_ensemble(&pairs).unwrap();
    let members = decode_ensemble(&bytes).unwrap();
    assert_eq!(members, [one.clone(), other.clone()]);
    assert_eq!(encode_ensemble(&pairs), Ok(bytes.clone()));
    // One net is not read out of several, nor are several asked of one.
    assert_eq!(decode(&bytes), Err(ModelError::Ensemble));
    assert_eq!(
        decode_ensemble(&encoded(&one)).unwrap(),
        slice::from_ref(&one)
    );
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("1/2.weight").unwrap().shape(), [3, 4]);

    let refused = |change: &dyn Fn(&mut Model)| {
        let mut changed = other.clone();
        change(&mut changed);
        encode_ensemble(&[(&one.net, &one.metadata), (&changed.net, &changed.metadata)])
    };
    let wider = |model: &mut Model| {
        model.net = Net::random(
            &[6, 5, 3],
            Activation::Tanh,
            Init::Glorot,
            &mut generator(1, Stream::Weights),
        );
    };
    for (result, what) in [
        (encode_ensemble(&[]), "number"),
        (refused(&wider), "widths"),
        (refused(&|model| model.metadata.image = (3, 2)), "images"),
        (
            refused(&|model| model.metadata.normalisation = "pixel / 16".parse().unwrap()),
            "normalisation",
        ),
        (
            refused(&|model| model.metadata.classes.swap(0, 1)),
            "classes",
        ),
    ] {
        assert_eq!(result, Err(ModelError::Members { what }));
    }
    for len in 0..bytes.len() {
        assert!(decode_ensemble(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn the_framing_is_kept_and_may_be_missing() {
    let mut model = model();
    model.metadata.framing = Some(Framing {
        filled: 2,
        centre: Centre::Box,
        is_transposed: true,
        pixels: "1 - pixel / 16".parse().unwrap(),
    });
    let refused = |model: &Model| encode(&model.net, &model.metadata).unwrap_err();
    assert!(matches!(
        refused(&model),
        ModelError::Framing { filled: 2, .. }
    ));
    let mut rng = generator(1, Stream::Weights);
    model.net = Net::random(&[9, 3], Activation::Tanh, Init::Question, &mut rng);
    model.metadata.image = (3, 3);
    let bytes = encoded(&model);
    assert_eq!(decode(&bytes).unwrap(), model);
    for filled in [0, 4, usize::MAX] {
        model.metadata.framing = Some(Framing {
            filled,
            ..Framing::MNIST
        });
        assert!(matches!(refused(&model), ModelError::Framing { .. }));
    }
    // Files of versions before this field do not have it.
    model.metadata.framing = None;
    let older = encoded(&model);
    assert!(!String::from_utf8_lossy(&older).contains("framing"));
    assert_eq!(decode(&older).unwrap(), model);
}

#[test]
fn weights_lie_as_pytorch_has_them() {
    let model = model();
    let bytes = encoded(&model);
    let tensors = Tensors::read(&bytes).unwrap();
    let weight = tensors.floats("2.weight", &[3, 4]).unwrap();
    let layer = model.net.view().layer(1);
    assert_eq!(weight[4 * 2 + 1], layer.weights.at(1, 2));
    assert_eq!(tensors.floats("2.bias", &[3]).unwrap(), layer.biases);
}

#[test]
fn no_cut_and_no_flipped_header_is_taken_or_panics() {
    let bytes = encoded(&model());
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "cut at {len}");
    }
    let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    for i in 0..header {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[i] ^= 1 << bit;
            if let Ok(model) = decode(&bytes) {
                // What may change without notice is text and numbers of
                // where the net comes from.
                assert_eq!(model.net.view().widths(), [6, 4, 3]);
            }
        }
    }
}

#[test]
fn broken_weights_are_refused_by_both() {
    let mut model = model();
    let mut bytes = encoded(&model);
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "tensor 2.weight is not finite");

    let mut params = model.net.view().params().to_vec();
    params[0] = f32::INFINITY;
    model.net = Net::new(&[6, 4, 3], Activation::Tanh, params);
    let error = encode(&model.net, &model.metadata).unwrap_err();
    assert_eq!(error.to_string(), "tensor 0.weight is not finite");
}

/// Every value between its neighbours is read as it was written, and what
/// JSON cannot write is refused.
#[test]
fn a_loss_is_read_to_the_last_bit_or_refused() {
    let mut model = model();
    let mut rng = generator(2, Stream::Weights);
    for _ in 0..1_000 {
        model.metadata.val_loss = f64::from_bits(rand_core::Rng::next_u64(&mut rng));
        match encode(&model.net, &model.metadata) {
            Ok(bytes) => assert_eq!(decode(&bytes).unwrap(), model),
            Err(error) => {
                assert!(!model.metadata.val_loss.is_finite());
                assert_eq!(error.to_string(), "the validation loss is not finite");
            }
        }
    }
}

#[test]
fn facts_that_do_not_fit_the_net_are_refused() {
    let model = model();
    let refused = |change: fn(&mut Metadata)| {
        let mut metadata = model.metadata.clone();
        change(&mut metadata);
        encode(&model.net, &metadata).unwrap_err().to_string()
    };
    assert_eq!(
        refused(|metadata| metadata.image = (usize::MAX, 3)),
        format!("{}×3 pixels do not make 6 inputs", usize::MAX)
    );
    assert_eq!(
        refused(|metadata| metadata.classes.truncate(2)),
        "2 classes for 3 outputs"
    );
}

#[test]
fn names_that_no_terminal_should_see_are_refused() {
    let model = model();
    let refused = |change: fn(&mut Metadata)| {
        let mut metadata = model.metadata.clone();
        change(&mut metadata);
        encode(&model.net, &metadata).unwrap_err().to_string()
    };
    let class = "the name of a class is longer than 255 bytes or holds control characters";
    assert_eq!(
        refused(|metadata| metadata.classes[1] = "x".repeat(256)),
        class
    );
    assert_eq!(
        refused(|metadata| metadata.classes[0] = "\u{1b}[2J".into()),
        class
    );
    let data = refused(|metadata| metadata.data = "two\nlines".into());
    assert_eq!(data, class.replace("a class", "the data set"));

    // A file of another program, which no encoder of ours would write.
    let mut metadata = model.metadata.clone();
    metadata.classes[2] = "A".repeat(255);
    let mut bytes = encoded(&Model {
        net: model.net.clone(),
        metadata,
        stored: "F32",
    });
    let at = bytes
        .windows(9)
        .position(|name| name == b"AAAAAAAAA")
        .unwrap();
    bytes[at..at + 2].copy_from_slice(b"\\n");
    // The name is inside a text inside a text, where the backslash is written twice.
    bytes[at + 2..at + 4].copy_from_slice(b"AA");
    assert!(decode(&bytes).is_err());
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let mut bytes = encoded(&model());
    let at = bytes
        .windows(10)
        .position(|name| name == b"\"2.weight\"")
        .unwrap();
    bytes[at + 1] = b'0';
    let error = decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "it has two tensors \"0.weight\"");
}

/// Eighteen widths: one more than any net has.
#[test]
fn more_layers_than_a_net_has_are_refused() {
    let bytes = encoded(&model());
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let deep = format!("[{}6,4,3]", "6,".repeat(15));
    let metadata = header.metadata().as_ref().unwrap()[KEY].replace("[6,4,3]", &deep);
    let none: [(&str, TensorView<'_>); 0] = [];
    let bytes = serialize(none, Some([(KEY.to_string(), metadata)].into())).unwrap();
    let error = decode(&bytes).unwrap_err();
    assert!(matches!(error, ModelError::Widths { found } if found.len() == 18));
}
