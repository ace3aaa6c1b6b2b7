//! The choice of which images train, validate and test.

use crate::compute::names::named;

/// The rule by which the images of two files become training, validation and test
/// images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// The training file trains; half of the test file validates and half tests: 60 000,
    /// 5 000 and 5 000 images of MNIST. The split of the run that did not learn.
    #[default]
    Question,
    /// A twelfth of the training file validates, the rest of it trains, and the test
    /// file tests: 55 000, 5 000 and 10 000 images of MNIST. Comparable to the
    /// literature.
    Standard,
}

named! { Split, "split":
    Question = "question",
    Standard = "standard",
}
