//! Nets that own their parameters.

use crate::compute::aligned::Aligned;
use crate::compute::isa::Isa;
use crate::compute::vector;
use crate::net::activation::Activation;
use crate::net::init::Init;
use crate::net::{Layer, NetRef, activations_len, assert_widths, layers, params_len};
use alloc::{vec, vec::Vec};
use core::fmt;

/// A net that owns its parameters.
///
/// Passes, evaluations and checks take it borrowed, as [`Net::view`] gives it.
#[derive(Clone, PartialEq)]
pub struct Net {
    widths: Vec<usize>,
    activation: Activation,
    params: Aligned,
}

impl fmt::Debug for Net {
    /// Widths and activation, without the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("widths", &self.widths)
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

impl Net {
    /// A net with layers of these widths, from the inputs to the classes, and
    /// with these parameters, laid out as in [`NetRef`].
    ///
    /// # Panics
    /// Panics where [`NetRef::new`] does.
    pub fn new(widths: &[usize], activation: Activation, params: Vec<f32>) -> Self {
        NetRef::new(widths, activation, &params);
        Self {
            widths: widths.to_vec(),
            activation,
            params: Aligned::from(&params[..]),
        }
    }

    /// A net with random parameters.
    ///
    /// # Panics
    /// Panics if the widths are not as [`NetRef::new`] wants them, or if a `usize` cannot count
    /// the parameters.
    pub fn random<R: rand_core::Rng + ?Sized>(
        widths: &[usize],
        activation: Activation,
        init: Init,
        rng: &mut R,
    ) -> Self {
        assert_widths(widths);
        let mut params = Aligned::zeros(params_len(widths));
        for (at, layer) in (2..).zip(layers(widths)) {
            let (weights, biases) = params[layer.params()].split_at_mut(layer.weights().len());
            let (shape, is_output) = ((layer.inputs, layer.outputs), at == widths.len());
            init.fill(weights, biases, shape, is_output, rng);
        }
        Self {
            widths: widths.to_vec(),
            activation,
            params,
        }
    }

    /// The widths of the layers, from the inputs to the classes.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The activation of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The number of layers with parameters: hidden layers and output layer.
    pub fn depth(&self) -> usize {
        self.view().depth()
    }

    /// The parameters of all layers, laid out as in [`NetRef`].
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// The parameters of layer `l`, counted from 0.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    pub fn layer(&self, l: usize) -> Layer<'_> {
        self.view().layer(l)
    }

    /// The logits of one image, one for each class, on the fastest instruction set.
    /// Memory is allocated for the activations; [`NetRef::logits`] takes them lent.
    ///
    /// Shapes: `image` holds a byte for each input, which is divided by 255.
    ///
    /// # Panics
    /// Panics if the image has another number of pixels than the net has inputs.
    pub fn logits(&self, image: &[u8]) -> Vec<f32> {
        let mut activations = vec![0.0; activations_len(&self.widths, 1)];
        let logits = (self.view()).logits(Isa::detect(), image, &mut activations);
        let inputs = self.widths[0];
        assert!(
            logits.is_some(),
            "{} pixels for {inputs} inputs",
            image.len()
        );
        let classes = self.widths[self.widths.len() - 1];
        activations.split_off(activations.len() - classes)
    }

    /// The class of one image: its largest logit.
    ///
    /// ```
    /// use handwritten::{Activation, Net};
    ///
    /// let params = vec![4.0, -4.0, 0.0, 6.0, -6.0, -3.0, 3.0];
    /// let net = Net::new(&[2, 1, 2], Activation::Sigmoid, params);
    /// assert_eq!((net.classify(&[255, 0]), net.classify(&[0, 255])), (0, 1));
    /// ```
    ///
    /// # Panics
    /// Panics where [`Net::logits`] does.
    pub fn classify(&self, image: &[u8]) -> usize {
        vector::argmax(&self.logits(image))
    }

    /// The net, borrowed: what passes and evaluations take.
    pub fn view(&self) -> NetRef<'_> {
        NetRef::of_net(&self.widths, self.activation, &self.params)
    }

    /// The parameters of all layers, to be changed.
    pub fn params_mut(&mut self) -> &mut [f32] {
        &mut self.params
    }

    /// Copies the parameters of `other`.
    ///
    /// # Panics
    /// Panics if the nets differ in shape.
    pub fn copy_from(&mut self, other: &Self) {
        assert_eq!(self.widths, other.widths, "copy of a net of another shape");
        self.params.copy_from_slice(&other.params);
    }
}
