//! Findings of a diagnosis.

use crate::data::Normalisation;
use crate::net::Tensor;
use crate::net::activation::Activation;
use core::fmt;

/// A cause for which a net may not learn. Its text says what is wrong and what to try.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The gradient by the logits is that of a squared error, without the softmax.
    RawLogitGradient,
    /// The gradient is not that of the loss.
    WrongGradient {
        /// The tensor next to the outputs whose derivatives are wrong: back-propagation
        /// carries its error to the tensors before it.
        tensor: Tensor,
        /// The largest error, relative to the largest derivative.
        error: f64,
    },
    /// Almost all sigmoid or tanh activations are saturated.
    Saturated {
        /// The activation function.
        activation: Activation,
        /// The share of saturated activations.
        share: f64,
    },
    /// Almost all relu units are 0 at every image.
    Dead {
        /// The share of dead units.
        share: f64,
    },
    /// A hidden layer has too few units for the number of classes.
    Narrow {
        /// The number of units of that layer.
        units: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The norm of the weights shrinks faster than weight decay explains.
    Shrinking {
        /// The share of the norm that was lost in an epoch.
        lost: f64,
    },
    /// The softmax of the loss is normalised over all images together.
    WholeMatrixSoftmax {
        /// The mean loss of an image.
        loss: f64,
        /// The number of classes.
        classes: usize,
    },
    /// The best net changed in an epoch that was not the best.
    AliasedBest {
        /// The epoch in which the best net changed.
        epoch: usize,
    },
    /// The learning rate is too high for the net.
    RateTooHigh {
        /// The peak of the learning rate.
        rate: f64,
        /// The peak that [`choose_rate`] would have taken.
        ///
        /// [`choose_rate`]: crate::training::choose_rate()
        advised: f64,
    },
    /// The learning rate is much lower than the net allows.
    RateTooLow {
        /// The peak of the learning rate.
        rate: f64,
        /// The peak that [`choose_rate`] would have taken.
        ///
        /// [`choose_rate`]: crate::training::choose_rate()
        advised: f64,
    },
    /// The images use little of the range of a byte, or are dark on a bright ground.
    Pixels {
        /// The normalisation that they need.
        needed: Normalisation,
    },
    /// The gradient vanishes on its way back to the first layer.
    Vanishing {
        /// The root mean square of the gradient of the first weights, relative to that of
        /// the last weights, at the start.
        share: f64,
    },
    /// Weight decay outweighs the loss.
    Decay {
        /// The weight decay λ.
        weight_decay: f32,
    },
    /// The weights hardly move.
    Standing {
        /// The distance that they moved in an epoch, relative to their norm.
        moved: f64,
    },
    /// The loss is no better than that of guessing after several epochs.
    Guessing {
        /// The mean loss of an image.
        loss: f64,
        /// The number of epochs so far.
        epochs: usize,
        /// The number of classes.
        classes: usize,
    },
}

impl Finding {
    /// The name of the finding in histories, such as `saturated`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RawLogitGradient => "raw-logit-gradient",
            Self::WrongGradient { .. } => "wrong-gradient",
            Self::Saturated { .. } => "saturated",
            Self::Dead { .. } => "dead",
            Self::Narrow { .. } => "narrow",
            Self::Shrinking { .. } => "shrinking",
            Self::WholeMatrixSoftmax { .. } => "whole-matrix-softmax",
            Self::AliasedBest { .. } => "aliased-best",
            Self::RateTooHigh { .. } => "rate-too-high",
            Self::RateTooLow { .. } => "rate-too-low",
            Self::Pixels { .. } => "pixels",
            Self::Vanishing { .. } => "vanishing",
            Self::Decay { .. } => "decay",
            Self::Standing { .. } => "standing",
            Self::Guessing { .. } => "guessing",
        }
    }
}

impl fmt::Display for Finding {
    /// The cause, and what to try.
    // Long: a sentence for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RawLogitGradient => write!(
                f,
                "the gradient by the logits z is z − t, that of a squared error, while the loss is \
                 a cross-entropy: take softmax(z) − t"
            ),
            Self::WrongGradient { tensor, error } => write!(
                f,
                "the gradient by {tensor} is not that of the loss, central differences say \
                 otherwise by {:.0} %: correct the derivatives, from the loss backwards",
                100.0 * error
            ),
            Self::Saturated { activation, share } => write!(
                f,
                "{:.0} % of the hidden activations are at an end of {}, where it has no slope to \
                 learn by: draw smaller weights around 0 (--init glorot)",
                100.0 * share,
                activation.name()
            ),
            Self::Dead { share } => write!(
                f,
                "{:.0} % of the hidden relu units are 0 for every image, so they learn nothing: \
                 draw weights around 0 (--init he)",
                100.0 * share
            ),
            Self::Narrow { units, classes } => write!(
                f,
                "{units} hidden {} too few to tell {classes} classes apart: try {classes} and more",
                if units == 1 { "unit is" } else { "units are" }
            ),
            Self::Shrinking { lost } => write!(
                f,
                "the weights lost {:.0} % of their length in an epoch and no weight decay does \
                 that: let the momentum multiply the velocity, not the weights",
                100.0 * lost
            ),
            Self::WholeMatrixSoftmax { loss, classes } => write!(
                f,
                "guessing costs ln {classes} = {:.2} an image and this loss is {loss:.2}, higher \
                 by the logarithm of the number of images: normalise the softmax over the classes \
                 of each image",
                ln(classes)
            ),
            Self::AliasedBest { epoch } => write!(
                f,
                "the net kept as the best became that of epoch {epoch}, which was not the best: \
                 keep a copy, not a reference"
            ),
            Self::RateTooHigh { rate, advised } => write!(
                f,
                "the learning rate of {rate} is too high for this net and batch size, so its steps \
                 overshoot: take {advised}"
            ),
            Self::RateTooLow { rate, advised } => write!(
                f,
                "the learning rate of {rate} is low for this net and batch size: take {advised}, \
                 or train for more epochs"
            ),
            Self::Pixels { needed } => write!(
                f,
                "the images are not bright digits on a ground of 0 that fill the range from 0 to \
                 255: take {needed} as inputs (--pixels auto)"
            ),
            Self::Vanishing { share } => write!(
                f,
                "the gradient of the first weights is {share:.0e} times as large as that of the \
                 last, too small for them to learn: draw larger weights for this depth, or take \
                 fewer layers, or relu"
            ),
            Self::Decay { weight_decay } => write!(
                f,
                "the weight decay of {weight_decay} pulls the weights to 0 faster than the loss \
                 moves them: take 1e-4 or less"
            ),
            Self::Standing { moved } => write!(
                f,
                "the weights moved by {moved:.0e} of their length in an epoch: take a higher \
                 learning rate"
            ),
            Self::Guessing {
                loss,
                epochs,
                classes,
            } => write!(
                f,
                "after {epochs} epochs the loss of {loss:.3} is no better than guessing, ln \
                 {classes} = {:.3}: try another learning rate, or other first weights",
                ln(classes)
            ),
        }
    }
}

/// The loss of guessing among so many classes.
pub(super) fn ln(classes: usize) -> f64 {
    (classes as f64).ln()
}
