//! The functions of single numbers.
//!
//! IEEE additions, multiplications and divisions only, none of them fused and none behind a
//! branch that the compiler could not turn into a choice between two values.

/// ln 2 in two parts, the first so short that its product with an exponent of
/// `f32` is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// eˣ: x = n·ln 2 + r with |r| ≤ ln 2 / 2, then 2ⁿ·eʳ, where eʳ is the polynomial of Cephes'
/// `expf` (S. L. Moshier, netlib.org/cephes).
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

/// 2ⁿ for n from −126 to 127, and some other number beyond.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// The logistic function 1 / (1 + e⁻ˣ), out of e^−|x|, which neither overflows nor loses
/// digits where they count.
#[inline(always)]
pub(super) fn sigmoid_of(x: f32) -> f32 {
    let e = exp_of(-x.abs());
    let y = if x < 0.0 { e } else { 1.0 };
    y / (1.0 + e)
}

/// The hyperbolic tangent: near zero the odd polynomial of Cephes' `tanhf`, elsewhere
/// 1 − 2 / (e²ˣ + 1).
#[inline(always)]
pub(super) fn tanh_of(x: f32) -> f32 {
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

/// The polynomial with these coefficients, that of the highest power first, by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.into_iter().fold(0.0, |sum, c| sum * x + c)
}

/// The natural logarithm, within 2 units in the last place; −∞ of 0, NaN of a negative number.
///
/// The polynomial is that of Cephes' `logf` (S. L. Moshier, netlib.org/cephes).
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

/// The square root, rounded to the nearest number.
pub(crate) fn sqrt(x: f64) -> f64 {
    wide::f64x2::splat(x).sqrt().to_array()[0]
}

/// cos(π·t) for t from 0 to 1, within 10⁻¹⁵: Taylor's series around the nearest multiple of a
/// quarter of a turn, at most an eighth of a turn away.
pub(crate) fn cos_pi(t: f64) -> f64 {
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
