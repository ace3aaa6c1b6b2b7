//! The product as it is defined: the oracle of every faster one.
//!
//! Three loops, a shape check and a multiply-add, none of them shared with the code
//! that it checks: from the rest of the crate come only the matrix views, by their
//! bounds-checked elements, and whether an instruction set rounds once or twice.

use super::Beta;
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};

/// Computes `C = A·B` or `C += A·B`, each element one chain of multiply-adds over k in
/// ascending order, rounded as `isa` rounds them.
///
/// Shapes: `a` m×k, `b` k×n, `c` m×n; any of them may be 0.
///
/// # Panics
/// Panics if the shapes do not fit together.
pub fn gemm(a: MatRef<'_>, b: MatRef<'_>, beta: Beta, mut c: MatMut<'_>, isa: Isa) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    assert!(
        b.rows() == k && (c.rows(), c.cols()) == (m, n),
        "product of {m}×{k} and {}×{n} into {}×{}",
        b.rows(),
        c.rows(),
        c.cols()
    );
    let is_fused = isa.is_fused();
    for i in 0..m {
        for (j, c) in c.row_mut(i).iter_mut().enumerate() {
            let mut sum = match beta {
                Beta::Zero => 0.0,
                Beta::One => *c,
            };
            for p in 0..k {
                sum = multiply_add(is_fused, a.at(i, p), b.at(p, j), sum);
            }
            *c = sum;
        }
    }
}

/// `a · b + c`: rounded once if `is_fused`, else the product and the sum are rounded
/// one after the other.
pub(super) fn multiply_add(is_fused: bool, a: f32, b: f32, c: f32) -> f32 {
    match is_fused {
        true => fused_multiply_add(a, b, c),
        false => a * b + c,
    }
}

/// `a · b + c` rounded once to the nearest `f32`, ties to even, without an instruction
/// for it.
///
/// The product of two `f32` is exact in `f64`; only the sum is rounded. Rounding it to
/// `f64` and then to `f32` goes wrong only where the first rounding ends on the midpoint
/// of two neighbouring `f32`, since the second does not know on which side the exact
/// result lay. (Rounding is monotonic and midpoints are numbers of `f64`, so that any
/// other sum lies on the same side of all midpoints as the exact result.)
///
/// There the sum is *rounded to odd*: an inexact result becomes the one of its two
/// neighbours whose last bit is 1. Midpoints have a last bit of 0, so no inexact result
/// becomes one. As `f64` has at least two bits more than `f32`, subnormal or not,
/// rounding to odd and then to nearest is rounding to nearest (S. Boldo and G.
/// Melquiond, *Emulation of a FMA and Correctly Rounded Sums: Proved Algorithms Using
/// Rounding to Odd*, IEEE Transactions on Computers 57(4), 2008).
fn fused_multiply_add(a: f32, b: f32, c: f32) -> f32 {
    // 24 and 24 bits make at most 48 of 53, and the sum of two exponents of f32 is well
    // within those of f64.
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    // f32 drops the last 29 bits of an f64, or more if the result is subnormal.
    let is_midpoint = sum.to_bits() & 0x1fff_ffff == 0x1000_0000;
    if !is_midpoint && sum.abs() >= f64::from(f32::MIN_POSITIVE) {
        return sum as f32;
    }
    // The exact error of the sum (Knuth's TwoSum), NaN where the sum is not finite.
    let of_product = sum - c;
    let error = (product - of_product) + (c - (sum - of_product));
    if error == 0.0 || error.is_nan() || sum.to_bits() & 1 == 1 {
        return sum as f32;
    }
    // The exact result lies between the sum, which is not zero, and its neighbour on the
    // side of the error. Bit patterns of neighbours differ by one.
    let is_farther_from_zero = (error > 0.0) == (sum > 0.0);
    f64::from_bits(match is_farther_from_zero {
        true => sum.to_bits() + 1,
        false => sum.to_bits() - 1,
    }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_known_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let (a, b) = (MatRef::new(&a, 2, 3), MatRef::new(&b, 3, 2));
        let mut c = [1.0; 4];
        gemm(a, b, Beta::Zero, MatMut::new(&mut c, 2, 2), Isa::detect());
        assert_eq!(c, [58.0, 64.0, 139.0, 154.0]);
        gemm(a, b, Beta::One, MatMut::new(&mut c, 2, 2), Isa::detect());
        assert_eq!(c, [116.0, 128.0, 278.0, 308.0]);
        let mut outer = [0.0; 9];
        gemm(
            a.t(),
            b.t(),
            Beta::Zero,
            MatMut::new(&mut outer, 3, 3),
            Isa::detect(),
        );
        assert_eq!(
            outer,
            [39.0, 49.0, 59.0, 54.0, 68.0, 82.0, 69.0, 87.0, 105.0]
        );
    }

    #[test]
    fn an_empty_sum_is_its_start() {
        let none = MatRef::new(&[], 1, 0);
        let mut c = [5.0];
        gemm(
            none,
            none.t(),
            Beta::One,
            MatMut::new(&mut c, 1, 1),
            Isa::detect(),
        );
        assert_eq!(c, [5.0]);
        gemm(
            none,
            none.t(),
            Beta::Zero,
            MatMut::new(&mut c, 1, 1),
            Isa::detect(),
        );
        assert_eq!(c, [0.0]);
    }

    #[test]
    fn a_multiply_add_rounds_as_its_class_says() {
        // (1 + ε)² = 1 + 2ε + ε²: rounding the product alone loses ε².
        let x = 1.0 + f32::EPSILON;
        let rest = -1.0 - 2.0 * f32::EPSILON;
        let lost = f32::EPSILON * f32::EPSILON;
        assert_eq!(multiply_add(true, x, x, rest), lost);
        assert_eq!(multiply_add(false, x, x, rest), 0.0);
        // 97 · 172 961 = 2²⁴ + 1 is the midpoint of two neighbouring f32. What is added to
        // it is lost in f64 but decides how it is rounded to f32.
        for (c, expected) in [
            (-1e-30, 16_777_216.0),
            (0.0, 16_777_216.0),
            (1e-30, 16_777_218.0),
        ] {
            assert_eq!(multiply_add(true, 97.0, 172_961.0, c), expected);
            assert_eq!(multiply_add(true, -97.0, 172_961.0, -c), -expected);
        }
        // Subnormal results, 1½ units of the last place and a little less.
        let unit = f32::from_bits(1);
        assert_eq!(multiply_add(true, 1.5, unit, 0.0), 2.0 * unit);
        let below = f32::from_bits(0x3fbf_ffff);
        assert_eq!(multiply_add(true, below, unit, 0.0), unit);
    }

    /// The bits of numbers at the edges of rounding.
    #[cfg(feature = "std")]
    const EDGES: [u32; 31] = [
        0x0000_0000, // 0
        0x0000_0001, // the least subnormal numbers
        0x0000_0002,
        0x0000_0003,
        0x007f_ffff, // the greatest subnormal number
        0x0080_0000, // the least normal numbers
        0x0080_0001,
        0x00ff_ffff,
        0x1a00_0000, // 2⁻⁷⁵ and neighbours: products at half a subnormal unit
        0x1a00_0001,
        0x19ff_ffff,
        0x1f80_0000, // 2⁻⁶⁴
        0x2000_0001,
        0x3300_0000, // 2⁻²⁵, 2⁻²⁴ and neighbours
        0x3380_0000,
        0x3380_0001,
        0x337f_ffff,
        0x3f00_0000, // ½
        0x3f7f_ffff, // 1 and neighbours
        0x3f80_0000,
        0x3f80_0001,
        0x3f80_0fff,
        0x3fc0_0000, // 1½
        0x4b7f_ffff, // 2²⁴ and neighbours
        0x4b80_0000,
        0x4b80_0001,
        0x5f00_0001,
        0x7f00_0000, // 2¹²⁷
        0x7f7f_ffff, // the greatest number
        0x7f80_0000, // infinity
        0x7fc0_0000, // NaN
    ];

    /// All triples of numbers at the edges of rounding and many random ones, most of them with a
    /// `c` that nearly cancels the product or is close to half a unit of it.
    #[cfg(feature = "std")]
    #[test]
    fn fused_multiply_adds_are_those_of_the_standard_library() {
        let assert_same = |a: f32, b: f32, c: f32| {
            let (found, expected) = (fused_multiply_add(a, b, c), a.mul_add(b, c));
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{a:e} · {b:e} + {c:e} = {expected:e}, not {found:e}"
            );
        };
        let edges = EDGES.map(f32::from_bits);
        let signed = || edges.into_iter().flat_map(|x| [x, -x]);
        for a in signed() {
            for b in edges {
                for c in signed() {
                    assert_same(a, b, c);
                }
            }
        }
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        for _ in 0..200_000 {
            let (a, b) = (f32::from_bits(next()), f32::from_bits(next()));
            assert_same(a, b, f32::from_bits(next()));
            // Few bits make midpoints likely, a near exponent makes each bit of the
            // product count.
            let mask = !0 << (next() % 24);
            let (a, b) = (next() & mask, next() & mask);
            let near = |bits: u32| f32::from_bits(bits & 0x807f_ffff | (100 + bits % 54) << 23);
            let (a, b) = (near(a), near(b));
            let bits = (a * b).to_bits() ^ 0x8000_0000;
            let shift = (next() % 50) << 23;
            for c in [
                bits,
                bits ^ 1,
                bits.wrapping_sub(shift),
                bits.wrapping_add(shift),
            ] {
                assert_same(a, b, f32::from_bits(c));
                assert_same(a, b, f32::from_bits(c & 0xff80_0000));
            }
        }
    }
}
