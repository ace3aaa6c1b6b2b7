extern crate std;
use super::*;
use std::vec::Vec;

/// Numbers in [−½, ½), of which no two that are near are equal.
fn numbers(len: usize) -> Vec<f32> {
    let bits = |i: usize| (i as u32).wrapping_mul(0x9e37_79b9) >> 8;
    (0..len)
        .map(|i| bits(i + 1) as f32 / 16_777_216.0 - 0.5)
        .collect()
}

/// Pixels of `len` inputs with ink in `count` of every eight places.
fn pixels(len: usize, count: usize) -> Vec<u8> {
    let has_ink = |i: usize| (i * 5 + i / 8) % 8 < count;
    (0..len)
        .map(|i| if has_ink(i) { (i % 255 + 1) as u8 } else { 0 })
        .collect()
}

/// The definition: for each element one chain, in plain Rust.
fn naive<T: Input>(isa: Isa, inputs: &[T], weights: &[f32], z: &mut [f32]) {
    let width = z.len();
    for (j, z) in z.iter_mut().enumerate() {
        for (i, x) in inputs.iter().enumerate() {
            if !x.is_zero() {
                let (x, w) = (x.number(), weights[i * width + j]);
                *z = match isa.is_fused() {
                    true => x.mul_add(w, *z),
                    false => x * w + *z,
                };
            }
        }
    }
}

/// Compares with the definition, bit for bit. Rows of inputs that are zero are not finite.
fn check<T: Input>(inputs: &[T], width: usize) {
    let mut weights = numbers(inputs.len() * width + 3);
    for (input, row) in inputs.iter().zip(weights.chunks_mut(width)) {
        if input.is_zero() {
            row.fill(f32::NAN);
        }
    }
    for isa in Isa::available() {
        let (mut z, mut expected) = (numbers(width), numbers(width));
        naive(isa, inputs, &weights, &mut expected);
        assert_eq!(accumulate(isa, inputs, &weights, &mut z), Some(()));
        let bits = |z: &[f32]| z.iter().map(|z| z.to_bits()).collect::<Vec<u32>>();
        let what = (isa.name(), inputs.len(), width);
        assert_eq!(bits(&z), bits(&expected), "{what:?}");
        // The last row is not whole.
        let short = &weights[..inputs.len() * width - 1];
        if inputs.last().is_some_and(|last| !last.is_zero()) {
            assert_eq!(accumulate(isa, inputs, short, &mut z), None, "{what:?}");
        }
    }
}

#[test]
fn every_width_has_the_bits_of_the_definition() {
    for width in 1..=140 {
        for ink in [0, 1, 3, 8] {
            let pixels = pixels(67, ink);
            check(&pixels, width);
            let number = |p: &u8| f32::from(*p) - 40.0;
            check(&pixels.iter().map(number).collect::<Vec<f32>>(), width);
            let relu = |p: &u8| if *p < 30 { -0.0 } else { f32::from(*p) };
            check(&pixels.iter().map(relu).collect::<Vec<f32>>(), width);
        }
        let mut one = [0; 67];
        one[width % 67] = 200;
        check(&one, width);
    }
}

#[test]
fn every_number_of_inputs_has_the_bits_of_the_definition() {
    for len in [1, 15, 16, 17, 63, 64, 65, 784, 255, 256, 257, 513] {
        for ink in [0, 2, 8] {
            let pixels = pixels(len, ink);
            for width in [1, 10, 33] {
                check(&pixels, width);
                let numbers: Vec<f32> = pixels.iter().map(|&p| f32::from(p)).collect();
                check(&numbers, width);
            }
        }
    }
}

#[test]
fn no_inputs_and_no_outputs_change_nothing() {
    for isa in Isa::available() {
        let mut z = [1.5, -2.0];
        assert_eq!(accumulate::<u8>(isa, &[], &[], &mut z), Some(()));
        assert_eq!(z, [1.5, -2.0]);
        assert_eq!(accumulate(isa, &[1u8, 2], &[], &mut []), Some(()));
    }
}
