//! Why there is no model in bytes, or no file of a model.

use safetensors::SafeTensorError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The one key of the file's metadata. Its value is JSON: the order of several
/// keys would differ from run to run.
pub(super) const KEY: &str = "handwritten";
/// The version of the metadata that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// Why bytes are no model, or a net with its facts is none.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelError {
    /// The bytes are no safetensors file, or a tensor is not in it.
    Safetensors {
        /// Why not.
        source: FormatError,
    },
    /// A safetensors file of something else: its metadata have no key
    /// `handwritten`.
    NoMetadata,
    /// The value of that key is not the JSON that it should be.
    Json {
        /// Why not.
        source: FormatError,
    },
    /// A format of another version than this one, 1.
    Version {
        /// The version there is.
        found: u32,
    },
    /// A name that stands for nothing here.
    Unknown {
        /// What it should name.
        what: &'static str,
        /// The name there is.
        found: String,
    },
    /// Widths that no net has: less than two, too many, or a 0 among them.
    Widths {
        /// The widths, from the inputs to the classes.
        found: Vec<usize>,
    },
    /// Images of another size than the net takes.
    Image {
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
        /// Inputs of the net.
        inputs: usize,
    },
    /// Names of more or fewer classes than the net tells apart, or of more than
    /// 256.
    Classes {
        /// The number of names.
        classes: usize,
        /// Outputs of the net.
        outputs: usize,
    },
    /// A tensor of another type or shape than the widths ask for.
    Tensor {
        /// The tensor.
        name: String,
        /// Its type and shape.
        found: String,
        /// Those that it should have.
        expected: String,
    },
    /// A number is infinite or none.
    NotFinite {
        /// Where it stands.
        what: String,
    },
}

impl ModelError {
    pub(super) fn safetensors(error: SafeTensorError) -> Self {
        let source = FormatError(Arc::new(error));
        Self::Safetensors { source }
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
            Self::Safetensors { source } => source.fmt(f),
            Self::NoMetadata => write!(f, "its metadata have no \"{KEY}\""),
            Self::Json { source } => write!(f, "its metadata: {source}"),
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
            Self::Classes { classes, outputs } => {
                write!(f, "{classes} classes for {outputs} outputs")
            }
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
            Self::Safetensors { source } | Self::Json { source } => Some(source),
            _ => None,
        }
    }
}

/// Why a parser refuses bytes. Which parser that is may change, so its type is not
/// named here; two of these are equal if they say the same.
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

impl Error for FormatError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
