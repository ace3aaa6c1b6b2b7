//! Accuracy in units of the last place, special values, and the same bits everywhere.

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
fn an_element_depends_neither_on_its_place_nor_on_the_instruction_set() {
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
