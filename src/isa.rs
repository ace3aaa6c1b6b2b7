//! The instruction set that computes the products.

/// An instruction set that this machine has.
///
/// Only [`Isa::detect`] makes one, so holding an `Isa` proves that its
/// instructions may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(Arm);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arm {
    Portable,
}

/// Whether crate `wide` was compiled to fused multiply-adds, as the portable
/// arm then is.
const WIDE_IS_FUSED: bool = cfg!(any(
    all(
        any(target_arch = "x86", target_arch = "x86_64"),
        target_feature = "fma"
    ),
    all(target_arch = "aarch64", target_feature = "neon"),
));

impl Isa {
    /// The fastest instruction set that this machine has and this crate knows.
    pub fn detect() -> Self {
        Self(Arm::Portable)
    }

    /// Its name, as reports print it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Arm::Portable => "portable",
        }
    }

    /// Whether a multiply-add rounds once.
    ///
    /// All fused instruction sets give the same bits as each other, and so do
    /// all unfused ones: they multiply, round, add and round again.
    pub fn is_fused(self) -> bool {
        match self.0 {
            Arm::Portable => WIDE_IS_FUSED,
        }
    }

    /// `a · b + c` as this instruction set computes it: one link of the chain
    /// of which every element of a product consists.
    pub fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        match self.0 {
            Arm::Portable => {
                let [a, b, c] = [a, b, c].map(wide::f32x4::splat);
                a.mul_add(b, c).to_array()[0]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_rounds_as_its_class_says() {
        // (1 + ε)² = 1 + 2ε + ε²: the product alone rounds ε² away.
        let x = 1.0 + f32::EPSILON;
        let link = Isa::detect().mul_add(x, x, -1.0 - 2.0 * f32::EPSILON);
        let lost = f32::EPSILON * f32::EPSILON;
        let expected = if Isa::detect().is_fused() { lost } else { 0.0 };
        assert_eq!(link, expected);
    }
}
