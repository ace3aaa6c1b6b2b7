//! Nets out of the files of other programs, which hold tensors and no word about them.

use crate::files::model::error::ModelError;
use crate::files::model::metadata::{Metadata, Model, check_finite};
use crate::files::model::tensors::{Tensor, Tensors};
use crate::files::model::written::to_json;
use crate::net::activation::Activation;
use crate::net::{MAX_DEPTH, Net, are_widths};
use std::cmp::Ordering;

/// Maximum number of layers that are put in order by their shapes: all orders are tried.
const MAX_SORTED: usize = 6;

/// The facts that such a file does not hold.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Foreign {
    /// The activation of the hidden layers.
    pub activation: Option<Activation>,
    /// Rows and columns of an image; `None` for square ones.
    pub image: Option<(usize, usize)>,
    /// The names of the classes; `None` for their numbers.
    pub classes: Option<Vec<String>>,
}

/// Reads a net out of a safetensors file or an `.npz` archive of any program: of each layer a
/// matrix of weights and, if it has them, a vector of biases. Their names tell the order, or
/// where that does not fit their shapes the shapes do; whether weights are outputs×inputs, as
/// PyTorch has them, or inputs×outputs follows from the shapes too. Inputs are taken to be bytes
/// divided by 255.
///
/// # Errors
/// Everything that [`decode`] finds wrong with the bytes; tensors that make no net, or more than
/// one; an activation that is not said, images that are not square and not said.
///
/// [`decode`]: crate::files::model::decode()
pub fn import(bytes: &[u8], about: &Foreign) -> Result<Model, ModelError> {
    let mut tensors = Tensors::read(bytes)?;
    // 10 comes after 9.
    tensors
        .all
        .sort_by(|one, other| natural(&one.name, &other.name));
    let stack = Stack::of(&tensors.all)?;
    let (widths, params) = stack.parameters()?;
    let activation = match about.activation {
        Some(activation) => activation,
        // Without hidden layers none is applied.
        None if widths.len() == 2 => Activation::Sigmoid,
        None => return Err(ModelError::NoActivation),
    };
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let side = inputs.isqrt();
    let image = match about.image {
        Some(image) => image,
        None if side * side == inputs => (side, side),
        None => return Err(ModelError::NoSides { inputs }),
    };
    let numbers = || (0..outputs).map(|class| class.to_string()).collect();
    let classes = about.classes.clone().unwrap_or_else(numbers);
    let model = Model {
        net: Net::new(&widths, activation, params),
        metadata: Metadata::new(image, classes),
        stored: tensors.stored,
    };
    to_json(model.net.view(), &model.metadata)?;
    Ok(model)
}

fn no_net(why: String) -> ModelError {
    ModelError::NoNet { why }
}

/// Compares names so that numbers in them count as numbers.
fn natural(one: &str, other: &str) -> Ordering {
    let parts = |name: &str| -> Vec<(u64, String)> {
        let mut parts = vec![];
        let mut rest = name;
        while !rest.is_empty() {
            let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
            let ends = |c: char| c.is_ascii_digit() != is_number;
            let (part, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            parts.push(match part.parse() {
                Ok(number) => (number, String::new()),
                Err(_) => (u64::MAX, part.to_string()),
            });
            rest = after;
        }
        parts
    };
    parts(one).cmp(&parts(other))
}

/// A layer: its weights, and its biases if it has them.
#[derive(Clone, Copy)]
struct Layer<'a> {
    weights: &'a Tensor,
    biases: Option<&'a Tensor>,
}

impl Layer<'_> {
    /// Inputs and outputs, and whether the weights are outputs×inputs, in the ways that the
    /// shapes allow; PyTorch's comes first.
    fn ways(self) -> impl Iterator<Item = ([usize; 2], bool)> {
        let (rows, columns) = (self.weights.shape[0], self.weights.shape[1]);
        let outputs = self
            .biases
            .map(|biases| biases.shape.iter().product::<usize>());
        let ways = [([columns, rows], true), ([rows, columns], false)];
        ways.into_iter()
            .filter(move |&([_, width], _)| outputs.is_none_or(|len| len == width))
    }
}

/// Layers in their order, each with its inputs and outputs, and whether its weights are
/// outputs×inputs.
struct Stack<'a>(Vec<(Layer<'a>, [usize; 2], bool)>);

impl<'a> Stack<'a> {
    /// The layers of these tensors, which are in the order of their names.
    fn of(tensors: &'a [Tensor]) -> Result<Self, ModelError> {
        let said = || {
            let all = tensors
                .iter()
                .map(|tensor| format!("{} {} {:?}", tensor.name, tensor.kind, tensor.shape));
            all.collect::<Vec<_>>().join(", ")
        };
        let numbers = tensors.iter().filter(|tensor| tensor.values.is_some());
        let (biases, weights): (Vec<&Tensor>, Vec<&Tensor>) = numbers
            .filter(|tensor| (1..=2).contains(&tensor.shape.len()))
            .partition(|tensor| {
                let is_row = tensor.shape.len() == 1 || tensor.shape.contains(&1);
                tensor.shape.len() == 1 || is_row && is_called_bias(&tensor.name)
            });
        let (layers, vectors) = (weights.len(), biases.len());
        if !(1..=MAX_DEPTH).contains(&layers) || vectors > 0 && vectors != layers {
            return Err(no_net(format!(
                "its tensors are no weights and biases of layers: {}",
                said()
            )));
        }
        let layer = |(l, &weights): (usize, &&'a Tensor)| Layer {
            weights,
            biases: biases.get(l).copied(),
        };
        let layers: Vec<Layer<'a>> = weights.iter().enumerate().map(layer).collect();
        let mut found = vec![];
        let is_found = extend(&layers, true, &mut vec![], &mut found);
        if !is_found && layers.len() <= MAX_SORTED {
            // The names are in another order than the layers.
            extend(&layers, false, &mut vec![], &mut found);
        }
        match found.len() {
            1 => Ok(Self(found.remove(0))),
            0 => Err(no_net(format!(
                "no order of its tensors is a net, in which each layer has the inputs that the one \
                 before has outputs: {}",
                said()
            ))),
            _ => Err(no_net(format!(
                "several orders of its tensors are nets, and their names tell none: {}",
                said()
            ))),
        }
    }

    /// Widths and parameters, weights inputs×outputs.
    fn parameters(&self) -> Result<(Vec<usize>, Vec<f32>), ModelError> {
        let first = self.0.first().map(|(_, [inputs, _], _)| *inputs);
        let widths = first
            .into_iter()
            .chain(self.0.iter().map(|(_, [_, outputs], _)| *outputs));
        let widths: Vec<usize> = widths.collect();
        if !are_widths(&widths) {
            return Err(ModelError::Widths { found: widths });
        }
        let mut params = vec![];
        for (layer, [inputs, outputs], is_transposed) in &self.0 {
            let weights = values(layer.weights)?;
            match is_transposed {
                true => {
                    params.extend((0..*inputs).flat_map(|i| weights[i..].iter().step_by(*inputs)));
                }
                false => params.extend(weights),
            }
            match layer.biases {
                Some(biases) => params.extend(values(biases)?),
                None => params.resize(params.len() + outputs, 0.0),
            }
        }
        Ok((widths, params))
    }
}

/// The numbers of a tensor, which are finite.
fn values(tensor: &Tensor) -> Result<&[f32], ModelError> {
    let values = tensor.values.as_deref().unwrap_or_default();
    check_finite(&tensor.name, values)?;
    Ok(values)
}

/// Whether a tensor is called biases, such as `b1`, `0.bias` or `bias_hidden`.
fn is_called_bias(name: &str) -> bool {
    let last = name
        .rsplit(['.', '/'])
        .next()
        .unwrap_or(name)
        .to_lowercase();
    last.starts_with('b') || last.contains("bias")
}

/// Layers in their order.
type Order<'a> = Vec<(Layer<'a>, [usize; 2], bool)>;

/// Appends to `found` all orders of `left` that go on from the layers in `so_far`, up to two:
/// only the order of `left` itself if that is `given`. Returns whether there is one.
fn extend<'a>(
    left: &[Layer<'a>],
    given: bool,
    so_far: &mut Order<'a>,
    found: &mut Vec<Order<'a>>,
) -> bool {
    if left.is_empty() {
        found.push(so_far.clone());
        return true;
    }
    let before = so_far.last().map(|&(_, [_, outputs], _)| outputs);
    let places = if given { 1 } else { left.len() };
    for place in 0..places {
        let mut others = left.to_vec();
        let layer = others.remove(place);
        let fits = |&([inputs, _], _): &([usize; 2], bool)| before.is_none_or(|n| n == inputs);
        for (sides, is_transposed) in layer.ways().filter(fits) {
            so_far.push((layer, sides, is_transposed));
            let is_over = extend(&others, given, so_far, found) && given;
            so_far.pop();
            // Of the order that the names give, the first way is PyTorch's.
            if is_over || found.len() > 1 {
                return true;
            }
        }
    }
    !found.is_empty()
}
