//! Errors of model files.

use crate::files::read::ReadError;
use safetensors::SafeTensorError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The one key of the file's metadata. Its value is JSON: the order of several
/// keys would differ from run to run.
pub(super) const KEY: &str = "handwritten";
/// The key of the metadata of an ensemble, whose value is a JSON array.
pub(super) const ENSEMBLE_KEY: &str = "handwritten-ensemble";
/// The version of the metadata that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;
/// Maximum length of a name in bytes, that of a folder's name.
pub(super) const MAX_NAME: usize = 255;

/// The error of encoding or decoding a model.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelError {
    /// The bytes are no safetensors file, or a tensor is not in it.
    Safetensors {
        /// The cause.
        source: FormatError,
    },
    /// The bytes are something else, such as what a failed download left.
    Foreign {
        /// Its kind, and what may help.
        what: &'static str,
    },
    /// The file ends before its last tensor does.
    Truncated {
        /// The bytes of the file.
        found: u64,
        /// The bytes that its header asks for, at least.
        expected: u64,
    },
    /// The bytes are no archive of arrays that could be read.
    Npz {
        /// The cause.
        source: FormatError,
    },
    /// A tensor that the widths ask for is not there.
    NoTensor {
        /// The name of the tensor.
        name: String,
    },
    /// The activation of hidden layers is not said, neither by the file nor by the caller.
    NoActivation,
    /// The rows and columns of images that are not square are not said.
    NoSides {
        /// The inputs of the net.
        inputs: usize,
    },
    /// The tensors of another program's file do not make a net.
    NoNet {
        /// The contradiction, with all tensors of the file.
        why: String,
    },
    /// The metadata have no key `handwritten`: a safetensors file of another program.
    NoMetadata,
    /// The file holds several nets, where one is asked for.
    Ensemble,
    /// The nets of an ensemble do not fit one another, or there are none.
    Members {
        /// The property that differs.
        what: &'static str,
    },
    /// The value of the key `handwritten` is not the expected JSON.
    Json {
        /// The cause.
        source: FormatError,
    },
    /// The metadata have another version than 1.
    Version {
        /// The version of the metadata.
        found: u32,
    },
    /// A name that this crate does not know.
    Unknown {
        /// The kind of choice that it should name.
        what: &'static str,
        /// The name in the file.
        found: String,
    },
    /// Widths that no net can have: fewer than two, too many, or a 0 among them.
    Widths {
        /// The widths, from the inputs to the classes.
        found: Vec<usize>,
    },
    /// The size of an image is not the number of inputs.
    Image {
        /// The rows of an image.
        rows: usize,
        /// The columns of an image.
        columns: usize,
        /// The inputs of the net.
        inputs: usize,
    },
    /// The framing of the training images makes no sense: an image that is not square, or ink
    /// that has no pixels or does not fit into the image.
    Framing {
        /// The longer side of the box around the ink.
        filled: usize,
        /// The rows of an image.
        rows: usize,
        /// The columns of an image.
        columns: usize,
    },
    /// A name of a class or of the data set is longer than 255 bytes, or holds control
    /// characters such as line ends, which a terminal would obey.
    Name {
        /// The owner of the name: a class or the data set.
        what: &'static str,
    },
    /// Two tensors have one name, so that which of them counts is anybody's guess.
    Duplicate {
        /// The name.
        name: String,
    },
    /// The number of class names is not the number of outputs, or is above 256.
    Classes {
        /// The number of class names.
        classes: usize,
        /// The outputs of the net.
        outputs: usize,
    },
    /// A tensor does not have the type and shape that the widths imply.
    Tensor {
        /// The name of the tensor.
        name: String,
        /// The type and shape in the file.
        found: String,
        /// The type and shape by the widths.
        expected: String,
    },
    /// A number is infinite or NaN.
    NotFinite {
        /// The tensor or value that has it.
        what: String,
    },
}

impl ModelError {
    pub(super) fn safetensors(error: SafeTensorError) -> Self {
        let source = FormatError(Arc::new(error));
        Self::Safetensors { source }
    }

    pub(super) fn npz(error: ReadError) -> Self {
        let source = FormatError(Arc::new(error));
        Self::Npz { source }
    }

    pub(super) fn json(error: serde_json::Error) -> Self {
        let source = FormatError(Arc::new(error));
        Self::Json { source }
    }

    pub(super) fn unknown(what: &'static str, found: &str) -> Self {
        Self::Unknown {
            what,
            found: found.to_string(),
        }
    }

    pub(super) fn not_finite(what: &str) -> Self {
        Self::NotFinite {
            what: what.to_string(),
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safetensors { source } | Self::Npz { source } => source.fmt(f),
            Self::Foreign { what } => write!(f, "it is {what}"),
            Self::Truncated { found, expected } => {
                write!(f, "it is truncated: {found} of {expected} bytes")
            }
            Self::NoTensor { name } => write!(f, "it has no tensor {name}"),
            Self::NoActivation => {
                f.write_str("the file does not say the activation of its hidden layers")
            }
            Self::NoSides { inputs } => write!(
                f,
                "{inputs} inputs are no square image, and the file does not say its rows"
            ),
            Self::NoNet { why } => f.write_str(why),
            Self::NoMetadata => write!(f, "its metadata have no \"{KEY}\""),
            Self::Ensemble => f.write_str("it holds an ensemble of nets"),
            Self::Members { what } => write!(f, "its nets do not have the same {what}"),
            Self::Json { .. } => f.write_str("its metadata cannot be read"),
            Self::Version { found } => {
                write!(f, "its version is {found}, this program knows {VERSION}")
            }
            Self::Unknown { what, found } => write!(f, "its {what} is \"{found}\""),
            Self::Widths { found } => write!(f, "its layers have the widths {found:?}"),
            Self::Image {
                rows,
                columns,
                inputs,
            } => write!(f, "{rows}×{columns} pixels do not make {inputs} inputs"),
            Self::Framing {
                filled,
                rows,
                columns,
            } => write!(
                f,
                "ink of {filled} pixels cannot be framed by {rows}×{columns}"
            ),
            Self::Classes { classes, outputs } => {
                write!(f, "{classes} classes for {outputs} outputs")
            }
            Self::Name { what } => write!(
                f,
                "the name of {what} is longer than {MAX_NAME} bytes or holds control characters"
            ),
            Self::Duplicate { name } => write!(f, "it has two tensors {name:?}"),
            Self::Tensor {
                name,
                found,
                expected,
            } => write!(f, "tensor {name} is {found}, expected {expected}"),
            Self::NotFinite { what } => write!(f, "{what} is not finite"),
        }
    }
}

impl Error for ModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Safetensors { source } | Self::Npz { source } => source.source(),
            Self::Json { source } => Some(source),
            _ => None,
        }
    }
}

/// The error of a parser of safetensors or JSON, whose text has the causes too. The parser's
/// own type is not part of the interface; two errors are equal if their texts are.
#[derive(Clone)]
pub struct FormatError(Arc<dyn Error + Send + Sync>);

impl PartialEq for FormatError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for FormatError {}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FormatError {}
