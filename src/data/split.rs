//! The choice of which images train, validate and test.

use crate::compute::names::named;

/// Which images train, which validate, which test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// All of the training file trains; the test file, halved, validates and
    /// tests: 60 000, 5 000 and 5 000 of MNIST.
    #[default]
    Question,
    /// A twelfth of the training file validates, the rest of it trains; all of
    /// the test file tests, as in the literature: 55 000, 5 000 and 10 000.
    Standard,
}

named! { Split, "split":
    Question = "question",
    Standard = "standard",
}
