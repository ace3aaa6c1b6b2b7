//! Instruction sets, and which of them this machine has: the only place that detects it.

use core::fmt;
use core::str::FromStr;

/// The name of an instruction set: an arm of the product's dispatch.
///
/// Naming one says nothing about the machine; [`Isa::new`] finds out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Crate `wide`, with the registers that the build's target has.
    Portable,
    /// 128-bit vectors of Arm.
    Neon,
    /// 256-bit vectors of x86-64, with fused multiply-add.
    Avx2,
    /// 512-bit vectors of x86-64.
    Avx512,
}

impl InstructionSet {
    /// All of them, the fastest that a machine can have last.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Its name in reports and in `HANDWRITTEN_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        let found = Self::ALL.into_iter().find(|arm| arm.name() == name);
        found.ok_or(IsaError::Unknown)
    }
}

/// Why there is no such [`Isa`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IsaError {
    /// No arm has that name.
    Unknown,
    /// This processor lacks the instructions, or the build does not know them.
    Missing(InstructionSet),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, names: &mut dyn Iterator<Item = InstructionSet>| {
            names.enumerate().try_for_each(|(i, arm)| {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{arm}")
            })
        };
        match self {
            Self::Unknown => {
                write!(f, "no such instruction set; there are ")?;
                list(f, &mut InstructionSet::ALL.into_iter())
            }
            Self::Missing(arm) => {
                write!(f, "{arm} is not there; this processor and build have ")?;
                list(f, &mut Isa::available().map(Isa::instruction_set))
            }
        }
    }
}

impl core::error::Error for IsaError {}

/// An instruction set that this machine has.
///
/// Only detection makes one, or a caller who writes `unsafe` ([`Isa::assume`]), so
/// holding an `Isa` proves that the machine has its instructions. Without the feature
/// `std`, detection finds what the build guarantees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(InstructionSet);

/// Whether the portable kernels have fused multiply-adds: where crate `wide` was compiled
/// to them, or the target has the instruction for single numbers.
pub(crate) const PORTABLE_IS_FUSED: bool = cfg!(any(
    vfma,
    all(
        any(target_arch = "x86", target_arch = "x86_64"),
        target_feature = "fma"
    ),
    all(target_arch = "aarch64", target_feature = "neon"),
));

/// Whether the processor has all of these features: looked up at run time
/// where there is an operating system to ask, else what the build guarantees.
#[cfg(target_arch = "x86_64")]
macro_rules! has {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        let has = true $(&& std::arch::is_x86_feature_detected!($feature))+;
        #[cfg(not(feature = "std"))]
        let has = cfg!(all($(target_feature = $feature),+));
        has
    }};
}

impl Isa {
    /// The fastest instruction set that this machine has and this crate knows.
    pub fn detect() -> Self {
        // Every machine has the portable one, so there is a last one.
        Self::available()
            .last()
            .unwrap_or(Self(InstructionSet::Portable))
    }

    /// All instruction sets that this machine has, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        InstructionSet::ALL.into_iter().flat_map(Self::new)
    }

    /// The instruction set of that name.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if this machine does not have it.
    pub fn new(arm: InstructionSet) -> Result<Self, IsaError> {
        let there = match arm {
            InstructionSet::Portable => true,
            InstructionSet::Neon => cfg!(all(target_arch = "aarch64", target_feature = "neon")),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => has!("avx2", "fma"),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => has!("avx512f", "avx2", "fma", "popcnt"),
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 | InstructionSet::Avx512 => false,
        };
        if there {
            Ok(Self(arm))
        } else {
            Err(IsaError::Missing(arm))
        }
    }

    /// The instruction set that the environment variable `HANDWRITTEN_ISA`
    /// names, or the fastest if it is not set or empty.
    ///
    /// # Errors
    /// [`IsaError::Unknown`] if no instruction set has that name, [`IsaError::Missing`] if
    /// this machine does not have it.
    #[cfg(feature = "std")]
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var_os("HANDWRITTEN_ISA") {
            Some(name) if !name.is_empty() => {
                let name = name.to_str().ok_or(IsaError::Unknown)?;
                Self::new(name.parse()?)
            }
            _ => Ok(Self::detect()),
        }
    }

    /// The instruction set of that name, without detection: for targets without an
    /// operating system to ask, where the machine is known to have more than the build
    /// guarantees.
    ///
    /// # Panics
    /// Panics if the build's architecture has no such instruction set.
    ///
    /// # Safety
    /// The processor must have its instructions: AVX2 and FMA, for AVX-512 also AVX-512F
    /// and POPCNT.
    #[expect(unsafe_code, reason = "the caller vouches for the processor")]
    pub unsafe fn assume(arm: InstructionSet) -> Self {
        let known = match arm {
            InstructionSet::Portable => true,
            InstructionSet::Neon => cfg!(all(target_arch = "aarch64", target_feature = "neon")),
            InstructionSet::Avx2 | InstructionSet::Avx512 => cfg!(target_arch = "x86_64"),
        };
        assert!(known, "{arm} on another architecture");
        Self(arm)
    }

    /// The name of this instruction set, to compare and match.
    pub fn instruction_set(self) -> InstructionSet {
        self.0
    }

    /// The name of this instruction set, as reports print it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether a multiply-add rounds once: the two classes of results.
    ///
    /// All fused instruction sets give the same bits as each other, and so do all unfused
    /// ones, which multiply, round, add and round again.
    pub fn is_fused(self) -> bool {
        match self.0 {
            InstructionSet::Portable => PORTABLE_IS_FUSED,
            InstructionSet::Neon | InstructionSet::Avx2 | InstructionSet::Avx512 => true,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_lead_to_their_arms() {
        for arm in InstructionSet::ALL {
            assert_eq!(arm.name().parse(), Ok(arm));
        }
        let error = "AVX2".parse::<InstructionSet>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no such instruction set; there are portable, neon, avx2, avx512"
        );
    }

    #[test]
    fn the_fastest_is_one_of_those_available() {
        assert!(Isa::available().any(|isa| isa == Isa::detect()));
        assert_eq!(
            Isa::new(InstructionSet::Portable).map(Isa::instruction_set),
            Ok(InstructionSet::Portable)
        );
    }

    #[test]
    fn what_the_machine_lacks_is_refused_with_what_it_has() {
        // No machine has both.
        let missing = [InstructionSet::Neon, InstructionSet::Avx512].map(Isa::new);
        let error = missing.into_iter().find_map(Result::err).unwrap();
        let message = error.to_string();
        assert!(
            message.contains(" is not there; this processor and build have portable"),
            "{message}"
        );
    }
}
