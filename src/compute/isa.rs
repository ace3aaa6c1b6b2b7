//! Instruction sets: which ones this crate has code for, and which one runs.
//!
//! This module alone asks the processor, and alone chooses: [`Isa::detect`] is the default
//! everywhere, [`Isa::from_env`] that of the programs. All other modules take an [`Isa`], whose
//! existence proves that the processor has the instructions, and look up the code that belongs
//! to it, without a condition of their own: `MicroKernel::of` for products, `Scanner::of` for
//! zeros, `for_each_arm!` and `for_each_rounding!` for loops (`tests/architecture.rs` keeps
//! detection out of them).

use super::names::{UnknownNameError, named};
use core::fmt;

/// An instruction set that this crate has code for, on whichever machine.
///
/// A value says nothing about the machine; [`Isa::new`] checks the processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Vectors of the crate `wide`, in the registers that the build target guarantees.
    Portable,
    /// 128-bit vectors of 64-bit Arm, with fused multiply-add.
    Neon,
    /// 256-bit vectors of x86-64 (AVX2 and FMA).
    Avx2,
    /// 512-bit vectors of x86-64 (AVX-512F and POPCNT).
    Avx512,
}

named! { InstructionSet, "instruction set":
    Portable = "portable",
    Neon = "neon",
    Avx2 = "avx2",
    Avx512 = "avx512",
}

/// The error of choosing an [`Isa`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IsaError {
    /// No instruction set has that name.
    Unknown(UnknownNameError),
    /// The processor lacks the instructions, or the crate was not built for them.
    Missing(InstructionSet),
}

impl From<UnknownNameError> for IsaError {
    fn from(error: UnknownNameError) -> Self {
        Self::Unknown(error)
    }
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => error.fmt(f),
            Self::Missing(missing) => {
                write!(f, "{missing} is not there; this processor and build have ")?;
                for (i, isa) in Isa::available().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", isa.name())?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for IsaError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unknown(error) => error.source(),
            Self::Missing(_) => None,
        }
    }
}

/// An instruction set that this machine has.
///
/// Detection constructs it, or a caller who vouches for the processor in an `unsafe`
/// block ([`Isa::assume`]), so holding an `Isa` proves that its instructions may
/// run. Without the feature `std` detection finds what the build target guarantees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(InstructionSet);

/// Whether the portable code fuses multiply-adds: the build target gives `wide` such
/// an instruction, or has one for scalars (`vfma` of Arm's microcontrollers).
pub(crate) const PORTABLE_IS_FUSED: bool = cfg!(any(
    vfma,
    all(
        any(target_arch = "x86", target_arch = "x86_64"),
        target_feature = "fma"
    ),
    all(target_arch = "aarch64", target_feature = "neon"),
));

/// Whether the build target has NEON, which 64-bit Arm need not detect.
const HAS_NEON: bool = cfg!(all(target_arch = "aarch64", target_feature = "neon"));

/// Whether the processor has all of these features: detected at run time with `std`,
/// else whether the build target guarantees them.
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
        // `Portable` is always available.
        Self::available()
            .last()
            .unwrap_or(Self(InstructionSet::Portable))
    }

    /// All instruction sets of this machine, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        InstructionSet::ALL.iter().copied().flat_map(Self::new)
    }

    /// An instruction set, if this machine has it.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if it does not.
    pub fn new(set: InstructionSet) -> Result<Self, IsaError> {
        let is_there = match set {
            InstructionSet::Portable => true,
            InstructionSet::Neon => HAS_NEON,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => has!("avx2", "fma"),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => has!("avx512f", "avx2", "fma", "popcnt"),
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 | InstructionSet::Avx512 => false,
        };
        if is_there {
            Ok(Self(set))
        } else {
            Err(IsaError::Missing(set))
        }
    }

    /// The instruction set that the environment variable `HANDWRITTEN_ISA`
    /// names, or the fastest if it is not set or empty.
    ///
    /// # Errors
    /// [`IsaError::Unknown`] for a name that no instruction set has,
    /// [`IsaError::Missing`] for one that this machine lacks.
    #[cfg(feature = "std")]
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var_os("HANDWRITTEN_ISA") {
            Some(name) if !name.is_empty() => Self::new(name.to_string_lossy().parse()?),
            _ => Ok(Self::detect()),
        }
    }

    /// An instruction set that the caller knows the processor to have.
    ///
    /// For targets without an operating system to ask, where the build target
    /// guarantees less than the machine has.
    ///
    /// # Panics
    /// Panics if the build's architecture has no code for the instruction set.
    ///
    /// # Safety
    /// The processor must have the instructions: AVX2 and FMA, for AVX-512 also
    /// AVX-512F and POPCNT.
    #[expect(unsafe_code, reason = "the caller vouches for the processor")]
    pub unsafe fn assume(set: InstructionSet) -> Self {
        let is_known = match set {
            InstructionSet::Portable => true,
            InstructionSet::Neon => HAS_NEON,
            InstructionSet::Avx2 | InstructionSet::Avx512 => cfg!(target_arch = "x86_64"),
        };
        assert!(is_known, "{set} on another architecture");
        Self(set)
    }

    /// The instruction set.
    pub fn instruction_set(self) -> InstructionSet {
        self.0
    }

    /// The name of the instruction set, as in `HANDWRITTEN_ISA`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether a multiply-add rounds once.
    ///
    /// All fused instruction sets give the same bits as one another. So do all
    /// unfused ones, which multiply, round, add and round again.
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
    fn names_lead_to_their_instruction_sets() {
        for &set in InstructionSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
        }
        let error = "AVX2".parse::<InstructionSet>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no such instruction set; there are portable, neon, avx2, avx512"
        );
    }

    /// CI names the instruction sets that a machine must not skip; all tests of the crate go
    /// through `Isa::available`.
    #[test]
    #[cfg(feature = "std")]
    fn those_that_must_be_tested_are_available() {
        let names: std::vec::Vec<&str> = Isa::available().map(Isa::name).collect();
        let wanted = std::env::var("HANDWRITTEN_TEST_ISA").unwrap_or_default();
        for wanted in wanted.split(',').filter(|name| !name.is_empty()) {
            assert!(
                names.contains(&wanted),
                "{wanted} is not there, but {names:?}"
            );
        }
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
