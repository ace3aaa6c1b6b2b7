//! Names of choices as configurations, files and messages spell them.

use core::fmt;

/// Implements `ALL`, `name`, [`Display`] and [`FromStr`] for an enum of unit variants.
/// Parsing fails with an [`UnknownNameError`].
///
/// [`Display`]: core::fmt::Display
/// [`FromStr`]: core::str::FromStr
macro_rules! named {
    ($type:ident, $what:literal: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// Every choice, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the choice in configurations, files and messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl core::str::FromStr for $type {
            type Err = $crate::compute::names::UnknownNameError;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|choice| choice.name() == name);
                found.copied().ok_or($crate::compute::names::UnknownNameError {
                    what: $what,
                    names: &[$($name),+],
                })
            }
        }
    };
}
pub(crate) use named;

/// The error of parsing a name that no choice has. The message lists the names there
/// are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnknownNameError {
    /// The kind of choice, such as `activation`.
    pub(crate) what: &'static str,
    /// The names of all choices.
    pub(crate) names: &'static [&'static str],
}

impl UnknownNameError {
    /// The names of all choices.
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }
}

impl fmt::Display for UnknownNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such {}; there are ", self.what)?;
        for (i, name) in self.names.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownNameError {}
