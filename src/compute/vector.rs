//! Elementwise functions and sums over slices.
//!
//! The functions are polynomials of our own, made of IEEE additions,
//! multiplications and divisions only, none of them fused and none behind a
//! branch: they give the same bits on every target, with every instruction set
//! and in every build, and an element's value does not depend on where it
//! stands. Each loop is written once, on plain numbers, and compiled for the
//! vectors of each arm.

use crate::compute::dispatch::for_each_arm;
use crate::compute::isa::Isa;

/// ln 2 in two parts, the first so short that its product with an exponent of
/// `f32` is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// Factors of 1/255: the product of a byte and the first is exact, and the second
/// is so close to 1/(255·341), to 2⁻⁴⁰ of it, that the last product rounds as the
/// quotient does.
const PER_BYTE: [f32; 2] = [341.0, 1.0 / 86_955.0];

for_each_arm! {
    /// eˣ for each element, within 2 units in the last place; subnormal results,
    /// infinities and NaN as IEEE arithmetic would have them.
    pub fn exp(xs: &mut [f32]) {
        for x in xs {
            *x = exp_of(*x);
        }
    }
}

for_each_arm! {
    /// The logistic function 1 / (1 + e⁻ˣ) for each element.
    pub fn sigmoid(xs: &mut [f32]) {
        for x in xs {
            *x = sigmoid_of(*x);
        }
    }
}

for_each_arm! {
    /// The hyperbolic tangent of each element.
    pub fn tanh(xs: &mut [f32]) {
        for x in xs {
            *x = tanh_of(*x);
        }
    }
}

for_each_arm! {
    /// `max(x, 0)` for each element. NaN stays NaN, so that a broken weight shows.
    pub fn relu(xs: &mut [f32]) {
        for x in xs {
            // The sum keeps the compiler from storing no more than the zeros, which
            // with AVX2 takes a dozen times as long as storing whole vectors.
            *x = if *x < 0.0 { 0.0 } else { *x + 0.0 };
        }
    }
}

for_each_arm! {
    /// Each byte divided by 255 and rounded once.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn scale_bytes(bytes: &[u8], xs: &mut [f32]) {
        assert_eq!(bytes.len(), xs.len(), "bytes and their quotients");
        scale(bytes, xs);
    }
}

for_each_arm! {
    /// The same of some columns of rows that have `row` bytes each: those from
    /// `first` on, `columns` of them, side by side.
    ///
    /// # Panics
    /// Panics if there are no columns, if the rows are not whole or have no such
    /// columns, or if there are more or fewer rows of quotients.
    pub fn scale_columns(
        bytes: &[u8],
        row: usize,
        first: usize,
        columns: usize,
        xs: &mut [f32],
    ) {
        assert!(
            (1..=row).contains(&(first + columns))
                && columns > 0
                && bytes.len().is_multiple_of(row)
                && bytes.len() / row * columns == xs.len(),
            "columns of bytes and their quotients"
        );
        for (bytes, xs) in bytes.chunks_exact(row).zip(xs.chunks_exact_mut(columns)) {
            // Of a known length, they are no loop.
            let (blocks, rest) = bytes[first..][..columns].as_chunks::<64>();
            let (to, to_rest) = xs.as_chunks_mut::<64>();
            for (block, to) in blocks.iter().zip(to) {
                scale(block, to);
            }
            scale(rest, to_rest);
        }
    }
}

for_each_arm! {
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
}

for_each_arm! {
    /// `xs` plus each of the rows in `ys`, in order.
    ///
    /// # Panics
    /// Panics if `ys` does not hold whole rows as long as `xs`.
    pub fn add_rows(xs: &mut [f32], ys: &[f32]) {
        let rows = ys.chunks_exact(xs.len().max(1));
        assert!(rows.remainder().is_empty(), "rows of another length");
        for row in rows {
            for (x, y) in xs.iter_mut().zip(row) {
                *x += y;
            }
        }
    }
}

/// Quotients of as many bytes as both slices have.
#[inline(always)]
fn scale(bytes: &[u8], xs: &mut [f32]) {
    for (x, &byte) in xs.iter_mut().zip(bytes) {
        *x = scaled(byte);
    }
}

/// The quotient by 255, rounded to the nearest `f32`.
#[inline(always)]
pub(crate) fn scaled(byte: u8) -> f32 {
    // A product with 1/255 itself is off in the last bit for 126 of the 256
    // values; a division takes several times as long.
    f32::from(byte) * PER_BYTE[0] * PER_BYTE[1]
}

/// The largest element, −∞ for none. NaN is passed over.
pub fn max(xs: &[f32]) -> f32 {
    let larger = |max, &x| if x > max { x } else { max };
    xs.iter().fold(f32::NEG_INFINITY, larger)
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

for_each_arm! {
    /// Whether no element is infinite or NaN.
    pub fn all_finite(xs: &[f32]) -> bool {
        // Without an early end the loop is vectorised.
        xs.iter().fold(true, |all, x| all & x.is_finite())
    }
}

/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, then 2ⁿ·eʳ, where eʳ is the polynomial
/// of Cephes' `expf` (S. L. Moshier, netlib.org/cephes).
#[inline(always)]
pub(crate) fn exp_of(x: f32) -> f32 {
    // Beyond these bounds the result is 0 or infinite. NaN is within them.
    let bounded = if x < -104.0 { -104.0 } else { x };
    let bounded = if bounded > 89.0 { 89.0 } else { bounded };
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    let magic = 12_582_912.0_f32;
    let shifted = bounded * core::f32::consts::LOG2_E + magic;
    let n = shifted - magic;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
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
    let p = p * (r * r) + r + 1.0;
    // 2ⁿ in two factors, since n reaches below and above the exponents of f32.
    let n = shifted.to_bits() as i32 - magic.to_bits() as i32;
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n - half)
}

/// 2ⁿ, for n from −126 to 127; beyond them some other number.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// The exponential of a number that is never positive neither overflows nor,
/// where the result matters, loses digits.
#[inline(always)]
fn sigmoid_of(x: f32) -> f32 {
    let e = exp_of(-x.abs());
    let y = if x < 0.0 { e } else { 1.0 };
    y / (1.0 + e)
}

/// Near zero the odd polynomial of Cephes' `tanhf`, elsewhere
/// 1 − 2 / (e²ˣ + 1).
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let size = x.abs();
    let far = 1.0 - 2.0 / (exp_of(size + size) + 1.0);
    let far = if x < 0.0 { -far } else { far };
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
    if size < 0.625 { near } else { far }
}

/// The polynomial with these coefficients, the highest power's first, by
/// Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.into_iter().fold(0.0, |sum, c| sum * x + c)
}

/// The natural logarithm, within 2 units in the last place.
pub fn ln(x: f32) -> f32 {
    match x {
        0.0 => f32::NEG_INFINITY,
        x if x < 0.0 => f32::NAN,
        x if x < f32::MIN_POSITIVE => ln_of(x * 16_777_216.0) - 24.0 * core::f32::consts::LN_2,
        x => ln_of(x),
    }
}

/// The logarithm of a positive normal number, of infinity or of NaN.
///
/// x = 2ⁿ·m with m from √½ to √2, then n·ln 2 + ln m, where ln m is the
/// polynomial of Cephes' `logf`.
#[inline(always)]
pub(crate) fn ln_of(x: f32) -> f32 {
    let bits = x.to_bits();
    let n = (bits >> 23) as i32 - 126;
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let is_low = m < core::f32::consts::FRAC_1_SQRT_2;
    let n = (if is_low { n - 1 } else { n }) as f32;
    let r = (if is_low { m + m } else { m }) - 1.0;
    let p = polynomial(
        r,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_7e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let square = r * r;
    let tail = p * r * square + n * LN_2_LOW - 0.5 * square;
    let y = r + tail + n * LN_2_HIGH;
    if x < f32::INFINITY { y } else { x }
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
    fn worst(f: fn(Isa, &mut [f32]), truth: fn(f64) -> f64, bits: core::ops::Range<u32>) -> f64 {
        let mut worst = 0.0_f64;
        for sign in [1.0, -1.0] {
            for b in bits.clone().step_by(1009) {
                let x = sign * f32::from_bits(b);
                let mut y = [x];
                f(Isa::detect(), &mut y);
                worst = worst.max(ulps(y[0], truth(f64::from(x))));
            }
        }
        worst
    }

    fn of(f: fn(Isa, &mut [f32]), x: f32) -> f32 {
        let mut y = [x];
        f(Isa::detect(), &mut y);
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
        for (f, low, high) in [
            (sigmoid as fn(Isa, &mut [f32]), 0.0, 1.0),
            (tanh, -1.0, 1.0),
        ] {
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
        relu(Isa::detect(), &mut xs);
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
    fn an_element_depends_neither_on_its_place_nor_on_the_arm() {
        for f in [exp, sigmoid, tanh, relu] {
            let xs: [f32; 37] = core::array::from_fn(|i| i as f32 / 3.0 - 6.0);
            for isa in Isa::available() {
                for start in 0..9 {
                    for end in start..xs.len() {
                        let mut ys = xs;
                        f(isa, &mut ys[start..end]);
                        for i in 0..xs.len() {
                            let inside = (start..end).contains(&i);
                            assert_eq!(ys[i], if inside { of(f, xs[i]) } else { xs[i] });
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_is_divided_exactly() {
        let bytes: [u8; 256] = core::array::from_fn(|i| i as u8);
        for isa in Isa::available() {
            let mut xs = [f32::NAN; 256];
            scale_bytes(isa, &bytes, &mut xs);
            for (byte, x) in bytes.into_iter().zip(xs) {
                assert_eq!(x, f32::from(byte) / 255.0, "{}", isa.name());
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
    #[should_panic(expected = "rows of another length")]
    fn a_sum_of_rows_that_are_not_whole_is_refused() {
        add_rows(Isa::detect(), &mut [0.0; 2], &[0.0; 3]);
    }

    #[test]
    fn sums_and_maxima() {
        assert_eq!(
            (max(&[]), sum(&[]), argmax(&[])),
            (f32::NEG_INFINITY, 0.0, 0)
        );
        assert_eq!((max(&[-3.0, -1.0]), argmax(&[1.0, 3.0, 3.0])), (-1.0, 1));
        let mut xs = [1.0, 2.0];
        add(Isa::detect(), &mut xs, &[10.0, 20.0]);
        assert_eq!((xs, sum(&xs)), ([11.0, 22.0], 33.0));
        add_rows(Isa::detect(), &mut xs, &[3.0, 5.0, 100.0, 200.0]);
        assert_eq!(xs, [114.0, 227.0]);
        add_rows(Isa::detect(), &mut [], &[]);
        assert!(all_finite(Isa::detect(), &[0.0; 9]));
        assert!(
            !all_finite(Isa::detect(), &[0.0, f32::NAN])
                && !all_finite(Isa::detect(), &[f32::INFINITY, 0.0])
        );
    }
}
