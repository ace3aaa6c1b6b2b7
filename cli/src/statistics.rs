//! Statistics of several trainings, and of two nets on the same images.

/// Relative error at which the continued fraction of the incomplete beta function ends.
const PRECISION: f64 = 1e-14;

/// Maximum number of terms of that fraction; it takes about √max(a, b) of them.
const MOST_TERMS: usize = 10_000;

/// Mean, standard deviation and the 95 % confidence interval of the mean of a sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sample {
    /// The number of values.
    pub(crate) count: usize,
    pub(crate) mean: f64,
    /// The standard deviation with n − 1 in the denominator; `None` of fewer than two values.
    pub(crate) deviation: Option<f64>,
}

impl Sample {
    /// Describes values.
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Self {
            count,
            mean,
            deviation,
        }
    }

    /// Half of the width of the 95 % confidence interval of the mean, by Student's t.
    pub(crate) fn half_width(&self) -> Option<f64> {
        let deviation = self.deviation?;
        let t = student_quantile(0.975, (self.count - 1) as f64);
        Some(t * deviation / (self.count as f64).sqrt())
    }

    /// The probability, both sides together, that a sample of mean 0 has a mean as far from 0 as
    /// this one: Student's t-test. `None` of fewer than two values.
    pub(crate) fn p_of_no_difference(&self) -> Option<f64> {
        let deviation = self.deviation?;
        if deviation == 0.0 {
            return Some(if self.mean == 0.0 { 1.0 } else { 0.0 });
        }
        let t = self.mean / (deviation / (self.count as f64).sqrt());
        Some(2.0 * student_upper(t.abs(), (self.count - 1) as f64))
    }
}

/// The probability of a value of at least `t` ≥ 0 by Student's distribution with `degrees`
/// degrees of freedom (Abramowitz and Stegun, 26.7.1).
fn student_upper(t: f64, degrees: f64) -> f64 {
    0.5 * incomplete_beta(degrees / (degrees + t * t), 0.5 * degrees, 0.5)
}

/// The value that Student's distribution stays below with this probability, at least ½.
fn student_quantile(probability: f64, degrees: f64) -> f64 {
    let is_beyond = |t: f64| student_upper(t, degrees) < 1.0 - probability;
    let mut high = 1.0;
    while !is_beyond(high) {
        high *= 2.0;
    }
    let mut low = 0.0;
    // Each bisection gives a bit.
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match is_beyond(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function I_x(a, b), by the continued fraction of
/// Abramowitz and Stegun, 26.5.8, evaluated as Lentz does (*Applied Optics* 15, 1976).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast up to the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let tiny = f64::MIN_POSITIVE;
    let (mut f, mut c, mut d) = (1.0, 1.0, 0.0);
    for i in 0..MOST_TERMS {
        let m = (i / 2) as f64;
        let numerator = match i {
            0 => 1.0,
            _ if i.is_multiple_of(2) => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        let or_tiny = |x: f64| if x.abs() < tiny { tiny } else { x };
        d = 1.0 / or_tiny(1.0 + numerator * d);
        c = or_tiny(1.0 + numerator / c);
        f *= c * d;
        if (1.0 - c * d).abs() < PRECISION {
            break;
        }
    }
    front.exp() * (f - 1.0) / a
}

/// ln Γ(x) for x > 0, by Lanczos' approximation with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Γ(x) Γ(1 − x) = π / sin(π x)
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = (1..).zip(TERMS);
    let sum = terms.fold(0.999_999_999_999_809_9, |sum, (i, term)| {
        sum + term / (x + f64::from(i))
    });
    let t = x + G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// McNemar's test in its exact form: the probability that of `one + other` tosses of a fair coin
/// a side comes up as rarely as the rarer of both, or more rarely; both sides together.
pub(crate) fn mcnemar(one: usize, other: usize) -> f64 {
    let (rarer, tosses) = (one.min(other), one + other);
    // Logarithms, because 2^−n has no number for n above 1074.
    let mut term = -(tosses as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for i in 0..=rarer {
        sum += term.exp();
        term += ((tosses - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(x: f64, expected: f64, digits: f64) {
        assert!((x - expected).abs() < digits, "{x}, not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_printed_tables() {
        // Abramowitz and Stegun, table 26.10, 0.975: three digits.
        for (degrees, t) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (4.0, 2.776),
            (9.0, 2.262),
            (30.0, 2.042),
            (120.0, 1.980),
        ] {
            assert_near(student_quantile(0.975, degrees), t, 5e-4);
            assert_near(student_upper(t, degrees), 0.025, 2e-5);
        }
        // With one degree of freedom it is Cauchy's: P(T ≥ 1) = 1/4.
        assert_near(student_upper(1.0, 1.0), 0.25, 1e-12);
        assert_near(student_upper(0.0, 7.0), 0.5, 1e-12);
    }

    #[test]
    fn logarithms_of_gamma_are_those_of_factorials() {
        let mut factorial: f64 = 1.0;
        for n in 1..20 {
            assert_near(ln_gamma(f64::from(n)), factorial.ln(), 1e-12);
            factorial *= f64::from(n);
        }
        assert_near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
    }

    #[test]
    fn a_sample_worked_by_hand() {
        let sample = Sample::of(&[2.0, 4.0, 6.0]);
        assert_eq!((sample.mean, sample.deviation), (4.0, Some(2.0)));
        assert_near(
            sample.half_width().unwrap(),
            4.303 * 2.0 / 3.0_f64.sqrt(),
            1e-3,
        );
        // t = 2√3; with two degrees of freedom P = 1 − t / √(t² + 2) = 1 − √(6/7).
        assert_near(
            sample.p_of_no_difference().unwrap(),
            1.0 - (6.0_f64 / 7.0).sqrt(),
            1e-12,
        );
        assert_eq!(Sample::of(&[1.0]).half_width(), None);
        assert_eq!(Sample::of(&[0.0, 0.0]).p_of_no_difference(), Some(1.0));
    }

    #[test]
    fn coins_are_counted() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(3, 3), 1.0);
        assert_near(mcnemar(0, 5), 2.0 / 32.0, 1e-15);
        // (1 + 10 + 45) / 1024, twice.
        assert_near(mcnemar(8, 2), 112.0 / 1024.0, 1e-14);
        // Beyond the range of 2^−n; by the normal approximation with a continuity correction
        // z = (200 − 1) / √4000 = 3.146, which leaves 0.00165.
        assert_near(mcnemar(2100, 1900), 0.00165, 2e-5);
    }
}
