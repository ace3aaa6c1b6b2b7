//! Models as ONNX files, for other programs to run.
//!
//! A file is a message of Protocol Buffers, whose fields are numbered by `onnx.proto3` of the
//! ONNX specification (IR version 8, operators of version 17). The few messages that a net takes
//! are written here by hand.

use crate::data::Normalisation;
use crate::files::model::error::ModelError;
use crate::files::model::metadata::{Metadata, check_finite};
use crate::files::model::written::to_json;
use crate::net::Net;
use crate::net::activation::Activation;

const IR_VERSION: u64 = 8;
const OPERATORS: u64 = 17;

/// Types of elements (TensorProto.DataType).
const FLOAT: u64 = 1;
const UINT8: u64 = 2;
const INT32: u64 = 6;

/// The inputs and outputs of an ONNX file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnnxForm {
    /// Whether inputs are the bytes of images, which the file normalises and divides by 255;
    /// otherwise they are numbers that this has been done to.
    pub takes_bytes: bool,
    /// Whether outputs are probabilities; otherwise they are logits.
    pub gives_probabilities: bool,
}

/// Encodes a net as an ONNX file with the input `images` (any number of images × inputs) and the
/// output `logits` or `probabilities` (images × classes). The metadata are in the file as JSON
/// under the key `handwritten`.
///
/// Its operators are Gemm, the activation and, as asked for, Cast, Div, Gather and Softmax.
/// Programs sum in an order of their own, so their logits differ in the last digits.
///
/// # Errors
/// Metadata that do not fit the net, and numbers that are not finite.
pub fn encode_onnx(net: &Net, metadata: &Metadata, form: OnnxForm) -> Result<Vec<u8>, ModelError> {
    let json = to_json(net.view(), metadata)?;
    let (widths, depth) = (net.widths(), net.depth());
    let mut graph = Graph::default();
    let mut x = "images".to_string();
    if form.takes_bytes {
        x = graph.normalised(&x, metadata.normalisation);
    }
    let output = if form.gives_probabilities {
        "probabilities"
    } else {
        "logits"
    };
    for l in 0..depth {
        let layer = net.layer(l);
        let (inputs, outputs) = (layer.weights.rows(), layer.weights.cols());
        let [weights, biases] = [format!("weights_{}", l + 1), format!("biases_{}", l + 1)];
        check_finite(&weights, layer.weights.as_slice())?;
        check_finite(&biases, layer.biases)?;
        graph.floats(&weights, &[inputs, outputs], layer.weights.as_slice());
        graph.floats(&biases, &[outputs], layer.biases);
        let is_last = l + 1 == depth;
        let z = if is_last {
            "logits".to_string()
        } else {
            format!("sums_{}", l + 1)
        };
        graph.node("Gemm", &[&x, &weights, &biases], &z, &[]);
        x = z;
        if !is_last {
            let a = format!("activations_{}", l + 1);
            graph.node(operator(net.activation()), &[&x], &a, &[]);
            x = a;
        }
    }
    if form.gives_probabilities {
        graph.node("Softmax", &["logits"], output, &[attribute("axis", 1)]);
    }
    let input_type = if form.takes_bytes { UINT8 } else { FLOAT };
    let graph = graph.message(
        &value_info("images", input_type, widths[0]),
        &value_info(output, FLOAT, widths[depth]),
    );
    let mut model = Message::default();
    model.number(1, IR_VERSION);
    model.text(2, "handwritten");
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.bytes(7, &graph.0);
    let mut operators = Message::default();
    operators.number(2, OPERATORS);
    model.bytes(8, &operators.0);
    let mut entry = Message::default();
    entry.text(1, "handwritten");
    entry.text(2, &json);
    model.bytes(14, &entry.0);
    Ok(model.0)
}

/// The operator of an activation.
fn operator(activation: Activation) -> &'static str {
    match activation {
        Activation::Sigmoid => "Sigmoid",
        Activation::Relu => "Relu",
        Activation::Tanh => "Tanh",
    }
}

/// A message of Protocol Buffers: fields one after another.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A number in groups of seven bits, the lowest first; the high bit says that more follow.
    fn varint(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.0.push(x as u8 | 0x80);
            x >>= 7;
        }
        self.0.push(x as u8);
    }

    /// A field that is a number.
    fn number(&mut self, field: u64, x: u64) {
        self.varint(field << 3);
        self.varint(x);
    }

    /// A field that is a text, a message, or bytes.
    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }
}

/// An attribute of a node that is an integer (AttributeProto).
fn attribute(name: &str, x: u64) -> Message {
    const INT: u64 = 2;
    let mut message = Message::default();
    message.text(1, name);
    message.number(3, x);
    message.number(20, INT);
    message
}

/// The description of an input or output of any number of rows (ValueInfoProto).
fn value_info(name: &str, element: u64, columns: usize) -> Message {
    let [
        mut any,
        mut fixed,
        mut shape,
        mut tensor,
        mut kind,
        mut info,
    ] = [(); 6].map(|()| Message::default());
    any.text(2, "count");
    fixed.number(1, columns as u64);
    shape.bytes(1, &any.0);
    shape.bytes(1, &fixed.0);
    tensor.number(1, element);
    tensor.bytes(2, &shape.0);
    kind.bytes(1, &tensor.0);
    info.text(1, name);
    info.bytes(2, &kind.0);
    info
}

/// Nodes and constants of a net.
#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
}

impl Graph {
    /// Adds a node (NodeProto).
    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        node.text(2, output);
        node.text(3, output);
        node.text(4, operator);
        attributes
            .iter()
            .for_each(|attribute| node.bytes(5, &attribute.0));
        self.nodes.push(node);
    }

    /// Adds a constant of numbers (TensorProto).
    fn floats(&mut self, name: &str, shape: &[usize], numbers: &[f32]) {
        let mut tensor = Message::default();
        shape.iter().for_each(|&len| tensor.number(1, len as u64));
        tensor.number(2, FLOAT);
        tensor.text(8, name);
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensor.bytes(9, &bytes);
        self.constants.push(tensor);
    }

    /// Adds what makes inputs of bytes, and returns its name.
    fn normalised(&mut self, bytes: &str, normalisation: Normalisation) -> String {
        let inputs = "inputs".to_string();
        if normalisation == Normalisation::RAW {
            self.floats("255", &[], &[255.0]);
            self.node("Cast", &[bytes], "pixels", &[attribute("to", FLOAT)]);
            self.node("Div", &["pixels", "255"], &inputs, &[]);
        } else {
            // The input of each of the 256 bytes.
            let table = normalisation.table().map(|byte| f32::from(byte) / 255.0);
            self.floats("table", &[256], &table);
            self.node("Cast", &[bytes], "places", &[attribute("to", INT32)]);
            self.node(
                "Gather",
                &["table", "places"],
                &inputs,
                &[attribute("axis", 0)],
            );
        }
        inputs
    }

    /// The graph (GraphProto).
    fn message(self, input: &Message, output: &Message) -> Message {
        let mut graph = Message::default();
        self.nodes.iter().for_each(|node| graph.bytes(1, &node.0));
        graph.text(2, "net");
        self.constants
            .iter()
            .for_each(|constant| graph.bytes(5, &constant.0));
        graph.bytes(11, &input.0);
        graph.bytes(12, &output.0);
        graph
    }
}
