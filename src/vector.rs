//! Elementwise functions and sums over slices.
//!
//! The functions are polynomials of our own, made of IEEE additions,
//! multiplications and divisions only, none of them fused: they give the same
//! bits on every target and in every build. A slice's remainder goes through
//! the same vector code, so an element's value does not depend on where it
//! stands.

use wide::{f32x8, i32x8};

/// ln 2 in two parts, the first so short that its product with an exponent of
/// `f32` is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// Replaces each element by `f` of it.
#[inline]
fn map(xs: &mut [f32], f: impl Fn(f32x8) -> f32x8) {
    let (vectors, rest) = xs.as_chunks_mut::<8>();
    for x in vectors {
        *x = f(f32x8::new(*x)).to_array();
    }
    if !rest.is_empty() {
        let mut padded = [0.0; 8];
        padded[..rest.len()].copy_from_slice(rest);
        let y = f(f32x8::new(padded)).to_array();
        rest.copy_from_slice(&y[..rest.len()]);
    }
}

/// eˣ for each element, within 2 units in the last place; subnormal results,
/// infinities and NaN as IEEE arithmetic would have them.
pub fn exp(xs: &mut [f32]) {
    map(xs, exp8);
}

/// The logistic function 1 / (1 + e⁻ˣ) for each element.
pub fn sigmoid(xs: &mut [f32]) {
    map(xs, sigmoid8);
}

/// The hyperbolic tangent of each element.
pub fn tanh(xs: &mut [f32]) {
    map(xs, tanh8);
}

/// `max(x, 0)` for each element. NaN stays NaN, so that a broken weight shows.
pub fn relu(xs: &mut [f32]) {
    map(xs, |x| x.simd_lt(f32x8::ZERO).select(f32x8::ZERO, x));
}

/// `xs += ys`.
///
/// # Panics
/// Panics if the lengths differ.
pub fn add(xs: &mut [f32], ys: &[f32]) {
    assert_eq!(xs.len(), ys.len(), "sum of slices of different lengths");
    for (x, y) in xs.iter_mut().zip(ys) {
        *x += y;
    }
}

/// The largest element, −∞ for none. NaN is passed over.
pub fn max(xs: &[f32]) -> f32 {
    xs.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x))
}

/// The sum in ascending order of index, 0 for none.
pub fn sum(xs: &[f32]) -> f32 {
    xs.iter().sum()
}

/// The position of the largest element, the first of several equal ones; 0 for
/// none. NaN is passed over.
pub fn argmax(xs: &[f32]) -> usize {
    let max = max(xs);
    xs.iter().position(|&x| x == max).unwrap_or(0)
}

/// Whether no element is infinite or NaN.
pub fn all_finite(xs: &[f32]) -> bool {
    // Without an early end the loop is vectorised.
    xs.iter().fold(true, |all, x| all & x.is_finite())
}

/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, then 2ⁿ·eʳ, where eʳ is the polynomial
/// of Cephes' `expf` (S. L. Moshier, netlib.org/cephes).
#[inline]
fn exp8(x: f32x8) -> f32x8 {
    // Beyond these bounds the result is 0 or infinite.
    let bounded = x
        .fast_max(f32x8::splat(-104.0))
        .fast_min(f32x8::splat(89.0));
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    let magic = f32x8::splat(12_582_912.0);
    let shifted = bounded * f32x8::splat(core::f32::consts::LOG2_E) + magic;
    let n = shifted - magic;
    let r = bounded - n * f32x8::splat(LN_2_HIGH) - n * f32x8::splat(LN_2_LOW);
    let p = polynomial(
        r,
        [
            1.987_569_1e-4,
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            0.5,
        ],
    );
    let p = p * (r * r) + r + f32x8::ONE;
    // 2ⁿ in two factors, since n reaches below and above the exponents of f32.
    let n = i32x8::new(
        shifted
            .to_array()
            .map(|s| s.to_bits() as i32 - 12_582_912_f32.to_bits() as i32),
    );
    let half = n >> 1_i32;
    let y = p * power_of_two(half) * power_of_two(n - half);
    x.is_nan().select(x, y)
}

/// 2ⁿ, for n from −126 to 127.
#[inline]
fn power_of_two(n: i32x8) -> f32x8 {
    let bits = (n + i32x8::splat(127)) << 23_i32;
    f32x8::new(bits.to_array().map(|b| f32::from_bits(b as u32)))
}

/// The exponential of a number that is never positive neither overflows nor,
/// where the result matters, loses digits.
#[inline]
fn sigmoid8(x: f32x8) -> f32x8 {
    let e = exp8(-x.abs());
    let y = x.simd_lt(f32x8::ZERO).select(e, f32x8::ONE);
    y / (f32x8::ONE + e)
}

/// Near zero the odd polynomial of Cephes' `tanhf`, elsewhere
/// 1 − 2 / (e²ˣ + 1).
#[inline]
fn tanh8(x: f32x8) -> f32x8 {
    let size = x.abs();
    let far = f32x8::ONE - f32x8::splat(2.0) / (exp8(size + size) + f32x8::ONE);
    let far = x.simd_lt(f32x8::ZERO).select(-far, far);
    let square = x * x;
    let p = polynomial(
        square,
        [
            -5.704_988_7e-3,
            2.063_909e-2,
            -5.373_971_6e-2,
            1.333_144_2e-1,
            -3.333_328e-1,
        ],
    );
    let near = p * square * x + x;
    size.simd_lt(f32x8::splat(0.625)).select(near, far)
}

/// The polynomial with these coefficients, the highest power's first, by
/// Horner's rule.
#[inline]
fn polynomial<const N: usize>(x: f32x8, coefficients: [f32; N]) -> f32x8 {
    coefficients
        .into_iter()
        .fold(f32x8::ZERO, |sum, c| sum * x + f32x8::splat(c))
}

/// The natural logarithm, within 2 units in the last place, of a positive
/// normal number.
///
/// x = 2ⁿ·m with m from √½ to √2, then n·ln 2 + ln m, where ln m is the
/// polynomial of Cephes' `logf`.
pub fn ln(x: f32) -> f32 {
    if !(f32::MIN_POSITIVE..=f32::MAX).contains(&x) {
        return match x {
            0.0 => f32::NEG_INFINITY,
            f32::INFINITY => x,
            x if x > 0.0 => ln(x * 16_777_216.0) - 24.0 * core::f32::consts::LN_2,
            _ => f32::NAN,
        };
    }
    let bits = x.to_bits();
    let mut n = (bits >> 23) as i32 - 126;
    let mut m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    if m < core::f32::consts::FRAC_1_SQRT_2 {
        n -= 1;
        m += m;
    }
    let (n, r) = (n as f32, m - 1.0);
    let p = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ]
    .into_iter()
    .fold(0.0, |sum, c| sum * r + c);
    let square = r * r;
    let tail = p * r * square + n * LN_2_LOW - 0.5 * square;
    r + tail + n * LN_2_HIGH
}

/// The square root, correctly rounded.
pub fn sqrt(x: f64) -> f64 {
    wide::f64x2::splat(x).sqrt().to_array()[0]
}

/// cos(π·t) for t from 0 to 1, in double precision.
///
/// Taylor's series on the eighth of a turn next to the nearest multiple of a
/// quarter.
pub fn cos_pi(t: f64) -> f64 {
    if t > 0.5 {
        return -cos_pi(1.0 - t);
    }
    let series = |x: f64, first: f64, mut k: f64| {
        let (mut term, mut sum) = (first, first);
        while k < 18.0 {
            term *= -(x * x) / ((k + 1.0) * (k + 2.0));
            sum += term;
            k += 2.0;
        }
        sum
    };
    if t <= 0.25 {
        series(core::f64::consts::PI * t, 1.0, 0.0)
    } else {
        let x = core::f64::consts::PI * (0.5 - t);
        series(x, x, 1.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// The distance of `x` from the true value, in units of the last place of
    /// the nearest float.
    fn ulps(x: f32, truth: f64) -> f64 {
        let rounded = truth as f32;
        if x == rounded {
            return 0.0;
        }
        let next = f32::from_bits(rounded.abs().to_bits() + 1);
        (f64::from(x) - truth).abs() / f64::from(next - rounded.abs())
    }

    /// The worst error of `f` over every `step`-th float of a range of bits.
    fn worst(f: fn(&mut [f32]), truth: fn(f64) -> f64, bits: core::ops::Range<u32>) -> f64 {
        let mut worst = 0.0_f64;
        for sign in [1.0, -1.0] {
            for b in bits.clone().step_by(1009) {
                let x = sign * f32::from_bits(b);
                let mut y = [x];
                f(&mut y);
                worst = worst.max(ulps(y[0], truth(f64::from(x))));
            }
        }
        worst
    }

    fn of(f: fn(&mut [f32]), x: f32) -> f32 {
        let mut y = [x];
        f(&mut y);
        y[0]
    }

    #[test]
    fn exp_is_within_two_ulp_wherever_it_is_finite() {
        let worst = worst(exp, f64::exp, 0..88.72_f32.to_bits());
        assert!(worst <= 2.0, "{worst} ulp");
    }

    #[test]
    fn exp_ends_where_floats_end() {
        assert_eq!(of(exp, 0.0), 1.0);
        assert!(of(exp, 88.722_83).is_finite());
        assert_eq!(of(exp, 88.73), f32::INFINITY);
        assert_eq!(of(exp, f32::INFINITY), f32::INFINITY);
        assert_eq!(of(exp, -103.0), f32::from_bits(1));
        assert_eq!(of(exp, -104.0), 0.0);
        assert_eq!(of(exp, f32::NEG_INFINITY), 0.0);
        assert!(of(exp, f32::NAN).is_nan());
    }

    #[test]
    fn sigmoid_and_tanh_are_accurate_to_their_tails() {
        let everywhere = 0..87.0_f32.to_bits();
        let logistic = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), everywhere.clone());
        assert!(logistic <= 3.0, "{logistic} ulp");
        let hyperbolic = worst(tanh, f64::tanh, everywhere);
        assert!(hyperbolic <= 3.0, "{hyperbolic} ulp");
        for (f, low, high) in [(sigmoid as fn(&mut [f32]), 0.0, 1.0), (tanh, -1.0, 1.0)] {
            assert_eq!(of(f, f32::NEG_INFINITY), low);
            assert_eq!(of(f, f32::INFINITY), high);
            assert!(of(f, f32::NAN).is_nan());
        }
    }

    #[test]
    fn relu_keeps_nan() {
        let mut xs = [
            -1.0,
            -0.0,
            0.0,
            2.0,
            f32::NEG_INFINITY,
            f32::INFINITY,
            f32::NAN,
        ];
        relu(&mut xs);
        assert_eq!(xs[..6], [0.0, 0.0, 0.0, 2.0, 0.0, f32::INFINITY]);
        assert!(xs[6].is_nan());
    }

    #[test]
    fn ln_is_within_two_ulp() {
        let mut worst = 0.0_f64;
        for b in (1..f32::INFINITY.to_bits()).step_by(997) {
            let x = f32::from_bits(b);
            // Next to 1 the result vanishes, and so does its last place.
            let truth = f64::from(x).ln();
            worst = worst.max(ulps(ln(x), truth));
        }
        assert!(worst <= 2.0, "{worst} ulp");
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan());
    }

    #[test]
    fn an_element_does_not_depend_on_its_place() {
        for f in [exp, sigmoid, tanh, relu] {
            let xs: [f32; 37] = core::array::from_fn(|i| i as f32 / 3.0 - 6.0);
            for start in 0..9 {
                for end in start..xs.len() {
                    let mut ys = xs;
                    f(&mut ys[start..end]);
                    for i in 0..xs.len() {
                        let inside = (start..end).contains(&i);
                        assert_eq!(ys[i], if inside { of(f, xs[i]) } else { xs[i] });
                    }
                }
            }
        }
    }

    #[test]
    fn cosine_of_part_of_a_half_turn() {
        for i in 0..=1000 {
            let t = f64::from(i) / 1000.0;
            let error = (cos_pi(t) - (core::f64::consts::PI * t).cos()).abs();
            assert!(error < 1e-15, "{error} at {t}");
        }
        assert_eq!((cos_pi(0.0), cos_pi(0.5), cos_pi(1.0)), (1.0, 0.0, -1.0));
    }

    #[test]
    fn square_roots_are_exact() {
        for i in 0..=4096_u16 {
            let x = f64::from(i);
            assert_eq!(sqrt(x * x), x);
            assert_eq!(sqrt(x), x.sqrt());
        }
    }

    #[test]
    fn sums_and_maxima() {
        assert_eq!(
            (max(&[]), sum(&[]), argmax(&[])),
            (f32::NEG_INFINITY, 0.0, 0)
        );
        assert_eq!((max(&[-3.0, -1.0]), argmax(&[1.0, 3.0, 3.0])), (-1.0, 1));
        let mut xs = [1.0, 2.0];
        add(&mut xs, &[10.0, 20.0]);
        assert_eq!((xs, sum(&xs)), ([11.0, 22.0], 33.0));
        assert!(all_finite(&[0.0; 9]));
        assert!(!all_finite(&[0.0, f32::NAN]) && !all_finite(&[f32::INFINITY, 0.0]));
    }
}
