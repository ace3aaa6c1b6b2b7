//! Any bytes as a model file: they are refused, or what is read is the same when written
//! and read again. Any net with any metadata: it is refused, or reading the written file
//! gives it again to the last bit.

use handwritten::data::{Centre, Framing, Split};
use handwritten::files::model::{
    Foreign, Metadata, Model, ModelError, decode, decode_ensemble, encode, encode_ensemble,
    encode_npz, import,
};
use handwritten::net::params_len;
use handwritten::{Activation, Net, Reduction};

pub(crate) fn check(bytes: &[u8]) {
    let mut about = Foreign::default();
    about.activation = Some(Activation::Tanh);
    for model in [decode(bytes), import(bytes, &about)].into_iter().flatten() {
        let (net, metadata) = (&model.net, &model.metadata);
        let written = encode(net, metadata).expect("what is read can be written");
        let archive = encode_npz(net, metadata).expect("what is read can be written");
        for written in [&written, &archive] {
            let read = decode(written).expect("what is written can be read");
            assert_eq!((&read.net, &read.metadata), (net, metadata));
        }
        assert_eq!(encode(net, metadata), Ok(written));
    }
    if let Ok(models) = decode_ensemble(bytes) {
        check_ensemble(&models);
    }
    let (net, metadata) = model_from(bytes);
    match encode(&net, &metadata) {
        Ok(written) => {
            let one = decode_ensemble(&written).expect("what is written can be read");
            check_ensemble(&[&one[..], &one[..]].concat());
            let read = decode(&written).expect("what is written can be read");
            assert_eq!((&read.net, &read.metadata), (&net, &metadata));
            // `==` ignores the signs of zeros; bytes do not.
            assert_eq!(encode(&read.net, &read.metadata), Ok(written));
        }
        Err(error) => {
            let mut params = net.view().params().iter();
            let mut names = metadata.classes.iter().chain([&metadata.data]);
            let is_right = match error {
                ModelError::NotFinite { .. } => {
                    params.any(|w| !w.is_finite()) || !metadata.val_loss.is_finite()
                }
                ModelError::Name { .. } => names.any(|name| name.contains(char::is_control)),
                _ => false,
            };
            assert!(is_right, "a whole model is refused: {error}");
        }
    }
}

/// The nets of an ensemble are the same when written and read again.
fn check_ensemble(models: &[Model]) {
    let members: Vec<(&Net, &Metadata)> = models
        .iter()
        .map(|model| (&model.net, &model.metadata))
        .collect();
    let written = encode_ensemble(&members).expect("what is read can be written");
    let read = decode_ensemble(&written).expect("what is written can be read");
    let again: Vec<(&Net, &Metadata)> = read
        .iter()
        .map(|model| (&model.net, &model.metadata))
        .collect();
    assert_eq!(again, members);
}

/// A net of at most 16 layers and its metadata.
fn model_from(bytes: &[u8]) -> (Net, Metadata) {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let (rows, columns) = (1 + usize::from(next() % 4), 1 + usize::from(next() % 4));
    let mut widths = vec![rows * columns];
    for _ in 0..1 + next() % 16 {
        widths.push(1 + usize::from(next() % 5));
    }
    let activation = Activation::ALL[usize::from(next()) % Activation::ALL.len()];
    let split = Split::ALL[usize::from(next()) % Split::ALL.len()];
    let reduction = Reduction::ALL[usize::from(next()) % Reduction::ALL.len()];
    let mut eight = || [(); 8].map(|()| next());
    let (seed, best_epoch) = (u64::from_le_bytes(eight()), u64::from_le_bytes(eight()));
    let val_loss = f64::from_le_bytes(eight());
    let mut text = || {
        let len = usize::from(next() % 16);
        let bytes: Vec<u8> = (0..len).map(|_| next()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (data, data_sha256, settings) = (text(), text(), text());
    let classes = (0..widths[widths.len() - 1]).map(|_| text()).collect();
    let params = (0..params_len(&widths))
        .map(|_| f32::from_le_bytes([(); 4].map(|()| next())))
        .collect();
    let mut metadata = Metadata::new((rows, columns), classes);
    let inverted = if next() % 2 == 0 { "" } else { "1 - " };
    let formula = format!("{inverted}pixel / {}", next().max(1));
    metadata.normalisation = formula.parse().expect("a formula");
    (metadata.data, metadata.data_sha256) = (data, data_sha256);
    (metadata.split, metadata.reduction) = (split, reduction);
    (metadata.seed, metadata.best_epoch) = (seed, best_epoch as usize);
    metadata.val_loss = val_loss;
    metadata.settings = settings;
    metadata.is_fused = [None, Some(false), Some(true)][usize::from(next() % 3)];
    if rows == columns && next() % 2 == 1 {
        let mut framing = Framing::MNIST;
        framing.filled = 1 + usize::from(next()) % rows;
        framing.centre = Centre::ALL[usize::from(next()) % Centre::ALL.len()];
        framing.is_transposed = next() % 2 == 1;
        framing.pixels = metadata.normalisation;
        metadata.framing = Some(framing);
    }
    (Net::new(&widths, activation, params), metadata)
}
