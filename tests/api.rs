//! Promises of every public type: choices have names that are read again, and no type
//! prints its parameters.

#![cfg(feature = "std")]

use handwritten::compute::UnknownNameError;
use handwritten::compute::rng::{Stream, generator};
use handwritten::data::idx::{self, Kind};
use handwritten::data::{Dataset, Split, Subset};
use handwritten::files::KnownDataset;
use handwritten::net::activations_len;
use handwritten::net::defects::Defect;
use handwritten::net::quantized::{quantize, weights_len};
use handwritten::training::diagnosis::Monitor;
use handwritten::{
    Activation, Checkpoint, Config, Init, InstructionSet, Net, NetMut, QuantizedRef, Reduction,
    Workspace, train,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;

fn check_names<T>(all: &[T])
where
    T: Copy + Debug + Display + PartialEq + FromStr<Err = UnknownNameError>,
{
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    for (choice, name) in all.iter().zip(&names) {
        assert_eq!(name.parse(), Ok(*choice));
        // The name is padded as a string is.
        assert_eq!(format!("{choice:>40}"), format!("{name:>40}"));
    }
    let error = T::from_str("nothing").unwrap_err();
    assert_eq!(error.names(), names);
    let text = error.to_string();
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn every_choice_has_a_name_that_is_read_again() {
    check_names(Activation::ALL);
    check_names(Defect::ALL);
    check_names(Init::ALL);
    check_names(InstructionSet::ALL);
    check_names(Kind::ALL);
    check_names(KnownDataset::ALL);
    check_names(Reduction::ALL);
    check_names(Split::ALL);
    check_names(Stream::ALL);
}

#[test]
fn nothing_prints_its_parameters() {
    const WIDTHS: [usize; 3] = [784, 30, 10];
    let data = Dataset::new(vec![7; 784 * 20], 28, 28, vec![9; 20]).unwrap();
    let all = Subset::all(&data);
    let mut rng = generator(1, Stream::Weights);
    let mut net = Net::random(&WIDTHS, Activation::Tanh, Init::Glorot, &mut rng);
    let mut workspace = Workspace::new(&WIDTHS, 1);
    let config = Config::default().with_epochs(1);
    let outcome = train(&mut net, &all, &all, &config, &mut workspace, &mut ()).unwrap();

    let outputs = activations_len(&WIDTHS, 1);
    let mut weights = vec![0; weights_len(&WIDTHS)];
    let (mut scales, mut biases) = (vec![0.0; outputs], vec![0.0; outputs]);
    quantize(net.view(), &mut weights, &mut scales, &mut biases);
    let quantized = QuantizedRef::try_new(&WIDTHS, Activation::Tanh, &weights, &scales, &biases);

    let (mut params, mut velocity) = (net.params().to_vec(), vec![0.0; net.params().len()]);
    let mut scratch = vec![0.0; NetMut::scratch_len(&WIDTHS)];
    let learner = NetMut::new(
        &WIDTHS,
        Activation::Tanh,
        &mut params,
        &mut velocity,
        &mut scratch,
    );
    let mut images = [
        &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..],
        &[7; 784],
    ]
    .concat();
    images.truncate(16 + 784);
    let shown: [&dyn Debug; 12] = [
        &net,
        &net.view(),
        &net.layer(1),
        &learner,
        &quantized.unwrap(),
        &data,
        &all,
        &idx::images(&images).unwrap(),
        &workspace,
        &outcome,
        &Checkpoint::new(net.clone(), config),
        &Monitor::new(workspace.clone()),
    ];
    for thing in shown {
        let text = format!("{thing:?}");
        assert!(text.len() < 600, "{text}");
    }
}
